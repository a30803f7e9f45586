"""Patience with an OpenAI-compatible server: who is asked to wait waits, everybody with them, and the same call is made again."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from core.errors import NotSent, ProviderUnavailable, RateLimited
from core.model.calls import Answer, PaidCall
from core.ports import CallLedger
from core.store.database import Database
from core.store.ledger_rows import is_answered
from core.store.rate_slots import RateSlots

log = logging.getLogger("wordreel.openai")

TRIES = 3
"""Of a call that was not answered; between them a pause that grows."""
TRIES_WHEN_LIMITED = 8
"""Of a call that was answered 429; in between everybody waits as it asked."""
PAUSE_S = 2.0
UNNAMED_WAIT_S = 10.0
"""How long everybody waits after a 429 that does not say for how long."""
POLL_S = 1.0
"""Who waits looks again at least so often, and can be told to stop."""


Turn = Callable[[Callable[[float], None] | None], AbstractContextManager[None]]
"""Entered for as long as a call is in flight; given what is told about a wait for it."""


def no_turn(_on_wait: Callable[[float], None] | None) -> AbstractContextManager[None]:
    """Nobody has to wait for a place."""
    return nullcontext()


class PatientCalls:
    """`ports.CallLedger` over another. Safe to share between threads; the wait is shared by all workers of the database.

    A definite refusal (key, credit, the run's limit, a bad request) and a bad answer are raised at once.

    Args:
        slots: of the server's host. Only its block is used, since these servers count no requests for us: its limit does not matter.
        turn: a place among the server's calls in flight, which may be waited for. It is taken before the intent, so that who stands in
            line for one is asked to wait with the others, and leaves no doubt behind when its worker ends.
        on_wait: told every second or so for how long it will still be; may raise to give up, which leaves nothing behind.
    """

    def __init__(
        self,
        database: Database,
        ledger: CallLedger,
        slots: RateSlots,
        *,
        turn: Turn = no_turn,
        on_wait: Callable[[float], None] | None = None,
        pause_s: float = PAUSE_S,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._slots = slots
        self._turn = turn
        self._on_wait = on_wait
        self._pause_s = pause_s
        self._sleep = sleep

    def call(self, call: PaidCall, perform: Callable[[], Answer]) -> Answer:
        """See `core.ports.CallLedger.call`; here `perform` may be called several times, once an entry of the ledger.

        Raises: RateLimited after 8 refusals, NotSent and ProviderUnavailable after 3 tries; all else that the ledger raises.
        """
        n_tries, n_limited = 0, 0
        while True:
            performed: list[PaidCall] = []
            try:
                return self._try(call, _noted(call, perform, performed))
            except RateLimited as error:
                n_limited += 1
                log.info("%s %s: %s Everybody waits.", call.provider, call.operation, error.message)
                if n_limited >= TRIES_WHEN_LIMITED:
                    raise
            except (NotSent, ProviderUnavailable) as error:
                n_tries += 1
                log.info("%s %s, try %d: %s", call.provider, call.operation, n_tries, error.message)
                if n_tries >= TRIES or not performed:  # a doubt that was left to a person is not paid again
                    raise
                self._pause(self._pause_s * n_tries)

    def _try(self, call: PaidCall, perform: Callable[[], Answer]) -> Answer:
        """One try, in its turn; a kept answer needs none. All are told to wait before the turn is another's, and nobody waits in it."""
        while True:
            self._wait_for_all(call)
            if self._is_answered(call):
                return self._ledger.call(call, perform)
            with self._turn(self._on_wait):
                if self._slots.blocked_s():
                    continue
                try:
                    return self._ledger.call(call, perform)
                except RateLimited as error:
                    self._slots.block(error.retry_after_s or UNNAMED_WAIT_S, error.message)
                    raise

    def _is_answered(self, call: PaidCall) -> bool:
        with self._database.read() as connection:
            return is_answered(connection, call.key)

    def _wait_for_all(self, call: PaidCall) -> None:
        """Return when the server has not asked to wait, or need not be asked."""
        while (wait_s := self._slots.blocked_s()) and not self._is_answered(call):
            self._tell_and_sleep(wait_s)

    def _pause(self, wait_s: float) -> None:
        until_s = time.monotonic() + wait_s
        while (left_s := until_s - time.monotonic()) > 0:
            self._tell_and_sleep(left_s)

    def _tell_and_sleep(self, wait_s: float) -> None:
        if self._on_wait is not None:
            self._on_wait(wait_s)
        self._sleep(min(wait_s, POLL_S))


def _noted(call: PaidCall, perform: Callable[[], Answer], performed: list[PaidCall]) -> Callable[[], Answer]:
    """`perform`, which leaves word that it was called."""

    def perform_and_note() -> Answer:
        performed.append(call)
        return perform()

    return perform_and_note
