"""When the next request may go out, so that no window ever holds more than a provider's plan allows.

Moments here are seconds on the database's clock, which can jump; `Settled` keeps the reserved slots right across a jump. All
corrections make a slot look newer, never older, so that an error costs waiting and not the provider's trust.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

MARGIN_RATIO = 0.003
"""Added to the window, for clocks that round."""
LATE_RATIO = 0.024
"""Of the window: how late a request may reach the provider after its slot. Until its answer proves that it was counted sooner, it is
taken to be so late: at least 97 % of the limit stays usable, and nearly all where answers are quick."""
MAX_HORIZON_S = 1.0
"""No slot is reserved further ahead: what a killed worker wastes is bounded by this."""
JUMP_S = 0.05
"""A clock that moved by less against the machine's own counter did not jump: readings take time."""


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `limit` requests in any `window_s` seconds."""

    limit: int
    window_s: float

    @property
    def spacing_s(self) -> float:
        """Between the moment by which a request was counted and the sending of the one `limit` places after it."""
        return self.window_s * (1 + MARGIN_RATIO)

    @property
    def late_s(self) -> float:
        """How long after its slot a request may reach the provider."""
        return self.window_s * LATE_RATIO

    @property
    def grace_s(self) -> float:
        """How late a request may go out after its slot; a later one needs a new slot. The rest is the network's."""
        return self.late_s / 2

    @property
    def horizon_s(self) -> float:
        """How far ahead a slot may be reserved."""
        return min(MAX_HORIZON_S, self.window_s / 20)


@dataclass(frozen=True, slots=True)
class ClockReading:
    """The database's clock and the machine's own counter, which never jumps, read one after the other."""

    now_s: float
    counter_s: float
    asked_s: float
    """The counter just before the clock was read."""
    machine: str
    """One start of one machine; where that cannot be told, the machine."""
    before_s: float | None = None
    """Slots of another start of the machine are at least so old: its counter began then. None where others share the database."""


@dataclass(frozen=True, slots=True)
class Settled:
    """Reserved slots as they stand after a look at the clock."""

    slots: tuple[float, ...]
    """By when each request is counted, in order; none is later than the horizon and a late arrival."""
    blocked_until_s: float
    reference_s: float
    """Clock minus counter, to be kept for this machine."""
    behind_s: float
    """How far the clock was set back: as much is taken off what is kept for every other machine, else it would miss the way forwards."""
    is_changed: bool


def settle(
    slots: Sequence[float], blocked_until_s: float, limit: RateLimit, reading: ClockReading, reference_s: float | None, max_block_s: float
) -> Settled:
    """The slots after a jump of the clock, if there was one.

    Forwards: everything moves with the clock, so that a slot stays as young as it is. Backwards: what would lie in the future is
    taken as reserved just now. A machine that is seen for the first time (it was started anew) cannot know what its clock did
    meanwhile: a slot counts as no older than the machine's start.

    Args:
        slots: by when each request is counted, in any order. reference_s: what `Settled.reference_s` was for this machine, None when never.
        max_block_s: no block reaches further ahead than this.
    """
    offset_s = reading.now_s - reading.counter_s
    jump_s = 0.0 if reference_s is None else offset_s - reference_s
    latest_s = reading.now_s + limit.horizon_s + limit.late_s
    ahead_s = jump_s if jump_s > JUMP_S else 0.0
    youngest_s = reading.before_s if reference_s is None and reading.before_s is not None else None
    moved = sorted(min(max(at_s + ahead_s, at_s if youngest_s is None else youngest_s), latest_s) for at_s in slots)
    blocked_s = min(blocked_until_s + ahead_s, reading.now_s + max_block_s) if blocked_until_s else 0.0
    kept_s = offset_s if reference_s is None or abs(jump_s) > JUMP_S else reference_s
    set_back_s = max(0.0, -jump_s, max(slots, default=latest_s) + ahead_s - latest_s)
    behind_s = set_back_s if set_back_s > JUMP_S else 0.0
    is_changed = moved != sorted(slots) or blocked_s != blocked_until_s or kept_s != reference_s or behind_s > 0
    return Settled(tuple(moved), blocked_s, kept_s, behind_s, is_changed)


def next_slot_s(slots: Sequence[float], limit: RateLimit, now_s: float, blocked_until_s: float = 0.0) -> float:
    """The first moment, now or later, at which one more request keeps every window within the limit.

    `slots`, in order, say by when each request is counted at the latest: `late_s` after its own slot until it is answered. Slots are
    handed out in order of time, so that none is squeezed in before one that was handed out already.
    """
    at_s = max(now_s, blocked_until_s)
    if slots:
        at_s = max(at_s, slots[-1] - limit.late_s)
    if len(slots) >= limit.limit:
        at_s = max(at_s, slots[-limit.limit] + limit.spacing_s)
    return at_s


def month_of(now: datetime) -> str:
    """`2026-11`: quotas of a month are counted in UTC."""
    return now.astimezone(UTC).strftime("%Y-%m")


def next_month(now: datetime) -> datetime:
    """The first of the next month, 00:00 UTC: when a quota begins anew."""
    here = now.astimezone(UTC)
    return datetime(here.year + here.month // 12, here.month % 12 + 1, 1, tzinfo=UTC)


def fastest_s(n_requests: int, limit: RateLimit) -> float:
    """The shortest time in which `n_requests` can go out under the limit, from an idle start."""
    return max(0, (n_requests - 1) // limit.limit) * limit.spacing_s
