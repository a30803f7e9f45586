"""Sends many clips so that each one's outcome is known, and one that the target refuses holds back no other.

A request is all or nothing. So a refused one is halved until the item that is refused stands alone; one whose outcome is
in doubt is sent again as it was, which is safe, since a clip's name is unique to its content.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from core.errors import ExportError, ProviderError, ProviderUnavailable
from core.model.exports import ItemResult, ItemStatus, VideoItem
from core.rules.payload import BATCH_LIMIT_BYTES, split_batches

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 30.0
MAX_LOST_ALONE = 3
"""So many single clips without any answer, one after another, mean that the target is gone."""


class TakesBatches(Protocol):
    """The part of an export target that sends (see `core.ports.ExportTarget.send`)."""

    def send(self, source_id: str, items: Sequence[VideoItem]) -> tuple[ItemResult, ...]: ...


@dataclass(frozen=True, slots=True)
class _Batch:
    items: tuple[VideoItem, ...]
    attempts: int


def send_isolating(
    target: TakesBatches,
    source_id: str,
    items: Iterable[VideoItem],
    *,
    attempts: int = 4,
    limit_bytes: int = BATCH_LIMIT_BYTES,
    wait: Callable[[float], None] = time.sleep,
) -> Iterator[tuple[VideoItem, ItemResult]]:
    """Every item with its outcome, in order, as soon as it is known. No item is read from `items` before it is needed.

    The same request is sent up to `attempts` times while it is in doubt or the target asks to wait; a part of a batch
    that stayed in doubt at most twice. `wait` is called with seconds between attempts, and what it raises ends the
    sending, so that a cancelled export stops there.

    A fault that is not about items (no connection, wrong key) fails what is left without asking again. Closing the
    generator between two items stops after the request that is out. `FAILED` after doubt says so in its error.
    """
    batches = (_Batch(batch, attempts) for batch in split_batches(items, limit_bytes=limit_bytes))
    parts: deque[_Batch] = deque()
    n_lost_alone = 0
    end: str | None = None
    while batch := parts.popleft() if parts else next(batches, None):
        if end is not None:
            yield from _all_failed(batch.items, end)
            continue
        outcome = _send_patiently(target, source_id, batch, wait)
        if isinstance(outcome, tuple):
            n_lost_alone = 0
            yield from zip(batch.items, outcome, strict=True)
        elif isinstance(outcome, ExportError) and not outcome.is_about_items:
            end = _told(outcome)
            yield from _all_failed(batch.items, end)
        elif len(batch.items) > 1:
            in_doubt = isinstance(outcome, ProviderUnavailable)
            half, again = len(batch.items) // 2, min(2, attempts) if in_doubt else attempts
            parts.extendleft((_Batch(batch.items[half:], again), _Batch(batch.items[:half], again)))
        else:
            in_doubt = isinstance(outcome, ProviderUnavailable)
            n_lost_alone = n_lost_alone + 1 if in_doubt else 0
            yield from _all_failed(batch.items, _told(outcome))
            if n_lost_alone >= MAX_LOST_ALONE:
                end = f"Not sent: the target gave no usable answer for {n_lost_alone} clips in a row."


def _send_patiently(
    target: TakesBatches, source_id: str, batch: _Batch, wait: Callable[[float], None]
) -> tuple[ItemResult, ...] | ExportError | ProviderUnavailable:
    """The results, or the last error once it cannot change or the attempts are used up."""
    pause_s = FIRST_WAIT_S
    for attempt in range(1, batch.attempts + 1):
        try:
            return target.send(source_id, batch.items)
        except (ExportError, ProviderUnavailable) as error:
            if not error.is_retryable or attempt == batch.attempts:
                return error
            wait(max(pause_s, error.retry_after_s if isinstance(error, ExportError) else 0.0))
            pause_s = min(pause_s * 2, LONGEST_WAIT_S)
    raise ValueError("A batch needs at least one attempt.")


def _all_failed(items: Iterable[VideoItem], error: str) -> Iterator[tuple[VideoItem, ItemResult]]:
    for item in items:
        yield item, ItemResult(item.slug, None, ItemStatus.FAILED, error=error)


def _told(error: ProviderError) -> str:
    doubt = " It may have arrived; sending it again is safe." if isinstance(error, ProviderUnavailable) else ""
    return " ".join(part for part in (error.message + doubt, error.hint) if part)
