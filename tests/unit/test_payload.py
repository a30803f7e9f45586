from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.model.clips import Clip, FilmFacts, Source
from core.model.exports import WordMapping
from core.model.media import MediaFacts, VideoStream
from core.model.transcripts import Segment, TimedBy, Transcript, WordTiming
from core.rules.payload import (
    VISIBLE_LIMIT_BYTES,
    content_digest,
    encoded_size,
    export_name,
    item_head,
    item_problems,
    payload_size,
    source_id_problems,
    split_batches,
    video_item,
)
from tests.loopback.items import bare_item

WORDS = (WordTiming("I", 0.1, 0.2, None, TimedBy.CAPTION), WordTiming("refer", 0.2, 0.6104, 0.98765, TimedBy.ALIGNMENT))
TRANSCRIPT = Transcript("t", "m", "captions", "", "en", "I refer", (Segment(0.1, 0.6, "I refer"),), WORDS, False)
CLIP = Clip(7, "so-good", Source.LIBRARY, "So good", FilmFacts("Popeye", 1936), "m", "f", 0, 3, "I refer", "", (), "t", False)
FACTS = MediaFacts("ab" * 32, 1234, "mp4", 3.21, VideoStream("h264", 640, 360, 25, Fraction(1, 12800)), None)


def make(**changes):
    mappings = (WordMapping("refer", "en", 0.9, "metadata", 0.2),)
    return video_item(clip=replace(CLIP, **changes), facts=FACTS, path=Path("a.mp4"), transcript=TRANSCRIPT, mappings=mappings)


def test_an_item_says_what_the_contract_names():
    item = make()
    assert item.whisper_metadata["words"] == [
        {"word": "I", "start": 0.1, "end": 0.2},
        {"word": "refer", "start": 0.2, "end": 0.61, "confidence": 0.9877},
    ]
    assert item.whisper_metadata["word_timestamps"] == [{"word": "refer", "learning_language": "en", "timestamp": 0.2}]
    assert (item.metadata["movie_year"], item.metadata["resolution"], item.metadata["duration_seconds"]) == (1936, "640x360", 3.21)
    assert item.size_bytes == 1234
    assert item.audio_transcript_verified is False
    assert item_problems(item) == ()
    sent = json.loads(item_head(item) + b'QQ=="}')
    assert list(sent["word_mappings"][0]) == ["word", "learning_language", "relevance_score", "transcript_source", "timestamp"]
    assert set(sent) == {
        "slug",
        "name",
        "format",
        "video_data_base64",
        "size_bytes",
        "transcript",
        "audio_transcript",
        "audio_transcript_verified",
        "whisper_metadata",
        "metadata",
        "word_mappings",
    }


def test_an_unknown_year_is_null():
    assert make(film=FilmFacts()).metadata["movie_year"] is None


def test_the_name_changes_with_bytes_text_and_times_and_with_nothing_else():
    digest = content_digest("I refer", WORDS)
    name = export_name("so-good", "ab" * 32, digest)
    assert name == export_name("so-good", "ab" * 32, content_digest("I refer", WORDS))
    assert name.startswith("so-good-")
    later = (WORDS[0], replace(WORDS[1], end_s=0.7))
    others = {
        export_name("so-good", "cd" * 32, digest),
        export_name("so-good", "ab" * 32, content_digest("I refers", WORDS)),
        export_name("so-good", "ab" * 32, content_digest("I refer", later)),
        export_name("so good", "ab" * 32, digest),
    }
    assert len(others | {name}) == 5
    assert content_digest("I refer", (WORDS[0], replace(WORDS[1], probability=0.1))) == digest


@given(st.text(max_size=400))
def test_a_name_is_safe_for_any_slug(slug):
    name = export_name(slug.encode("utf-8", "replace").decode(), "ab", "cd")
    assert 0 < len(name) <= 255
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-_")
    assert not name.startswith("-")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"name": "n" * 256}, "256"),
        ({"name": " "}, "name is empty"),
        ({"format": "f" * 11}, "format"),
        ({"size_bytes": 0}, "empty"),
        ({"size_bytes": VISIBLE_LIMIT_BYTES + 1}, "learners"),
        ({"audio_transcript": ""}, "spoken text"),
        ({"audio_transcript": "a\x00b"}, "NUL"),
        ({"transcript": "\ud800"}, "Unicode"),
        ({"metadata": {"deep": [{"in\x00": 1}]}}, "NUL"),
        ({"metadata": {"movie_year": "1936"}}, "movie_year"),
        ({"metadata": {"movie_year": True}}, "movie_year"),
        ({"whisper_metadata": {"words": [{"start": float("nan")}]}}, "nan"),
        ({"word_mappings": ()}, "no word"),
        ({"word_mappings": (WordMapping("w", "en", 1.01, "audio"),)}, "between 0 and 1"),
        ({"word_mappings": (WordMapping("w", "en", float("nan"), "audio"),)}, "between 0 and 1"),
        ({"word_mappings": (WordMapping("w", "e" * 11, 1, "audio"),)}, "learning_language"),
        ({"word_mappings": (WordMapping("w", "en", 1, "sound"),)}, "transcript_source"),
        ({"word_mappings": (WordMapping("w", "en", 1, "audio"), WordMapping("w", "en", 0.5, "audio"))}, "twice"),
    ],
)
def test_what_the_backend_would_refuse_or_hide_is_named(changes, expected):
    problems = item_problems(replace(bare_item("a"), **changes))
    assert any(expected in problem for problem in problems), problems


def test_a_good_item_and_a_retraction_have_no_problem():
    assert item_problems(bare_item("a")) == ()
    assert item_problems(bare_item("a", score=0.0)) == ()
    assert item_problems(bare_item("a", size_bytes=VISIBLE_LIMIT_BYTES)) == ()


def test_a_source_id_has_a_length():
    assert source_id_problems("wordreel-1") == ()
    assert source_id_problems("s" * 101)
    assert source_id_problems("")


@given(st.lists(st.integers(1, 3000), max_size=30), st.integers(1000, 9000))
def test_batches_hold_every_item_once_in_order_and_keep_the_limit(sizes, limit):
    items = [bare_item(f"clip-{i}", size_bytes=size) for i, size in enumerate(sizes)]
    batches = list(split_batches(items, limit_bytes=limit))
    assert [item for batch in batches for item in batch] == items
    for batch in batches:
        assert len(batch) == 1 or sum(encoded_size(item) + 1 for item in batch) <= limit
    for batch, following in zip(batches, batches[1:], strict=False):
        assert sum(encoded_size(item) + 1 for item in (*batch, following[0])) > limit


def test_the_size_of_nothing():
    assert payload_size("s", []) == len(b'{"source_id":"s","videos":[]}')
