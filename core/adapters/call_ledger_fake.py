"""A ledger in memory: for tests, and to ask a provider once outside of any run. It keeps answers as the real one does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from core.model.calls import Answer, PaidCall


@dataclass
class FakeLedger:
    """`ports.CallLedger` that keeps answers for its own lifetime. `made` are the calls that were performed, in order."""

    kept: dict[str, Answer] = field(default_factory=dict)
    made: list[PaidCall] = field(default_factory=list)

    def call(self, call: PaidCall, perform: Callable[[], Answer]) -> Answer:
        """The kept answer, or that of `perform`. Raises: what `perform` raises; the call may then be made again."""
        if call.key not in self.kept:
            self.made.append(call)
            self.kept[call.key] = perform()
        return self.kept[call.key]
