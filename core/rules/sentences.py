"""Sentences of a transcript, and where a clip around a word begins and ends."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from core.model.transcripts import WordTiming
from core.timing import Span

LONG_PAUSE_S = 1.2
"""A pause that ends a sentence whatever the text says."""

CUE_PAUSE_S = 0.5
"""A pause that ends a sentence at the end of a caption."""

LEAD_S = 0.2
TAIL_S = 0.3
CUT_REACH_S = 0.6
"""A scene cut this near to the first or last word becomes the clip's bound, so that no picture flashes by."""

CONTEXT_S = 2.5
"""A shorter clip gets a neighbouring sentence, so that the word has some context."""

MAX_NEIGHBOUR_GAP_S = 2.0

_TERMINAL = re.compile(r"[.!?。！？…]+[\"'”’)\]»]*$")
_CLAUSE = re.compile(r"[,;:—–-]+[\"'”’)\]»]*$")
_ABBREVIATIONS = frozenset(
    {
        "mr.",
        "mrs.",
        "ms.",
        "dr.",
        "st.",
        "prof.",
        "sr.",
        "jr.",
        "vs.",
        "etc.",
        "e.g.",
        "i.e.",
        "no.",
        "lt.",
        "col.",
        "gen.",
        "sgt.",
        "capt.",
    }
)


def split_sentences(words: Sequence[WordTiming], cue_ends_s: Collection[float] = ()) -> tuple[tuple[int, int], ...]:
    """Half-open ranges of indices that cover all the words, in order; none for no words.

    A sentence ends at `.`, `!` or `?` (not at an abbreviation or an initial, nor at an ellipsis that goes on in lower case), at a
    long pause, and at a shorter one where a caption ends.

    Args:
        words: of one transcript, in order.
        cue_ends_s: when captions end.
    """
    ends = [index + 1 for index in range(len(words) - 1) if _is_end(words, index, cue_ends_s)]
    bounds = [0, *ends, len(words)] if words else []
    return tuple((first, end) for first, end in zip(bounds, bounds[1:], strict=False))  # noqa: RUF007


def _is_end(words: Sequence[WordTiming], index: int, cue_ends_s: Collection[float]) -> bool:
    word, later = words[index], words[index + 1]
    gap_s = later.start_s - word.end_s
    if gap_s >= LONG_PAUSE_S:
        return True
    if _TERMINAL.search(word.text):
        bare = word.text.casefold().lstrip("\"'“‘([")
        is_short_form = bare in _ABBREVIATIONS or re.fullmatch(r"(?:[^\W\d_]\.)+", bare) is not None
        goes_on = later.text.lstrip("\"'“‘([")[:1].islower() and re.search(r"(?:…|\.\.+)[\"'”’)\]]*$", word.text) is not None
        return not (is_short_form or goes_on)
    return gap_s >= CUE_PAUSE_S and any(word.start_s < end_s <= later.start_s + 0.05 for end_s in cue_ends_s)


def clip_bounds(
    words: Sequence[WordTiming],
    sentences: Sequence[tuple[int, int]],
    occurrence_index: int,
    *,
    scene_cuts_s: Sequence[float] = (),
    min_s: float = 1.0,
    max_s: float = 15.0,
    media_end_s: float = float("inf"),
) -> Span:
    """Where to cut a clip that teaches the word at `occurrence_index`: whole sentences where they fit, never through a word.

    A sentence longer than `max_s` is cut at clauses and pauses. Bounds lie in the silence around the words, at a scene cut where
    one is near. Words must be in order and not overlap (`word_timing.repair_order`). Only a single word longer than `max_s`
    is cut.
    """
    first, end = next((low, high) for low, high in sentences if low <= occurrence_index < high)
    if words[end - 1].end_s - words[first].start_s > max_s:
        first, end = _fit_clauses(words, first, end, occurrence_index, max_s)
    else:
        first, end = _with_context(words, sentences, first, end, max_s)
    room = Span(
        words[first - 1].end_s if first else 0.0, words[end].start_s if end < len(words) else max(media_end_s, words[end - 1].end_s)
    )
    start_s, end_s = _padded(words, first, end, room)
    start_s, end_s = _at_cuts(Span(start_s, end_s), words[first].start_s, words[end - 1].end_s, scene_cuts_s, room)
    missing_s = min_s - (end_s - start_s)
    if missing_s > 0:
        end_s = min(max(room.end_s, end_s), end_s + missing_s)
        start_s = max(min(room.start_s, start_s), end_s - min_s)
    return _shrunk(start_s, end_s, words[first].start_s, words[end - 1].end_s, max_s)


