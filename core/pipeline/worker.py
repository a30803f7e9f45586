"""The worker process: launches the engine, beats, ends cleanly; and how a command gets one when none is there."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn

from core.errors import StoreError
from core.pipeline.disk_watch import DiskWatch
from core.pipeline.engine import EngineWorker, engine_address
from core.pipeline.janitor import Heartbeat, fence, live_workers, process_started, register, this_process
from core.pipeline.run_control import RunControl
from core.pipeline.work import QUEUES, Work
from core.store.database import Database

log = logging.getLogger("wordreel.worker")

GRACE_S = 3.0
"""What the steps in hand get to end in when the worker is stopped; those that need longer are done again by another."""

MAX_LOG_BYTES = 5_000_000

ATTEND_S = 1.0
"""How often a command that waits looks whether a worker is there."""

LOST_EXIT = 75
"""The worker was given up while it was paused, or its database went away. Source: sysexits(3), EX_TEMPFAIL."""


@dataclass(frozen=True, slots=True)
class Workload:
    """What a worker process needs. `make_work(database, worker_id)` wires the stages and jobs to this process's database."""

    home_path: Path
    database_url: str
    make_work: Callable[[Database, str], Work]
    write_paths: tuple[Path, ...] = ()
    """Folders beside the workspace in which runs write: their room is watched too."""


def run_worker(load: Workload, *, queues: Sequence[str] = QUEUES, parent_pid: int | None = None, name: str = "") -> NoReturn:
    """Work until SIGTERM, SIGINT or the end of the parent; then end this process with exit 0 within 5 s.

    To be called in the main thread of a process of its own: it ends the process itself, because steps that are still being
    executed would hold it. `name` makes the worker's id readable.
    Raises (before it works): what opening the database raises; Conflict for an id that is taken.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    parent_started = process_started(parent_pid) if parent_pid is not None else ""
    database = Database(load.home_path, load.database_url)
    who = this_process(name)
    register(database, who, queues)
    fence(database, who.worker_id)
    engine = EngineWorker(
        database,
        engine_address(load.home_path, load.database_url),
        load.make_work(database, who.worker_id),
        worker_id=who.worker_id,
        queues=queues,
        on_lost=_end_lost,
    )
    control = RunControl(database, engine.client)
    disk = DiskWatch(database, control, (load.home_path, *load.write_paths))
    rounds = (engine.check_database, engine.take_over, control.reconcile, disk.look, engine.tidy)
    heartbeat = Heartbeat(database, who.worker_id, on_lost=_end_lost, rounds=rounds)
    engine.launch()
    heartbeat.start()
    log.info("worker %s works on %s", who.worker_id, ", ".join(queues))
    while not stop.wait(0.25):
        if parent_pid is not None and _has_ended(parent_pid, parent_started):
            log.info("the process that started this worker has ended")
            break
    last_resort = threading.Timer(GRACE_S + 1.5, _end, (0,))
    last_resort.daemon = True
    last_resort.start()
    engine.close(grace_s=GRACE_S)
    heartbeat.stop()
    _end(0)


def _end_lost(message: str) -> None:
    log.error("%s", message)
    _end(LOST_EXIT)


def _end(code: int) -> NoReturn:
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _has_ended(parent_pid: int, started: str) -> bool:
    """Whether the process that this worker belongs to is gone; it need not be the direct parent.

    Not by PR_SET_PDEATHSIG, which fires when the thread that started us ends, not the process. Source: prctl(2).
    """
    has_ended = not started or process_started(parent_pid) != started  # it may have ended before we looked first
    return os.getppid() != parent_pid and has_ended


def has_live_worker(database: Database) -> bool:
    """Whether any worker is there to take work."""
    return bool(live_workers(database))


def _log_file(home_path: Path) -> IO[bytes]:
    """The worker's log, begun anew when it has grown past `MAX_LOG_BYTES`."""
    path = home_path / "logs" / "worker.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > MAX_LOG_BYTES:
        path.replace(path.with_suffix(".log.1"))
    return path.open("ab")


@contextmanager
def ensure_worker(database: Database, command: Sequence[str]) -> Iterator[subprocess.Popen[bytes] | None]:
    """For a command that waits: while it runs, some worker is there. Yields the one that was started at once, if it had to be.

    `command` starts a worker that is given `--parent-pid` with this process's id. It has its own process group, so that Ctrl-C
    reaches only the command, and ends with the block; should the command be killed, it notices by itself. Should every worker
    end while the command waits, another is started. What it logs goes to `logs/worker.log` of the workspace.
    """
    attendant = _Attendant(database, command)
    try:
        yield attendant.start()
    finally:
        attendant.stop()


class _Attendant:
    """Looks again and again whether a worker is there, and starts one where none is."""

    def __init__(self, database: Database, command: Sequence[str]) -> None:
        self._database = database
        self._command = [*command, "--parent-pid", str(os.getpid())]
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="worker attendant", daemon=True)

    def start(self) -> subprocess.Popen[bytes] | None:
        if not has_live_worker(self._database):
            self._spawn()
        self._thread.start()
        return self._process

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout=GRACE_S + 3)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _spawn(self) -> None:
        with _log_file(self._database.home_path) as log_file:
            self._process = subprocess.Popen(
                self._command, start_new_session=True, stdin=subprocess.DEVNULL, stdout=log_file, stderr=log_file
            )

    def _watch(self) -> None:
        """Each further start waits twice as long, so that a worker that cannot run does not fill the machine."""
        pause_s = ATTEND_S
        while not self._stopping.wait(pause_s):
            if self._process is not None and self._process.poll() is None:
                continue
            try:
                is_there = has_live_worker(self._database)
            except StoreError as error:
                log.warning("cannot see whether a worker is there: %s", error.message)
                continue
            if not is_there:
                log.warning("no worker is there any more; another is started")
                self._spawn()
                pause_s = min(60.0, pause_s * 2)
