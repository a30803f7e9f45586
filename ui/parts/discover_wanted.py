"""The words of a new run: one strip of subtraction down to those that will be searched, and a table of each part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from core.model.runs import RunStatus
from ui.parts import page
from ui.parts.figures import count, day
from ui.parts.markup import Markup, div, pips, show, span, table
from ui.parts.ways import word_link

if TYPE_CHECKING:
    from core.services.discovery import WordPlan
    from core.services.plan_groups import PlanGroups
    from core.store.runs import RunRow

MAX_ROWS = 200
TABLE_PX = 323
"""Eight rows and a half: the half one says that there are more."""
REPORT = "Changed or refused"
NONE = {
    "To search": "Every word has what it wants.",
    "Covered": "None has yet.",
    "In review": "None waits.",
}
HEADS = [("Word", "strong"), ("Level", "dim"), ("Has now", ""), ("Wants", "num"), ("Last search", "wr-after"), ("Costs", "num")]


def draw_wanted(groups: PlanGroups, want: int, runs: Sequence[RunRow], name: str) -> None:
    """The strip and the tables; `runs` are the past ones, newest first, `name` is the choice as people read it."""
    parts = _parts(groups, want, runs, name)
    cells = [
        div(
            span(sign, "sign") if sign else None,
            div(span(name), cls="top"),
            span(f"{n:,}", "n"),
            span(unit, "unit", title=unit),
            cls="on" if sign == "=" else "",
        )
        for name, n, unit, sign in parts
    ]
    show(div(*cells, cls="wr-strip apart", role="img", aria_label=", ".join(f"{name} {n}" for name, n, _, _ in parts)))
    _tables(groups, want)


def _parts(groups: PlanGroups, want: int, runs: Sequence[RunRow], name: str) -> list[tuple[str, int, str, str]]:
    """(name, words, what that means, sign) of each cell; what is nowhere, no cell."""
    chosen = groups.chosen
    read = f"{len(chosen.report)} lines changed or refused" if chosen.report else name
    parts = [
        ("Words read", len(chosen.words), read, ""),
        ("Covered", len(groups.covered), f"have {count(want, 'clip')}, free", "–"),
        ("In review", len(groups.in_review), f"reach {want} if approved", "–"),
    ]
    if groups.in_run:
        is_paused = all(run.status is RunStatus.PAUSED for run in runs if run.number in groups.run_numbers)
        parts.append((_run_name(groups), len(groups.in_run), "paused, has these" if is_paused else "looks for these", "–"))
    if groups.in_production:
        parts.append(("Production has", len(groups.in_production), "the backend needs no clip", "–"))
    return [*parts, ("To search", len(groups.to_search), f"{count(groups.n_wanted, 'clip')} wanted", "=")]


def _run_name(groups: PlanGroups) -> str:
    numbers = groups.run_numbers
    return f"In run {numbers[0]}" if len(numbers) == 1 else f"In {len(numbers)} other runs"


def _tables(groups: PlanGroups, want: int) -> None:
    found: dict[str, Sequence[WordPlan]] = {"To search": groups.to_search, "Covered": groups.covered, "In review": groups.in_review}
    if groups.in_run:
        found[_run_name(groups)] = groups.in_run
    if groups.in_production:
        found["Production has"] = groups.in_production
    sizes = {name: len(words) for name, words in found.items()}
    if groups.chosen.report:
        sizes[REPORT] = len(groups.chosen.report)
    with st.container(horizontal=True, vertical_alignment="center", key="wr-tabs"):
        tab = st.segmented_control(
            "Show", list(sizes), default="To search", required=True, key="plan_tab", label_visibility="collapsed",
            format_func=lambda name: f"{name} :gray[{sizes[name]:,}]",
        )  # fmt: skip
        page.note("most useful first")
    if tab == REPORT:
        show(table([("Line by line", "")], [[line] for line in groups.chosen.report[:MAX_ROWS]], label="Changed or refused lines"))
        return
    words = found[tab or "To search"]
    if not words:
        page.note(NONE.get(tab or "To search", "None."))
        return
    rows = [_row(groups, word, want) for word in words[:MAX_ROWS]]
    with st.container(height=min(TABLE_PX, 44 + 34 * len(words)), border=False):
        show(table(HEADS, rows, label=f"Words: {tab}", widths="22% 14% 16% 8% 28% 12%"))
    if len(words) > MAX_ROWS:
        page.note(f"{MAX_ROWS} of {len(words):,} shown.")


def _row(groups: PlanGroups, word: WordPlan, want: int) -> list[object]:
    return [
        word_link(word.word, is_demo=groups.chosen.is_demo), groups.level_of(word), pips(min(word.n_approved, want), want),
        word.n_wanted or "", _last_search(word), _costs(groups, word),
    ]  # fmt: skip


def _last_search(word: WordPlan) -> str:
    if word.searched_at is None:
        return "never searched"
    if word.is_search_too_old:
        return f"{day(word.searched_at)}, too old"
    return f"{day(word.searched_at)}, {count(word.n_hits_kept or 0, 'hit')} kept"


def _costs(groups: PlanGroups, word: WordPlan) -> Markup | str:
    n = groups.searches_of(word)
    if n is None:
        return ""
    return count(n, "search", "searches") if n else span("free", "ok")
