"""On a first start: how far the demo is, until the page has something to show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from ui.parts.markup import div, el, icon, show, span
from ui.parts.redrawn import redrawn

if TYPE_CHECKING:
    from core.wiring import App

EVERY_S = 1.0


def draw_demo_note(app: App) -> None:
    """One line while the demo is made; when it is ready the page is drawn anew. Otherwise nothing."""
    if app.demo.state().state == "making":
        redrawn(_draw, EVERY_S, app)


def _draw(app: App) -> None:
    demo = app.demo.state()
    if demo.state != "making":
        st.rerun()
    says = el("strong", f"{demo.detail or 'Making demo clips'} …")
    show(
        div(
            icon("science"),
            div(says, span("Demo clips are made on this machine in half a minute. Nothing leaves it.")),
            cls="wr-line",
            role="status",
        )
    )
