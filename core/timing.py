"""Time: exact inside a file (`pts` and `time_base`), seconds outside it. Ranges are half-open."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction


def now() -> datetime:
    """This moment, aware, in UTC."""
    return datetime.now(UTC)


def as_utc(moment: datetime) -> datetime:
    """The same moment as aware UTC; a naive one (SQLite hands them back so) is taken as UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class MediaTime:
    """An exact moment of one stream."""

    pts: int
    time_base: Fraction

    @property
    def seconds(self) -> float:
        return float(self.pts * self.time_base)

    @classmethod
    def at(cls, seconds: float, time_base: Fraction) -> MediaTime:
        """The last tick of `time_base` at or before `seconds`."""
        return cls(int(Fraction(seconds) / time_base // 1), time_base)


@dataclass(frozen=True, slots=True)
class Span:
    """`[start_s, end_s)` in seconds."""

    start_s: float
    end_s: float

    def __post_init__(self) -> None:
        if not self.start_s <= self.end_s:
            raise ValueError(f"A span cannot end ({self.end_s}) before it starts ({self.start_s}).")

    @property
    def duration_s(self) -> float:
        return self.end_s - self.start_s

    def overlap_s(self, other: Span) -> float:
        return max(0.0, min(self.end_s, other.end_s) - max(self.start_s, other.start_s))
