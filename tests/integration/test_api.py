"""The HTTP API over a real socket: who may talk to it, what it answers, and what it never does."""

from __future__ import annotations

import re
import socket
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from core.model.clips import EvidenceState
from tests.integration.export_world import World, distinct_mp4
from tests.loopback.api import served_api


@pytest.fixture
def site(own_workspace):
    world = World(own_workspace)
    try:
        world.bundle("unit_1", "reluctant", "harbour", "missing")
        first = world.clip("harbour-1", "a reluctant harbour")
        second = world.clip("harbour-2", "the harbour again")
        ids = {
            "reluctant": world.mapping(first, "reluctant", 0.9),
            "harbour": world.mapping(second, "harbour", 0.8),
            "unheard": world.mapping(first, "harbour", 0.7, EvidenceState.NOT_HEARD),
        }
    finally:
        world.close()
    with served_api() as (app, url), httpx.Client(base_url=url, trust_env=False) as client:
        client.app, client.ids, client.clip_id = app, ids, first
        yield client


def decision(version: int = 0, key: str = "k1", **more):
    return {"decision": "approve", "version": version, "idempotency_key": key, "visit_id": f"v-{key}", **more}


def raw(client: httpx.Client, request: bytes) -> bytes:
    with socket.create_connection((client.base_url.host, client.base_url.port), timeout=5) as wire:
        wire.sendall(request)
        return wire.recv(65536)


# Who may talk ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:2", "localhost.evil.example", "", "127.0.0.1:1@evil", "0.0.0.0"])
def test_a_host_that_is_not_ours_is_refused(site, host):
    answer = site.get("/api/health", headers={"Host": host})
    assert answer.status_code == 400
    assert answer.json()["code"] == "bad_host"


def test_no_host_or_two_are_refused(site):
    port = site.base_url.port
    assert b" 400 " in raw(site, b"GET /api/health HTTP/1.1\r\n\r\n")[:40]
    twice = f"GET /api/health HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nHost: evil.example\r\n\r\n".encode()
    assert b" 400 " in raw(site, twice)[:40]


def test_every_name_of_loopback_is_ours(site):
    port = site.base_url.port
    for host in (f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}", f"LOCALHOST:{port}"):
        assert site.get("/api/health", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "https://127.0.0.1", "file://"])
def test_a_foreign_origin_is_refused_and_changes_nothing(site, origin):
    path = f"/api/mappings/{site.ids['reluctant']}/decisions"
    answer = site.post(path, json=decision(), headers={"Origin": origin})
    assert (answer.status_code, answer.json()["code"]) == (403, "foreign_origin")
    assert site.get("/api/review/queue").json()["total"] == 2


def test_our_own_origin_passes(site):
    path = f"/api/mappings/{site.ids['reluctant']}/decisions"
    assert site.post(path, json=decision(), headers={"Origin": str(site.base_url).rstrip("/")}).status_code == 200


def test_another_site_cannot_read_by_an_image_or_a_script(site):
    answer = site.get("/api/review/queue", headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"})
    assert answer.status_code == 403
    assert site.get("/api/health").headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x", ""])
def test_a_write_that_a_form_could_send_is_refused(site, kind):
    answer = site.post("/api/review/undo", content=b'{"visit_id": ""}', headers={"Content-Type": kind})
    assert answer.status_code == 415
    upload = site.post("/backend/v3/admin/videos/batch-upload", content=b'{"videos": []}', headers={"Content-Type": kind})
    assert upload.status_code == 500 and list(upload.json()) == ["error"]


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example/api/health", "/api//health", "/api/media/..%2f..%2fapp.db", "/api/media/%2e%2e/app.db", "/api/media/../../app.db",
        "/%2e%2e%2fetc/passwd", "/api/media/%252e%252e%252f", "/api/words/a%00b/videos", "/api/media/..%5c..%5capp.db", "/./api/health",
    ],
)  # fmt: skip
def test_odd_paths_reach_no_file(site, path):
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{site.base_url.port}\r\nConnection: close\r\n\r\n"
    status = int(raw(site, request.encode()).split(b" ")[1])
    assert status in (400, 404)


