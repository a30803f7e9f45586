"""Rate slots and quotas in real databases: several processes, kill -9, clocks that jump, SQLite and PostgreSQL."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, select

from core.errors import QuotaReached, QuotaUsedUp
from core.store.database import Database
from core.store.rate_slots import MonthQuota, RateSlots, Slot, Wait
from core.store.rate_tables import rate_slots
from tests.loopback.postgres import fresh_database, serve_postgres

REPO_PATH = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    with serve_postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A workspace and its DATABASE_URL, with the tables made."""
    if request.param == "sqlite":
        Database(tmp_path / "home").close()
        yield tmp_path / "home", ""
        return
    server = request.getfixturevalue("postgres")
    with fresh_database(server, f"t{abs(hash(str(tmp_path))):x}") as url:
        Database(tmp_path / "home", url).close()
        yield tmp_path / "home", url


@pytest.fixture
def database(place: tuple[Path, str]) -> Iterator[Database]:
    opened = Database(*place)
    yield opened
    opened.close()


class Clocks:
    """A database clock and a counter that a test moves."""

    def __init__(self) -> None:
        self.true_s = 500.0
        self.epoch = datetime(2026, 11, 20, 12, tzinfo=UTC)

    def clock(self, _: Connection) -> datetime:
        return self.epoch + timedelta(seconds=self.true_s)

    def counter(self) -> float:
        return self.true_s

    def sleep(self, seconds: float) -> None:
        self.true_s += seconds

    def slots(self, database: Database, limit: int = 10, window_s: float = 60.0, machine: str = "m") -> RateSlots:
        return RateSlots(database, "host", limit, window_s, clock=self.clock, counter=self.counter, machine=machine, sleep=self.sleep)


def most_in_a_window(moments: list[float], window_s: float) -> int:
    ordered = sorted(moments)
    return max((sum(1 for other in ordered if at <= other <= at + window_s) for at in ordered), default=0)


def start_taker(place: tuple[Path, str], limit: int, window_s: float, seconds: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.loopback.slot_taker", str(place[0]), place[1], "host", str(limit), str(window_s), str(seconds)]
    return subprocess.Popen(command, cwd=REPO_PATH, stdout=subprocess.PIPE, text=True)


def test_several_processes_share_one_limit_and_use_it(place: tuple[Path, str]) -> None:
    limit, window_s, seconds = 20, 2.0, 8.0
    takers = [start_taker(place, limit, window_s, seconds) for _ in range(3)]
    moments = [float(line) for taker in takers for line in taker.communicate(timeout=60)[0].split()]
    assert most_in_a_window(moments, window_s) <= limit
    assert len(moments) > 2 * limit  # how well it is used is counted with clocks that obey, below


def test_an_unbroken_stream_uses_97_per_cent(database: Database) -> None:
    clocks = Clocks()
    slots = clocks.slots(database)
    start_s, n = clocks.true_s, 0
    while clocks.true_s < start_s + 1200:
        slots.take()
        clocks.true_s += 0.02  # what a request takes to go out
        n += 1
    assert n >= 0.97 * 10 * 20


def test_kill_9_leaves_reserved_slots_used(place: tuple[Path, str]) -> None:
    limit, window_s = 6, 3.0
    moments: list[float] = []
    for _ in range(3):
        taker = start_taker(place, limit, window_s, 30.0)
        assert taker.stdout is not None
        moments.append(float(taker.stdout.readline()))
        time.sleep(0.3)
        taker.send_signal(signal.SIGKILL)
        moments += [float(line) for line in taker.communicate(timeout=20)[0].splitlines() if "." in line and len(line) > 5]
    database = Database(*place)
    slots = RateSlots(database, "host", limit, window_s)
    with database.read() as connection:
        assert connection.execute(select(func.count()).select_from(rate_slots)).scalar_one() >= limit
    database.close()
    assert most_in_a_window(moments, window_s) <= limit
    assert slots.name == "host"


def test_many_threads_get_each_slot_once(database: Database) -> None:
    slots = RateSlots(database, "host", 5, 30.0)
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(slots.reserve())) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(isinstance(one, Slot) for one in found) == 5
    assert all(isinstance(one, Slot) or 27.0 < one.wait_s <= 31.0 for one in found)


