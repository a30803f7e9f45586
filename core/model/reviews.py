"""Decisions: what people say of mappings. Events; the state of a mapping is their projection."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class MappingState(StrEnum):
    """Where a mapping stands. `parked` and `pending_retraction` are derived when reading."""

    IN_REVIEW = "in_review"
    APPROVED = "approved"
    REJECTED = "rejected"
    SKIPPED = "skipped"
    FLAGGED = "flagged"
    PARKED = "parked"
    """In review, but its word has as many approved clips as it wants."""
    PENDING_RETRACTION = "pending_retraction"
    """No longer approved, and still live at a backend that cannot delete."""


class DecisionKind(StrEnum):
    """What one event says."""

    APPROVE = "approve"
    REJECT = "reject"
    SKIP = "skip"
    FLAG = "flag"
    UNDO = "undo"
    """Takes the named event back; the mapping is again as before it."""
    REDO = "redo"
    """Takes an undo back."""


class RejectReason(StrEnum):
    """The nine numbered reasons of the desk, in their order."""

    NOT_HEARD = "not_heard"
    WRONG_SENSE = "wrong_sense"
    TOO_LITTLE_CONTEXT = "too_little_context"
    PICTURE_DOES_NOT_HELP = "picture_does_not_help"
    AUDIO_UNCLEAR = "audio_unclear"
    OFFENSIVE = "offensive"
    CUT_BADLY = "cut_badly"
    DUPLICATE = "duplicate"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class DecisionRequest:
    """One decision as a person sends it."""

    mapping_id: int
    kind: DecisionKind
    actor: str
    idempotency_key: str
    """The same key again is the same decision: answered, not repeated."""
    seen_version: int | None = None
    """The mapping's version on the person's screen; None means the current one."""
    reasons: tuple[str, ...] = ()
    score: float | None = None
    """0–1."""
    note: str = ""
    proposal_id: int | None = None
    transcript_id: str | None = None
    is_score_visible: bool = True
    watched_s: float | None = None
    n_target_plays: int | None = None
    visit_id: str = ""
    """Decisions of one keystroke share it, so that undo takes one key back."""


@dataclass(frozen=True, slots=True)
class DecisionOutcome:
    """`{"mapping_id", "state", "version", "event_id"}`."""

    mapping_id: int
    state: MappingState
    version: int
    event_id: int
