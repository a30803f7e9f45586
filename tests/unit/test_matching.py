"""Finding vocabulary words in speech."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.model.vocabulary import VocabularyWord
from core.rules.matching import Match, WordMatcher, tokenize
from core.rules.morphology import inflections


def matcher(*words: str, language: str = "en") -> WordMatcher:
    return WordMatcher(VocabularyWord(word_id=index, text=word, language=language) for index, word in enumerate(words))


def forms(word: str, text: str) -> list[str]:
    in_text = matcher(word).find_in_text(text)
    in_tokens = matcher(word).find(text.split())
    assert [match.form for match in in_text] == [match.form for match in in_tokens]
    return [match.form for match in in_text]


@pytest.mark.parametrize(
    ("word", "text", "found"),
    [
        ("refer", "He refers, referred and was referring to referees", ["refers", "referred", "referring"]),
        ("go", "They went. She goes; gone, going!", ["went", "goes", "gone", "going"]),
        ("mouse", "Three blind mice and a MOUSE", ["mice", "MOUSE"]),
        ("good", "better, best, goodness", ["better", "best"]),
        ("program", "programmed programming programs", ["programmed", "programming", "programs"]),
        ("mimic", "he mimicked her", ["mimicked"]),
        ("lie", "it has lain there", ["lain"]),
        ("criterion", "the criteria", ["criteria"]),
        ("analysis", "several analyses", ["analyses"]),
        ("be", "I was, you were, it is", ["was", "were", "is"]),
        ("emergency", "an emergency. Emergencies! This emergency's over", ["emergency", "Emergencies", "emergency's"]),
        ("doctor", "the doctors' room, the doctor’s", ["doctors", "doctor's"]),
        ("do", "I don't, he doesn’t, she didn't", ["don't", "doesn't", "didn't"]),
        ("can", "I can't and cannot", ["can't", "cannot"]),
        ("will", "I won't", ["won't"]),
        ("don't", "please don't", ["don't"]),
        ("go", "we're goin' home", ["goin"]),
        ("well-known", "a well-known man, well known and Well-Known", ["well-known", "well known", "Well-Known"]),
        ("well known", "a well-known man", ["well-known"]),
        ("e-mail", "email e-mailed E-mails", ["email", "e-mailed", "E-mails"]),
        ("email", "an e-mail", ["e-mail"]),
        ("cooperate", "co-operate, co-operated", ["co-operate", "co-operated"]),
        ("mother-in-law", "two mothers-in-law", ["mothers-in-law"]),
        ("blasé", "blase BLASÉ blase\u0301", ["blase", "BLASÉ", "blasé"]),
        ("blase", "blasé", ["blasé"]),
        ("café", "two cafés", ["cafés"]),
        ("colour", "colored colours", ["colored", "colours"]),
        ("realize", "he realised", ["realised"]),
        ("look after", "she looked after him and looks after us", ["looked after", "looks after"]),
        ("as well as", "this as well as that", ["as well as"]),
        ("a.m.", "at 5 a.m. sharp", ["a.m."]),
        ("o'clock", "five o’clock", ["o'clock"]),
        ("Internet", "the internet", ["internet"]),
        ("zorp", "he zorped two zorps, zorping", ["zorped", "zorps", "zorping"]),
        ("run", "'run', \u201cruns\u201d (ran) [running] walk\u2014run", ["run", "runs", "ran", "running", "run"]),
    ],
)
def test_forms_that_are_found(word: str, text: str, found: list[str]) -> None:
    assert forms(word, text) == found


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("art", "a party started smart"),
        ("emergency", "emergent emergence emerge"),
        ("emergent", "an emergency"),
        ("refer", "reference referee"),
        ("look after", "look. After that"),
        ("look after", "looking, after all"),
        ("look after", "after a look"),
        ("operate", "co-operate"),
        ("enter", "re-enter"),
        ("resign", "he will re-sign"),
        ("doe", "what does he"),
        ("hi", "his hat"),
        ("am", "at 5 a.m."),
        ("its", "it is"),
        ("quick", "quickly"),
        ("found", "he finds"),
        ("data", "one datum"),
        ("well-known", "well, known"),
        ("word", ""),
        ("word", "\U0001f600 … \u202e"),
    ],
)
def test_what_is_not_the_word_is_not_found(word: str, text: str) -> None:
    assert forms(word, text) == []


def test_a_form_of_two_words_gives_both() -> None:
    assert matcher("find", "found").find_in_text("found") == (Match(0, "found", 0, 1), Match(1, "found", 0, 1))
    assert {match.word_id for match in matcher("good", "well", "better").find_in_text("better")} == {0, 1, 2}


def test_indices_are_into_the_given_tokens() -> None:
    tokens = ["\u201cWell,", "I", "looked", "after", "—", "the", "well-known", "man—mouse."]
    found = matcher("look after", "well-known", "mouse", "look").find(tokens)
    assert found == (
        Match(0, "looked after", 2, 2),
        Match(3, "looked", 2, 1),
        Match(1, "well-known", 6, 1),
        Match(2, "mouse", 7, 1),
    )


def test_a_phrase_may_be_spread_over_tokens_or_stand_in_one() -> None:
    assert matcher("well-known").find(["well", "known"]) == (Match(0, "well known", 0, 2),)
    assert matcher("look after").find(["look after"]) == (Match(0, "look after", 0, 1),)
    assert matcher("ice cream").find([" ice", " cream,"]) == (Match(0, "ice cream", 0, 2),)


def test_other_languages_match_only_as_they_stand() -> None:
    assert matcher("go", language="fr").find_in_text("went go")[0].first_index == 1


def test_words_without_letters_are_never_found() -> None:
    assert matcher("", "...", "'").find_in_text("... ' .") == ()


def test_tokenize() -> None:
    assert tokenize("Well, it's 5 a.m. — the well-known café, isn’t it? ") == (
        "Well",
        "it's",
        "5",
        "a.m.",
        "the",
        "well-known",
        "café",
        "isn't",
        "it",
    )
    assert tokenize(" ... — ") == ()


def test_inflections_of_odd_words_do_no_harm() -> None:
    for odd in ("", "x", "é", "a" * 10_000, "x-y", "123", "\x00", "ß", "\u202e", "e", "y", "s"):
        assert inflections(odd)


@given(st.lists(st.text(max_size=12), max_size=8), st.text(max_size=60))
def test_any_text_is_read_and_indices_hold(words: list[str], text: str) -> None:
    tokens = tokenize(text)
    for match in matcher(*words).find_in_text(text):
        assert 0 <= match.first_index < match.first_index + match.n_tokens <= len(tokens)
    given_tokens = text.split(" ")
    for match in matcher(*words).find(given_tokens):
        assert 0 <= match.first_index < match.first_index + match.n_tokens <= len(given_tokens)


@given(st.lists(st.from_regex(r"[a-z]{2,8}", fullmatch=True), min_size=1, max_size=12))
def test_every_whole_word_is_found_where_it_stands(words: list[str]) -> None:
    found = matcher(*words).find_in_text(", ".join(words))
    places = {(match.word_id, match.first_index) for match in found}
    assert {(index, index) for index in range(len(words))} <= places
    assert all(words[match.first_index] == match.form for match in found)
