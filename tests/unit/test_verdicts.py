"""A model's answer read item by item, whatever it holds."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.rules.verdicts import read_verdicts

GOOD = {"word": "abandon", "education": 0.8, "context": 0.7, "relevance": 0.9, "reason": "They leave the ship", "difficulty": "advanced"}
ASKED = ["abandon", "storm", "blasé"]


def answer(*items: object) -> str:
    return json.dumps({"words": items})


def test_a_good_item() -> None:
    read = read_verdicts(answer(GOOD), ASKED)
    (verdict,) = read.verdicts
    assert (verdict.word, verdict.scores.relevance, verdict.reason, verdict.difficulty) == (
        "abandon",
        0.9,
        "They leave the ship.",
        "advanced",
    )
    assert not read.dropped and not read.fault


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"word": "reluctant"}, "not asked for"),
        ({"word": 7}, "names no word"),
        ({"relevance": float("nan")}, "relevance"),
        ({"relevance": 1.1}, "relevance"),
        ({"context": "11/10"}, "context"),
        ({"education": True}, "education"),
        ({"education": None}, "education"),
        ({"relevance": 10**400}, "relevance"),
        ({"relevance": -0.01}, "relevance"),
        ({"difficulty": "hard"}, "difficulty"),
        ({"difficulty": ["advanced"]}, "difficulty"),
        ({"reason": " \n "}, "no reason"),
        ({"reason": {"a": 1}}, "no reason"),
    ],
)
def test_an_invalid_item_is_dropped_and_the_rest_kept(change: dict, why: str) -> None:
    other = GOOD | {"word": "STORM"}
    read = read_verdicts(answer(GOOD | change, other), ASKED)
    assert [verdict.word for verdict in read.verdicts] == ["storm"] and not read.fault
    assert len(read.dropped) == 1 and why in read.dropped[0]
    alone = read_verdicts(answer(GOOD | change), ASKED)
    assert not alone.verdicts and why in alone.fault


def test_no_good_word_is_no_fault() -> None:
    assert read_verdicts(answer(), ASKED).fault == ""


@pytest.mark.parametrize(
    ("content", "refusal", "finish", "why"),
    [
        (None, "I cannot", "stop", "refused"),
        (None, None, "stop", "empty"),
        ("", None, "length", "empty"),
        ("I think it is fine.", None, "stop", "not the JSON"),
        ("[]", None, "stop", "not the JSON"),
        ('{"words": {}}', None, "stop", "not the JSON"),
        ('{"wor', None, "length", "cut off"),
        (answer(), None, "length", "cut off"),
        ("x" * 70_000, None, "stop", "longer"),
        ("[" * 50_000, None, "stop", "not the JSON"),
    ],
)
def test_answers_that_cannot_be_used(content: str | None, refusal: str | None, finish: str, why: str) -> None:
    read = read_verdicts(content, ASKED, finish_reason=finish, refusal=refusal)
    assert not read.verdicts and why in read.fault


@pytest.mark.parametrize("n_chars", [1, 30, 60])
def test_a_cut_answer_keeps_what_is_whole(n_chars: int) -> None:
    whole = answer(GOOD, GOOD | {"word": "storm"})
    read = read_verdicts(whole[: whole.rindex("{") + n_chars], ASKED, finish_reason="length")
    assert [verdict.word for verdict in read.verdicts] == ["abandon"] and "cut off" in read.dropped[-1]


def test_json_within_prose_is_read() -> None:
    read = read_verdicts(f"Here you are: ```json\n{answer(GOOD)}\n```", ASKED)
    assert [verdict.word for verdict in read.verdicts] == ["abandon"]


def test_best_first_at_most_five() -> None:
    words = [f"word{n}" for n in range(8)]
    read = read_verdicts(answer(*(GOOD | {"word": word, "relevance": n / 10} for n, word in enumerate(words))), words)
    assert [verdict.word for verdict in read.verdicts] == ["word7", "word6", "word5", "word4", "word3"]
    assert len(read.dropped) == 3


def test_a_reason_is_one_plain_line() -> None:
    (verdict,) = read_verdicts(answer(GOOD | {"reason": "A\u202eb\0c\ud800\n" + "d" * 900}), ASKED).verdicts
    verdict.reason.encode()
    assert "\u202e" not in verdict.reason and "\0" not in verdict.reason and len(verdict.reason) <= 301


LEAVES = st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8)
NAMES = st.sampled_from([*GOOD, "words"])
JSON = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=6), max_leaves=12)


@given(
    st.text(max_size=60) | JSON.map(json.dumps) | JSON.map(lambda value: json.dumps({"words": [GOOD, value]})),
    st.sampled_from(["stop", "length", ""]),
)
def test_nothing_read_is_ever_out_of_bounds(content: str, finish: str) -> None:
    read = read_verdicts(content, ASKED, finish_reason=finish)
    assert bool(read.fault) <= (not read.verdicts)
    for verdict in read.verdicts:
        assert verdict.word in ASKED and 0 <= verdict.scores.relevance <= 1 and verdict.reason.endswith(".")
