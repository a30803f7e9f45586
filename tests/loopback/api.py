"""The API behind its guard, served by uvicorn on a free port; pages are one line of text."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp

from core.config import load_config
from core.wiring import App
from ui.api.app import build_api
from ui.api.guard import Guard, own_hosts
from ui.asgi import Front


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served_api(actor: str = "mina", pages: ASGIApp | None = None) -> Iterator[tuple[App, str]]:
    """The application of the test's workspace, and its address; `pages` answers what is not the API's."""
    port = free_port()
    app = App(replace(load_config(), port=port))
    asgi = Guard(Front(build_api(app, actor=lambda: actor), pages or PlainTextResponse("a page")), own_hosts("127.0.0.1", port))
    server = uvicorn.Server(uvicorn.Config(asgi, host="127.0.0.1", port=port, log_config=None, lifespan="off", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + 20
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.02)
        assert server.started
        yield app, f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)
        app.close()
