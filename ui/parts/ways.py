"""Ways from page to page: links, some of which look like buttons. The browser changes the page, as it does for the menu.

Nothing here calls `st.switch_page` (Streamlit 1.67): between that call and the new page's first word to the browser, a fragment
with `run_every` of the old page may ask for its turn. That turn runs after the new page, in the old page's name, and the browser
then clears all that is shown and shows nothing. Where the browser itself changes the page, it stops those timers first.
"""

from __future__ import annotations

import streamlit as st

from ui.components.ways import followed_query
from ui.parts.markup import Markup, icon, join, link, show, span


def word_link(word: str, *, is_demo: bool = False) -> Markup:
    """A word that leads to its page; the demo's words have pages of their own."""
    return link(word, "/coverage", cls="wr-word", word=word, demo="1" if is_demo else "")


def way_button(
    text: str, path: str, *, icon_name: str = "", is_icon_last: bool = False, is_main: bool = False, is_wide: bool = False, **query: object
) -> None:
    """Draw a link to one of our pages that looks like a button. `is_wide`: as wide as what it stands in."""
    parts: list[Markup] = [icon(icon_name)] if icon_name else []
    parts.insert(0 if is_icon_last else len(parts), span(text))
    cls = " ".join(filter(None, ["wr-button", "main" if is_main else "", "wide" if is_wide else ""]))
    show(link(join(parts), path, cls=cls, **query), width="stretch" if is_wide else "content")


def follow() -> None:
    """Show what a link to this same page pointed at, if one was followed."""
    query = followed_query()
    if query is not None:
        st.query_params.from_dict(query)
        st.rerun()
