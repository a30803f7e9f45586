from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidInput
from core.rules.hundredths import distinct_hundredths

scores = st.dictionaries(st.integers(0, 400), st.floats(0, 1), max_size=60)


def test_clips_with_one_score_get_neighbouring_hundredths():
    assert distinct_hundredths({"a": 0.9, "b": 0.9, "c": 0.9}) == {"a": 0.91, "b": 0.9, "c": 0.89}


def test_a_distinct_set_stays_as_it_is():
    assert distinct_hundredths({"a": 0.31, "b": 1.0, "c": 0.01}) == {"a": 0.31, "b": 1.0, "c": 0.01}


def test_ends_hold():
    assert distinct_hundredths({"a": 1.0, "b": 1.0}) == {"a": 1.0, "b": 0.99}
    assert distinct_hundredths({"a": 0.0, "b": 0.0}) == {"a": 0.02, "b": 0.01}
    assert distinct_hundredths({}) == {}


def test_a_live_clip_keeps_its_score_and_a_new_one_goes_beside_it():
    assert distinct_hundredths({"old": 0.9, "new": 0.9}, {"old": 0.9}) == {"old": 0.9, "new": 0.89}
    assert distinct_hundredths({"new": 0.9}, {"old": 0.9}) == {"old": 0.9, "new": 0.89}


def test_a_live_clip_moves_only_where_order_asks_for_it():
    found = distinct_hundredths({"top": 0.9, "middle": 0.895, "low": 0.89}, {"top": 0.9, "low": 0.89})
    assert found["top"] > found["middle"] > found["low"]
    assert (found["top"] == 0.9) != (found["low"] == 0.89)


def test_a_retracted_clip_takes_no_part():
    assert distinct_hundredths({"a": 0.0}, {"gone": 0.0}) == {"a": 0.01}


@pytest.mark.parametrize("bad", [1.1, -0.1, float("nan"), float("inf")])
def test_a_score_outside_is_refused(bad):
    with pytest.raises(InvalidInput):
        distinct_hundredths({"a": bad})


@given(scores)
def test_distinct_in_order_and_in_range(wanted):
    found = distinct_hundredths(wanted)
    assert found.keys() == wanted.keys()
    assert len(set(found.values())) == len(found)
    assert all(0.01 <= value <= 1 and round(value, 2) == value for value in found.values())
    for a in wanted:
        for b in wanted:
            assert not wanted[a] > wanted[b] or found[a] > found[b]


@given(scores, scores)
def test_its_own_result_changes_nothing(first, second):
    live = distinct_hundredths(first)
    wanted = {**second, **first}
    again = distinct_hundredths(wanted, live)
    assert distinct_hundredths(wanted, again) == again


@given(scores.filter(bool), st.floats(0, 1))
def test_one_more_clip_moves_few(first, score):
    """Live ones whose wanted score did not change: at most a run of neighbours moves, never the order."""
    live = distinct_hundredths(first)
    found = distinct_hundredths({**first, "new": score}, live)
    ranked = sorted(first, key=lambda key: -found[key])
    assert ranked == sorted(first, key=lambda key: -live[key])


def test_more_than_a_hundred_share_the_last():
    found = distinct_hundredths({i: 1 - i / 1000 for i in range(130)})
    assert [found[i] for i in range(100)] == [round(1 - i / 100, 2) for i in range(100)]
    assert {found[i] for i in range(100, 130)} == {0.01}
