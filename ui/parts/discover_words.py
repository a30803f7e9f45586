"""The words of a run by their state: how far each came, what it found, and why it waits or failed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import streamlit as st

from core.model.clips import Source
from core.model.runs import RunStatus, WordState
from core.services.run_choices import count_choices
from core.services.run_now import NowKind, span_of, times_in_line, waits_for_slot, waits_for_window
from core.services.run_progress import n_stages_done
from ui.parts import page
from ui.parts.discover_choices import draw_choices
from ui.parts.markup import Markup, el, icon, show, span, state, table
from ui.parts.ways import word_link

if TYPE_CHECKING:
    from core.services.run_now import RunNow, SourceLimits
    from core.services.run_progress import RunProgress
    from core.store.runs import RunWordRow
    from core.wiring import App

MAX_ROWS = 400
CHOSEN = "chosen"
TABS: dict[str, tuple[str, tuple[WordState, ...]]] = {
    "all": ("All", tuple(WordState)),
    "working": ("Working", (WordState.WORKING,)),
    "queued": ("In line", (WordState.QUEUED,)),
    "quota": ("Wait for quota", (WordState.WAITING_FOR_QUOTA,)),
    "done": ("To review", (WordState.DONE,)),
    "none_found": ("Nothing found", (WordState.NONE_FOUND,)),
    "failed": ("Failed", (WordState.FAILED, WordState.CANCELLED)),
}
HEADS = [
    ("Word", "strong"), ("Level", "dim nowrap"), ("Stages", "nowrap"), ("Hits", "num"), ("Kept", "num"), ("Fetched", "num"),
    ("Heard", "num"), ("Best", "num"), ("State", "cut"),
]  # fmt: skip


def draw_words(app: App, progress: RunProgress, now: RunNow, limits: SourceLimits | None) -> None:
    """The tabs with their counts, and what the chosen one holds."""
    run_id = progress.run.run_id
    names = {name: f"{title} :gray[{len(progress.words_in(*states)):,}]" for name, (title, states) in TABS.items()}
    if not progress.words_in(WordState.WAITING_FOR_QUOTA):
        names.pop("quota")
    choices = count_choices(app.database, run_id) if progress.run.settings.source is Source.CLIPCAFE else None
    if choices is not None:
        names[CHOSEN] = f"Chosen :gray[{choices.n_clips:,}]"
    with st.container(horizontal=True, vertical_alignment="center", key="wr-tabs"):
        tab = st.segmented_control(
            "Words", list(names), default="all", required=True, format_func=names.__getitem__, key=f"tab_{run_id}",
            label_visibility="collapsed",
        )  # fmt: skip
        n_failed = len(progress.words_in(WordState.FAILED))
        if n_failed and st.button(f"Retry {n_failed} failed", type="tertiary", icon=":material/refresh:"):
            with page.shown_errors():
                app.discovery.retry(run_id)
                st.rerun()
    if tab == CHOSEN and choices is not None:
        draw_choices(app, progress, choices)
        return
    _table(progress, TABS.get(tab or "all", TABS["all"])[1], now, limits)


def _table(progress: RunProgress, states: tuple[WordState, ...], now: RunNow, limits: SourceLimits | None) -> None:
    rows = progress.words_in(*states)
    if not rows:
        page.note("No word is in this state.")
        return
    in_line = times_in_line(progress, limits, at=datetime.now(UTC))
    first = next((word.word_id for word in progress.words_in(WordState.QUEUED)), None)
    cells = [_row(progress, word, _state(progress, word, now, in_line, is_next=word.word_id == first)) for word in rows[:MAX_ROWS]]
    show(table(HEADS, cells, label="Words of this run", widths="auto 88px 104px 44px 48px 60px 52px 48px 34%"))
    if len(rows) > MAX_ROWS:
        page.note(f"{MAX_ROWS} of {len(rows):,} shown.")


def _row(progress: RunProgress, word: RunWordRow, says: Markup) -> list[object]:
    def known(value: int | None) -> object:
        return "" if value is None else f"{value:,}"

    heard = span("0", "bad") if word.n_heard == 0 and word.n_fetched else known(word.n_heard)
    best = "" if word.best is None else f"{word.best:.2f}"
    return [
        word_link(word.word, is_demo=progress.run.is_demo), progress.levels.get(word.word_id, ""), _track(word),
        known(word.n_hits), known(word.n_kept), known(word.n_fetched), heard, best, says,
    ]  # fmt: skip


def _track(word: RunWordRow) -> Markup:
    n_done = n_stages_done(word)
    at = {WordState.WORKING: "now", WordState.FAILED: "bad"}.get(word.state)
    marks = [el("b", cls="done" if place < n_done else at if place == n_done else None) for place in range(7)]
    return el("span", *marks, cls="wr-track", role="img", aria_label=f"{n_done} of 7 stages done")


def _state(progress: RunProgress, word: RunWordRow, now: RunNow, in_line: dict[int, float], *, is_next: bool) -> Markup:
    if word.state is WordState.WORKING:
        if now.kind in (NowKind.RATE, NowKind.BLOCKED) and waits_for_slot(word):
            return state("hourglass_top", "Waiting for a rate slot", "dim")
        if waits_for_window(word):
            waits = word.detail or "Waits for the next choice"
            return el("span", icon("hourglass_top"), el("span", waits, title=waits), cls="wr-state dim")
        return state("progress_activity", word.detail or "Starting", "accent")
    if word.state is WordState.QUEUED:
        waits = "Paused, place kept" if progress.run.status is RunStatus.PAUSED else "Next in line" if is_next else "In line"
        wait_s = in_line.get(word.word_id)
        return state("hourglass_top", f"{waits}, {span_of(wait_s)}" if wait_s and wait_s >= 1 else waits, "dim")
    if word.state is WordState.DONE:
        done = word.detail if word.n_heard and word.detail else "Has what it wants"
        return el("span", icon("fact_check", "accent"), span(done), cls="wr-state")
    if word.state is WordState.NONE_FOUND:
        is_unheard = (word.reason or "").startswith("Not heard")
        return state("hearing_disabled" if is_unheard else "search_off", word.reason or "No clip found", "bad" if is_unheard else "dim")
    if word.state is WordState.FAILED:
        return el("span", icon("error"), el("span", word.reason, title=word.reason), cls="wr-state bad")
    if word.state is WordState.WAITING_FOR_QUOTA:
        return el("span", icon("event_upcoming"), el("span", word.reason or "A limit is reached", title=word.reason), cls="wr-state warn")
    return state("cancel", word.detail or "Cancelled", "dim")
