"""The practice backend's HTTP door, by hand: its headers, ranges, and errors."""

from __future__ import annotations

import base64
import hashlib
import json
import time

import httpx
import pytest

from tests.loopback.backend import LoopbackBackend

DATA = bytes(range(256)) * 40
SHA = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def server(tmp_path):
    with LoopbackBackend(tmp_path) as server:
        sent = {
            "slug": "a",
            "name": "a-1",
            "format": "mp4",
            "video_data_base64": base64.b64encode(DATA).decode(),
            "size_bytes": len(DATA),
            "audio_transcript": "I refer",
            "metadata": {"slug": "a"},
            "word_mappings": [{"word": "re fer", "learning_language": "en", "relevance_score": 0.9, "transcript_source": "audio"}],
        }
        answer = server.backend.upload(json.dumps({"source_id": "s", "videos": [sent]}).encode())
        assert answer.status == 200
        yield server


@pytest.fixture
def client(server):
    with httpx.Client(base_url=server.url, trust_env=False) as client:
        yield client


def test_a_video_with_the_headers_of_the_contract(client):
    answer = client.get("/v3/videos/1")
    assert (answer.status_code, answer.content) == (200, DATA)
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["etag"] == f'"{SHA}"'
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.headers["x-wordreel-practice"] == "not production"
    assert answer.headers["accept-ranges"] == "bytes"
    head = client.head("/v3/videos/1")
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(DATA)))


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("bytes=0-9", (0, 10)),
        ("bytes=10200-", (10200, 10240)),
        ("bytes=-5", (10235, 10240)),
        ("bytes=0-5,3-20", (0, 21)),
        ("bytes=10000-99999", (10000, 10240)),
    ],
)
def test_a_part(client, asked, expected):
    answer = client.get("/v3/videos/1", headers={"Range": asked})
    assert (answer.status_code, answer.content) == (206, DATA[slice(*expected)])
    assert answer.headers["content-range"] == f"bytes {expected[0]}-{expected[1] - 1}/10240"


@pytest.mark.parametrize(
    "asked", ["bytes=10240-", "bytes=-0", "bytes=9-2", "bytes=--1", "bytes=" + ",".join(f"{i}-{i + 1}" for i in range(4000))]
)
def test_a_wrong_part_is_416_at_once(client, asked):
    started = time.perf_counter()
    answer = client.get("/v3/videos/1", headers={"Range": asked})
    assert (answer.status_code, answer.headers["content-range"]) == (416, "bytes */10240")
    assert time.perf_counter() - started < 1


def test_conditions(client):
    assert client.get("/v3/videos/1", headers={"If-None-Match": f'"x", "{SHA}"'}).status_code == 304
    assert client.get("/v3/videos/1", headers={"If-None-Match": '"x"'}).status_code == 200
    assert client.get("/v3/videos/1", headers={"Range": "bytes=0-1", "If-Range": f'"{SHA}"'}).status_code == 206
    assert client.get("/v3/videos/1", headers={"Range": "bytes=0-1", "If-Range": '"old"'}).status_code == 200


@pytest.mark.parametrize("video_id", ["2", "0", "-1", "abc", "9" * 30, "1.0", "%00", "¹"])
def test_no_such_video(client, video_id):
    answer = client.get(f"/v3/videos/{video_id}")
    assert (answer.status_code, answer.json()) == (404, {"error": "Video not found"})
    assert answer.headers["x-wordreel-practice"] == "not production"


def test_the_words_of_the_later_version(client, server):
    server.backend.fill_bundle("demo", ["abate"])
    assert client.get("/v3/api/check-word-videos", params={"word": "re fer", "lang": "en"}).json() == {
        "word": "re fer",
        "has_videos": True,
        "video_count": 1,
    }
    assert client.get("/v3/admin/bundles/demo/words-needing-videos").json() == {"bundle": "demo", "words": ["abate"], "total_count": 1}
    assert client.get("/v3/admin/bundles/toefl_beginner/words-needing-videos").json() == {
        "bundle": "toefl_beginner",
        "words": [],
        "total_count": 0,
    }
    found = client.get("/v3/words/re%20fer/videos").json()
    assert found["word"] == "re fer"
    assert [(clip["video_id"], clip["slug"], clip["relevance_score"]) for clip in found["videos"]] == [(1, "a", 0.9)]
    root = str(client.base_url).removesuffix("/backend/")
    assert httpx.get(root + found["videos"][0]["url"], trust_env=False).content == DATA
    assert client.get("/v3/words/nobody/videos").json() == {"word": "nobody", "videos": []}


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b'{"videos": []}', "application/json", 400),
        (b"{}", "application/json; charset=utf-8", 400),
        (b"{", "application/json", 500),
        (b'{"videos": [{}]}', "application/json", 500),
        (b'{"videos": [{}]}', "text/plain", 500),
        (b" " * (20 * 1024 * 1024 + 1), "application/json", 500),
    ],
)
def test_errors_have_the_statuses_of_the_contract(client, content, kind, status):
    answer = client.post("/v3/admin/videos/batch-upload", content=content, headers={"Content-Type": kind})
    assert (answer.status_code, list(answer.json())) == (status, ["error"])
    assert answer.headers["x-wordreel-practice"] == "not production"


def test_a_database_that_went_away_is_500_and_not_a_new_one(client, server):
    server.backend.path.unlink()
    answer = client.get("/v3/videos/1")
    assert (answer.status_code, list(answer.json())) == (500, ["error"])
    assert not server.backend.path.exists()


def test_a_stored_page_is_never_served_as_one(client, server):
    sent = {"slug": "b", "name": "b", "format": "html", "video_data_base64": base64.b64encode(b"<script>").decode(), "word_mappings": []}
    assert server.backend.upload(json.dumps({"source_id": "s", "videos": [sent]}).encode()).status == 200
    answer = client.get("/v3/videos/2")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["x-content-type-options"] == "nosniff"
