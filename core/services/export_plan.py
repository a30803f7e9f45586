"""What differs between the approved set and what a target holds, clip by clip."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from sqlalchemy import Connection

from core.model.clips import Clip
from core.model.export_reports import Change, Rule
from core.model.exports import WordMapping
from core.model.media import MediaFacts
from core.model.reviews import MappingState
from core.model.transcripts import Transcript
from core.rules.hundredths import distinct_hundredths
from core.rules.payload import VISIBLE_LIMIT_BYTES, content_digest, export_name, item_problems, video_item
from core.rules.playable import learner_problems
from core.rules.strong_language import strong_words
from core.store import exports as rows
from core.store.clips import load_clips
from core.store.exports import ExportMapping, LiveRow, in_chunks
from core.store.media_rows import load_transcripts


@dataclass(frozen=True, slots=True)
class PlanRules:
    """What the target and the person allow."""

    target: str
    takes_demo: bool
    allow_strong_language: bool
    can_shrink: bool


@dataclass(frozen=True, slots=True)
class ClipStanding:
    """One clip as it would be sent, without its text."""

    clip_id: int
    slug: str
    title: str
    year: int | None
    media_id: str | None
    """The clip's own."""
    sent_media_id: str | None
    """A smaller copy where one was made."""
    name: str
    size_bytes: int
    is_verified_by_audio: bool
    is_too_large: bool = False
    is_conflict: bool = False
    rule: Rule | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Placed:
    """A mapping with the relevance at which the target shall hold it."""

    mapping: ExportMapping
    relevance: float
    digest: str


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Mappings of one name that the target shall hold at relevance 0."""

    name: str
    batch_id: str
    """Where the name's last payload is kept."""
    zeros: tuple[Placed, ...]
    after: str = ""
    """The name that must have arrived before."""


@dataclass(frozen=True, slots=True)
class PlannedClip:
    """One clip and what is to be done."""

    standing: ClipStanding
    change: Change
    will: str
    words: tuple[str, ...]
    word_ids: frozenset[int]
    placed: tuple[Placed, ...] = ()
    """All its mappings, where its name is to be sent; else empty."""
    zeros: tuple[Placed, ...] = ()
    """Mappings that go out with them, at relevance 0."""
    withdrawals: tuple[Withdrawal, ...] = ()
    held_by: str = ""
    """Why its name is not sent, though there is something to send."""
    n_unheard: int = 0
    """Approved mappings whose word nothing and nobody heard."""

    @property
    def is_sent(self) -> bool:
        return bool(self.placed or self.withdrawals)


@dataclass(slots=True)
class _State:
    """All that one plan reads, by mapping, clip and name."""

    mappings: Mapping[int, ExportMapping]
    live: Mapping[int, Mapping[str, Mapping[int, LiveRow]]]
    """clip id → name → word id → what the target holds (retracted ones too)."""
    standings: dict[int, ClipStanding] = field(default_factory=dict)
    placed: dict[int, float] = field(default_factory=dict)
    """mapping id → relevance."""

    by_clip: dict[int, list[ExportMapping]] = field(default_factory=dict)

    def approved_of(self, clip_id: int) -> list[ExportMapping]:
        return [mapping for mapping in self.by_clip[clip_id] if mapping.state is MappingState.APPROVED]

    def zero(self, row: LiveRow) -> Placed:
        """The mapping of a live row, to be sent at relevance 0."""
        return Placed(self.mappings[row.mapping_id], 0.0, row.digest)


def make_plan(connection: Connection, rules: PlanRules) -> list[PlannedClip]:
    """Every clip that is approved or live at the target, by clip id, unchanged ones included."""
    state = _gathered(connection, _live_or_doubtful(connection, rules.target))
    conflicts = rows.conflicting_names(connection, rules.target)
    copies = rows.smaller_copies(connection)
    for ids in in_chunks(state.by_clip):
        state.standings |= _stand(connection, ids, state, rules, conflicts, copies)
    state.placed = _placed(state, rules)
    return [_planned(state, clip_id) for clip_id in sorted(state.by_clip)]


def _live_or_doubtful(connection: Connection, target: str) -> list[LiveRow]:
    """What the target holds; where a request in doubt may have changed it, without a digest, so that it is sent again."""
    live = {(row.name, row.word_id): row for row in rows.live_rows(connection, target)}
    for row in rows.doubtful_rows(connection, target):
        known = live.get((row.name, row.word_id))
        if known is not None or row.relevance > 0:
            base = known or row
            live[row.name, row.word_id] = replace(base, digest="", relevance=max(base.relevance, row.relevance))
    return list(live.values())


