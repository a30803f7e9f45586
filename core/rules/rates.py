"""When the next request may go out, so that no window ever holds more than a provider's plan allows.

Moments here are seconds on the database's clock, which can jump; `Settled` keeps the reserved slots right across a jump. All
corrections make a slot look newer, never older, so that an error costs waiting and not the provider's trust.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

SAFETY_RATIO = 0.02
"""Added to the window: half for a sender that is late, half for what a network adds or takes. 98 % of the limit stays usable."""
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
        """Between a request and the one `limit` places after it."""
        return self.window_s * (1 + SAFETY_RATIO)

    @property
    def grace_s(self) -> float:
        """How late a request may go out after its slot; a later one needs a new slot."""
        return self.window_s * SAFETY_RATIO / 2

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
    """In order; none is later than the horizon."""
    blocked_until_s: float
    reference_s: float
    """Clock minus counter, to be kept for this machine."""
    is_changed: bool


def settle(
    slots: Sequence[float], blocked_until_s: float, limit: RateLimit, reading: ClockReading, reference_s: float | None, max_block_s: float
) -> Settled:
    """The slots after a jump of the clock, if there was one.

    Forwards: everything moves with the clock, so that a slot stays as young as it is. Backwards: what would lie in the future is
    taken as reserved just now. A machine that is seen for the first time (it was started anew) cannot know what its clock did
    meanwhile: a slot counts as no older than the machine's start.

    Args:
        slots: moments reserved, in any order. reference_s: what `Settled.reference_s` was for this machine, None when never.
        max_block_s: no block reaches further ahead than this.
    """
    offset_s = reading.now_s - reading.counter_s
    jump_s = 0.0 if reference_s is None else offset_s - reference_s
    latest_s = reading.now_s + limit.horizon_s
    ahead_s = jump_s if jump_s > JUMP_S else 0.0
    youngest_s = reading.before_s if reference_s is None and reading.before_s is not None else None
    moved = sorted(min(max(at_s + ahead_s, at_s if youngest_s is None else youngest_s), latest_s) for at_s in slots)
    blocked_s = min(blocked_until_s + ahead_s, reading.now_s + max_block_s) if blocked_until_s else 0.0
    kept_s = offset_s if reference_s is None or abs(jump_s) > JUMP_S else reference_s
    is_changed = moved != sorted(slots) or blocked_s != blocked_until_s or kept_s != reference_s
    return Settled(tuple(moved), blocked_s, kept_s, is_changed)


def next_slot_s(slots: Sequence[float], limit: RateLimit, now_s: float, blocked_until_s: float = 0.0) -> float:
    """The first moment, now or later, at which one more request keeps every window within the limit.

    `slots` are in order. Slots are handed out in order of time: of any `limit + 1` in a row, the last is `spacing_s` after the first.
    """
    at_s = max(now_s, blocked_until_s)
    if slots:
        at_s = max(at_s, slots[-1])
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
