"""Sentences, and where clips begin and end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.model.transcripts import TimedBy, WordTiming
from core.rules.sentences import clip_bounds, split_sentences


def say(text: str, start_s: float = 0.0, word_s: float = 0.3, gap_s: float = 0.05, stops: float = 0.4) -> list[WordTiming]:
    words, at_s = [], start_s
    for token in text.split():
        words.append(WordTiming(token, at_s, at_s + word_s, None, TimedBy.ALIGNMENT))
        at_s += word_s + (stops if token[-1] in ".!?" else gap_s)
    return words


def texts(words: list[WordTiming], cue_ends_s: tuple[float, ...] = ()) -> list[str]:
    return [" ".join(w.text for w in words[first:end]) for first, end in split_sentences(words, cue_ends_s)]


def test_marks_end_sentences_but_abbreviations_do_not() -> None:
    words = say('Mr. Smith, of the U.S. Navy, came. "Did he?" Yes... well... he did')
    assert texts(words) == ["Mr. Smith, of the U.S. Navy, came.", '"Did he?"', "Yes... well... he did"]


def test_pauses_end_sentences() -> None:
    words = say("one two") + say("three", 3.0)
    assert texts(words) == ["one two", "three"]
    words = say("one two") + say("three", 1.3)
    assert texts(words) == ["one two three"]
    assert texts(words, (0.7,)) == ["one two", "three"]


def test_no_words() -> None:
    assert split_sentences([]) == ()


def test_a_clip_is_a_whole_sentence_with_a_breath_around() -> None:
    words = say("One more thing came first. The quick brown fox jumps over the old dog. Then it slept for long.")
    sentences = split_sentences(words)
    span = clip_bounds(words, sentences, 7)
    first, end = sentences[1]
    assert words[first - 1].end_s < span.start_s < words[first].start_s
    assert words[end - 1].end_s < span.end_s < words[end].start_s


def test_a_short_sentence_gets_its_nearer_neighbour() -> None:
    words = say("A long sentence stands here first of all.") + say("Stop!", 5.0) + say("And the story goes on for a while.", 5.5)
    sentences = split_sentences(words)
    assert len(sentences) == 3
    span = clip_bounds(words, sentences, 8)
    assert 4.0 < span.start_s < 5.0 and span.end_s > words[-1].end_s


def test_a_long_sentence_is_cut_at_a_clause() -> None:
    text = ", ".join(["so many words that nobody can hold them all"] * 6)
    words = say(text, word_s=0.4, gap_s=0.1)
    span = clip_bounds(words, split_sentences(words), 20)
    assert 5 < span.duration_s <= 15
    inside = [w for w in words if span.start_s <= w.start_s and w.end_s <= span.end_s]
    assert inside[0].text == "so" and inside[-1].text.startswith("all")
    assert words[20] in inside


def test_scene_cut_near_the_bound_is_taken() -> None:
    words = say("He sat down on the chair and read. Nobody came to see him there today.")
    sentences = split_sentences(words)
    end = sentences[0][1]
    cut_s = words[end - 1].end_s + 0.12
    assert clip_bounds(words, sentences, 2, scene_cuts_s=(1.0, cut_s, 9.0)).end_s == pytest.approx(cut_s)


def test_one_word_in_a_silent_film_lasts_at_least_a_second() -> None:
    words = say("Yes.", start_s=10)
    span = clip_bounds(words, ((0, 1),), 0, media_end_s=60)
    assert span.duration_s >= 1.0 and span.start_s < 10 and span.end_s > 10.3


rows = st.lists(
    st.tuples(st.sampled_from(["yes", "no.", "well,", "it", "go!", "Mr.", "so…"]), st.floats(0, 3), st.floats(0.05, 1.5)),
    min_size=1,
    max_size=60,
)


@given(rows, st.data())
def test_a_clip_never_cuts_a_word_and_keeps_its_limits(given_rows: list[tuple[str, float, float]], data: st.DataObject) -> None:
    words, at_s = [], 0.0
    for text, gap_s, length_s in given_rows:
        words.append(WordTiming(text, at_s + gap_s, at_s + gap_s + length_s, None, TimedBy.ALIGNMENT))
        at_s += gap_s + length_s
    sentences = split_sentences(words)
    assert [index for first, end in sentences for index in range(first, end)] == list(range(len(words)))
    occurrence = data.draw(st.integers(0, len(words) - 1))
    cuts_s = data.draw(st.lists(st.floats(0, 60), max_size=4))
    span = clip_bounds(words, sentences, occurrence, scene_cuts_s=cuts_s, media_end_s=at_s + 2)
    assert span.duration_s <= 15 + 1e-6
    assert span.start_s >= 0 and span.end_s <= at_s + 2 + 1e-6
    assert span.start_s <= words[occurrence].start_s + 1e-6 and words[occurrence].end_s <= span.end_s + 1e-6
    if span.duration_s >= 1.0 + 1e-6:
        for word in words:
            overlap_s = min(word.end_s, span.end_s) - max(word.start_s, span.start_s)
            assert overlap_s <= 1e-6 or overlap_s >= word.end_s - word.start_s - 1e-6, f"{word} is cut by {span}"