def _gathered(connection: Connection, live: Sequence[LiveRow]) -> _State:
    found = rows.export_mappings(connection, {row.mapping_id for row in live})
    held: dict[int, dict[str, dict[int, LiveRow]]] = defaultdict(lambda: defaultdict(dict))
    for row in live:
        held[row.clip_id][row.name][row.word_id] = row
    state = _State({mapping.mapping_id: mapping for mapping in found}, held)
    for mapping in found:
        state.by_clip.setdefault(mapping.clip_id, []).append(mapping)
    return state


def _stand(
    connection: Connection, clip_ids: list[int], state: _State, rules: PlanRules, conflicts: set[str], copies: Mapping[str, str]
) -> dict[int, ClipStanding]:
    found = load_clips(connection, clip_ids)
    texts = load_transcripts(connection, [clip.transcript_id for clip in found.values() if clip.transcript_id])
    own = {clip.media_id for clip in found.values() if clip.media_id}
    facts = rows.facts_of(connection, own | {copies[media_id] for media_id in own if media_id in copies})
    standings = {}
    for clip_id, clip in found.items():
        sent_id = _sent_media(clip.media_id, copies, facts)
        standings[clip_id] = _standing(clip, texts.get(clip.transcript_id or ""), facts.get(sent_id or ""), state, rules, conflicts)
    return standings


def _sent_media(media_id: str | None, copies: Mapping[str, str], facts: Mapping[str, tuple[MediaFacts, bool]]) -> str | None:
    """The smaller copy of a clip that is too large, where one is stored; else the clip's own media."""
    copy = copies.get(media_id or "")
    return copy if copy is not None and copy in facts and facts[copy][1] else media_id


def _standing(
    clip: Clip,
    transcript: Transcript | None,
    stored: tuple[MediaFacts, bool] | None,
    state: _State,
    rules: PlanRules,
    conflicts: set[str],
) -> ClipStanding:
    facts = stored[0] if stored else None
    base = ClipStanding(
        clip.clip_id,
        clip.slug,
        clip.film.title or clip.title,
        clip.film.year,
        clip.media_id,
        facts.media_id if facts else None,
        name=clip.slug[:255],
        size_bytes=facts.size_bytes if facts else 0,
        is_verified_by_audio=transcript.is_verified_by_audio if transcript else False,
    )
    if transcript is None or not transcript.text.strip():
        return replace(base, rule=Rule.TRANSCRIPT, why="It has no spoken text, so learners would not be shown it.")
    if facts is None or not (stored and stored[1]):
        return replace(base, rule=Rule.MEDIA, why="Its media is not stored here. Fetch the clip again.")
    name = unique_name(clip.slug, facts.media_id, transcript, conflicts)
    digest_name = export_name(clip.slug, facts.media_id, content_digest(transcript.text, transcript.words))
    named = replace(base, name=name, is_conflict=name != digest_name, is_too_large=facts.size_bytes > VISIBLE_LIMIT_BYTES)
    rule, why = _held_by(clip, transcript, facts, named, state, rules)
    return replace(named, rule=rule, why=why)


def unique_name(slug: str, media_id: str, transcript: Transcript, conflicts: set[str]) -> str:
    """The clip's export name; one under which the target serves other bytes gives way to the next."""
    digest = content_digest(transcript.text, transcript.words)
    name, n = export_name(slug, media_id, digest), 1
    while name in conflicts:
        n += 1
        name = export_name(slug, media_id, f"{digest} {n}")
    return name


def _held_by(
    clip: Clip, transcript: Transcript, facts: MediaFacts, standing: ClipStanding, state: _State, rules: PlanRules
) -> tuple[Rule | None, str]:
    """The first rule that holds the clip back, and its sentence."""
    approved = state.approved_of(clip.clip_id)
    if not rules.takes_demo and (clip.is_demo or any(mapping.is_demo for mapping in approved)):
        return Rule.DEMO, "Demo clips go to the practice backend only."
    found = () if rules.allow_strong_language else strong_words(f"{transcript.text} {clip.spoken}")
    if found:
        return Rule.STRONG_LANGUAGE, f"Strong language ({', '.join(found)}). It is sent only with the tick (--allow-strong-language)."
    if standing.is_too_large:
        why = f"{facts.size_bytes:,} bytes are more than {VISIBLE_LIMIT_BYTES:,}: learners would not be shown it."
        return (None, "") if rules.can_shrink else (Rule.SIZE, why)
    problems = learner_problems(facts)
    if problems:
        return Rule.PLAYABLE, "Phones would refuse it: " + "; ".join(problems) + "."
    if standing.name not in state.live.get(clip.clip_id, {}):
        sent = [word_mapping(mapping, 0.5) for mapping in approved]
        faults = item_problems(video_item(clip=clip, facts=facts, path=Path(), transcript=transcript, mappings=sent)) if sent else ()
        if faults:
            return Rule.FIELDS, " ".join(faults)
    return None, ""


