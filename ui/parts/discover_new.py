"""A new run: its words, what they have already, the limits, and the plan with its one button. Nothing is written before Start."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from core.errors import WordreelError
from core.model.clips import Source
from core.services.discovery import WordChoice
from core.services.plan_groups import group_words
from ui.cli.session import actor
from ui.parts import page
from ui.parts.bundles import known_bundles, label_of, with_labels
from ui.parts.demo_note import draw_demo_note
from ui.parts.discover_plan import EMPTY, draw_plan, missing_note, stops_note, without_films
from ui.parts.discover_source import draw_source_and_limits
from ui.parts.discover_wanted import draw_wanted
from ui.parts.figures import count
from ui.parts.ways import way_button

if TYPE_CHECKING:
    from core.model.runs import RunSettings
    from core.services.plan_groups import PlanGroups
    from core.store.runs import RunRow
    from core.wiring import App
    from ui.parts.discover_source import Given

KINDS = {"file": "File", "bundle": "Bundle", "typed": "Typed", "gaps": "Gaps"}
ICONS = {"file": ":material/description:", "bundle": ":material/list_alt:", "typed": ":material/keyboard:", "gaps": ":material/search_off:"}


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
        given = draw_source_and_limits(app)
        with words:
            groups = _grouped(app, choice, given.settings, runs) if choice else None
    with command:
        st.code(_command(choice, asked, given.settings), language="bash", wrap_lines=True)
    with right, st.container(border=True, key="wr-plan"):
        _plan(app, choice, groups, given)


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


def _grouped(app: App, choice: WordChoice, settings: RunSettings, runs: Sequence[RunRow]) -> PlanGroups | None:
    """Read the choice and show it; an error of the choice is shown in its place."""
    try:
        chosen = app.discovery.choose(choice, want=settings.want, is_kept=False)
        planned = app.discovery.plan_words(chosen, settings.want, settings)
        groups = group_words(app.database, chosen, planned, settings.want, settings.source)
    except WordreelError as error:
        page.error_box(error)
        return None
    draw_wanted(groups, settings.want, runs, with_labels(chosen.name, known_bundles(app)))
    return groups


def _plan(app: App, choice: WordChoice | None, groups: PlanGroups | None, given: Given) -> None:
    settings, plan = given.settings, EMPTY
    with page.shown_errors():
        plan = app.discovery.plan(groups.chosen, settings) if groups else EMPTY
    is_in_vain = settings.source is Source.LIBRARY and groups is not None and not _has_films(app, is_demo=groups.chosen.is_demo)
    draw_plan(without_films(plan) if is_in_vain else plan, groups, settings, given.limits)
    if is_in_vain:
        page.note("No film to look in yet: every word would end without a clip.", "help", "warn")
    missing = missing_note(len(groups.to_search) if groups else 0, is_ready=given.is_ready, has_words=groups is not None)
    is_asked = st.button(
        "Start run",
        type="secondary" if is_in_vain else "primary",
        icon=":material/play_arrow:",
        width="stretch",
        disabled=bool(missing),
        key="start_run",
    )
    if is_asked and choice and not missing:
        with page.shown_errors():
            app.discovery.require_source(settings.source)
            chosen = app.discovery.choose(choice, want=settings.want)
            run_id = app.discovery.launch(chosen, settings, actor=actor())
            st.query_params.clear()
            st.query_params["run"] = run_id
            st.rerun()
    page.note(f"{missing} {stops_note(settings)}".strip())
    if is_in_vain or (settings.source is Source.LIBRARY and not app.library.films()):
        way_button("Add films", "/library", icon_name="create_new_folder", is_main=is_in_vain)


def _has_films(app: App, *, is_demo: bool) -> bool:
    """Demo bundles are looked for in demo films alone, others never in them."""
    return any(card.film.is_demo == is_demo for card in app.library.films())


def _command(choice: WordChoice | None, asked: str, settings: RunSettings) -> str:
    """The same run as a command; a file's name stands for its path."""
    option = "--words"
    if choice is None or choice.file is not None:
        option = "--csv"
    elif choice.gaps:
        option = "--gaps"
    elif choice.bundle:
        option = "--bundle"
    parts = ["python", "run.py", "discover", option, asked or "FILE", "--source", settings.source.value, "--want", str(settings.want)]
    parts += ["--max-videos", str(settings.max_videos)]
    if settings.max_downloads is not None:
        parts += ["--max-downloads", str(settings.max_downloads)]
    if settings.max_cost_usd is not None:
        parts += ["--max-cost", f"{settings.max_cost_usd:g}"]
    return shlex.join(parts)