@pytest.mark.parametrize("jump_s", [3600.0, -3600.0])
def test_a_clock_that_jumps_an_hour(database: Database, jump_s: float) -> None:
    clocks = Clocks()
    slots = clocks.slots(database)
    sent = []
    for turn in range(35):
        slots.take()
        sent.append(clocks.true_s)
        if turn in (4, 12, 19):
            clocks.epoch += timedelta(seconds=jump_s)
    assert most_in_a_window(sent, 60.0) <= 10
    assert sent[-1] - sent[0] < 7 * 62.5


def test_a_sender_that_was_paused_for_five_minutes_asks_again(database: Database) -> None:
    clocks = Clocks()
    slots = clocks.slots(database, limit=1)
    first = slots.take()
    late = slots.reserve()
    assert isinstance(late, Wait)
    clocks.true_s += 61.0
    stale = slots.reserve()
    assert isinstance(stale, Slot)
    clocks.true_s += 300.0
    assert clocks.counter() > stale.expires_s
    assert first.expires_s < stale.expires_s


def test_a_slot_that_was_not_used_goes_to_somebody_else(database: Database) -> None:
    clocks = Clocks()
    slots = clocks.slots(database, limit=2)
    kept, unused = slots.take(), slots.take()
    assert isinstance(slots.reserve(), Wait)
    clocks.true_s += 5.0
    assert not slots.hold(unused)
    again = slots.reserve(instead_of=unused)
    assert isinstance(again, Slot)
    assert slots.hold(again)
    assert isinstance(slots.reserve(), Wait)
    slots.give_back(unused)  # it is no longer its own: nothing happens
    assert isinstance(slots.reserve(), Wait)
    slots.give_back(kept)
    assert isinstance(slots.reserve(), Slot)


def test_a_block_holds_for_all_and_is_shown(database: Database) -> None:
    clocks = Clocks()
    mine, other = clocks.slots(database), clocks.slots(database, machine="other")
    mine.take()
    mine.block(10 * 365 * 86400.0, "api.clip.cafe answered 429.")
    state = other.state()
    assert state.blocked_until == clocks.clock(None) + timedelta(seconds=300)  # type: ignore[arg-type]
    assert state.blocked_why == "api.clip.cafe answered 429."
    assert state.next_at == state.blocked_until
    waits: list[float] = []
    before_s = clocks.true_s
    other.take(waits.append)
    assert clocks.true_s - before_s == pytest.approx(300, abs=1.0)
    assert waits[0] == pytest.approx(299, abs=1)
    assert len(waits) > 200
    assert mine.state().blocked_until is None
    mine.block(5.0)
    mine.block(-4.0)
    assert mine.state().blocked_until == clocks.clock(None) + timedelta(seconds=5)  # type: ignore[arg-type]


def test_a_clock_that_is_set_back_an_hour_makes_nobody_wait_an_hour(database: Database) -> None:
    """Who asks only how long the block lasts, as for a model's server, waits as long as any block may be, and not for ever anew."""
    clocks = Clocks()
    slots = clocks.slots(database, limit=1)
    slots.block(10.0, "Slow down.")
    clocks.epoch -= timedelta(hours=1)
    assert 0 < slots.blocked_s() <= 300
    clocks.true_s += 301.0
    assert slots.blocked_s() == 0


def test_who_waits_can_be_told_to_stop(database: Database) -> None:
    clocks = Clocks()
    slots = clocks.slots(database, limit=1)
    slots.take()

    def stop(_: float) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        slots.take(stop)
    assert len(slots.state().ticks) == 1


