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


def followed_query() -> dict[str, str] | None:
    """Mount it. Returns: the query of a link to this same page that was followed in this run of the script, else None.

    A link to another page never comes here: the browser goes there by itself.
    """
    result = _component()(key="wr-ways", on_way_change=_nothing, height=1)
    way = getattr(result, "way", None)
    return {str(name): str(value) for name, value in way["query"].items()} if way else None


def _nothing() -> None:
    return None
