"""The desk's half of the API: the queue, visits, decisions, undo, corrections. `ui/components/desk/contract.js` writes it down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from core.model.reviews import DecisionKind, DecisionOutcome, DecisionRequest, MappingState
from core.services.review import WAITING, QueueFilter
from core.wiring import App

MAX_ID = 2**53
Id = Annotated[int, Path(ge=1, le=MAX_ID)]
Key = Annotated[str, Field(min_length=1, max_length=80)]
Score = Annotated[float, Query(ge=0, le=1)]


class Body(BaseModel):
    """A request's JSON; a field that is not known is refused, so that a misspelt one is not lost in silence."""

    model_config = ConfigDict(extra="forbid")


class DecisionBody(Body):
    """One decision, with what the curator saw when making it."""

    decision: Annotated[str, Field(pattern="^(approve|reject|skip|flag)$")]
    reasons: Annotated[list[Annotated[str, Field(max_length=40)]], Field(max_length=9)] = []
    score: Annotated[float, Field(ge=0, le=1)] | None = None
    note: Annotated[str, Field(max_length=4000)] = ""
    version: int | None = None
    idempotency_key: Key
    visit_id: Annotated[str, Field(max_length=80)] = ""
    proposal_id: int | None = None
    transcript_id: Annotated[str, Field(max_length=80)] | None = None
    score_visible: bool = True
    watched_s: Annotated[float, Field(ge=0, le=1e6)] | None = None
    target_plays: Annotated[int, Field(ge=0, le=10**6)] | None = None


class UndoBody(Body):
    """Which keystroke is taken back; empty: this actor's last one."""

    visit_id: Annotated[str, Field(max_length=80)] = ""
    idempotency_key: Annotated[str, Field(max_length=80)] = ""


class TranscriptBody(Body):
    """The text as a person says it is spoken."""

    text: Annotated[str, Field(max_length=4000)]
    transcript_id: Annotated[str, Field(max_length=80)] = ""
    idempotency_key: Annotated[str, Field(max_length=80)] = ""


def review_router(app: App, actor: Callable[[], str]) -> APIRouter:
    """The routes, each of which answers only after its transaction was committed."""
    router = APIRouter(tags=["review"])

    @router.get("/review/queue")
    def queue(
        limit: Annotated[int | None, Query(ge=1, le=10000)] = None,
        bundle: str = "",
        min_score: Score | None = None,
        strict: bool = False,
        all: bool = False,  # noqa: A002
    ) -> dict[str, Any]:
        """What waits, words under their want first, best clip first. `all`: also what was not heard, is parked or decided."""
        if bundle:
            app.vocabulary.bundle_words(bundle)  # a name that is mistyped is no empty queue
        found = app.review.queue(QueueFilter(bundle=bundle, min_score=min_score, is_strict=strict, with_all=all), limit=limit)
        return {"items": [item.as_json() for item in found.items], "total": found.total}

    @router.get("/review/desk")
    def desk(
        bundle: str = "",
        min_score: Score | None = None,
        strict: bool | None = None,
        order: str = "coverage_gain",
        limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    ) -> dict[str, Any]:
        """The queue as visits: one a clip, with the rules and providers in use."""
        is_strict = bool(app.settings.get("is_strict")) if strict is None else strict
        wanted = QueueFilter(bundle=bundle, min_score=min_score, is_strict=is_strict, order=order)
        document = app.desk.heads(actor(), wanted, limit=limit)
        uses = {provider.name: provider.uses for provider in app.providers()}
        least = app.settings.get("min_score") if min_score is None else min_score
        document["rules"] = {"min_score": least, "strict": is_strict}
        document["providers"] = {"judge": uses.get("judge", ""), "transcriber": uses.get("transcriber", "")}
        document["bundles"] = [found.name for found in app.vocabulary.bundles() if found.n_words]
        document["without_clip"] = app.coverage.without_clip(bundle)
        return document

    @router.get("/review/visits/{clip_id}")
    def visit(clip_id: Id) -> dict[str, Any]:
        """One clip with its media, its words and their times, and all words that it could teach."""
        return app.desk.visit(clip_id)

    @router.post("/mappings/{mapping_id}/decisions")
    def decide(mapping_id: Id, body: DecisionBody) -> dict[str, Any]:
        """Record one decision. The same idempotency key again answers what it did; a stale version is a conflict."""
        return _outcome_json(app, app.review.decide(_request(mapping_id, body, actor())))

    @router.post("/review/undo")
    def undo(body: UndoBody) -> dict[str, Any]:
        """Take this actor's last keystroke back."""
        return _taken(app, app.review.undo(actor(), visit_id=body.visit_id, idempotency_key=body.idempotency_key))

    @router.post("/review/redo")
    def redo(body: UndoBody) -> dict[str, Any]:
        """Take this actor's last undo back."""
        return _taken(app, app.review.redo(actor(), visit_id=body.visit_id, idempotency_key=body.idempotency_key))

    @router.post("/clips/{clip_id}/transcript")
    def correct(clip_id: Id, body: TranscriptBody) -> dict[str, Any]:
        """Take a person's text as what is spoken, and time its words anew."""
        return app.desk.correct(clip_id, body.text, actor=actor(), transcript_id=body.transcript_id, idempotency_key=body.idempotency_key)

    return router


def _outcome_json(app: App, outcome: DecisionOutcome) -> dict[str, Any]:
    """`{"mapping_id", "state", "version", "event_id", "undecided"}`; what learners are still shown is a pending retraction."""
    is_pending = outcome.state is not MappingState.APPROVED and app.review.is_live(outcome.mapping_id)
    state = MappingState.PENDING_RETRACTION if is_pending else outcome.state
    return {**asdict(outcome), "state": str(state), "undecided": outcome.state in WAITING}


def _request(mapping_id: int, body: DecisionBody, actor: str) -> DecisionRequest:
    return DecisionRequest(
        mapping_id,
        DecisionKind(body.decision),
        actor,
        idempotency_key=body.idempotency_key,
        seen_version=body.version,
        reasons=tuple(body.reasons),
        score=body.score,
        note=body.note,
        proposal_id=body.proposal_id,
        transcript_id=body.transcript_id,
        is_score_visible=body.score_visible,
        watched_s=body.watched_s,
        n_target_plays=body.target_plays,
        visit_id=body.visit_id,
    )


def _taken(app: App, outcomes: list[DecisionOutcome]) -> dict[str, Any]:
    named = app.review.places(outcome.mapping_id for outcome in outcomes)
    return {
        "items": [
            {**_outcome_json(app, outcome), "clip_id": named[outcome.mapping_id].clip_id, "word": named[outcome.mapping_id].word}
            for outcome in outcomes
        ]
    }
