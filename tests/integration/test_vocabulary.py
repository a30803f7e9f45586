"""Word lists through the service, into the store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from core.errors import InvalidInput, NotFound
from core.model.reviews import MappingState
from core.model.vocabulary import Level
from core.services.review import QueueFilter
from core.services.vocabulary import ImportReport, checked_name, name_from
from core.store.tables import bundle_words, bundles, word_levels, words
from tests.loopback.decided_world import Shelf


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    made = Shelf(tmp_path / "home")
    yield made
    made.close()


def take(shelf: Shelf, text: str | bytes, exam: str = "toefl", **more: object) -> ImportReport:
    data = text.encode() if isinstance(text, str) else text
    return shelf.vocabulary.import_list(data, exam=exam, **more)  # type: ignore[arg-type]


def sizes(shelf: Shelf) -> dict[str, int]:
    return {bundle.name: bundle.n_words for bundle in shelf.vocabulary.bundles()}


def texts(shelf: Shelf, bundle: str) -> list[str]:
    return [word.text for word in shelf.vocabulary.bundle_words(bundle)]


def snapshot(shelf: Shelf) -> list[object]:
    with shelf.database.read() as connection:
        return [sorted(map(str, connection.execute(select(table)).all())) for table in (words, word_levels, bundles, bundle_words)]


# Formats -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"refer\nmatter\n",
        b"word\r\nrefer\r\nmatter\r\n",
        b"\xef\xbb\xbfword\nrefer\nmatter\n",
        "word\nrefer\nmatter\n".encode("utf-16"),
        b"refer\n\nmatter.\n,,,\nREFER\n",
        b"headword,pos\nrefer,verb\nmatter,noun\n",
    ],
)
def test_every_plain_format_makes_one_list(shelf: Shelf, data: bytes) -> None:
    report = take(shelf, data)
    assert report.accepted == 2
    assert sizes(shelf) == {"toefl": 2}
    assert texts(shelf, "toefl") == ["refer", "matter"]


def test_levels_make_cumulative_bundles(shelf: Shelf) -> None:
    report = take(shelf, "word,level\nzebra,advanced\nrefer,beginner\nmatter,intermediate\n")
    assert dict(report.bundles) == {"toefl_beginner": 1, "toefl_intermediate": 2, "toefl_advanced": 3}
    assert texts(shelf, "toefl_advanced") == ["zebra", "refer", "matter"]
    assert set(report.as_json()) >= {"exam", "accepted", "duplicates", "changed", "refused", "bundles"}


def test_a_level_given_for_the_whole_file(shelf: Shelf) -> None:
    take(shelf, "refer\nmatter\n", level=Level.INTERMEDIATE)
    assert sizes(shelf) == {"toefl_beginner": 0, "toefl_intermediate": 2, "toefl_advanced": 2}


def test_flags_fill_several_exams_and_own_bundles(shelf: Shelf) -> None:
    data = "word,toefl_beginner,ielts_advanced,business_english\nrefer,1,1,0\nmatter,0,1,1\nzebra,0,0,1\n"
    report = take(shelf, data, exam="toefl")
    assert report.accepted == 3
    assert sizes(shelf) == {
        "toefl_beginner": 1,
        "toefl_intermediate": 1,
        "toefl_advanced": 1,
        "ielts_beginner": 0,
        "ielts_intermediate": 0,
        "ielts_advanced": 2,
        "business_english": 2,
    }
    assert report.difference.added == ("refer",)  # `zebra` is in an own bundle only
    assert report.bundles["business_english"] == 2


def test_a_word_has_a_level_in_each_exam(shelf: Shelf) -> None:
    take(shelf, "refer,beginner\n", exam="toefl")
    take(shelf, "refer,advanced\n", exam="ielts")
    with shelf.database.read() as connection:
        assert connection.execute(select(func.count()).select_from(words)).scalar_one() == 1
        rows = connection.execute(select(word_levels.c.exam, word_levels.c.level).order_by(word_levels.c.exam)).all()
    assert [tuple(row) for row in rows] == [("ielts", "advanced"), ("toefl", "beginner")]


def test_part_of_speech_and_definition_are_kept(shelf: Shelf) -> None:
    take(shelf, 'word,pos,definition\nrefer,verb,"to send, or to mention"\nmatter,noun,\n')
    found = {word.text: (word.pos, word.definition) for word in shelf.vocabulary.bundle_words("toefl")}
    assert found == {"refer": ("verb", "to send, or to mention"), "matter": ("noun", "")}
    take(shelf, "refer\nmatter\n", exam="ielts")  # a list that says nothing takes nothing away
    assert {word.text: word.pos for word in shelf.vocabulary.bundle_words("toefl")} == {"refer": "verb", "matter": "noun"}


def test_rows_that_were_changed_or_refused_are_reported_by_line(shelf: Shelf) -> None:
    report = take(shelf, "word\nrefer.\nREFER\n\n12345\nblasé\nwell-known\no'clock\n")
    assert [(row.line, row.before, row.after) for row in report.changed][:1] == [(2, "refer.", "refer")]
    assert report.duplicates == 1
    assert {row.line for row in report.refused} == {4, 5}
    assert report.accepted == 4
    assert texts(shelf, "toefl") == ["refer", "blasé", "well-known", "o'clock"]


def test_a_formula_stays_a_text(shelf: Shelf) -> None:
    report = take(shelf, "word,definition\nrefer,=HYPERLINK(1)\n")
    assert shelf.vocabulary.bundle_words("toefl")[0].definition == "=HYPERLINK(1)"
    assert report.accepted == 1


# Replacing -----------------------------------------------------------------------------------------------------------


def test_an_import_replaces_the_list_says_what_changes_and_keeps_every_decision(shelf: Shelf) -> None:
    take(shelf, "word,level\nrefer,beginner\nmatter,beginner\n")
    mapping_id = shelf.shown("one", "refer")
    shelf.approve(mapping_id, score=0.9)
    report = take(shelf, "word,level\nmatter,advanced\nzebra,beginner\n")
    assert (report.difference.added, report.difference.removed) == (("zebra",), ("refer",))
    assert report.difference.moved == (("matter", "beginner", "advanced"),)
    assert texts(shelf, "toefl_advanced") == ["matter", "zebra"]
    kept = shelf.review.queue(QueueFilter(with_all=True)).items
    assert [(item.row.word, item.state, item.row.score) for item in kept] == [("refer", MappingState.APPROVED, 0.9)]
    take(shelf, "word,level\nrefer,beginner\n")
    assert shelf.coverage.bundles("toefl_beginner")[0].approved[1] == 1


def test_the_same_list_again_changes_nothing(shelf: Shelf) -> None:
    take(shelf, "word,level\nrefer,beginner\nmatter,advanced\n")
    before = snapshot(shelf)
    report = take(shelf, "word,level\nrefer,beginner\nmatter,advanced\n")
    assert snapshot(shelf) == before
    assert (report.difference.added, report.difference.removed, report.difference.moved) == ((), (), ())


def test_a_list_that_loses_its_levels_loses_its_level_bundles(shelf: Shelf) -> None:
    take(shelf, "word,level\nrefer,beginner\n")
    take(shelf, "refer\nmatter\n")
    assert sizes(shelf) == {"toefl": 2}


def test_a_dry_run_writes_nothing_and_says_all(shelf: Shelf) -> None:
    take(shelf, "word,level\nrefer,beginner\n")
    before = snapshot(shelf)
    report = take(shelf, "word,level\nmatter,beginner\n", is_dry_run=True)
    assert snapshot(shelf) == before
    assert report.is_applied is False
    assert (report.difference.added, report.difference.removed) == (("matter",), ("refer",))


@pytest.mark.parametrize("data", [b"word\n\n,,,\n12345\n", b"", b"\n\n", b"\x00\x01\x02\xff" * 50])
def test_a_list_of_which_nothing_can_be_taken_is_refused_and_the_old_one_stays(shelf: Shelf, data: bytes) -> None:
    take(shelf, "refer\n")
    before = snapshot(shelf)
    with pytest.raises(InvalidInput) as refusal:
        take(shelf, data)
    assert refusal.value.hint or refusal.value.message
    assert snapshot(shelf) == before


def test_a_file_about_another_exam_leaves_this_ones_list(shelf: Shelf) -> None:
    take(shelf, "refer\n")
    report = take(shelf, "word,ielts_beginner\nmatter,1\n")
    assert texts(shelf, "toefl") == ["refer"]
    assert report.difference.removed == ()
    assert texts(shelf, "ielts_beginner") == ["matter"]


# Names ---------------------------------------------------------------------------------------------------------------


def test_the_demo_has_words_of_its_own(shelf: Shelf) -> None:
    take(shelf, "refer,beginner\n", exam="toefl")
    take(shelf, "refer,advanced\n", exam="demo_toefl")
    with shelf.database.read() as connection:
        assert sorted(map(tuple, connection.execute(select(words.c.text, words.c.is_demo)))) == [("refer", False), ("refer", True)]
    assert [bundle.name for bundle in shelf.vocabulary.bundles() if bundle.is_demo] == [
        "demo_toefl_beginner",
        "demo_toefl_intermediate",
        "demo_toefl_advanced",
    ]


def test_own_bundles_grow_and_keep_their_order(shelf: Shelf) -> None:
    shelf.vocabulary.add_words(["refer", "matter"], bundle="Unit 12")
    shelf.vocabulary.add_words(["Zebra", "REFER"], bundle="unit-12")
    assert [text.lower() for text in texts(shelf, "unit_12")] == ["refer", "matter", "zebra"]
    with pytest.raises(NotFound, match="no bundle"):
        shelf.vocabulary.bundle_words("unit_13")


def test_a_level_of_an_exam_is_no_own_bundle_and_the_other_way(shelf: Shelf) -> None:
    take(shelf, "refer,beginner\n", exam="toefl")
    with pytest.raises(InvalidInput, match="level of an exam"):
        shelf.vocabulary.add_words(["zebra"], bundle="toefl_beginner")
    shelf.vocabulary.add_words(["zebra"], bundle="mine")
    shelf.vocabulary.add_words(["zebra"], bundle="ielts_beginner")
    for data, exam in (("refer\n", "mine"), ("refer,beginner\n", "ielts"), ("refer\n", "toefl_beginner")):
        before = snapshot(shelf)
        with pytest.raises(InvalidInput, match="already"):
            take(shelf, data, exam=exam)
        assert snapshot(shelf) == before
    assert texts(shelf, "mine") == ["zebra"]


def test_a_bundle_with_the_bare_name_of_a_levelled_exam_is_no_obstacle(shelf: Shelf) -> None:
    take(shelf, "refer,beginner\n", exam="toefl")
    shelf.vocabulary.add_words(["zebra"], bundle="toefl")  # as `discover --csv toefl.csv` does
    take(shelf, "refer,advanced\n", exam="toefl")
    assert sizes(shelf) == {"toefl_beginner": 0, "toefl_intermediate": 0, "toefl_advanced": 1, "toefl": 1}
    with pytest.raises(InvalidInput, match="already"):
        take(shelf, "refer\n", exam="toefl")


def test_words_of_an_exams_bundle_can_be_named_and_others_cannot_join_it(shelf: Shelf) -> None:
    take(shelf, "refer\nmatter\nzebra\n", exam="toefl")
    before = snapshot(shelf)
    found = shelf.vocabulary.add_words(["Zebra", "refer", "zebra"], bundle="toefl")
    assert [word.text for word in found] == ["zebra", "refer"]
    with pytest.raises(InvalidInput, match="lacks 'emu'"):
        shelf.vocabulary.add_words(["refer", "emu"], bundle="toefl")
    assert snapshot(shelf) == before


@pytest.mark.parametrize("name", ["", "  ", "../x", "a/b", "ünit", "x" * 81, "\u202etoefl", "-x", "a;b"])
def test_a_name_that_cannot_be_one_is_refused(shelf: Shelf, name: str) -> None:
    with pytest.raises(InvalidInput, match="cannot name"):
        take(shelf, "refer\n", exam=name)


def test_names_from_people_and_files() -> None:
    assert checked_name(" TOEFL Beginner ") == "toefl_beginner"
    assert name_from("C:\\lists\\Unit 12 (words).csv") == "unit_12_words"
    assert name_from("../../") == "words"
    assert name_from("x" * 300 + ".csv") == "x" * 80


def test_a_large_list_goes_in_and_out_whole(shelf: Shelf) -> None:
    names = [f"{a}{b}{c}" for a in "bcdfghjklm" for b in "aeiou" for c in "npqrstvwxyz"][:1200]
    report = take(shelf, "\n".join(["word,level", *(f"{name},beginner" for name in names)]))
    assert report.accepted == len(names) == len(set(names)) == 550
    assert texts(shelf, "toefl_beginner") == names
