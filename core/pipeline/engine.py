"""The durable engine: the only file that knows DBOS.

Our tables are the truth; the engine's database only says which process does what now, and can be deleted: `reconcile`
rebuilds it. Workflows carry ids and attempts, nothing else. DBOS is pinned exactly, because the seams marked *private* are used.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.pipeline import steps
from core.pipeline.janitor import WorkerLost, undeclared_workers
from core.pipeline.steps import OpenWord
from core.pipeline.work import QUEUES, Work
from core.store.database import Database
from core.store.dialects import can_use_wal

if TYPE_CHECKING:
    from dbos import DBOSClient

log = logging.getLogger("wordreel.engine")

APP_NAME = "wordreel"
APP_VERSION = "wordreel"
"""Fixed: the default, a hash of the code, strands unfinished work after every edit or upgrade."""
SCHEMA = "wordreel_engine"

WINDOW = 200
"""At most so many words of a run are handed to the queue at once."""
POLL_S = {"ai": 0.1, "processing": 0.1, "system": 0.2, "ingest": 0.5, "storage": 0.5}
"""How often a queue is asked for work. Queue throughput is at most concurrency ÷ this."""
DRIVE_S = 0.2
"""How often a run looks at its words."""
MAX_STARTS = 20
"""A word whose worker ended so often while working on it is given up; it is then tried once more alone, since one beside it may be to
blame."""

WORKER_CONCURRENCY = {"ingest": 1, "ai": 40, "storage": 2, "processing": max(2, os.cpu_count() or 2), "system": 32}
"""`ai`: a window of words that wait to be chosen among (24 at most) beside those that are searched, judged and fetched."""

GIVEN_UP = "MAX_RECOVERY_ATTEMPTS_EXCEEDED"
ENDED = ("SUCCESS", "ERROR", "CANCELLED", GIVEN_UP)

WORKER_KILLER = "The worker process ended again and again while it worked on this; its log and the system's may say why."


def engine_address(home_path: Path, database_url: str = "") -> str:
    """Where the engine keeps its own state: `engine.db` beside `app.db`, or a schema of the same PostgreSQL server."""
    if not database_url:
        from sqlalchemy.engine import URL

        return URL.create("sqlite", database=str(home_path / "engine.db")).render_as_string()
    return database_url.replace("postgres://", "postgresql://", 1).replace("postgresql+psycopg://", "postgresql://", 1)


def run_workflow_id(run_id: str, attempt: int) -> str:
    """The run's own workflow."""
    return f"run:{run_id}:{attempt}"


def word_workflow_id(run_id: str, word_id: int, attempt: int) -> str:
    """`<run>:<word>` for the first attempt, `<run>:<word>:<attempt>` afterwards."""
    return f"{run_id}:{word_id}" if attempt == 1 else f"{run_id}:{word_id}:{attempt}"


def job_workflow_id(job_id: str, attempt: int) -> str:
    """The workflow of a job."""
    return f"job:{job_id}:{attempt}"


def _prepare(address: str) -> None:
    """Create or migrate the engine's database; with a write-ahead log where this SQLite can be trusted with one."""
    import sqlite3

    from dbos import DBOS
    from sqlalchemy import make_url

    logging.getLogger("dbos").setLevel(logging.ERROR)
    url = make_url(address)
    if url.get_backend_name() == "sqlite" and can_use_wal(sqlite3.sqlite_version_info):
        connection = sqlite3.connect(str(url.database), timeout=30)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.close()
    DBOS.migrate(address, schema=SCHEMA)


def _database_file(address: str) -> tuple[Path, int] | None:
    """Path and inode of an embedded database; inode 0 where there is none."""
    from sqlalchemy import make_url

    url = make_url(address)
    if url.get_backend_name() != "sqlite":
        return None
    path = Path(str(url.database))
    return path, path.stat().st_ino if path.exists() else 0


