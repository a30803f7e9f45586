"""Ways from page to page: by a link that can be copied, or at once from a button."""

from __future__ import annotations

from typing import NoReturn

import streamlit as st

from ui.components.ways import followed_way
from ui.parts.markup import Markup, link


def word_link(word: str, *, is_demo: bool = False) -> Markup:
    """A word that leads to its page; the demo's words have pages of their own."""
    return link(word, "/coverage", cls="wr-word", word=word, demo="1" if is_demo else "")


def go(name: str, **query: str) -> NoReturn:
    """Show another page. The page is found by its address, as `st.navigation` registered it."""
    st.switch_page(st.Page(_nothing, title=name, url_path=name), query_params=query)


def follow(here: str) -> None:
    """Go where a link of the page pointed, if one was followed; `here` is this page's name."""
    way = followed_way()
    if way is None:
        return
    name, query = way
    if name in (here, ""):
        st.query_params.from_dict(query)
        st.rerun()
    go(name, **query)


def _nothing() -> None:
    raise AssertionError("The page of this address is drawn, not this.")
