"""From events to state: the fold that makes a mapping's projection from its decisions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.model.clips import EvidenceState
from core.model.reviews import DecisionKind, MappingState

STATE_AFTER = {
    DecisionKind.APPROVE: MappingState.APPROVED,
    DecisionKind.REJECT: MappingState.REJECTED,
    DecisionKind.SKIP: MappingState.SKIPPED,
    DecisionKind.FLAG: MappingState.FLAGGED,
}


@dataclass(frozen=True, slots=True)
class DecisionEvent:
    """One row of the history of one mapping."""

    event_id: int
    kind: DecisionKind
    actor: str
    version: int
    undoes_event_id: int | None = None
    reasons: tuple[str, ...] = ()
    score: float | None = None
    note: str = ""
    is_conflict: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """How a mapping stands after its history."""

    state: MappingState = MappingState.IN_REVIEW
    version: int = 0
    score: float | None = None
    note: str = ""
    reasons: tuple[str, ...] = ()
    actor: str = ""


def effective_events(history: Sequence[DecisionEvent]) -> list[DecisionEvent]:
    """The decisions that count: neither undone nor in conflict. A redo takes an undo back."""
    undone: set[int] = set()
    for event in history:
        if event.undoes_event_id is None or event.is_conflict:
            continue
        if event.kind is DecisionKind.UNDO:
            undone.add(event.undoes_event_id)
        elif event.kind is DecisionKind.REDO:
            undone.discard(event.undoes_event_id)
    return [event for event in history if event.kind in STATE_AFTER and not event.is_conflict and event.event_id not in undone]


def replay(history: Sequence[DecisionEvent]) -> Standing:
    """The standing after all events, in order. The version counts every event that had effect."""
    version = max((event.version for event in history if not event.is_conflict), default=0)
    counted = effective_events(history)
    if not counted:
        return Standing(version=version)
    last = counted[-1]
    scores = [event.score for event in counted if event.score is not None]
    return Standing(
        state=STATE_AFTER[last.kind],
        version=version,
        score=last.score if last.score is not None else (scores[-1] if scores and last.kind is DecisionKind.APPROVE else None),
        note=last.note,
        reasons=last.reasons,
        actor=last.actor,
    )


def is_vouched(state: MappingState, evidence: EvidenceState) -> bool:
    """Whether an approval is the person's own word that the word is spoken: recognition did not hear it."""
    return state is MappingState.APPROVED and evidence is not EvidenceState.HEARD