def test_the_screen_sees_ticks_and_the_next_slot(database: Database) -> None:
    clocks = Clocks()
    slots = clocks.slots(database, limit=2)
    assert slots.state().ticks == ()
    start = clocks.clock(None)  # type: ignore[arg-type]
    slots.answered(slots.take())
    clocks.true_s += 10
    slots.answered(slots.take())
    state = slots.state()
    assert state.ticks == (start, start + timedelta(seconds=10))
    assert state.next_at == start + timedelta(seconds=60.18)
    clocks.true_s += 55
    assert slots.state().ticks == (start + timedelta(seconds=10),)


def test_what_was_not_answered_counts_as_late_as_it_can_be(database: Database) -> None:
    clocks = Clocks()
    slots = clocks.slots(database, limit=1)
    start = clocks.clock(None)  # type: ignore[arg-type]
    slot = slots.take()
    assert slots.state().next_at == start + timedelta(seconds=60.18 + 1.44)
    clocks.true_s += 0.4
    slots.answered(slot)
    assert slots.state().next_at == start + timedelta(seconds=60.58)
    clocks.true_s += 30.0
    slots.answered(slot)  # said twice, it stays
    assert slots.state().next_at == start + timedelta(seconds=60.58)


def test_old_slots_are_forgotten(database: Database) -> None:
    clocks = Clocks()
    slots = clocks.slots(database, limit=3, window_s=10.0)
    for _ in range(60):
        slots.take()
    with database.read() as connection:
        assert connection.execute(select(func.count()).select_from(rate_slots)).scalar_one() <= 9


def test_a_quota_is_counted_refused_and_begins_anew(database: Database) -> None:
    clocks = Clocks()
    quota = MonthQuota(database, "api.clip.cafe downloads", 3, clock=clocks.clock)
    months = [quota.take() for _ in range(3)]
    assert (quota.state().n_used, quota.state().n_left) == (3, 0)
    for refuse in (quota.take, quota.check):
        with pytest.raises(QuotaReached) as caught:
            refuse()
        assert isinstance(caught.value, QuotaUsedUp)
        assert caught.value.resets_at == datetime(2026, 12, 1, tzinfo=UTC)
    quota.give_back(months[0])
    quota.take()
    clocks.epoch += timedelta(days=12)
    assert (quota.state().n_used, quota.state().n_left) == (0, 3)
    quota.take()


def test_a_quota_that_nobody_named_is_counted_and_holds_nothing_back(database: Database) -> None:
    quota = MonthQuota(database, "requests", None)
    for _ in range(5):
        quota.take()
    quota.check()
    assert (quota.state().n_used, quota.state().n_left) == (5, None)


def test_a_quota_is_never_overdrawn_by_many(database: Database) -> None:
    quota = MonthQuota(database, "requests", 7)
    outcomes: list[str] = []

    def take() -> None:
        try:
            quota.take()
            outcomes.append("taken")
        except QuotaReached:
            outcomes.append("refused")

    threads = [threading.Thread(target=take) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["refused"] * 5 + ["taken"] * 7


def test_the_migration_makes_the_same_tables(database: Database) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    import core.store.rate_tables  # noqa: F401
    from core.store.tables import metadata

    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        found = [change for change in compare_metadata(context, metadata) if "rate_" in str(change) or "month_quotas" in str(change)]
    assert not found


def test_a_workspace_of_the_version_before_gets_the_tables_and_keeps_its_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from core.store import database as opening
    from core.store.vocabulary import save_words

    monkeypatch.setattr(opening, "HEAD", "0001")
    old = Database(tmp_path / "home")
    with old.write() as connection:
        before = save_words(connection, {"refer": ("", "")}, language="en", is_demo=False)
    old.close()
    monkeypatch.undo()
    new = Database(tmp_path / "home")
    RateSlots(new, "host", 1, 60.0).take()
    MonthQuota(new, "requests", 1).take()
    with new.write() as connection:
        assert save_words(connection, {"refer": ("", "")}, language="en", is_demo=False) == before
    new.close()