class EngineClient:
    """Hands work to the engine from any process; executes nothing. Connects on first use. Safe to share between threads."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._client: DBOSClient | None = None
        self._file: tuple[Path, int] | None = None
        self._lock = threading.Lock()

    def _connected(self) -> DBOSClient:
        with self._lock:
            if self._client is not None and self._file is not None and _database_file(self.address) != self._file:
                self._client.destroy()  # the file was removed: what is written to the old one reaches nobody
                self._client = None
            if self._client is None:
                from dbos import DBOSClient, DBOSPortableJSONSerializer

                _prepare(self.address)
                self._file = _database_file(self.address)
                self._client = DBOSClient(
                    system_database_url=self.address,
                    dbos_system_schema=SCHEMA,
                    serializer=DBOSPortableJSONSerializer(),
                    application_name=APP_NAME,
                )
            return self._client

    def start_run(self, run_id: str, attempt: int) -> None:
        """Let a worker drive this attempt of the run. Again with the same attempt: nothing happens."""
        self._enqueue("run", "system", run_workflow_id(run_id, attempt), run_id, attempt)

    def start_job(self, job_id: str, attempt: int, queue: str) -> None:
        """Let a worker that listens to `queue` do this attempt of the job. Again with the same attempt: nothing happens."""
        if queue not in QUEUES:
            raise ValueError(f"{queue!r} is none of the queues {', '.join(QUEUES)}.")
        self._enqueue("job", queue, job_workflow_id(job_id, attempt), job_id, attempt)

    def start_words(self, run_id: str, words: Sequence[OpenWord]) -> None:
        """Queue words of a run, lowest rank first; those that are queued already are left as they are."""
        client = self._connected()
        for start in range(0, len(words), 50):
            with client._sys_db.engine.begin() as connection:  # private: one commit for 50 words
                for word in words[start : start + 50]:
                    options = _options("word", "ai", word_workflow_id(run_id, word.word_id, word.attempt))
                    options["priority"] = min(word.rank + 1, 2**31 - 1)
                    client.enqueue_in_transaction(connection, options, run_id, word.word_id, word.attempt)

    def _enqueue(self, name: str, queue: str, workflow_id: str, *arguments: str | int) -> None:
        self._connected().enqueue(_options(name, queue, workflow_id), *arguments)

    def cancel(self, workflow_ids: Sequence[str]) -> None:
        """Take workflows off the queue; a step that is being executed runs to its end and is the last."""
        if workflow_ids:
            self._connected().cancel_workflows(list(workflow_ids))

    def withdraw_words(self, run_id: str) -> int:
        """Take all words of a run that nobody works on yet off the queue. Returns: how many there were."""
        client = self._connected()
        waiting = client.list_workflows(workflow_id_prefix=f"{run_id}:", status="ENQUEUED", load_input=False, load_output=False)
        self.cancel([workflow.workflow_id for workflow in waiting])
        return len(waiting)

    def forget_ended(self, older_than_s: float) -> None:
        """Remove workflows that ended so long ago; our tables know how they ended."""
        from datetime import timedelta

        from core.timing import now

        before = (now() - timedelta(seconds=older_than_s)).isoformat()
        client = self._connected()
        old = client.list_workflows(status=list(ENDED), completed_before=before, limit=1000, load_input=False, load_output=False)
        if old:
            client.delete_workflows([workflow.workflow_id for workflow in old])

    def status(self, workflow_ids: Collection[str]) -> dict[str, str]:
        """By workflow id, the engine's word for its state; unknown ones are left out."""
        if not workflow_ids:
            return {}
        found = self._connected().list_workflows(workflow_ids=list(workflow_ids), load_input=False, load_output=False)
        return {workflow.workflow_id: str(workflow.status) for workflow in found}

    def executing(self) -> dict[str, str]:
        """By workflow id, the worker that has it in hand."""
        found = self._connected().list_workflows(status="PENDING", load_input=False, load_output=False)
        return {workflow.workflow_id: str(workflow.executor_id) for workflow in found}

    def requeue(self, workflow_id: str, worker_id: str) -> bool:
        """Give work of a worker that is gone to the others. False: somebody else did, or it has ended."""
        database = self._connected()._sys_db  # private: recovery by workflow, not by executor
        return database.reenqueue_for_recovery(workflow_id, [worker_id], "system")

    def set_up_queues(self, names: Sequence[str]) -> None:
        """Write how much a worker takes from each queue at once, and how often it asks."""
        for name in names:
            self._connected().register_queue(
                name,
                worker_concurrency=WORKER_CONCURRENCY[name],
                polling_interval_sec=POLL_S[name],
                on_conflict="always_update",
                application_name=APP_NAME,
            )

    def close(self) -> None:
        """Disconnect; a later call connects again."""
        with self._lock:
            if self._client is not None:
                self._client.destroy()
                self._client = None


