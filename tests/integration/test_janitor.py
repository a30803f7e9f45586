"""Who is alive, who is not, and that a worker that was given up changes nothing."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, select, update

from core.errors import Conflict
from core.pipeline import janitor
from core.pipeline.engine import EngineClient, engine_address
from core.pipeline.janitor import Heartbeat, Identity, WorkerLost, beat, fence, give_up, is_gone, live_workers, register, this_process
from core.pipeline.run_control import RunControl
from core.pipeline.worker import ensure_worker
from core.store.database import Database
from core.store.tables import ledger, settings_events, workers
from core.timing import now
from tests.loopback.toy_work import Workers, add_run, ended, states, wait_for

REPO_PATH = Path(__file__).resolve().parents[2]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Workers]:
    processes = Workers(tmp_path)
    yield processes
    processes.kill_all()


def rows(database: Database) -> dict[str, object]:
    with database.read() as connection:
        return {row.worker_id: row for row in connection.execute(select(workers))}


def no_loss(message: str) -> None:
    raise AssertionError(message)


def test_an_id_is_used_once(database: Database) -> None:
    who = this_process("desk")
    register(database, who, ["system"])
    with pytest.raises(Conflict, match=who.worker_id):
        register(database, who, ["system"])
    assert this_process("desk").worker_id != who.worker_id
    assert live_workers(database) == [who.worker_id]


def test_a_process_that_ended_or_whose_pid_is_reused_is_gone() -> None:
    me = this_process()
    assert not is_gone(me.host, me.pid, me.pid_started)
    assert is_gone(me.host, me.pid, me.pid_started[:-1] + "x")  # another process has the pid now
    assert not is_gone("elsewhere", me.pid, "x")  # cannot be seen from here
    assert not is_gone(me.host, me.pid, "00000000-1-5")  # another boot or another namespace of pids: the lease decides
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    began = janitor.process_started(child.pid)
    assert began
    assert not is_gone(me.host, child.pid, began)
    child.kill()
    time.sleep(0.1)
    assert is_gone(me.host, child.pid, began)  # not even as a zombie
    child.wait()
    assert child.stdin is not None
    child.stdin.close()
    assert is_gone(me.host, child.pid, began)


def test_a_worker_that_was_given_up_writes_nothing_more(database: Database, tmp_path: Path) -> None:
    mine = Database(tmp_path)
    me = this_process()
    register(mine, me, ["system"])
    fence(mine, me.worker_id)
    event = {"name": "x", "value": 1, "actor": "a", "set_at": now()}
    with mine.write() as connection:
        connection.execute(insert(settings_events).values(**event))
    assert beat(mine, me.worker_id)
    with database.write() as connection:
        assert give_up(connection, me.worker_id)
        assert not give_up(connection, me.worker_id)
    with pytest.raises(WorkerLost), mine.write() as connection:
        connection.execute(insert(settings_events).values(**event))
    assert not beat(mine, me.worker_id)
    with mine.read() as connection:  # reading is free
        assert len(connection.execute(select(settings_events)).all()) == 1
    with database.write() as connection:  # and nobody else is held up
        connection.execute(insert(settings_events).values(**event))
    mine.close()


def test_its_calls_in_flight_become_in_doubt(database: Database) -> None:
    register(database, Identity("gone", "h", 1, "x"), [])
    row = {"call_key": "k", "attempt": 1, "provider": "p", "operation": "o", "model": "m", "prompt_version": "1", "run_id": "r"}
    with database.write() as connection:
        connection.execute(insert(ledger).values(**row, state="intended", worker_id="gone", intended_at=now()))
        give_up(connection, "gone")
        assert connection.execute(select(ledger.c.state)).scalar_one() == "in_doubt"


def quiet_janitor(database: Database, monkeypatch: pytest.MonkeyPatch) -> Heartbeat:
    monkeypatch.setattr(janitor, "QUIET_S", 0.3)
    monkeypatch.setattr(janitor, "LEASE_S", 0.6)
    me = this_process("me")
    register(database, me, [])
    return Heartbeat(database, me.worker_id, on_lost=no_loss)


def test_a_jump_of_the_clock_gives_up_nobody_who_beats(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    heart = quiet_janitor(database, monkeypatch)
    other = Identity("other", "elsewhere", 1, "x")
    register(database, other, [])
    moment = now()
    for step in range(6):
        with database.write() as connection:  # its beats come, but by its lease it is an hour late
            late = {"beat_at": moment + timedelta(seconds=step), "lease_until": moment - timedelta(hours=1)}
            connection.execute(update(workers).where(workers.c.worker_id == "other").values(**late))
        heart.look_around()
        time.sleep(0.1)
    assert rows(database)["other"].stopped_at is None


@pytest.mark.parametrize("lease", [timedelta(hours=-1), timedelta(hours=1)], ids=["ran out", "clock was set back"])
def test_one_who_beats_no_more_is_given_up(database: Database, monkeypatch: pytest.MonkeyPatch, lease: timedelta) -> None:
    heart = quiet_janitor(database, monkeypatch)
    register(database, Identity("other", "elsewhere", 1, "x"), [])
    with database.write() as connection:
        connection.execute(update(workers).where(workers.c.worker_id == "other").values(lease_until=now() + lease))
    for _ in range(3):
        heart.look_around()
    assert rows(database)["other"].stopped_at is None  # not yet seen for long enough
    deadline = time.monotonic() + 5
    while rows(database)["other"].stopped_at is None and time.monotonic() < deadline:
        time.sleep(0.1)
        heart.look_around()
    assert rows(database)["other"].stopped_at is not None


def test_after_our_own_pause_the_others_get_time_to_beat(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    heart = quiet_janitor(database, monkeypatch)
    register(database, Identity("other", "elsewhere", 1, "x"), [])
    with database.write() as connection:
        connection.execute(update(workers).where(workers.c.worker_id == "other").values(lease_until=now() - timedelta(hours=1)))
    heart.look_around()
    monkeypatch.setattr(janitor, "ROUND_S", 0.1)
    time.sleep(0.5)  # longer than three rounds: this whole machine slept
    heart.look_around()
    assert rows(database)["other"].stopped_at is None


def test_the_janitor_survives_what_its_rounds_raise(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(janitor, "ROUND_S", 0.05)
    me = this_process()
    register(database, me, [])
    calls = []

    def break_twice() -> None:
        calls.append(1)
        if len(calls) <= 2:
            raise RuntimeError("out of luck")

    heart = Heartbeat(database, me.worker_id, on_lost=no_loss, rounds=[break_twice])
    heart.start()
    wait_for(lambda: rows(database)[me.worker_id].janitor_at is not None)
    assert len(calls) >= 3
    heart.stop()
    assert rows(database)[me.worker_id].stopped_at is not None


def test_a_round_that_fails_keeps_no_other_from_its_turn(database: Database) -> None:
    me = this_process()
    register(database, me, [])
    calls = []

    def breaks() -> None:
        raise RuntimeError("out of luck")

    Heartbeat(database, me.worker_id, on_lost=no_loss, rounds=[breaks, lambda: calls.append(1)]).look_around()
    assert calls == [1]
    assert rows(database)[me.worker_id].janitor_at is None, "a round that failed is not noted as done"


def test_one_who_was_given_up_hears_of_it(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(janitor, "BEAT_S", 0.05)
    me = replace(this_process(), pid_started="")
    register(database, me, [])
    heard: list[str] = []
    heart = Heartbeat(database, me.worker_id, on_lost=heard.append)
    heart.start()
    with database.write() as connection:
        give_up(connection, me.worker_id)
    wait_for(lambda: bool(heard))
    assert me.worker_id in heard[0]
    heart.stop()


def test_work_of_a_killed_worker_is_taken_over_without_waiting_for_its_lease(database: Database, tmp_path: Path, started: Workers) -> None:
    tmp_path.joinpath("mended").touch()
    add_run(database, "r1", 16)
    control = RunControl(database, EngineClient(engine_address(tmp_path)))
    first = started.start(pause_s=0.2, name="first")
    control.start("r1")
    wait_for(lambda: states(database, "r1").get("done", 0) >= 1, what=started.log())
    started.start(name="second")
    wait_for(lambda: len(live_workers(database)) == 2, what=started.log())
    first.kill()
    killed = time.monotonic()
    first.wait()
    wait_for(lambda: ended(database, "r1"), timeout_s=15, what=started.log())
    assert time.monotonic() - killed < janitor.LEASE_S / 2
    assert states(database, "r1") == {"done": 14, "none_found": 2}
    assert len(live_workers(database)) == 1


def stop_between_transactions(pid: int, home: Path) -> bool:
    """Stop a process where it holds none of SQLite's locks; with one it would hold up everybody, which no process can help."""
    os.kill(pid, signal.SIGSTOP)
    time.sleep(0.05)
    try:
        for name in ("app.db", "engine.db"):
            with closing(sqlite3.connect(home / name, timeout=0.1)) as connection:
                connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError:
        return False
    return True


