"""Discover: choosing words and following runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from core.wiring import App


def render(app: App) -> None:
    """Draw the page."""
    st.title("Discover")
    runs = app.discovery.runs()
    if not runs:
        st.write("No run yet. Choose words and see what it costs before anything is spent.")
    for run in runs:
        words = app.discovery.summary(run.run_id).words
        st.text(f"Run {run.number}, {run.name}: {run.status}, {words['done']} of {words['total']} words done")
