"""The starter lists that ship: clean, overlapping, and holding the words that the demo films speak."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from core.adapters.demo_script import STORIES
from core.model.vocabulary import Level, ParsedList, VocabularyWord
from core.rules.matching import WordMatcher
from core.rules.word_lists import parse_word_list

DATA = Path(__file__).resolve().parents[2] / "data"


def read(exam: str) -> ParsedList:
    return parse_word_list((DATA / f"{exam}.csv").read_bytes(), exam=exam, level=None, file_name=f"{exam}.csv")


@pytest.mark.parametrize("exam", ["demo_toefl", "demo_ielts"])
def test_a_starter_list_reads_without_a_remark(exam: str) -> None:
    parsed = read(exam)
    assert len(parsed.words) >= 280
    assert (parsed.duplicates, parsed.changed, parsed.refused) == (0, (), ())
    levels = Counter(word.levels[exam] for word in parsed.words)
    assert all(levels[level] >= 50 for level in Level)
    assert all(word.pos in ("noun", "verb", "adjective", "adverb") and word.definition for word in parsed.words)


@pytest.mark.parametrize("exam", ["demo_toefl", "demo_ielts"])
def test_no_definition_uses_its_own_word(exam: str) -> None:
    circular = [word.text for word in read(exam).words if WordMatcher([VocabularyWord(1, word.text)]).find_in_text(word.definition)]
    assert circular == []


def test_a_third_stands_on_both_lists_most_at_different_levels() -> None:
    toefl, ielts = ({word.text: word.levels[exam] for word in read(exam).words} for exam in ("demo_toefl", "demo_ielts"))
    both = toefl.keys() & ielts.keys()
    assert len(both) == 100
    assert sum(toefl[word] != ielts[word] for word in both) >= 75


def test_the_demo_films_speak_words_of_the_lists() -> None:
    listed = {word.text for exam in ("demo_toefl", "demo_ielts") for word in read(exam).words}
    assert {word for story in STORIES for line in story.lines for word in line.words} <= listed