def _placed(state: _State, rules: PlanRules) -> dict[int, float]:
    """Distinct hundredths for the clips of each word, as near as can be to what is live already."""
    asked: dict[tuple[str, str], dict[int, float]] = defaultdict(dict)
    fixed: dict[tuple[str, str], dict[int, float]] = defaultdict(dict)
    for mapping in state.mappings.values():
        standing = state.standings.get(mapping.clip_id)
        if mapping.state is not MappingState.APPROVED or standing is None:
            continue
        key = (mapping.word, mapping.language)
        held = _live_of(state, mapping, standing.name)
        is_spoken_for = held is not None and (standing.rule is not None or held.asked == mapping.asked)
        if is_spoken_for and held is not None:
            fixed[key][mapping.mapping_id] = held.relevance
        if standing.rule is None and _hears(mapping):
            asked[key][mapping.mapping_id] = mapping.asked
    placed: dict[int, float] = {}
    for key in asked.keys() | fixed.keys():
        placed |= distinct_hundredths(asked[key], fixed[key])
    return placed


def _hears(mapping: ExportMapping) -> bool:
    """Whether somebody or something heard the word: a caption alone counts only with a person's approval, which vouches."""
    return mapping.evidence_state != "not_heard" or mapping.is_vouched


def _live_of(state: _State, mapping: ExportMapping, name: str) -> LiveRow | None:
    """What the target holds of a mapping: under the clip's present name first, else under an older one."""
    names = state.live.get(mapping.clip_id, {})
    for other in (name, *sorted(names)):
        row = names.get(other, {}).get(mapping.word_id)
        if row is not None and row.relevance > 0:
            return row
    return None


def _planned(state: _State, clip_id: int) -> PlannedClip:
    standing = state.standings[clip_id]
    approved = [mapping for mapping in state.approved_of(clip_id) if _hears(mapping)]
    kept_ids = {mapping.mapping_id for mapping in approved}
    names = state.live.get(clip_id, {})
    present = names.get(standing.name, {})
    placed = _places(state, standing, approved)
    stale = tuple(row for row in present.values() if row.relevance > 0 and row.mapping_id not in kept_ids)
    differing = tuple(place for place in placed if _differs(place, present.get(place.mapping.word_id)))
    is_sent = bool(placed) and bool(differing or stale)
    withdrawals = _withdrawals(state, standing, kept_ids, () if is_sent else stale, is_sent=is_sent)
    is_named = any(withdrawal.name == standing.name for withdrawal in withdrawals)
    is_held = standing.rule is not None and _is_wanted(standing, approved, present) and not is_named
    clip = PlannedClip(
        standing=standing,
        change=Change.UNCHANGED,
        will="Already there.",
        words=tuple(mapping.word for mapping in approved),
        word_ids=frozenset(mapping.word_id for mapping in state.by_clip[clip_id]),
        placed=placed if is_sent else (),
        zeros=tuple(map(state.zero, stale)) if is_sent else (),
        withdrawals=withdrawals,
        held_by=standing.why if is_held else "",
        n_unheard=len(state.approved_of(clip_id)) - len(approved),
    )
    return _told(clip, state, differing)


def _places(state: _State, standing: ClipStanding, approved: Sequence[ExportMapping]) -> tuple[Placed, ...]:
    """Every approved mapping where it shall stand; one a word as the target spells it; none of a clip that is held back."""
    if standing.rule is not None:
        return ()
    distinct = {(mapping.word, mapping.language): mapping for mapping in reversed(approved)}
    return tuple(
        Placed(mapping, state.placed[mapping.mapping_id], mapping_digest(standing, mapping)) for mapping in reversed(distinct.values())
    )


def _differs(place: Placed, row: LiveRow | None) -> bool:
    return row is None or row.digest != place.digest or round(row.relevance * 100) != round(place.relevance * 100)


