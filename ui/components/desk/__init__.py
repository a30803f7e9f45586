"""The review desk as one Streamlit component: playback, word highlight, keys, queue and saving live in the browser.

Streamlit takes one HTML, one CSS and one JavaScript string. The JavaScript is kept in small ES modules, so that
`node --test` can import each; `joined_javascript` puts them into one module. `contract.js` writes down what the desk
and the HTTP API say to each other; it holds types only and is not sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer

HERE = Path(__file__).parent

#: Each file after those that it imports.
MODULES = (
    "dom.js",
    "keys.js",
    "karaoke.js",
    "targets.js",
    "queue.js",
    "saving.js",
    "compare.js",
    "theme.js",
    "api.js",
    "decisions.js",
    "transcript.js",
    "waveform.js",
    "player.js",
    "rail.js",
    "card.js",
    "bar.js",
    "panels.js",
    "keyboard.js",
    "showing.js",
    "desk.js",
)

_IMPORT = re.compile(r"^import [^;]*?;\n", re.MULTILINE)
_EXPORT = re.compile(r"^export (?!default\b)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class DeskData:
    """What the page tells the desk when it mounts it; everything else the desk reads from the API."""

    api_base: str = "/api"
    """Where the HTTP API is, without a slash at the end."""
    has_decided: bool = False
    """Whether anybody ever decided in this workspace; the first start greets only where nobody has."""
    filters: Mapping[str, str] = field(default_factory=dict)
    """Filters of the first read: `bundle`, `min_score`, `order`, `want`. What the curator chose last stands above them."""
    links: Mapping[str, str] = field(default_factory=dict)
    """Addresses of pages: `coverage`, `discover`, `library`, `settings`, `vocabulary`, `demo`."""

    def as_json(self) -> dict[str, object]:
        """The component's `data`."""
        return {"api_base": self.api_base, "has_decided": self.has_decided, "filters": dict(self.filters), "links": dict(self.links)}


@cache
def joined_javascript() -> str:
    """One ES module out of all: imports between them and the word `export` are dropped, the default export stays."""
    parts = []
    for name in MODULES:
        text = (HERE / name).read_text(encoding="utf-8")
        parts.append(f"// {name}\n" + _EXPORT.sub("", _IMPORT.sub("", text)))
    return "\n".join(parts)


@cache
def _component() -> ComponentRenderer:
    import streamlit as st

    return st.components.v2.component(
        "desk",
        html=(HERE / "desk.html").read_text(encoding="utf-8"),
        css=(HERE / "desk.css").read_text(encoding="utf-8"),
        js=joined_javascript(),
    )


def desk(*, key: str, data: DeskData, height: Literal["content", "stretch"] | int = "content") -> None:
    """Mount the desk. It talks to the API by itself; nothing comes back to the script."""
    _component()(key=key, data=data.as_json(), height=height)
