"""Times of words: spreading, windows, order, faults."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from core.model.transcripts import Cue, TimedBy, WordTiming
from core.rules.word_timing import (
    MAX_WINDOW_S,
    count_syllables,
    find_timing_faults,
    fit_between,
    group_windows,
    repair_order,
    spread_over_cue,
)
from core.timing import Span


def word(text: str, start_s: float, end_s: float, timed_by: TimedBy = TimedBy.RECOGNITION, fault: str = "") -> WordTiming:
    return WordTiming(text, start_s, end_s, None, timed_by, fault=fault)


def test_spread_gives_longer_words_more_time_and_invents_no_probability() -> None:
    words = spread_over_cue(Cue(1.0, 3.0, "I — considered, everything."))
    assert [w.text for w in words] == ["I", "considered,", "everything."]
    assert words[0].start_s == 1.0 and abs(words[-1].end_s - 3.0) < 1e-9
    assert words[1].end_s - words[1].start_s > 2 * (words[0].end_s - words[0].start_s)
    assert words[2].start_s > words[1].end_s, "people pause at a comma"
    assert all(w.probability is None and w.timed_by is TimedBy.CAPTION for w in words)


def test_spread_of_nothing() -> None:
    assert spread_over_cue(Cue(1, 2, "— ♪")) == ()
    assert [w.end_s for w in spread_over_cue(Cue(1, 1, "now"))] == [1]


def test_syllables() -> None:
    assert [count_syllables(w) for w in ("the", "make", "table", "banana", "a", "1994")] == [1, 1, 2, 3, 1, 8]


@given(st.lists(st.tuples(st.text(max_size=12), st.floats(0, 100), st.floats(0, 5)), max_size=12))
def test_spread_covers_any_cue_in_order(rows: list[tuple[str, float, float]]) -> None:
    for text, at_s, length_s in rows:
        words = spread_over_cue(Cue(at_s, at_s + length_s, text))
        assert all(a.end_s <= b.start_s + 1e-6 for a, b in pairwise(words))
        assert all(at_s - 1e-9 <= w.start_s <= w.end_s <= at_s + length_s + 1e-9 for w in words)


gaps = st.lists(st.tuples(st.floats(0, 6), st.floats(0.05, 2)), min_size=1, max_size=60)


@given(gaps)
def test_windows_cover_every_word_once(rows: list[tuple[float, float]]) -> None:
    words, at_s = [], 0.0
    for gap_s, length_s in rows:
        words.append(word("word", at_s + gap_s, at_s + gap_s + length_s, TimedBy.CAPTION))
        at_s += gap_s + length_s
    windows = group_windows(words, at_s)
    assert [index for w in windows for index in range(w.first, w.end)] == list(range(len(words)))
    for w in windows:
        assert w.context_first <= w.first < w.end <= w.context_end
        assert words[w.end - 1].end_s - words[w.first].start_s <= MAX_WINDOW_S + 2 + 1e-6
        assert 0 <= w.start_s <= words[w.context_first].start_s and words[w.context_end - 1].end_s <= max(w.end_s, at_s) + 1e-6


@given(st.lists(st.tuples(st.floats(0, 50), st.floats(-1, 3)), max_size=20))
def test_repaired_words_never_overlap(rows: list[tuple[float, float]]) -> None:
    repaired = repair_order([word("x", start_s, start_s + length_s) for start_s, length_s in rows])
    assert len(repaired) == len(rows)
    assert all(a.start_s <= a.end_s <= b.start_s for a, b in pairwise(repaired))


def test_repair_marks_what_ran_backwards_and_leaves_good_words() -> None:
    good = (word("a", 0, 1), word("b", 1, 2))
    assert repair_order(good) == good
    assert [w.fault for w in repair_order([word("a", 5, 6), word("b", 1, 2)])] == ["", "out_of_order"]


def test_faults() -> None:
    words = [
        word("a", 0, 0.2),
        word("unbelievable", 0.2, 0.25),
        word("b", 0.25, 4.0),
        word("c", 3.0, 3.1),
        word("d", 5, 5.3),
        word("e", 6, 6.2),
    ]
    found = find_timing_faults(words, [Span(4.9, 5.5)])
    assert [w.fault for w in found] == ["", "too_short", "too_long", "", "no_sound", ""]
    assert find_timing_faults([word("a", 2, 3), word("b", 1, 1.5)])[1].fault == "out_of_order"


def test_caption_words_are_fitted_between_found_ones() -> None:
    words = [
        word("one", 1.0, 1.4, TimedBy.ALIGNMENT),
        word("two", 0.8, 1.2, TimedBy.CAPTION),
        word("three", 1.2, 1.6, TimedBy.CAPTION),
        word("four", 2.0, 2.4, TimedBy.ALIGNMENT),
        word("five", 3.0, 3.2, TimedBy.CAPTION),
    ]
    fitted = fit_between(words)
    assert [round(w.start_s, 2) for w in fitted] == [1.0, 1.4, 1.7, 2.0, 3.0]
    assert [w.timed_by for w in fitted] == [w.timed_by for w in words]


def test_a_word_after_a_pause_stays_in_its_own_caption() -> None:
    """What overlaps the next found word is cut back; it is not drawn over the pause to the line before."""
    found, guessed = TimedBy.ALIGNMENT, TimedBy.CAPTION
    words = [
        WordTiming("ugly", 11.0, 11.4, None, found),
        WordTiming("ones.", 11.41, 12.04, None, guessed),
        WordTiming("produced", 14.0, 14.7, None, guessed),
        WordTiming("the", 14.58, 14.64, None, found),
    ]
    fitted = fit_between(words)
    assert (fitted[1].start_s, fitted[1].end_s) == (11.41, 12.04)
    assert (fitted[2].start_s, fitted[2].end_s) == (14.0, 14.58)
