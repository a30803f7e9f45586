"""What a word's history says of who proposed."""

from __future__ import annotations

import pytest

from core.services.word_report import _judge_says


@pytest.mark.parametrize(
    ("name", "version", "says"),
    [("gpt-4o-mini", "1", "gpt-4o-mini, prompt 1"), ("rubric-1", "rubric-1", "rubric-1"), ("rubric", "rubric-1", "rubric-1"),
     ("fake-1", "", "fake-1")],
)  # fmt: skip
def test_a_judge_is_named_once_with_its_prompt(name: str, version: str, says: str) -> None:
    assert _judge_says(name, version) == says
