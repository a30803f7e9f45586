"""Decisions and the projection that follows them in the same transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Float, Row, Text, and_, cast, func, select

from core.errors import NotFound
from core.model.clips import EvidenceState
from core.model.reviews import DecisionKind, DecisionOutcome, DecisionRequest, MappingState
from core.model.runs import USUAL_MIN_SCORE
from core.rules.decisions import DecisionEvent, Standing, is_vouched, replay
from core.store.tables import clips, decisions, live_mappings, mappings, runs, settings_events, words
from core.timing import now

REACH = 400
"""An actor's newest events among which an undo or a redo looks."""


@dataclass(frozen=True, slots=True)
class MappingRow:
    """One mapping as stored, with its word and what the queue needs."""

    mapping_id: int
    clip_id: int
    word_id: int
    word: str
    slug: str
    state: MappingState
    version: int
    score: float | None
    note: str
    reasons: tuple[str, ...]
    relevance: float | None
    evidence_state: EvidenceState
    proposal_id: int
    transcript_id: str | None
    is_vouched: bool
    is_demo: bool
    actor: str
    updated_at: datetime


def mapping_rows(connection: Connection, *conditions: ColumnElement[bool], limit: int | None = None) -> list[MappingRow]:
    """Mappings of fetched clips under the conditions (on `mappings`, `clips`, `words`, `runs`)."""
    query = (
        select(mappings, words.c.text.label("word"), clips.c.slug, clips.c.transcript_id)
        .join(words, words.c.word_id == mappings.c.word_id)
        .join(clips, clips.c.clip_id == mappings.c.clip_id)
        .join(runs, runs.c.run_id == mappings.c.run_id, isouter=True)
        .where(*conditions)
        .order_by(mappings.c.mapping_id)
    )
    return [_mapping(row) for row in connection.execute(query.limit(limit) if limit else query)]


def passes_rule() -> ColumnElement[bool]:
    """The reading rule: heard or captioned, and at least the relevance that its run asks for, or else the workspace.

    `runs` must be joined. The workspace's least score is read in the same query, so that changing it changes what is seen.
    """
    return and_(mappings.c.evidence_state != EvidenceState.NOT_HEARD, mappings.c.relevance >= _least_score())


def least_score(connection: Connection, run_id: str) -> float:
    """The relevance that a run's clips need to reach the desk."""
    return float(connection.execute(select(_least_score()).where(runs.c.run_id == run_id)).scalar_one())


def _least_score() -> ColumnElement[float]:
    setting = select(cast(cast(settings_events.c.value, Text), Float)).where(settings_events.c.name == "min_score")
    workspace = setting.order_by(settings_events.c.event_id.desc()).limit(1).scalar_subquery()
    return func.coalesce(runs.c.min_score, workspace, USUAL_MIN_SCORE)


def hold_mapping(connection: Connection, mapping_id: int) -> None:
    """Let nobody else decide on it until this unit of work ends. SQLite's units of work that write take turns anyway."""
    connection.execute(select(mappings.c.mapping_id).where(mappings.c.mapping_id == mapping_id).with_for_update())


def load_mapping(connection: Connection, mapping_id: int) -> MappingRow:
    """Raises: NotFound."""
    found = mapping_rows(connection, mappings.c.mapping_id == mapping_id)
    if not found:
        raise NotFound(f"There is no mapping {mapping_id}.", hint="`python run.py review queue` lists them.")
    return found[0]


def history_of(connection: Connection, mapping_id: int) -> list[DecisionEvent]:
    """All events of one mapping, oldest first."""
    query = select(decisions).where(decisions.c.mapping_id == mapping_id).order_by(decisions.c.event_id)
    return [_event(row) for row in connection.execute(query)]


@dataclass(frozen=True, slots=True)
class KnownDecision:
    """What an idempotency key already did."""

    outcome: DecisionOutcome
    """The mapping as it stands now."""
    is_conflict: bool


