"""What every page begins with: its style, its title row, and the box that an error gets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.errors import WordreelError
from ui.parts import style
from ui.parts.markup import Markup, div, el, icon, show
from ui.parts.ways import follow

HERE = Path(__file__).parent
ADDED = {
    "light": {
        "canvas": "#FFFFFF", "line-2": "#CBD0D8", "ok-tint": "#E4F4EB", "bad-tint": "#FDEBE9", "warn-tint": "#FFF2DA",
        "none-edge": "#7B8391", "proposed": "#C3D0FA", "in-review": "#8CA5F4", "approved": "#2F5BEA", "exported": "#1B357F",
        "c1": "#2F5BEA", "c2": "#D08022", "c3": "#0A9B98", "c4": "#5E0F33", "c5": "#0B4A6B", "c6": "#7A5B01",
    },
    "dark": {
        "canvas": "#17191D", "line-2": "#3E444E", "ok-tint": "#14301F", "bad-tint": "#3A1B19", "warn-tint": "#33260F",
        "none-edge": "#7B8391", "proposed": "#33427A", "in-review": "#4B63C4", "approved": "#8AA0FF", "exported": "#D3DCFF",
        "c1": "#7F97FF", "c2": "#D9822B", "c3": "#9BEFEA", "c4": "#EDA0B6", "c5": "#3A7CA5", "c6": "#EFE17F",
    },
}  # fmt: skip
"""What the pages need beside the tokens of `ui/parts/style.py`: tints, the ramp of words' states, the categorical colours."""
TOKENS = {name: {**tokens, **ADDED[name]} for name, tokens in style.TOKENS.items()}


@cache
def _sheet() -> str:
    return (HERE / "pages.css").read_text(encoding="utf-8")


def theme() -> str:
    """`light` or `dark`, as the browser shows it."""
    return "dark" if st.context.theme.type == "dark" else "light"


def token(name: str) -> str:
    """One colour of the present theme, for charts."""
    return TOKENS[theme()][name]


def begin() -> None:
    """The page's style block, and its links; to be called first."""
    tokens = "".join(f"--wordreel-{name}:{value};" for name, value in TOKENS[theme()].items())
    st.html(f"<style>:root{{{tokens}}}\n{_sheet()}</style>")
    follow()


@contextmanager
def head(title: str, about: Markup | str = "") -> Iterator[tuple[DeltaGenerator, DeltaGenerator]]:
    """The title row. Yields (beside the title, actions at the right)."""
    with st.container(horizontal=True, vertical_alignment="center", key="wr-head", gap="small", wrap=True):
        show(el("h1", title, cls="wr-title"), width="content")
        beside = st.container(horizontal=True, vertical_alignment="center", gap="small", width="content", key="wr-beside")
        if about:
            with beside:
                show(div(about, cls="wr-about"), width="content")
        actions = st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center", gap="small", key="wr-actions")
        yield beside, actions


def section(title: str, about: object = "") -> None:
    """A section's head: 15/20, with what it is about in second text."""
    show(el("h2", title, el("small", about) if about else None, cls="wr-section"))


def empty(name: str, says: str, about: str = "") -> None:
    """What is true where there is nothing yet."""
    show(div(icon(name), el("strong", says), el("span", about) if about else None, cls="wr-empty"))


def note(text: object, name: str = "", colour: str = "") -> None:
    """A line of second text."""
    show(div(icon(name) if name else None, text, cls=f"wr-note {colour}".strip()))


def error_box(error: WordreelError) -> None:
    """What happened, to which thing, and what to do."""
    show(div(icon("error"), div(el("strong", error.message), el("span", error.hint) if error.hint else None), cls="wr-error", role="alert"))


@contextmanager
def shown_errors() -> Iterator[None]:
    """An error of ours becomes a box on the page; a bug goes on to Streamlit and the log."""
    try:
        yield
    except WordreelError as error:
        error_box(error)


def say_after_rerun(text: str) -> None:
    """Show this once the page was drawn again."""
    st.session_state["wr_said"] = text


def said() -> None:
    """What the last action did, once."""
    text = st.session_state.pop("wr_said", "")
    if text:
        show(div(icon("check_circle"), text, cls="wr-said", role="status"))
