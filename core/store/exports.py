"""Export batches, their items, what is live at a target, and the targets that were confirmed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Row, func, or_, select

from core.errors import NotFound
from core.model.clips import EvidenceState
from core.model.export_reports import ARRIVED, ReadBack
from core.model.exports import ItemResult, ItemStatus, VideoItem, WordMapping
from core.model.media import MediaFacts
from core.model.reviews import MappingState
from core.store import codecs
from core.store.dialects import insert_new, upsert
from core.store.export_tables import export_batches, export_items, targets
from core.store.tables import clips, live_mappings, mappings, media, settings_events, words
from core.timing import now

CHUNK = 400
"""Ids in one `IN` list."""


@dataclass(frozen=True, slots=True)
class ExportMapping:
    """One mapping as an export needs it."""

    mapping_id: int
    clip_id: int
    word_id: int
    word: str
    language: str
    state: MappingState
    asked: float
    """The curator's score, else the judge's relevance: 0–1."""
    evidence_state: EvidenceState
    is_vouched: bool
    is_demo: bool
    actor: str
    proposal_id: int

    @property
    def transcript_source(self) -> str:
        return "audio" if self.evidence_state is EvidenceState.HEARD or self.is_vouched else "metadata"


@dataclass(frozen=True, slots=True)
class SentWord:
    """What an item says of one of its mappings, beside what the target is sent."""

    word_id: int
    mapping_id: int
    asked: float
    digest: str


@dataclass(frozen=True, slots=True)
class FrozenItem:
    """One item of a batch as it is stored: everything but the bytes. `item.path` is empty."""

    clip_id: int
    item: VideoItem
    words: tuple[SentWord, ...]
    """One a mapping of `item`, in its order."""
    media_id: str
    clip_media_id: str
    """Differs from `media_id` where a smaller copy is sent."""
    is_retraction: bool = False
    after: str = ""
    """The name that must have arrived before this one is retracted."""


@dataclass(frozen=True, slots=True)
class LiveRow:
    """One mapping that a target holds, as far as its answers say."""

    name: str
    word_id: int
    mapping_id: int
    clip_id: int
    video_id: int | None
    relevance: float
    digest: str
    """Empty: it may be there, or not as it was sent; it is to be sent again."""
    batch_id: str
    asked: float | None


@dataclass(frozen=True, slots=True)
class BatchRow:
    """One batch as stored."""

    batch_id: str
    number: int
    job_id: str
    target: str
    source_id: str
    actor: str
    created_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class ItemRow:
    """One item's standing, without its payload."""

    name: str
    clip_id: int
    slug: str
    status: ItemStatus
    video_id: int | None
    n_mappings: int
    error: str
    read_back: str
    size_bytes: int


def in_chunks(ids: Iterable[int]) -> Iterator[list[int]]:
    """Sorted and distinct, in lists short enough for one query."""
    ordered = sorted(set(ids))
    for at in range(0, len(ordered), CHUNK):
        yield ordered[at : at + CHUNK]


# Mappings and media --------------------------------------------------------------------------------------------------


def export_mappings(connection: Connection, mapping_ids: Iterable[int]) -> list[ExportMapping]:
    """Every approved mapping of a fetched clip, and those named by id whatever their state, by mapping id."""
    query = select(mappings, words.c.text.label("word"), words.c.language).join(words, words.c.word_id == mappings.c.word_id)
    fetched = query.join(clips, clips.c.clip_id == mappings.c.clip_id).where(mappings.c.state == MappingState.APPROVED)
    found = {row.mapping_id: _mapping(row) for row in connection.execute(fetched)}
    for ids in in_chunks(mapping_id for mapping_id in mapping_ids if mapping_id not in found):
        found |= {row.mapping_id: _mapping(row) for row in connection.execute(query.where(mappings.c.mapping_id.in_(ids)))}
    return [found[mapping_id] for mapping_id in sorted(found)]


