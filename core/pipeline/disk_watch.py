"""Runs that were paused for want of room go on by themselves when there is some."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from core.model.runs import RunStatus, StopCause
from core.pipeline.run_control import RunControl
from core.store.database import Database
from core.store.tables import runs

AMPLE_BYTES = 1_000_000_000
"""So much room is always tried."""
GAINED_BYTES = 20_000_000
"""With less, it is tried at once when somebody freed at least so much since the run was seen to be paused."""
LEAST_BYTES = 5_000_000
"""With so much it is tried now and then, at doubling intervals: what was freed before we looked cannot be seen. A try spends nothing,
since a download is not begun without room for it."""
TRY_S = 30.0
"""A run that fills the disk again is tried again so often at most."""
LONGEST_S = 600.0
"""Between two tries for which nothing speaks but time."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A paused run as it was first seen, or last tried."""

    free_bytes: int
    tried_s: float
    wait_s: float
    """Until it is tried without any sign of room."""


class DiskWatch:
    """A round for the worker's janitor. `paths`: every folder in which a run writes."""

    def __init__(self, database: Database, control: RunControl, paths: Sequence[Path]) -> None:
        self._database = database
        self._control = control
        self._paths = tuple(paths)
        self._seen: dict[str, Seen] = {}

    def look(self) -> int:
        """Resume the runs for which there is room now; how many."""
        query = select(runs.c.run_id).where(runs.c.status == RunStatus.PAUSED, runs.c.stopped_for == StopCause.DISK)
        with self._database.read() as connection:
            paused = list(connection.execute(query).scalars())
        self._seen = {
            run_id: seen for run_id, seen in self._seen.items() if run_id in paused or time.monotonic() - seen.tried_s < LONGEST_S
        }
        if not paused:
            return 0
        free_bytes = min(shutil.disk_usage(path).free for path in self._paths if path.exists())
        ready = [run_id for run_id in paused if self._has_room(run_id, free_bytes)]
        n_resumed = 0
        for run_id in ready:
            wait_s = min(2 * self._seen[run_id].wait_s, LONGEST_S)
            self._seen[run_id] = Seen(free_bytes, time.monotonic(), wait_s)
            n_resumed += self._control.resume_if_stopped_for(run_id, StopCause.DISK)
        return n_resumed

    def _has_room(self, run_id: str, free_bytes: int) -> bool:
        seen = self._seen.get(run_id)
        if seen is None:
            self._seen[run_id] = Seen(free_bytes, time.monotonic() - TRY_S, 2 * TRY_S)
            return free_bytes >= AMPLE_BYTES
        waited_s = time.monotonic() - seen.tried_s
        if waited_s < TRY_S:
            return False
        is_due = waited_s >= seen.wait_s and free_bytes >= LEAST_BYTES
        return is_due or free_bytes >= max(AMPLE_BYTES, seen.free_bytes) or free_bytes >= seen.free_bytes + GAINED_BYTES
