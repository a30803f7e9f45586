"""Figures as people read them: sizes, moments, durations, shares."""

from __future__ import annotations

from datetime import datetime, timedelta
from math import ceil


def size(n_bytes: int) -> str:
    """`2.1 MB`, `104.2 MB`, `1.3 GB` (decimal, as disks are sold)."""
    value = float(n_bytes)
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if value < 1000 or unit == "TB":
            return f"{value:,.0f} {unit}" if unit in ("bytes", "kB") else f"{value:,.1f} {unit}"
        value /= 1000
    raise AssertionError


def moment(at: datetime | None) -> str:
    """`20 Nov 08:12`, in this machine's time."""
    return "" if at is None else at.astimezone().strftime("%-d %b %H:%M")


def day(at: datetime | None) -> str:
    """`18 Nov`, in this machine's time."""
    return "" if at is None else at.astimezone().strftime("%-d %b")


def ago(past: timedelta) -> str:
    """`just now`, `2 min ago`, `3 h ago`, `12 days ago`."""
    seconds = past.total_seconds()
    if seconds < 60:
        return "just now"
    if seconds < 3600:
        return f"{int(seconds // 60)} min ago"
    if seconds < 86_400:
        return f"{int(seconds // 3600)} h ago"
    return count(int(seconds // 86_400), "day") + " ago"


def duration(seconds: float | None) -> str:
    """`4 s`, `7:42 min`, `1 h 42 min`."""
    if seconds is None:
        return "not known"
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds >= 10 or seconds == int(seconds) else f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{int(seconds // 60)}:{int(seconds % 60):02d} min"
    return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60)} min"


def roughly(seconds: float) -> str:
    """For what is only estimated: `40 s`, `8 min`, `1 h 42 min`, rounded up."""
    if seconds <= 90:
        return f"{ceil(seconds)} s"
    minutes = ceil(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def percent(part: int, whole: int) -> str:
    """`71 %`; of nothing it is a dash."""
    return f"{100 * part / whole:.0f} %" if whole else "–"


def whole_figures(text: str) -> str:
    """A sentence in which no line ends inside `n = 5` or `82 %`."""
    return text.replace("n = ", "n\u00a0=\u00a0").replace(" %", "\u00a0%")


def model_name(told: str) -> str:
    """`openai gpt-4o-mini` as it is; `rubric-1` for `rubric rubric-1`, whose model repeats the provider's name."""
    provider, _, model = told.partition(" ")
    return model if model.startswith(provider) else told


def count(n: int, noun: str, plural: str = "") -> str:
    """`1 clip`, `1,204 clips`."""
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"