def test_a_body_too_large_is_refused_before_it_is_read(site):
    answer = site.post("/api/review/undo", content=b"{" + b" " * (1024 * 1024 + 10), headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert site.get("/api/health").status_code == 200


# What it answers ------------------------------------------------------------------------------------------------------


def test_health_tells_versions_workers_and_demo(site):
    found = site.get("/api/health").json()
    assert found["ok"] is True
    assert found["workers"] == []
    assert found["demo"] == {"state": "none", "detail": "", "clips": 0}
    assert {"version", "janitor_at"} <= set(found)
    assert site.get("/health").json()["ok"] is True


def test_the_queue_is_what_the_command_prints(site):
    found = site.get("/api/review/queue").json()
    assert found["total"] == 2
    keys = {"mapping_id", "clip_id", "slug", "word", "relevance", "education", "context", "evidence", "state", "version"}
    assert all(keys <= set(item) for item in found["items"])
    everything = site.get("/api/review/queue", params={"all": True}).json()["items"]
    assert "not_heard" in {item["evidence"] for item in everything}


def test_the_desk_names_rules_providers_and_what_has_no_clip(site):
    found = site.get("/api/review/desk", params={"limit": 1}).json()
    assert (found["actor"], found["total"], len(found["visits"])) == ("mina", 2, 1)
    assert found["rules"] == {"min_score": 0.6, "strict": False}
    assert found["providers"]["judge"]
    assert found["bundles"] == ["unit_1"]
    assert found["without_clip"] == 1
    best = [visit["word"] for visit in site.get("/api/review/desk", params={"order": "best_first"}).json()["visits"]]
    assert best == ["reluctant", "harbour"]
    assert site.get("/api/review/desk", params={"order": "random"}).status_code == 400


def test_a_visit_holds_words_and_targets(site):
    found = site.get(f"/api/review/visits/{site.clip_id}").json()
    assert [word["text"] for word in found["words"]] == ["a", "reluctant", "harbour"]
    assert {target["word"] for target in found["targets"]} == {"reluctant", "harbour"}
    assert site.get("/api/review/visits/999999").status_code == 404
    assert site.get("/api/review/visits/abc").status_code == 400


def test_a_decision_is_written_once_whatever_is_repeated(site):
    path = f"/api/mappings/{site.ids['reluctant']}/decisions"
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: site.post(path, json=decision(score=0.8)), range(8)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert answers[0].json()["state"] == "approved"
    assert answers[0].json()["version"] == 1


def test_a_stale_decision_is_a_conflict_each_time_it_is_sent(site):
    path = f"/api/mappings/{site.ids['harbour']}/decisions"
    assert site.post(path, json=decision(key="first")).status_code == 200
    for _ in range(2):
        late = site.post(path, json={**decision(key="late"), "decision": "reject", "reasons": ["cut_badly"]})
        assert (late.status_code, late.json()["code"]) == (409, "conflict")
        assert set(late.json()) == {"code", "message", "hint"}
    states = {item["mapping_id"]: item["state"] for item in site.get("/api/review/queue", params={"all": True}).json()["items"]}
    assert states[site.ids["harbour"]] == "approved"


def test_undo_and_redo_take_one_keystroke(site):
    path = f"/api/mappings/{site.ids['reluctant']}/decisions"
    site.post(path, json=decision(key="a"))
    undone = site.post("/api/review/undo", json={"visit_id": "v-a", "idempotency_key": "u"}).json()["items"]
    assert [(item["word"], item["state"], item["clip_id"]) for item in undone] == [("reluctant", "in_review", site.clip_id)]
    assert site.post("/api/review/redo", json={"visit_id": "", "idempotency_key": "r"}).json()["items"][0]["state"] == "approved"
    assert site.post("/api/review/undo", json={"visit_id": "no-such"}).status_code == 404


def test_what_nobody_hears_is_refused_without_a_note(site):
    path = f"/api/mappings/{site.ids['unheard']}/decisions"
    answer = site.post(path, json=decision())
    assert (answer.status_code, answer.json()["code"]) == (403, "refused")


@pytest.mark.parametrize(
    "body",
    [
        {"decision": "undo", "version": 0, "idempotency_key": "k"}, {"decision": "approve", "version": 0}, decision(score=1.1),
        decision(reasons=["no"]), decision(surprise=1), decision(note="x" * 5000), [], "text",
    ],
)  # fmt: skip
def test_a_body_that_cannot_be_used_is_named(site, body):
    answer = site.post(f"/api/mappings/{site.ids['reluctant']}/decisions", json=body)
    assert answer.status_code == 400
    assert set(answer.json()) == {"code", "message", "hint"}
    assert site.get("/api/review/queue").json()["total"] == 2


def test_coverage_is_data_for_programs_and_a_page_for_browsers(site):
    bundle = site.get("/api/coverage", params={"bundle": "unit_1", "at_least": 2}).json()["bundles"][0]
    assert (bundle["words"], bundle["in_review"], bundle["not_searched"]) == (3, 2, 1)
    assert set(bundle["approved"]) == {"1", "2", "3"}
    assert site.get("/coverage").json() == site.get("/api/coverage").json()
    assert site.get("/coverage", headers={"Accept": "text/html,*/*"}).text == "a page"
    assert site.get("/api/coverage", params={"bundle": "nothing"}).status_code == 404


def test_the_approved_clips_of_a_word(site):
    assert site.get("/api/words/reluctant/videos").json() == {"word": "reluctant", "videos": []}
    site.post(f"/api/mappings/{site.ids['reluctant']}/decisions", json=decision(score=0.8))
    found = site.get("/words/Reluctant/videos").json()["videos"]
    assert [(clip["relevance_score"], clip["audio_transcript"]) for clip in found] == [(0.8, "a reluctant harbour")]
    assert site.get(found[0]["url"]).status_code == 200
    assert site.get("/api/words/nobody/videos").status_code == 404


def test_an_export_that_goes_on_with_an_unfinished_one_says_so(site):
    site.post(f"/api/mappings/{site.ids['reluctant']}/decisions", json=decision(score=0.8))
    first = site.post("/api/exports", json={"backend_url": "practice"}).json()  # nobody sends it: there is no worker
    assert "notes" not in first
    again = site.post("/api/exports", json={"backend_url": "practice", "bundle": "unit_1"}).json()
    assert again["batch_id"] == first["batch_id"]
    assert ["what is asked now (bundle unit_1) is not applied" in note for note in again["notes"]] == [True]
    assert site.post("/api/exports", json={"backend_url": "practice", "bundle": "unit_9"}).status_code == 404


def test_media_in_ranges(site):
    url = site.get(f"/api/review/visits/{site.clip_id}").json()["media_url"]
    data = distinct_mp4("harbour-1")
    whole = site.get(url)
    assert (whole.status_code, whole.content, whole.headers["content-type"]) == (200, data, "video/mp4")
    assert "immutable" in whole.headers["cache-control"]
    part = site.get(url, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, data[10:20])
    assert site.get(url, headers={"Range": f"bytes={len(data)}-"}).status_code == 416
    assert site.head(url).headers["content-length"] == str(len(data))
    assert site.get(url, headers={"If-None-Match": whole.headers["etag"]}).status_code == 304


@pytest.mark.parametrize("media_id", ["0" * 64, "nothing", "..", "0" * 63 + "/", "A" * 64, "con", "%00"])
def test_media_that_is_not_there_is_a_plain_404(site, media_id):
    assert site.get(f"/api/media/{media_id}").status_code in (400, 404)


def test_runs_and_exports_answer_as_the_commands_do(site):
    assert site.get("/api/runs").json() == {"runs": []}
    assert site.get("/api/runs/nothing").status_code == 404
    plan = site.post("/api/runs", json={"bundle": "unit_1", "plan": True}).json()
    assert (plan["words"], plan["cost_usd"]) == (3, 0)
    assert site.post("/api/runs", json={"bundle": "unit_1", "words": ["x"]}).status_code == 400
    started = site.post("/api/runs", json={"bundle": "unit_1"}).json()
    assert started["words"]["total"] == 3
    assert site.post(f"/api/runs/{started['run_id']}/pause", json={}).json()["status"] == "paused"
    assert site.post("/api/exports", json={"dry_run": True}).json()["would_send"]["clips"] == 0
    assert site.get("/api/exports").json() == {"batches": []}


def test_what_does_not_exist_says_so_in_json(site):
    for path in ("/api/nothing", "/studio", "/api"):
        answer = site.get(path)
        assert (answer.status_code, set(answer.json())) == (404, {"code", "message", "hint"})
    assert site.delete("/api/runs", headers={"X-Wordreel": "test"}).status_code == 405


def test_a_bug_shows_no_trace(site, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("secret detail of the inside")

    monkeypatch.setattr(site.app.review, "queue", fail)
    answer = site.get("/api/review/queue")
    assert (answer.status_code, answer.json()["code"]) == (500, "bug")
    assert "secret" not in answer.text


def test_openapi_lists_every_address(site):
    paths = site.get("/api/openapi.json").json()["paths"]
    named = {"health", "coverage", "review/queue", "mappings/{mapping_id}/decisions", "runs", "exports", "media/{media_id}"}
    assert {f"/api/{name}" for name in named} <= set(paths)


def test_the_page_of_the_api_takes_nothing_from_elsewhere(site):
    """It works without the internet, and no script of others runs beside the decisions."""
    shown = site.get("/api/docs")
    assert shown.status_code == 200
    taken = re.findall(r"""(?:src|href)=["']([^"']+)["']""", shown.text)
    assert len(taken) >= 3
    for address in taken:
        assert address.startswith("/api/"), address
        assert site.get(address).status_code == 200, address
    assert "http" not in re.sub(r"<!--.*?-->", "", shown.text)
