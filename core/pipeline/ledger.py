"""The ledger of paid calls: intent committed before, outcome after, keyed by content.

An `intended` call becomes `done` (answered and kept; never called again, in any run), `failed` (definitely not paid: the next
call tries anew) or `in_doubt` (it may have been paid: a time-out, or a worker that ended in between; the policy decides).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from core.errors import BadAnswer, BudgetReached, ProviderError, ProviderUnavailable, StoreError, WordreelError
from core.model.calls import Answer, PaidCall
from core.pipeline.janitor import WorkerLost, is_live
from core.rules.prices import dollars
from core.store.database import Database
from core.store.dialects import take_turns
from core.store.ledger_rows import DOWNLOAD, n_downloads, spent_usd
from core.store.tables import ledger
from core.timing import now

POLL_S = 0.1
DUST_USD = 1e-9
"""What sums of floats may be off by."""


class DoubtPolicy(StrEnum):
    """What to do about a call that may have been paid. A provider's own."""

    REPEAT = "repeat"
    """Call once more for each doubt: the answer is worth more than the price."""
    KEEP_IN_DOUBT = "keep_in_doubt"
    """Do not call again; the word fails with the reason until a person retries with another policy."""


class Ledger:
    """Makes paid calls, each at most once. For use in a worker; safe to share between threads."""

    def __init__(self, database: Database, worker_id: str) -> None:
        self._database = database
        self._worker_id = worker_id
        self._in_flight: set[int] = set()
        self._kept_back: dict[int, dict[str, Any]] = {}
        """entry → how the call ended, where the database had no room or could not be written: the next who asks writes it."""
        self._lock = threading.Lock()

    def call(
        self,
        call: PaidCall,
        perform: Callable[[], Answer],
        *,
        run_id: str,
        policy: DoubtPolicy,
        budget_usd: float | None = None,
        max_downloads: int | None = None,
    ) -> Answer:
        """The answer to `call`: the kept one, or that of `perform`, which is called at most once.

        An equal call that is in flight elsewhere is waited for. `perform` says by its error what happened:
        ProviderUnavailable and anything unforeseen leave the call in doubt; BadAnswer was paid, and is raised again without a
        call next time; every other ProviderError is a definite refusal that was not paid.

        Args:
            budget_usd: what all calls of the run may cost in all, over its resumes; None for no limit. A kept answer is free.
            max_downloads: how many downloads the run may ask for in all, those in doubt included; None for no limit.

        Raises: what `perform` raises; ProviderUnavailable for a doubt that the policy keeps; WorkerLost; BudgetReached where
        the call might pass the limit: nothing is made, nothing recorded.
        """
        while True:
            with self._lock:
                known, entry_id = self._look(call, run_id, policy, budget_usd, max_downloads)
            if known is not None:
                return known
            if entry_id is not None:
                return self._perform(entry_id, perform)
            time.sleep(POLL_S)

    def _look(
        self, call: PaidCall, run_id: str, policy: DoubtPolicy, budget_usd: float | None, max_downloads: int | None
    ) -> tuple[Answer | None, int | None]:
        """The kept answer, or the entry of a new intent, or neither: an equal call is in flight."""
        newest = select(ledger).where(ledger.c.call_key == call.key).order_by(ledger.c.attempt.desc()).limit(1)
        with self._database.read() as connection:
            row = connection.execute(newest).one_or_none()
        if row is not None and row.state == "done":
            self._kept_back.pop(row.entry_id, None)
            return _kept(row, call), None
        try:
            with self._database.write() as connection:
                row = connection.execute(newest).one_or_none()
                state = None if row is None else row.state
                if state == "intended" and row is not None:
                    if not self._is_abandoned(connection, row.worker_id, row.entry_id):
                        return None, None
                    if row.entry_id in self._kept_back:
                        _settle(connection, row.entry_id, row.worker_id, **self._kept_back[row.entry_id])
                        return None, None
                    _settle(connection, row.entry_id, row.worker_id, state="in_doubt", error="The worker ended before the answer was kept.")
                    state = "in_doubt"
                if state == "done":
                    return None, None
                if state != "in_doubt" or policy is DoubtPolicy.REPEAT:
                    if budget_usd is not None:
                        _refuse_beyond(connection, run_id, call.expected_usd, budget_usd)
                    if max_downloads is not None and call.operation == DOWNLOAD:
                        _refuse_download_beyond(connection, run_id, max_downloads)
                    return None, self._intend(connection, call, run_id, 1 if row is None else row.attempt + 1)
        except IntegrityError:  # another worker was faster
            return None, None
        raise ProviderUnavailable(
            f"A call to {call.provider} ({call.operation}) may have been paid, and its answer was lost.",
            hint="Look at the provider's own list of calls; a retry with the policy `repeat` pays it again.",
            provider=call.provider,
            model=call.model,
        )

    def _is_abandoned(self, connection: Connection, worker_id: str, entry_id: int) -> bool:
        if worker_id == self._worker_id:
            return entry_id not in self._in_flight
        return not is_live(connection, worker_id)

    def _intend(self, connection: Connection, call: PaidCall, run_id: str, attempt: int) -> int:
        row = {"call_key": call.key, "attempt": attempt, "provider": call.provider, "operation": call.operation, "model": call.model}
        inserted = connection.execute(
            insert(ledger).values(
                **row,
                prompt_version=call.prompt_version,
                expected_usd=call.expected_usd,
                state="intended",
                run_id=run_id,
                worker_id=self._worker_id,
                intended_at=now(),
            )
        )
        assert inserted.inserted_primary_key is not None
        entry_id = int(inserted.inserted_primary_key[0])
        self._in_flight.add(entry_id)
        return entry_id

    def _perform(self, entry_id: int, perform: Callable[[], Answer]) -> Answer:
        try:
            answer = perform()
        except WordreelError as error:
            state = "done" if isinstance(error, BadAnswer) else "failed"
            if isinstance(error, ProviderUnavailable) or not isinstance(error, ProviderError):
                state = "in_doubt"
            self._record(entry_id, state=state, error=error.message, request_id=getattr(error, "request_id", ""))
            raise
        except BaseException as error:
            self._record(entry_id, state="in_doubt", error=type(error).__name__)
            raise
        self._record(
            entry_id,
            state="done",
            answer=answer.body,
            tokens_in=answer.tokens_in,
            tokens_out=answer.tokens_out,
            cost_usd=answer.cost_usd,
            request_id=answer.request_id[:200],
        )
        return answer

    def _record(self, entry_id: int, **outcome: Any) -> None:
        try:
            with self._database.write() as connection:
                if not _settle(connection, entry_id, self._worker_id, **outcome):
                    raise WorkerLost(f"The worker {self._worker_id} was given up while a call was in flight; the call is in doubt.")
        except WorkerLost:
            raise
        except StoreError:
            with self._lock:
                self._kept_back[entry_id] = outcome
            raise
        finally:
            with self._lock:
                self._in_flight.discard(entry_id)


