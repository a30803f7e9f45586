"""Rate slots: no window ever holds more than the limit, whatever the clock does, and nobody waits more than a window."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.rules.rates import ClockReading, RateLimit, fastest_s, month_of, next_month, next_slot_s, settle

TEN = RateLimit(10, 60.0)


class World:
    """One table of slots, machines with counters that never jump, and a database clock that does. True time is `true_s`."""

    def __init__(self, limit: RateLimit) -> None:
        self.limit = limit
        self.true_s = 1000.0
        self.clock_ahead_s = 5_000_000.0
        self.slots: tuple[float, ...] = ()
        self.blocked_s = 0.0
        self.references: dict[str, float] = {}
        self.sent: list[float] = []
        self.chance = random.Random(7)

    def ask(self, machine: str = "a", *, before_s: float | None = None) -> float:
        """Reserve as the store does; how long to wait where there is no slot, else 0 (the request went out)."""
        reading = ClockReading(self.true_s + self.clock_ahead_s, self.true_s, self.true_s, machine, before_s)
        settled = settle(self.slots, self.blocked_s, self.limit, reading, self.references.get(machine), 300.0)
        self.slots, self.blocked_s = settled.slots, settled.blocked_until_s
        self.references = {name: reference_s - settled.behind_s for name, reference_s in self.references.items()}
        self.references[machine] = settled.reference_s
        wait_s = next_slot_s(self.slots, self.limit, reading.now_s, self.blocked_s) - reading.now_s
        if wait_s <= self.limit.horizon_s:
            late_s = self.limit.late_s if self.chance.random() < 0.5 else self.chance.random() * self.limit.late_s
            self.slots = (*self.slots, reading.now_s + wait_s + late_s)
            self.sent.append(self.true_s + wait_s + self.chance.random() * late_s)  # when the provider counts it
            return 0.0
        return wait_s

    def most_in_a_window(self) -> int:
        sent = sorted(self.sent)
        return max((sum(1 for other in sent if at <= other <= at + self.limit.window_s) for at in sent), default=0)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.sampled_from(["a", "b"])),
        st.tuples(st.just("wait"), st.floats(0.0, 40.0)),
        st.tuples(st.just("jump"), st.sampled_from([-3600.0, 3600.0, -30.0, 30.0, -0.5, 0.5, 61.0])),
    ),
    max_size=60,
)


@example([("jump", -3600.0), ("ask", "b"), ("jump", 3600.0), ("ask", "a")], 1)
@settings(max_examples=400)
@given(STEPS, st.integers(1, 5))
def test_no_window_holds_more_than_the_limit_and_no_wait_is_longer_than_one(steps: list[tuple[str, object]], n: int) -> None:
    world = World(RateLimit(n, 60.0))
    for machine in ("a", "b"):  # both have looked before the first jump
        world.ask(machine)
    for kind, value in steps:
        if kind == "ask":
            assert world.ask(str(value)) <= world.limit.spacing_s + world.limit.horizon_s + world.limit.late_s + 1e-6
        elif kind == "wait":
            world.true_s += float(value)  # type: ignore[arg-type]
        else:
            world.clock_ahead_s += float(value)  # type: ignore[arg-type]
    assert world.most_in_a_window() <= n


def test_an_unbroken_stream_uses_at_least_97_per_cent() -> None:
    world = World(TEN)
    start_s = world.true_s
    while world.true_s < start_s + 6000:
        wait_s = world.ask()
        world.true_s += wait_s - world.limit.horizon_s + 0.01 if wait_s else 0.0
    assert world.most_in_a_window() == 10
    assert len([at for at in world.sent if at < start_s + 6000]) >= 0.97 * 1000


@pytest.mark.parametrize("jump_s", [3600.0, -3600.0])
def test_a_jump_of_an_hour_neither_opens_nor_closes_the_gate(jump_s: float) -> None:
    world = World(TEN)
    for _ in range(10):
        assert world.ask() == 0.0
    world.clock_ahead_s += jump_s
    assert 59.0 < world.ask() <= 62.7  # a window, a late arrival and the horizon
    world.true_s += 62.7
    assert world.ask() == 0.0


def test_a_machine_started_anew_does_not_trust_the_clock_over_its_own_age() -> None:
    world = World(TEN)
    for _ in range(10):
        world.ask("first start")
    world.clock_ahead_s += 3600.0
    world.true_s += 20.0
    now_s = world.true_s + world.clock_ahead_s
    assert 40.0 < world.ask("second start", before_s=now_s - 15.0) < 48.0


def test_a_block_holds_for_everyone_and_a_jump_does_not_make_it_endless() -> None:
    world = World(TEN)
    world.ask()
    world.blocked_s = world.true_s + world.clock_ahead_s + 120.0
    assert 119.0 < world.ask("b") <= 120.0
    world.clock_ahead_s -= 3600.0
    assert world.ask() <= 300.0
    world.clock_ahead_s += 7200.0
    assert 100.0 < world.ask() <= 300.0


def test_the_screen_can_say_how_long_it_takes() -> None:
    assert fastest_s(10, TEN) == 0.0
    assert fastest_s(11, TEN) == pytest.approx(60.18)
    assert fastest_s(4889 + 2000, TEN) / 3600 == pytest.approx(11.5, abs=0.05)
    assert fastest_s(0, TEN) == 0.0


def test_months_are_utc() -> None:
    late = datetime(2026, 12, 31, 23, 30, tzinfo=timezone(timedelta(hours=-5)))
    assert month_of(late) == "2027-01"
    assert next_month(late) == datetime(2027, 2, 1, tzinfo=UTC)
    assert next_month(datetime(2026, 12, 1, tzinfo=UTC)) == datetime(2027, 1, 1, tzinfo=UTC)
