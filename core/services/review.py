"""Review: the queue, and what people decide."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy import ColumnElement, Connection, select

from core.errors import Conflict, InvalidInput, NotFound, Refused
from core.model.clips import EvidenceState
from core.model.reviews import DecisionKind, DecisionOutcome, DecisionRequest, MappingState, RejectReason
from core.model.transcripts import CORRECTION
from core.rules.decisions import DecisionEvent
from core.rules.matching import WordMatcher
from core.services.settings import Settings
from core.store import reviews as rows
from core.store.database import Database
from core.store.media_rows import load_transcripts
from core.store.reviews import MappingRow
from core.store.tables import bundle_words, decisions, mappings, proposals
from core.store.vocabulary import load_words
from core.timing import now

WAITING = (MappingState.IN_REVIEW, MappingState.FLAGGED, MappingState.SKIPPED)
ORDERS = ("coverage_gain", "best_first", "newest")
"""Words with the fewest approved clips first; the best clip first; the newest proposal first. Skipped ones are always last."""


@dataclass(frozen=True, slots=True)
class QueueFilter:
    """Which mappings a queue holds; every limit is applied when reading."""

    bundle: str = ""
    min_score: float | None = None
    """In place of each run's own rule."""
    is_strict: bool = False
    """The legacy rule: `education` and `context` both at least 0.9."""
    with_all: bool = False
    """Also what was not heard, what is under the rule, parked or decided."""
    is_demo: bool | None = None
    order: str = "coverage_gain"
    """One of ORDERS."""


