"""Coverage: how well each bundle is covered, word by word, and why the rest is not. `?word=` shows one word."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.errors import WordreelError
from core.rules.sheets import write_csv
from core.services.coverage_report import read_bundle_report
from ui.parts import page
from ui.parts.bundles import known_bundles, label_of
from ui.parts.coverage_gaps import draw_gaps, draw_look_up
from ui.parts.coverage_map import draw_map
from ui.parts.coverage_table import draw_bundles, draw_way
from ui.parts.demo_note import draw_demo_note
from ui.parts.score_chart import draw_scores
from ui.parts.ways import way_button
from ui.parts.word_page import draw_word

if TYPE_CHECKING:
    from core.services.coverage import BundleCoverage
    from core.wiring import App

KS = (1, 2, 3)


def render(app: App) -> None:
    """Draw the page."""
    page.begin()
    if "word" in st.query_params:
        draw_word(app, st.query_params["word"])
        return
    covered = app.coverage.bundles(at_least=KS)
    if not covered:
        _nothing_yet(app)
        return
    known = known_bundles(app)
    asked = st.query_params.get("bundle", "")
    chosen = next((row for row in covered if row.bundle == asked), covered[0])
    labels = {name: label_of(bundle) for name, bundle in known.items()}
    with page.head("Coverage", "Approved means that a person decided, on a word that is spoken.") as (_, actions), actions:
        with st.popover("Which of these words have clips", icon=":material/content_paste_search:"):
            draw_look_up(app)
        st.download_button("Export table", _as_csv(covered), "coverage.csv", "text/csv", icon=":material/download:")
    page.said()
    left, right = st.columns([0.7, 0.3], gap="large")
    with left:
        draw_bundles(covered, labels, chosen.bundle)
    _draw_chosen(app, chosen, labels.get(chosen.bundle, chosen.bundle), right)


def _draw_chosen(app: App, chosen: BundleCoverage, label: str, right: st.delta_generator.DeltaGenerator) -> None:
    try:
        words = app.coverage.words(chosen.bundle)
    except WordreelError as error:
        page.error_box(error)
        return
    report = read_bundle_report(app.database, chosen.bundle)
    with right:
        draw_way(chosen, report, label)
    draw_map(words, report.proposed_ids, is_demo=chosen.is_demo)
    charts, gaps = st.columns([0.32, 0.68], gap="large")
    with charts:
        draw_scores(report.scores, float(app.settings.get("min_score")))
    with gaps:
        draw_gaps(app, chosen.bundle, words, is_demo=chosen.is_demo)


def _nothing_yet(app: App) -> None:
    with page.head("Coverage"):
        pass
    draw_demo_note(app)
    page.empty("grid_view", "No bundle yet.", "Import a list of words, one word a line. Coverage then says which of them have clips.")
    way_button("Choose words", "/discover", is_main=True, run="new")


def _as_csv(covered: list[BundleCoverage]) -> str:
    """The table for a spreadsheet."""
    reasons = list(covered[0].reasons)
    heads = ["bundle", "words", *[f"approved_{k}" for k in KS], "live", *reasons]
    rows = [[row.bundle, row.words, *[row.approved[k] for k in KS], row.live, *[row.reasons[name] for name in reasons]] for row in covered]
    return write_csv(heads, rows)
