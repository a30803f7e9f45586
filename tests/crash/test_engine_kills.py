"""kill -9 of the worker at random points: the same end as an unbroken run, and nothing paid twice but what was in doubt."""

from __future__ import annotations

import collections
import random
import time
from pathlib import Path

import pytest
from sqlalchemy import select, text

from core.pipeline.engine import EngineClient, engine_address
from core.pipeline.run_control import RunControl
from core.store.database import Database
from core.store.ledger_rows import LedgerTotals, totals
from core.store.tables import ledger, run_words
from tests.loopback.toy_work import ToyWork, Workers, add_run, ended, run_row, wait_for
from tests.loopback.toy_work import states as states_of

N_WORDS = 60


def n_ended(database: Database) -> int:
    return sum(count for state, count in states_of(database, "r1").items() if state not in ("queued", "working"))


def run_through(
    home: Path, kills: list[float]
) -> tuple[dict[int, tuple[str, str, str]], collections.Counter[int], collections.Counter[int], LedgerTotals]:
    """One run with a kill `kills` seconds after every ninth word.

    Returns: the words' ends, how often the provider saw each word, the ledger's states, its totals.
    """
    home.mkdir()
    database = Database(home)
    add_run(database, "r1", N_WORDS)
    started = Workers(home)
    control = RunControl(database, EngineClient(engine_address(home)))
    try:
        pace_s = 0.15 if kills else 0.02  # no end before the last kill, however late it comes
        worker = started.start(pause_s=pace_s)
        control.start("r1")
        for place, pause_s in enumerate(kills):
            wait_for(lambda due=6 + 9 * place: n_ended(database) >= due, what=started.log())
            time.sleep(pause_s)
            assert not ended(database, "r1"), "the kills come too late to say anything"
            worker.kill()
            worker.wait()
            worker = started.start(pause_s=pace_s)
        wait_for(lambda: ended(database, "r1"), timeout_s=120, what=started.log())
        with database.read() as connection:
            query = select(run_words).where(run_words.c.run_id == "r1")
            ends = {row.word_id: (row.state, row.stage, row.reason) for row in connection.execute(query)}
            doubtful = connection.execute(select(ledger.c.call_key, ledger.c.state)).all()
            assert connection.execute(text("PRAGMA integrity_check")).scalar_one() == "ok"
            sums = totals(connection, "r1")
        assert run_row(database, "r1").status == "succeeded"
        paid = collections.Counter(int(line) for line in ToyWork(database, "test", home).noted("paid"))
        states = collections.Counter(row.state for row in doubtful)
        return ends, paid, states, sums
    finally:
        started.kill_all()
        database.close()


@pytest.mark.crash
@pytest.mark.timeout(300)
def test_five_kills_change_nothing(tmp_path: Path) -> None:
    chance = random.Random(20261120)
    ends, paid, states, sums = run_through(tmp_path / "whole", [])
    assert collections.Counter(state for state, _, _ in ends.values()) == {"done": 41, "failed": 11, "none_found": 8}
    assert set(paid.values()) == {1}
    assert states == {"done": 52}

    broken_ends, broken_paid, broken_states, broken_sums = run_through(tmp_path / "broken", [chance.uniform(0.0, 0.2) for _ in range(5)])
    assert broken_ends == ends
    assert set(broken_paid) == set(paid)
    n_again = sum(count - 1 for count in broken_paid.values())
    assert set(broken_states) <= {"done", "in_doubt"}
    assert broken_states["done"] == 52
    assert n_again <= broken_states["in_doubt"]  # a call is repeated only where a doubt says so
    assert broken_sums.paid_calls == sums.paid_calls == 52
    assert broken_sums.in_doubt == broken_sums.repeated_calls == broken_states["in_doubt"]
    assert broken_sums.is_at_least is (broken_states["in_doubt"] > 0)
