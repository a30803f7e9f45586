"""A toy for the engine: words with three stages, one of which pays. Also a worker process: `python tests/loopback/toy_work.py HOME`."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from sqlalchemy import func, insert, select

from core.errors import ModelMissing, UnreadableMedia
from core.model.runs import RunStatus, WordState
from core.pipeline.ledger import Answer, DoubtPolicy, Ledger, PaidCall
from core.pipeline.work import WordEnd, WordStage, Work
from core.store.database import Database
from core.store.tables import jobs, run_words, runs, words
from core.timing import now


def add_run(database: Database, run_id: str, n_words: int) -> list[int]:
    """A planned run over words `word0`, `word1`, … Returns their ids."""
    with database.write() as connection:
        known = connection.execute(select(func.count()).select_from(words)).scalar_one()
        for place in range(known, n_words):
            connection.execute(
                insert(words).values(text=f"word{place}", key=f"word{place}", language="en", pos="", definition="", created_at=now())
            )
        ids = list(connection.execute(select(words.c.word_id).order_by(words.c.word_id).limit(n_words)).scalars())
        number = connection.execute(select(func.count()).select_from(runs)).scalar_one() + 1
        row = {"run_id": run_id, "number": number, "name": run_id, "status": RunStatus.PLANNED, "request_key": run_id, "settings": {}}
        extra = {"min_score": 0.6} if "min_score" in runs.c else {}
        connection.execute(insert(runs).values(**row, **extra, created_by="test", created_at=now()))
        connection.execute(
            insert(run_words),
            [
                {"run_id": run_id, "word_id": word_id, "rank": rank, "state": WordState.QUEUED, "updated_at": now()}
                for rank, word_id in enumerate(ids)
            ],
        )
    return ids


def add_job(database: Database, job_id: str, kind: str = "export", queue: str = "storage") -> None:
    with database.write() as connection:
        row = {"job_id": job_id, "kind": kind, "queue": queue, "payload": {}, "status": "queued", "created_by": "test"}
        connection.execute(insert(jobs).values(**row, created_at=now(), updated_at=now()))


def states(database: Database, run_id: str) -> dict[str, int]:
    """state → number of the run's words."""
    query = select(run_words.c.state, func.count()).where(run_words.c.run_id == run_id).group_by(run_words.c.state)
    with database.read() as connection:
        return {row.state: row[1] for row in connection.execute(query)}


def run_row(database: Database, run_id: str):
    with database.read() as connection:
        return connection.execute(select(runs).where(runs.c.run_id == run_id)).one()


def wait_for(condition, *, timeout_s: float = 60.0, what: str = "") -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s} s: {what or condition}")
        time.sleep(0.05)


def ended(database: Database, run_id: str) -> bool:
    return run_row(database, run_id).ended_at is not None


class ToyWork:
    """`look`, `pay`, `keep`: every seventh word is not found, every fifth fails until a file `mended` is there.

    It counts what it does in files, as the outside world would.
    """

    def __init__(
        self, database: Database, worker_id: str, home: Path, *, pause_s: float = 0.02, policy: DoubtPolicy = DoubtPolicy.REPEAT
    ) -> None:
        self.database = database
        self.home = home
        self.pause_s = pause_s
        self.policy = policy
        self.ledger = Ledger(database, worker_id)

    def note(self, kind: str, text: str) -> None:
        """What the outside world saw, durably: a line in a file."""
        file = os.open(self.home / f"{kind}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.write(file, f"{text}\n".encode())
        os.close(file)

    def noted(self, kind: str) -> list[str]:
        path = self.home / f"{kind}.log"
        return path.read_text().splitlines() if path.exists() else []

    def look(self, run_id: str, word_id: int) -> WordEnd | None:
        self.note("look", f"{run_id} {word_id}")
        time.sleep(self.pause_s)
        if word_id == 2 and (self.home / "poison").exists():
            os.kill(os.getpid(), 9)
        return WordEnd(WordState.NONE_FOUND, reason="Not spoken anywhere.") if word_id % 7 == 0 else None

    def pay(self, run_id: str, word_id: int) -> WordEnd | None:
        def perform() -> Answer:
            self.note("paid", str(word_id))
            time.sleep(self.pause_s)
            return Answer({"word": word_id}, tokens_in=10, tokens_out=2, cost_usd=0.01)

        answer = self.ledger.call(PaidCall("toy", "judge", "m1", "1", f"word {word_id}"), perform, run_id=run_id, policy=self.policy)
        assert answer.body == {"word": word_id}
        return None

    def keep(self, run_id: str, word_id: int) -> WordEnd | None:
        time.sleep(self.pause_s)
        if word_id % 5 == 0 and not (self.home / "mended").exists():
            raise UnreadableMedia(f"clip{word_id}.mp4 does not decode.", hint="Replace it.")
        if word_id == 3 and (self.home / "bug").exists():
            raise ZeroDivisionError("a bug")
        self.note("kept", f"{run_id} {word_id}")
        return None

    def begin(self, run_id: str) -> None:
        if (self.home / "unready").exists():
            raise ModelMissing("The model toy is not on this machine.", hint="Fetch it.")

    def job(self, job_id: str) -> None:
        self.note("job", job_id)
        time.sleep(self.pause_s)

    def work(self) -> Work:
        stages = [WordStage("look", self.look), WordStage("pay", self.pay), WordStage("keep", self.keep)]
        return Work(stages, {"export": self.job}, begin_run=self.begin)


class Workers:
    """Starts toy workers as processes and ends them all."""

    def __init__(self, home: Path, database_url: str = "") -> None:
        self.home = home
        self.database_url = database_url
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, **settings: object) -> subprocess.Popen[bytes]:
        environ = {
            **os.environ,
            "TEST_DATABASE_URL": self.database_url,
            **{f"TEST_{name.upper()}": str(value) for name, value in settings.items()},
        }
        log = (self.home / "worker.log").open("ab")
        process = subprocess.Popen([sys.executable, __file__, str(self.home)], env=environ, stdout=log, stderr=log, start_new_session=True)
        log.close()
        self.processes.append(process)
        return process

    def kill_all(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()

    def log(self) -> str:
        path = self.home / "worker.log"
        return path.read_text(errors="replace") if path.exists() else ""


def main() -> None:
    from core.pipeline import engine, janitor
    from core.pipeline.worker import Workload, run_worker

    home = Path(sys.argv[1])
    engine.MAX_STARTS = int(os.environ.get("TEST_MAX_STARTS", engine.MAX_STARTS))
    engine.WORKER_CONCURRENCY["ai"] = int(os.environ.get("TEST_AT_ONCE", "2"))
    if "TEST_FAST_LEASE" in os.environ:
        janitor.LEASE_S, janitor.BEAT_S, janitor.QUIET_S, janitor.ROUND_S = 2.0, 0.4, 0.6, 0.3
    database_url = os.environ.get("TEST_DATABASE_URL", "")
    parent_pid = int(os.environ["TEST_PARENT_PID"]) if "TEST_PARENT_PID" in os.environ else None
    pause_s = float(os.environ.get("TEST_PAUSE_S", "0.02"))

    def make(database: Database, worker_id: str) -> Work:
        return ToyWork(database, worker_id, home, pause_s=pause_s).work()

    run_worker(Workload(home, database_url, make), parent_pid=parent_pid, name=os.environ.get("TEST_NAME", ""))


if __name__ == "__main__":
    main()
