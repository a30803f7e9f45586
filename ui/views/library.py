"""Library: the user's own films."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from core.wiring import App


def render(app: App) -> None:
    """Draw the page."""
    st.title("Library")
    cards = app.library.films()
    if not cards:
        st.write("No film yet.")
    for card in cards:
        st.text(f"{card.film.title}: {card.film.state}, {card.n_words} words from {card.engine}")
