"""Reads back what arrived: bytes by their SHA-256, words where the target can list them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from core.errors import NotFound, ProviderError
from core.model.export_reports import ARRIVED, ReadBack
from core.ports import ExportTarget
from core.store import exports as rows
from core.store.database import Database
from core.store.exports import BatchRow, FrozenItem, ItemRow

MAX_UNREACHABLE = 3
"""So many failed reads, one after another, mean that the rest need not be tried."""


def _go_on() -> None:
    return None


def read_back_batch(
    database: Database, target: ExportTarget, batch: BatchRow, *, is_again: bool = False, heed: Callable[[], None] = _go_on
) -> None:
    """Write `read_back` of every item that arrived; with `is_again` also of those that were read before.

    A target that cannot be reached changes no outcome: the item arrived, and is not verified. `heed` may raise to stop.
    """
    with database.read() as connection:
        listed = [row for row in rows.items_of_batch(connection, batch.batch_id) if row.status in ARRIVED]
    n_lost = 0
    known_words: dict[tuple[str, str], int | None] = {}
    for row in listed:
        if row.read_back and not is_again:
            continue
        heed()
        with database.read() as connection:
            frozen = rows.load_item(connection, batch.batch_id, row.name)
        found = ReadBack.UNREACHABLE if n_lost >= MAX_UNREACHABLE else _read_back(target, row, frozen, known_words)
        n_lost = n_lost + 1 if found is ReadBack.UNREACHABLE else 0
        with database.write() as connection:
            rows.set_read_back(connection, batch, row.name, found)


def _read_back(target: ExportTarget, row: ItemRow, frozen: FrozenItem, known_words: dict[tuple[str, str], int | None]) -> ReadBack:
    digest = hashlib.sha256()
    try:
        for piece in target.read_back(row.video_id or 0):
            digest.update(piece)
    except NotFound:
        return ReadBack.MISSING
    except ProviderError:
        return ReadBack.UNREACHABLE
    if digest.hexdigest() != frozen.media_id:
        return ReadBack.DIFFERS
    wanted = [(sent.word, sent.learning_language) for sent in frozen.item.word_mappings if sent.relevance_score > 0]
    counts = [_count(target, word, language, known_words) for word, language in wanted]
    if any(count == 0 for count in counts):
        return ReadBack.WORDS_MISSING
    return ReadBack.BYTES_MATCH if any(count is None for count in counts) else ReadBack.VERIFIED


def _count(target: ExportTarget, word: str, language: str, known: dict[tuple[str, str], int | None]) -> int | None:
    """How many videos the target has for the word, asked once a batch; None where it cannot say."""
    if (word, language) not in known:
        try:
            counts = target.words_with_videos([word], language)
        except ProviderError:
            counts = None
        known[word, language] = None if counts is None else counts.get(word, 0)
    return known[word, language]
