"""Waiting for a run on a terminal: how far it is, what it waits for and until when, and how it ended."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from ui.cli.output import OUT
from ui.parts.figures import count

if TYPE_CHECKING:
    from core.model.runs import RunSummary
    from core.services.run_now import RunNow, SourceLimits
    from core.services.run_progress import RunProgress
    from core.store.runs import RunRow
    from core.wiring import App

Report = Sequence[str] | None
"""What was changed or refused while the words were read, a line each; None where no words were."""
POLL_S = 0.25
LOOK_S = 1.0
"""What a run waits for is read so often."""
SAY_S = 30.0
"""Without a terminal the same kind of waiting is said so often."""
PROVIDER_EXIT = 3


def follow(app: App, run_id: str, report: Report = None) -> None:
    """Wait until the run stops moving, and answer. Exit 0 where it ended or waits for a quota; 1, 2 or 3 where it did not get there."""
    from core.model.runs import ENDED_RUN, RunStatus

    waiting = _Waiting(app)
    with OUT.progress("Discovering") as update:
        while True:
            run = app.discovery.run(run_id)
            words = app.discovery.words(run.run_id)
            ended = [word for word in words if word.state not in ("queued", "working")]
            working = next((f"{word.word}: {word.detail}" for word in words if word.state == "working"), "")
            update(len(ended), len(words), waiting.says(run) or working)
            if run.status in ENDED_RUN or run.status is RunStatus.PAUSED:
                break
            time.sleep(POLL_S)
    summary = app.discovery.summary(run.run_id)
    answer_run(app, summary, report)
    if summary.status not in (RunStatus.SUCCEEDED, RunStatus.WAITING_FOR_QUOTA):
        raise typer.Exit(_exit_code(run))


def answer_run(app: App, summary: RunSummary, report: Report = None) -> None:
    """How a run goes, or ended: for people with what it spent beside its plan, and how to go on. `report`: for machines alone."""
    from core.pipeline.janitor import live_workers
    from core.services.discovery import summary_json
    from core.services.run_now import as_sentence, what_now
    from core.services.run_progress import read_progress
    from core.services.run_spending import read_spending, spent_lines
    from core.timing import now
    from ui.cli.plan_lines import spent_line

    if OUT.is_json:
        OUT.answer(summary_json(summary) if report is None else {**summary_json(summary), "report": list(report)})
        return
    progress = read_progress(app.database, summary.run_id)
    run, words = progress.run, summary.words
    n_workers = len(live_workers(app.database))
    standing = what_now(progress, _limits(app, run), n_workers=n_workers, at=now(), asks=app.server_asks())
    lines = [
        as_sentence(f"Run {run.number} ({run.run_id}), {run.name}: {summary.status}{', ' + run.reason if run.reason else ''}"),
        (
            f"{count(words['total'], 'word')}: {words['done']} done, {words['none_found']} without a clip, {words['failed']} failed, "
            f"{words['waiting_for_quota']} waiting, {words['cancelled']} cancelled."
        ),
        (
            f"{count(summary.clips, 'clip')}, {count(summary.mappings, 'proposal')}, {summary.not_heard:,} not heard, "
            f"{summary.elapsed_s:.1f} s."
        ),
        *(f"  {failure.word}: failed at {failure.stage}, {failure.reason}" for failure in summary.failed),
        *summary.notes,
        "; ".join(spent_line(line) for line in spent_lines(progress, read_spending(app.database, progress))) + ".",
        *_how_to_go_on(run, standing, words["failed"]),
    ]
    OUT.answer(None, *lines)


def _how_to_go_on(run: RunRow, standing: RunNow, n_failed: int) -> list[str]:
    from core.model.runs import RunStatus

    lines = [f"`python run.py runs retry {run.number}` does just the failed ones again."] if n_failed else []
    if run.status is RunStatus.RUNNING:
        lines.append(f"{standing.says} {standing.about}".rstrip())
    if run.status is RunStatus.WAITING_FOR_QUOTA:
        lines.append(f"{standing.says} {standing.about}".rstrip())
        if not standing.is_own_limit:
            lines.append(f"`python run.py runs resume {run.number}`, or the same command again, goes on.")
    if run.status is RunStatus.PAUSED:
        is_stopped = run.stopped_for not in ("", "person")
        lines += [*([standing.about] if is_stopped else []), f"`python run.py runs resume {run.number}` goes on."]
    return lines


def _exit_code(run: RunRow) -> int:
    """A bug is 1; a provider's refusal 3; what a person did, or can mend here, 2."""
    from core.model.runs import RunStatus, StopCause

    if run.status is RunStatus.FAILED:
        return 1
    is_provider = run.status is RunStatus.PAUSED and run.stopped_for in (StopCause.KEY, StopCause.CREDIT, StopCause.PROVIDER)
    return PROVIDER_EXIT if is_provider else 2


def _limits(app: App, run: RunRow) -> SourceLimits | None:
    from core.model.clips import Source
    from core.services.run_now import SourceLimits

    if run.settings.source is not Source.CLIPCAFE:
        return None
    limits = app.limits
    return SourceLimits(limits.slots.state(), limits.requests.state(), limits.downloads.state())


class _Waiting:
    """What a followed run waits for, read once a second."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._looked_s = float("-inf")
        self._says = ""
        self._said_s: dict[str, float] = {}

    def says(self, run: RunRow) -> str:
        """For the progress line; empty where it works or is over."""
        from core.model.runs import RunStatus
        from core.services.run_progress import read_progress

        if run.status is not RunStatus.RUNNING:
            return ""
        if time.monotonic() - self._looked_s >= LOOK_S:
            self._looked_s = time.monotonic()
            self._says = self._read(read_progress(self._app.database, run.run_id), _limits(self._app, run))
        return self._says

    def _read(self, progress: RunProgress, limits: SourceLimits | None) -> str:
        from core.services.run_now import what_now
        from core.timing import now

        found = what_now(progress, limits, n_workers=1, at=now(), asks=self._app.server_asks())
        if found.until is None:
            return ""
        says = f"{found.says} That is at {found.until.astimezone():%H:%M:%S}."
        if not OUT.is_terminal and time.monotonic() - self._said_s.get(found.kind, float("-inf")) >= SAY_S:
            self._said_s[found.kind] = time.monotonic()
            OUT.say(says)
        return says
