"""`review next|decide|undo|queue`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated
from uuid import uuid4

import typer

from ui.cli.options import LARGEST, Json
from ui.cli.output import OUT
from ui.cli.session import actor, opened

if TYPE_CHECKING:
    from core.model.reviews import DecisionOutcome

commands = typer.Typer(help="What waits for a person, and decisions.", no_args_is_help=True)
REASONS = "not_heard, wrong_sense, too_little_context, picture_does_not_help, audio_unclear, offensive, cut_badly, duplicate, other"
VERBS = ("approve", "reject", "skip", "flag")


def add_to(app: typer.Typer) -> None:
    """Hang the commands into the tree."""
    app.add_typer(commands, name="review")


@commands.command()
def queue(
    limit: Annotated[int | None, typer.Option(help="At most so many.", min=1, max=LARGEST)] = None,
    bundle: Annotated[str, typer.Option(help="Only words of this bundle.")] = "",
    min_score: Annotated[
        float | None, typer.Option("--min-score", help="Least relevance, in place of each run's own.", min=0, max=1)
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Only education and context both at least 0.9.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Also what was not heard, is under the rule, parked or decided.")] = False,
    json: Json = False,
) -> None:
    """What waits, words under their want first, best clip first."""
    from core.services.review import QueueFilter

    wanted = QueueFilter(bundle=bundle, min_score=min_score, is_strict=strict, with_all=everything)
    with opened() as app:
        if bundle:
            app.vocabulary.bundle_words(bundle)  # a name that is mistyped is no empty queue
        found = app.review.queue(wanted, limit=limit)
    items = [item.as_json() for item in found.items]
    rows = [(item["mapping_id"], item["word"], item["relevance"], item["evidence"], item["state"], item["slug"]) for item in items]
    after = f"{len(rows)} of {found.total}; {found.n_parked} parked, {found.n_skipped} skipped."
    heads = ("Mapping", "Word", "Relevance", "Evidence", "State", "Clip")
    OUT.table({"items": items, "total": found.total}, heads, rows, empty="Nothing waits for a decision.", after=after)


@commands.command(name="next")
def show_next(json: Json = False) -> None:
    """The clip that should be judged next, with what is said in it."""
    from core.errors import NotFound

    with opened() as app:
        found = app.review.queue(limit=1)
        if not found.items:
            raise NotFound("Nothing waits for a decision.", hint="`python run.py discover` finds clips.")
        item = found.items[0]
        visit = app.desk.visit(item.row.clip_id)
        path = app.media_files.local_path(visit["media_url"].rsplit("/", 1)[-1])
    target = next(target for target in visit["targets"] if target["mapping_id"] == item.row.mapping_id)
    text = " ".join(word["text"] for word in visit["words"])
    OUT.answer(
        {**item.as_json(), "text": text, "reason": target["proposal"]["reason"], "path": str(path)},
        f"{item.row.word} in {item.row.slug} (mapping {item.row.mapping_id})",
        f"“{text}”",
        f"relevance {item.row.relevance:.2f}, {item.row.evidence_state}: {target['proposal']['reason']}",
        str(path),
    )


@commands.command()
def decide(
    mapping_id: Annotated[int, typer.Argument(metavar="MAPPING_ID", min=1, max=LARGEST)],
    decision: Annotated[str, typer.Argument(help="approve, reject, skip or flag.")],
    reason: Annotated[
        list[str] | None,
        typer.Option(help=f"Why it is rejected: {REASONS}; words of your own count as `other` and stand in the note."),
    ] = None,
    score: Annotated[float | None, typer.Option(help="Your score, 0 to 1.")] = None,
    note: Annotated[str, typer.Option(help="A note.")] = "",
    version: Annotated[
        int | None, typer.Option(help="The version that you saw; without it the current one is meant.", min=0, max=LARGEST)
    ] = None,
    json: Json = False,
) -> None:
    """Decide on one mapping."""
    from core.errors import InvalidInput
    from core.model.reviews import DecisionKind, DecisionRequest

    if decision not in VERBS:
        raise InvalidInput(f"{decision!r} is no decision.", hint=f"Use {', '.join(VERBS)}.")
    reasons, own_words = named_reasons(reason or ())
    request = DecisionRequest(
        mapping_id,
        DecisionKind(decision),
        actor(),
        idempotency_key=uuid4().hex,
        seen_version=version,
        reasons=reasons,
        score=score,
        note="; ".join(part for part in (note, *own_words) if part),
        visit_id=uuid4().hex,
        is_score_visible=True,
    )
    with opened() as app:
        outcome = app.review.decide(request)
        found = outcome_json(outcome, is_live=app.review.is_live(outcome.mapping_id))
    OUT.answer(found, f"Mapping {found['mapping_id']}: {found['state']}.")


def named_reasons(given: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The desk's reasons that are meant, and those in a person's own words, for which `other` stands."""
    from core.model.reviews import RejectReason

    names = {text: re.sub(r"[\s-]+", "_", text.strip().lower()) for text in given if text.strip()}
    own_words = tuple(text.strip() for text, name in names.items() if name not in set(RejectReason))
    reasons = [name if name in set(RejectReason) else RejectReason.OTHER.value for name in names.values()]
    return tuple(dict.fromkeys(reasons)), own_words


@commands.command()
def undo(json: Json = False) -> None:
    """Take your last decision back."""
    with opened() as app:
        outcome = app.review.undo(actor())[0]
        found = outcome_json(outcome, is_live=app.review.is_live(outcome.mapping_id))
    OUT.answer(found, f"Mapping {found['mapping_id']}: {found['state']}.")


def outcome_json(outcome: DecisionOutcome, *, is_live: bool = False) -> dict[str, object]:
    """`{"mapping_id","state","version","event_id"}`; what learners are still shown though nobody approves it is a pending retraction."""
    from dataclasses import asdict

    from core.model.reviews import MappingState

    is_pending = is_live and outcome.state is not MappingState.APPROVED
    return {**asdict(outcome), "state": str(MappingState.PENDING_RETRACTION if is_pending else outcome.state)}