def count_undecided(connection: Connection, word_ids: Sequence[int] | None, *, is_demo_taken: bool) -> int:
    """Mappings of fetched clips that wait for a person (of these words, or of all)."""
    waiting = (MappingState.IN_REVIEW, MappingState.SKIPPED, MappingState.FLAGGED)
    query = select(mappings.c.word_id).where(mappings.c.state.in_(waiting), mappings.c.evidence_state != EvidenceState.NOT_HEARD)
    if not is_demo_taken:
        query = query.where(~mappings.c.is_demo)
    wanted = None if word_ids is None else set(word_ids)
    return sum(1 for word_id in connection.execute(query).scalars() if wanted is None or word_id in wanted)


def slugs_of(connection: Connection, clip_ids: Iterable[int]) -> dict[int, str]:
    """Clip id → slug."""
    found: dict[int, str] = {}
    for ids in in_chunks(clip_ids):
        found |= {
            row.clip_id: row.slug for row in connection.execute(select(clips.c.clip_id, clips.c.slug).where(clips.c.clip_id.in_(ids)))
        }
    return found


def facts_of(connection: Connection, media_ids: Iterable[str]) -> dict[str, tuple[MediaFacts, bool]]:
    """Media id → (facts, whether its bytes are stored)."""
    query = select(media.c.media_id, media.c.facts, media.c.is_stored).where(media.c.media_id.in_(list(media_ids)))
    return {row.media_id: (codecs.read_facts(row.facts), row.is_stored) for row in connection.execute(query)}


def smaller_copies(connection: Connection) -> dict[str, str]:
    """A clip's media id → the media id of the smaller copy that was made for an export."""
    clip_media, sent_media = export_items.c.payload["clip_media_id"].as_string(), export_items.c.payload["media_id"].as_string()
    query = select(clip_media, sent_media).where(clip_media != sent_media).order_by(export_items.c.updated_at)
    return {row[0]: row[1] for row in connection.execute(query)}


# What is live --------------------------------------------------------------------------------------------------------


def live_rows(connection: Connection, target: str) -> list[LiveRow]:
    """Everything that the target holds, retracted mappings (at 0) included."""
    same = (export_items.c.batch_id == live_mappings.c.batch_id) & (export_items.c.name == live_mappings.c.name)
    query = (
        select(live_mappings, export_items.c.payload["words"].label("sent_words"))
        .join(export_items, same, isouter=True)
        .where(live_mappings.c.target == target)
        .order_by(live_mappings.c.name, live_mappings.c.word_id)
    )
    return [_live(row) for row in connection.execute(query)]


def doubtful_rows(connection: Connection, target: str) -> list[LiveRow]:
    """Mappings of items whose request ended without an answer: rows like live ones, without a digest, oldest batch first.

    One that went out at 0 may stand there as it was sent before its approval was taken back; only a retraction's is at 0 for sure.
    """
    query = (
        select(export_items)
        .join(export_batches, export_batches.c.batch_id == export_items.c.batch_id)
        .where(export_batches.c.target == target, export_items.c.read_back == ReadBack.IN_DOUBT)
        .order_by(export_batches.c.number)
    )
    return [
        LiveRow(row.name, word.word_id, word.mapping_id, row.clip_id, None, _at_most(frozen, word, sent), "", row.batch_id, word.asked)
        for row in connection.execute(query)
        for frozen in [_frozen(row)]
        for word, sent in zip(frozen.words, frozen.item.word_mappings, strict=True)
    ]


def conflicting_names(connection: Connection, target: str) -> set[str]:
    """Names under which the target served other bytes than it was sent."""
    query = (
        select(export_items.c.name)
        .join(export_batches, export_batches.c.batch_id == export_items.c.batch_id)
        .where(export_batches.c.target == target, export_items.c.read_back == ReadBack.DIFFERS)
    )
    return set(connection.execute(query).scalars())


def drop_live(connection: Connection, target: str, rows: Sequence[LiveRow], *, actor: str) -> None:
    """The operator removed these mappings at the target: forget them, and keep who said so."""
    for row in rows:
        same = (live_mappings.c.target == target, live_mappings.c.name == row.name, live_mappings.c.word_id == row.word_id)
        connection.execute(live_mappings.delete().where(*same))
        value = {"target": target, "name": row.name, "word_id": row.word_id, "mapping_id": row.mapping_id, "video_id": row.video_id}
        connection.execute(settings_events.insert().values(name="export_retracted", value=value, actor=actor, set_at=now()))


