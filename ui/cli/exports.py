"""`export`, `export verify`, `export retract`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from ui.cli.options import LARGEST, Backend, Json
from ui.cli.output import OUT, is_asking_allowed
from ui.cli.session import actor, opened
from ui.parts.figures import count

if TYPE_CHECKING:
    from core.model.export_reports import ExportBatch
    from core.wiring import App

commands = typer.Typer(help="Send what is approved to a backend.", invoke_without_command=True, no_args_is_help=False)
POLL_S = 0.2
UNFINISHED = "A batch to {} is not finished: the export goes on with that, as it was frozen, before it sends anything else."


def add_to(app: typer.Typer) -> None:
    """Hang the commands into the tree."""
    app.add_typer(commands, name="export")


@commands.callback()
def export(
    context: typer.Context,
    bundle: Annotated[str, typer.Option(help="Only clips that teach a word of this bundle.")] = "",
    backend_url: Backend = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be sent.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Confirm the first export to a host.")] = False,
    allow_strong_language: Annotated[bool, typer.Option("--allow-strong-language", help="Send clips with strong language too.")] = False,
    json: Json = False,
) -> None:
    """Send what is approved; wait, and tell what became of each clip. Again after an interruption: it goes on."""
    if context.invoked_subcommand is not None:
        return
    if dry_run:
        with opened() as app:
            _show_preview(app, backend_url, bundle, allow_strong_language)
        return
    with opened() as app:
        confirmed = yes or _is_confirmed(app, backend_url, bundle, allow_strong_language)
        notes: list[str] = []
        batch_id = app.exports.create_batch(
            backend_url, bundle or None, actor(), allow_strong_language=allow_strong_language, confirmed=confirmed, tell=notes.append
        )
        for note in notes:
            OUT.say(note)
        batch = app.exports.batch(batch_id)
        if batch.summary.ended_at is None:
            with app.with_worker():
                batch = _wait(app, batch_id)
        has_approved = bool(batch.items or app.exports.preview(backend_url, bundle or None, allow_strong_language).clips)
        _answer(batch, notes, has_approved=has_approved)


@commands.command()
def verify(
    batch_id: Annotated[str, typer.Argument(metavar="ID", help="The batch's id or number.")],
    json: Json = False,
) -> None:
    """Read everything that arrived with a batch back from its target."""
    with opened() as app:
        batch = app.exports.verify(batch_id)
    read = [{"slug": item.slug, "name": item.name, "read_back": item.read_back.value if item.read_back else None} for item in batch.items]
    document = {**batch.as_json(), "verified": batch.summary.n_verified, "not_verified": batch.summary.n_not_verified, "read_back": read}
    lines = [f"{item['read_back']}: {item['slug']}" for item in read if item["read_back"] not in (None, "verified")]
    OUT.answer(document, *lines, f"{batch.summary.n_verified} verified, {batch.summary.n_not_verified} not verified.")


@commands.command()
def retract(
    mapping_id: Annotated[int, typer.Argument(metavar="ID", help="The mapping that was removed there by hand.", min=1, max=LARGEST)],
    backend_url: Backend = "",
    json: Json = False,
) -> None:
    """Say that the operator has removed a mapping at a backend that cannot delete."""
    with opened() as app:
        done = app.exports.retract(mapping_id, backend_url, actor())
    document = {"retracted": [{"mapping_id": item.mapping_id, "word": item.word, "slug": item.slug, "name": item.name} for item in done]}
    OUT.answer(document, *(f"{item.word} of {item.slug} is no longer counted as live." for item in done))


def _is_confirmed(app: App, address: str, bundle: str, allow_strong_language: bool) -> bool:
    """Ask on a terminal, where asking is allowed and the host is new; elsewhere the answer is no."""
    if not is_asking_allowed():
        return False
    found = app.exports.preview(address, bundle or None, allow_strong_language)
    if not found.needs_confirmation or not found.n_clips:
        return False
    question = f"This is the first export to {found.target}: {found.n_clips} clips, {found.n_bytes:,} bytes. Send them?"
    return OUT.ask(question)


def _wait(app: App, batch_id: str) -> ExportBatch:
    """Until the batch has ended. Raises: StoreError, when its job came to an end without it."""
    from core.errors import StoreError

    with OUT.progress("Exporting") as update:
        while True:
            batch = app.exports.batch(batch_id)
            if batch.summary.ended_at is not None:
                return batch
            job = app.library.job(batch.summary.job_id)
            if job.status in ("failed", "cancelled"):
                reason = job.reason or f"The export was {job.status}."
                raise StoreError(reason, hint="The same command goes on with it; nothing is sent twice.")
            update(sum(item.status.value not in ("queued", "sending") for item in batch.items), len(batch.items), job.detail)
            time.sleep(POLL_S)


def _answer(batch: ExportBatch, notes: list[str], *, has_approved: bool) -> None:
    summary = batch.summary
    lines = [f"{item.status}: {item.slug} ({', '.join(item.words)}){': ' + item.error if item.error else ''}" for item in batch.items]
    lines.append(f"Batch {summary.number} to {summary.target}: {summary.sent} sent, {summary.failed} failed, {summary.skipped} skipped.")
    if not batch.items:
        lines = [f"Everything approved is at {summary.target}." if has_approved else "No clip is approved yet; nothing was sent."]
    OUT.answer(_with_notes(batch.as_json(), notes), *lines)
    if summary.failed:
        raise typer.Exit(3)


def _show_preview(app: App, address: str, bundle: str, allow_strong_language: bool) -> None:
    found = app.exports.preview(address, bundle or None, allow_strong_language)
    lines = [f"{clip.change}: {clip.slug} ({', '.join(clip.words)}). {clip.will}" for clip in found.clips if clip.change != "unchanged"]
    lines.append(
        f"{count(found.n_clips, 'clip')} with {count(found.n_words, 'word')}, {count(found.n_bytes, 'byte')}, would go to {found.target}."
    )
    notes = [UNFINISHED.format(found.target)] if found.unfinished_batch_id else []
    OUT.answer(_with_notes(found.as_json(), notes), *lines, *notes, "Nothing was sent.")


def _with_notes(document: dict[str, object], notes: list[str]) -> dict[str, object]:
    """`notes` only where there are any: what was asked is then not all that happens."""
    return {**document, "notes": notes} if notes else document
