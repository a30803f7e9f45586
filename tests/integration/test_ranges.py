"""Files served in parts, by a real server."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

from ui.api.ranges import CHUNK_BYTES, serve_file

DATA = os.urandom(3 * CHUNK_BYTES + 17)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "film.mp4"
    path.write_bytes(DATA)
    return path


@pytest.fixture
def client(path):
    app = FastAPI()

    @app.api_route("/film", methods=["GET", "HEAD"])
    def film(request: Request):
        return serve_file(request, path, etag="abc", media_type="video/mp4", headers={"Cache-Control": "no-store"})

    with TestClient(app) as client:
        yield client


def n_open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("asked", [None, "bytes=0-0", "bytes=-1", "bytes=262143-262144", "bytes=5-", "bytes=0-786448"])
def test_parts_are_the_files_bytes(client, asked):
    answer = client.get("/film", headers={"Range": asked} if asked else {})
    if asked is None:
        assert (answer.status_code, answer.content) == (200, DATA)
        return
    first, last = answer.headers["content-range"].removeprefix("bytes ").split("/")[0].split("-")
    assert (answer.status_code, answer.content) == (206, DATA[int(first) : int(last) + 1])
    assert answer.headers["content-length"] == str(len(answer.content))


def test_no_file_stays_open(client):
    client.get("/film")
    before = n_open_files()
    for headers in ({}, {"Range": "bytes=5-9"}, {"Range": "bytes=9-5"}, {"If-None-Match": '"abc"'}):
        client.get("/film", headers=headers)
        client.head("/film", headers=headers)
    assert n_open_files() <= before


def test_a_file_that_is_replaced_while_it_is_served_is_served_as_it_was(client, path):
    from starlette.requests import Request as Raw

    request = Raw({"type": "http", "method": "GET", "headers": [(b"range", b"bytes=0-")]})
    answer = serve_file(request, path, etag="abc", media_type="video/mp4", headers={})
    other = path.with_suffix(".new")
    other.write_bytes(b"short")
    other.replace(path)

    async def read():
        return b"".join([chunk async for chunk in answer.body_iterator])

    import anyio

    assert anyio.run(read) == DATA
    assert client.get("/film").content == b"short"


def test_an_empty_file(client, path):
    path.write_bytes(b"")
    assert (client.get("/film").status_code, client.get("/film").content) == (200, b"")
    assert client.get("/film", headers={"Range": "bytes=0-"}).status_code == 416
