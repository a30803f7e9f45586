"""The HTTP target against a backend that misbehaves in each way of its contract."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import replace

import pytest

from core.adapters.target_http import HttpTarget
from core.errors import ExportError, InvalidInput, ProviderError, ProviderUnavailable
from core.model.exports import ItemStatus
from core.rules.sending import send_isolating
from tests.loopback.backend import LoopbackBackend, Misbehaviour
from tests.loopback.items import make_item

TOKEN = "secret-token"
IN_DOUBT = [
    Misbehaviour.CUT_AFTER,
    Misbehaviour.CUT_BEFORE,
    Misbehaviour.SILENT_AFTER,
    Misbehaviour.HTML_200,
    Misbehaviour.HTML_200_AFTER,
    Misbehaviour.EMPTY_200_AFTER,
    Misbehaviour.CUT_JSON_200_AFTER,
    Misbehaviour.OTHER_SLUGS_AFTER,
    Misbehaviour.ONE_BYTE_AT_A_TIME_AFTER,
    Misbehaviour.ENDLESS_AFTER,
    Misbehaviour.GZIP_AFTER,
    Misbehaviour.HTML_500_AFTER,
    Misbehaviour.GATEWAY_502_AFTER,
    Misbehaviour.ACCEPTED_202_AFTER,
    Misbehaviour.UNAVAILABLE_503,
]
DEFINITE = [
    Misbehaviour.ERROR_500,
    Misbehaviour.RATE_429,
    Misbehaviour.TOO_LARGE_413,
    Misbehaviour.UNAUTHORIZED_401,
    Misbehaviour.MISSING_404,
    Misbehaviour.REDIRECT,
]


@pytest.fixture
def server(tmp_path):
    with LoopbackBackend(tmp_path) as server:
        yield server


@pytest.fixture
def target(server):
    target = HttpTarget(server.url, TOKEN, timeout_s=1.0, deadline_s=2.0)
    yield target
    target.close()


def send_all(target, items, **options):
    return [result for _, result in send_isolating(target, "s", items, wait=lambda _: None, **options)]


@pytest.mark.parametrize("how", IN_DOUBT)
def test_in_doubt_and_once_there_after_sending_again(server, target, tmp_path, how):
    server.misbehaviours.append(how)
    item = make_item(tmp_path, "a")
    started = time.monotonic()
    with pytest.raises(ProviderUnavailable) as caught:
        target.send("s", [item])
    assert time.monotonic() - started < 4
    assert caught.value.is_retryable
    assert TOKEN not in str(caught.value)
    results = send_all(target, [item])
    arrived_before = how.endswith("_after")
    assert results[0].status is (ItemStatus.UPDATED if arrived_before else ItemStatus.CREATED)
    assert server.backend.count_videos("refer") == 1


@pytest.mark.parametrize("how", DEFINITE)
def test_a_definite_answer(server, target, tmp_path, how):
    server.misbehaviours.append(how)
    with pytest.raises(ExportError) as caught:
        target.send("s", [make_item(tmp_path, "a")])
    error = caught.value
    assert error.is_retryable is (how is Misbehaviour.RATE_429)
    assert error.is_about_items is (how in (Misbehaviour.ERROR_500, Misbehaviour.TOO_LARGE_413))
    assert TOKEN not in error.message + error.hint
    assert error.message.startswith(target.name)
    assert server.backend.count_videos("refer") == 0


def test_every_misbehaviour_is_tested():
    assert set(IN_DOUBT) | set(DEFINITE) == set(Misbehaviour)


def test_the_message_of_the_backend_is_passed_on_without_the_token(server, target, tmp_path):
    server.misbehaviours.append(Misbehaviour.ERROR_500)
    with pytest.raises(ExportError, match=r"answered 500: something about Bearer \*\*\*"):
        target.send("s", [make_item(tmp_path, "a")])


@pytest.mark.parametrize(("header", "expected"), [("7", 7), ("-4", 0), (None, 0), ("99999999999", 300)])
def test_a_wait_that_is_asked_for(server, target, tmp_path, header, expected):
    server.misbehaviours.append(Misbehaviour.RATE_429)
    server.retry_after = header
    waits = []
    results = [result for _, result in send_isolating(target, "s", [make_item(tmp_path, "a")], wait=waits.append)]
    assert waits == [max(1, expected)]
    assert results[0].status is ItemStatus.CREATED


def test_the_token_goes_to_this_host_only(server, target, tmp_path):
    with LoopbackBackend(tmp_path / "other") as other:
        server.misbehaviours.append(Misbehaviour.REDIRECT)
        server.redirect_to = f"{other.url}/v3/admin/videos/batch-upload?api_key=hidden"
        with pytest.raises(ExportError) as caught:
            target.send("s", [make_item(tmp_path, "a")])
        assert other.seen == []
        assert f":{other.port}/" in caught.value.message
        assert "hidden" not in caught.value.message
    assert server.seen[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert int(server.seen[0].headers["content-length"]) == server.seen[0].n_body_bytes
    assert "transfer-encoding" not in server.seen[0].headers


def test_one_bad_item_and_one_that_kills_the_connection_hold_back_no_other(server, target, tmp_path):
    items = [make_item(tmp_path, f"clip-{i}", word=f"word{i}") for i in range(10)]
    server.refused, server.killed_by = {"clip-2"}, {"clip-7"}
    results = send_all(target, items, attempts=2)
    assert [i for i, result in enumerate(results) if result.status is ItemStatus.FAILED] == [2, 7]
    assert "bad item clip-2" in results[2].error
    assert "may have arrived" in results[7].error
    assert [server.backend.count_videos(f"word{i}") for i in range(10)] == [int(i not in (2, 7)) for i in range(10)]


def test_an_export_through_every_fault_is_there_exactly_once(server, target, tmp_path):
    items = [make_item(tmp_path, f"clip-{i}", size_bytes=4000, word=f"word{i}") for i in range(8)]
    server.misbehaviours.extend(
        [Misbehaviour.CUT_AFTER, Misbehaviour.SILENT_AFTER, Misbehaviour.RATE_429, Misbehaviour.HTML_200, Misbehaviour.TOO_LARGE_413]
    )
    results = send_all(target, items, limit_bytes=14_000, attempts=6)
    assert all(result.video_id for result in results)
    assert [server.backend.count_videos(f"word{i}") for i in range(8)] == [1] * 8
    assert len({result.video_id for result in results}) == 8


def test_the_earlier_version_of_the_backend(tmp_path):
    with LoopbackBackend(tmp_path, is_old=True) as server:
        target = HttpTarget(server.url)
        item = make_item(tmp_path, "a")
        assert target.send("s", [item])[0].status is ItemStatus.CREATED
        assert target.send("s", [item])[0].status is ItemStatus.EXISTED
        assert target.words_with_videos(["refer"], "en") is None
        target.close()


def test_nobody_there_is_definite(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    target = HttpTarget(f"http://127.0.0.1:{port}/backend")
    with pytest.raises(ExportError, match="cannot be reached") as caught:
        target.send("s", [make_item(tmp_path, "a")])
    assert caught.value.is_retryable
    assert not caught.value.is_about_items
    with pytest.raises(ProviderError):
        list(target.read_back(1))
    target.close()


def test_a_head_that_comes_one_byte_at_a_time_ends_at_the_deadline(tmp_path):
    def dribble(server):
        connection, _ = server.accept()
        with connection:
            try:
                for _ in range(200):
                    connection.sendall(b"H" if _ == 0 else b"T")
                    time.sleep(0.1)
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=dribble, args=(server,), daemon=True)
        thread.start()
        target = HttpTarget(f"http://127.0.0.1:{server.getsockname()[1]}", timeout_s=1, deadline_s=1.5)
        started = time.monotonic()
        with pytest.raises(ProviderUnavailable):
            target.send("s", [make_item(tmp_path, "a")])
        assert time.monotonic() - started < 3
        thread.join(5)
        target.close()


def test_a_file_that_changes_while_the_request_is_sent_breaks_it_off(server, target, tmp_path, monkeypatch):
    monkeypatch.setattr("core.adapters.target_http.check_files", lambda items: None)  # the file was still good when it was looked at
    original, item = make_item(tmp_path, "b", size_bytes=3_000_000), make_item(tmp_path, "a", size_bytes=3_000_000)
    (tmp_path / "short.mp4").write_bytes(b"x" * 10)
    with pytest.raises(ExportError, match="broken off"):
        target.send("s", [original, replace(item, path=str(tmp_path / "short.mp4"))])
    assert server.backend.count_videos("refer") == 0


@pytest.mark.parametrize(
    "url", ["ftp://a", "backend.example.org", "http://", "http://u:p@host/x", "https://host/x?key=1", "https://host/#a", "http://[::1", ""]
)
def test_an_address_that_cannot_be_one(url):
    with pytest.raises(InvalidInput, match="BACKEND_URL"):
        HttpTarget(url)


def test_a_token_that_no_header_can_carry():
    with pytest.raises(InvalidInput, match="BACKEND_TOKEN"):
        HttpTarget("https://host", "a\nb")


def test_a_trailing_slash_is_nothing(server, tmp_path):
    target = HttpTarget(server.url + "/")
    assert target.send("s", [make_item(tmp_path, "a")])[0].status is ItemStatus.CREATED
    assert target.name == f"127.0.0.1:{server.port}"
    target.close()