@dataclass(frozen=True, slots=True)
class QueueItem:
    """One mapping that waits for a person."""

    row: MappingRow
    state: MappingState
    """As shown: `parked` where its word is full, `pending_retraction` where it is still live."""
    education: float | None
    context: float | None
    n_approved: int
    """Approved clips of its word."""
    is_live: bool

    def as_json(self) -> dict[str, object]:
        return {
            "mapping_id": self.row.mapping_id,
            "clip_id": self.row.clip_id,
            "slug": self.row.slug,
            "word": self.row.word,
            "relevance": self.row.relevance,
            "education": self.education,
            "context": self.context,
            "evidence": str(self.row.evidence_state),
            "state": str(self.state),
            "version": self.row.version,
        }


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits, best first, words under their want first."""

    items: tuple[QueueItem, ...]
    total: int
    n_parked: int
    n_skipped: int


class Review:
    """The queue and the decisions. `refill(word_id)` is called after a rejection that leaves its word under its want."""

    def __init__(self, database: Database, settings: Settings, refill: Callable[[int], None]) -> None:
        self._database = database
        self._settings = settings
        self._refill = refill

    def queue(self, wanted: QueueFilter | None = None, *, limit: int | None = None) -> Queue:
        """Mappings in the order in which a person should see them; skipped ones at the end."""
        wanted = wanted or QueueFilter()
        if wanted.order not in ORDERS:
            raise InvalidInput(f"No order is called {wanted.order!r}.", hint=f"There are: {', '.join(ORDERS)}.")
        want = self._settings.get("want")
        with self._database.read() as connection:
            found = rows.mapping_rows(connection, *self._conditions(wanted))
            approved = rows.approved_counts(connection)
            live = rows.live_mapping_ids(connection)
            scores = _scores(connection, [row.proposal_id for row in found])
        items = [
            QueueItem(
                row,
                shown_state(row, n_approved=approved.get(row.word_id, 0), want=want, is_live=row.mapping_id in live),
                *scores.get(row.proposal_id, (None, None)),
                approved.get(row.word_id, 0),
                row.mapping_id in live,
            )
            for row in found
        ]
        if wanted.is_strict or (self._settings.get("is_strict") and not wanted.with_all):
            items = [item for item in items if (item.education or 0) >= 0.9 and (item.context or 0) >= 0.9]
        parked = [item for item in items if item.state is MappingState.PARKED]
        shown = items if wanted.with_all else [item for item in items if _is_open(item, want)]
        shown = sorted(shown, key=lambda item: _place(item, want, wanted.order))
        return Queue(
            tuple(shown[:limit] if limit is not None else shown),
            len(shown),
            len(parked),
            len([item for item in items if item.state is MappingState.SKIPPED]),
        )

    def _conditions(self, wanted: QueueFilter) -> list[ColumnElement[bool]]:
        conditions: list[ColumnElement[bool]] = []
        if not wanted.with_all:
            conditions.append(mappings.c.state.in_(WAITING))
            if wanted.min_score is None:
                conditions.append(rows.passes_rule())
            else:
                conditions.append(mappings.c.evidence_state != EvidenceState.NOT_HEARD)
                conditions.append(mappings.c.relevance >= wanted.min_score)
        if wanted.bundle:
            conditions.append(mappings.c.word_id.in_(select(bundle_words.c.word_id).where(bundle_words.c.bundle == wanted.bundle)))
        if wanted.is_demo is not None:
            conditions.append(mappings.c.is_demo == wanted.is_demo)
        return conditions

    def decide(self, request: DecisionRequest) -> DecisionOutcome:
        """Record one decision; the same idempotency key again answers what it did.

        Raises: NotFound; InvalidInput for an unknown reason or a score outside 0–1; Refused for an approval of a word that
        nobody hears, without a note; Conflict when somebody decided since (kept in the history, without effect).
        """
        _check(request)
        conflict: Conflict | None = None
        with self._database.write() as connection:
            rows.hold_mapping(connection, request.mapping_id)
            row = rows.load_mapping(connection, request.mapping_id)
            known = rows.decision_of_key(connection, request.idempotency_key)
            if known is not None and not known.is_conflict:
                outcome = known.outcome
            elif known is not None:
                conflict = _conflict(connection, request, row)
            else:
                outcome, conflict = self._append(connection, request, row)
        if conflict is not None:
            raise conflict
        if request.kind is DecisionKind.REJECT:  # also when repeated: the process may have ended before this line
            self._refill(row.word_id)
        return outcome

    @staticmethod
    def _append(connection: Connection, request: DecisionRequest, row: MappingRow) -> tuple[DecisionOutcome, Conflict | None]:
        """One new event; in conflict when the mapping has changed since the person saw it."""
        if request.kind is DecisionKind.APPROVE and not request.note.strip():
            _refuse_unspoken(connection, row)
        seen = row.version if request.seen_version is None else request.seen_version
        request = _completed(request, row)
        if seen == row.version:
            return rows.append_decision(connection, request, seen_version=seen), None
        conflict = _conflict(connection, request, row)
        return rows.append_decision(connection, request, seen_version=seen, is_conflict=True), conflict

    def undo(self, actor: str, *, visit_id: str = "", idempotency_key: str = "") -> list[DecisionOutcome]:
        """Take back this actor's last keystroke: all decisions that share its visit. Raises: NotFound, Conflict."""
        return self._take_back(actor, DecisionKind.UNDO, visit_id, idempotency_key)

    def redo(self, actor: str, *, visit_id: str = "", idempotency_key: str = "") -> list[DecisionOutcome]:
        """Take this actor's last undo back. Raises: NotFound, Conflict."""
        return self._take_back(actor, DecisionKind.REDO, visit_id, idempotency_key)

    def _take_back(self, actor: str, kind: DecisionKind, visit_id: str, idempotency_key: str) -> list[DecisionOutcome]:
        key = idempotency_key or uuid4().hex
        with self._database.write() as connection:
            repeated = _outcomes_of(connection, key)
            if repeated:
                return repeated
            events = rows.last_visit(connection, actor, visit_id=visit_id, is_redo=kind is DecisionKind.REDO)
            if not events:
                what = "undo" if kind is DecisionKind.UNDO else "redo"
                raise NotFound(f"There is nothing to {what}.", hint="Only your own last decisions can be taken back, each once.")
            outcomes = []
            for place, event in enumerate(events):
                outcomes.append(self._reverse(connection, event, kind, actor, f"{key}:{place}"))
        return outcomes

    @staticmethod
    def _reverse(connection: Connection, event: DecisionEvent, kind: DecisionKind, actor: str, key: str) -> DecisionOutcome:
        mapping_id = rows.mapping_of_event(connection, event.event_id)
        rows.hold_mapping(connection, mapping_id)
        row = rows.load_mapping(connection, mapping_id)
        last = rows.last_event(connection, mapping_id)
        if last is not None and last.actor != actor:
            raise Conflict(f"{last.actor} decided on {row.word!r} since; your decision stands in the history.", hint="Decide it anew.")
        request = DecisionRequest(mapping_id, kind, actor, key, proposal_id=row.proposal_id, transcript_id=row.transcript_id)
        return rows.append_decision(connection, request, seen_version=row.version, undoes_event_id=event.event_id)

    def places(self, mapping_ids: Iterable[int]) -> dict[int, MappingRow]:
        """Where mappings stand: mapping id → its clip and word."""
        with self._database.read() as connection:
            found = rows.mapping_rows(connection, mappings.c.mapping_id.in_(list(mapping_ids)))
        return {row.mapping_id: row for row in found}

    def is_live(self, mapping_id: int) -> bool:
        """Whether a target still shows this mapping to learners."""
        with self._database.read() as connection:
            return mapping_id in rows.live_mapping_ids(connection)

    def n_waiting(self) -> int:
        """Clips that wait for a person, parked ones left out."""
        return len({item.row.clip_id for item in self.queue().items})

    def has_decided(self) -> bool:
        """Whether anybody ever decided in this workspace."""
        with self._database.read() as connection:
            return connection.execute(select(decisions.c.event_id).limit(1)).first() is not None

    def today(self, actor: str) -> dict[str, int]:
        """`{"decided", "approved", "rejected"}` of this actor since midnight UTC; what was taken back does not count."""
        with self._database.read() as connection:
            counts = rows.today_counts(connection, actor, now().replace(hour=0, minute=0, second=0, microsecond=0))
        approved, rejected = counts.get(DecisionKind.APPROVE, 0), counts.get(DecisionKind.REJECT, 0)
        return {"decided": approved + rejected, "approved": approved, "rejected": rejected}

    def pace(self, actor: str) -> int:
        """Decisions of this actor in the last minute."""
        with self._database.read() as connection:
            counts = rows.today_counts(connection, actor, now() - timedelta(minutes=1))
        return counts.get(DecisionKind.APPROVE, 0) + counts.get(DecisionKind.REJECT, 0)


