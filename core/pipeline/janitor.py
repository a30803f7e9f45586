"""Who is alive: workers beat, the dead are declared so, and what they had in hand goes to others.

A worker's row with `stopped_at` is its end, however it came: from then on none of its writes is taken (`fence`), so that a
process that was only paused changes nothing when it comes back. Declaring is one conditional update: only one can win.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, event, insert, select, update

from core.errors import Conflict, StoreError
from core.store.database import Database
from core.store.dialects import server_now
from core.store.tables import ledger, workers
from core.timing import now

log = logging.getLogger("wordreel.janitor")

LEASE_S = 30.0
BEAT_S = 5.0
ROUND_S = 2.0
QUIET_S = 1.5 * BEAT_S
"""A beat must have been seen missing for so long, on our own clock, before a lease that ran out counts: clocks jump."""


class WorkerLost(StoreError):
    """This worker was given up and its work is with others; it must stop at once and write nothing."""

    code = "worker_lost"


@dataclass(frozen=True, slots=True)
class Identity:
    """Which process a worker is. `pid_started` tells a reused pid from the same one; it is empty where nothing tells."""

    worker_id: str
    host: str
    pid: int
    pid_started: str


def this_process(name: str = "") -> Identity:
    """An identity for this process; `worker_id` is fresh at each call."""
    host, pid = socket.gethostname(), os.getpid()
    return Identity(f"{(name or host)[:60]}-{pid}-{secrets.token_hex(4)}", host[:200], pid, process_started(pid))


def process_started(pid: int) -> str:
    """When the process was started, in a form that only this host understands; empty if there is none or nothing tells.

    Source: proc(5), field 22 of /proc/<pid>/stat, with the boot and the pid namespace; elsewhere `ps -o lstart=`.
    """
    if Path("/proc/self/stat").exists():
        try:
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        except OSError:
            return ""
        return "" if fields[0] in "ZX" else f"{_scope()}-{fields[19]}"
    try:
        found = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return found.stdout.strip()[:40]


def _scope() -> str:
    """Tells boots and pid namespaces apart."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")[:8]
        space = Path("/proc/self/ns/pid").readlink().name.strip("pid:[]")
    except OSError:
        return ""
    return f"{boot}-{space}"


def is_gone(host: str, pid: int, pid_started: str) -> bool:
    """Whether the process is known to have ended. A process that cannot be seen from here is not known to."""
    if host != socket.gethostname() or not pid_started:
        return False
    if Path("/proc/self/stat").exists() and pid_started.rpartition("-")[0] != _scope():
        return False
    return process_started(pid) != pid_started


def register(database: Database, who: Identity, queues: Sequence[str]) -> None:
    """Write the worker's row.

    Raises: Conflict, if a worker with this id has been started before.
    """
    with database.write() as connection:
        if connection.execute(select(workers.c.worker_id).where(workers.c.worker_id == who.worker_id)).first() is not None:
            raise Conflict(f"A worker with the id {who.worker_id} has been started already.", hint="Give each worker its own id, or none.")
        moment = server_now(connection)
        row = {"worker_id": who.worker_id, "host": who.host, "pid": who.pid, "pid_started": who.pid_started, "queues": list(queues)}
        connection.execute(
            insert(workers).values(**row, started_at=moment, beat_at=moment, lease_until=moment + timedelta(seconds=LEASE_S))
        )


def fence(database: Database, worker_id: str) -> None:
    """From now on every unit of work of this `database` that writes raises WorkerLost once the worker was given up."""

    @event.listens_for(database.engine, "begin")
    def refuse_if_lost(connection: Connection) -> None:
        if connection.get_execution_options().get("writes", False) and not is_live(connection, worker_id):
            raise WorkerLost(
                f"The worker {worker_id} was given up, and its work is with others.", hint="It ends by itself; nothing is lost."
            )


def is_live(connection: Connection, worker_id: str) -> bool:
    """Whether a worker was neither stopped nor given up."""
    return connection.execute(select(workers.c.stopped_at).where(workers.c.worker_id == worker_id)).first() == (None,)


def live_workers(database: Database) -> list[str]:
    """Workers that are at work as far as can be seen from here: with a lease, and with a process where that can be seen."""
    with database.read() as connection:
        moment = server_now(connection)
        rows = connection.execute(select(workers).where(workers.c.stopped_at.is_(None), workers.c.lease_until > moment)).all()
    return [row.worker_id for row in rows if not is_gone(row.host, row.pid, row.pid_started)]


@dataclass(frozen=True, slots=True)
class WorkerHealth:
    """What a page and `doctor` show of a worker that has not stopped. `janitor_at` is its last successful look around."""

    worker_id: str
    host: str
    pid: int
    queues: tuple[str, ...]
    started_at: datetime
    beat_at: datetime
    janitor_at: datetime | None
    is_live: bool


def worker_health(database: Database) -> list[WorkerHealth]:
    """Every worker that has neither stopped nor been given up, newest first."""
    live = set(live_workers(database))
    with database.read() as connection:
        rows = connection.execute(select(workers).where(workers.c.stopped_at.is_(None)).order_by(workers.c.started_at.desc())).all()
    return [
        WorkerHealth(
            row.worker_id, row.host, row.pid, tuple(row.queues), row.started_at, row.beat_at, row.janitor_at, row.worker_id in live
        )
        for row in rows
    ]


