"""The line in which one process's requests to ClipCafe stand before the rate slots.

Only its head asks the database for a slot: thirty threads that wait cost no more than one. What a person or a short-lived link
waits for goes before searches; else first come, first served.
"""

from __future__ import annotations

import bisect
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from core.rules.rates import RateLimit
from core.store.rate_slots import Slot, Wait

POLL_S = 1.0
"""Who waits is told at least so often, and the head looks again: a block may have come or gone."""

OPENING_RATIO = 0.7
"""Of a window that begins idle, what searches may use before the first download goes out: else its clip, which somebody waits to judge,
would have to wait for the next window."""
HOLD_RATIO = 0.25
"""Of a window, how long the rest is held for it."""
HOLD_POLL_S = 0.1
LEAST_LIMIT = 5
"""A smaller window has nothing to spare."""


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


@dataclass(slots=True)
class Opening:
    """The first window after an idle one. Only the head of the line looks at it."""

    n_searches: int = 0
    """Sent since it opened."""
    opened_s: float = -math.inf
    last_s: float = -math.inf
    is_over: bool = False
    """A download went out."""

    def holds_s(self, place: Place, rate: RateLimit | None, now_s: float) -> float:
        """For how long at most this request is held back; 0: not."""
        if rate is None or rate.limit < LEAST_LIMIT or place.rank == 0 or (self.is_over and now_s - self.last_s <= rate.window_s):
            return 0.0
        if now_s - self.last_s > rate.window_s:
            self.n_searches, self.opened_s, self.is_over = 0, now_s, False
        if self.n_searches < max(1, int(rate.limit * OPENING_RATIO)):
            return 0.0
        return max(0.0, self.opened_s + rate.window_s * HOLD_RATIO - now_s)

    def gave(self, place: Place, now_s: float) -> None:
        """A slot was given to it."""
        self.n_searches += place.rank != 0
        self.is_over = self.is_over or place.rank == 0
        self.last_s = now_s


class Line:
    """One for all that goes to ClipCafe from this process, whatever becomes of the limits. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Place] = []
        self._n_joined = 0
        self._head_wait_s = 0.0
        self._opening = Opening()

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
        self,
        place: Place,
        reserve: Callable[[], Slot | Wait],
        on_wait: Callable[[float], None] | None = None,
        rate: RateLimit | None = None,
    ) -> Slot:
        """Stand there until `reserve` gives a slot, which only the head of the line asks for.

        Args:
            on_wait: told every second or so for about how long it will still be; may raise to leave the line.
            rate: of the slots; None: nothing is held back, and nothing is guessed.
        """
        pace_s = 0.0 if rate is None else rate.window_s / rate.limit
        with self._lock:
            bisect.insort(self._waiting, place)
        try:
            while True:
                with self._lock:
                    n_before = self._waiting.index(place)
                    place.is_next.clear()
                held_s = self._opening.holds_s(place, rate, time.monotonic()) if n_before == 0 else 0.0
                if held_s > 0:
                    self._head_wait_s = held_s
                elif n_before == 0:
                    found = reserve()
                    if isinstance(found, Slot):
                        self._opening.gave(place, time.monotonic())
                        return found
                    self._head_wait_s = found.wait_s
                wait_s = self._head_wait_s + n_before * pace_s
                if on_wait is not None:
                    on_wait(wait_s)
                place.is_next.wait(POLL_S if n_before else min(wait_s, HOLD_POLL_S if held_s else POLL_S))
        finally:
            self._leave(place)

    def _leave(self, place: Place) -> None:
        with self._lock:
            self._waiting.remove(place)
            if self._waiting:
                self._waiting[0].is_next.set()
