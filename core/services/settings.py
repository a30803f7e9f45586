"""Settings that people change while it runs; every change is an event with who and when. Keys are not here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from core.errors import InvalidInput
from core.model.runs import USUAL_MIN_SCORE
from core.store.database import Database
from core.store.tables import settings_events
from core.timing import now

DEFAULTS: dict[str, Any] = {
    "want": 3,
    "min_score": USUAL_MIN_SCORE,
    "is_strict": False,
    "demo_removed": False,
    "library_paths": [],
    "clipcafe_rate": None,
    "clipcafe_requests_per_month": None,
    "clipcafe_downloads_per_month": None,
    "judge": None,
    "judge_model": None,
    "transcriber": None,
    "judge_in_flight": 8,
    "search_max_age_days": 90,
    "prices": [],
}
"""Name → value until somebody sets it. `is_strict` is the legacy rule: `education` and `context` both ≥ 0.9.

`clipcafe_…`, `judge`, `judge_model`, `transcriber`: as the variable of that name, which wins where it is set; None for its default.
`judge_in_flight`: clips judged at once. `search_max_age_days`: an older answer of a remote source is asked for anew. `prices`: edits of
`rules.prices.ModelPrice`, as JSON, in their order.
"""


@dataclass(frozen=True, slots=True)
class SettingsChange:
    """One change, as the history shows it."""

    name: str
    value: Any
    actor: str
    set_at: datetime


class Settings:
    """Reads and changes settings."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, name: str) -> Any:
        """The newest value. Raises: InvalidInput for a name that does not exist."""
        if name not in DEFAULTS:
            raise InvalidInput(f"There is no setting {name!r}.", hint=f"There are: {', '.join(sorted(DEFAULTS))}.")
        query = select(settings_events.c.value).where(settings_events.c.name == name).order_by(settings_events.c.event_id.desc()).limit(1)
        with self._database.read() as connection:
            found = connection.execute(query).first()
        return DEFAULTS[name] if found is None else found.value

    def set(self, name: str, value: Any, *, actor: str) -> None:
        """Append a change. Raises: InvalidInput."""
        self.get(name)
        if name == "want" and not (isinstance(value, int) and 1 <= value <= 20):
            raise InvalidInput(f"A want is a whole number from 1 to 20, not {value!r}.")
        if name == "min_score" and not (isinstance(value, (int, float)) and 0 <= value <= 1):
            raise InvalidInput(f"A least score is a number from 0 to 1, not {value!r}.")
        with self._database.write() as connection:
            connection.execute(settings_events.insert().values(name=name, value=value, actor=actor, set_at=now()))

    def history(self, *, limit: int = 50) -> list[SettingsChange]:
        """Newest first."""
        query = select(settings_events).order_by(settings_events.c.event_id.desc()).limit(limit)
        with self._database.read() as connection:
            return [SettingsChange(row.name, row.value, row.actor, row.set_at) for row in connection.execute(query)]
