"""Word lists: every format, every fault of a row, and no row lost."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InvalidInput
from core.model.vocabulary import Level, ParsedList
from core.rules.word_files import read_rows
from core.rules.word_keys import plain_text, spoken_key, word_key
from core.rules.word_lists import parse_word_list

MEDIA = Path(os.environ.get("WORDREEL_TEST_MEDIA") or Path(__file__).resolve().parents[3] / "shared" / "media")
B, M, A = Level.BEGINNER, Level.INTERMEDIATE, Level.ADVANCED


def parse(text: str | bytes, *, exam: str = "toefl", level: Level | None = None) -> ParsedList:
    return parse_word_list(text.encode() if isinstance(text, str) else text, exam=exam, level=level, file_name="list.csv")


def texts(parsed: ParsedList) -> list[str]:
    return [word.text for word in parsed.words]


@pytest.mark.parametrize("header", ["", "word\n", "Word\n", "headword\n", '"word"\n', "\n"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_plain_lists_in_every_encoding(header: str, line_end: str, encoding: str) -> None:
    text = (header + "abandon\nblasé\n").replace("\n", line_end)
    parsed = parse(text.encode(encoding), level=M)
    assert texts(parsed) == ["abandon", "blasé"]
    first = 2 if header else 1
    assert [word.line for word in parsed.words] == [first, first + 1]
    assert parsed.words[0].levels == {"toefl": M}
    assert [row.reason for row in parsed.refused] == (["blank"] if header == "\n" else [])


def test_a_last_line_without_an_end_is_a_row() -> None:
    assert texts(parse("abandon\nability")) == ["abandon", "ability"]


@pytest.mark.parametrize(
    ("said", "level"),
    [("beginner", B), ("Intermediate", M), (" ADVANCED ", A), ("A1", B), ("a2", B), ("B1", M), ("B2", M), ("C1", A), ("C2", A)],
)
def test_a_level_column(said: str, level: Level) -> None:
    assert parse(f"word,level\nabandon,{said}\n").words[0].levels == {"toefl": level}
    assert parse(f"abandon,{said}\n").words[0].levels == {"toefl": level}


def test_own_level_wins_over_the_given_one_and_an_empty_one_takes_it() -> None:
    parsed = parse("word,level\nabandon,beginner\nability,\n", level=A)
    assert [word.levels for word in parsed.words] == [{"toefl": B}, {"toefl": A}]


def test_an_unknown_level_refuses_the_row() -> None:
    parsed = parse("word,level\nabandon,hard\nability,A2\n")
    assert texts(parsed) == ["ability"]
    assert [(row.line, row.text) for row in parsed.refused] == [(2, "abandon")]
    assert "hard" in parsed.refused[0].reason


def test_flag_columns_levels_and_own_bundles() -> None:
    parsed = parse(
        "word,toefl_beginner,toefl_intermediate,toefl_advanced,is_ielts_advanced,is_demo,business_english,notes\n"
        "abandon,0,1,1,1,0,1,1\n"
        "ability,1,0,0,0,1,0,some text\n"
        "able,,,,,,,\n"
        "about,2,0,0,0,0,0,\n"
    )
    assert [(word.text, word.levels, word.bundles) for word in parsed.words] == [
        ("abandon", {"toefl": M, "ielts": A}, ("business_english",)),
        ("ability", {"toefl": B}, ("demo",)),
        ("able", {}, ()),
    ]
    assert [(row.line, row.text) for row in parsed.refused] == [(5, "about")]


def test_rows_like_word_and_empty_flags() -> None:
    parsed = parse("word,toefl_beginner,toefl_advanced\nabandon,1,0\nword,,\n,1,\n,,\n")
    assert texts(parsed) == ["abandon", "word"]
    assert [(row.line, row.reason) for row in parsed.refused] == [(4, "no word in the word column"), (5, "blank")]


def test_several_parts_of_speech_are_joined_and_counted() -> None:
    parsed = parse("headword,pos,CEFR,definition\nmean,verb,B1,intend\nmean,adjective,A2,unkind\nMean,verb,C1,intend\n")
    (word,) = parsed.words
    assert (word.text, word.pos, word.definition, word.levels) == ("mean", "verb, adjective", "intend; unkind", {"toefl": B})
    assert parsed.duplicates == 2


def test_words_are_told_apart_by_accents_and_not_by_case_or_normal_form() -> None:
    parsed = parse("resume\nrésumé\nRESUME\nre\u0301sume\u0301\n")
    assert texts(parsed) == ["resume", "résumé"]
    assert parsed.duplicates == 2


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (" abandon ", "abandon"),
        ("abandon.", "abandon"),
        ("don\u2019t", "don't"),
        ("\u200babandon\u202e", "abandon"),
        ("cafe\u0301", "café"),
        ("a.m./A.M./am/AM", "a.m."),
        ("color/colour", "color"),
        ("look\u00a0 after", "look after"),
        ('"abandon', "abandon"),
        ("well\u2010known", "well-known"),
    ],
)
def test_what_is_safe_is_cleaned_and_reported(before: str, after: str) -> None:
    parsed = parse(f"word\nability\n{before}\n")
    assert texts(parsed) == ["ability", after]
    assert [(row.line, row.before, row.after) for row in parsed.changed] == [(3, before, after)]


@pytest.mark.parametrize(
    "word",
    [
        "a.m.",
        "etc.",
        "Dr.",
        "mother-in-law",
        "don't",
        "look after",
        "Internet",
        "TV",
        "blasé",
        "and/or",
        "=sum",
        "-ing",
        "@home",
        "+plus",
        "été",
    ],
)
def test_what_is_a_word_is_left_alone(word: str) -> None:
    parsed = parse(f"word\n{word}\n")
    assert texts(parsed) == [word]
    assert parsed.changed == ()


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b"nul\x00nul", "NUL"),
        (b"\xed\xa0\x80", "UTF-8"),
        (b"caf\xe9", "UTF-8"),
        (b"a" * 101, "100 characters"),
        (b"123", "no letter"),
        (b"---", "no letter"),
        (b"a" * 1_000_000, "1,000,000"),
        (b'"' + b"a" * 1_000_000 + b'"', "100 characters"),
        (b"a\x07b", "control"),
        (b"   ", "blank"),
    ],
)
def test_a_row_that_cannot_be_taken_is_refused_by_line_and_the_rest_is_read(row: bytes, reason: str) -> None:
    parsed = parse(b"word\nability\n" + row + b"\nable\n")
    assert texts(parsed) == ["ability", "able"]
    assert [refused.line for refused in parsed.refused] == [3]
    assert reason in parsed.refused[0].reason
    assert len(parsed.refused[0].text) <= 80
    parsed.refused[0].text.encode()


def test_a_lone_surrogate_in_utf16_is_refused() -> None:
    parsed = parse(b"\xff\xfe" + "word\nability\n".encode("utf-16-le") + b"\x00\xd8\n\x00")
    assert texts(parsed) == ["ability"]
    assert [row.line for row in parsed.refused] == [3]


def test_a_definition_of_a_megabyte_refuses_its_row() -> None:
    parsed = parse(f'word,definition\nabandon,"{"a" * 1_000_000}"\nability,skill\n')
    assert texts(parsed) == ["ability"]
    assert "definition" in parsed.refused[0].reason


def test_quoted_cells_may_hold_commas_and_line_ends_and_lines_stay_physical() -> None:
    parsed = parse('word,definition\nabandon,"leave, give\nup ""it"""\nability,skill\n')
    assert [(word.text, word.line, word.definition) for word in parsed.words] == [
        ("abandon", 2, 'leave, give up "it"'),
        ("ability", 4, "skill"),
    ]