def decision_of_key(connection: Connection, idempotency_key: str) -> KnownDecision | None:
    """What this key already did, or None when it is new."""
    row = connection.execute(
        select(decisions.c.event_id, decisions.c.mapping_id, decisions.c.is_conflict, mappings.c.state, mappings.c.version)
        .join(mappings, mappings.c.mapping_id == decisions.c.mapping_id)
        .where(decisions.c.idempotency_key == idempotency_key)
    ).first()
    if row is None:
        return None
    return KnownDecision(DecisionOutcome(row.mapping_id, MappingState(row.state), row.version, row.event_id), row.is_conflict)


def append_decision(
    connection: Connection, request: DecisionRequest, *, seen_version: int, is_conflict: bool = False, undoes_event_id: int | None = None
) -> DecisionOutcome:
    """Append one event and bring the projection up to date. A conflict is kept without effect."""
    version = connection.execute(select(mappings.c.version).where(mappings.c.mapping_id == request.mapping_id)).scalar_one()
    made = connection.execute(
        decisions.insert().values(
            mapping_id=request.mapping_id,
            kind=request.kind,
            actor=request.actor,
            idempotency_key=request.idempotency_key,
            visit_id=request.visit_id,
            undoes_event_id=undoes_event_id,
            reasons=list(request.reasons),
            score=request.score,
            note=request.note,
            seen_version=seen_version,
            version=version if is_conflict else version + 1,
            is_conflict=is_conflict,
            proposal_id=request.proposal_id,
            transcript_id=request.transcript_id,
            is_score_visible=request.is_score_visible,
            watched_s=request.watched_s,
            n_target_plays=request.n_target_plays,
            decided_at=now(),
        )
    )
    event_id = int(made.inserted_primary_key[0])  # type: ignore[index]
    standing = project(connection, request.mapping_id)
    return DecisionOutcome(request.mapping_id, standing.state, standing.version, event_id)


def project(connection: Connection, mapping_id: int) -> Standing:
    """Write the projection of one mapping from its history, and return it."""
    standing = replay(history_of(connection, mapping_id))
    evidence = connection.execute(select(mappings.c.evidence_state).where(mappings.c.mapping_id == mapping_id)).scalar_one()
    connection.execute(
        mappings.update()
        .where(mappings.c.mapping_id == mapping_id)
        .values(
            state=standing.state,
            version=standing.version,
            score=standing.score,
            note=standing.note,
            reasons=list(standing.reasons),
            actor=standing.actor,
            is_vouched=is_vouched(standing.state, EvidenceState(evidence)),
            updated_at=now(),
        )
    )
    return standing


def last_event(connection: Connection, mapping_id: int) -> Row[Any] | None:
    """The newest event that had effect: (actor, kind, decided_at)."""
    query = select(decisions).where(decisions.c.mapping_id == mapping_id, ~decisions.c.is_conflict).order_by(decisions.c.event_id.desc())
    return connection.execute(query).first()


def last_visit(connection: Connection, actor: str, *, visit_id: str = "", is_redo: bool = False) -> list[DecisionEvent]:
    """What one undo (or redo) of this actor takes back: the decisions of one keystroke.

    An undo takes the newest keystroke that still counts; a redo the one that was undone last, while nothing was decided since.
    With `visit_id` only that keystroke is meant.

    Returns: the decisions themselves, newest first; empty when there is nothing to take back.
    """
    query = select(decisions).where(decisions.c.actor == actor, ~decisions.c.is_conflict).order_by(decisions.c.event_id.desc())
    rows = list(connection.execute(query.limit(REACH)))
    last_change: dict[int, Row[Any]] = {}
    for row in reversed(rows):
        if row.undoes_event_id is not None:
            last_change[row.undoes_event_id] = row
    undone = {event_id: row.event_id for event_id, row in last_change.items() if row.kind == DecisionKind.UNDO}
    made = [row for row in rows if row.undoes_event_id is None]
    if is_redo:
        newest = made[0].event_id if made else 0
        made = sorted((row for row in made if undone.get(row.event_id, 0) > newest), key=lambda row: -undone[row.event_id])
    else:
        made = [row for row in made if row.event_id not in undone]
    made = [row for row in made if not visit_id or row.visit_id == visit_id]
    wanted = [row for row in made if row is made[0] or (row.visit_id and row.visit_id == made[0].visit_id)]
    return [_event(row) for row in sorted(wanted, key=lambda row: -row.event_id)]