def _is_wanted(standing: ClipStanding, approved: Sequence[ExportMapping], present: Mapping[int, LiveRow]) -> bool:
    """Whether a clip that is held back would be sent if it were not."""
    return any(
        (row := present.get(mapping.word_id)) is None or row.relevance <= 0 or row.digest != mapping_digest(standing, mapping)
        for mapping in approved
    )


def _withdrawals(
    state: _State, standing: ClipStanding, kept_ids: set[int], stale: Sequence[LiveRow], *, is_sent: bool
) -> tuple[Withdrawal, ...]:
    """Old names go wholly once the present one is there; of a clip that is held back only what is no longer approved."""
    found = []
    if stale:
        found.append(Withdrawal(standing.name, stale[0].batch_id, tuple(map(state.zero, stale))))
    for name, held in sorted(state.live.get(standing.clip_id, {}).items()):
        gone = [row for row in held.values() if row.relevance > 0 and (standing.rule is None or row.mapping_id not in kept_ids)]
        if name != standing.name and gone:
            found.append(Withdrawal(name, gone[0].batch_id, tuple(map(state.zero, gone)), after=standing.name if is_sent else ""))
    return tuple(found)


def _told(clip: PlannedClip, state: _State, differing: Sequence[Placed]) -> PlannedClip:
    """The clip with its change and the sentence that says what will happen."""
    standing = clip.standing
    names = state.live.get(standing.clip_id, {})
    withdrawn = list(dict.fromkeys(zero.mapping.word for withdrawal in clip.withdrawals for zero in withdrawal.zeros))
    if clip.placed and standing.is_conflict and standing.name not in names:
        return replace(clip, change=Change.CONFLICT, will="Other bytes there: sent under a new name, the old one retracted.")
    if clip.placed and standing.is_too_large:
        will = f"Encode it again, from {standing.size_bytes / 1e6:.1f} MB to at most 5 MiB, speech kept."
        return replace(clip, change=Change.TOO_LARGE, will=will)
    if clip.placed and not any(row.relevance > 0 for held in names.values() for row in held.values()):
        return replace(clip, change=Change.NEW, will=f"Create, {_counted(len(clip.placed))}.")
    if clip.placed:
        return replace(clip, change=Change.CHANGED, will=_changes(clip, names.get(standing.name, {}), differing))
    if clip.withdrawals:
        also = f" {standing.why}" if clip.held_by else ""
        return replace(clip, change=Change.RETRACTION, will=f"Retract {', '.join(withdrawn)}.{also}")
    if clip.held_by:
        change = {Rule.PLAYABLE: Change.UNPLAYABLE, Rule.SIZE: Change.TOO_LARGE}.get(standing.rule or Rule.FIELDS, Change.HELD)
        return replace(clip, change=change, will=standing.why)
    return clip


def _changes(clip: PlannedClip, present: Mapping[int, LiveRow], differing: Sequence[Placed]) -> str:
    if not present and clip.withdrawals:
        return "New name, the old one retracted."
    parts = []
    added = [place.mapping.word for place in differing if (row := present.get(place.mapping.word_id)) is None or row.relevance <= 0]
    if added:
        parts.append(f"Add {', '.join(added)}")
    for place in differing:
        row = present.get(place.mapping.word_id)
        if row is None or row.relevance <= 0:
            continue
        if round(row.relevance * 100) != round(place.relevance * 100):
            by = f", by {place.mapping.actor}" if place.mapping.actor and row.asked != place.mapping.asked else ""
            parts.append(f"{place.mapping.word}: {row.relevance:.2f} → {place.relevance:.2f}{by}")
        else:
            parts.append(f"{place.mapping.word}: sent again")
    if clip.zeros:
        parts.append(f"Retract {', '.join(zero.mapping.word for zero in clip.zeros)}")
    return "; ".join(parts) + "."


def _counted(n_words: int) -> str:
    return "1 word" if n_words == 1 else f"{n_words} words"


def word_mapping(mapping: ExportMapping, relevance: float, timestamp: float | None = None) -> WordMapping:
    """A mapping as the target is sent it."""
    return WordMapping(mapping.word, mapping.language, relevance, mapping.transcript_source, timestamp)


def mapping_digest(standing: ClipStanding, mapping: ExportMapping) -> str:
    """What the target holds of a mapping beside its relevance; bytes and text are in the name that it stands under."""
    told = [standing.is_verified_by_audio, mapping.word, mapping.language, mapping.transcript_source]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()
