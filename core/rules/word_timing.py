"""Times of words: spreading them over a caption, the windows in which they are aligned, and what looks wrong with them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from core.model.transcripts import Cue, TimedBy, WordTiming
from core.timing import Span

NO_SOUND = "no_sound"
TOO_LONG = "too_long"
TOO_SHORT = "too_short"
OUT_OF_ORDER = "out_of_order"

MIN_SYLLABLE_S = 0.045
"""A syllable that is said in less is not said: the fastest talkers reach about 10 syllables a second."""

MAX_WORD_S = 1.6
MAX_SYLLABLE_S = 0.9
"""A word longer than both limits allow holds a pause or another word."""

MAX_WINDOW_S = 12.0
"""Words are aligned in windows of about this length; longer ones cost more than they help."""

GOOD_BREAK_S = 0.3
"""A gap between words at which a window may end early, once it is half full."""

CONTEXT_S = 2.0
"""Words this near to a window are aligned along with it, so that a wrong edge falls on them; their result is not used."""

SEARCH_S = {TimedBy.CAPTION: 1.2, TimedBy.RECOGNITION: 0.4, TimedBy.ALIGNMENT: 0.3, TimedBy.VOICE: 0.3}
"""How far from its first time a word may really be: a caption can be a second early or late."""

_VOWELS = re.compile(r"[aeiouyà-öø-ÿ]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class AlignmentWindow:
    """Words that are aligned together. Indices are half-open; `[first, end)` are its own, the rest is context."""

    first: int
    end: int
    context_first: int
    context_end: int
    start_s: float
    end_s: float


def count_syllables(text: str) -> int:
    """About how many syllables a written word has, at least 1 (runs of vowels; a silent final e is not counted)."""
    letters = re.sub(r"[^\w]", "", text)
    n = len(_VOWELS.findall(letters))
    if n > 1 and re.search(r"[^aeiouyl]e$", letters, re.IGNORECASE):
        n -= 1
    digits = sum(character.isdigit() for character in letters)
    return max(1, n + 2 * digits)


def spread_over_cue(cue: Cue) -> tuple[WordTiming, ...]:
    """The words of a cue's spoken text, spread over its time by their length.

    A word's share is one part a syllable and a little a letter; a mark at which people pause adds a share after it. Words
    with nothing to say (a lone dash) are left out. `probability` is None: nobody recognised anything.
    """
    tokens = [token for token in cue.text.split() if is_sayable(token)]
    if not tokens:
        return ()
    shares = [count_syllables(token) + 0.12 * sum(map(str.isalnum, token)) for token in tokens]
    pauses = [_pause_share(token) for token in tokens[:-1]] + [0.0]
    share_s = max(0.0, cue.end_s - cue.start_s) / (sum(shares) + sum(pauses))
    words, moment_s = [], cue.start_s
    for token, share, pause in zip(tokens, shares, pauses, strict=True):
        end_s = min(cue.end_s, moment_s + share * share_s)
        words.append(WordTiming(token, moment_s, end_s, None, TimedBy.CAPTION))
        moment_s = end_s + pause * share_s
    return tuple(words)


def is_sayable(token: str) -> bool:
    """Whether there is a letter or a digit in it."""
    return any(map(str.isalnum, token))


def _pause_share(token: str) -> float:
    bare = token.rstrip("\"'”’)")
    if bare.endswith((".", "!", "?", "…", ":", ";")):
        return 1.5
    return 0.7 if bare.endswith((",", "—", "–")) else 0.0


def group_windows(words: Sequence[WordTiming], duration_s: float) -> tuple[AlignmentWindow, ...]:
    """Cut the words into windows at gaps; each window's sound reaches as far as its words may really be.

    Words are taken in the order given; their times may overlap or run backwards.
    """
    return tuple(_with_context(words, first, end, duration_s) for first, end in _runs(words))


def _runs(words: Sequence[WordTiming]) -> Iterator[tuple[int, int]]:
    first = 0
    for index in range(1, len(words) + 1):
        if index == len(words):
            if first < index:
                yield first, index
            return
        length_s = words[index].end_s - words[first].start_s
        gap_s = words[index].start_s - words[index - 1].end_s
        is_backwards = words[index].start_s < words[index - 1].start_s - 0.5
        is_full = length_s > MAX_WINDOW_S or (length_s > MAX_WINDOW_S / 2 and gap_s >= GOOD_BREAK_S)
        if is_full or is_backwards or gap_s > 2 * CONTEXT_S:
            yield first, index
            first = index


def _with_context(words: Sequence[WordTiming], first: int, end: int, duration_s: float) -> AlignmentWindow:
    low, high = first, end
    start_s = min(word.start_s for word in words[first:end])
    end_s = max(word.end_s for word in words[first:end])
    while low > 0 and start_s - CONTEXT_S < words[low - 1].end_s <= start_s + CONTEXT_S:
        low -= 1
    while high < len(words) and end_s - CONTEXT_S <= words[high].start_s < end_s + CONTEXT_S:
        high += 1
    before_s = max(SEARCH_S[word.timed_by] for word in words[low : first + 1])
    after_s = max(SEARCH_S[word.timed_by] for word in words[end - 1 : high])
    start_s = min(start_s, words[low].start_s) - before_s
    end_s = max(end_s, words[high - 1].end_s) + after_s
    return AlignmentWindow(first, end, low, high, max(0.0, start_s), min(duration_s, end_s))


def is_plausible_length(text: str, duration_s: float) -> bool:
    """Whether a word can be said in this time."""
    return not _length_fault(text, duration_s)


def _length_fault(text: str, duration_s: float) -> str:
    n_syllables = count_syllables(text)
    if duration_s < MIN_SYLLABLE_S * min(n_syllables, 12) - 0.02:
        return TOO_SHORT
    if duration_s > max(MAX_WORD_S, MAX_SYLLABLE_S * n_syllables):
        return TOO_LONG
    return ""


def find_timing_faults(words: Sequence[WordTiming], silent_spans: Iterable[Span] = ()) -> tuple[WordTiming, ...]:
    """The same words, each with what looks wrong with its times; a fault that is set already is kept.

    Args:
        words: in the order of the text.
        silent_spans: where the sound was measured and found to be silence.
    """
    silences = sorted(silent_spans, key=lambda span: span.start_s)
    marked: list[WordTiming] = []
    latest_s = float("-inf")
    for word in words:
        fault = word.fault or _fault_of(word, latest_s, silences)
        latest_s = max(latest_s, word.start_s)
        marked.append(replace(word, fault=fault) if fault != word.fault else word)
    return tuple(marked)


def _fault_of(word: WordTiming, latest_start_s: float, silences: Sequence[Span]) -> str:
    if word.start_s < latest_start_s or word.end_s < word.start_s:
        return OUT_OF_ORDER
    span = Span(word.start_s, word.end_s)
    if span.duration_s > 0 and any(silence.overlap_s(span) >= 0.95 * span.duration_s for silence in silences):
        return NO_SOUND
    return _length_fault(word.text, span.duration_s)


APART_S = 0.5
"""A pause between two captions, as in sentences.CUE_PAUSE_S."""


def fit_between(words: Sequence[WordTiming]) -> tuple[WordTiming, ...]:
    """Spread caption words that alignment did not find between the found words on their two sides, where they overlap those.

    Their times are a guess before and after, and stay marked as `caption`. A run at an edge keeps its times.
    """
    fitted = list(words)
    index = 0
    while index < len(fitted):
        if fitted[index].timed_by is not TimedBy.CAPTION:
            index += 1
            continue
        end = index
        while end < len(fitted) and fitted[end].timed_by is TimedBy.CAPTION and (end == index or not _is_apart(fitted, end)):
            end += 1
        low_s = fitted[index - 1].end_s if index else float("-inf")
        high_s = fitted[end].start_s if end < len(fitted) else float("inf")
        fitted[index:end] = _fit_run(fitted[index:end], low_s, high_s)
        index = end
    return tuple(fitted)


def _is_apart(words: Sequence[WordTiming], index: int) -> bool:
    """Whether the captions have a pause before this word: what overlaps on one side of it says nothing of the other."""
    return words[index].start_s - words[index - 1].end_s >= APART_S


def _fit_run(run: Sequence[WordTiming], low_s: float, high_s: float) -> list[WordTiming]:
    is_inside = low_s <= run[0].start_s + 1e-9 and run[-1].end_s <= high_s + 1e-9
    length_s = run[-1].end_s - run[0].start_s
    if is_inside or (low_s == float("-inf") and high_s == float("inf")):
        return list(run)
    if low_s == float("-inf"):
        low_s = min(run[0].start_s, high_s - length_s)
    if high_s == float("inf"):
        high_s = max(run[-1].end_s, low_s + length_s)
    own_low_s, own_high_s = max(low_s, run[0].start_s), min(high_s, run[-1].end_s)
    if own_high_s - own_low_s >= length_s / 2:  # most of the captions' own time is free: the words stay in it
        low_s, high_s = own_low_s, own_high_s
    high_s = max(low_s, min(high_s, low_s + 3 * max(length_s, 0.3)))
    shares = [count_syllables(word.text) for word in run]
    moments = [low_s + (high_s - low_s) * sum(shares[:n]) / sum(shares) for n in range(len(run) + 1)]
    return [replace(word, start_s=start_s, end_s=end_s) for word, start_s, end_s in zip(run, moments, moments[1:], strict=False)]


def repair_order(words: Sequence[WordTiming]) -> tuple[WordTiming, ...]:
    """Words that do not overlap: where two meet, the later start wins over the earlier end, and no word starts before the one before it.

    A word that had to be moved back into order by more than 50 ms is marked `out_of_order`.
    """
    repaired: list[WordTiming] = []
    for word in words:
        start_s, end_s = word.start_s, max(word.start_s, word.end_s)
        if repaired and start_s < repaired[-1].end_s:
            before = repaired[-1]
            cut_s = max(before.start_s, start_s)
            fault = OUT_OF_ORDER if cut_s - start_s > 0.05 else word.fault
            repaired[-1] = replace(before, end_s=cut_s)
            word = replace(word, fault=fault)
            start_s, end_s = cut_s, max(cut_s, end_s)
        repaired.append(replace(word, start_s=start_s, end_s=end_s))
    return tuple(repaired)
