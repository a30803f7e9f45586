"""One counted request to ClipCafe: a rate slot, the quotas, the ledger, and another try where that is right."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import local

import httpx

from core.adapters.clipcafe_line import Line, Place
from core.errors import BadAnswer, NotSent, ProviderError, ProviderUnavailable, QuotaReached, RateLimited, StoreError
from core.model.calls import Answer, PaidCall
from core.ports import CallLedger
from core.store.database import Database
from core.store.ledger_rows import is_answered
from core.store.rate_slots import MonthQuota, RateSlots, Slot

log = logging.getLogger("wordreel.clipcafe")

TRIES = 3
"""Of a request that was not answered, or not by ClipCafe; between them a pause."""
TRIES_WHEN_LIMITED = 8
"""Of a request that was answered 429; in between everybody waits as it asked."""
TRIES_WHEN_MISSED = 20
PAUSE_S = 2.0
SLOTS_A_CONNECTION = 4
"""What one connection may use up before the request is put off."""
UNNAMED_WAIT_S = 10.0
"""How long everybody waits after a 429 that does not say for how long."""


class SlotMissed(ProviderError):
    """The request was held up past its slot and did not go out; it takes another."""

    code = "slot_missed"


@dataclass(frozen=True, slots=True)
class Limits:
    """What ClipCafe's plan allows; shared by all that goes to the host."""

    slots: RateSlots
    requests: MonthQuota
    downloads: MonthQuota


def clipcafe_limits(
    database: Database, url: str, rate: tuple[int, float], requests_a_month: int | None, downloads_a_month: int | None
) -> Limits:
    """What the plan says, for the host of `url`. Every process that names the same host shares it."""
    host = httpx.URL(url).host or "clipcafe"
    return Limits(
        RateSlots(database, host, *rate),
        MonthQuota(database, f"{host} requests", requests_a_month),
        MonthQuota(database, f"{host} downloads", downloads_a_month),
    )


class Gate:
    """Handed to whoever sends (a `Passage`): holds each request until its slot."""

    def __init__(self, limits: Limits, line: Line, place: Place, on_wait: Callable[[float], None] | None) -> None:
        self._limits = limits
        self._line = line
        self._place = place
        self._on_wait = on_wait
        self._slot: Slot | None = None
        self._sent: Slot | None = None
        self._month: str = ""
        self.is_sent = False

    def wait(self) -> None:
        """Stand in line for a slot, and count the request against the month. Raises: QuotaReached; what `on_wait` raises."""
        self._limits.requests.check()
        slots = self._limits.slots
        self._slot = self._line.wait(self._place, slots.reserve, self._on_wait, slots.rate)
        self._month = self._limits.requests.take()

    def pass_through(self) -> None:
        """Hold until the slot's moment; one that connecting took too long for is replaced if another can be had at once.

        Raises: SlotMissed, and then nothing is sent.
        """
        if self._slot is None and self.is_sent:  # a redirect within the host is one more request
            self._place = self._place.ahead()
            self.wait()
        for _ in range(SLOTS_A_CONNECTION):
            if self._slot is not None and self._limits.slots.hold(self._slot):
                self._sent, self._slot, self.is_sent = self._slot, None, True
                return
            found = self._limits.slots.reserve(instead_of=self._slot)
            self._slot = found if isinstance(found, Slot) else None
        raise SlotMissed("A request was held up past its rate slot; it takes another.")

    def answered(self) -> None:
        """The request was counted by now. Where that cannot be written the slot counts as later, and the answer is not given up for it."""
        if self._sent is None:
            return
        try:
            self._limits.slots.answered(self._sent)
        except StoreError as error:
            log.warning("A rate slot stays counted as late as can be: %s", error.message)
        self._sent = None

    def close(self) -> None:
        """Give back what a request that never went out had: its slot and its count."""
        if self._slot is not None:
            self._limits.slots.give_back(self._slot)
        if self._month and not self.is_sent:
            self._limits.requests.give_back(self._month)


class CountedCalls:
    """Makes ClipCafe's calls for one source. Safe to share between threads.

    Args:
        limits: may be replaced at any time (`calls.limits = …`); requests under way keep those that they began with.
        on_wait: told every second or so for about how long a request still waits for its slot; may raise to give it up, and nothing
            is sent, counted or written.
        line: one a process, for all sources and whatever limits come.
    """

    def __init__(
        self,
        database: Database,
        ledger: CallLedger,
        limits: Limits,
        *,
        on_wait: Callable[[float], None] | None = None,
        line: Line | None = None,
        pause_s: float = PAUSE_S,
        unnamed_wait_s: float = UNNAMED_WAIT_S,
    ) -> None:
        self.limits = limits
        self._database = database
        self._ledger = ledger
        self._on_wait = on_wait
        self._line = Line() if line is None else line
        self._pause_s = pause_s
        self._unnamed_wait_s = unnamed_wait_s
        self._here = local()

    def is_answered(self, call: PaidCall) -> bool:
        """Whether the ledger has its answer."""
        with self._database.read() as connection:
            return is_answered(connection, call.key)

    def make(self, call: PaidCall, send: Callable[[Gate], Answer], *, is_download: bool = False) -> Answer:
        """The answer to `call`: the kept one, or that of `send`.

        A 429 makes all workers wait and is tried again; so is what was not answered, a few times. Searches go last.
        Raises: QuotaReached before anything is sent; what `send` raises at its last try.
        """
        n_tries, n_limited, n_missed = 0, 0, 0
        place = self._line.join(is_first=call.operation != "search")
        while True:
            try:
                return self._try(call, send, is_download, place)
            except RateLimited as error:
                self.limits.slots.block(error.retry_after_s or self._unnamed_wait_s, error.message)
                n_limited += 1
                log.info("%s %s: %s Everybody waits.", call.provider, call.operation, error.message)
                if n_limited >= TRIES_WHEN_LIMITED:
                    raise
            except SlotMissed:
                n_missed += 1
                if n_missed >= TRIES_WHEN_MISSED:
                    raise
            except (NotSent, ProviderUnavailable) as error:
                n_tries += 1
                log.info("%s %s, try %d: %s", call.provider, call.operation, n_tries, error.message)
                if n_tries >= TRIES or not getattr(self._here, "was_performed", False):
                    raise
                time.sleep(self._pause_s * n_tries)

    def _try(self, call: PaidCall, send: Callable[[Gate], Answer], is_download: bool, place: Place) -> Answer:
        limits = self.limits
        gate = Gate(limits, self._line, place, self._on_wait)
        self._here.was_performed = False
        downloads_month = ""
        is_delivered, may_count = False, False
        """Something came, from whatever host; something may have come where a request went out to ClipCafe."""
        try:
            if not self.is_answered(call):
                if is_download:
                    limits.downloads.check()
                gate.wait()
                downloads_month = limits.downloads.take() if is_download else ""

            def perform() -> Answer:
                self._here.was_performed = True
                return send(gate)

            answer = self._ledger.call(call, perform)
            is_delivered = self._here.was_performed
            return answer
        except (QuotaReached, RateLimited, SlotMissed, NotSent):
            raise
        except ProviderError as error:
            is_delivered = self._here.was_performed and isinstance(error, BadAnswer)
            may_count = isinstance(error, ProviderUnavailable)
            raise
        except BaseException:
            may_count = True  # nobody knows
            raise
        finally:
            if downloads_month and not is_delivered and not (gate.is_sent and may_count):
                limits.downloads.give_back(downloads_month)
            gate.close()
