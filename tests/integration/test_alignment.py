"""Word times on real speech with known truth: from caption-style times to the sound's own, and never worse unnoticed.

`python -m benchmarks.alignment` prints the numbers behind these bounds.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from core.adapters import voice_espeak
from core.adapters.aligner_pocketsphinx import PocketSphinxAligner
from core.adapters.isolated import IsolatedPool
from core.adapters.sound_av import SAMPLE_RATE_HZ, read_pcm
from core.model.transcripts import Cue, TimedBy, WordTiming
from core.rules.word_timing import spread_over_cue
from tests.models.spoken_truth import Utterance, boundary_errors, composite, mixed, require_media, utterances, write_wav

pytestmark = pytest.mark.timeout(300)
ALIGNER = PocketSphinxAligner()


def speak(text: str, **options: int) -> voice_espeak.SpokenLine:
    """The voice in a process of its own: it carries state from line to line, and a test must hear the same line every time."""
    with IsolatedPool(1) as pool:
        return pool.run(voice_espeak.speak, text, **options)  # type: ignore[arg-type]


def align(path: Path, words: tuple[WordTiming, ...]) -> tuple[WordTiming, ...]:
    aligned = ALIGNER.align(path, words, language="en")
    assert [w.text for w in aligned] == [w.text for w in words]
    assert all(a.end_s <= b.start_s + 1e-6 for a, b in pairwise(aligned))
    return aligned


def measure(members: list[Utterance], kind: str, folder: Path) -> tuple[float, float, float]:
    """The share of words that were aligned; the 90th percentile of their errors; the same over all words, in seconds."""
    rows = [row for u in members for row in boundary_errors(align(mixed(u, kind, folder), u.caption_words), u.truth)]
    aligned = [error for word, *errors in rows if word.timed_by is TimedBy.ALIGNMENT for error in errors]
    n_words = sum(len(u.caption_words) for u in members)
    return len(aligned) / 2 / n_words, float(np.percentile(aligned, 90)), float(np.percentile([e for _, *es in rows for e in es], 90))


@pytest.mark.parametrize(
    ("timing", "kind", "min_ratio", "p90_s"),
    [
        ("hand", "clean", 0.9, 0.06),
        ("hand", "noise", 0.4, 0.06),
        ("hand", "music", 0.7, 0.06),
        ("machine", "clean", 0.7, 0.1),
        ("machine", "noise", 0.4, 0.1),
        ("machine", "music", 0.5, 0.1),
    ],
)
def test_recorded_speech(timing: str, kind: str, min_ratio: float, p90_s: float, tmp_path: Path) -> None:
    members = [u for u in utterances() if u.timing == timing]
    if kind != "clean" and timing == "machine":
        members = members[::3]
    ratio, aligned_p90_s, _ = measure(members, kind, tmp_path)
    assert ratio >= min_ratio
    assert aligned_p90_s <= p90_s


@pytest.mark.parametrize("kind", ["clean", "noise", "music"])
def test_film_with_captions(kind: str, tmp_path: Path) -> None:
    ratio, aligned_p90_s, all_p90_s = measure([composite()], kind, tmp_path)
    assert aligned_p90_s <= 0.1
    assert ratio >= {"clean": 0.95, "noise": 0.6, "music": 0.8}[kind]
    if kind == "clean":
        assert all_p90_s <= 0.1


@pytest.mark.parametrize("kind", ["noise", "music"])
def test_good_times_are_not_replaced_by_worse_ones(kind: str, tmp_path: Path) -> None:
    """Words that start at the truth: those said to be aligned are still right, the others keep what they had."""
    film = composite()
    truth = boundary_errors(film.caption_words, film.truth)
    at, good = 0, []
    for word, *_ in truth:
        n = len([part for part in word.text.replace("-", " ").split() if any(map(str.isalnum, part))])
        good.append(replace(word, start_s=film.truth[at][1], end_s=film.truth[at + n - 1][2], timed_by=TimedBy.RECOGNITION))
        at += n
    aligned = align(mixed(film, kind, tmp_path), tuple(good))
    for before, after in zip(good, aligned, strict=True):
        if after.timed_by is TimedBy.RECOGNITION:
            assert after.start_s == pytest.approx(before.start_s, abs=0.15)
    errors = [error for word, *errors in boundary_errors(aligned, film.truth) if word.timed_by is TimedBy.ALIGNMENT for error in errors]
    assert np.percentile(errors, 90) <= 0.1


@pytest.mark.parametrize("off_s", [-0.9, 0.9])
def test_captions_that_are_almost_a_second_off(off_s: float, tmp_path: Path) -> None:
    film = composite()
    late = replace(film, cues=tuple(Cue(max(0.0, c.start_s + off_s), c.end_s + off_s, c.text) for c in film.cues))
    ratio, aligned_p90_s, _ = measure([late], "clean", tmp_path)
    assert ratio >= 0.85 and aligned_p90_s <= 0.1


def test_a_word_corrected_among_those_that_the_voice_timed(tmp_path: Path) -> None:
    spoken = speak("There was a misunderstanding. You said seven in the morning, and I thought you meant seven at night.")
    path = write_wav(tmp_path / "voice.wav", spoken.pcm, spoken.sample_rate_hz)
    known = tuple(WordTiming(word.text, word.start_s, word.end_s, None, TimedBy.VOICE) for word in spoken.words)
    changed = known[8]
    text = (*known[:8], replace(changed, timed_by=TimedBy.CAPTION), *known[9:])
    aligned = align(path, text)
    assert [word.timed_by for word in aligned].count(TimedBy.VOICE) == len(known) - 1
    for index, (one, two) in enumerate(zip(aligned, known, strict=True)):
        may_move_s = 0.03 if index in (7, 9) else 0.1 if two is changed else 0.0  # a neighbour may give way by a frame
        assert abs(one.start_s - two.start_s) <= may_move_s and abs(one.end_s - two.end_s) <= may_move_s
    assert not any(word.fault for word in aligned)


def test_words_that_are_not_said_keep_their_times() -> None:
    """The text of one recording on the sound of another."""
    members = [u for u in utterances() if u.duration_s < 12]
    moved = total = 0
    for text, sound in zip(members[:10], members[5:15], strict=True):
        words = align(sound.path, text.caption_words)
        moved += sum(w.timed_by is TimedBy.ALIGNMENT for w in words)
        total += len(words)
    assert moved / total <= 0.03


def test_silence_and_a_caption_in_it(tmp_path: Path) -> None:
    words = spread_over_cue(Cue(1.0, 3.0, "Nobody says these words."))
    path = write_wav(tmp_path / "silence.wav", np.zeros(5 * SAMPLE_RATE_HZ, np.int16))
    aligned = align(path, words)
    assert [(w.start_s, w.end_s, w.timed_by, w.fault) for w in aligned] == [
        (w.start_s, w.end_s, TimedBy.CAPTION, "no_sound") for w in words
    ]


def test_words_that_the_dictionary_lacks(tmp_path: Path) -> None:
    """Sounded out by espeak-ng, hyphens split, marked, with times against espeak-ng's own word events."""
    line = speak("The vexilloid stood near a well-known Quorndonian café with 12 tables, they say.", rate_wpm=140)
    path = write_wav(tmp_path / "line.wav", line.pcm, line.sample_rate_hz)
    words = spread_over_cue(Cue(0.2, line.duration_s, " ".join(w.text for w in line.words)))
    aligned = align(path, words)
    guessed = {w.text for w in aligned if w.is_pronunciation_guessed}
    assert {"vexilloid", "Quorndonian", "café", "12"} <= guessed and "well-known" not in guessed
    found = [(w, max(abs(w.start_s - t.start_s), abs(w.end_s - t.end_s))) for w, t in zip(aligned, line.words, strict=True)]
    errors = [error for w, error in found if w.timed_by is TimedBy.ALIGNMENT]
    assert len(errors) >= 0.6 * len(found)
    assert np.percentile(errors, 90) <= 0.1


