"""Strong language."""

from __future__ import annotations

import pytest

from core.rules.strong_language import strong_words


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("What the FUCK? Fucking hell, this is bullshit.", ("fuck", "fucking", "bullshit")),
        ("You son-of-a-bitch!", ("bitch",)),
        ("Holy f**k, s***", ("f**k", "s***")),
        ("That bastard's car, bastards", ("bastard", "bastards")),
        ("don't be a dick", ("dick",)),
        ("fuck\u200bing motherfuckin'", ("fucking", "motherfuckin")),
        ("shit shit SHIT", ("shit",)),
    ],
)
def test_strong_words_are_named_once_in_order(text: str, found: tuple[str, ...]) -> None:
    assert strong_words(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "Scunthorpe, class, assess, cockpit",
        "Dick Tracy met Charles Dickens",
        "damn it",
        "a * b ** c",
        "a shiitake",
        "",
        "5 * 3",
        "pass the grass",
    ],
)
def test_other_words_are_left_alone(text: str) -> None:
    assert strong_words(text) == ()