def test_a_stray_quotation_mark_costs_no_other_row() -> None:
    parsed = parse('word,definition\n"abandon,leave\nability,"skill\nable,"can"\nlast,"end\n')
    assert texts(parsed) == ["abandon", "ability", "able", "last"]
    assert [word.line for word in parsed.words] == [2, 3, 4, 5]


@pytest.mark.parametrize(("delimiter"), [";", "\t"])
def test_other_delimiters_with_a_header(delimiter: str) -> None:
    parsed = parse("word,level,pos\nabandon,B1,verb\n".replace(",", delimiter))
    assert [(word.text, word.pos, word.levels) for word in parsed.words] == [("abandon", "verb", {"toefl": M})]


def test_cells_that_no_header_names_are_not_read_and_said_so() -> None:
    parsed = parse("abandon,1,0\nability,beginner,x\n")
    assert texts(parsed) == ["abandon", "ability"]
    assert [(row.line, row.before) for row in parsed.changed] == [(1, "abandon,1,0"), (2, "ability,beginner,x")]


def test_another_language_is_refused() -> None:
    parsed = parse("word,language\nabandon,en\nabandonner,fr\n")
    assert texts(parsed) == ["abandon"]
    assert "'fr'" in parsed.refused[0].reason


@pytest.mark.parametrize(
    "data", [b"", b"word\n", b"\xef\xbb\xbf", b"\n\n \n", b"word,level\r\n", b"PK\x03\x04rest", "abandon".encode("utf-16-le"), b"\xff\xfea"]
)
def test_a_file_without_rows_or_text_is_an_error_that_names_it(data: bytes) -> None:
    with pytest.raises(InvalidInput, match=r"list\.csv") as caught:
        parse(data)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("name", "words", "rows"),
    [("cefrj-vocabulary-profile-1.5.csv", 6860, 7799), ("octanove-vocabulary-profile-c1c2-1.0.csv", 1955, 2136)],
)
def test_real_lists(name: str, words: int, rows: int) -> None:
    path = MEDIA / "wordlists" / name
    assert path.is_file(), f"The test media are not at {MEDIA}: set WORDREEL_TEST_MEDIA to their folder."
    parsed = parse_word_list(path.read_bytes(), exam="cefr", level=None, file_name=name)
    assert len(parsed.words) == words
    assert len(parsed.words) + parsed.duplicates + len(parsed.refused) == rows
    assert parsed.refused == ()
    assert all(word.levels and word.pos for word in parsed.words if word.text != "vis-a-vis" or word.pos)
    slashes = [row for row in parsed.changed if "/" in row.before]
    assert slashes and all(row.after == row.before.split("/")[0].strip() for row in slashes)
    assert Counter("/" in word.text for word in parsed.words)[True] == 0


