"""espeak-ng's voice: its word times must fit its own sound."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from core.adapters.espeak_library import load_espeak
from core.adapters.voice_espeak import speak
from core.errors import ProviderError

TEXT = "Hello, the well-known lamp in 1994 — and it's one of a kind, out of the box. Another café costs $1,000,000!"


def test_every_sayable_token_is_a_word_in_order() -> None:
    line = speak(TEXT)
    assert [word.text for word in line.words] == [token for token in TEXT.split() if token != "—"]
    starts = [word.start_s for word in line.words]
    assert starts == sorted(starts)
    assert all(earlier.end_s <= later.start_s + 1e-9 for earlier, later in zip(line.words, line.words[1:], strict=False))
    assert all(0.02 < word.end_s - word.start_s < 3 for word in line.words)
    assert line.words[-1].end_s <= line.duration_s


def test_sound_is_in_the_words_and_silence_in_the_pause() -> None:
    line = speak("Tomatoes. Potatoes.")
    assert line.pcm.dtype == np.int16 and line.sample_rate_hz == 22050
    first, second = line.words

    def rms(start_s: float, end_s: float) -> float:
        part = line.pcm[int(start_s * line.sample_rate_hz) : int(end_s * line.sample_rate_hz)].astype(float)
        return float(np.sqrt(np.mean(part**2)))

    assert second.start_s - first.end_s > 0.2
    assert rms(first.start_s, first.end_s) > 1000
    assert rms(first.end_s + 0.06, second.start_s - 0.02) < 20


def test_rate_changes_the_length() -> None:
    assert speak("one two three four", rate_wpm=100).duration_s > 1.3 * speak("one two three four", rate_wpm=200).duration_s


def test_repeated_calls_and_threads_agree() -> None:
    expected = speak(TEXT)
    with ThreadPoolExecutor(4) as pool:
        lines = list(pool.map(speak, [TEXT] * 8))
    for line in lines:
        assert [word.text for word in line.words] == [word.text for word in expected.words]
        assert line.duration_s == pytest.approx(expected.duration_s, abs=0.03)
        assert [word.start_s for word in line.words] == pytest.approx([word.start_s for word in expected.words], abs=0.03)
        assert line.words[-1].end_s <= line.duration_s


@pytest.mark.parametrize("text", ["", "   ", "—", "\x00", "\udc80", "<speak>", "[[h@l'oU]]", "日本"])
def test_odd_text_does_not_raise(text: str) -> None:
    line = speak(text)
    assert len(line.words) <= len(text.split())


def test_unknown_voice_is_named() -> None:
    with pytest.raises(ProviderError, match="no-such-voice"):
        speak("hello", voice="no-such-voice")


def test_phonemes_are_separated() -> None:
    assert load_espeak().phonemes("hello world", voice="en-us") == "h_ə_l_ˈoʊ w_ˈɜː_l_d"
    assert load_espeak().phonemes("", voice="en-us") == ""
