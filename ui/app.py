"""What Streamlit runs for every page: the frame, the menu, and the page that was asked for."""

from __future__ import annotations

import streamlit as st

from core.config import ROOT_PATH
from ui.parts.context import current_app
from ui.parts.foot import draw_page_foot, draw_sidebar_foot
from ui.parts.menu import menu
from ui.parts.style import draw_style

STATIC = ROOT_PATH / "ui" / "static"


def draw() -> None:
    """Draw one page."""
    app = current_app()
    st.set_page_config(page_title="Wordreel", page_icon=str(STATIC / "mark.svg"), layout="wide", initial_sidebar_state=208)
    is_dark = st.context.theme.type == "dark"
    st.logo(str(STATIC / ("logo-dark.svg" if is_dark else "logo-light.svg")), icon_image=str(STATIC / "mark.svg"))
    draw_style()
    page = st.navigation(menu(app, n_waiting=app.review.n_waiting()))
    if page.url_path:  # the bare address only leads on; no timer may run there, see `ui/parts/ways.py`
        with st.sidebar:
            draw_sidebar_foot(app)
    page.run()
    if page.url_path != "review" and not page.title.startswith("Review"):
        draw_page_foot(app)


draw()
