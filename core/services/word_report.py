"""One word with every clip that could teach it, in the order learners see them, and what happened to them. Reads only."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from core.errors import NotFound
from core.model.clips import Clip, EvidenceState, Proposal
from core.model.export_reports import ARRIVED
from core.model.reviews import MappingState
from core.model.runs import WordState
from core.model.transcripts import Transcript
from core.rules.word_keys import word_key
from core.services.desk import bundle_label
from core.services.review import shown_state
from core.store import clips as clip_rows
from core.store import reviews
from core.store.database import Database
from core.store.export_tables import export_batches, export_items
from core.store.media_rows import load_transcripts, pictures_of
from core.store.reviews import MappingRow
from core.store.tables import decisions, mappings, proposals, run_words, runs, words
from core.store.vocabulary import bundles_of_words

SHOWN = (MappingState.APPROVED, MappingState.IN_REVIEW, MappingState.FLAGGED, MappingState.SKIPPED, MappingState.PARKED)


@dataclass(frozen=True, slots=True)
class WordClip:
    """One clip of the word."""

    mapping_id: int
    clip_id: int
    slug: str
    title: str
    year: int | None
    media_id: str | None
    still_id: str | None
    duration_s: float
    state: MappingState
    is_live: bool
    line: tuple[tuple[str, bool], ...]
    """The spoken text in pieces; True: a form of the word."""
    machine: float | None
    score: float | None
    """The person's, 0–1."""
    actor: str
    reason: str
    evidence: EvidenceState
    heard_at_s: float | None
    probability: float | None
    reject_reasons: tuple[str, ...]
    note: str


@dataclass(frozen=True, slots=True)
class WordEvent:
    """One line of the history."""

    at: datetime
    who: str
    kind: str
    """`approve`, `reject`, `skip`, `flag`, `undo`, `redo`, `proposals`, `searched` (in vain) or `exported`."""
    what: str
    where: str


@dataclass(frozen=True, slots=True)
class WordReport:
    """Everything about one word."""

    word_id: int
    word: str
    pos: str
    definition: str
    is_demo: bool
    bundles: tuple[tuple[str, str], ...]
    """(name, label)."""
    n_approved: int
    n_waiting: int
    in_use: tuple[WordClip, ...]
    """Approved and waiting ones: what learners see first in front."""
    not_in_use: tuple[WordClip, ...]
    history: tuple[WordEvent, ...]
    """Newest first."""
    forms: tuple[tuple[str, int], ...]
    """As which forms it is heard, most often first."""


def read_word_report(database: Database, text: str, want: int, *, is_demo: bool = False) -> WordReport:
    """Read one word; the demo's where that is asked for or there is no other. Raises: NotFound for a word on no list."""
    with database.read() as connection:
        query = select(words).where(words.c.key == word_key(text)).order_by(words.c.is_demo != is_demo, words.c.word_id)
        word = connection.execute(query).first()
        if word is None:
            raise NotFound(f"{text!r} is on no list.", hint="Import a list with it, or type it on Discover.")
        rows = reviews.mapping_rows(connection, mappings.c.word_id == word.word_id)
        n_approved = sum(row.state is MappingState.APPROVED for row in rows)
        found = _clips(connection, rows, n_approved, want)
        labels = tuple(
            (name, bundle_label(name, exam, level)) for name, exam, level in bundles_of_words(connection, [word.word_id])[word.word_id]
        )
        films = {clip.clip_id: clip.title for clip in found}
        events = [*_history(connection, rows, films, word.text), *_searched(connection, word.word_id)]
        history = sorted(events, key=lambda event: event.at, reverse=True)
    in_use = [clip for clip in found if clip.state in SHOWN and (clip.machine is not None or clip.state is MappingState.APPROVED)]
    rest = [
        clip
        for clip in found
        if clip not in in_use and (clip.state is not MappingState.IN_REVIEW or clip.evidence is not EvidenceState.NOT_HEARD)
    ]
    forms: dict[str, int] = defaultdict(int)
    for clip in in_use:
        for piece, is_target in clip.line:
            if is_target:
                forms[re.sub(r"^\W+|\W+$", "", piece).lower()] += 1
    return WordReport(
        word.word_id,
        word.text,
        word.pos,
        word.definition,
        word.is_demo,
        labels,
        n_approved,
        sum(clip.state in SHOWN[1:4] for clip in in_use),
        tuple(sorted(in_use, key=_learner_order)),
        tuple(rest),
        tuple(history),
        tuple(sorted(forms.items(), key=lambda item: -item[1])),
    )


