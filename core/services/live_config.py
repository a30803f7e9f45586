"""The settings as they are now: what the operator started with, files that were changed since, and what was chosen in Settings."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from core.config import Config, parse_rate
from core.errors import ConfigError
from core.services.settings import Settings
from core.store.database import Database
from core.store.tables import settings_events

log = logging.getLogger("wordreel.config")

FILES = (".env", ".env.secrets")
FIXED = ("home_path", "host", "port", "database_url", "media_url")
"""What a process keeps as it started: changing it takes a new start."""

CHOSEN: dict[str, str] = {
    "clipcafe_rate": "CLIPCAFE_RATE",
    "clipcafe_requests_per_month": "CLIPCAFE_REQUESTS_PER_MONTH",
    "clipcafe_downloads_per_month": "CLIPCAFE_DOWNLOADS_PER_MONTH",
    "judge": "JUDGE",
    "judge_model": "JUDGE_MODEL",
    "transcriber": "TRANSCRIBER",
}
"""Setting (and attribute of Config) → variable, which wins where it is set."""


@dataclass(frozen=True, slots=True)
class Version:
    """What the settings were read from; equal versions read the same."""

    files: tuple[tuple[int, int], ...]
    newest_event_id: int


class LiveConfig:
    """`now()` is the configuration of this moment. Safe to share between threads.

    Args:
        given: as the process started. reload: reads environment and files again; None where `given` came from no file.
    """

    def __init__(self, given: Config, database: Database, settings: Settings, reload: Callable[[], Config] | None = None) -> None:
        self._given = given
        self._database = database
        self._settings = settings
        self._reload = reload
        self._lock = threading.Lock()
        self._known: tuple[Version, Config] | None = None
        self.fault = ""
        """Why a changed file is not followed; empty while all is well."""

    def now(self) -> Config:
        """The same object as long as nothing changed. A file that cannot be read as settings is not followed, and `fault` says so."""
        version = self._version()
        with self._lock:
            if self._known is None or self._known[0] != version:
                self._known = (version, self._read())
            return self._known[1]

    def _version(self) -> Version:
        with self._database.read() as connection:
            newest = connection.execute(select(func.max(settings_events.c.event_id))).scalar_one() or 0
        return Version(tuple(_stamp(self._given.root_path / name) for name in FILES) if self._reload else (), int(newest))

    def _read(self) -> Config:
        config = self._given
        if self._reload is not None:
            try:
                config = self._reload()
                self.fault = ""
            except ConfigError as error:
                self.fault = error.message
                log.error("%s", error.message)
                config = self._known[1] if self._known else self._given
            config = replace(config, **{name: getattr(self._given, name) for name in FIXED})
        chosen: dict[str, Any] = {}
        for name, variable in CHOSEN.items():
            value = self._settings.get(name)
            if variable not in config.origins and value is not None:
                chosen[name] = parse_rate(value) if name == "clipcafe_rate" else value
        return replace(config, **chosen)


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return (found.st_mtime_ns, found.st_size)
