"""Export: what would be sent, and what was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from core.wiring import App


def render(app: App) -> None:
    """Draw the page."""
    st.title("Export")
    preview = app.exports.preview()
    st.text(f"{preview.n_clips} clips with {preview.n_words} words would go to {preview.target}.")