@pytest.mark.parametrize(
    "text", ["\x00 \udc80 hello", "日本 語", "x" * 5000, "(1) <s> </s> [NOISE] ++", "... — & %", "a" + "-b" * 400, "~N-AY (2) the(2)"]
)
def test_odd_text_never_raises(text: str, tmp_path: Path) -> None:
    line = speak("Hello there, my old friend.")
    path = write_wav(tmp_path / "line.wav", line.pcm, line.sample_rate_hz)
    words = tuple(WordTiming(token, n * 0.1, n * 0.1 + 0.1, None, TimedBy.CAPTION) for n, token in enumerate(text.split()))
    align(path, words)


def test_a_long_film_is_read_in_blocks_and_a_bad_window_spoils_no_other(tmp_path: Path) -> None:
    """Eleven minutes, speech at both ends, and a caption in the middle that nobody says."""
    line = speak("The curious traveller described an enormous bridge.")
    part = read_pcm(write_wav(tmp_path / "part.wav", line.pcm, line.sample_rate_hz))
    pcm = np.zeros(660 * SAMPLE_RATE_HZ, np.int16)
    for at_s in (3, 650):
        pcm[at_s * SAMPLE_RATE_HZ : at_s * SAMPLE_RATE_HZ + len(part)] = part
    path = write_wav(tmp_path / "film.wav", pcm)
    text = " ".join(w.text for w in line.words)
    cues = [Cue(at_s + 0.3, at_s + 0.3 + line.duration_s, text) for at_s in (3, 300, 650)]
    aligned = align(path, tuple(word for cue in cues for word in spread_over_cue(cue)))
    n = len(line.words)
    for at_s, own in ((3, aligned[:n]), (650, aligned[2 * n :])):
        errors = [abs(w.start_s - at_s - t.start_s) for w, t in zip(own, line.words, strict=True) if w.timed_by is TimedBy.ALIGNMENT]
        assert len(errors) >= 0.7 * n and max(errors) <= 0.1
    assert {w.timed_by for w in aligned[n : 2 * n]} == {TimedBy.CAPTION} and {w.fault for w in aligned[n : 2 * n]} == {"no_sound"}


def test_sound_is_on_the_clock_of_its_film() -> None:
    """A part read from the middle is the part of the whole, to the sample or two."""
    film = require_media() / "video" / "composite_popeye_ljspeech.mp4"
    whole = read_pcm(film).astype(float)
    part = read_pcm(film, 22.4, 24.4).astype(float)
    assert len(part) == 2 * SAMPLE_RATE_HZ
    at = round(22.4 * SAMPLE_RATE_HZ)
    lags = range(-20, 21)
    fits = [float(np.dot(whole[at + lag : at + lag + len(part)], part)) for lag in lags]
    assert abs(list(lags)[int(np.argmax(fits))]) <= 2