def _learner_order(clip: WordClip) -> tuple[bool, float, int]:
    """Approved ones by the score that is sent; the others after them, by the machine's."""
    return clip.state is not MappingState.APPROVED, -(clip.score if clip.score is not None else clip.machine or 0.0), clip.mapping_id


def _clips(connection: Connection, rows: Sequence[MappingRow], n_approved: int, want: int) -> list[WordClip]:
    known = clip_rows.load_clips(connection, {row.clip_id for row in rows})
    proposed = clip_rows.load_proposals(connection, {row.proposal_id for row in rows})
    spoken = load_transcripts(connection, {clip.transcript_id for clip in known.values() if clip.transcript_id})
    stills = pictures_of(connection, [clip.media_id for clip in known.values() if clip.media_id])
    live = reviews.live_mapping_ids(connection)
    return [
        _clip(
            row,
            known[row.clip_id],
            proposed[row.proposal_id],
            spoken.get(known[row.clip_id].transcript_id or ""),
            stills.get(known[row.clip_id].media_id or "", (None, []))[0],
            is_live=row.mapping_id in live,
            state=shown_state(row, n_approved=n_approved, want=want, is_live=row.mapping_id in live),
        )
        for row in rows
    ]


def _clip(
    row: MappingRow,
    clip: Clip,
    proposal: Proposal,
    transcript: Transcript | None,
    still_id: str | None,
    *,
    is_live: bool,
    state: MappingState,
) -> WordClip:
    first = proposal.evidence.occurrences[0] if proposal.evidence.occurrences else None
    return WordClip(
        mapping_id=row.mapping_id,
        clip_id=row.clip_id,
        slug=row.slug,
        title=clip.film.title or clip.title,
        year=clip.film.year,
        media_id=clip.media_id,
        still_id=still_id,
        duration_s=clip.duration_s,
        state=state,
        is_live=is_live,
        line=boxed_line(proposal, transcript, clip.spoken),
        machine=row.relevance,
        score=row.score,
        actor=row.actor,
        reason=proposal.reason,
        evidence=row.evidence_state,
        heard_at_s=first.start_s if first else None,
        probability=first.probability if first else None,
        reject_reasons=row.reasons,
        note=row.note,
    )


def boxed_line(proposal: Proposal, transcript: Transcript | None, spoken: str) -> tuple[tuple[str, bool], ...]:
    """The spoken text in pieces, the forms of the word marked: by place where the transcript is the judged one, else by form."""
    texts = [word.text for word in transcript.words] if transcript else spoken.split()
    is_same = transcript is not None and proposal.evidence.transcript_id == transcript.transcript_id
    forms = {word_key(occurrence.form) for occurrence in proposal.evidence.occurrences}
    places = {occurrence.word_index + step for occurrence in proposal.evidence.occurrences for step in range(occurrence.n_words)}
    return tuple(
        (text, index in places if is_same else word_key(re.sub(r"^\W+|\W+$", "", text)) in forms) for index, text in enumerate(texts)
    )


def _history(connection: Connection, rows: Sequence[MappingRow], films: Mapping[int, str], word: str) -> Iterator[WordEvent]:
    clip_of = {row.mapping_id: row.clip_id for row in rows}
    for row in connection.execute(select(decisions).where(decisions.c.mapping_id.in_(list(clip_of)))):
        yield WordEvent(
            row.decided_at, row.actor, row.kind, _said(row.kind, row.score, row.reasons, row.is_conflict), films[clip_of[row.mapping_id]]
        )
    yield from _proposed(connection, rows, films)
    yield from _exported(connection, set(clip_of.values()), films, word)


