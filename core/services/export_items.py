"""The items of a batch: what of a plan is sent, frozen, in the order in which it leaves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from sqlalchemy import Connection

from core.model.clips import Clip
from core.model.exports import VideoItem
from core.model.media import MediaFacts
from core.model.transcripts import Transcript
from core.rules.payload import video_item
from core.services.export_plan import ClipStanding, Placed, PlannedClip, Withdrawal, word_mapping
from core.store import exports as rows
from core.store.clips import load_clips, load_proposals
from core.store.exports import FrozenItem, SentWord, in_chunks
from core.store.media_rows import load_transcripts


def frozen_items(connection: Connection, planned: Iterable[PlannedClip]) -> Iterator[tuple[FrozenItem, str]]:
    """(item, what holds it back or nothing) of all that is sent or skipped: present names first, retractions last."""
    listed = list(planned)
    named = {clip.standing.clip_id: clip for clip in listed if clip.placed or clip.held_by}
    for clip_ids in in_chunks(named):
        yield from _frozen_chunk(connection, [named[clip_id] for clip_id in clip_ids])
    for clip in listed:
        for withdrawal in clip.withdrawals:
            yield _withdrawn(rows.load_item(connection, withdrawal.batch_id, withdrawal.name), withdrawal), ""


def without_words(frozen: FrozenItem, word_ids: set[int], *, are_zero: bool) -> FrozenItem:
    """The item without these words, or with them at relevance 0."""
    pairs = list(zip(frozen.words, frozen.item.word_mappings, strict=True))
    if are_zero:
        pairs = [(word, replace(sent, relevance_score=0.0) if word.word_id in word_ids else sent) for word, sent in pairs]
    else:
        pairs = [(word, sent) for word, sent in pairs if word.word_id not in word_ids]
    item = replace(frozen.item, word_mappings=tuple(sent for _, sent in pairs))
    return replace(frozen, item=item, words=tuple(word for word, _ in pairs))


def _frozen_chunk(connection: Connection, planned: Sequence[PlannedClip]) -> Iterator[tuple[FrozenItem, str]]:
    clips = load_clips(connection, [clip.standing.clip_id for clip in planned])
    texts = load_transcripts(connection, [clip.transcript_id for clip in clips.values() if clip.transcript_id])
    facts = rows.facts_of(connection, [clip.standing.sent_media_id for clip in planned if clip.standing.sent_media_id])
    starts = _first_starts(connection, planned)
    for clip in planned:
        whole = clips[clip.standing.clip_id]
        if clip.held_by:
            yield _skipped(clip.standing), clip.held_by
        else:
            yield _frozen(clip, whole, texts[whole.transcript_id or ""], facts[clip.standing.sent_media_id or ""][0], starts), ""


def _first_starts(connection: Connection, planned: Sequence[PlannedClip]) -> dict[int, float]:
    """Proposal id → when its word is first said, in seconds; absent where no place is known."""
    proposal_ids = [place.mapping.proposal_id for clip in planned for place in clip.placed]
    return {
        proposal_id: proposal.evidence.occurrences[0].start_s
        for chunk in in_chunks(proposal_ids)
        for proposal_id, proposal in load_proposals(connection, chunk).items()
        if proposal.evidence.occurrences
    }


def _frozen(planned: PlannedClip, clip: Clip, transcript: Transcript, facts: MediaFacts, starts: Mapping[int, float]) -> FrozenItem:
    places = (*planned.placed, *planned.zeros)
    sent = [word_mapping(place.mapping, place.relevance, starts.get(place.mapping.proposal_id)) for place in places]
    item = video_item(clip=clip, facts=facts, path=Path(), transcript=transcript, mappings=sent)
    return FrozenItem(
        clip_id=clip.clip_id,
        item=replace(item, name=planned.standing.name, path=""),
        words=_sent_words(places),
        media_id=facts.media_id,
        clip_media_id=clip.media_id or facts.media_id,
    )


def _withdrawn(old: FrozenItem, withdrawal: Withdrawal) -> FrozenItem:
    """What stands under an old name, sent again with the mappings at 0: bytes and text stay what they were."""
    sent = tuple(word_mapping(zero.mapping, 0.0) for zero in withdrawal.zeros)
    return replace(
        old,
        item=replace(old.item, word_mappings=sent),
        words=_sent_words(withdrawal.zeros),
        is_retraction=True,
        after=withdrawal.after,
    )


def _skipped(standing: ClipStanding) -> FrozenItem:
    """A row that only says why the clip is not sent."""
    item = VideoItem(standing.slug, standing.name, "mp4", "", standing.size_bytes, "", "", False, {}, {}, ())
    media_id = standing.media_id or ""
    return FrozenItem(standing.clip_id, item, (), media_id, media_id)


def _sent_words(places: Sequence[Placed]) -> tuple[SentWord, ...]:
    return tuple(SentWord(place.mapping.word_id, place.mapping.mapping_id, place.mapping.asked, place.digest) for place in places)
