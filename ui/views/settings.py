"""Settings: what is in use and what is stored where."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from core.wiring import App


def render(app: App) -> None:
    """Draw the page."""
    st.title("Settings")
    for provider in app.providers():
        st.text(f"{provider.name}: {provider.uses}. {provider.why} {provider.better}")
    st.text(f"Workspace: {app.config.home_path}")