def live_media_ids(connection: Connection) -> set[str]:
    """The media that some export sent or is to send: both the clip's own and a smaller copy."""
    payload = export_items.c.payload
    query = select(payload["media_id"].as_string(), payload["clip_media_id"].as_string()).where(export_items.c.status != ItemStatus.SKIPPED)
    return {media_id for row in connection.execute(query) for media_id in row if media_id}


# Batches -------------------------------------------------------------------------------------------------------------


def create_batch(connection: Connection, *, target: str, job_id: str, actor: str) -> BatchRow:
    """A batch without items, with the next number and its `source_id`."""
    number = int(connection.execute(select(func.coalesce(func.max(export_batches.c.number), 0))).scalar_one()) + 1
    moment = now()
    row = BatchRow(uuid4().hex[:12], number, job_id, target, f"wordreel-{moment:%Y%m%d}-{number}", actor, moment, None)
    connection.execute(export_batches.insert().values(**asdict(row)))
    return row


def load_batch(connection: Connection, batch_id: str) -> BatchRow:
    """A batch by its id or its number. Raises: NotFound."""
    condition = export_batches.c.batch_id == batch_id
    if batch_id.isdigit() and len(batch_id) < 10:
        condition = or_(condition, export_batches.c.number == int(batch_id))
    return _the_batch(connection.execute(select(export_batches).where(condition)).first(), f"There is no export batch {batch_id}.")


def batch_of_job(connection: Connection, job_id: str) -> BatchRow:
    """Raises: NotFound."""
    query = select(export_batches).where(export_batches.c.job_id == job_id)
    return _the_batch(connection.execute(query).first(), f"The job {job_id} has no export batch.")


def unfinished_batch(connection: Connection, target: str) -> BatchRow | None:
    """The target's batch that has not ended, if any."""
    query = select(export_batches).where(export_batches.c.target == target, export_batches.c.ended_at.is_(None))
    row = connection.execute(query.order_by(export_batches.c.number)).first()
    return None if row is None else BatchRow(**row._mapping)


def list_batches(connection: Connection, *, target: str | None = None, limit: int = 50) -> list[BatchRow]:
    """Batches that have items, newest first."""
    has_items = select(export_items.c.name).where(export_items.c.batch_id == export_batches.c.batch_id).exists()
    query = select(export_batches).where(has_items).order_by(export_batches.c.number.desc()).limit(limit)
    if target is not None:
        query = query.where(export_batches.c.target == target)
    return [BatchRow(**row._mapping) for row in connection.execute(query)]


def set_ended(connection: Connection, batch_id: str, ended_at: datetime | None) -> None:
    """Mark a batch as ended, or with None as open again."""
    connection.execute(export_batches.update().where(export_batches.c.batch_id == batch_id).values(ended_at=ended_at))


# Items ---------------------------------------------------------------------------------------------------------------


def add_item(connection: Connection, batch_id: str, rank: int, frozen: FrozenItem, *, held_by: str = "") -> None:
    """Store an item: queued, or skipped with the sentence of what holds it back."""
    status = ItemStatus.SKIPPED if held_by else ItemStatus.QUEUED
    row = {"batch_id": batch_id, "rank": rank, "status": status, "error": held_by, "updated_at": now(), **_item_columns(frozen)}
    connection.execute(export_items.insert().values(**row))


def load_item(connection: Connection, batch_id: str, name: str) -> FrozenItem:
    """Raises: NotFound."""
    row = connection.execute(select(export_items).where(*_same(batch_id, [name]))).first()
    if row is None:
        raise NotFound(f"Batch {batch_id} has no item {name}.")
    return _frozen(row)