def _said(kind: str, score: float | None, reasons: Sequence[str], is_conflict: bool) -> str:
    verbs = {
        "approve": "Approved",
        "reject": "Rejected",
        "skip": "Skipped",
        "flag": "Second opinion asked",
        "undo": "Took the last decision back",
        "redo": "Took it up again",
    }
    said = verbs[kind]
    if kind == "approve" and score is not None:
        said += f", score {score:.2f}"
    if kind == "reject" and reasons:
        said += ": " + ", ".join(reason.replace("_", " ") for reason in reasons)
    return f"{said}, without effect: somebody decided before" if is_conflict else said


def _proposed(connection: Connection, rows: Sequence[MappingRow], films: Mapping[int, str]) -> Iterator[WordEvent]:
    """One line a run: how many clips it proposed."""
    query = (
        select(proposals.c.clip_id, proposals.c.judge, proposals.c.model, proposals.c.prompt_version, proposals.c.created_at, runs.c.number)
        .join(runs, runs.c.run_id == proposals.c.run_id, isouter=True)
        .where(proposals.c.proposal_id.in_([row.proposal_id for row in rows]), proposals.c.relevance.is_not(None))
        .order_by(proposals.c.created_at)
    )
    by_run: dict[tuple[int | None, str], list[tuple[int, datetime]]] = defaultdict(list)
    for row in connection.execute(query):
        by_run[row.number, _judge_says(row.model or row.judge, row.prompt_version)].append((row.clip_id, row.created_at))
    for (number, judge), made in by_run.items():
        named = list(dict.fromkeys(films[clip_id] for clip_id, _ in made))
        what = f"{len(made)} {'proposal' if len(made) == 1 else 'proposals'}, {judge}"
        yield WordEvent(
            made[-1][1], f"Run {number}" if number else "A run", "proposals", what, ", ".join(named[:2]) + (" …" if len(named) > 2 else "")
        )


def _judge_says(name: str, version: str) -> str:
    """`gpt-4o-mini, prompt 1`; a version that names its judge stands alone."""
    if version[:1].isdigit():
        return f"{name}, prompt {version}"
    return version if version.startswith(name) else f"{name}, {version}".rstrip(", ")


def _searched(connection: Connection, word_id: int) -> Iterator[WordEvent]:
    """One line for each run that ended without a clip of the word, with the reason."""
    query = (
        select(run_words.c.updated_at, run_words.c.reason, run_words.c.detail, runs.c.number)
        .join(runs, runs.c.run_id == run_words.c.run_id)
        .where(run_words.c.word_id == word_id, run_words.c.state.in_((WordState.NONE_FOUND, WordState.FAILED)))
    )
    for row in connection.execute(query):
        yield WordEvent(row.updated_at, f"Run {row.number}", "searched", row.reason or row.detail or "No clip found", "")


def _exported(connection: Connection, clip_ids: set[int], films: Mapping[int, str], word: str) -> Iterator[WordEvent]:
    """One line for each batch that brought a clip of the word to a target."""
    query = (
        select(
            export_items.c.clip_id,
            export_items.c.payload,
            export_items.c.updated_at,
            export_batches.c.number,
            export_batches.c.actor,
            export_batches.c.target,
        )
        .join(export_batches, export_batches.c.batch_id == export_items.c.batch_id)
        .where(export_items.c.clip_id.in_(list(clip_ids)), export_items.c.status.in_(list(ARRIVED)))
    )
    for row in connection.execute(query):
        if word in _words_of(row.payload):
            yield WordEvent(
                row.updated_at, row.actor, "exported", f"Exported with batch {row.number} to {row.target}", films.get(row.clip_id, "")
            )


def _words_of(payload: dict[str, Any]) -> list[str]:
    """The words that a stored item was sent with, retracted ones left out."""
    return [str(mapping["word"]) for mapping in payload["item"]["word_mappings"] if mapping["relevance_score"] > 0]
