"""The HTTP API beside the commands: the same refusals and states, each with what to do."""

from __future__ import annotations

import httpx
import pytest
from sqlalchemy import insert, select

from core.store.tables import live_mappings, mappings
from core.timing import now
from tests.integration.export_world import World
from tests.loopback.api import served_api

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def site(own_workspace):
    world = World(own_workspace)
    try:
        world.bundle("unit_1", "reluctant")
        clip_id = world.clip("harbour-1", "a reluctant harbour")
        mapping_id = world.mapping(clip_id, "reluctant", 0.9)
    finally:
        world.close()
    with served_api() as (app, url), httpx.Client(base_url=url, trust_env=False) as client:
        client.app, client.mapping_id, client.clip_id = app, mapping_id, clip_id
        yield client


def decide(site: httpx.Client, decision: str, version: int, **more: object) -> dict:
    body = {"decision": decision, "version": version, "idempotency_key": decision, "visit_id": decision, **more}
    return site.post(f"/api/mappings/{site.mapping_id}/decisions", json=body).json()


def make_live(site: httpx.Client) -> None:
    """A target holds the mapping, and learners are shown it."""
    place = {"target": "backend", "mapping_id": site.mapping_id, "name": "n", "clip_id": site.clip_id}
    with site.app.database.write() as connection:
        word_id = connection.execute(select(mappings.c.word_id).where(mappings.c.mapping_id == site.mapping_id)).scalar_one()
        sent = {"relevance": 0.9, "digest": "d", "batch_id": "b", "sent_at": now()}
        connection.execute(insert(live_mappings).values(**place, **sent, word_id=word_id))


def test_what_learners_are_still_shown_waits_to_be_retracted_as_the_command_says(site):
    approved = decide(site, "approve", 0)
    assert (approved["state"], approved["undecided"]) == ("approved", False)
    make_live(site)
    [undone] = site.post("/api/review/undo", json={"visit_id": "approve"}).json()["items"]
    assert (undone["state"], undone["undecided"]) == ("pending_retraction", True)
    rejected = decide(site, "reject", undone["version"], reasons=["cut_badly"])
    assert (rejected["state"], rejected["undecided"]) == ("pending_retraction", False)


def test_a_bundle_that_is_not_there_is_no_empty_queue(site):
    answer = site.get("/api/review/queue", params={"bundle": "unit_2"})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert site.get("/api/review/queue", params={"bundle": "unit_1"}).json()["total"] == 1


@pytest.mark.parametrize("limit", ['"max_cost": Infinity', '"max_cost": 1e300', f'"max_downloads": {10**30}', f'"max_videos": {10**30}'])
def test_a_limit_that_no_run_can_hold_is_refused_and_nothing_is_written(site, limit):
    before = site.app.vocabulary.bundles()
    for more in ("", ', "plan": true'):
        answer = site.post("/api/runs", content=f'{{"words": ["harbour"], {limit}{more}}}'.encode(), headers=JSON)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")
    assert site.get("/api/runs").json() == {"runs": []}
    assert site.app.vocabulary.bundles() == before


def test_rows_that_were_changed_or_refused_are_told_by_plan_and_launch(site):
    for more in ({"plan": True}, {}):
        answer = site.post("/api/runs", json={"words": ["refer.", "1"], **more}).json()
        assert answer["report"] == ["line 2: 'refer.' read as 'refer'", "line 3: '1' refused, no letter in it"]


def test_every_refusal_says_what_to_do(site):
    broken = site.post("/api/runs", content=b"words", headers=JSON)
    assert broken.json()["message"] == "the body: JSON decode error"
    nowhere = site.get("/api/nothing")
    assert nowhere.json()["message"] == "There is no address /api/nothing."
    wrong = site.delete("/api/runs", headers={"X-Wordreel": "test"})
    assert wrong.json()["message"] == "/api/runs does not answer to DELETE."
    form = site.post("/api/runs", content=b"a=b")
    host = site.get("/api/runs", headers={"Host": "evil.example"})
    origin = site.get("/api/runs", headers={"Origin": "http://evil.example"})
    path = site.get("/api/media/%2e%2e/app.db")
    refused = [broken, nowhere, wrong, form, host, origin, path, site.post("/api/runs", json={})]
    assert [answer.status_code for answer in refused] == [400, 404, 405, 415, 400, 403, 400, 400]
    assert [answer.json()["code"] for answer in refused if not answer.json()["hint"]] == []