def _is_open(item: QueueItem, want: int) -> bool:
    """Whether a person should decide it: also an undone approval that is still live, while its word wants clips."""
    is_taken_back = item.state is MappingState.PENDING_RETRACTION and item.row.state in WAITING
    return item.state in WAITING or (is_taken_back and item.n_approved < want)


def shown_state(row: MappingRow, *, n_approved: int, want: int, is_live: bool) -> MappingState:
    """The state as people see it, with the two that are derived."""
    if is_live and row.state is not MappingState.APPROVED:
        return MappingState.PENDING_RETRACTION
    if row.state is MappingState.IN_REVIEW and n_approved >= want:
        return MappingState.PARKED
    return row.state


def _place(item: QueueItem, want: int, order: str) -> tuple[object, ...]:
    is_skipped, relevance = item.state is MappingState.SKIPPED, item.row.relevance or 0.0
    if order == "best_first":
        return (is_skipped, -relevance, item.row.mapping_id)
    if order == "newest":
        return (is_skipped, -item.row.mapping_id)
    return (
        is_skipped,
        item.n_approved >= want,
        min(item.n_approved, want),
        -relevance,
        item.row.mapping_id,
    )


def _scores(connection: Connection, proposal_ids: list[int]) -> dict[int, tuple[float | None, float | None]]:
    query = select(proposals.c.proposal_id, proposals.c.education, proposals.c.context)
    if len(proposal_ids) < 500:
        query = query.where(proposals.c.proposal_id.in_(proposal_ids))
    return {row.proposal_id: (row.education, row.context) for row in connection.execute(query)}


def _check(request: DecisionRequest) -> None:
    unknown = [reason for reason in request.reasons if reason not in set(RejectReason)]
    if unknown:
        raise InvalidInput(f"No reason is called {unknown[0]!r}.", hint=f"There are: {', '.join(RejectReason)}.")
    if request.score is not None and not 0 <= request.score <= 1:
        raise InvalidInput(f"A score lies between 0 and 1, not {request.score}.", hint="The desk's keys 1 to 5 are 0.2 to 1.0.")
    if request.kind in (DecisionKind.UNDO, DecisionKind.REDO):
        raise InvalidInput("An undo names no mapping.", hint="Use `review undo`.")
    if "\x00" in request.note or len(request.note) > 4000:
        raise InvalidInput("A note has at most 4,000 characters and no NUL.", hint="Shorten it; nothing was decided.")


def _refuse_unspoken(connection: Connection, row: MappingRow) -> None:
    """An approval without a note needs a word that somebody or something hears.

    A person's correction is that person's word for what is spoken: a word that it does not have is not heard.
    """
    why = "is not heard" if row.evidence_state is EvidenceState.NOT_HEARD else ""
    transcript = load_transcripts(connection, [row.transcript_id or ""]).get(row.transcript_id or "")
    if not why and transcript is not None and transcript.engine == CORRECTION:
        matcher = WordMatcher(load_words(connection, [row.word_id]))
        if not matcher.find([word.text for word in transcript.words]):
            why = "is not in the corrected text"
    if why:
        raise Refused(f"{row.word!r} {why}: {row.slug}. Approving needs a note that says why it counts.", hint="Add a note, or reject it.")


def _completed(request: DecisionRequest, row: MappingRow) -> DecisionRequest:
    from dataclasses import replace

    return replace(
        request,
        proposal_id=row.proposal_id if request.proposal_id is None else request.proposal_id,
        transcript_id=row.transcript_id if request.transcript_id is None else request.transcript_id,
    )


def _conflict(connection: Connection, request: DecisionRequest, row: MappingRow) -> Conflict:
    last = rows.last_event(connection, row.mapping_id)
    if last is None:
        return Conflict(f"{row.word!r} in {row.slug} has changed since you saw it.", hint="Look at it again.")
    verb = {
        "approve": "approved",
        "reject": "rejected",
        "skip": "skipped",
        "flag": "flagged",
        "undo": "took back",
        "redo": "took up again",
    }[last.kind]
    who = "You" if last.actor == request.actor else last.actor
    return Conflict(
        f"{who} {verb} this {ago(last.decided_at)}. Both are in the history.", hint="Open it and decide anew if it must change."
    )


def ago(moment: datetime) -> str:
    """`20 s ago`, `5 min ago`, `3 h ago`, `2 days ago`."""
    seconds = max(0, int((now() - moment).total_seconds()))
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"


def _outcomes_of(connection: Connection, key: str) -> list[DecisionOutcome]:
    found: list[DecisionOutcome] = []
    while (known := rows.decision_of_key(connection, f"{key}:{len(found)}")) is not None:
        found.append(known.outcome)
    return found