def undeclared_workers(database: Database) -> frozenset[str]:
    """Workers that nobody has declared dead, and that have not stopped."""
    with database.read() as connection:
        return frozenset(connection.execute(select(workers.c.worker_id).where(workers.c.stopped_at.is_(None))).scalars())


def give_up(connection: Connection, worker_id: str) -> bool:
    """Declare a worker dead; its calls in flight are in doubt from then on. False: it was already."""
    changed = connection.execute(
        update(workers).where(workers.c.worker_id == worker_id, workers.c.stopped_at.is_(None)).values(stopped_at=server_now(connection))
    )
    if changed.rowcount == 0:
        return False
    connection.execute(
        update(ledger)
        .where(ledger.c.worker_id == worker_id, ledger.c.state == "intended")
        .values(state="in_doubt", finished_at=now(), error="The worker ended before the answer was kept.")
    )
    return True


def beat(database: Database, worker_id: str) -> bool:
    """Renew the lease; False if the worker was given up."""
    try:
        with database.write() as connection:
            moment = server_now(connection)
            changed = connection.execute(
                update(workers)
                .where(workers.c.worker_id == worker_id, workers.c.stopped_at.is_(None))
                .values(beat_at=moment, lease_until=moment + timedelta(seconds=LEASE_S))
            )
            return changed.rowcount == 1
    except WorkerLost:
        return False


class Heartbeat:
    """Two threads that survive every exception: one renews the lease, one looks after the others.

    `rounds` are called each time after the dead were declared; `on_lost` when this worker itself was given up.
    """

    def __init__(
        self, database: Database, worker_id: str, *, on_lost: Callable[[str], None], rounds: Sequence[Callable[[], object]] = ()
    ) -> None:
        self._database = database
        self._worker_id = worker_id
        self._on_lost = on_lost
        self._rounds = rounds
        self._stop = threading.Event()
        self._seen: dict[str, tuple[datetime, float]] = {}
        self._looked_at = time.monotonic()
        self._noted_at = -BEAT_S
        self._threads = [
            threading.Thread(target=self._loop, args=(self._beat, BEAT_S), name="heartbeat", daemon=True),
            threading.Thread(target=self._loop, args=(self.look_around, ROUND_S), name="janitor", daemon=True),
        ]

    def start(self) -> None:
        """Start both threads; the first round is made at once."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End both threads and the worker's row."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=0.5)
        try:
            with self._database.write() as connection:
                give_up(connection, self._worker_id)
        except StoreError as error:  # given up already, or the database is gone: the lease runs out by itself
            log.warning("worker %s ends without a word: %s", self._worker_id, error.message)

    def _loop(self, action: Callable[[], None], pause_s: float) -> None:
        while not self._stop.is_set():
            try:
                action()
            except WorkerLost as error:
                self._on_lost(error.message)
                return
            except Exception:
                log.exception("worker %s: %s failed and goes on", self._worker_id, action.__name__)
            self._stop.wait(pause_s)

    def _beat(self) -> None:
        if not beat(self._database, self._worker_id):
            raise WorkerLost(
                f"The worker {self._worker_id} was given up, and its work is with others.", hint="It ends by itself; nothing is lost."
            )

    def look_around(self) -> None:
        """One round: declare the dead, hand their work on, and note that it was done."""
        with self._database.read() as connection:
            moment = server_now(connection)
            rows = connection.execute(select(workers).where(workers.c.stopped_at.is_(None))).all()
        if time.monotonic() - self._looked_at > 3 * ROUND_S:
            self._seen.clear()  # we were paused ourselves; so may the others have been
        self._looked_at = time.monotonic()
        for row in rows:
            if row.worker_id == self._worker_id:
                continue
            if is_gone(row.host, row.pid, row.pid_started) or self._is_silent(row.worker_id, row.beat_at, row.lease_until, moment):
                with self._database.write() as connection:
                    if give_up(connection, row.worker_id):
                        log.warning("worker %s is dead; its work is taken over", row.worker_id)
        if self._make_rounds() and time.monotonic() - self._noted_at >= BEAT_S:
            with self._database.write() as connection:
                connection.execute(update(workers).where(workers.c.worker_id == self._worker_id).values(janitor_at=server_now(connection)))
            self._noted_at = time.monotonic()

    def _make_rounds(self) -> bool:
        """Whether all went well. Each has its turn, so that what waits for a full disk does not wait for what fails on it."""
        went_well = True
        for call in self._rounds:
            try:
                call()
            except WorkerLost:
                raise
            except Exception:
                log.exception("worker %s: %s failed and goes on", self._worker_id, getattr(call, "__qualname__", call))
                went_well = False
        return went_well

    def _is_silent(self, worker_id: str, beat_at: datetime, lease_until: datetime, moment: datetime) -> bool:
        """No new beat, seen so for long enough on our own clock, and a lease that ran out (or a clock that was set back)."""
        seen = self._seen.get(worker_id)
        if seen is None or seen[0] != beat_at:
            self._seen[worker_id] = (beat_at, time.monotonic())
            return False
        quiet_s = time.monotonic() - seen[1]
        return (lease_until < moment and quiet_s > QUIET_S) or quiet_s > LEASE_S + QUIET_S
