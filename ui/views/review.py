"""Review: the desk. Playback, keys, queue and saving live in the component; it reads the API by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from ui.components.desk import DeskData, desk

if TYPE_CHECKING:
    from core.wiring import App

LINKS = {
    "coverage": "coverage",
    "discover": "discover",
    "library": "library",
    "settings": "settings",
    "vocabulary": "discover",
    "demo": "settings",
}


def render(app: App) -> None:
    """Mount the desk over the whole page."""
    st.html('<span class="wordreel-desk-page"></span>')
    filters = {"bundle": str(st.query_params["bundle"])} if "bundle" in st.query_params else {}
    data = DeskData(has_decided=app.review.has_decided(), filters=filters, links={name: f"/{path}" for name, path in LINKS.items()})
    desk(key="desk", data=data, height="content")