def _settle(connection: Connection, entry_id: int, worker_id: str, **outcome: Any) -> bool:
    """Write how an intent ended; False if that was written already."""
    changed = connection.execute(
        update(ledger)
        .where(ledger.c.entry_id == entry_id, ledger.c.state == "intended", ledger.c.worker_id == worker_id)
        .values(finished_at=now(), **outcome)
    )
    return changed.rowcount == 1


def _refuse_beyond(connection: Connection, run_id: str, expected_usd: float, budget_usd: float) -> None:
    """Raises: BudgetReached. Holds the run's money until the unit of work ends, so that no two calls count on the same."""
    take_turns(connection, f"budget {run_id}")
    spent = spent_usd(connection, run_id)
    if spent + expected_usd > budget_usd + DUST_USD:
        raise BudgetReached(
            f"The run's limit of {dollars(budget_usd)} is reached: {dollars(spent)} are spent or being spent.",
            hint="Launch it with a higher limit; what was judged is kept.",
        )


def _refuse_download_beyond(connection: Connection, run_id: str, max_downloads: int) -> None:
    """Raises: BudgetReached. Holds the run's downloads as `_refuse_beyond` its money."""
    take_turns(connection, f"downloads {run_id}")
    if n_downloads(connection, run_id) >= max_downloads:
        raise BudgetReached(limit_is_reached(max_downloads))


def limit_is_reached(max_downloads: int) -> str:
    """Why a run downloads no more, for people."""
    return "The run's limit of 1 download is reached" if max_downloads == 1 else f"The run's limit of {max_downloads} downloads is reached"


def _kept(row: Any, call: PaidCall) -> Answer:
    if row.error:
        raise BadAnswer(
            row.error,
            hint="The answer was paid and kept; it is not asked again.",
            provider=call.provider,
            model=call.model,
            request_id=row.request_id,
        )
    return Answer(row.answer, row.tokens_in, row.tokens_out, row.cost_usd, row.request_id)


__all__ = ["Answer", "DoubtPolicy", "Ledger", "PaidCall"]
