"""The engine on real databases, with real worker processes."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import select, update

from core.errors import NotFound
from core.model.runs import RunStatus, WordState
from core.pipeline.engine import EngineClient, engine_address, word_workflow_id
from core.pipeline.run_control import RunControl
from core.store.database import Database
from core.store.tables import jobs, run_words, runs, workers
from tests.loopback.postgres import fresh_database, serve_postgres
from tests.loopback.toy_work import ToyWork, Workers, add_job, add_run, ended, run_row, states, wait_for


@dataclass
class Bench:
    home: Path
    database: Database
    engine: EngineClient
    control: RunControl
    workers: Workers
    toy: ToyWork


@pytest.fixture(scope="module")
def postgres_server() -> Iterator[str]:
    with serve_postgres() as address:
        yield address


def open_bench(home: Path, url: str = "") -> Iterator[Bench]:
    database = Database(home, url)
    engine = EngineClient(engine_address(home, url))
    started = Workers(home, url)
    try:
        yield Bench(home, database, engine, RunControl(database, engine), started, ToyWork(database, "test", home))
    finally:
        started.kill_all()
        engine.close()
        database.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    yield from open_bench(tmp_path)


@pytest.fixture(params=["sqlite", "postgres"])
def any_bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    if request.param == "sqlite":
        yield from open_bench(tmp_path)
        return
    with fresh_database(request.getfixturevalue("postgres_server"), f"t{os.getpid()}_{time.time_ns()}") as url:
        yield from open_bench(tmp_path, url)


def word_rows(bench: Bench, run_id: str) -> dict[int, tuple[str, str, str, int]]:
    query = select(run_words).where(run_words.c.run_id == run_id).order_by(run_words.c.rank)
    with bench.database.read() as connection:
        return {row.word_id: (row.state, row.stage, row.reason, row.attempt) for row in connection.execute(query)}


def test_a_run_ends_each_word_and_retry_redoes_just_the_failed_ones(any_bench: Bench) -> None:
    bench = any_bench
    ids = add_run(bench.database, "r1", 14)
    bench.home.joinpath("bug").touch()
    bench.workers.start()
    assert bench.control.start("r1") is RunStatus.RUNNING
    assert bench.control.start("r1") is RunStatus.RUNNING  # again: nothing happens
    wait_for(lambda: ended(bench.database, "r1"), what=bench.workers.log())

    run = run_row(bench.database, "r1")
    assert (run.status, run.attempt) == ("succeeded", 1)
    assert run.worked_s > 0
    rows = word_rows(bench, "r1")
    for word_id in ids:
        state, stage, reason, attempt = rows[word_id]
        assert attempt == 1
        if word_id % 7 == 0:
            assert (state, stage, reason) == ("none_found", "look", "Not spoken anywhere.")
        elif word_id % 5 == 0:
            assert (state, stage, reason) == ("failed", "keep", f"clip{word_id}.mp4 does not decode. Replace it.")
        elif word_id == 3:
            assert (state, stage) == ("failed", "keep")
            assert "ZeroDivisionError" in reason
        else:
            assert (state, reason) == ("done", "")
    assert "Traceback" in bench.workers.log()  # the bug's details are in the worker's log
    order = [int(line.split()[1]) for line in bench.toy.noted("look")]
    assert sorted(order) == ids  # each once
    assert sum(abs(order.index(word_id) - rank) for rank, word_id in enumerate(ids)) <= len(ids)  # by rank, but for neighbours

    bench.home.joinpath("bug").unlink()
    bench.home.joinpath("mended").touch()
    n_failed = sum(row[0] == "failed" for row in rows.values())
    assert bench.control.retry("r1") == n_failed == 3
    wait_for(lambda: ended(bench.database, "r1"), what=bench.workers.log())
    assert run_row(bench.database, "r1").attempt == 2
    assert states(bench.database, "r1") == {"done": 12, "none_found": 2}
    assert len(bench.toy.noted("look")) == 14  # stages that were done are not done again
    assert len(bench.toy.noted("paid")) == 12
    assert bench.control.retry("r1") == 0
    engine_says = bench.engine.status([word_workflow_id("r1", 5, 1), word_workflow_id("r1", 5, 2)])
    assert engine_says == {"r1:5": "SUCCESS", "r1:5:2": "SUCCESS"}


def test_pause_resume_cancel_and_resume_again(any_bench: Bench) -> None:
    bench = any_bench
    bench.home.joinpath("mended").touch()
    add_run(bench.database, "r1", 20)
    bench.workers.start(pause_s=0.2)
    bench.control.start("r1")
    wait_for(lambda: states(bench.database, "r1").get("done", 0) >= 2, what=bench.workers.log())

    assert bench.control.pause("r1") is RunStatus.PAUSED
    assert bench.control.pause("r1") is RunStatus.PAUSED
    wait_for(lambda: "working" not in states(bench.database, "r1"))
    before = states(bench.database, "r1")
    looked = len(bench.toy.noted("look"))
    assert before["queued"] > 5
    time.sleep(0.8)
    assert states(bench.database, "r1") == before
    assert len(bench.toy.noted("look")) == looked

    assert bench.control.resume("r1") is RunStatus.RUNNING
    wait_for(lambda: states(bench.database, "r1").get("done", 0) >= before["done"] + 4, what=bench.workers.log())
    assert bench.control.cancel("r1") is RunStatus.CANCELLED
    assert bench.control.cancel("r1") is RunStatus.CANCELLED
    assert not {"queued", "working"} & set(states(bench.database, "r1"))  # every word has its end at once
    wait_for(lambda: not bench.engine.executing(), what=bench.workers.log())
    paid = len(bench.toy.noted("paid"))
    time.sleep(0.4)
    assert len(bench.toy.noted("paid")) == paid

    assert bench.control.resume("r1") is RunStatus.RUNNING
    wait_for(lambda: ended(bench.database, "r1"), what=bench.workers.log())
    assert states(bench.database, "r1") == {"done": 18, "none_found": 2}
    assert len(bench.toy.noted("paid")) == len(set(bench.toy.noted("paid"))) == 18  # what was paid stayed paid


def test_deleting_the_engines_database_loses_nothing(bench: Bench) -> None:
    bench.home.joinpath("mended").touch()
    add_run(bench.database, "r1", 20)
    worker = bench.workers.start(pause_s=0.3)
    bench.control.start("r1")
    wait_for(lambda: states(bench.database, "r1").get("done", 0) >= 3, what=bench.workers.log())
    worker.kill()
    worker.wait()
    (bench.home / "engine.db").unlink()  # under our open client, which must notice
    add_job(bench.database, "j1")

    assert bench.control.reconcile() == 2
    assert bench.control.reconcile() == 0
    bench.workers.start()
    wait_for(lambda: ended(bench.database, "r1"), what=bench.workers.log())
    assert states(bench.database, "r1") == {"done": 18, "none_found": 2}
    wait_for(lambda: bench.toy.noted("job") == ["j1"])


def test_a_worker_whose_engine_database_is_removed_ends_and_the_next_rebuilds_it(bench: Bench) -> None:
    add_run(bench.database, "r1", 10)
    worker = bench.workers.start(pause_s=0.3, fast_lease=1)
    bench.control.start("r1")
    wait_for(lambda: states(bench.database, "r1").get("working", 0) >= 1, what=bench.workers.log())
    (bench.home / "engine.db").unlink()
    assert worker.wait(timeout=60) == 75
    assert "removed or replaced" in bench.workers.log()
    bench.workers.start(fast_lease=1)  # nobody but the worker itself calls reconcile
    wait_for(lambda: ended(bench.database, "r1"), what=bench.workers.log())


def test_a_job_is_done_once_and_again_on_retry(bench: Bench) -> None:
    add_job(bench.database, "j1")
    add_job(bench.database, "j2", kind="unheard_of")
    add_job(bench.database, "j3")
    bench.control.cancel_job("j3")
    for job_id in ("j1", "j1", "j2", "j3"):
        bench.control.start_job(job_id)
    bench.workers.start()

    def status() -> dict[str, str]:
        with bench.database.read() as connection:
            return {row.job_id: row.status for row in connection.execute(select(jobs))}

    wait_for(lambda: status() == {"j1": "succeeded", "j2": "failed", "j3": "cancelled"}, what=bench.workers.log())
    with bench.database.read() as connection:
        assert "unheard_of" in connection.execute(select(jobs.c.reason).where(jobs.c.job_id == "j2")).scalar_one()
    bench.control.retry_job("j3")
    wait_for(lambda: status()["j3"] == "succeeded", what=bench.workers.log())
    assert bench.toy.noted("job") == ["j1", "j3"]


def test_a_run_that_cannot_begin_says_why_and_leaves_no_word_open(bench: Bench) -> None:
    add_run(bench.database, "r1", 3)
    bench.home.joinpath("unready").touch()
    bench.control.start("r1")
    bench.workers.start()
    wait_for(lambda: ended(bench.database, "r1"), what=bench.workers.log())
    run = run_row(bench.database, "r1")
    assert (run.status, run.reason) == ("failed", "The model toy is not on this machine. Fetch it.")
    assert states(bench.database, "r1") == {"failed": 3}
    bench.home.joinpath("unready").unlink()
    bench.control.retry("r1")
    wait_for(lambda: ended(bench.database, "r1"), what=bench.workers.log())
    assert run_row(bench.database, "r1").status == "succeeded"


def test_words_that_wait_for_quota_make_the_run_wait_and_resume_takes_them_up(bench: Bench) -> None:
    ids = add_run(bench.database, "r1", 4)
    with bench.database.write() as connection:
        connection.execute(update(run_words).where(run_words.c.word_id == ids[0]).values(state=WordState.WAITING_FOR_QUOTA, stage="pay"))
    bench.control.start("r1")
    with bench.database.write() as connection:  # start took it up; put it back as a stage would
        connection.execute(update(run_words).where(run_words.c.word_id == ids[0]).values(state=WordState.WAITING_FOR_QUOTA))
    bench.workers.start()
    wait_for(lambda: ended(bench.database, "r1"), what=bench.workers.log())
    assert run_row(bench.database, "r1").status == "waiting_for_quota"
    bench.control.resume("r1")
    wait_for(lambda: run_row(bench.database, "r1").status == "succeeded", what=bench.workers.log())
    assert states(bench.database, "r1") == {"done": 4}
    assert f"r1 {ids[0]}" not in bench.toy.noted("look")  # it went on where it waited


def test_ids_that_nobody_knows(bench: Bench) -> None:
    for action in (bench.control.start, bench.control.pause, bench.control.cancel, bench.control.retry, bench.control.start_job):
        with pytest.raises(NotFound):
            action("nothing")


def test_the_engine_is_imported_only_when_it_is_used() -> None:
    names = ", ".join(f"core.pipeline.{name}" for name in ("engine", "run_control", "worker", "ledger", "janitor"))
    code = f"import sys, {names}; sys.exit('dbos' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=Path(__file__).resolve().parents[2]).returncode == 0


def test_a_signal_ends_the_worker_at_once_and_the_step_in_hand_is_done_again(bench: Bench) -> None:
    add_run(bench.database, "r1", 2)
    worker = bench.workers.start(pause_s=90)
    bench.control.start("r1")
    wait_for(lambda: len(bench.toy.noted("look")) == 2, what=bench.workers.log())
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=30) == 0  # within seconds, and in any case long before the step in hand would end
    with bench.database.read() as connection:
        assert connection.execute(select(workers.c.stopped_at)).scalar_one() is not None
    bench.workers.start()
    wait_for(lambda: ended(bench.database, "r1"), what=bench.workers.log())
    assert states(bench.database, "r1") == {"done": 2}
    assert len(bench.toy.noted("look")) == 4
    assert {row[3] for row in word_rows(bench, "r1").values()} == {1}  # the same attempt, gone on with


def test_a_path_with_odd_characters(tmp_path: Path) -> None:
    home = tmp_path / "a b%20c?d#e"
    home.mkdir()
    for bench in open_bench(home):
        add_job(bench.database, "j1")
        bench.control.start_job("j1")
        assert (home / "engine.db").exists()
        assert bench.engine.status(["job:j1:1"]) == {"job:j1:1": "ENQUEUED"}


def test_a_run_whose_workflow_ended_without_it_is_driven_again(bench: Bench) -> None:
    add_run(bench.database, "r1", 2)
    bench.control.start("r1")
    bench.engine.cancel(["run:r1:1"])
    assert bench.control.reconcile() == 1
    with bench.database.read() as connection:
        assert connection.execute(select(runs.c.attempt)).scalar_one() == 2
    bench.workers.start()
    wait_for(lambda: ended(bench.database, "r1"), what=bench.workers.log())


def test_work_orphaned_in_a_live_worker_is_taken_over(bench: Bench) -> None:
    """The engine says that a worker has it in hand, and the worker does not."""
    worker = bench.workers.start()
    add_job(bench.database, "j1")
    bench.control.start_job("j1")
    wait_for(lambda: bench.toy.noted("job") == ["j1"], what=bench.workers.log())
    wait_for(lambda: bench.engine.status(["job:j1:1"]) == {"job:j1:1": "SUCCESS"})
    with bench.database.write() as connection:
        connection.execute(update(jobs).values(status="running"))
    with closing(sqlite3.connect(bench.home / "engine.db")) as engine, engine:
        engine.execute("DELETE FROM operation_outputs")
        engine.execute("UPDATE workflow_status SET status = 'PENDING', completed_at = NULL WHERE workflow_uuid = 'job:j1:1'")
    wait_for(lambda: bench.toy.noted("job") == ["j1", "j1"], what=bench.workers.log())
    assert worker.poll() is None


@pytest.mark.timeout(300)
def test_a_word_that_kills_its_worker_again_and_again_fails_and_the_run_goes_on(bench: Bench) -> None:
    """Those that work beside it when the worker ends are not given up for it."""
    bench.home.joinpath("poison").touch()
    bench.home.joinpath("mended").touch()
    add_run(bench.database, "r1", 8)
    bench.control.start("r1")
    deadline = time.monotonic() + 250
    while not ended(bench.database, "r1"):
        assert time.monotonic() < deadline, bench.workers.log()
        if not bench.workers.processes or bench.workers.processes[-1].poll() is not None:
            bench.workers.start(max_starts=2, at_once=40)
        time.sleep(0.05)
    rows = word_rows(bench, "r1")
    assert rows[2][0] == "failed"
    assert "again and again" in rows[2][2]
    assert {word_id: row[0] for word_id, row in rows.items() if word_id != 2} == {
        1: "done", 3: "done", 4: "done", 5: "done", 6: "done", 7: "none_found", 8: "done",
    }  # fmt: skip


def test_what_ended_long_ago_is_forgotten_by_the_engine_only(bench: Bench) -> None:
    add_run(bench.database, "r1", 3)
    bench.workers.start()
    bench.control.start("r1")
    wait_for(lambda: ended(bench.database, "r1"), what=bench.workers.log())
    wait_for(lambda: bench.engine.status(["run:r1:1"]) == {"run:r1:1": "SUCCESS"})
    bench.engine.forget_ended(3600)
    assert len(bench.engine.status(["run:r1:1", "r1:1"])) == 2
    bench.engine.forget_ended(-5)
    assert bench.engine.status(["run:r1:1", "r1:1"]) == {}
    assert bench.control.start("r1") is RunStatus.SUCCEEDED
    assert bench.control.reconcile() == 0
