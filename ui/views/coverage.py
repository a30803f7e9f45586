"""Coverage: how well each bundle is covered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from core.wiring import App


def render(app: App) -> None:
    """Draw the page."""
    st.title("Coverage")
    found = app.coverage.bundles()
    rows = [{"Bundle": row.bundle, "Words": row.words, "1 clip": row.approved[1], "3 clips": row.approved[3], "Live": row.live} for row in found]
    if not rows:
        st.write("No bundle yet. Import a word list first.")
    else:
        st.dataframe(rows, hide_index=True)
