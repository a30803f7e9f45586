"""`discover` and `runs`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ui.cli.options import Json
from ui.cli.output import OUT
from ui.cli.plan_lines import full_lines, short_line
from ui.cli.run_following import answer_run, follow
from ui.cli.session import actor, opened
from ui.parts.figures import count

if TYPE_CHECKING:
    from core.model.runs import RunSettings
    from core.services.discovery import WordChoice
    from core.services.plan_words import ChosenWords
    from core.wiring import App

runs = typer.Typer(help="Runs of discovery.", no_args_is_help=False, invoke_without_command=True)
MAX_REPORTED = 20
RunId = Annotated[str, typer.Argument(help="The run's id or number.", metavar="ID")]


def add_to(app: typer.Typer) -> None:
    """Hang the commands into the tree."""
    app.command(name="discover")(discover)
    app.add_typer(runs, name="runs")


def discover(
    csv: Annotated[Path | None, typer.Option("--csv", help="A file of words; they join the own bundle of its name.")] = None,
    bundle: Annotated[str, typer.Option(help="Every word of a bundle.")] = "",
    words: Annotated[str, typer.Option(help="Words, separated by commas; they join the own bundle `typed`.")] = "",
    gaps: Annotated[str, typer.Option(help="The words of this bundle that are under their want.")] = "",
    source: Annotated[
        str, typer.Option(help="clipcafe, or library (your own films). Unset: clipcafe where its key is set, else library.")
    ] = "",
    want: Annotated[int, typer.Option(help="Good clips a word should end with.", min=1, max=20)] = 3,
    max_videos: Annotated[int, typer.Option("--max-videos", help="Hits a word that are considered, in the source's order.", min=1)] = 100,
    max_downloads: Annotated[int | None, typer.Option("--max-downloads", help="Stop cleanly after so many downloads.", min=0)] = None,
    max_cost: Annotated[
        float | None, typer.Option("--max-cost", help="Stop before the call that would pass it, in US dollars.", min=0)
    ] = None,
    min_score: Annotated[
        float | None,
        typer.Option("--min-score", help="Least relevance for the desk, applied when reading; the workspace's unless set.", min=0, max=1),
    ] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Only say what it would cost.")] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Return at once; a worker goes on.")] = False,
    json: Json = False,
) -> None:
    """Find clips in which words are spoken. The same command on an unfinished run resumes it."""
    from core.errors import InvalidInput, NotFound
    from core.model.clips import Source
    from core.model.runs import RunSettings
    from core.services.discovery import WordChoice, require_limits

    if csv is not None and not csv.is_file():
        raise NotFound(f"There is no file {csv}.", hint="See that its path is typed right.")
    if source not in ("", Source.CLIPCAFE, Source.LIBRARY):
        raise InvalidInput(f"{source!r} is no source.", hint="Use --source library or --source clipcafe.")
    choice = WordChoice(
        file=(csv.name, csv.read_bytes()) if csv else None,
        bundle=bundle,
        words=tuple(word for word in words.split(",") if word.strip()),
        gaps=gaps,
    )
    with opened() as app:
        asked = Source(source) if source else app.discovery.usual_source(choice)
        if not source:
            OUT.say(_said_source(asked))
        settings = RunSettings(
            source=asked, want=want, max_videos=max_videos, max_downloads=max_downloads, max_cost_usd=max_cost, min_score=min_score
        )
        require_limits(settings)
        if plan:
            _answer_plan(app, choice, settings)
        else:
            _launch(app, choice, settings, is_detached=detach)


def _said_source(source: str) -> str:
    return "Source: ClipCafe, since its key is set." if source == "clipcafe" else "Source: your own films."


def _launch(app: App, choice: WordChoice, settings: RunSettings, *, is_detached: bool) -> None:
    """Say what it will cost, start, and follow."""
    app.discovery.require_source(settings.source)
    chosen = app.discovery.choose(choice, want=settings.want)
    _say_report(chosen)
    if not OUT.is_json and chosen.words:
        OUT.say(short_line(app.discovery.plan(chosen, settings), settings))
    run_id = app.discovery.launch(chosen, settings, actor=actor())
    if is_detached:
        answer_run(app, app.discovery.summary(run_id), chosen.report)
        return
    with app.with_worker():
        follow(app, run_id, chosen.report)


def _say_report(chosen: ChosenWords) -> None:
    """What was changed or refused while the words were read."""
    for line in chosen.report[:MAX_REPORTED]:
        OUT.say(line)
    if len(chosen.report) > MAX_REPORTED:
        OUT.say(f"and {count(len(chosen.report) - MAX_REPORTED, 'more line')}; --json lists them all.")


@runs.callback()
def _runs(context: typer.Context, json: Json = False) -> None:
    """List runs when no subcommand is named."""
    if context.invoked_subcommand is None:
        list_runs()


@runs.command(name="list")
def list_runs(json: Json = False) -> None:
    """Every run, newest first."""
    with opened() as app:
        found = app.discovery.runs()
        summaries = [app.discovery.summary(run.run_id) for run in found]
    document = {"runs": [{"run_id": run.run_id, "number": run.number, "name": run.name, "status": str(run.status)} for run in found]}
    rows = [
        (run.number, run.run_id, run.name, str(run.status), s.words["done"], s.words["total"], s.words["failed"])
        for run, s in zip(found, summaries, strict=True)
    ]
    OUT.table(document, ("Run", "Id", "Words", "Status", "Done", "Of", "Failed"), rows, empty="No run yet.")


@runs.command()
def show(run_id: RunId, json: Json = False) -> None:
    """How a run goes, or ended."""
    with opened() as app:
        answer_run(app, app.discovery.summary(run_id))


@runs.command()
def pause(run_id: RunId, json: Json = False) -> None:
    """Stop at the next stage; nothing that was done is lost."""
    with opened() as app:
        answer_run(app, app.discovery.pause(run_id))


@runs.command()
def resume(run_id: RunId, json: Json = False) -> None:
    """Go on with a run that was paused, waits or was cancelled."""
    with opened() as app:
        answer_run(app, app.discovery.resume(run_id))


@runs.command()
def cancel(run_id: RunId, json: Json = False) -> None:
    """End a run at the next stage; what was found stays."""
    with opened() as app:
        answer_run(app, app.discovery.cancel(run_id))


@runs.command()
def retry(run_id: RunId, json: Json = False) -> None:
    """Do again just what failed, and wait for it."""
    with opened() as app:
        if not app.discovery.summary(run_id).words["failed"]:
            OUT.say("No word of this run failed; nothing is done again.")
        app.discovery.retry(run_id)
        with app.with_worker():
            follow(app, run_id)


def _answer_plan(app: App, choice: WordChoice, settings: RunSettings) -> None:
    chosen = app.discovery.choose(choice, want=settings.want, is_kept=False)
    _say_report(chosen)
    found = app.discovery.plan(chosen, settings)
    OUT.answer({**asdict(found), "report": list(chosen.report)}, *full_lines(found, chosen.name, settings))
