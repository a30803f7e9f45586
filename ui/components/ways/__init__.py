"""Makes links inside `st.html` change the page at once, as the menu does; without it they are ordinary links."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer

HERE = Path(__file__).parent


@cache
def _component() -> ComponentRenderer:
    return st.components.v2.component("ways", html="<span></span>", js=(HERE / "ways.js").read_text(encoding="utf-8"))


def followed_way() -> tuple[str, dict[str, str]] | None:
    """Mount it. Returns: (page, query) when a link was followed in this run of the script, else None."""
    result = _component()(key="wr-ways", on_way_change=_nothing, height=1)
    way = getattr(result, "way", None)
    if not way:
        return None
    return str(way["name"]), {str(name): str(value) for name, value in way["query"].items()}


def _nothing() -> None:
    return None
