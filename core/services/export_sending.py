"""Sends one batch: resumable after a kill at any point, every item with its outcome, exactly once in effect at the target.

What leaves is marked before it leaves, and what arrived is recorded with what is live in one transaction. An item that
was on its way when the process died is sent again: its name is unique to its content, so that changes nothing.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection

from core.errors import MediaError, NotFound, ProviderUnavailable
from core.model.export_reports import ARRIVED, ReadBack
from core.model.exports import ItemResult, ItemStatus, VideoItem, WordMapping
from core.model.media import MediaFacts
from core.model.transcripts import Transcript
from core.ports import ExportTarget
from core.rules.payload import VISIBLE_LIMIT_BYTES, item_problems
from core.rules.sending import send_isolating
from core.services.export_items import without_words
from core.services.export_plan import unique_name
from core.services.export_reading import read_back_batch
from core.store import exports as rows
from core.store.clips import load_clip
from core.store.database import Database
from core.store.exports import BatchRow, FrozenItem, SentWord
from core.store.media_files import MediaFiles
from core.store.media_rows import load_transcript, save_media
from core.store.runs import load_job, set_job
from core.timing import now

OPEN = (ItemStatus.QUEUED, ItemStatus.SENDING)
NO_LONGER_APPROVED = "No longer approved."
WAITS_FOR_NEW_NAME = "Its new name did not arrive, so learners keep this one."


class ClipTools(Protocol):
    """What an export needs of the media tools."""

    def probe(self, path: Path) -> MediaFacts:
        """See `core.ports.MediaTools.probe`."""
        ...

    def shrink(self, path: Path, into: Path, *, max_bytes: int) -> Path:
        """A copy that learners can play, of at most `max_bytes`, as one new file in `into`. Raises: MediaError."""
        ...


class Stopped(Exception):
    """The job was cancelled, or another process ended the batch; what waits stays queued."""


class Sender:
    """Sends one batch to its target."""

    def __init__(
        self,
        database: Database,
        media_files: MediaFiles,
        tools: ClipTools | None,
        target: ExportTarget,
        batch: BatchRow,
        *,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._database = database
        self._media_files = media_files
        self._tools = tools
        self._target = target
        self._batch = batch
        self._pause = pause
        self._doubted: set[str] = set()
        self.name, self.url = target.name, target.url

    def run(self) -> None:
        """Send what is open, read back what arrived, and end the batch. Raises: StoreError, DiskFull."""
        try:
            self._begin()
            self._shrink_all()
            for is_retraction in (False, True):
                self._send_all(is_retraction=is_retraction)
            with self._database.write() as connection:
                self._tell(connection, "Reading back")
            read_back_batch(self._database, self._target, self._batch, heed=self._heed)
        except Stopped:
            return
        self._end()

    def send(self, source_id: str, items: Sequence[VideoItem]) -> tuple[ItemResult, ...]:
        """One request of `send_isolating`: marked before it leaves, and marked when its outcome is in doubt."""
        names = [item.name for item in items]
        self._heed()
        with self._database.write() as connection:
            rows.claim_items(connection, self._batch.batch_id, names)
        try:
            return self._target.send(source_id, items)
        except ProviderUnavailable:
            self._doubted.update(names)
            with self._database.write() as connection:
                rows.set_items(connection, self._batch.batch_id, names, read_back=ReadBack.IN_DOUBT)
            raise

    def _begin(self) -> None:
        with self._database.read() as connection:
            for row in rows.items_of_batch(connection, self._batch.batch_id):
                if row.status is ItemStatus.SENDING or row.read_back == ReadBack.IN_DOUBT:
                    self._doubted.add(row.name)

    def _heed(self) -> None:
        """Raises: Stopped."""
        with self._database.read() as connection:
            is_cancelled = load_job(connection, self._batch.job_id).status == "cancelled"
            is_ended = rows.load_batch(connection, self._batch.batch_id).ended_at is not None
        if is_cancelled or is_ended:
            raise Stopped

    def _wait(self, seconds: float) -> None:
        """Wait between attempts, and stop waiting when the job is cancelled."""
        while seconds > 0:
            self._heed()
            self._pause(min(seconds, 1.0))
            seconds -= 1.0

    def _send_all(self, *, is_retraction: bool) -> None:
        items = self._open_items(is_retraction=is_retraction)
        for item, result in send_isolating(self, self._batch.source_id, items, wait=self._wait):
            is_in_doubt = item.name in self._doubted
            with self._database.write() as connection:
                rows.record_outcome(connection, self._batch, item.name, result, is_in_doubt=is_in_doubt)
                self._tell(connection, f"{item.slug}: {result.status.value}")

    def _open_items(self, *, is_retraction: bool) -> Iterator[VideoItem]:
        """The items that are to leave, each made ready only when it is asked for."""
        with self._database.read() as connection:
            names = [row.name for row in rows.items_of_batch(connection, self._batch.batch_id) if row.status in OPEN]
        for name in names:
            self._heed()
            with self._database.write() as connection:
                frozen = rows.load_item(connection, self._batch.batch_id, name)
                if frozen.is_retraction != is_retraction:
                    continue
                if frozen.after and not rows.has_arrived(connection, self._batch.batch_id, frozen.after):
                    self._skip(frozen, WAITS_FOR_NEW_NAME, connection)
                    continue
                current = frozen if is_retraction else self._still_approved(connection, frozen)
                if current is None:
                    self._skip(frozen, NO_LONGER_APPROVED, connection)
                    continue
            ready = self._with_path(current)
            if ready is not None:
                yield ready

    def _still_approved(self, connection: Connection, frozen: FrozenItem) -> FrozenItem | None:
        """The item as the decisions stand now: an approval that was taken back meanwhile does not leave. None: nothing is left."""
        wanted = {word.word_id: word.mapping_id for word, sent in _pairs(frozen) if sent.relevance_score > 0}
        kept = rows.approved_ids(connection, wanted.values())
        gone = {word_id for word_id, mapping_id in wanted.items() if mapping_id not in kept}
        if not gone:
            return frozen
        may_be_there = frozen.item.name in self._doubted
        live = {row.word_id for row in rows.live_rows(connection, self._batch.target) if row.name == frozen.item.name and row.relevance > 0}
        if not may_be_there and not live and gone == set(wanted):
            return None
        changed = without_words(frozen, gone if may_be_there else gone & live, are_zero=True)
        changed = changed if may_be_there else without_words(changed, gone - live, are_zero=False)
        rows.replace_item(connection, self._batch.batch_id, frozen.item.name, changed)
        return changed

    def _with_path(self, frozen: FrozenItem) -> VideoItem | None:
        """The item with its file; without one it fails here, and the others carry on."""
        try:
            path = self._media_files.local_path(frozen.media_id)
        except NotFound as error:
            self._fail(frozen, f"{error.message} {error.hint}")
            return None
        item = replace(frozen.item, path=str(path))
        problems = item_problems(item)
        if problems:
            with self._database.write() as connection:
                self._skip(frozen, " ".join(problems), connection)
            return None
        return item

    def _skip(self, frozen: FrozenItem, why: str, connection: Connection) -> None:
        name = frozen.item.name
        doubt = ReadBack.IN_DOUBT if name in self._doubted else ""
        skipped = {"status": ItemStatus.SKIPPED, "error": why, "n_mappings": 0, "read_back": doubt}
        rows.set_items(connection, self._batch.batch_id, [name], **skipped)

    def _fail(self, frozen: FrozenItem, why: str) -> None:
        result = ItemResult(frozen.item.slug, None, ItemStatus.FAILED, error=why)
        with self._database.write() as connection:
            is_in_doubt = frozen.item.name in self._doubted
            rows.record_outcome(connection, self._batch, frozen.item.name, result, is_in_doubt=is_in_doubt)

    def _shrink_all(self) -> None:
        """Make copies that learners can be shown of the clips that are too large."""
        with self._database.read() as connection:
            listed = rows.items_of_batch(connection, self._batch.batch_id)
        for row in listed:
            if row.status is ItemStatus.QUEUED and row.size_bytes > VISIBLE_LIMIT_BYTES:
                self._heed()
                with self._database.write() as connection:
                    self._tell(connection, f"{row.slug}: encoding it smaller")
                self._shrink(row.name)

    def _shrink(self, name: str) -> None:
        with self._database.read() as connection:
            frozen = rows.load_item(connection, self._batch.batch_id, name)
        try:
            facts = self._smaller(frozen.media_id)
        except (MediaError, NotFound) as error:
            with self._database.write() as connection:
                self._skip(frozen, error.message, connection)
            return
        with self._database.write() as connection:
            clip = load_clip(connection, frozen.clip_id)
            save_media(connection, facts, is_stored=True, is_demo=clip.is_demo)
            transcript = load_transcript(connection, clip.transcript_id or "")
            rows.replace_item(connection, self._batch.batch_id, name, self._with_media(connection, frozen, facts, transcript))

    def _smaller(self, media_id: str) -> MediaFacts:
        """Store a smaller copy and say what it is. Raises: MediaError, NotFound, DiskFull."""
        if self._tools is None:
            raise MediaError(f"More than {VISIBLE_LIMIT_BYTES:,} bytes: learners would not be shown it.")
        folder = self._database.home_path / "cache"
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="export-", dir=folder) as into:
            made = self._tools.shrink(self._media_files.local_path(media_id), Path(into), max_bytes=VISIBLE_LIMIT_BYTES)
            facts = self._tools.probe(made)
            self._media_files.put(made)
        return facts

    def _with_media(self, connection: Connection, frozen: FrozenItem, facts: MediaFacts, transcript: Transcript) -> FrozenItem:
        conflicts = rows.conflicting_names(connection, self._batch.target)
        name = unique_name(frozen.item.slug, facts.media_id, transcript, conflicts)
        seen = f"{facts.video.width_px}x{facts.video.height_px}" if facts.video else None
        metadata = {**frozen.item.metadata, "media_id": facts.media_id, "resolution": seen}
        item = replace(frozen.item, name=name, size_bytes=facts.size_bytes, metadata=metadata)
        return replace(frozen, item=item, media_id=facts.media_id)

    def _tell(self, connection: Connection, detail: str) -> None:
        """Bring the job's progress up to date."""
        n_items, n_open = rows.count_items(connection, self._batch.batch_id, OPEN)
        set_job(connection, self._batch.job_id, done=n_items - n_open, total=n_items, detail=detail)

    def _end(self) -> None:
        with self._database.write() as connection:
            listed = rows.items_of_batch(connection, self._batch.batch_id)
            counts = {
                "sent": sum(row.status in ARRIVED for row in listed),
                "failed": sum(row.status is ItemStatus.FAILED for row in listed),
                "skipped": sum(row.status is ItemStatus.SKIPPED for row in listed),
            }
            rows.set_ended(connection, self._batch.batch_id, now())
            total = len(listed)
            result = {"batch_id": self._batch.batch_id, **counts}
            set_job(connection, self._batch.job_id, done=total, total=total, detail="", result=result)


def _pairs(frozen: FrozenItem) -> Iterator[tuple[SentWord, WordMapping]]:
    return zip(frozen.words, frozen.item.word_mappings, strict=True)
