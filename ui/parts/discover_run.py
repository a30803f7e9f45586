"""A run of Discover: nine stages, what goes on now, its words, and what was planned and spent. Read anew while it moves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from core.model.runs import ENDED_RUN, RunStatus
from core.services.run_progress import RunProgress, StageCount, read_progress
from ui.parts import page
from ui.parts.bundles import known_bundles, with_labels
from ui.parts.discover_limiter import limits_of
from ui.parts.discover_now import draw_now, read_now
from ui.parts.discover_spent import draw_spent
from ui.parts.discover_words import draw_words
from ui.parts.figures import count
from ui.parts.markup import Markup, chip, div, icon, meter, show, span
from ui.parts.redrawn import redrawn
from ui.parts.ways import way_button

if TYPE_CHECKING:
    from core.services.run_now import RunNow
    from core.store.runs import RunRow
    from core.wiring import App

EVERY_S = 1.0
STATUS = {
    RunStatus.PLANNED: ("hourglass_top", "Planned", ""),
    RunStatus.RUNNING: ("progress_activity", "Running", "accent"),
    RunStatus.PAUSED: ("pause_circle", "Paused", "warn"),
    RunStatus.WAITING_FOR_QUOTA: ("hourglass_top", "Waiting for a quota", "warn"),
    RunStatus.SUCCEEDED: ("check_circle", "Ended", "ok"),
    RunStatus.CANCELLED: ("cancel", "Cancelled", ""),
    RunStatus.FAILED: ("error", "Failed", "bad"),
}


def draw_run(app: App, run_id: str, runs: Sequence[RunRow]) -> None:
    """Draw one run; while it moves, it is drawn anew every second. Raises: NotFound."""
    is_moving = read_progress(app.database, run_id).is_moving
    redrawn(_draw, EVERY_S if is_moving else None, app, run_id, runs, is_moving)


def _draw(app: App, run_id: str, runs: Sequence[RunRow], was_moving: bool) -> None:
    progress = read_progress(app.database, run_id)
    limits = limits_of(app, progress.run.settings.source)
    now = read_now(app, progress, limits)
    with st.container(key="wr-run"):
        _head(app, progress, runs)
        page.said()
        show(div(*[_stage(progress, found, now) for found in progress.stages], cls="wr-strip"))
        draw_now(progress, now, limits)
        left, right = st.columns([0.735, 0.265], gap="medium")
        with left:
            draw_words(app, progress, now, limits)
        with right:
            draw_spent(app, progress, limits)
    if was_moving and not progress.is_moving:
        st.rerun()


def _head(app: App, progress: RunProgress, runs: Sequence[RunRow]) -> None:
    run = progress.run
    bundles = known_bundles(app)
    names = {row.run_id: f"Run {row.number}, {with_labels(row.name, bundles)}" for row in [*runs, run]}
    with page.head("Discover") as (beside, actions):
        with beside:
            key = f"run_{run.run_id}"
            chosen = st.selectbox(
                "Run",
                list(names),
                list(names).index(run.run_id),
                format_func=names.__getitem__,
                key=key,
                label_visibility="collapsed",
                width=290,
            )
            name, word, colour = STATUS[run.status]
            ended = f", {progress.n_ended} of {len(progress.words)} words ended" if run.status is RunStatus.RUNNING else ""
            show(
                div(chip(name, word + ended, colour), chip("science", "Demo", "warn") if run.is_demo else None, cls="wr-chips"),
                width="content",
            )
        with actions:
            _actions(app, progress)
    if chosen != run.run_id:
        st.query_params["run"] = chosen
        st.rerun()


def _actions(app: App, progress: RunProgress) -> None:
    run, n_waiting = progress.run, progress.n_review_words
    with page.shown_errors():
        if run.status is RunStatus.RUNNING and st.button("Pause", icon=":material/pause:"):
            app.discovery.pause(run.run_id)
            st.rerun()
        is_stopped = run.status in (RunStatus.PLANNED, RunStatus.PAUSED, RunStatus.CANCELLED, RunStatus.WAITING_FOR_QUOTA)
        if is_stopped and st.button("Resume", icon=":material/play_arrow:", type="secondary" if n_waiting else "primary"):
            app.discovery.resume(run.run_id)
            st.rerun()
        if run.status not in ENDED_RUN and st.button(
            "Cancel", icon=":material/stop:", help="What was found stays; the run can be resumed."
        ):
            app.discovery.cancel(run.run_id)
            st.rerun()
    is_main = run.status in ENDED_RUN and not n_waiting and not is_stopped
    if st.button("New run", icon=":material/add:", type="primary" if is_main else "secondary"):
        st.query_params["run"] = "new"
        st.rerun()
    if n_waiting:
        way_button(f"Review {count(n_waiting, 'word')}", "/review", icon_name="arrow_forward", is_icon_last=True, is_main=True)


def _stage(progress: RunProgress, found: StageCount, now: RunNow) -> Markup:
    is_over = progress.run.status is RunStatus.SUCCEEDED and not found.n_failed
    is_done = found.n_all > 0 and (is_over or found.n_done >= found.n_all) and not found.n_working
    mark = icon("progress_activity", "accent", "working") if found.n_working else icon("check", "ok", "done") if is_done else None
    mark = icon("hourglass_top", "", "waiting") if found.stage is now.stage else mark
    mark = icon("error", "bad", "with failures") if found.n_failed else mark
    is_here = found.stage is now.stage if now.stage else found.n_working and found is _front(progress)
    return div(
        div(span(found.stage.value.capitalize()), mark, cls="top"),
        span(f"{found.n_done:,}", "n"),
        span(found.unit, "unit", title=found.unit),
        div(meter(1.0 if is_done else found.n_done / found.n_all if found.n_all else 0.0), cls="foot"),
        cls="on" if is_here else "",
    )


def _front(progress: RunProgress) -> StageCount:
    """The stage in which most words are now."""
    return max(progress.stages, key=lambda found: found.n_working)
