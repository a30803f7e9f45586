"""What calls cost, what is not known, and what a plan expects."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidInput
from core.model.calls import Usage
from core.rules.prices import (
    DEFAULT_PRICES,
    PRICED_ON,
    ModelPrice,
    cost_usd,
    find_price,
    likely_usage,
    price_edits,
    price_json,
    price_table,
)

MINI = DEFAULT_PRICES["gpt-4o-mini"]


def test_tokens_cached_tokens_and_minutes() -> None:
    assert cost_usd(Usage(1_000_000, 1_000_000), MINI) == pytest.approx(0.75)
    assert cost_usd(Usage(1_000_000, 0, tokens_cached=400_000), MINI) == pytest.approx(0.6 * 0.15 + 0.4 * 0.075)
    assert cost_usd(Usage(audio_s=89.2), DEFAULT_PRICES["whisper-1"]) == pytest.approx(0.009)
    assert cost_usd(Usage(100, 0, tokens_cached=500), ModelPrice("m", 1.0, 1.0, 0.0)) == 0.0
    assert cost_usd(Usage(100, 0, tokens_cached=50), ModelPrice("m", 1.0, 1.0)) == pytest.approx(100 / 1e6)


def test_what_is_not_known_is_none() -> None:
    assert cost_usd(Usage(1, 1), None) is None
    assert cost_usd(Usage(None, 1), MINI) is None
    assert cost_usd(Usage(1, None), MINI) is None
    assert cost_usd(Usage(1, 1), DEFAULT_PRICES["whisper-1"]) is None
    assert cost_usd(Usage(1, 1), ModelPrice("m", 1.0)) is None


def test_a_dated_snapshot_has_its_models_price() -> None:
    assert find_price("gpt-4o-mini-2024-07-18", DEFAULT_PRICES) is MINI
    assert find_price("gpt-4o-mini-super", DEFAULT_PRICES) is None
    assert all(price.as_of == PRICED_ON for price in DEFAULT_PRICES.values())


def test_the_operators_edits_win_in_order() -> None:
    table = price_table([ModelPrice("gpt-4o-mini", 1.0, 1.0), ModelPrice("mine", 0.0, 0.0), ModelPrice("gpt-4o-mini", 2.0, 2.0)])
    assert table["gpt-4o-mini"].in_usd == 2.0 and cost_usd(Usage(5, 5), table["mine"]) == 0.0
    assert DEFAULT_PRICES["gpt-4o-mini"].in_usd == 0.15


@pytest.mark.parametrize(
    "price", [ModelPrice(" ", 1.0), ModelPrice("m", -1.0), ModelPrice("m", float("nan")), ModelPrice("m", 1, float("inf"))]
)
def test_prices_that_cannot_be_used(price: ModelPrice) -> None:
    with pytest.raises(InvalidInput):
        price_table([price])


def test_tokens_are_guessed_from_characters_and_words() -> None:
    assert likely_usage(2_001, 3) == Usage(501, 180)


@given(
    st.builds(
        ModelPrice,
        st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40),
        *[st.none() | st.floats(0, 1e6)] * 4,
        as_of=st.none() | st.dates(),
    )
)
def test_an_edit_comes_back_from_its_json(price: ModelPrice) -> None:
    assert price_edits(json.loads(json.dumps([price_json(price)]))) == [price]


@pytest.mark.parametrize(
    "value",
    [
        None,
        {"model": "m"},
        ["m"],
        [{"in_usd": 1}],
        [{"model": 3}],
        [{"model": "m", "in_usd": "1"}],
        [{"model": "m", "in_usd": True}],
        [{"model": "m", "in_usd": float("nan")}],
        [{"model": "m", "minute_usd": -1}],
        [{"model": "m", "as_of": "yesterday"}],
        [{"model": "m", "as_of": 3}],
        [{"model": "m", "per_song": 3}],
        [{"model": "m" * 201}],
        [{"model": "a\nb"}],
    ],
)
def test_edits_that_cannot_be_used(value: object) -> None:
    with pytest.raises(InvalidInput):
        price_edits(value)
