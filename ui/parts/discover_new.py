"""A new run: its words, what they have already, the limits, and the plan with its one button. Nothing is written before Start."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from core.errors import WordreelError
from core.model.runs import Plan, RunSettings
from core.services.discovery import WordChoice
from ui.cli.session import actor
from ui.parts import page
from ui.parts.bundles import known_bundles, label_of
from ui.parts.demo_note import draw_demo_note
from ui.parts.figures import count, moment
from ui.parts.markup import div, el, facts, icon, join, pips, show, span, table
from ui.parts.ways import go, word_link

if TYPE_CHECKING:
    from core.services.discovery import ChosenWords, WordPlan
    from core.store.runs import RunRow
    from core.wiring import App

KINDS = {"file": "File", "bundle": "Bundle", "typed": "Typed", "gaps": "Gaps"}
ICONS = {"file": ":material/description:", "bundle": ":material/list_alt:", "typed": ":material/keyboard:", "gaps": ":material/search_off:"}
MAX_ROWS = 200


@dataclass(frozen=True, slots=True)
class Sorted:
    """The chosen words by what they need."""

    chosen: ChosenWords
    to_search: tuple[WordPlan, ...]
    covered: tuple[WordPlan, ...]
    in_review: tuple[WordPlan, ...]


def draw_new_run(app: App, runs: Sequence[RunRow]) -> None:
    """Draw the page of a new run; `runs` are the past ones."""
    with page.head("Discover", "New run") as (_, actions), actions:
        if runs and st.button("Past runs", icon=":material/history:"):
            st.query_params.clear()
            st.query_params["run"] = runs[0].run_id
            st.rerun()
        command = st.popover("Copy as command", icon=":material/terminal:")
    if not runs:
        draw_demo_note(app)
        page.empty("travel_explore", "No run yet.", "Choose words and see what it costs before anything is spent.")
    left, right = st.columns([0.69, 0.31], gap="large")
    with left:
        choice, asked = _words_of(app)
        words = st.container()
        settings = _limits(app)
        with words:
            sorted_words = _sorted(app, choice, settings.want) if choice else None
    with command:
        st.code(_command(choice, asked, settings), language="bash", wrap_lines=True)
    with right, st.container(border=True, key="wr-plan"):
        _plan(app, choice, sorted_words, settings)


def _words_of(app: App) -> tuple[WordChoice | None, str]:
    """The choice of words, None while nothing is given; and what to show of it in a command."""
    bundles = known_bundles(app)
    asked = next((kind for kind in ("gaps", "typed") if kind in st.query_params), "bundle" if bundles else "file")
    with st.container(horizontal=True, vertical_alignment="center"):
        page.section("Words")
        kind = st.segmented_control(
            "Words from", list(KINDS), default=asked, required=True, key=f"words_from_{asked}", width="content",
            format_func=lambda name: f"{ICONS[name]} {KINDS[name]}", label_visibility="collapsed",
        )  # fmt: skip
    if kind == "file":
        given = st.file_uploader(
            "A list of words: CSV, TSV, XLSX, JSON or one word a line", key="word_file", label_visibility="collapsed", max_upload_size=20
        )
        return (WordChoice(file=(given.name, given.getvalue())), given.name) if given else (None, "words.csv")
    if kind == "typed":
        text = st.text_area(
            "Words",
            st.query_params.get("typed", ""),
            key="typed_words",
            height=96,
            placeholder="One word a line, or separated by commas",
            label_visibility="collapsed",
        )
        words = tuple(word.strip() for word in text.replace("\n", ",").split(",") if word.strip())
        return (WordChoice(words=words) if words else None), ",".join(words)
    if not bundles:
        page.note("No bundle yet. Choose a file, or type words.", "info")
        return None, ""
    wanted = st.query_params.get("gaps") or st.query_params.get("bundle") or ""
    names = list(bundles)
    name = st.selectbox(
        "Bundle", names, names.index(wanted) if wanted in bundles else 0, key=f"bundle_{kind}", label_visibility="collapsed",
        format_func=lambda name: f"{label_of(bundles[name])}, {count(bundles[name].n_words, 'word')}",
    )  # fmt: skip
    return (WordChoice(gaps=name) if kind == "gaps" else WordChoice(bundle=name)), name


def _sorted(app: App, choice: WordChoice, want: int) -> Sorted | None:
    """Read the choice and show it; an error of the choice is shown in its place."""
    try:
        chosen = app.discovery.choose(choice, want=want, is_kept=False)
    except WordreelError as error:
        page.error_box(error)
        return None
    planned = app.discovery.plan_words(chosen, want)
    found = Sorted(
        chosen,
        tuple(word for word in planned if word.n_wanted),
        tuple(word for word in planned if not word.n_wanted and word.n_approved >= want),
        tuple(word for word in planned if not word.n_wanted and word.n_approved < want),
    )
    _subtraction(found, want)
    _table(found, want)
    return found


def _subtraction(found: Sorted, want: int) -> None:
    n_wanted = sum(word.n_wanted for word in found.to_search)
    parts = [
        (
            "Words read",
            len(found.chosen.words),
            f"{len(found.chosen.report)} lines changed or refused" if found.chosen.report else found.chosen.name,
            "",
        ),
        ("Covered", len(found.covered), f"have {count(want, 'clip')}, cost nothing", "–"),
        ("In review", len(found.in_review), f"reach {want} if approved", "–"),
        ("To search", len(found.to_search), f"{count(n_wanted, 'clip')} wanted", "="),
    ]
    cells = [
        div(
            span(sign, "sign") if sign else None,
            div(span(name), cls="top"),
            span(f"{n:,}", "n"),
            span(unit, "unit"),
            cls="on" if sign == "=" else "",
        )
        for name, n, unit, sign in parts
    ]
    show(div(*cells, cls="wr-strip apart", role="img", aria_label=", ".join(f"{name} {n}" for name, n, _, _ in parts)))


def _table(found: Sorted, want: int) -> None:
    groups = {"To search": found.to_search, "Covered": found.covered, "In review": found.in_review}
    names = [*groups, "Changed or refused"] if found.chosen.report else list(groups)
    sizes = {**{name: len(words) for name, words in groups.items()}, "Changed or refused": len(found.chosen.report)}
    with st.container(horizontal=True, vertical_alignment="center", key="wr-tabs"):
        tab = st.segmented_control(
            "Show",
            names,
            default=names[0],
            required=True,
            key="plan_tab",
            format_func=lambda name: f"{name} :gray[{sizes[name]:,}]",
            label_visibility="collapsed",
        )
        page.note("most useful first")
    if tab == "Changed or refused":
        show(table([("Line by line", "")], [[line] for line in found.chosen.report[:MAX_ROWS]], label="Changed or refused lines"))
        return
    words = groups[tab or "To search"]
    if not words:
        page.note(
            {"To search": "Every word has what it wants.", "Covered": "None has yet.", "In review": "None waits."}[tab or "To search"]
        )
        return
    rows = [
        [
            word_link(word.word, is_demo=found.chosen.is_demo),
            pips(min(word.n_approved, want), want),
            word.n_in_review or "",
            word.n_wanted or "",
        ]
        for word in words
    ]
    with st.container(height=min(340, 44 + 34 * len(rows)), border=False):
        heads = [("Word", "strong"), ("Has now", ""), ("In review", "num"), ("Wants", "num")]
        show(table(heads, rows[:MAX_ROWS], label=f"Words: {tab}", widths="40% 30% 15% 15%"))
    if len(rows) > MAX_ROWS:
        page.note(f"{MAX_ROWS} of {len(rows):,} shown.")


def _limits(app: App) -> RunSettings:
    left, right = st.columns(2, gap="large")
    cards = app.library.films()
    n_own = sum(not card.film.is_demo for card in cards)
    with left:
        page.section("Source")
        about = f"{count(n_own, 'film')}. Costs no request, no download." if n_own else "None yet. Add a folder on the Library page."
        if not n_own and cards:
            about = f"{count(len(cards), 'demo film')}, for demo bundles only. Add your own on the Library page."
        show(
            div(
                div(icon("radio_button_checked", "accent"), " ", el("strong", "Own films")),
                div(about, cls="wr-note", style="margin-left:22px"),
                cls="wr-box wr-chosen",
            )
        )
    with right:
        page.section("Limits")
        want = st.number_input(
            "Clips wanted a word", 1, 20, int(app.settings.get("want")), key="want", help="Approved ones and those in review count."
        )
        hits = st.number_input("Hits considered a word, at most", 1, 1000, 100, step=10, key="max_videos", help="In the source's order.")
    return RunSettings(want=int(want), max_videos=int(hits))


def _plan(app: App, choice: WordChoice | None, found: Sorted | None, settings: RunSettings) -> None:
    show(div(el("strong", "Plan"), span("nothing is spent yet"), cls="wr-boxhead"))
    n_wanted = sum(word.n_wanted for word in found.to_search) if found else 0
    show(div(f"{n_wanted:,}", el("small", f"{'clip' if n_wanted == 1 else 'clips'} wanted"), cls="wr-big"))
    plan = app.discovery.plan(found.chosen, settings) if found else Plan(0, 0, 0, 0, 0, 0, 0, 0.0, 0.0)
    show(facts({
        "Searches": join([f"{plan.searches:,} ", el("small", "in your own films")]),
        "Downloads": join([f"{plan.downloads:,} ", el("small", "films are read in place")]),
        "Judge calls": join([f"{plan.judge_calls:,} ", el("small", "the rubric runs here")]),
        "Money": f"${plan.cost_usd:.2f}",
    }))  # fmt: skip
    is_ready = found is not None and bool(found.to_search)
    if (
        st.button("Start run", type="primary", icon=":material/play_arrow:", width="stretch", disabled=not is_ready, key="start_run")
        and choice
    ):
        with page.shown_errors():
            chosen = app.discovery.choose(choice, want=settings.want)
            run_id = app.discovery.launch(chosen, settings, actor=actor())
            st.query_params.clear()
            st.query_params["run"] = run_id
            st.rerun()
    page.note(
        f"Stops at {count(settings.want, 'clip')} a word. Settings are frozen at the start: "
        "judge and recogniser as in use now. Its clips reach the desk by the rules in Settings."
    )
    last = next(iter(app.discovery.runs(limit=1)), None)
    if last is not None and last.ended_at is not None:
        page.note(f"Run {last.number}, {last.name}, ended {moment(last.ended_at)}.")
    if not app.library.films() and st.button("Add films", icon=":material/create_new_folder:"):
        go("library")


def _command(choice: WordChoice | None, asked: str, settings: RunSettings) -> str:
    """The same run as a command; a file's name stands for its path."""
    option = "--words"
    if choice is None or choice.file is not None:
        option = "--csv"
    elif choice.gaps:
        option = "--gaps"
    elif choice.bundle:
        option = "--bundle"
    parts = ["python", "run.py", "discover", option, asked or "FILE", "--source", "library", "--want", str(settings.want)]
    parts += ["--max-videos", str(settings.max_videos)]
    return shlex.join(parts)
