"""The rules that people change, and who changed what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from core.services.keys import BY_VARIABLE
from ui.parts import page
from ui.parts.figures import moment
from ui.parts.markup import show, table
from ui.parts.settings_fields import LABELS, said

if TYPE_CHECKING:
    from core.services.settings import SettingsChange
    from core.wiring import App


def draw_rules() -> None:
    """The fields; what differs from what is saved counts as a change."""
    page.section("Rules", "applied when reading, so that changing one repays nothing")
    with st.container(horizontal=True, gap="medium", key="wr-rules"):
        st.number_input(LABELS["want"], 1, 20, key="rule_want", help="Approved ones, those in review and live ones count.")
        least_help = "Tests relevance. A run keeps the rule it began with."
        st.number_input(LABELS["min_score"], 0.0, 1.0, step=0.05, format="%.2f", key="rule_min_score", help=least_help)
    with st.container(horizontal=True, gap="medium", key="wr-rules2"):
        flight_help = "How many clips are with the judge's model at the same time, from each worker."
        st.number_input(LABELS["judge_in_flight"], 1, 64, key="rule_judge_in_flight", help=flight_help)
        age_help = "An older answer of ClipCafe to a word is asked for anew, which costs a request a page."
        st.number_input(LABELS["search_max_age_days"], 1, 3650, key="rule_search_max_age_days", help=age_help)
    strict_help = "Only clips whose education and context are both at least 0.9 come to the desk."
    st.checkbox(LABELS["is_strict"], key="rule_is_strict", help=strict_help)


def draw_who(app: App) -> None:
    """Every change of a setting, newest first."""
    changes = app.settings.history()
    if not changes:
        page.note("Nothing was changed yet.")
        return
    rows = [[moment(change.set_at), change.actor, *_words(change)] for change in changes]
    heads = [("When", "nowrap"), ("Who", "nowrap"), ("What", "ink"), ("To", "num")]
    show(table(heads, rows, label="Changes of settings", widths="110px 100px 210px 130px"))


def _words(change: SettingsChange) -> tuple[str, str]:
    """What was changed, and to what; of a key only that it was."""
    value: Any = change.value
    if change.name == "key_changes" and isinstance(value, dict):
        return _label(value.get("variable", "")), str(value.get("did", ""))
    if change.name == "key_tests" and isinstance(value, dict) and value:
        variable = max(value, key=lambda name: str(value[name].get("at", "")))
        return f"{_label(variable)}, test", str(value[variable].get("word", ""))
    if change.name == "prices" and isinstance(value, list):
        models = [str(row.get("model", "")) for row in value if isinstance(row, dict)]
        return "Prices", f"{models[-1]}, {len(models)} in all" if len(models) > 1 else "".join(models) or "as listed"
    return LABELS.get(change.name, change.name), said(value)


def _label(variable: str) -> str:
    return BY_VARIABLE[variable].label if variable in BY_VARIABLE else variable
