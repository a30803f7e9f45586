"""The one ASGI application: pages by Streamlit, the API by FastAPI, both behind one guard.

The API is asked before Streamlit and not mounted into it: Streamlit's own compression and sessions then never touch a range
of a film, and a fault of one side cannot answer for the other.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio.to_thread
from starlette.types import ASGIApp, Receive, Scope, Send

from core.config import ROOT_PATH
from core.errors import WordreelError
from core.wiring import App
from ui.api.app import build_api, is_for_api
from ui.api.guard import Guard, own_hosts
from ui.keeper import WorkerKeeper
from ui.parts.context import set_current_app

log = logging.getLogger("wordreel.server")

DEMO_ACTOR = "wordreel"
BACKUP_ROUND_S = 3600.0
"""How often a running server asks whether the daily backup is due."""


class Server:
    """What lives as long as the server: the application, its worker, and what is done once at the start."""

    def __init__(self, app: App, *, with_demo: bool, with_worker: bool = True) -> None:
        import sqlalchemy.orm  # noqa: F401 - the engine's library imports it in a thread; a query meanwhile would meet half of it

        self.app = app
        self.keeper = WorkerKeeper(app.worker_command()) if with_worker else None
        self._with_demo = with_demo
        self._faults: dict[str, str] = {}
        self._closing = threading.Event()
        self._is_starting = with_demo
        self.asgi = Guard(Front(build_api(app, extra=self._extra), self._streamlit()), own_hosts(app.config.host, app.config.port))

    def _extra(self) -> dict[str, Any]:
        worker = self.keeper.state() if self.keeper else None
        return {"is_starting": self._is_starting, "worker_process": worker, "faults": dict(self._faults)}

    def _streamlit(self) -> ASGIApp:
        import streamlit

        _set_streamlit_options(self.app.config.host, self.app.config.port)
        return streamlit.App(ROOT_PATH / "ui" / "app.py", lifespan=self._lifespan)

    @asynccontextmanager
    async def _lifespan(self, _: object) -> AsyncIterator[dict[str, Any]]:
        set_current_app(self.app)
        if self.keeper is not None:
            self.keeper.start()
        threading.Thread(target=self._begin, name="first steps", daemon=True).start()
        try:
            yield {}
        finally:
            await anyio.to_thread.run_sync(self.close)

    def _begin(self) -> None:
        """What need not be waited for: the engine's connection, the demo, what a crash left."""
        steps: list[tuple[str, Callable[[], object]]] = [("connecting to the engine", self.app.engine.executing)]
        if self._with_demo:
            steps.append(("making the demo", self._start_demo))
        steps.append(("sweeping the workspace", lambda: self.app.storage.sweep()))  # noqa: PLW0108 - it is made there
        steps.append(("backing up", self._back_up))
        for name, step in steps:
            self._try(name, step)
        while not self._closing.wait(BACKUP_ROUND_S):
            self._try("backing up", self._back_up)

    def _try(self, name: str, step: Callable[[], object]) -> None:
        """One step of those; a fault is shown in health and the others go on."""
        self._faults.pop(name, None)
        try:
            step()
        except WordreelError as error:
            self._faults[name] = error.message
            log.error("%s: %s %s", name, error.message, error.hint)
        except Exception as error:
            self._faults[name] = type(error).__name__
            log.exception("%s failed", name)
        finally:
            self._is_starting = self._is_starting and step != self._start_demo

    def _back_up(self) -> None:
        self.app.backups.ensure_daily()

    def _start_demo(self) -> None:
        self.app.demo.start(actor=DEMO_ACTOR)

    def close(self) -> None:
        """Stop the worker and let go of everything. May be repeated."""
        self._closing.set()
        if self.keeper is not None:
            self.keeper.stop()
        set_current_app(None)
        self.app.close()


class Front:
    """The API's requests to the API, everything else to Streamlit."""

    def __init__(self, api: ASGIApp, pages: ASGIApp) -> None:
        self._api = api
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            accept = next((value for name, value in scope["headers"] if name == b"accept"), b"").decode("latin-1")
            if is_for_api(scope["method"], scope["path"], accept):
                await self._api(scope, receive, send)
                return
        await self._pages(scope, receive, send)


def _set_streamlit_options(host: str, port: int) -> None:
    """Our own `.streamlit/config.toml`, wherever the person typed the command, and nothing of another project's."""
    import tomllib

    from streamlit import config

    options = tomllib.loads((ROOT_PATH / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    given = {**_flat(options), "server.address": host, "server.port": port, "browser.serverAddress": host, "browser.serverPort": port}
    config.get_config_options(force_reparse=True, options_from_flags=given)


def _flat(options: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in options.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value
    return found
