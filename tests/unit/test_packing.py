"""Clips laid into windows, and spans mapped back to where they were."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from core.rules.packing import Piece, Window, pack

LENGTHS = st.lists(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 120)), max_size=3), max_size=12)


def spans_of(clips: list[list[tuple[int, int]]]) -> list[list[tuple[int, int]]]:
    """(silence before, length) a span → half-open spans."""
    spans = []
    for clip in clips:
        at, made = 0, []
        for silence, length in clip:
            made.append((at + silence, at + silence + length))
            at += silence + length
        spans.append(made)
    return spans


@given(LENGTHS)
def test_every_clip_that_speaks_is_in_one_window_whole(clips: list[list[tuple[int, int]]]) -> None:
    spans = spans_of(clips)
    windows = pack(spans, window=300, gap=10)
    placed = [clip for window in windows for clip in window.clips]
    assert sorted(placed) == [n for n, clip in enumerate(spans) if clip]
    for window in windows:
        assert window.length <= 300 or len(window.clips) == 1
        assert window.length == window.pieces[-1].at + window.pieces[-1].length
        for a, b in pairwise(window.pieces):
            assert b.at - (a.at + a.length) == (0 if a.clip == b.clip else 10)
        for clip in window.clips:
            assert [(piece.start, piece.end) for piece in window.pieces if piece.clip == clip] == spans[clip]


@given(LENGTHS, st.data())
def test_what_lies_in_a_piece_is_found_where_it_was(clips: list[list[tuple[int, int]]], data: st.DataObject) -> None:
    for window in pack(spans_of(clips), window=300, gap=10, margin=4):
        for piece in window.pieces:
            start = data.draw(st.integers(0, piece.length - 1))
            end = data.draw(st.integers(start + 1, piece.length))
            assert window.locate(piece.at + start, piece.at + end) == (piece.clip, piece.start + start, piece.start + end)


@given(LENGTHS, st.floats(-50, 400), st.floats(0.1, 200))
def test_nothing_is_found_outside_its_clip(clips: list[list[tuple[int, int]]], start: float, length: float) -> None:
    spans = spans_of(clips)
    for window in pack(spans, window=300, gap=10, margin=4):
        place = window.locate(start, start + length)
        if place is not None:
            clip, first, last = place
            assert spans[clip][0][0] <= first <= last <= spans[clip][-1][1]
        elif start < window.length and start + length > 0:
            assert window.nearest(start, start + length)


def test_spans_between_clips() -> None:
    window = Window((Piece(0, 100, 200, 0), Piece(1, 0, 100, 110)), 210, margin=20)
    assert window.locate(90, 105) == (0, 190.0, 200.0), "cut to its clip"
    assert window.locate(101, 109) is None, "silence"
    assert window.locate(60, 150) is None, "in both"
    assert window.locate(85, 150) == (1, 0.0, 40.0), "only in the margin of the one before"
    assert window.locate(50, 125) == (0, 150.0, 200.0), "only in the margin of the one after"
    assert window.locate(85, 125) is None, "in two margins"
    assert window.nearest(101, 109) == (0, 1)


def test_short_clips_share_windows() -> None:
    spans = [[(0, 60)] for _ in range(12)]
    assert [len(window.clips) for window in pack(spans, window=300, gap=10)] == [4, 4, 4]
    assert pack([], window=300, gap=10) == () == pack([[], [(5, 5)]], window=300, gap=10)