def test_a_paused_worker_that_comes_back_changes_nothing(database: Database, tmp_path: Path, started: Workers) -> None:
    """Its process lives, so only its lease tells; SIGSTOP stands for a machine that slept."""
    tmp_path.joinpath("mended").touch()
    add_run(database, "r1", 14)
    control = RunControl(database, EngineClient(engine_address(tmp_path)))
    zombie = started.start(pause_s=0.3, name="zombie", fast_lease=1)
    control.start("r1")
    wait_for(lambda: states(database, "r1").get("done", 0) >= 1, what=started.log())
    while not stop_between_transactions(zombie.pid, tmp_path):
        os.kill(zombie.pid, signal.SIGCONT)
        time.sleep(0.02)
    started.start(name="other", fast_lease=1)
    wait_for(lambda: ended(database, "r1"), timeout_s=25, what=started.log())
    final, paid = states(database, "r1"), (tmp_path / "paid.log").read_text()
    assert final == {"done": 12, "none_found": 2}
    with database.read() as connection:
        before = connection.execute(select(ledger).order_by(ledger.c.entry_id)).all()
    os.kill(zombie.pid, signal.SIGCONT)
    assert zombie.wait(timeout=10) == 75
    with database.read() as connection:
        assert connection.execute(select(ledger).order_by(ledger.c.entry_id)).all() == before
    assert states(database, "r1") == final
    assert (tmp_path / "paid.log").read_text() == paid


