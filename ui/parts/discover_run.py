"""A run of Discover: nine stages, what goes on now, its words, and what was planned and spent. Read anew while it moves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from core.model.runs import ENDED_RUN, RunStatus, WordState
from core.services.run_progress import RunProgress, StageCount, n_stages_done, read_progress
from ui.parts import page
from ui.parts.bundles import known_bundles, with_labels
from ui.parts.figures import count, duration, moment
from ui.parts.markup import Markup, chip, div, el, facts, icon, join, meter, show, span, state, table
from ui.parts.ways import go, word_link

if TYPE_CHECKING:
    from core.store.runs import RunRow, RunWordRow
    from core.wiring import App

EVERY_S = 1.0
MAX_ROWS = 400
TABS: dict[str, tuple[str, tuple[WordState, ...]]] = {
    "all": ("All", tuple(WordState)),
    "working": ("Working", (WordState.WORKING,)),
    "queued": ("In line", (WordState.QUEUED, WordState.WAITING_FOR_QUOTA)),
    "done": ("To review", (WordState.DONE,)),
    "none_found": ("Nothing found", (WordState.NONE_FOUND,)),
    "failed": ("Failed", (WordState.FAILED, WordState.CANCELLED)),
}
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
    st.fragment(_draw, run_every=EVERY_S if is_moving else None)(app, run_id, runs, is_moving)


def _draw(app: App, run_id: str, runs: Sequence[RunRow], was_moving: bool) -> None:
    progress = read_progress(app.database, run_id)
    _head(app, progress, runs)
    page.said()
    show(div(*[_stage(progress, found) for found in progress.stages], cls="wr-strip"))
    show(_now(app, progress))
    left, right = st.columns([0.735, 0.265], gap="medium")
    with left:
        _words(app, progress)
    with right:
        _spent(app, progress)
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
    is_main = not n_waiting and not is_stopped
    if st.button("New run", icon=":material/add:", type="primary" if is_main else "secondary"):
        st.query_params["run"] = "new"
        st.rerun()
    if n_waiting and st.button(
        f"Review {count(n_waiting, 'word')}", type="primary", icon=":material/arrow_forward:", icon_position="right"
    ):
        go("review")


def _stage(progress: RunProgress, found: StageCount) -> Markup:
    is_done = found.n_all > 0 and found.n_done >= found.n_all and not found.n_working
    mark = icon("progress_activity", "accent", "working") if found.n_working else icon("check", "ok", "done") if is_done else None
    mark = icon("error", "bad", "with failures") if found.n_failed else mark
    return div(
        div(span(found.stage.value.capitalize()), mark, cls="top"),
        span(f"{found.n_done:,}", "n"),
        span(found.unit, "unit"),
        div(meter(found.n_done / found.n_all if found.n_all else 0.0), cls="foot"),
        cls="on" if found.n_working and found is _front(progress) else "",
    )


def _front(progress: RunProgress) -> StageCount:
    """The stage in which most words are now."""
    return max(progress.stages, key=lambda found: found.n_working)


def _now(app: App, progress: RunProgress) -> Markup:
    """One line: what is waited for or worked on."""
    run = progress.run
    working, waiting = progress.words_in(WordState.WORKING), progress.words_in(WordState.QUEUED)
    if run.status is RunStatus.RUNNING:
        if not _workers(app):
            return _line(
                "hourglass_top", "Waiting for a worker. None is alive.", "`python run.py` starts one; so does `python run.py worker`."
            )
        if working:
            doing = working[0].detail or "Starting"
            others = f"{count(len(working), 'word')} at once" if len(working) > 1 else ""
            return _line(
                "progress_activity", f"{doing}, for {working[0].word}.", ", ".join(filter(None, [others, f"{len(waiting)} in line"])) + "."
            )
        return _line("hourglass_top", "Waiting for a worker to take the next word.", f"{len(waiting)} in line.")
    if run.status is RunStatus.PAUSED:
        said = (
            f"Pausing: {count(len(working), 'word')} still in hand."
            if working
            else f"Paused. {count(len(waiting), 'word')} keep their place."
        )
        return _line("pause_circle", said, "Nothing that was done is lost.")
    summary = app.discovery.summary(run.run_id)
    words = summary.words
    parts = [count(words["done"], "word") + " with clips", f"{words['none_found']} without", f"{words['failed']} failed"]
    said = {RunStatus.CANCELLED: "Cancelled.", RunStatus.FAILED: run.reason or "The run could not go on."}.get(run.status, "Ended.")
    took = f"In {duration(summary.elapsed_s)}, {moment(run.ended_at)}." if run.ended_at else ""
    return _line(STATUS[run.status][0], f"{said} {', '.join(parts)}.", took)


def _line(name: str, says: str, about: str) -> Markup:
    return div(icon(name), div(el("strong", says), span(about)), cls="wr-line", role="status")


def _workers(app: App) -> int:
    from core.pipeline.janitor import live_workers

    return len(live_workers(app.database))


def _words(app: App, progress: RunProgress) -> None:
    counts = {name: len(progress.words_in(*states)) for name, (_, states) in TABS.items()}
    with st.container(horizontal=True, vertical_alignment="center", key="wr-tabs"):
        tab = st.segmented_control(
            "Words", list(TABS), default="all", required=True, format_func=lambda name: f"{TABS[name][0]} :gray[{counts[name]}]",
            key=f"tab_{progress.run.run_id}", label_visibility="collapsed",
        )  # fmt: skip
        n_failed = len(progress.words_in(WordState.FAILED))
        if n_failed and st.button(f"Retry {n_failed} failed", type="tertiary", icon=":material/refresh:"):
            with page.shown_errors():
                app.discovery.retry(progress.run.run_id)
                st.rerun()
    rows = progress.words_in(*TABS[tab or "all"][1])
    if not rows:
        page.note("No word is in this state.")
        return
    heads = [
        ("Word", "strong"), ("Level", "dim nowrap"), ("Stages", "nowrap"), ("Hits", "num"), ("Kept", "num"), ("Fetched", "num"),
        ("Heard", "num"), ("Best", "num"), ("State", "cut"),
    ]  # fmt: skip
    first = next((word.word_id for word in progress.words_in(WordState.QUEUED)), None)
    cells = [_row(progress, word, is_next=word.word_id == first) for word in rows[:MAX_ROWS]]
    show(table(heads, cells, label="Words of this run", widths="auto 88px 104px 44px 48px 60px 52px 48px 34%"))
    if len(rows) > MAX_ROWS:
        page.note(f"{MAX_ROWS} of {len(rows):,} shown.")


def _row(progress: RunProgress, word: RunWordRow, *, is_next: bool) -> list[object]:
    def known(value: int | None) -> object:
        return "" if value is None else f"{value:,}"

    heard = span("0", "bad") if word.n_heard == 0 and word.n_fetched else known(word.n_heard)
    best = "" if word.best is None else f"{word.best:.2f}"
    return [
        word_link(word.word, is_demo=progress.run.is_demo), progress.levels.get(word.word_id, ""), _track(word),
        known(word.n_hits), known(word.n_kept),
        known(word.n_fetched), heard, best, _state(progress.run.status, word, is_next=is_next),
    ]  # fmt: skip


def _track(word: RunWordRow) -> Markup:
    n_done = n_stages_done(word)
    at = {WordState.WORKING: "now", WordState.FAILED: "bad"}.get(word.state)
    marks = [el("b", cls="done" if place < n_done else at if place == n_done else None) for place in range(7)]
    return el("span", *marks, cls="wr-track", role="img", aria_label=f"{n_done} of 7 stages done")


def _state(status: RunStatus, word: RunWordRow, *, is_next: bool) -> Markup:
    if word.state is WordState.WORKING:
        return state("progress_activity", word.detail or "Starting", "accent")
    if word.state is WordState.QUEUED:
        waits = "Paused, place kept" if status is RunStatus.PAUSED else "Next in line" if is_next else "In line"
        return state("hourglass_top", waits, "dim")
    if word.state is WordState.DONE:
        return el(
            "span", icon("fact_check", "accent"), span(word.detail if word.n_heard and word.detail else "Has what it wants"), cls="wr-state"
        )
    if word.state is WordState.NONE_FOUND:
        is_unheard = (word.reason or "").startswith("Not heard")
        return state("hearing_disabled" if is_unheard else "search_off", word.reason or "No clip found", "bad" if is_unheard else "dim")
    if word.state is WordState.FAILED:
        return el("span", icon("error"), el("span", word.reason, title=word.reason), cls="wr-state bad")
    return state(
        "hourglass_top" if word.state is WordState.WAITING_FOR_QUOTA else "cancel", word.detail or word.state.value.replace("_", " "), "dim"
    )


def _spent(app: App, progress: RunProgress) -> None:
    run, summary = progress.run, app.discovery.summary(progress.run.run_id)
    page.section("Plan and spent")
    n_words = max(1, len(progress.words))
    n_wanted = len(progress.words) * run.settings.want

    def of(n: int, planned: int, unit: str = "") -> Markup:
        return join([meter(n / planned if planned else 0), f"{n:,} ", el("small", f"of {planned:,}{unit}")])

    show(facts({
        "Words ended": of(progress.n_ended, n_words),
        "Searches": of(summary.searches, n_words),
        "Clips cut": of(summary.clips, n_wanted, " at most"),
        "Downloads": join(["0 ", el("small", "own films need none")]) if not summary.downloads else f"{summary.downloads:,}",
        "Paid calls": f"{summary.paid_calls:,}",
        "Money": f"${summary.cost_usd:.2f}",
        "Time": duration(summary.elapsed_s),
    }))  # fmt: skip
    gained = sum(bool(word.n_heard) or word.state is WordState.DONE for word in progress.words)
    show(
        div(
            div(span("Words that gain a clip"), span(f"{gained}"), cls="row"),
            meter(gained / n_words),
            page_note(f"Waiting for a person: {count(progress.n_review_clips, 'clip')} for {count(progress.n_review_words, 'word')}."),
            cls="wr-box",
        )
    )
    settings = run.settings
    rule = "" if settings.min_score is None else f"score ≥ {settings.min_score:.2f}, "
    recogniser = " ".join(filter(None, [settings.transcriber, settings.transcriber_model]))
    page.note(
        f"Settings are frozen for this run: {rule}{settings.want} clips a word, "
        f"at most {settings.max_videos} hits, 1–15 s, judge {settings.judge} {settings.judge_model}, "
        f"words by {recogniser}. Started by {run.created_by}.",
        "lock",
    )


def page_note(text: str) -> Markup:
    return div(text, cls="wr-note", style="margin-top:8px")
