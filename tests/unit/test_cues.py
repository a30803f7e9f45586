"""Captions: what real files hold, and the round trip."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.model.transcripts import Cue
from core.rules.cues import parse_captions, spoken_cues, spoken_text, write_srt, write_vtt

SRT = "1\n00:00:01,000 --> 00:00:02,500\nHello <i>there</i>,\nfriend.\n\n2\n00:00:03,000 --> 00:00:04,000\n{\\an8}AT&amp;T &lt;3\n"
WANTED = (Cue(1.0, 2.5, "Hello there,\nfriend."), Cue(3.0, 4.0, "AT&T <3"))


@pytest.mark.parametrize(
    "data",
    [
        SRT.encode(),
        b"\xef\xbb\xbf" + SRT.encode(),
        SRT.replace("\n", "\r\n").encode(),
        SRT.replace("\n", "\r").encode(),
        SRT.encode("utf-16"),
        SRT.encode("utf-16-le"),
        SRT.encode("utf-16-be"),
        ("WEBVTT - a title\nKind: captions\n\nNOTE\nnot a cue\n\nSTYLE\n::cue {}\n\n" + SRT.replace(",000", ".000")).encode(),
        SRT.replace("2,500", "2,500 align:start position:0%").encode(),
        SRT.replace("\n\n2\n", "\n2\n").encode(),
        SRT.replace("\n\n2\n", "\n").encode(),
        SRT.replace("00:00:0", "0:0").encode(),
        SRT.replace("\n\n", "\n\n\n \n").encode(),
    ],
)
def test_the_same_cues_from_every_dress(data: bytes) -> None:
    cues, problems = parse_captions(data, "film.srt")
    assert cues == WANTED
    assert problems == ()


def test_malformed_blocks_are_reported_and_the_rest_is_read() -> None:
    text = "1\n00:00:01,000 --> nonsense\nlost\n\n2\n00:00:05,000 --> 00:00:04,000\nbackwards\n\n"
    text += "stray text\n\n3\n00:00:06,000 --> 00:00:07,000\nkept\n"
    cues, problems = parse_captions(text.encode(), "film.srt")
    assert cues == (Cue(6.0, 7.0, "kept"),)
    assert [problem.split(":")[0] for problem in problems] == ["film.srt, line 2", "film.srt, line 6", "film.srt, line 9"]


def test_out_of_order_is_sorted_and_overlap_is_kept() -> None:
    text = "1\n00:00:05,000 --> 00:00:08,000\nb\n\n2\n00:00:01,000 --> 00:00:06,000\na\n"
    cues, problems = parse_captions(text.encode(), "x.srt")
    assert [cue.text for cue in cues] == ["a", "b"]
    assert len(problems) == 1 and "order" in problems[0]


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b"\x00" * 50, b"WEBVTT", b"<html>", b"-->", b"1\n00:00:01,000 --> 00:00:02,000", b"\xff\xfe\x00"]
)
def test_odd_bytes_never_raise(data: bytes) -> None:
    cues, _ = parse_captions(data, "x.srt")
    assert cues == ()


def test_windows_1252_is_read_and_reported() -> None:
    cues, problems = parse_captions("1\n00:00:01,000 --> 00:00:02,000\ncafé\n".encode("cp1252"), "x.srt")
    assert cues[0].text == "café" and "Windows-1252" in problems[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[door slams] Who is there?", "Who is there?"),
        ("[a long\ndirection] Yes.", "Yes."),
        ("(sighs) Fine.", "Fine."),
        ("NAR: This is it", "This is it"),
        ("Mrs. Hall: Come in.", "Come in."),
        ("MAN 1: Run!", "Run!"),
        ("- Hello.\n- Goodbye.", "Hello. Goodbye."),
        ("-JOHN: No!\n–[laughs] Yes!", "No! Yes!"),
        ("♪ I love you ♪", "I love you"),
        ("♪♪", ""),
        ("[music]", ""),
        ("Remember: never run.", "Remember: never run."),
        ("It is 3:30 now", "It is 3:30 now"),
        ("he said: go", "he said: go"),
        ("well-known lower-case", "well-known lower-case"),
        ("H-H-Help!", "H-H-Help!"),
        (">> SPEAKER: Good evening", "Good evening"),
        ("[unclosed words", "unclosed words"),
    ],
)
def test_what_is_spoken(text: str, said: str) -> None:
    assert spoken_text(text) == said


def test_cues_in_which_nothing_is_said_are_left_out() -> None:
    assert spoken_cues([Cue(0, 1, "[squawk]"), Cue(1, 2, "JOE: Hey —")]) == (Cue(1, 2, "Hey —"),)


lines = st.text(
    st.characters(categories=("L", "N", "P", "Zs"), exclude_characters="<>&{}\\\u2028\u2029\u0085\u00ad"), min_size=1, max_size=30
)
safe = lines.map(lambda line: " ".join(line.split())).filter(lambda line: any(map(str.isalpha, line)) and "--" not in line)
cue_lists = st.lists(st.tuples(st.integers(0, 9_000_000), st.integers(1, 20_000), st.lists(safe, min_size=1, max_size=3)), max_size=8).map(
    lambda rows: sorted(
        (Cue(at / 1000, (at + length) / 1000, "\n".join(text)) for at, length, text in rows), key=lambda c: (c.start_s, c.end_s)
    )
)


@pytest.mark.parametrize("depth", [1, 8, 200_000])
def test_brackets_in_brackets_are_left_out_and_no_depth_of_them_holds_up_the_reading(depth: int) -> None:
    said = spoken_text(f"{'(' * depth}door{')' * depth} Come in.")
    assert said.endswith("Come in.") and "door" not in said
    assert said == "Come in." or depth > 8


@given(cue_lists)
def test_round_trip(cues: list[Cue]) -> None:
    for write in (write_srt, write_vtt):
        read, problems = parse_captions(write(cues).encode(), "x")
        assert problems == ()
        assert sorted((c.text, round(c.start_s, 3), round(c.end_s, 3)) for c in read) == sorted(
            (c.text, round(c.start_s, 3), round(c.end_s, 3)) for c in cues
        )


@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    cues, problems = parse_captions(data, "x")
    assert all(0 <= cue.start_s <= cue.end_s for cue in cues)
    assert all(isinstance(problem, str) and problem for problem in problems)


def test_vtt_keeps_signs_that_mean_something_in_markup() -> None:
    cues = (Cue(1.0, 2.0, "a < b & c --> {d}"),)
    assert parse_captions(write_vtt(cues).encode(), "x") == (cues, ())
