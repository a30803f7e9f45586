"""The ledger as adapters see it: bound to the run that this thread works for, and to what is done about a doubt."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from core.model.calls import Answer, PaidCall
from core.pipeline.ledger import DoubtPolicy, Ledger

SHORTLIST_SHARE_RATIO = 0.85
"""Of a run's limit, what its shortlist may use: the rest is for scoring what was chosen and fetched."""

_RUN: ContextVar[tuple[str, float | None, int | None]] = ContextVar("run")


@contextmanager
def paying_for(run_id: str, budget_usd: float | None = None, max_downloads: int | None = None) -> Iterator[None]:
    """While it is entered, paid calls of this thread count for the run.

    `budget_usd` is what the run may have spent, all its calls together, before one more is made; None for no limit. A stage
    that must leave something for later stages gives less than the run's own limit (`SHORTLIST_SHARE_RATIO`). `max_downloads`: how many
    it may have asked for; each try counts that may have been carried out.
    """
    token = _RUN.set((run_id, budget_usd, max_downloads))
    try:
        yield
    finally:
        _RUN.reset(token)


class RunLedger:
    """`ports.CallLedger` over the ledger of a worker. Safe to share between threads."""

    def __init__(self, ledger: Ledger, policy: DoubtPolicy = DoubtPolicy.REPEAT) -> None:
        self._ledger = ledger
        self._policy = policy

    def call(self, call: PaidCall, perform: Callable[[], Answer]) -> Answer:
        """See `core.ports.CallLedger.call`.

        Raises also: BudgetReached; LookupError outside of `paying_for`: nothing is paid for no run.
        """
        run_id, budget_usd, max_downloads = _RUN.get()
        return self._ledger.call(call, perform, run_id=run_id, policy=self._policy, budget_usd=budget_usd, max_downloads=max_downloads)
