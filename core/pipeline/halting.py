"""Stopping in the middle of a stage: who waits asks here whether the run is still to be worked on."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from sqlalchemy import select

from core.model.runs import RunStatus
from core.pipeline.work import Halted, LostPatience
from core.store.database import Database
from core.store.tables import runs

STOPPED = (RunStatus.PAUSED, RunStatus.CANCELLED)
LOOK_S = 0.4
"""A run's status is read at most so often, whoever asks."""

_RUN_ID: ContextVar[str] = ContextVar("working_on", default="")
_PATIENCE_S: ContextVar[float] = ContextVar("patience_s", default=math.inf)


@contextmanager
def working_on(run_id: str) -> Iterator[None]:
    """While it is entered, this thread waits for the sake of this run."""
    token = _RUN_ID.set(run_id)
    try:
        yield
    finally:
        _RUN_ID.reset(token)


@contextmanager
def patient_for(wait_s: float) -> Iterator[None]:
    """While it is entered, this thread leaves a wait of which more than `wait_s` is left: LostPatience."""
    token = _PATIENCE_S.set(wait_s)
    try:
        yield
    finally:
        _PATIENCE_S.reset(token)


class PausePoint:
    """Tells waiting threads that their run was paused or cancelled. One a process; safe to share between threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._looked: dict[str, tuple[float, bool]] = {}

    def check(self, run_id: str = "") -> None:
        """Raises: Halted when the run (of this thread unless named) is paused or cancelled. Outside of a run nothing is asked."""
        run_id = run_id or _RUN_ID.get()
        if run_id and self._is_stopped(run_id):
            raise Halted(run_id)

    def on_wait(self, wait_s: float) -> None:
        """For adapters that wait, `wait_s` more: as `check`, for the run of this thread. Raises: Halted, LostPatience."""
        self.check()
        if wait_s > _PATIENCE_S.get():
            raise LostPatience

    def _is_stopped(self, run_id: str) -> bool:
        with self._lock:
            looked_s, was_stopped = self._looked.get(run_id, (-LOOK_S, False))
        if time.monotonic() - looked_s < LOOK_S:
            return was_stopped
        with self._database.read() as connection:
            status = connection.execute(select(runs.c.status).where(runs.c.run_id == run_id)).scalar_one_or_none()
        with self._lock:
            if len(self._looked) > 200:
                self._looked.clear()
            self._looked[run_id] = (time.monotonic(), status in STOPPED)
        return status in STOPPED
