"""The ledger as adapters see it: bound to the run that this thread works for, and to what is done about a doubt."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from core.model.calls import Answer, PaidCall
from core.pipeline.ledger import DoubtPolicy, Ledger

_RUN_ID: ContextVar[str] = ContextVar("run_id")


@contextmanager
def paying_for(run_id: str) -> Iterator[None]:
    """While it is entered, paid calls of this thread count for the run."""
    token = _RUN_ID.set(run_id)
    try:
        yield
    finally:
        _RUN_ID.reset(token)


class RunLedger:
    """`ports.CallLedger` over the ledger of a worker. Safe to share between threads."""

    def __init__(self, ledger: Ledger, policy: DoubtPolicy = DoubtPolicy.REPEAT) -> None:
        self._ledger = ledger
        self._policy = policy

    def call(self, call: PaidCall, perform: Callable[[], Answer]) -> Answer:
        """See `core.ports.CallLedger.call`. Raises also LookupError outside of `paying_for`: nothing is paid for no run."""
        return self._ledger.call(call, perform, run_id=_RUN_ID.get(), policy=self._policy)
