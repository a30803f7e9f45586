"""The pages, listed once: where each stands in the menu, its icon, its address, and what draws it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from streamlit.navigation.page import StreamlitPage

    from core.wiring import App


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the menu."""

    section: str
    title: str
    icon: str
    name: str
    """Of the module in `ui/views` and of the address."""


ENTRIES = (
    Entry("Lessons", "Discover", ":material/travel_explore:", "discover"),
    Entry("Lessons", "Review", ":material/play_circle:", "review"),
    Entry("Lessons", "Coverage", ":material/grid_view:", "coverage"),
    Entry("Lessons", "Export", ":material/cloud_upload:", "export"),
    Entry("Films", "Library", ":material/video_library:", "library"),
    Entry("System", "Settings", ":material/settings:", "settings"),
)


def menu(app: App, *, n_waiting: int) -> dict[str, list[StreamlitPage]]:
    """The pages by section. The bare address leads to Review when clips wait, else to Discover; every page keeps its own."""
    sections: dict[str, list[StreamlitPage]] = {}
    pages: dict[str, StreamlitPage] = {}
    for entry in ENTRIES:
        title = f"Review :gray[{n_waiting}]" if entry.name == "review" and n_waiting else entry.title
        pages[entry.name] = st.Page(partial(_draw, entry.name, app), title=title, icon=entry.icon, url_path=entry.name)
        sections.setdefault(entry.section, []).append(pages[entry.name])
    first = pages["review" if n_waiting else "discover"]
    home = st.Page(partial(st.switch_page, first), title="Wordreel", url_path="home", default=True, visibility="hidden")
    sections[ENTRIES[0].section].insert(0, home)
    return sections


def _draw(name: str, app: App) -> None:
    render: Callable[[App], None] = import_module(f"ui.views.{name}").render
    render(app)
