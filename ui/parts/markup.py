"""HTML for the parts that Streamlit has no widget for: every text and every attribute is escaped, without exception.

Markdown is not used for anything that comes from a film, a list or a person: `<script>` and `[x](javascript:…)` are text here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from urllib.parse import urlencode

import streamlit as st

LINKS = ("/", "?", "#")
"""An address in `href` or `src` is one of our own."""
VOID = frozenset({"img", "br", "hr", "source"})


class Markup(str):
    """HTML that `el` made. Anything else is text."""

    __slots__ = ()


def el(name: str, *children: object, **attributes: object) -> Markup:
    """One element. Children that are no Markup are escaped; `cls` is `class`, `data_x` is `data-x`, None leaves an attribute out.

    Raises: ValueError for an address that leaves this server.
    """
    parts = [name]
    for key, value in attributes.items():
        if value is None:
            continue
        key = {"cls": "class"}.get(key, key.replace("_", "-"))
        text = str(value)
        if key in ("href", "src", "poster") and (not text.startswith(LINKS) or text.startswith(("//", "/\\"))):
            raise ValueError(f"{text!r} is no address of this server.")
        parts.append(f'{key}="{escape(text)}"')
    opened = "<" + " ".join(parts) + ">"
    return Markup(opened if name in VOID else f"{opened}{join(children)}</{name}>")


def join(children: Iterable[object]) -> Markup:
    """Children one after another, texts escaped, None left out."""
    return Markup("".join(child if isinstance(child, Markup) else escape(str(child)) for child in children if child is not None))


def show(*children: object, width: int | str = "stretch") -> None:
    """Put it on the page."""
    st.html(str(join(children)), width=width)  # type: ignore[arg-type]


def span(text: object, cls: str = "", **attributes: object) -> Markup:
    return el("span", text, cls=cls or None, **attributes)


def div(*children: object, cls: str = "", **attributes: object) -> Markup:
    return el("div", *children, cls=cls or None, **attributes)


def icon(name: str, colour: str = "", label: str = "") -> Markup:
    """A Material Symbol; without a label it only goes with the word beside it."""
    return el(
        "i",
        name,
        cls=f"wr-icon {colour}".strip(),
        aria_hidden=None if label else "true",
        role="img" if label else None,
        aria_label=label or None,
    )


def state(name: str, word: object, colour: str = "") -> Markup:
    """An icon with its word: the form of every state."""
    return el("span", icon(name), span(word), cls=f"wr-state {colour}".strip())


def chip(name: str, word: object, colour: str = "") -> Markup:
    """A tinted tag with its icon."""
    return el("span", icon(name) if name else None, span(word), cls=f"wr-chip {colour}".strip())


def pips(n_filled: int, n_all: int, words: str = "") -> Markup:
    """The small squares of one word's coverage, with the figure beside them."""
    squares = [el("b", cls="on" if place < n_filled else None) for place in range(max(n_all, 0))]
    return el("span", el("span", *squares, cls="wr-pips", aria_hidden="true"), words or f"{n_filled} of {n_all}", cls="wr-pipline")


def meter(share: float, colour: str = "") -> Markup:
    """A bar of 0–1 that starts at zero. The figure stands beside it, so that the bar is hidden from readers."""
    width = f"width:{max(0.0, min(1.0, share)) * 100:.2f}%"
    return el("span", el("b", style=width, cls=colour or None), cls="wr-meter", aria_hidden="true")


def link(text: object, path: str, cls: str = "wr-link", **query: object) -> Markup:
    """A link to one of our pages."""
    wanted = {key: value for key, value in query.items() if value not in (None, "")}
    return el("a", text, href=f"{path}?{urlencode(wanted)}" if wanted else path, target="_self", cls=cls)


def table(
    heads: Sequence[tuple[str, str]], rows: Iterable[Sequence[object]], *, label: str, widths: str = "", marked: int | None = None
) -> Markup:
    """A table of 34 px rows.

    Args:
        heads: (words, class) of each column; the class goes to its cells too (`num`, `strong`, `dim`, `mono`, `cut`).
        label: what it lists, for readers.
        widths: CSS widths of the columns, separated by blanks; empty leaves them to the browser.
        marked: the row that is selected.
    """
    columns = [el("col", style=f"width:{width}") for width in widths.split()]
    head = el("tr", *[el("th", words, cls=cls or None, scope="col") for words, cls in heads])
    body = [
        el(
            "tr",
            *[el("td", cell, cls=cls or None) for cell, (_, cls) in zip(row, heads, strict=True)],
            cls="on" if place == marked else None,
        )
        for place, row in enumerate(rows)
    ]
    group = Markup("".join(columns).replace("</col>", ""))
    return el(
        "table",
        el("colgroup", group) if columns else None,
        el("thead", head),
        el("tbody", *body),
        cls="wr-table" if marked is None else "wr-table marked",
        aria_label=label,
    )


def facts(pairs: Mapping[str, object], cls: str = "") -> Markup:
    """Names at the left, figures at the right, a hairline between."""
    rows = [div(span(name, "name"), span(value, "value")) for name, value in pairs.items()]
    return div(*rows, cls=f"wr-facts {cls}".strip())
