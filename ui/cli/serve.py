"""`serve` and `worker`: the two commands that stay until they are told to stop."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from dataclasses import replace
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from ui.cli.options import Json
from ui.cli.output import OUT

if TYPE_CHECKING:
    import uvicorn

    from core.config import Config
    from ui.asgi import Server

GRACE_S = 3
"""What open requests get to end in. Source: HOUSE.md; a browser that holds a half-read film would keep the server."""
LAST_RESORT_S = 9.0
"""After a signal this process ends, whatever still holds it."""


def add_to(app: typer.Typer) -> None:
    """Hang the commands into the tree."""
    app.command(name="serve")(serve)
    app.command(name="worker")(worker)


def serve(
    host: Annotated[str, typer.Option(help="The address to listen at; HOST, else 127.0.0.1.")] = "",
    port: Annotated[int | None, typer.Option(help="The port; PORT, else 8501.", min=1, max=65535)] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open the browser.")] = False,
    no_demo: Annotated[bool, typer.Option("--no-demo", help="Make no demo clips on the first start.")] = False,
    json: Json = False,
) -> None:
    """The app and a worker, at one address, until Ctrl-C."""
    stop = _Stop()
    from core.config import load_config

    config = load_config()
    config = replace(config, host=host or config.host, port=port or config.port)
    _require_loopback(config)
    from ui.cli.address import require_free
    from ui.cli.logs import set_up_logs
    from ui.server_lock import ServerLock

    set_up_logs()
    url = f"http://{'[::1]' if config.host == '::1' else config.host}:{config.port}"
    lock = ServerLock(config.home_path, url)
    try:
        require_free(config.host, config.port)
        _serve(config, url, stop, is_browser_opened=not no_browser, with_demo=not no_demo)
    finally:
        lock.release()


def _require_loopback(config: Config) -> None:
    from core.errors import Refused

    if not config.is_loopback:
        raise Refused(
            f"Wordreel does not listen at {config.host}: beyond this machine it needs accounts, which this version does not have.",
            hint="Unset HOST, or set it to 127.0.0.1.",
        )


def _serve(config: Config, url: str, stop: _Stop, *, is_browser_opened: bool, with_demo: bool) -> None:
    import uvicorn

    from core.wiring import build_app
    from ui.asgi import Server
    from ui.cli.logs import set_up_logs

    server = Server(build_app(config), with_demo=with_demo)
    set_up_logs()  # again: Streamlit sets up its own when it is imported
    try:
        settings = uvicorn.Config(
            server.asgi,
            host=config.host,
            port=config.port,  # by address, not by socket: asyncio then sets TCP_NODELAY
            timeout_graceful_shutdown=GRACE_S,
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            lifespan="on",
            ws_max_size=64 * 1024 * 1024,
        )
        listener = uvicorn.Server(settings)
        stop.then(listener, server)
        threading.Thread(target=_announce, args=(url, is_browser_opened), name="announcer", daemon=True).start()
        listener.run()
    finally:
        server.close()
        sys.stdout.flush()


def _announce(url: str, is_browser_opened: bool) -> None:
    """Print the address, and open it, once the server answers."""
    from urllib.error import HTTPError, URLError
    from urllib.request import ProxyHandler, build_opener

    opener = build_opener(ProxyHandler({}))
    for _ in range(600):
        try:
            opener.open(f"{url}/api/health", timeout=5).close()
            break
        except HTTPError:
            break  # it answers, though the lists are not in yet
        except (URLError, OSError):
            time.sleep(0.1)
    else:
        return
    OUT.answer({"url": url, "pid": os.getpid()}, f"Wordreel is at {url}  (Ctrl-C stops it)")
    if is_browser_opened:
        import webbrowser

        webbrowser.open(url)


class _Stop:
    """Turns Ctrl-C and SIGTERM into an orderly end with exit 0, from the first import on.

    uvicorn takes the signals while it serves, and raises them again when it has ended: by then they have done their work.
    """

    def __init__(self) -> None:
        self._listener: uvicorn.Server | None = None
        self._server: Server | None = None
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def then(self, listener: uvicorn.Server, server: Server) -> None:
        """From now on a signal ends this listener, and tells the worker at once."""
        self._listener, self._server = listener, server
        handle = listener.handle_exit

        def handle_both(number: int, frame: FrameType | None) -> None:
            self._end_in_time(server)
            handle(number, frame)

        listener.handle_exit = handle_both  # type: ignore[method-assign, assignment]

    def _end_in_time(self, server: Server) -> None:
        if server.keeper is not None:
            threading.Thread(target=server.keeper.ask_to_stop, daemon=True).start()  # a signal may come while its lock is held
        last_resort = threading.Timer(LAST_RESORT_S, os._exit, (0,))
        last_resort.daemon = True
        last_resort.start()

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        if self._listener is None:
            raise SystemExit(0)
        self._listener.should_exit = True


def worker(
    queues: Annotated[str, typer.Option(help="Only these queues, separated by commas.")] = "",
    parent_pid: Annotated[int | None, typer.Option("--parent-pid", help="End when this process has ended.", min=1)] = None,
    name: Annotated[str, typer.Option(help="The beginning of the worker's id.")] = "",
    json: Json = False,
) -> None:
    """A worker alone: executes runs, ingest, export, on this machine or another."""
    from core.config import load_config
    from core.errors import InvalidInput
    from core.pipeline.work import QUEUES
    from core.pipeline.worker import Workload, run_worker
    from core.wiring import build_work
    from ui.cli.logs import set_up_logs

    wanted = tuple(part.strip() for part in queues.split(",") if part.strip()) or QUEUES
    unknown = [queue for queue in wanted if queue not in QUEUES]
    if unknown:
        raise InvalidInput(f"There is no queue {unknown[0]!r}.", hint=f"There are: {', '.join(QUEUES)}.")
    set_up_logs()
    config = load_config()
    OUT.answer({"pid": os.getpid(), "queues": list(wanted)})
    load = Workload(config.home_path, config.database_url, lambda database, worker_id: build_work(config, database, worker_id))
    run_worker(load, queues=wanted, parent_pid=parent_pid, name=name)
