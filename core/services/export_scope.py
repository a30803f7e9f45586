"""What an export was asked to send, and what is said where an unfinished batch goes on instead."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from core.store.exports import BatchRow


@dataclass(frozen=True, slots=True)
class ExportScope:
    """The options that decide what a batch holds."""

    bundle: str | None
    allow_strong_language: bool
    only: frozenset[int] | None
    """Ids of the ticked clips; None: all that may be sent."""

    def as_payload(self) -> dict[str, Any]:
        """As the batch's job keeps it."""
        only = None if self.only is None else sorted(self.only)
        return {"bundle": self.bundle, "allow_strong_language": self.allow_strong_language, "only": only}

    @property
    def says(self) -> str:
        """`bundle toefl_beginner, with strong language`."""
        parts = [f"bundle {self.bundle}" if self.bundle else "everything approved"]
        if self.only is not None:
            parts.append(f"of that {len(self.only):,} ticked")
        if self.allow_strong_language:
            parts.append("with strong language")
        return ", ".join(parts)


def asked_scope(bundle: str | None, allow_strong_language: bool, only: Collection[int] | None) -> ExportScope:
    """The scope of a request as it was typed or clicked."""
    return ExportScope(bundle or None, allow_strong_language, None if only is None else frozenset(only))


def resumed_note(batch: BatchRow, payload: Mapping[str, Any], asked: ExportScope) -> str:
    """What a person must know who asked for an export and gets the rest of an earlier one; `payload` is that of its job."""
    found = f"Batch {batch.number} to {batch.target} was not finished, so this goes on with it as it was frozen."
    again = "Export again once it has ended."
    if "bundle" not in payload:  # frozen by a program that did not keep what was asked
        return f"{found} What is asked now ({asked.says}) is not applied to it. {again}"
    before = asked_scope(payload["bundle"], payload["allow_strong_language"], payload["only"])
    if before == asked:
        return f"{found} What was approved since goes with the next export."
    return f"{found} It was asked for {before.says}; what is asked now ({asked.says}) is not applied to it. {again}"