def test_a_worker_ends_with_its_parent(database: Database, tmp_path: Path) -> None:
    code = (
        "import os, subprocess, sys, time\n"
        f"e = dict(os.environ, TEST_PARENT_PID=str(os.getpid()))\n"
        f"c = [sys.executable, {str(REPO_PATH / 'tests/loopback/toy_work.py')!r}, {str(tmp_path)!r}]\n"
        "p = subprocess.Popen(c, env=e, start_new_session=True)\n"
        "print(p.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    wait_for(lambda: bool(live_workers(database)))
    began = janitor.process_started(pid)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    wait_for(lambda: janitor.process_started(pid) != began, timeout_s=6)
    assert live_workers(database) == []


def test_a_command_gets_a_worker_where_there_is_none(database: Database, tmp_path: Path, started: Workers) -> None:
    script = tmp_path / "worker.sh"
    script.write_text(f"#!/bin/sh\nexport TEST_PARENT_PID=$2\nexec {sys.executable} {REPO_PATH}/tests/loopback/toy_work.py {tmp_path}\n")
    script.chmod(0o755)
    with ensure_worker(database, [str(script)]) as process:
        assert process is not None
        wait_for(lambda: bool(live_workers(database)))
        assert os.getpgid(process.pid) != os.getpgid(0)
        with ensure_worker(database, [str(script)]) as second:
            assert second is None
    assert process.returncode == 0
    assert live_workers(database) == []
