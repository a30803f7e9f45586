"""Forced alignment with PocketSphinx, whose wheel carries the acoustic model: when exactly known words are said.

Every window is aligned twice, as it sounds and with its steady noise subtracted. A word is moved only where both agree,
the acoustic score is no outlier, the sound there stands out of its surroundings, and a neighbour was found as well.
Measured: `benchmarks/alignment.py`; why so: `docs/decisions/0007-word-times.md`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from core.adapters.alignment_search import AlignedPart, AlignmentSearch, load_search
from core.adapters.pronunciation_espeak import SoundedPart, sound_out
from core.adapters.sound_av import LOUDNESS_HOP_S, SAMPLE_RATE_HZ, measure_loudness, read_pcm
from core.adapters.sound_filter import MILD, STRONG, add_floor, subtract_noise
from core.model.transcripts import TimedBy, WordTiming
from core.rules.word_timing import (
    NO_SOUND,
    SEARCH_S,
    AlignmentWindow,
    find_timing_faults,
    fit_between,
    group_windows,
    is_plausible_length,
    repair_order,
)
from core.timing import Span

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LANGUAGES = ("en",)

MAX_DISAGREEMENT_S = 0.05
"""How far the two alignments of a word may differ at either end."""

MIN_SCORE = -85.0
"""Mean score a frame. Words really said score about -35 (clean), -46 and -54 (noise, music at 10 dB); words not said -94."""

MIN_PHONE_SCORE = -150.0

GOOD_WINDOW_SCORE = -80.0
"""A window whose words score better than this on average holds its text: single words in it may fit badly (a robot's voice does)."""

MIN_SCORES_IN_GOOD_WINDOW = (-130.0, -260.0)
MIN_ABOVE_FLOOR_DB = 4.0
MIN_LEVEL_DB = -62.0
MIN_FOUND_RATIO = 0.4
"""Of a window's words; fewer, and the text is not what is said there, so that single hits are chance."""

MAX_MOVE_S = {TimedBy.CAPTION: 6.0, TimedBy.RECOGNITION: 0.7, TimedBy.ALIGNMENT: 0.5, TimedBy.VOICE: 0.5}
"""A word timed by the voice itself bears witness for its neighbours, and keeps its own times."""
SURE = (TimedBy.ALIGNMENT, TimedBy.VOICE)
RETRY_MARGIN_S = 1.5
BLOCK_S = 300.0
"""Sound is read in blocks of about this length, so that a whole film does not have to fit into memory."""


@dataclass(frozen=True, slots=True)
class _Found:
    """Where one word was found, on the media's clock."""

    start_s: float
    end_s: float
    score: float
    worst_phone: float


@dataclass(frozen=True, slots=True)
class PocketSphinxAligner:
    """`ports.Aligner` for English. Keeps nothing between calls but the loaded model, which belongs to the process."""

    def align(self, media_path: Path, words: Sequence[WordTiming], *, language: str) -> tuple[WordTiming, ...]:
        """See `ports.Aligner.align`. A language other than English leaves every word as it is.

        Raises: MediaError, ModelMissing.
        """
        if not words or not language.lower().startswith(LANGUAGES):
            return tuple(words)
        search = load_search()
        sound = _SoundReader(media_path)
        parts = [sound_out(word.text, search.is_known) for word in words]
        aligned = [
            replace(word, is_pronunciation_guessed=any(part.is_guessed for part in own)) for word, own in zip(words, parts, strict=True)
        ]
        silences: list[Span] = []
        for window in group_windows(words, float("inf")):
            found = _align_window(search, sound, window, words, parts)
            for index, place in found.items():
                if window.first <= index < window.end and words[index].timed_by is not TimedBy.VOICE:
                    aligned[index] = replace(aligned[index], start_s=place.start_s, end_s=place.end_s, timed_by=TimedBy.ALIGNMENT, fault="")
            silences += _silent_words(sound, window, words, found)
        return _settle(aligned, silences)


def _settle(aligned: Sequence[WordTiming], silences: Sequence[Span]) -> tuple[WordTiming, ...]:
    """Put the words that were not moved between those that were, in order, and mark what looks wrong."""
    silent = {(span.start_s, span.end_s) for span in silences}
    marked = [
        replace(word, fault=NO_SOUND) if word.timed_by not in SURE and (word.start_s, word.end_s) in silent else word
        for word in aligned
    ]
    return find_timing_faults(repair_order(fit_between(marked)))


def _align_window(
    search: AlignmentSearch,
    sound: _SoundReader,
    window: AlignmentWindow,
    words: Sequence[WordTiming],
    parts: Sequence[tuple[SoundedPart, ...]],
) -> dict[int, _Found]:
    """Index of the word → where it is said, for those words of the window, context included, that can be trusted."""
    indices = [index for index in range(window.context_first, window.context_end) if parts[index]]
    for margin_s in (0.0, RETRY_MARGIN_S):
        start_s = max(0.0, window.start_s - margin_s)
        pcm = sound.read(start_s, window.end_s + margin_s)
        first = _find_words(search, add_floor(pcm), indices, parts, start_s)
        if first is None:
            continue
        second = None
        for strength in (STRONG, MILD):
            if second is None:
                second = _find_words(search, add_floor(subtract_noise(pcm, strength)), indices, parts, start_s)
        if second is None:
            continue
        agreed = _agreed(indices, first, second, words)
        trusted = _trusted(indices, agreed, measure_loudness(pcm), start_s, words, limits=_limits(first))
        if len(trusted) >= MIN_FOUND_RATIO * len(indices):
            return trusted
    return {}


def _find_words(
    search: AlignmentSearch, pcm: NDArray[np.int16], indices: Sequence[int], parts: Sequence[tuple[SoundedPart, ...]], start_s: float
) -> dict[int, _Found] | None:
    found = search.find(pcm, [part for index in indices for part in parts[index]])
    if found is None:
        return None
    places: dict[int, _Found] = {}
    at = 0
    for index in indices:
        own = found[at : at + len(parts[index])]
        at += len(own)
        places[index] = _as_word(own, start_s)
    return places


def _as_word(own: Sequence[AlignedPart], start_s: float) -> _Found:
    frames = [part.end_s - part.start_s for part in own]
    score = sum(part.score * length for part, length in zip(own, frames, strict=True)) / max(1e-6, sum(frames))
    return _Found(start_s + own[0].start_s, start_s + own[-1].end_s, score, min(part.worst_phone for part in own))


def _agreed(indices: Sequence[int], first: dict[int, _Found], second: dict[int, _Found], words: Sequence[WordTiming]) -> dict[int, _Found]:
    """Words that both alignments put in the same place, at the mean of the two, and not too far from where they were."""
    agreed: dict[int, _Found] = {}
    for index in indices:
        one, two, word = first[index], second[index], words[index]
        place = replace(one, start_s=(one.start_s + two.start_s) / 2, end_s=(one.end_s + two.end_s) / 2)
        is_same = max(abs(one.start_s - two.start_s), abs(one.end_s - two.end_s)) <= MAX_DISAGREEMENT_S + 1e-6
        if is_same and abs(place.start_s - word.start_s) <= MAX_MOVE_S[word.timed_by]:
            agreed[index] = place
    return agreed


def _limits(found: dict[int, _Found]) -> tuple[float, float]:
    """The lowest score of a word and of its worst phone that are accepted in this window."""
    length_s = sum(place.end_s - place.start_s for place in found.values())
    mean = sum(place.score * (place.end_s - place.start_s) for place in found.values()) / max(1e-6, length_s)
    return MIN_SCORES_IN_GOOD_WINDOW if len(found) > 2 and mean >= GOOD_WINDOW_SCORE else (MIN_SCORE, MIN_PHONE_SCORE)


def _trusted(
    indices: Sequence[int],
    agreed: dict[int, _Found],
    loudness_db: NDArray[np.float64],
    start_s: float,
    words: Sequence[WordTiming],
    *,
    limits: tuple[float, float],
) -> dict[int, _Found]:
    """Those whose score, length and sound are as they should be, and that do not stand alone."""
    import numpy as np

    floor_db = max(MIN_LEVEL_DB, float(np.percentile(loudness_db, 10))) if len(loudness_db) else 0.0
    good: dict[int, _Found] = {}
    for index, place in agreed.items():
        low, high = int((place.start_s - start_s) / LOUDNESS_HOP_S), int((place.end_s - start_s) / LOUDNESS_HOP_S)
        level = loudness_db[max(0, low) : high]
        is_loud = len(level) > 0 and float(np.percentile(level, 80)) >= floor_db + MIN_ABOVE_FLOOR_DB
        is_fit = place.score >= limits[0] and place.worst_phone >= limits[1]
        if is_loud and is_fit and is_plausible_length(words[index].text, place.end_s - place.start_s):
            good[index] = place
    neighbours = {index: (before, after) for before, index, after in zip([-1, *indices], indices, [*indices[1:], -1], strict=False)}
    return {index: place for index, place in good.items() if len(indices) == 1 or any(other in good for other in neighbours[index])}


def _silent_words(sound: _SoundReader, window: AlignmentWindow, words: Sequence[WordTiming], found: dict[int, _Found]) -> list[Span]:
    """Where words of the window that were not found stand, if nothing sounds there nor as far around as they may really be."""
    import numpy as np

    silent = []
    for word in (words[index] for index in range(window.first, window.end) if index not in found):
        margin_s = SEARCH_S[word.timed_by] / 2
        start_s, end_s = max(0.0, word.start_s - margin_s), word.end_s + margin_s
        loudness_db = measure_loudness(sound.read(start_s, end_s))
        if len(loudness_db) == 0 or float(np.percentile(loudness_db, 95)) < MIN_LEVEL_DB:
            silent.append(Span(word.start_s, max(word.start_s, word.end_s)))
    return silent


class _SoundReader:
    """Sound of one file, read a block at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._block: NDArray[np.int16] | None = None
        self._start_s = 0.0
        self._end_s = 0.0

    def read(self, start_s: float, end_s: float) -> NDArray[np.int16]:
        """Samples of `[start_s, end_s)`, fewer where the file ends. Raises: MediaError."""
        start_s = max(0.0, start_s)
        if self._block is None or start_s < self._start_s or end_s > self._end_s:
            self._start_s = max(0.0, start_s - 2 * RETRY_MARGIN_S)
            self._end_s = max(end_s, self._start_s + BLOCK_S)
            self._block = _without_tail(read_pcm(self._path, self._start_s, self._end_s))
        first = round((start_s - self._start_s) * SAMPLE_RATE_HZ)
        return self._block[first : round((end_s - self._start_s) * SAMPLE_RATE_HZ)]


def _without_tail(pcm: NDArray[np.int16]) -> NDArray[np.int16]:
    """Without the zeros after the last sound: the file may have ended there."""
    import numpy as np

    sounding = np.flatnonzero(pcm)
    return pcm[: int(sounding[-1]) + 1] if len(sounding) else pcm[:0]
