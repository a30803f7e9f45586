"""The rule of the choice: what a download is expected to bring, and when it is chosen."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.rules.approval import ApprovalModel, DecidedPair, describe, learn, prior
from core.rules.choosing import (
    OUTSIDE_WEIGHT,
    Candidate,
    GoodWord,
    Waiting,
    WordNeed,
    choose_clips,
    is_ripe,
    share_of_window,
    window_size,
)

# Approval ------------------------------------------------------------------------------------------------------------


@given(st.floats(0, 1), st.floats(0, 1), st.integers(1, 5))
def test_the_prior_rises_with_the_score_and_falls_with_the_crowd(one: float, other: float, n_words: int) -> None:
    low, high = sorted((one, other))
    assert prior(low, n_words) <= prior(high, n_words)
    assert prior(high, n_words + 1) <= prior(high, n_words)
    assert 0 < prior(low, n_words) < 1


def test_without_decisions_the_model_is_the_prior() -> None:
    model = learn([])
    assert model == ApprovalModel()
    assert model.probability(0.9, 2, "A film", "beginner") == prior(0.9, 2)
    assert "assumption" in model.says


@given(
    st.lists(
        st.builds(
            DecidedPair,
            st.floats(0, 1),
            st.integers(1, 7),
            st.sampled_from(["", "A", "B"]),
            st.sampled_from(["", "beginner"]),
            st.booleans(),
        ),
        max_size=60,
    )
)
def test_a_probability_is_one_whatever_was_decided(pairs: Sequence[DecidedPair]) -> None:
    model = learn(pairs)
    assert model.n == len(pairs)
    for pair in pairs:
        assert 0 < model.probability(pair.score, pair.n_words, pair.film, pair.level) < 1


def test_few_decisions_move_little_and_many_move_much() -> None:
    rejected = DecidedPair(0.9, 1, "Mumbling", "", is_approved=False)
    chances = [learn([rejected] * n).probability(0.9, 1, "Mumbling", "") for n in (0, 1, 10, 100)]
    assert chances == sorted(chances, reverse=True)
    assert chances[0] - chances[1] < 0.35 * chances[0]
    assert chances[3] < 0.05


def test_a_film_is_learnt_beside_the_others() -> None:
    pairs = [DecidedPair(0.9, 1, film, "", is_approved=film == "Clear") for film in ("Clear", "Mumbling") for _ in range(20)]
    model = learn(pairs)
    assert model.probability(0.9, 1, "Clear", "") > model.probability(0.9, 1, "Unknown", "") > model.probability(0.9, 1, "Mumbling", "")
    kinds = {factor.kind: factor for factor in model.factors(0.9, 1, "Mumbling", "")}
    assert kinds["Mumbling"].n == 20
    assert "Mumbling: approved 0." in describe(tuple(kinds.values()))


def skewed(chance: random.Random) -> tuple[DecidedPair, float]:
    """A curator unlike the prior: crowding costs much, one film is nearly always refused, advanced words are liked."""
    score, n_words = chance.uniform(0.6, 1.0), chance.randint(1, 5)
    film, level = chance.choice(["Clear", "Plain", "Mumbling"]), chance.choice(["beginner", "advanced"])
    truth = (0.3 + 0.6 * (score - 0.6)) * 0.75 ** (n_words - 1) * {"Clear": 1.6, "Plain": 1.0, "Mumbling": 0.15}[film]
    truth = min(0.97, truth * (1.3 if level == "advanced" else 0.8))
    return DecidedPair(score, n_words, film, level, chance.random() < truth), truth


def test_what_is_learnt_of_a_skewed_curator_beats_the_prior() -> None:
    chance = random.Random(4)
    model = learn([skewed(chance)[0] for _ in range(300)])
    held_out = [skewed(chance) for _ in range(2000)]

    def loss(given_model: ApprovalModel) -> float:
        total = 0.0
        for pair, _ in held_out:
            p = given_model.probability(pair.score, pair.n_words, pair.film, pair.level)
            total -= math.log(p if pair.is_approved else 1 - p)
        return total / len(held_out)

    best = -sum(truth * math.log(truth) + (1 - truth) * math.log(1 - truth) for _, truth in held_out) / len(held_out)
    assert loss(model) - best < 0.25 * (loss(ApprovalModel()) - best)


# Greedy choice -------------------------------------------------------------------------------------------------------


def need(word_id: int, want: int = 3, n_approved: int = 0, weight: float = 1.0) -> WordNeed:
    return WordNeed(word_id, want, n_approved, want - n_approved, weight)


def clip(clip_id: int, *words: tuple[int, float], owners: Sequence[int] | None = None) -> Candidate:
    found = tuple(GoodWord(word_id, probability, 0.9) for word_id, probability in words)
    return Candidate(clip_id, found, frozenset(owners if owners is not None else [word_id for word_id, _ in words]))


def test_the_first_approved_clip_counts_one_the_second_a_quarter_and_beyond_the_want_nothing() -> None:
    assert [need(1, 3, n).counts_for for n in range(4)] == [1, 1 / 4, 1 / 8, 0]
    expecting = need(1)
    expecting.expect(0.5)
    assert expecting.counts_for == pytest.approx(0.5 * 1 + 0.5 / 4)
    expecting.expect(0.2)
    assert sum(expecting.n_approved_chances) == pytest.approx(1)
    assert expecting.n_approved_chances == pytest.approx([0.4, 0.5, 0.1])


def test_a_clip_that_serves_several_words_goes_first() -> None:
    needs = {1: need(1, 1), 2: need(2, 1), 3: need(3, 1)}
    clips = [clip(1, (1, 0.8)), clip(2, (1, 0.5), (2, 0.5)), clip(3, (3, 0.9))]
    chosen = choose_clips(clips, needs, n=2)
    assert [(one.candidate.clip_id, round(one.expected, 2)) for one in chosen] == [(2, 1.0), (3, 0.9)]


def test_a_word_with_its_places_filled_gains_nothing_more() -> None:
    needs = {1: need(1, 2)}
    assert [one.candidate.clip_id for one in choose_clips([clip(n, (1, 0.5)) for n in range(5)], needs, n=5)] == [0, 1]
    assert needs[1].n_free == 0


def test_words_that_are_served_fill_their_places_and_clips_for_others_are_left() -> None:
    needs = {1: need(1, 2), 2: need(2, 2)}
    clips = [clip(1, (1, 0.9)), clip(2, (1, 0.2)), clip(3, (2, 0.9)), clip(4, (1, 0.1))]
    assert [one.candidate.clip_id for one in choose_clips(clips, needs, n=None, serving=[1])] == [1, 2]


def test_who_is_awake_fetches_rather_than_who_gains_most() -> None:
    needs = {1: need(1, 1), 2: need(2, 1)}
    both = clip(1, (1, 0.9), (2, 0.5))
    assert choose_clips([both], needs, n=1, awake=[2])[0].owner == 2
    needs = {1: need(1, 1), 2: need(2, 1)}
    assert choose_clips([both], needs, n=1, awake=[1, 2])[0].owner == 1
    assert choose_clips([replace(both, owners=frozenset())], {1: need(1)}, n=1) == []


def test_a_word_outside_the_run_counts_less_and_only_once() -> None:
    needs = {1: need(1, 1), 9: WordNeed(9, 1, 0, 1, OUTSIDE_WEIGHT)}
    (chosen,) = choose_clips([clip(1, (1, 0.4), (9, 0.8), owners=[1])], needs, n=5)
    assert chosen.expected == pytest.approx(0.4 + 0.25 * 0.8)
    assert needs[9].counts_for == 0


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[Candidate], dict[int, WordNeed]]:
    n_words = draw(st.integers(1, 4))
    chances = st.floats(0.05, 0.95)
    clips = [
        clip(at, *[(word_id, draw(chances)) for word_id in sorted(draw(st.sets(st.integers(0, n_words - 1), min_size=1)))])
        for at in range(draw(st.integers(1, 7)))
    ]
    return clips, {word_id: need(word_id, draw(st.integers(1, 3))) for word_id in range(n_words)}


def copy_of(needs: Mapping[int, WordNeed]) -> dict[int, WordNeed]:
    return {
        key: WordNeed(one.word_id, one.want, one.n_approved, one.n_free, one.weight, list(one.n_approved_chances))
        for key, one in needs.items()
    }


def value(clips: Sequence[Candidate], needs: Mapping[int, WordNeed]) -> float:
    """What these clips are worth together, by every outcome: 1 + 1/2 + … for the approved ones of each word, up to its want."""
    total = 0.0
    for word_id, one in needs.items():
        chances = [word.probability for each in clips for word in each.words if word.word_id == word_id]
        for approved in range(2 ** len(chances)):
            p = math.prod(c if approved >> at & 1 else 1 - c for at, c in enumerate(chances))
            total += p * sum(1 / k for k in range(1, min(one.want, approved.bit_count()) + 1))
    return total


@given(worlds(), st.integers(1, 4))
def test_the_lazy_choice_is_the_greedy_one(world: tuple[list[Candidate], dict[int, WordNeed]], n: int) -> None:
    clips, needs = world
    lazy = choose_clips(clips, copy_of(needs), n=n)
    left, slow, state = list(clips), [], copy_of(needs)
    while left and len(slow) < n:
        best = max(
            choose_clips([one], copy_of(state), n=1)[0].expected if choose_clips([one], copy_of(state), n=1) else 0.0 for one in left
        )
        if best <= 0:
            break
        taken = choose_clips(left, state, n=1)[0]
        assert taken.expected == pytest.approx(best)
        slow.append(taken)
        left.remove(taken.candidate)
    assert sum(one.expected for one in lazy) == pytest.approx(sum(one.expected for one in slow))


@given(worlds(), st.integers(1, 3))
def test_the_choice_is_at_least_as_good_as_the_theorem_says(world: tuple[list[Candidate], dict[int, WordNeed]], n: int) -> None:
    clips, needs = world
    roomy = {key: replace(one, n_free=99) for key, one in needs.items()}
    chosen = choose_clips(clips, copy_of(roomy), n=n)
    got = value([one.candidate for one in chosen], needs)
    best = max(value(some, needs) for some in combinations(clips, min(n, len(clips))))
    assert got >= (1 - 1 / math.e) * best - 1e-9


# Windows -------------------------------------------------------------------------------------------------------------


def test_a_window_is_as_large_as_its_links_live() -> None:
    assert window_size(10, 60, 300, 3) == 11  # 45 requests in four and a half minutes, four a word
    assert window_size(10, 60, 300, 0.5) == 24
    assert window_size(600, 60, 300, 3) == 24
    assert window_size(1, 60, 60, 3) == 2


def test_when_a_window_is_ripe() -> None:
    waits = Waiting(n_waiting=3, n_upstream=5, is_fetching=False, is_first=False, waited_s=1.0)
    assert not is_ripe(waits, 11, 300)
    assert is_ripe(replace(waits, is_first=True), 11, 300)
    assert is_ripe(replace(waits, n_upstream=0), 11, 300)
    assert is_ripe(replace(waits, n_waiting=11), 11, 300)
    assert is_ripe(replace(waits, waited_s=16), 11, 300)
    assert not is_ripe(replace(waits, waited_s=16, is_fetching=True), 11, 300)
    assert is_ripe(replace(waits, waited_s=61, is_fetching=True), 11, 300)


def test_scarce_downloads_are_shared_out_over_the_words_still_to_come() -> None:
    assert share_of_window(None, 900, 10, 290) is None
    assert share_of_window(900, 900, 10, 290) is None
    assert share_of_window(100, 900, 30, 270) == 3
    assert share_of_window(100, 900, 1, 299) == 1
    assert share_of_window(5, 900, 10, 0) == 5
    assert share_of_window(0, 900, 10, 290) == 0
    assert share_of_window(1, 900, 50, 1) == 1


@given(st.integers(0, 200), st.integers(1, 300), st.integers(1, 24))
def test_the_shares_of_all_windows_never_pass_what_is_left(n_left: int, n_words: int, size: int) -> None:
    total, upstream, left = 0, n_words, n_left
    while upstream > 0:
        here = min(size, upstream)
        upstream -= here
        share = share_of_window(left, 10_000, here, upstream)
        assert share is not None
        total, left = total + share, left - share
    assert total == n_left