def _options(name: str, queue: str, workflow_id: str) -> Any:
    return {
        "workflow_name": name,
        "queue_name": queue,
        "workflow_id": workflow_id,
        "app_version": APP_VERSION,
        "application_name": APP_NAME,
    }


class StepLeft(BaseException):
    """Ends a step without an outcome. DBOS records what derives from Exception; this leaves the work open for another."""


class EngineWorker:
    """Executes what is queued. One a process, because DBOS is one a process.

    `worker_id` must be fresh at each start: it is the executor's id, by which work of a dead process is told from ours.
    `on_lost` is called when a step finds that this worker was given up; it ends the process.
    """

    def __init__(
        self,
        database: Database,
        address: str,
        work: Work,
        *,
        worker_id: str,
        queues: Sequence[str] = QUEUES,
        on_lost: Callable[[str], None],
    ) -> None:
        unknown = set(queues) - set(QUEUES)
        if unknown:
            raise ValueError(f"Unknown queues: {', '.join(sorted(unknown))}.")
        self.client = EngineClient(address)
        self.worker_id = worker_id
        self._database = database
        self._work = work
        self._queues = tuple(queues)
        self._on_lost = on_lost
        self._stopping = threading.Event()
        self._dbos: Any = None
        self._suspects: set[str] = set()
        self._tidied_at = time.monotonic() - 3600
        self._file: tuple[Path, int] | None = None

    def launch(self) -> None:
        """Connect and begin to execute."""
        from dbos import DBOS, DBOSPortableJSONSerializer

        _prepare(self.client.address)
        self._dbos = DBOS(
            config={
                "name": APP_NAME,
                "system_database_url": self.client.address,
                "dbos_system_schema": SCHEMA,
                "application_version": APP_VERSION,
                "executor_id": self.worker_id,
                "serializer": DBOSPortableJSONSerializer(),
                "log_level": "ERROR",
                "console_log_level": "ERROR",
                "notification_listener_polling_interval_sec": 5.0,
                "use_listen_notify": False,
                "sys_db_pool_size": 32,
            }
        )
        self._file = _database_file(self.client.address)
        self._register_workflows()
        self.client.set_up_queues(self._queues)
        DBOS.listen_queues(list(self._queues))
        DBOS.launch()

    def close(self, *, grace_s: float = 3.0) -> bool:
        """Take no more work and wait for the steps in hand. Returns: whether all of them ended in time.

        The process is expected to end now: threads of steps that did not are still there.
        """
        self._stopping.set()
        for event in self._dbos.background_thread_stop_events:  # private: stops the queues and nothing else
            event.set()
        deadline = time.monotonic() + grace_s
        while (busy := self._active()) and time.monotonic() < deadline:
            time.sleep(0.02)
        return not busy

    def check_database(self) -> None:
        """Raises WorkerLost if the engine's database file was deleted or replaced: what we do is then known to nobody."""
        if self._file is not None and _database_file(self.client.address) != self._file:
            raise WorkerLost(
                f"The engine's database {self._file[0]} was removed or replaced.", hint="Start the worker again; it rebuilds it."
            )

    def tidy(self) -> None:
        """Once an hour, remove from the engine's database what ended a day ago."""
        if time.monotonic() - self._tidied_at >= 3600:
            self._tidied_at = time.monotonic()
            self.client.forget_ended(24 * 3600)

    def take_over(self) -> int:
        """Queue again what no worker has in hand: work of the dead, and work of ours that we are not doing.

        Returns: how many workflows were taken over.
        """
        executing = self.client.executing()
        known = undeclared_workers(self._database)  # read after `executing`: a worker that has just started is in it
        in_hand = self._active()
        suspects = {name for name, worker_id in executing.items() if worker_id == self.worker_id and name not in in_hand}
        lost = {name for name, worker_id in executing.items() if worker_id not in known} | (suspects & self._suspects)
        self._suspects = suspects - lost
        return sum(self.client.requeue(name, executing[name]) for name in lost)

    def _active(self) -> set[str]:
        return set(self._dbos._active_workflows_set.activeList())  # private: what runs in this process

    def _register_workflows(self) -> None:
        """Each is a chain of steps whose decisions come from our tables, so that no change of the code breaks a replay."""
        from dbos import DBOS

        database, work = self._database, self._work

        @DBOS.workflow(name="run", max_recovery_attempts=None)
        def run(run_id: str, attempt: int) -> None:
            if self._step("begin_run", lambda: steps.begin_run(database, work, run_id, attempt)):
                self._step("drive", lambda: self._drive(run_id, attempt))

        @DBOS.workflow(name="word", max_recovery_attempts=MAX_STARTS)
        def word(run_id: str, word_id: int, attempt: int) -> None:
            while self._step("stage", lambda: steps.take_step(database, work, run_id, word_id, attempt)):
                pass

        @DBOS.workflow(name="job", max_recovery_attempts=MAX_STARTS)
        def job(job_id: str, attempt: int) -> None:
            self._step("job", lambda: steps.run_job(database, work, job_id, attempt))

    def _step(self, name: str, function: Callable[[], bool | None]) -> bool:
        from dbos import DBOS

        return bool(DBOS.run_step({"name": name}, lambda: self._guarded(function)))

    def _guarded(self, function: Callable[[], bool | None]) -> bool | None:
        """A step that finds its worker given up or stopping leaves no trace, so that another does it again."""
        if self._stopping.is_set():
            raise StepLeft
        try:
            return function()
        except WorkerLost as error:
            self._on_lost(error.message)
            raise StepLeft from error

    def _drive(self, run_id: str, attempt: int) -> None:
        """Keep a window of the run's words on the queue until all have ended or the run is stopped. Starts over at any time."""
        queued: set[str] = set()
        worked_at = looked_at = time.monotonic()
        while True:
            words = steps.open_words(self._database, run_id, WINDOW)
            is_current = steps.is_current(self._database, run_id, attempt)
            if not words or not is_current or time.monotonic() - worked_at > 5:
                moment = time.monotonic()
                steps.add_worked(self._database, run_id, moment - worked_at)
                worked_at = moment
            if not is_current:
                return
            if not words and steps.end_run(self._database, self._work, run_id, attempt):
                return
            fresh = [word for word in words if word_workflow_id(run_id, word.word_id, word.attempt) not in queued]
            ready = self._without_suspects(run_id, words, fresh)
            self.client.start_words(run_id, ready)
            queued.update(word_workflow_id(run_id, word.word_id, word.attempt) for word in ready)
            if time.monotonic() - looked_at > 2:
                self._mend(run_id, [word for word in words if word_workflow_id(run_id, word.word_id, word.attempt) in queued])
                looked_at = time.monotonic()
            if self._stopping.wait(DRIVE_S):
                raise StepLeft

    def _without_suspects(self, run_id: str, words: Sequence[OpenWord], fresh: Sequence[OpenWord]) -> Sequence[OpenWord]:
        """Those of `fresh` that may start now. One that worked while its worker ended again and again waits until it can work alone:
        it, or a word beside it, is what ends the worker.
        """
        suspects = self._given_up_before(run_id, fresh)
        ready = [word for word in fresh if word.word_id not in suspects]
        if ready or not suspects or len(words) > len(suspects):
            return ready
        return fresh[:1]

    def _given_up_before(self, run_id: str, words: Sequence[OpenWord]) -> set[int]:
        """Words whose earlier attempt the engine gave up."""
        earlier = {word_workflow_id(run_id, word.word_id, word.attempt - 1): word.word_id for word in words if word.attempt > 1}
        return {earlier[workflow_id] for workflow_id, found in self.client.status(earlier).items() if found == GIVEN_UP}

    def _mend(self, run_id: str, words: Sequence[OpenWord]) -> None:
        """Words whose workflow ended without them: back on the queue, or given up where the engine gave up on them alone."""
        by_id = {word_workflow_id(run_id, word.word_id, word.attempt): word for word in words}
        status = self.client.status(by_id)
        suspects = self._given_up_before(run_id, [word for workflow_id, word in by_id.items() if status.get(workflow_id) == GIVEN_UP])
        for workflow_id, word in by_id.items():
            found = status.get(workflow_id)
            if found == GIVEN_UP and word.word_id in suspects:
                steps.fail_word(self._database, run_id, word.word_id, word.attempt, WORKER_KILLER)
            elif (found is None or found in ENDED) and steps.put_back(self._database, run_id, word.word_id, word.attempt):
                log.warning("run %s, word %s: its workflow was %s, queued again", run_id, word.word_id, found or "gone")