rows_of_any_text = st.lists(st.text(st.characters(blacklist_characters="\r\n", codec="utf-8"), max_size=20), max_size=30)


@given(rows_of_any_text)
def test_no_row_is_lost_whatever_it_holds(rows: list[str]) -> None:
    data = "word,level\n" + "".join(row + "\n" for row in rows)
    try:
        parsed = parse(data)
    except InvalidInput:
        assert all(not cell.strip() for row in rows for cell in row.split(","))
        return
    n_rows = sum(1 for _ in read_rows(data)) - 1
    assert len(parsed.words) + parsed.duplicates + len(parsed.refused) == n_rows
    assert len({word_key(word.text) for word in parsed.words}) == len(parsed.words)


@given(st.binary(max_size=200))
def test_any_bytes_give_a_list_or_a_plain_error(data: bytes) -> None:
    try:
        parsed = parse(data)
    except InvalidInput:
        return
    lines = [word.line for word in parsed.words] + [row.line for row in parsed.refused]
    assert len(lines) == len(set(lines))
    assert all(row.text.encode() is not None and row.reason for row in parsed.refused)


@given(
    st.lists(st.from_regex(r"[a-z]{1,9}(-[a-z]{2,5})?", fullmatch=True), min_size=1, max_size=30),
    st.booleans(),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
@settings(max_examples=60)
def test_clean_words_come_back_as_they_are(words: list[str], is_crlf: bool, encoding: str) -> None:
    data = ("word\n" + "\n".join(words)).replace("\n", "\r\n" if is_crlf else "\n").encode(encoding)
    parsed = parse(data)
    assert texts(parsed) == list(dict.fromkeys(words))
    assert parsed.changed == () == parsed.refused


@given(st.text())
def test_keys_are_stable(text: str) -> None:
    assert plain_text(plain_text(text)) == plain_text(text)
    assert word_key(word_key(text)) == word_key(text) == word_key(text.strip())
    assert spoken_key(spoken_key(text)) == spoken_key(text)
