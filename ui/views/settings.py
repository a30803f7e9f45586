"""Settings: what is in use and why, the rules, the targets, what is stored where, and the backups."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from ui.parts import page
from ui.parts.settings_doctor import ask_doctor, draw_doctor
from ui.parts.settings_fields import draw_marks, draw_save, sync
from ui.parts.settings_keys import draw_keys
from ui.parts.settings_plan import draw_plan
from ui.parts.settings_prices import draw_prices
from ui.parts.settings_provider import draw_providers, draw_targets
from ui.parts.settings_rules import draw_rules, draw_who
from ui.parts.settings_storage import draw_backups, draw_demo, draw_disk

if TYPE_CHECKING:
    from core.wiring import App


def render(app: App) -> None:
    """Draw the page."""
    page.begin()
    sync(app)
    draw_marks(app)
    with page.head("Settings", "Changes count from the next run. A run that has started keeps its own.") as (_, actions), actions:
        with st.popover("Who changed what", icon=":material/history:"):
            draw_who(app)
        ask_doctor()
        draw_save(app)
    page.said()
    draw_doctor()
    with page.shown_errors():
        with st.container(key="wr-settings"):
            left, right = st.columns([0.57, 0.43], gap="large")
        with left:
            draw_providers(app)
            draw_keys(app)
            draw_rules()
            draw_backups(app)
        with right:
            draw_prices(app)
            draw_plan(app)
            draw_targets(app)
            draw_disk(app)
            draw_demo(app)
