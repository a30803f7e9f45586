"""The word map: one square a word, most useful first, in the one ramp of words' states."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from ui.parts.markup import Markup, div, el, link, show, span

if TYPE_CHECKING:
    from core.services.coverage import WordCoverage

MAX_SQUARES = 6000
"""More would make the page slow; the table of gaps has them all."""
MAX_SQUARE_PX = 22
NAMES = {"exported": "Live", "approved": "Approved", "in_review": "In review", "proposed": "Proposed", "none": "No clip"}


def draw_map(words: Sequence[WordCoverage], proposed_ids: Collection[int], *, is_demo: bool) -> None:
    """Draw the squares column by column; each leads to its word."""
    states = [_state(word, proposed_ids) for word in words]
    counts = Counter(states)
    legend = [
        el("span", el("b", cls=f"q-{name}"), f"{label} ", el("em", f"{counts[name]:,}"), cls="wr-key") for name, label in NAMES.items()
    ]
    head = el("h2", "Word map", el("small", "one square a word, most useful first"), cls="wr-section")
    shown = list(zip(words, states, strict=True))[:MAX_SQUARES]
    n_columns = n_columns_for(len(shown))
    n_rows = max(1, -(-len(shown) // n_columns))
    squares = [
        _square(word, name, is_demo=is_demo, is_left=place // n_rows > n_columns * 0.7 and n_columns > 30)
        for place, (word, name) in enumerate(shown)
    ]
    style = (
        f"grid-template-rows:repeat({n_rows},auto);grid-template-columns:repeat({n_columns},1fr);max-width:{n_columns * MAX_SQUARE_PX}px"
    )
    show(
        div(head, div(*legend, cls="wr-legend"), cls="wr-maphead"),
        div(*squares, cls="wr-map dense" if n_columns > 100 else "wr-map", style=style),
        span(f"The {MAX_SQUARES:,} most useful of {len(words):,} words.", "wr-note") if len(words) > MAX_SQUARES else None,
    )


def n_columns_for(n_words: int) -> int:
    """Columns of a map that is some eight times as wide as high; few words make few, large squares."""
    return max(16, min(170, round(math.sqrt(8.5 * max(1, n_words)))))


def _state(word: WordCoverage, proposed_ids: Collection[int]) -> str:
    if word.state == "live":
        return "exported"
    if word.state in ("approved", "in_review"):
        return word.state
    return "proposed" if word.word_id in proposed_ids else "none"


def _square(word: WordCoverage, name: str, *, is_demo: bool, is_left: bool) -> Markup:
    about = word.why or f"{word.n_approved} approved, {word.n_in_review} in review, {word.n_live} live"
    tip = f"{word.word}, rank {word.rank + 1}\n{NAMES[name]}. {about}"
    square = link("", "/coverage", cls=f"q-{name} left" if is_left else f"q-{name}", word=word.word, demo="1" if is_demo else "")
    label = el("x", aria_label=tip, data_tip=tip)[2 : -len("></x>")]
    return Markup(square.replace("<a", f"<a{label}", 1))
