"""`vocab import`, `vocab list`, `coverage`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ui.cli.options import Json
from ui.cli.output import OUT
from ui.cli.session import opened
from ui.parts.figures import count

commands = typer.Typer(help="Word lists and bundles.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Hang the commands into the tree."""
    app.add_typer(commands, name="vocab")
    app.command(name="coverage")(coverage)


@commands.command(name="import")
def import_list(
    file: Annotated[Path, typer.Argument(help="A CSV or text file of words.", metavar="FILE")],
    exam: Annotated[str, typer.Option(help="toefl, ielts, or a name of your own. Importing it again replaces its list.")],
    level: Annotated[str, typer.Option(help="beginner, intermediate or advanced, for a list without levels.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = False,
    json: Json = False,
) -> None:
    """Take a word list in, and report every row that was changed or refused."""
    from core.errors import InvalidInput, NotFound
    from core.model.vocabulary import Level
    from core.services.vocabulary import checked_name, refuse_demo_name

    if not file.is_file():
        raise NotFound(f"There is no file {file}.", hint="See that its path is typed right.")
    if level and level not in set(Level):
        raise InvalidInput(f"{level!r} is no level.", hint="Use beginner, intermediate or advanced.")
    refuse_demo_name(checked_name(exam))
    with opened() as app:
        report = app.vocabulary.import_list(
            file.read_bytes(), exam=exam, level=Level(level) if level else None, file_name=file.name, is_dry_run=dry_run
        )
    changes = report.difference
    lines = [
        f"{count(report.accepted, 'word')} of {report.exam}, {count(report.duplicates, 'duplicate')}.",
        f"{count(len(report.changed), 'row')} changed, {len(report.refused):,} refused.",
        f"Against the list before: {len(changes.added)} added, {len(changes.removed)} removed, {len(changes.moved)} at another level.",
        *(f"  line {row.line}: {row.before!r} read as {row.after!r}" for row in report.changed[:20]),
        *(f"  line {row.line}: {row.text[:60]!r} refused, {row.reason}" for row in report.refused[:20]),
        *(f"  {name}: {count(n, 'word')}" for name, n in report.bundles.items()),
    ]
    n_hidden = max(0, len(report.changed) - 20) + max(0, len(report.refused) - 20)
    if n_hidden:
        lines.append(f"  and {count(n_hidden, 'more row')}; --json lists them all.")
    if dry_run:
        lines.append("Nothing was written.")
    OUT.answer(report.as_json(), *lines)


@commands.command(name="list")
def list_bundles(json: Json = False) -> None:
    """Every bundle with the number of its words."""
    with opened() as app:
        found = app.vocabulary.bundles()
    document = {"bundles": [{"bundle": b.name, "words": b.n_words, "exam": b.exam, "level": b.level, "is_demo": b.is_demo} for b in found]}
    rows = [(b.name, b.n_words, "demo" if b.is_demo else "") for b in found]
    OUT.table(document, ("Bundle", "Words", ""), rows, empty="No list yet. `python run.py vocab import FILE --exam NAME` takes one in.")


def coverage(
    bundle: Annotated[str, typer.Option(help="Only this bundle.")] = "",
    at_least: Annotated[int, typer.Option("--at-least", help="Also count words with at least so many approved clips.", min=1, max=20)] = 3,
    json: Json = False,
) -> None:
    """How many words of each bundle have approved clips, are live at the backend, and why the others have none."""
    ks = sorted({1, 3, at_least})
    with opened() as app:
        found = app.coverage.bundles(bundle, at_least=ks)
    reasons = ("in_review", "not_searched", "none_found", "exhausted", "failed", "waiting_for_quota")
    of_reasons = ("In review", "Not searched", "None found", "Exhausted", "Failed", "Waiting")
    heads = ("Bundle", "Words", *(f"≥ {k}" for k in ks), "Live", *of_reasons)
    rows = [
        (
            row.bundle,
            row.words,
            *(row.approved[k] for k in ks),
            row.live,
            *(row.reasons[reason] for reason in reasons),
        )
        for row in found
    ]
    OUT.table({"bundles": [row.as_json() for row in found]}, heads, rows, empty="No bundle yet.")