def replace_item(connection: Connection, batch_id: str, name: str, frozen: FrozenItem) -> None:
    """Freeze an item anew before it leaves: its bytes were made smaller, or an approval was taken back."""
    connection.execute(export_items.update().where(*_same(batch_id, [name])).values(updated_at=now(), **_item_columns(frozen)))
    moved = select(export_items).where(export_items.c.batch_id == batch_id, export_items.c.payload["after"].as_string() == name)
    for row in connection.execute(moved) if frozen.item.name != name else ():
        change = {"payload": _payload(replace(_frozen(row), after=frozen.item.name))}
        connection.execute(export_items.update().where(*_same(batch_id, [row.name])).values(**change))


def items_of_batch(connection: Connection, batch_id: str) -> list[ItemRow]:
    """In the order in which they are sent."""
    columns = [export_items.c[name] for name in ItemRow.__dataclass_fields__]
    query = select(*columns).where(export_items.c.batch_id == batch_id).order_by(export_items.c.rank)
    return [ItemRow(**{**row._mapping, "status": ItemStatus(row.status)}) for row in connection.execute(query)]


def count_items(connection: Connection, batch_id: str, statuses: Iterable[ItemStatus]) -> tuple[int, int]:
    """(all items of the batch, those of these statuses)."""
    query = select(export_items.c.status, func.count()).where(export_items.c.batch_id == batch_id).group_by(export_items.c.status)
    counts = {str(status): int(count) for status, count in connection.execute(query)}
    return sum(counts.values()), sum(counts.get(status, 0) for status in statuses)


def has_arrived(connection: Connection, batch_id: str, name: str) -> bool:
    """Whether the target took this item."""
    query = select(export_items.c.name).where(*_same(batch_id, [name]), export_items.c.status.in_(ARRIVED))
    return connection.execute(query).first() is not None


def set_items(connection: Connection, batch_id: str, names: Iterable[str], **values: Any) -> None:
    """Set columns of items."""
    connection.execute(export_items.update().where(*_same(batch_id, names)).values(updated_at=now(), **values))


def claim_items(connection: Connection, batch_id: str, names: Iterable[str]) -> None:
    """These items are about to leave: committed before the request, so that a crash is visible."""
    set_items(connection, batch_id, names, status=ItemStatus.SENDING, attempts=export_items.c.attempts + 1)


def record_outcome(connection: Connection, batch: BatchRow, name: str, result: ItemResult, *, is_in_doubt: bool) -> None:
    """Write what became of an item, and with it what is live from now on."""
    frozen = load_item(connection, batch.batch_id, name)
    if result.status not in ARRIVED:
        read_back = ReadBack.IN_DOUBT if is_in_doubt else ""
        set_items(connection, batch.batch_id, [name], status=result.status, error=result.error, n_mappings=0, read_back=read_back)
        return
    values = {"status": result.status, "video_id": result.video_id, "n_mappings": len(frozen.words), "error": "", "read_back": ""}
    _forget_doubt(connection, batch.target, name)
    set_items(connection, batch.batch_id, [name], **values)
    rows = [
        {
            "target": batch.target,
            "name": name,
            "word_id": word.word_id,
            "mapping_id": word.mapping_id,
            "clip_id": frozen.clip_id,
            "video_id": result.video_id,
            "relevance": sent.relevance_score,
            "digest": word.digest,
            "batch_id": batch.batch_id,
            "sent_at": now(),
        }
        for word, sent in zip(frozen.words, frozen.item.word_mappings, strict=True)
    ]
    upsert(connection, live_mappings, rows, on=("target", "name", "word_id"))


def set_read_back(connection: Connection, batch: BatchRow, name: str, found: ReadBack) -> None:
    """Write what reading back showed; what is missing there is to be sent again."""
    set_items(connection, batch.batch_id, [name], read_back=found)
    if found in (ReadBack.MISSING, ReadBack.WORDS_MISSING):
        same = (live_mappings.c.target == batch.target, live_mappings.c.name == name, live_mappings.c.relevance > 0)
        connection.execute(live_mappings.update().where(*same).values(digest=""))


def arrived_later(connection: Connection, batch: BatchRow) -> set[int]:
    """Clips of which a later batch brought something to the same target."""
    query = (
        select(export_items.c.clip_id)
        .join(export_batches, export_batches.c.batch_id == export_items.c.batch_id)
        .where(export_batches.c.target == batch.target, export_batches.c.number > batch.number, export_items.c.status.in_(ARRIVED))
    )
    return set(connection.execute(query).scalars())


