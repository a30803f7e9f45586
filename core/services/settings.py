"""Settings that people change while it runs; every change is an event with who and when. Keys are not here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from core.config import JUDGES, TRANSCRIBERS, parse_rate
from core.errors import Conflict, InvalidInput
from core.model.runs import USUAL_MIN_SCORE
from core.rules.prices import MAX_MODEL_CHARS, ModelPrice, price_edits, price_table
from core.store.database import Database
from core.store.tables import settings_events
from core.timing import as_utc, now

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
    "key_tests": {},
    "key_changes": None,
}
"""Name → value until somebody sets it. `is_strict` is the legacy rule: `education` and `context` both ≥ 0.9.

`clipcafe_…`, `judge`, `judge_model`, `transcriber`: as the variable of that name, which wins where it is set; None for its default.
`judge_in_flight`: clips judged at once. `search_max_age_days`: an older answer of a remote source is asked for anew. `prices`: edits of
`rules.prices.ModelPrice`, as JSON, in their order. `key_tests`, `key_changes`: what `core.services.keys` remembers; never a key.
"""

MAX_RATE_LIMIT = 100_000
MAX_RATE_WINDOW_S = 86_400.0
MAX_A_MONTH = 1_000_000_000


@dataclass(frozen=True, slots=True)
class SettingsChange:
    """One change, as the history shows it."""

    name: str
    value: Any
    actor: str
    set_at: datetime
    event_id: int


class Settings:
    """Reads and changes settings."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, name: str) -> Any:
        """The newest value. Raises: InvalidInput for a name that does not exist."""
        _require_known(name)
        query = select(settings_events.c.value).where(settings_events.c.name == name).order_by(settings_events.c.event_id.desc()).limit(1)
        with self._database.read() as connection:
            found = connection.execute(query).first()
        return DEFAULTS[name] if found is None else found.value

    def set(self, name: str, value: Any, *, actor: str) -> None:
        """Append a change. Raises: InvalidInput."""
        self.change({name: value}, actor=actor)

    def change(self, values: Mapping[str, Any], *, actor: str, seen: Mapping[str, int] | None = None) -> None:
        """Append several changes, or none of them.

        Args:
            seen: name → the event that the person saw when they changed it, 0 for the default; a name that is missing is not compared.

        Raises: InvalidInput; Conflict where somebody else changed one of them meanwhile.
        """
        for name, value in values.items():
            check_setting(name, value)
        with self._database.write() as connection:
            if seen:
                newest = _newest(connection)
                for name in values:
                    _require_seen(newest.get(name), seen.get(name))
            rows = [{"name": name, "value": value, "actor": actor, "set_at": now()} for name, value in values.items()]
            if rows:
                connection.execute(settings_events.insert(), rows)

    def amend(self, name: str, change: Callable[[Any], Any], *, actor: str) -> None:
        """Append what `change` makes of the newest value, in one unit of work. Raises: InvalidInput."""
        with self._database.write() as connection:
            found = _newest(connection).get(name)
            value = change(DEFAULTS[name] if found is None else found.value)
            check_setting(name, value)
            connection.execute(settings_events.insert().values(name=name, value=value, actor=actor, set_at=now()))

    def newest(self) -> dict[str, SettingsChange]:
        """The newest change of every setting that was ever changed."""
        with self._database.read() as connection:
            return _newest(connection)

    def history(self, *, limit: int = 50) -> list[SettingsChange]:
        """Newest first."""
        query = select(settings_events).order_by(settings_events.c.event_id.desc()).limit(limit)
        with self._database.read() as connection:
            return [_read(row) for row in connection.execute(query)]


def prices_of(settings: Settings) -> dict[str, ModelPrice]:
    """Model → its price: the list prices with the operator's edits over them."""
    return price_table(price_edits(settings.get("prices")))


def check_setting(name: str, value: Any) -> None:
    """Raises: InvalidInput for a setting that does not exist, or a value that it cannot have."""
    _require_known(name)
    check = CHECKS.get(name)
    if check is not None and not (value is None and DEFAULTS[name] is None):
        check(value)


def _require_known(name: str) -> None:
    if name not in DEFAULTS:
        raise InvalidInput(f"There is no setting {name!r}.", hint=f"There are: {', '.join(sorted(DEFAULTS))}.")


def _require_seen(newest: SettingsChange | None, seen_id: int | None) -> None:
    if seen_id is None or seen_id == (0 if newest is None else newest.event_id):
        return
    if newest is None:
        raise Conflict("This setting was put back meanwhile.", hint="Look at it again.")
    said = f"{newest.actor} changed {newest.name.replace('_', ' ')} to {newest.value!r} meanwhile; nothing of yours was saved."
    raise Conflict(said, hint="Save again to keep yours: both stand in the history.")


def _newest(connection: Connection) -> dict[str, SettingsChange]:
    last = select(func.max(settings_events.c.event_id)).group_by(settings_events.c.name)
    query = select(settings_events).where(settings_events.c.event_id.in_(last))
    return {row.name: _read(row) for row in connection.execute(query)}


def _read(row: Any) -> SettingsChange:
    return SettingsChange(row.name, row.value, row.actor, as_utc(row.set_at), row.event_id)


def _whole(what: str, least: int, most: int) -> Callable[[Any], None]:
    def check(value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise InvalidInput(f"{what} is a whole number from {least:,} to {most:,}, not {value!r}.")

    return check


def _one_of(what: str, names: tuple[str, ...]) -> Callable[[Any], None]:
    def check(value: Any) -> None:
        if value not in names:
            raise InvalidInput(f"{what} is one of {', '.join(names)}, not {value!r}.")

    return check


def _check_score(value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise InvalidInput(f"A least score is a number from 0 to 1, not {value!r}.")


def _check_flag(value: Any) -> None:
    if not isinstance(value, bool):
        raise InvalidInput(f"The strict rule is on or off, not {value!r}.")


def _check_rate(value: Any) -> None:
    try:
        limit, window_s = parse_rate(value)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"A rate looks like 10/60s, not {value!r}.", hint="At most 10 requests in any 60 seconds.") from error
    if limit > MAX_RATE_LIMIT or window_s > MAX_RATE_WINDOW_S:
        raise InvalidInput(f"A rate is at most {MAX_RATE_LIMIT:,} requests in a window of at most a day, not {value}.")


def _check_model(value: Any) -> None:
    if not isinstance(value, str) or not value.strip() or len(value) > MAX_MODEL_CHARS or not value.isprintable():
        raise InvalidInput(f"A judge's model is a name of at most {MAX_MODEL_CHARS} characters, such as gpt-4o-mini.")


CHECKS: dict[str, Callable[[Any], object]] = {
    "want": _whole("A want", 1, 20),
    "min_score": _check_score,
    "is_strict": _check_flag,
    "clipcafe_rate": _check_rate,
    "clipcafe_requests_per_month": _whole("A plan's requests a month", 0, MAX_A_MONTH),
    "clipcafe_downloads_per_month": _whole("A plan's downloads a month", 0, MAX_A_MONTH),
    "judge": _one_of("The judge", JUDGES),
    "judge_model": _check_model,
    "transcriber": _one_of("The recogniser", TRANSCRIBERS),
    "judge_in_flight": _whole("How many clips are judged at once", 1, 64),
    "search_max_age_days": _whole("The age of a search in days", 1, 3650),
    "prices": price_edits,
}
"""Setting → what its value must be; a setting whose default is None can be None again."""
