"""The rules that people change: each saved as an event with who and when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from core.errors import WordreelError
from ui.cli.session import actor
from ui.parts import page
from ui.parts.figures import moment
from ui.parts.markup import show, table

if TYPE_CHECKING:
    from core.wiring import App

RULES = ("want", "min_score", "is_strict")
LABELS = {
    "want": "Clips wanted a word",
    "min_score": "Least relevance for the desk",
    "is_strict": "Strict legacy rule",
    "demo_removed": "Demo removed",
    "library_paths": "Folders of films",
}


def draw_rules(app: App) -> None:
    """The fields; what differs from what is saved counts as a change."""
    page.section("Rules", "applied when reading, so that changing one repays nothing")
    want, least = st.columns(2, gap="medium")
    with want:
        st.number_input(
            LABELS["want"],
            1,
            20,
            value=int(app.settings.get("want")),
            key="rule_want",
            help="Approved ones, those in review and live ones count.",
        )
    with least:
        value = float(app.settings.get("min_score"))
        st.number_input(
            LABELS["min_score"],
            0.0,
            1.0,
            value=value,
            step=0.05,
            format="%.2f",
            key="rule_min_score",
            help="Tests relevance. A run keeps the rule it began with.",
        )
    strict_help = "Only clips whose education and context are both at least 0.9 come to the desk."
    st.checkbox(LABELS["is_strict"], value=bool(app.settings.get("is_strict")), key="rule_is_strict", help=strict_help)


def draw_save(app: App) -> None:
    """The one filled button; it says how many changes it saves."""
    changes = _changes(app)
    n = len(changes)
    label = f"Save {n} {'change' if n == 1 else 'changes'}" if n else "Saved"
    if st.button(label, type="primary", disabled=not n, key="save"):
        try:
            for name, value in changes.items():
                app.settings.set(name, value, actor=actor())
        except WordreelError as error:
            page.error_box(error)
            return
        page.say_after_rerun(f"Saved: {', '.join(f'{LABELS[name].lower()} {value}' for name, value in changes.items())}.")
        st.rerun()


def _changes(app: App) -> dict[str, Any]:
    """Rule → its value in the fields, where that is not what is saved."""
    given = {name: st.session_state[f"rule_{name}"] for name in RULES if f"rule_{name}" in st.session_state}
    return {name: value for name, value in given.items() if value != app.settings.get(name)}


def draw_who(app: App) -> None:
    """Every change of a setting, newest first."""
    changes = app.settings.history()
    if not changes:
        page.note("Nothing was changed yet.")
        return
    rows = [[moment(change.set_at), change.actor, LABELS.get(change.name, change.name), str(change.value)] for change in changes]
    show(
        table(
            [("When", "nowrap"), ("Who", "nowrap"), ("What", "ink"), ("To", "num")],
            rows,
            label="Changes of settings",
            widths="110px 100px 220px 80px",
        )
    )
