"""Word: the clips of one word. Reached from Coverage (`/coverage?word=…`) and by a page of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from ui.parts import page
from ui.parts.word_page import draw_word

if TYPE_CHECKING:
    from core.wiring import App


def render(app: App) -> None:
    """Draw the page of the word that the address names."""
    page.begin()
    draw_word(app, st.query_params.get("word", ""))
