"""What became of an export: items, batches, and what an operator still has to remove."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from core.model.export_reports import ARRIVED, BatchItem, BatchSummary, PendingRetraction, ReadBack
from core.model.exports import ItemStatus
from core.model.reviews import MappingState
from core.store import exports as rows
from core.store.exports import BatchRow, FrozenItem, ItemRow


def item_outcome(row: ItemRow, frozen: FrozenItem) -> BatchItem:
    """One item with what became of it."""
    return BatchItem(
        clip_id=row.clip_id,
        slug=row.slug,
        name=row.name,
        words=tuple(sent.word for sent in frozen.item.word_mappings),
        status=row.status,
        video_id=row.video_id,
        mappings=row.n_mappings,
        error=row.error,
        read_back=ReadBack(row.read_back) if row.read_back else None,
        size_bytes=row.size_bytes,
        is_retraction=frozen.is_retraction,
    )


def batch_summary(batch: BatchRow, listed: Sequence[ItemRow]) -> BatchSummary:
    """A batch, counted from its items."""
    arrived = [row for row in listed if row.status in ARRIVED]
    n_verified = sum(row.read_back in (ReadBack.VERIFIED, ReadBack.BYTES_MATCH) for row in arrived)
    return BatchSummary(
        batch_id=batch.batch_id,
        number=batch.number,
        job_id=batch.job_id,
        target=batch.target,
        source_id=batch.source_id,
        actor=batch.actor,
        created_at=batch.created_at,
        ended_at=batch.ended_at,
        n_items=len(listed),
        sent=len(arrived),
        failed=sum(row.status is ItemStatus.FAILED for row in listed),
        skipped=sum(row.status is ItemStatus.SKIPPED for row in listed),
        n_verified=n_verified,
        n_not_verified=len(arrived) - n_verified,
        n_bytes=sum(row.size_bytes for row in arrived),
    )


def pending_retractions(connection: Connection, target: str) -> list[PendingRetraction]:
    """What is live at the target, or there at relevance 0, and should not be: by name, then word."""
    live = rows.live_rows(connection, target)
    known = {mapping.mapping_id: mapping for mapping in rows.export_mappings(connection, {row.mapping_id for row in live})}
    slugs = rows.slugs_of(connection, {row.clip_id for row in live})
    found = []
    for row in live:
        mapping = known[row.mapping_id]
        if row.relevance <= 0 or mapping.state is not MappingState.APPROVED:
            sql = _removal(mapping.word, mapping.language, row.video_id, row.name)
            slug = slugs.get(row.clip_id, "")
            found.append(
                PendingRetraction(row.mapping_id, mapping.word, mapping.language, slug, row.name, row.video_id, row.relevance <= 0, sql)
            )
    return found


def _removal(word: str, language: str, video_id: int | None, name: str) -> str:
    """The statements that take one mapping away at the backend (PostgreSQL), with the questions that it keeps of the word.

    Source: CONTRACTS.md: questions made from a clip are cached with its id and text, in `review_questions` by word.
    """
    by_name = f"(SELECT id FROM videos WHERE name = {_quoted(name)} AND format = 'mp4')"  # noqa: S608 (shown to a person, quoted)
    video = by_name if video_id is None else str(video_id)
    mapping = f"DELETE FROM word_to_video WHERE word = {_quoted(word)} AND learning_language = {_quoted(language)} AND video_id = {video};"  # noqa: S608
    return f"{mapping}\nDELETE FROM review_questions WHERE word = {_quoted(word)};"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
