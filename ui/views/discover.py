"""Discover: choosing words for a run, and following one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from ui.parts import page
from ui.parts.discover_new import draw_new_run
from ui.parts.discover_run import draw_run

if TYPE_CHECKING:
    from core.wiring import App

NEW = "new"


def render(app: App) -> None:
    """Draw the page: the run that the address names, else the newest; `?gaps=NAME` and `?run=new` open the plan."""
    page.begin()
    runs = app.discovery.runs()
    asked = st.query_params.get("run", "")
    is_new = asked == NEW or not runs or "gaps" in st.query_params or "bundle" in st.query_params
    if is_new:
        draw_new_run(app, runs)
        return
    with page.shown_errors():
        run = app.discovery.run(asked) if asked else runs[0]
        draw_run(app, run.run_id, runs)
