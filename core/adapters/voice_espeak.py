"""Speech made by espeak-ng, with the exact time of every word: the demo's voice, and a truth for tests."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.adapters.espeak_library import EVENT_PHONEME, EVENT_WORD, SpeechEvent, load_espeak
from core.timing import Span

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MIN_OWN_LENGTH_S = 0.005
"""A word's last phoneme that is shorter than this is a nasal or liquid that is heard inside the next word's vowel."""


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """One word as written in the text, punctuation attached, and when it is said: `[start_s, end_s)`."""

    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True, eq=False)
class SpokenLine:
    """A line as spoken: 16-bit mono samples, and the words that are said in it, in order."""

    pcm: NDArray[np.int16]
    sample_rate_hz: int
    words: tuple[SpokenWord, ...]

    @property
    def duration_s(self) -> float:
        return len(self.pcm) / self.sample_rate_hz


def speak(text: str, voice: str = "en-us", rate_wpm: int = 150, pitch: int = 50) -> SpokenLine:
    """Speak a text; safe to call again and again, from any thread (calls wait for one another).

    The times belong to these very samples: a second call with the same text differs by up to a millisecond, since
    espeak-ng keeps the state of its voice. A token of `text` (split at white space) with nothing to say, such as a lone
    dash, is not among the words.

    Args:
        text: what to say, in the voice's language.
        voice: an espeak-ng voice such as `en-us`, `en-gb-x-rp`, `en-us+f3`.
        rate_wpm: 80 to 450 words a minute.
        pitch: 0 to 99.

    Raises:
        ModelMissing: espeak-ng cannot be loaded.
        ProviderError: there is no such voice, or the text could not be spoken.
    """
    import numpy as np

    synthesis = load_espeak().synthesize(text, voice=voice, rate_wpm=rate_wpm, pitch=pitch)
    pcm = np.frombuffer(synthesis.pcm, dtype=np.int16)
    tokens = [(match.group(), match.start()) for match in re.finditer(r"\S+", text)]
    spans = _token_spans(tokens, synthesis.events, synthesis.sample_rate_hz, len(pcm))
    words = tuple(SpokenWord(token, span.start_s, span.end_s) for (token, _), span in zip(tokens, spans, strict=True) if span is not None)
    return SpokenLine(pcm, synthesis.sample_rate_hz, words)


def _token_spans(tokens: list[tuple[str, int]], events: tuple[SpeechEvent, ...], rate_hz: int, n_samples: int) -> list[Span | None]:
    """When each token is said; None for one that is not."""
    said = _phonemes_by_token(tokens, events, rate_hz, n_samples)
    spans: list[Span | None] = [None] * len(tokens)
    for index, (start, end) in said.items():
        spans[index] = Span(start / rate_hz, max(start, end) / rate_hz)
    return _split_merged(tokens, spans)


def _phonemes_by_token(
    tokens: list[tuple[str, int]], events: tuple[SpeechEvent, ...], rate_hz: int, n_samples: int
) -> dict[int, tuple[int, int]]:
    """Where each token is said: its index → first and last sample.

    A word begins at its first phoneme, not at its word event: espeak-ng sets the event before the lengthening pause, and
    before the part of a vowel that still carries the nasal or liquid of the word before (`Generate` in `synthesize.c`).
    """
    token = -1
    said: dict[int, tuple[int, int]] = {}
    for position, event in enumerate(events):
        if event.type == EVENT_WORD:
            token = max(token, _token_at(tokens, event.text_index))
        elif event.type == EVENT_PHONEME and not event.is_pause and token >= 0:
            end = _end_of_phoneme(events, position, int(MIN_OWN_LENGTH_S * rate_hz), n_samples)
            start = said[token][0] if token in said else event.sample
            said[token] = (start, end)
    return said


def _end_of_phoneme(events: tuple[SpeechEvent, ...], position: int, min_length: int, n_samples: int) -> int:
    """The sample at which the phoneme at `position` ends: the next mark, or the next phoneme where that one is too near."""
    start = events[position].sample
    for later in events[position + 1 :]:
        is_near_word = later.type == EVENT_WORD and later.sample - start < min_length
        if later.type in (EVENT_WORD, EVENT_PHONEME) and not is_near_word:
            return later.sample
    return n_samples


def _token_at(tokens: list[tuple[str, int]], text_index: int) -> int:
    """Index of the token that holds the character, or of the last one before it."""
    return max((index for index, (_, start) in enumerate(tokens) if start <= text_index), default=0)


def _split_merged(tokens: list[tuple[str, int]], spans: list[Span | None]) -> list[Span | None]:
    """Share the time of a pair that espeak-ng says as one (`of a`) between its words, by letters."""
    shared = list(spans)
    for index in range(len(tokens)):
        group = [index]
        while group[-1] + 1 < len(tokens) and spans[group[-1] + 1] is None and _is_sayable(tokens[group[-1] + 1][0]):
            group.append(group[-1] + 1)
        whole = spans[index]
        if whole is None or len(group) == 1:
            continue
        n_letters = [max(1, sum(map(str.isalnum, tokens[member][0]))) for member in group]
        moment_s = whole.start_s
        for member, n in zip(group, n_letters, strict=True):
            end_s = moment_s + whole.duration_s * n / sum(n_letters)
            shared[member] = Span(moment_s, end_s)
            moment_s = end_s
    return shared


def _is_sayable(token: str) -> bool:
    return any(map(str.isalnum, token))