def mapping_of_event(connection: Connection, event_id: int) -> int:
    return int(connection.execute(select(decisions.c.mapping_id).where(decisions.c.event_id == event_id)).scalar_one())


def today_counts(connection: Connection, actor: str, since: datetime) -> dict[str, int]:
    """Decision kind → how many this actor made since; conflicts, and what the actor took back, left out."""
    query = select(decisions.c.event_id, decisions.c.kind, decisions.c.undoes_event_id).where(
        decisions.c.actor == actor, decisions.c.decided_at >= since, ~decisions.c.is_conflict
    )
    rows = list(connection.execute(query.order_by(decisions.c.event_id)))
    last_turn = {row.undoes_event_id: row.kind for row in rows if row.undoes_event_id is not None}
    made = [str(row.kind) for row in rows if row.undoes_event_id is None and last_turn.get(row.event_id) != DecisionKind.UNDO]
    return {kind: made.count(kind) for kind in set(made)}


def approved_counts(connection: Connection, word_ids: list[int] | None = None) -> dict[int, int]:
    """Word id → approved clips."""
    query = select(mappings.c.word_id, func.count()).where(mappings.c.state == MappingState.APPROVED).group_by(mappings.c.word_id)
    if word_ids is not None and len(word_ids) < 500:
        query = query.where(mappings.c.word_id.in_(word_ids))
    return {int(word_id): int(count) for word_id, count in connection.execute(query)}


def reviewable_counts(connection: Connection, word_ids: list[int] | None = None) -> dict[int, int]:
    """Word id → clips that wait for a person (in review, skipped or flagged) and pass their run's rule."""
    waiting = (MappingState.IN_REVIEW, MappingState.SKIPPED, MappingState.FLAGGED)
    query = (
        select(mappings.c.word_id, func.count())
        .join(runs, runs.c.run_id == mappings.c.run_id, isouter=True)
        .where(mappings.c.state.in_(waiting), passes_rule())
        .group_by(mappings.c.word_id)
    )
    if word_ids is not None and len(word_ids) < 500:
        query = query.where(mappings.c.word_id.in_(word_ids))
    return {int(word_id): int(count) for word_id, count in connection.execute(query)}


def live_mapping_ids(connection: Connection) -> set[int]:
    """Mappings that some target holds."""
    return set(connection.execute(select(live_mappings.c.mapping_id)).scalars())


def _event(row: Row[Any]) -> DecisionEvent:
    return DecisionEvent(
        event_id=row.event_id,
        kind=DecisionKind(row.kind),
        actor=row.actor,
        version=row.version,
        undoes_event_id=row.undoes_event_id,
        reasons=tuple(row.reasons),
        score=row.score,
        note=row.note,
        is_conflict=row.is_conflict,
    )


def _mapping(row: Row[Any]) -> MappingRow:
    return MappingRow(
        mapping_id=row.mapping_id,
        clip_id=row.clip_id,
        word_id=row.word_id,
        word=row.word,
        slug=row.slug,
        state=MappingState(row.state),
        version=row.version,
        score=row.score,
        note=row.note,
        reasons=tuple(row.reasons),
        relevance=row.relevance,
        evidence_state=EvidenceState(row.evidence_state),
        proposal_id=row.proposal_id,
        transcript_id=row.transcript_id,
        is_vouched=row.is_vouched,
        is_demo=row.is_demo,
        actor=row.actor,
        updated_at=row.updated_at,
    )
