"""Words without a clip, each with its reason; the way to a run for them; and pasted words with what they have."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from core.errors import WordreelError
from core.model.runs import RunSettings
from core.services.discovery import WordChoice
from ui.parts import page
from ui.parts.figures import count
from ui.parts.markup import Markup, el, facts, pips, show, state, table
from ui.parts.ways import way_button, word_link

if TYPE_CHECKING:
    from core.services.coverage import WordCoverage
    from core.wiring import App

MAX_ROWS = 300
WHY = {
    "in_review": ("fact_check", "accent"),
    "not_searched": ("search", "dim"),
    "none_found": ("search_off", "dim"),
    "exhausted": ("cancel", "bad"),
    "failed": ("error", "bad"),
    "waiting_for_quota": ("hourglass_top", "dim"),
}


def why(word: WordCoverage) -> Markup:
    """What a word has, or why it has nothing, with its icon."""
    if word.state in ("live", "approved"):
        name = "cloud_done" if word.state == "live" else "check_circle"
        return state(name, f"{count(word.n_approved, 'clip')} approved" + (f", {word.n_live} live" if word.n_live else ""), "ok")
    name, colour = WHY[word.state]
    name = "hearing_disabled" if word.why.startswith("Not heard") else name
    return state(name, word.why, "bad" if name == "hearing_disabled" else colour)


def draw_gaps(app: App, bundle: str, words: Sequence[WordCoverage], *, is_demo: bool) -> None:
    """The table, and the box that opens the plan."""
    missing = [word for word in words if word.state not in ("live", "approved", "in_review")]
    table_at, box_at = st.columns([0.66, 0.34], gap="medium")
    with table_at:
        page.section("Gaps", f"{count(len(missing), 'word')} without any clip, most useful first")
        if not missing:
            page.note("Every word has a clip, or one that waits for a person.", "check_circle", "ok")
        else:
            heads = [("Word", "strong"), ("Level", "dim"), ("Rank", "num"), ("Why it has none", "cut")]
            rows = [[word_link(word.word, is_demo=is_demo), word.level, f"{word.rank + 1:,}", why(word)] for word in missing[:MAX_ROWS]]
            with st.container(height=min(300, 44 + 34 * len(rows)), border=False):
                show(table(heads, rows, label="Words without a clip", widths="26% 22% 12% auto"))
            if len(missing) > MAX_ROWS:
                page.note(f"{MAX_ROWS} of {len(missing):,} shown.")
    with box_at, st.container(border=True, key="wr-gapbox"):
        _find(app, bundle)


def _find(app: App, bundle: str) -> None:
    want = int(app.settings.get("want"))
    try:
        chosen = app.discovery.choose(WordChoice(gaps=bundle), want=want, is_kept=False)
        planned = app.discovery.plan_words(chosen, want)
        plan = app.discovery.plan(chosen, RunSettings(want=want))
    except WordreelError as error:
        page.error_box(error)
        return
    open_words = [word for word in planned if word.n_wanted]
    show(el("strong", f"Find clips for {count(len(open_words), 'word')}"))
    show(facts({
        f"Words under {count(want, 'clip')}": f"{len(planned):,}",
        "Clips wanted": f"{sum(word.n_wanted for word in open_words):,}",
        "Searches": f"{plan.searches:,}",
        "Money": f"${plan.cost_usd:.2f}",
    }, "plain"))  # fmt: skip
    if open_words:
        way_button("Plan a run", "/discover", icon_name="arrow_forward", is_icon_last=True, is_main=True, is_wide=True, gaps=bundle)
    else:
        st.button("Plan a run", type="primary", icon=":material/arrow_forward:", icon_position="right", width="stretch", disabled=True)


def draw_look_up(app: App) -> None:
    """A box for words; below it each with its clips."""
    text = st.text_area("Words of a lesson", key="look_up", height=110, placeholder="Paste words, one a line or separated by commas")
    texts = list(dict.fromkeys(word for word in (part.strip() for part in re.split(r"[\n,;\t]+", text)) if word))
    if not texts:
        page.note("Each is shown with its clips, or with the reason why it has none.")
        return
    found = app.coverage.look_up(texts)
    want = int(app.settings.get("want"))
    n_with = sum(word is not None and word.n_approved > 0 for _, word in found)
    page.note(f"{n_with} of {count(len(found), 'word')} have an approved clip.")
    rows = [
        [
            word_link(word.word, is_demo=word.is_demo) if word else el("span", given[:80], cls="dim"),
            pips(min(word.n_approved, want), want) if word else "",
            why(word) if word else state("help", "On no list of this workspace", "dim"),
        ]
        for given, word in found[:MAX_ROWS]
    ]
    show(table([("Word", "strong"), ("Approved", ""), ("What it has", "")], rows, label="Pasted words", widths="34% 26% 40%"))