def _padded(words: Sequence[WordTiming], first: int, end: int, room: Span) -> tuple[float, float]:
    """Half of the silence to the neighbouring words, but no more than a breath."""
    before_s, after_s = words[first].start_s - room.start_s, room.end_s - words[end - 1].end_s
    lead_s = min(LEAD_S, before_s if first == 0 else before_s / 2)
    tail_s = min(TAIL_S, after_s if end == len(words) else after_s / 2)
    return words[first].start_s - max(0.0, lead_s), words[end - 1].end_s + max(0.0, tail_s)


def _at_cuts(span: Span, first_s: float, last_s: float, cuts_s: Sequence[float], room: Span) -> tuple[float, float]:
    before = [cut for cut in cuts_s if max(room.start_s, first_s - CUT_REACH_S) <= cut <= first_s]
    after = [cut for cut in cuts_s if last_s <= cut <= min(room.end_s, last_s + CUT_REACH_S)]
    return max(before, default=span.start_s), min(after, default=span.end_s)


def _shrunk(start_s: float, end_s: float, first_s: float, last_s: float, max_s: float) -> Span:
    """Take from the silence at the ends what is over `max_s`."""
    over_s = max(0.0, end_s - start_s - max_s)
    tail_s = min(over_s, max(0.0, end_s - last_s))
    end_s -= tail_s
    start_s += min(over_s - tail_s, max(0.0, first_s - start_s))
    return Span(start_s, min(end_s, start_s + max_s))


def _with_context(words: Sequence[WordTiming], sentences: Sequence[tuple[int, int]], first: int, end: int, max_s: float) -> tuple[int, int]:
    """Add neighbouring sentences, the nearer first, while the clip is too short for context and they fit."""
    while words[end - 1].end_s - words[first].start_s < CONTEXT_S:
        choices = []
        before = next((low for low, high in sentences if high == first), None)
        if before is not None:
            choices.append((words[first].start_s - words[first - 1].end_s, before, end))
        after = next((high for low, high in sentences if low == end), None)
        if after is not None:
            choices.append((words[end].start_s - words[end - 1].end_s, first, after))
        fitting = [
            (gap_s, low, high)
            for gap_s, low, high in choices
            if gap_s <= MAX_NEIGHBOUR_GAP_S and words[high - 1].end_s - words[low].start_s <= max_s
        ]
        if not fitting:
            break
        _, first, end = min(fitting)
    return first, end


def _fit_clauses(words: Sequence[WordTiming], first: int, end: int, occurrence: int, max_s: float) -> tuple[int, int]:
    """The longest run of whole clauses around the word that fits; single words where even a clause is too long."""
    for breaks in (
        [index for index in range(first + 1, end) if _is_clause_end(words, index - 1)],
        list(range(first + 1, end)),
    ):
        bounds = [first, *breaks, end]
        runs = [
            (words[high - 1].end_s - words[low].start_s, low, high)
            for low in bounds
            for high in bounds
            if low <= occurrence < high and words[high - 1].end_s - words[low].start_s <= max_s
        ]
        if runs:
            _, low, high = max(runs)
            return low, high
    return occurrence, occurrence + 1


def _is_clause_end(words: Sequence[WordTiming], index: int) -> bool:
    return _CLAUSE.search(words[index].text) is not None or words[index + 1].start_s - words[index].end_s >= 0.35
