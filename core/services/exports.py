"""Export: what would be sent, sending it, and what became of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from sqlalchemy import Connection

from core.errors import Conflict, NotFound, Refused
from core.model.export_reports import (
    ARRIVED,
    RULE_LABELS,
    BatchSummary,
    ClipPreview,
    ExportBatch,
    ExportPreview,
    HeldRule,
    PendingRetraction,
    Rule,
)
from core.model.exports import ItemStatus, VideoItem
from core.ports import ExportTarget, WorkStarter
from core.rules.payload import VISIBLE_LIMIT_BYTES, split_batches
from core.services.export_items import frozen_items
from core.services.export_outcomes import batch_summary, item_outcome, pending_retractions
from core.services.export_plan import PlannedClip, PlanRules, make_plan
from core.services.export_reading import read_back_batch
from core.services.export_scope import asked_scope, resumed_note
from core.services.export_sending import ClipTools, Sender
from core.store import exports as rows
from core.store.database import Database
from core.store.exports import BatchRow, FrozenItem
from core.store.media_files import MediaFiles
from core.store.runs import create_job, load_job, set_job
from core.store.vocabulary import bundle_word_ids, list_bundles

QUEUE = "storage"
ENDED_JOB = ("succeeded", "failed", "cancelled")


class Exports:
    """Compares the approved set with a target, sends the difference, and tells what became of each clip.

    Args:
        targets: address → target. The address is `""` (the default target), `practice`, or a backend's URL; it is kept in the
            job, so that a worker finds the same target. Raises InvalidInput for what is no address.
        tools: makes smaller copies of clips that are too large; None: such clips are skipped.
    """

    def __init__(
        self,
        database: Database,
        media_files: MediaFiles,
        tools: ClipTools | None,
        targets: Callable[[str], ExportTarget],
        work: WorkStarter,
        *,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._database = database
        self._media_files = media_files
        self._tools = tools
        self._targets = targets
        self._work = work
        self._pause = pause

    # Before ----------------------------------------------------------------------------------------------------------

    def preview(self, address: str = "", bundle: str | None = None, allow_strong_language: bool = False) -> ExportPreview:
        """What an export would do. Sends nothing and stores nothing. Raises: NotFound for an unknown bundle."""
        target = self._targets(address)
        with self._database.read() as connection:
            word_ids = _word_ids(connection, bundle)
            plan = _in_scope(make_plan(connection, self._rules(target, allow_strong_language)), word_ids, None)
            unfinished = rows.unfinished_batch(connection, target.name)
            n_requests = _count_requests(frozen for frozen, held_by in frozen_items(connection, plan) if not held_by)
            return ExportPreview(
                target=target.name,
                url=target.url,
                is_production=target.is_production,
                needs_confirmation=target.is_production and not rows.is_confirmed(connection, target.name),
                unfinished_batch_id=unfinished.batch_id if unfinished else None,
                clips=tuple(map(_preview, plan)),
                held=_held(connection, plan, word_ids, takes_demo=not target.is_production),
                n_words=sum(len(clip.placed) for clip in plan),
                n_bytes=_n_bytes(plan),
                n_requests=n_requests,
                expected_s=_expected_s(connection, target.name, _n_bytes(plan)),
            )

    def create_batch(
        self,
        address: str = "",
        bundle: str | None = None,
        actor: str = "",
        allow_strong_language: bool = False,
        confirmed: bool = False,
        only: Collection[int] | None = None,
        tell: Callable[[str], object] | None = None,
    ) -> str:
        """Freeze what is to be sent and start sending it; resume the target's unfinished batch where there is one.

        `only` are the clip ids that were ticked; None sends all that may be sent. `tell` gets a sentence where an unfinished
        batch goes on, since that holds what was asked for then. Returns the batch's id.

        Raises: NotFound for an unknown bundle; Refused for the first export to a host that nobody has confirmed.
        """
        target = self._targets(address)
        asked, note = asked_scope(bundle, allow_strong_language, only), ""
        with self._database.write() as connection:
            word_ids = _word_ids(connection, asked.bundle)
            batch = rows.unfinished_batch(connection, target.name)
            if batch is None:
                plan = make_plan(connection, self._rules(target, allow_strong_language))
                scope = _in_scope(plan, word_ids, asked.only)
                _confirm(connection, target, scope, actor, confirmed=confirmed)
                batch = _frozen_batch(connection, target, {"address": address, **asked.as_payload()}, scope, actor)
            else:
                note = resumed_note(batch, load_job(connection, batch.job_id).payload, asked)
                _open_job_again(connection, batch)
        self._start(batch)
        if note and tell is not None:
            tell(note)
        return batch.batch_id

    # Sending ---------------------------------------------------------------------------------------------------------

    def send_batch(self, job_id: str) -> None:
        """The job: send what is open of its batch. May be killed at any point and called again; an ended batch is left as it is.

        Raises: StoreError, DiskFull; the batch then stays open, and the same command goes on with it.
        """
        with self._database.read() as connection:
            batch = rows.batch_of_job(connection, job_id)
            address = str(load_job(connection, job_id).payload["address"])
        if batch.ended_at is None:
            target = self._targets(address)
            Sender(self._database, self._media_files, self._tools, target, batch, pause=self._pause).run()

    def retry(self, batch_id: str) -> str:
        """Send the failed items of a batch again, as they were frozen. Returns: the batch's id.

        A clip that a later batch brought to the target is not sent from an older one: it is skipped, and says so.
        Raises: NotFound, Conflict while another batch to the same target is open.
        """
        with self._database.write() as connection:
            batch = rows.load_batch(connection, batch_id)
            other = rows.unfinished_batch(connection, batch.target)
            if other is not None and other.batch_id != batch.batch_id:
                raise Conflict(
                    f"Batch {other.number} to {batch.target} is not finished.", hint="Let it finish (`python run.py export`), then retry."
                )
            later = rows.arrived_later(connection, batch)
            failed = [row for row in rows.items_of_batch(connection, batch.batch_id) if row.status is ItemStatus.FAILED]
            stale = [row.name for row in failed if row.clip_id in later]
            error = "A later batch brought this clip; the next export sends what still differs."
            rows.set_items(connection, batch.batch_id, stale, status=ItemStatus.SKIPPED, error=error)
            again = [row.name for row in failed if row.clip_id not in later]
            rows.set_items(connection, batch.batch_id, again, status=ItemStatus.QUEUED, error="")
            if again:
                rows.set_ended(connection, batch.batch_id, None)
                _open_job_again(connection, batch)
                batch = rows.load_batch(connection, batch.batch_id)
        self._start(batch)
        return batch.batch_id

    # Afterwards ------------------------------------------------------------------------------------------------------

    def verify(self, batch_id: str) -> ExportBatch:
        """Read everything that arrived with this batch back from the target. Raises: NotFound."""
        with self._database.read() as connection:
            batch = rows.load_batch(connection, batch_id)
            address = str(load_job(connection, batch.job_id).payload["address"])
        read_back_batch(self._database, self._targets(address), batch, is_again=True)
        return self.batch(batch.batch_id)

    def batch(self, batch_id: str) -> ExportBatch:
        """One batch, by id or number, with every item. Raises: NotFound."""
        with self._database.read() as connection:
            batch = rows.load_batch(connection, batch_id)
            listed = rows.items_of_batch(connection, batch.batch_id)
            items = tuple(item_outcome(row, rows.load_item(connection, batch.batch_id, row.name)) for row in listed)
        return ExportBatch(batch_summary(batch, listed), items)

    def history(self, address: str | None = None, *, limit: int = 50) -> list[BatchSummary]:
        """Batches, newest first, to one target or to all."""
        name = None if address is None else self._targets(address).name
        with self._database.read() as connection:
            batches = rows.list_batches(connection, target=name, limit=limit)
            return [batch_summary(batch, rows.items_of_batch(connection, batch.batch_id)) for batch in batches]

    def pending_retractions(self, address: str = "") -> list[PendingRetraction]:
        """What an operator still has to remove at a target that cannot delete, with the SQL for each."""
        with self._database.read() as connection:
            return pending_retractions(connection, self._targets(address).name)

    def retract(self, mapping_id: int, address: str = "", actor: str = "") -> list[PendingRetraction]:
        """The operator ran the SQL of this mapping: it is no longer live. Returns: what was taken off the list.

        Raises: NotFound when nothing of this mapping is to be retracted there.
        """
        target = self._targets(address).name
        with self._database.write() as connection:
            done = [item for item in pending_retractions(connection, target) if item.mapping_id == mapping_id]
            if not done:
                raise NotFound(
                    f"Nothing of mapping {mapping_id} waits to be retracted at {target}.", hint="The Export page lists what does."
                )
            names = {item.name for item in done}
            held = [row for row in rows.live_rows(connection, target) if row.mapping_id == mapping_id and row.name in names]
            rows.drop_live(connection, target, held, actor=actor)
        return done

    def _rules(self, target: ExportTarget, allow_strong_language: bool) -> PlanRules:
        return PlanRules(target.name, not target.is_production, allow_strong_language, self._tools is not None)

    def _start(self, batch: BatchRow) -> None:
        if batch.ended_at is None:
            with self._database.read() as connection:
                job = load_job(connection, batch.job_id)
            self._work.start_job(job.job_id, job.attempt, job.queue)


def _frozen_batch(connection: Connection, target: ExportTarget, asked: Mapping[str, Any], scope: list[PlannedClip], actor: str) -> BatchRow:
    """Store the batch, its items and its job, which keeps what was asked; a batch with nothing to send has ended at once."""
    job_id = create_job(connection, "export", QUEUE, {**asked, "target": target.name}, actor=actor)
    batch = rows.create_batch(connection, target=target.name, job_id=job_id, actor=actor)
    n_items, n_open = 0, 0
    for rank, (frozen, held_by) in enumerate(frozen_items(connection, scope)):
        rows.add_item(connection, batch.batch_id, rank, frozen, held_by=held_by)
        n_items, n_open = rank + 1, n_open + (not held_by)
    set_job(connection, job_id, total=n_items, done=n_items - n_open)
    if not n_open:
        rows.set_ended(connection, batch.batch_id, batch.created_at)
        set_job(connection, job_id, status="succeeded")
    return rows.load_batch(connection, batch.batch_id)


def _open_job_again(connection: Connection, batch: BatchRow) -> None:
    """A job that came to an end before its batch did begins another attempt; one that is under way is left alone."""
    job = load_job(connection, batch.job_id)
    if job.status in ENDED_JOB:
        set_job(connection, job.job_id, status="queued", reason="", attempt=job.attempt + 1)


def _confirm(connection: Connection, target: ExportTarget, scope: list[PlannedClip], actor: str, *, confirmed: bool) -> None:
    n_clips = sum(clip.is_sent for clip in scope)
    if not target.is_production or not n_clips or rows.is_confirmed(connection, target.name):
        return
    if not confirmed:
        raise Refused(
            f"This would be the first export to {target.name}: {n_clips} clips, {_n_bytes(scope):,} bytes.",
            hint="Check the host, then confirm it on the Export page or with --yes.",
        )
    rows.confirm_target(connection, target.name, actor)


def _word_ids(connection: Connection, bundle: str | None) -> list[int] | None:
    if not bundle:
        return None
    if bundle not in {known.name for known in list_bundles(connection)}:
        raise NotFound(f"There is no bundle {bundle!r}.", hint="`python run.py vocab list` shows them.")
    return bundle_word_ids(connection, bundle)


def _in_scope(plan: list[PlannedClip], word_ids: list[int] | None, only: Collection[int] | None) -> list[PlannedClip]:
    """Clips that teach a word of the bundle (with all their words) and were ticked."""
    wanted = None if word_ids is None else frozenset(word_ids)
    return [
        clip
        for clip in plan
        if (wanted is None or clip.word_ids & wanted) and (only is None or clip.standing.clip_id in only) and (clip.words or clip.is_sent)
    ]


def _preview(clip: PlannedClip) -> ClipPreview:
    standing = clip.standing
    words = clip.words or tuple(zero.mapping.word for withdrawal in clip.withdrawals for zero in withdrawal.zeros)
    return ClipPreview(
        clip_id=standing.clip_id,
        slug=standing.slug,
        name=standing.name,
        title=standing.title,
        year=standing.year,
        media_id=standing.media_id,
        words=tuple(dict.fromkeys(words)),
        size_bytes=standing.size_bytes,
        change=clip.change,
        will=clip.will,
        is_sent=clip.is_sent,
        rule=standing.rule if clip.held_by else None,
    )


def _held(connection: Connection, plan: list[PlannedClip], word_ids: list[int] | None, *, takes_demo: bool) -> tuple[HeldRule, ...]:
    counts = {rule: sum(bool(clip.held_by) and clip.standing.rule is rule for clip in plan) for rule in Rule}
    counts[Rule.APPROVED] = rows.count_undecided(connection, word_ids, is_demo_taken=takes_demo)
    counts[Rule.HEARD] = sum(clip.n_unheard for clip in plan)
    return tuple(HeldRule(rule, RULE_LABELS[rule], count) for rule, count in counts.items())


def _n_bytes(plan: Iterable[PlannedClip]) -> int:
    """Bytes of video that would be sent: a clip once for each name; a clip that is made smaller counts as the limit."""
    size = 0
    for clip in plan:
        once = min(clip.standing.size_bytes, VISIBLE_LIMIT_BYTES)
        size += once * (bool(clip.placed) + len(clip.withdrawals))
    return size


def _count_requests(items: Iterable[FrozenItem]) -> int:
    kinds: dict[bool, list[VideoItem]] = {False: [], True: []}
    for frozen in items:
        kinds[frozen.is_retraction].append(frozen.item)
    return sum(1 for listed in kinds.values() for _ in split_batches(listed))


def _expected_s(connection: Connection, target: str, n_bytes: int) -> float | None:
    """How long it will take at the pace of the last batch that sent something."""
    for batch in rows.list_batches(connection, target=target, limit=5):
        sent = sum(row.size_bytes for row in rows.items_of_batch(connection, batch.batch_id) if row.status in ARRIVED)
        if batch.ended_at is not None and sent:
            return n_bytes / sent * max(0.0, (batch.ended_at - batch.created_at).total_seconds())
    return None
