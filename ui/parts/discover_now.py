"""The line under the stages of a run: what it works on or waits for, with the limiter beside it, and what it could not do."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from core.services.run_now import NowKind, RunNow, SourceLimits, what_now
from ui.parts.discover_limiter import limiter
from ui.parts.figures import duration, moment
from ui.parts.markup import div, el, icon, link, show, span

if TYPE_CHECKING:
    from core.services.run_progress import RunProgress
    from core.wiring import App

ICONS = {
    NowKind.WORKING: "progress_activity",
    NowKind.IN_LINE: "hourglass_top",
    NowKind.NO_WORKER: "hourglass_top",
    NowKind.RATE: "hourglass_top",
    NowKind.BLOCKED: "hourglass_top",
    NowKind.ASKED: "hourglass_top",
    NowKind.PAUSED: "pause_circle",
    NowKind.STOPPED: "error",
    NowKind.QUOTA: "event_upcoming",
    NowKind.ENDED: "check_circle",
    NowKind.CANCELLED: "cancel",
    NowKind.FAILED: "error",
}
COLOURS = {NowKind.STOPPED: "bad", NowKind.FAILED: "bad", NowKind.QUOTA: "warn", NowKind.BLOCKED: "warn", NowKind.ASKED: "warn"}
WITH_LIMITER = (NowKind.WORKING, NowKind.IN_LINE, NowKind.RATE, NowKind.BLOCKED, NowKind.ASKED)


def read_now(app: App, progress: RunProgress, limits: SourceLimits | None) -> RunNow:
    """What the run does now; asks who is alive."""
    from core.pipeline.janitor import live_workers

    n_workers = len(live_workers(app.database))
    return what_now(progress, limits, n_workers=n_workers, at=datetime.now(UTC), asks=app.server_asks())


def draw_now(progress: RunProgress, now: RunNow, limits: SourceLimits | None) -> None:
    """The line, and below it the run's notes."""
    run = progress.run
    took = f"In {duration(run.worked_s)}, {moment(run.ended_at)}." if run.ended_at else ""
    about = " ".join(filter(None, [now.about, took]))
    way = link("Open Settings", "/settings", cls="wr-link") if now.has_remedy else None
    picture = limiter(limits.rate) if limits is not None and now.kind in WITH_LIMITER else None
    name, colour = ICONS[now.kind], COLOURS.get(now.kind, "")
    says = div(el("strong", now.says), span(about) if about else None, cls="says")
    show(div(icon(name, colour), says, way, picture, cls=f"wr-line wr-now {colour}".strip(), role="status"))
    if run.notes:
        show(div(icon("info"), div(*[div(note) for note in run.notes]), cls="wr-notes"))
