"""`serve` as a person starts it: one a workspace, an address in use, an orderly end, and no worker left behind."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.integration.export_world import World, distinct_mp4
from tests.loopback.api import free_port

ROOT = Path(__file__).resolve().parents[2]
START_S = 60.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@contextmanager
def serving(home: Path, port: int, *more: str) -> Iterator[subprocess.Popen[str]]:
    """A server on the workspace; killed at the end if the test has not ended it."""
    environ = {**os.environ, "WORDREEL_HOME": str(home), "PYTHONPATH": str(ROOT), "PORT": str(port)}
    command = [sys.executable, "-P", "-m", "ui.cli", "serve", "--no-browser", "--no-demo", *more]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(command, env=environ, cwd=home.parent, text=True, start_new_session=True, **pipes)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(12)
            process.kill()
        process.communicate(timeout=20)


def wait_for(port: int, process: subprocess.Popen[str], *, is_worker_needed: bool = True) -> dict:
    """Health, once it is 200 and the worker beats."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        try:
            answer = httpx.get(f"http://127.0.0.1:{port}/api/health", trust_env=False, timeout=5)
        except httpx.TransportError:
            answer = None
        if answer is not None and answer.status_code == 200 and (answer.json()["workers"] or not is_worker_needed):
            return answer.json()
        time.sleep(0.1)
    raise AssertionError("The server did not come up.")


def is_alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] not in "ZX"


def ends_within(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not is_alive(pid)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_server_and_worker_in_time_with_exit_0(tmp_path, number):
    port = free_port()
    with serving(tmp_path / "home", port) as process:
        worker = wait_for(port, process)["workers"][0]["pid"]
        page = httpx.get(f"http://127.0.0.1:{port}/", trust_env=False)
        assert (page.status_code, "stApp" in page.text or "root" in page.text) == (200, True)
        began = time.monotonic()
        process.send_signal(number)
        out, err = process.communicate(timeout=12)
        assert process.returncode == 0, err
        assert time.monotonic() - began < 10
        assert ends_within(worker, 0.5)
        assert f"http://127.0.0.1:{port}" in out
        assert "Traceback" not in err


def half_read(port: int, media_id: str, range_header: str) -> socket.socket:
    """A browser's connection that asked for a film, took a little of it, and takes no more."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    held.settimeout(10)
    held.connect(("127.0.0.1", port))
    lines = (f"GET /api/media/{media_id} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Connection: keep-alive", f"Range: {range_header}", "", "")
    held.sendall("\r\n".join(lines).encode())
    head = b""
    while b"\r\n\r\n" not in head:
        head += held.recv(1000)
    assert head.startswith(b"HTTP/1.1 206 "), head
    held.recv(2000)
    return held


def test_films_that_browsers_hold_half_read_do_not_hold_the_end(tmp_path):
    world = World(tmp_path / "home")
    data = distinct_mp4("long", 48_000_000)
    world.clip("long", "They refer to it.", data=data)
    world.close()
    port = free_port()
    with serving(tmp_path / "home", port) as process:
        worker = wait_for(port, process)["workers"][0]["pid"]
        media_id = hashlib.sha256(data).hexdigest()
        held = [half_read(port, media_id, wanted) for wanted in ("bytes=0-", "bytes=0-", "bytes=24000000-")]
        time.sleep(1.0)
        began = time.monotonic()
        process.terminate()
        assert process.wait(12) == 0
        assert time.monotonic() - began < 10
        assert ends_within(worker, 0.5)
        taken = 0
        for connection in held:
            connection.settimeout(0.5)
            with contextlib.suppress(OSError):
                while block := connection.recv(1_000_000):
                    taken += len(block)
            connection.close()
        assert taken < 3 * len(data) // 2  # they were held half-read indeed


def test_a_second_server_on_the_workspace_refuses_and_names_the_first(tmp_path):
    port = free_port()
    with serving(tmp_path / "home", port) as process:
        wait_for(port, process, is_worker_needed=False)
        with serving(tmp_path / "home", free_port()) as second:
            _, err = second.communicate(timeout=30)
        assert second.returncode == 2
        assert f"http://127.0.0.1:{port}" in err
        assert "Traceback" not in err
        assert httpx.get(f"http://127.0.0.1:{port}/api/health", trust_env=False).status_code == 200


def test_a_port_in_use_is_one_line_and_leaves_the_workspace_free(tmp_path):
    port = free_port()
    with serving(tmp_path / "one", port) as process:
        wait_for(port, process, is_worker_needed=False)
        with serving(tmp_path / "two", port) as second:
            _, err = second.communicate(timeout=30)
        assert second.returncode == 2
        assert f"Port {port} is in use." in err
        assert len(err.strip().splitlines()) <= 2


def test_another_address_than_loopback_is_refused_until_there_are_accounts(tmp_path):
    with serving(tmp_path / "home", free_port(), "--host", "0.0.0.0", "--json") as process:
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (2, "")
    assert json.loads(err)["code"] == "refused"


def test_a_killed_server_takes_its_worker_with_it_and_leaves_the_workspace_free(tmp_path):
    port = free_port()
    with serving(tmp_path / "home", port) as process:
        worker = wait_for(port, process)["workers"][0]["pid"]
        process.kill()
        process.wait(5)
        assert ends_within(worker, 8)
    with serving(tmp_path / "home", port) as again:
        wait_for(port, again, is_worker_needed=False)


def test_a_killed_worker_is_started_again(tmp_path):
    port = free_port()
    with serving(tmp_path / "home", port) as process:
        worker = wait_for(port, process)["workers"][0]["pid"]
        os.kill(worker, signal.SIGKILL)
        deadline = time.monotonic() + 40
        while time.monotonic() < deadline:
            found = wait_for(port, process, is_worker_needed=False)
            live = [row["pid"] for row in found["workers"] if row["is_live"]]
            if live and live != [worker]:
                break
            time.sleep(0.2)
        assert found["worker_process"]["restarts"] == 1
        assert live != [worker]


def test_the_web_socket_refuses_a_foreign_origin(tmp_path):
    from websockets.exceptions import InvalidStatus
    from websockets.sync.client import connect

    port = free_port()
    with serving(tmp_path / "home", port) as process:
        wait_for(port, process, is_worker_needed=False)
        address = f"ws://127.0.0.1:{port}/_stcore/stream"
        with connect(address, origin=f"http://127.0.0.1:{port}", proxy=None):
            pass
        for wrong in ({"origin": "http://evil.example"}, {"additional_headers": {"Host": "evil.example"}}):
            with pytest.raises(InvalidStatus):
                connect(address, proxy=None, **wrong).close()


def test_what_queries_need_is_whole_before_the_first_one(tmp_path):
    """The engine's library imports SQLAlchemy's ORM in a thread; a request meanwhile met a half-made module and was answered 500."""
    code = (
        "import sys; from core.config import load_config; from core.wiring import build_app; from ui.asgi import Server; "
        "server = Server(build_app(load_config()), with_demo=False, with_worker=False); "
        "print('sqlalchemy.orm' in sys.modules); server.close()"
    )
    environ = {**os.environ, "WORDREEL_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=90, check=False)
    assert done.stdout.split() == ["True"], done