def approved_ids(connection: Connection, mapping_ids: Iterable[int]) -> set[int]:
    """Those of the mappings that are approved now."""
    query = select(mappings.c.mapping_id).where(mappings.c.state == MappingState.APPROVED, mappings.c.mapping_id.in_(list(mapping_ids)))
    return set(connection.execute(query).scalars())


# Targets -------------------------------------------------------------------------------------------------------------


def is_confirmed(connection: Connection, target: str) -> bool:
    """Whether somebody confirmed this host before."""
    return connection.execute(select(targets.c.target).where(targets.c.target == target)).first() is not None


def confirm_target(connection: Connection, target: str, actor: str) -> None:
    """Record that somebody allowed exports to this host; a second time changes nothing."""
    insert_new(connection, targets, [{"target": target, "confirmed_by": actor, "confirmed_at": now()}], on=("target",))


# Rows ↔ values -------------------------------------------------------------------------------------------------------


def _at_most(frozen: FrozenItem, word: SentWord, sent: WordMapping) -> float:
    """The relevance that the target may hold after a request in doubt."""
    return sent.relevance_score if frozen.is_retraction else max(sent.relevance_score, word.asked, 0.01)


def _forget_doubt(connection: Connection, target: str, name: str) -> None:
    batches = select(export_batches.c.batch_id).where(export_batches.c.target == target)
    same = (export_items.c.batch_id.in_(batches), export_items.c.name == name, export_items.c.read_back == ReadBack.IN_DOUBT)
    connection.execute(export_items.update().where(*same).values(read_back=""))


def _same(batch_id: str, names: Iterable[str]) -> tuple[Any, ...]:
    return export_items.c.batch_id == batch_id, export_items.c.name.in_(list(names))


def _the_batch(row: Row[Any] | None, message: str) -> BatchRow:
    if row is None:
        raise NotFound(message, hint="The Export page lists them under History.")
    return BatchRow(**row._mapping)


def _item_columns(frozen: FrozenItem) -> dict[str, Any]:
    item = frozen.item
    return {
        "name": item.name,
        "clip_id": frozen.clip_id,
        "slug": item.slug[:255],
        "size_bytes": item.size_bytes,
        "payload": _payload(frozen),
    }


def _payload(frozen: FrozenItem) -> dict[str, Any]:
    return {name: value for name, value in asdict(frozen).items() if name != "clip_id"}


def _frozen(row: Row[Any]) -> FrozenItem:
    kept = dict(row.payload)
    item = dict(kept.pop("item"))
    sent = tuple(WordMapping(**mapping) for mapping in item.pop("word_mappings"))
    known = tuple(SentWord(**word) for word in kept.pop("words"))
    return FrozenItem(clip_id=row.clip_id, item=VideoItem(**item, word_mappings=sent), words=known, **kept)


def _live(row: Row[Any]) -> LiveRow:
    asked = {word["word_id"]: float(word["asked"]) for word in row.sent_words or ()}
    return LiveRow(
        name=row.name,
        word_id=row.word_id,
        mapping_id=row.mapping_id,
        clip_id=row.clip_id,
        video_id=row.video_id,
        relevance=row.relevance,
        digest=row.digest,
        batch_id=row.batch_id,
        asked=asked.get(row.word_id),
    )


def _mapping(row: Row[Any]) -> ExportMapping:
    asked = row.score if row.score is not None else row.relevance
    return ExportMapping(
        mapping_id=row.mapping_id,
        clip_id=row.clip_id,
        word_id=row.word_id,
        word=row.word,
        language=row.language,
        state=MappingState(row.state),
        asked=min(1.0, max(0.0, asked if asked is not None else 0.0)),
        evidence_state=EvidenceState(row.evidence_state),
        is_vouched=row.is_vouched,
        is_demo=row.is_demo,
        actor=row.actor,
        proposal_id=row.proposal_id,
    )
