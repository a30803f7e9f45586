"""The line in which one process's requests to ClipCafe stand before the rate slots.

Only its head asks the database for a slot: thirty threads that wait cost no more than one. What a person or a short-lived link
waits for goes before searches; else first come, first served.
"""

from __future__ import annotations

import bisect
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from core.store.rate_slots import Slot, Wait

POLL_S = 1.0
"""Who waits is told at least so often, and the head looks again: a block may have come or gone."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where one request stands; it keeps its place when it is tried again."""

    rank: int
    """0 goes before 1, whenever it came."""
    number: int
    is_next: threading.Event = field(compare=False, repr=False)
    """Set when those before have gone."""

    def ahead(self) -> Place:
        """The same request before all searches: it is under way, and its time runs."""
        return Place(0, self.number, self.is_next)


class Line:
    """One for all that goes to ClipCafe from this process, whatever becomes of the limits. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Place] = []
        self._n_joined = 0
        self._head_wait_s = 0.0

    @property
    def n_waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def join(self, *, is_first: bool) -> Place:
        """A place behind all of its kind. `is_first`: before searches."""
        with self._lock:
            self._n_joined += 1
            return Place(0 if is_first else 1, self._n_joined, threading.Event())

    def wait(
        self, place: Place, reserve: Callable[[], Slot | Wait], on_wait: Callable[[float], None] | None = None, pace_s: float = 0.0
    ) -> Slot:
        """Stand there until `reserve` gives a slot, which only the head of the line asks for.

        Args:
            on_wait: told every second or so for about how long it will still be; may raise to leave the line.
            pace_s: between two slots when all are used, for that guess.
        """
        with self._lock:
            bisect.insort(self._waiting, place)
        try:
            while True:
                with self._lock:
                    n_before = self._waiting.index(place)
                    place.is_next.clear()
                if n_before == 0:
                    found = reserve()
                    if isinstance(found, Slot):
                        return found
                    self._head_wait_s = found.wait_s
                wait_s = self._head_wait_s + n_before * pace_s
                if on_wait is not None:
                    on_wait(wait_s)
                place.is_next.wait(POLL_S if n_before else min(wait_s, POLL_S))
        finally:
            self._leave(place)

    def _leave(self, place: Place) -> None:
        with self._lock:
            self._waiting.remove(place)
            if self._waiting:
                self._waiting[0].is_next.set()
