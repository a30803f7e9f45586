"""`discover` and `runs`."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ui.cli.options import LARGEST, Json
from ui.cli.output import OUT
from ui.cli.session import actor, opened

if TYPE_CHECKING:
    from core.model.runs import RunSummary
    from core.wiring import App

runs = typer.Typer(help="Runs of discovery.", no_args_is_help=False, invoke_without_command=True)
RunId = Annotated[str, typer.Argument(help="The run's id or number.", metavar="ID")]
POLL_S = 0.25


def add_to(app: typer.Typer) -> None:
    """Hang the commands into the tree."""
    app.command(name="discover")(discover)
    app.add_typer(runs, name="runs")


def discover(
    csv: Annotated[Path | None, typer.Option("--csv", help="A file of words; they join the own bundle of its name.")] = None,
    bundle: Annotated[str, typer.Option(help="Every word of a bundle.")] = "",
    words: Annotated[str, typer.Option(help="Words, separated by commas; they join the own bundle `typed`.")] = "",
    gaps: Annotated[str, typer.Option(help="The words of this bundle that are under their want.")] = "",
    source: Annotated[str, typer.Option(help="clipcafe or library (your own films).")] = "library",
    want: Annotated[int, typer.Option(help="Good clips a word should end with.", min=1, max=20)] = 3,
    max_videos: Annotated[
        int, typer.Option("--max-videos", help="Hits a word that are considered, in the source's order.", min=1, max=LARGEST)
    ] = 100,
    max_downloads: Annotated[
        int | None, typer.Option("--max-downloads", help="Stop cleanly after so many downloads.", min=0, max=LARGEST)
    ] = None,
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
    from core.services.discovery import WordChoice

    if csv is not None and not csv.is_file():
        raise NotFound(f"There is no file {csv}.")
    if source not in (Source.CLIPCAFE, Source.LIBRARY):
        raise InvalidInput(f"{source!r} is no source.", hint="Use --source library or --source clipcafe.")
    choice = WordChoice(
        file=(csv.name, csv.read_bytes()) if csv else None,
        bundle=bundle,
        words=tuple(word for word in words.split(",") if word.strip()),
        gaps=gaps,
    )
    settings = RunSettings(
        source=Source(source), want=want, max_videos=max_videos, max_downloads=max_downloads, max_cost_usd=max_cost, min_score=min_score
    )
    if plan:
        with opened() as app:
            _answer_plan(app, choice, settings)
        return
    with opened() as app:
        app.discovery.require_source(settings.source)
        chosen = app.discovery.choose(choice, want=want)
        for line in chosen.report:
            OUT.say(line)
        run_id = app.discovery.launch(chosen, settings, actor=actor())
        if detach:
            _answer(app, app.discovery.summary(run_id))
            return
        with app.with_worker():
            _follow(app, run_id)


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
        _answer(app, app.discovery.summary(run_id))


@runs.command()
def pause(run_id: RunId, json: Json = False) -> None:
    """Stop at the next stage; nothing that was done is lost."""
    with opened() as app:
        _answer(app, app.discovery.pause(run_id))


@runs.command()
def resume(run_id: RunId, json: Json = False) -> None:
    """Go on with a run that was paused, waits or was cancelled."""
    with opened() as app:
        _answer(app, app.discovery.resume(run_id))


@runs.command()
def cancel(run_id: RunId, json: Json = False) -> None:
    """End a run at the next stage; what was found stays."""
    with opened() as app:
        _answer(app, app.discovery.cancel(run_id))


@runs.command()
def retry(run_id: RunId, json: Json = False) -> None:
    """Do again just what failed, and wait for it."""
    with opened() as app:
        app.discovery.retry(run_id)
        with app.with_worker():
            _follow(app, run_id)


def _follow(app: App, run_id: str) -> None:
    """Wait until the run stops moving, and answer; exit 1 unless it ended well."""
    from core.model.runs import ENDED_RUN, RunStatus

    with OUT.progress("Discovering") as update:
        while True:
            run = app.discovery.run(run_id)
            words = app.discovery.words(run.run_id)
            ended = [word for word in words if word.state not in ("queued", "working")]
            working = next((f"{word.word}: {word.detail}" for word in words if word.state == "working"), "")
            update(len(ended), len(words), working)
            if run.status in ENDED_RUN or run.status is RunStatus.PAUSED:
                break
            time.sleep(POLL_S)
    summary = app.discovery.summary(run.run_id)
    _answer(app, summary)
    if summary.status not in (RunStatus.SUCCEEDED, RunStatus.WAITING_FOR_QUOTA):
        raise typer.Exit(1 if summary.status is RunStatus.FAILED else 2)


def _answer(app: App, summary: RunSummary) -> None:
    from core.services.discovery import summary_json

    run = app.discovery.run(summary.run_id)
    words = summary.words
    lines = [
        f"Run {run.number} ({run.run_id}), {run.name}: {summary.status}{', ' + run.reason if run.reason else ''}.",
        (
            f"{words['total']} words: {words['done']} done, {words['none_found']} without a clip, {words['failed']} failed, "
            f"{words['waiting_for_quota']} waiting, {words['cancelled']} cancelled."
        ),
        f"{summary.clips} clips, {summary.mappings} proposals, {summary.not_heard} not heard, {summary.elapsed_s:.1f} s.",
        *(f"  {failure.word}: failed at {failure.stage}, {failure.reason}" for failure in summary.failed),
    ]
    if words["failed"]:
        lines.append(f"`python run.py runs retry {run.number}` does just those again.")
    OUT.answer(summary_json(summary), *lines)


def _answer_plan(app: App, choice: object, settings: object) -> None:
    from core.model.runs import RunSettings
    from core.services.discovery import WordChoice

    assert isinstance(choice, WordChoice)
    assert isinstance(settings, RunSettings)
    chosen = app.discovery.choose(choice, want=settings.want, is_kept=False)
    found = app.discovery.plan(chosen, settings)
    OUT.answer(
        asdict(found),
        f"{found.words} words of {chosen.name}, {found.already_covered} of them have what they want.",
        f"{found.searches} searches, {found.downloads} downloads, {found.judge_calls} paid judge calls, ${found.cost_usd:.2f}.",
        "Nothing was spent.",
    )
