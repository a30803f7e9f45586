"""What a run chose to download, window by window, with why; for its page. Reads only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from core.model.runs import RunStatus
from core.services.run_progress import RunProgress
from core.store.choices import ChoiceRow, choices_of_run, n_choices
from core.store.database import Database

OUTCOMES = {
    "ok": "On the desk",
    "chosen": "Being fetched",
    "waiting": "Waits, place kept",
    "not_heard": "Not heard",
    "failed": "Failed",
    "spare": "Spare, enough by then",
}


@dataclass(frozen=True, slots=True)
class ChoiceWindow:
    """Clips that were chosen at one time, the most promising first."""

    number: int
    """Counts from 1."""
    chosen_at: datetime
    choices: tuple[ChoiceRow, ...]

    @property
    def expected(self) -> float:
        """Approved words that its downloads were expected to bring."""
        return sum(choice.expected for choice in self.choices)


@dataclass(frozen=True, slots=True)
class ChoiceCount:
    """All choices of a run."""

    n_windows: int
    n_clips: int
    expected: float


def count_choices(database: Database, run_id: str) -> ChoiceCount:
    """How many clips were chosen, in how many windows."""
    with database.read() as connection:
        return ChoiceCount(*n_choices(connection, run_id))


def read_choices(database: Database, run_id: str, *, limit: int) -> list[ChoiceWindow]:
    """The newest windows, newest first; the last of them may be cut at `limit` clips."""
    with database.read() as connection:
        return list(_windows(choices_of_run(connection, run_id, limit=limit)))


def outcome_of(choice: ChoiceRow, progress: RunProgress) -> str:
    """What became of a chosen clip, for people."""
    if choice.outcome == "chosen" and progress.run.status is not RunStatus.RUNNING:
        return "Not fetched yet"
    return OUTCOMES.get(choice.outcome, choice.outcome.replace("_", " "))


def _windows(choices: list[ChoiceRow]) -> Iterator[ChoiceWindow]:
    for number, found in groupby(choices, key=lambda choice: choice.window):
        rows = tuple(found)
        yield ChoiceWindow(number, min(row.chosen_at for row in rows), rows)
