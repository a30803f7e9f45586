"""One forced alignment of one stretch of sound with PocketSphinx: which part of which word is said when, and how well it fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from core.adapters.pronunciation_espeak import SoundedPart
from core.errors import ModelMissing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FRAME_S = 0.01
MIN_SOUND_S = 0.2

BEAM = 1e-80
"""Wider than PocketSphinx's own 1e-48: with noise the right path may look bad for a while."""


@dataclass(frozen=True, slots=True)
class AlignedPart:
    """Where one part was found, in seconds from the start of the stretch."""

    start_s: float
    end_s: float
    score: float
    """Mean log likelihood a frame, relative to the best sound that the model knows for that frame; 0 is perfect."""
    worst_phone: float
    """The lowest of its phones' scores a frame."""


class AlignmentSearch:
    """A loaded acoustic model and dictionary. One thread at a time; take it from `load_search`."""

    def __init__(self) -> None:
        try:
            import pocketsphinx
        except ImportError as error:
            raise ModelMissing("The package pocketsphinx is not installed.", hint="python run.py setup", provider="pocketsphinx") from error
        self._decoder: Any = pocketsphinx.Decoder(
            lm=None, loglevel="FATAL", bestpath=False, backtrace=False, dither=False, compallsen=True, beam=BEAM, pbeam=BEAM, wbeam=BEAM
        )
        self._added: set[str] = set()

    def is_known(self, word: str) -> bool:
        """Whether the dictionary has this lower-case word."""
        return self._decoder.lookup_word(word) is not None

    def find(self, pcm: NDArray[np.int16], parts: Sequence[SoundedPart]) -> tuple[AlignedPart, ...] | None:
        """All the parts in order, or None when the sound cannot be read as these parts."""
        if not parts or len(pcm) < MIN_SOUND_S * 16_000:
            return None
        for part in parts:
            if part.is_guessed and part.name not in self._added:
                self._decoder.add_word(part.name, part.phones, False)
                self._added.add(part.name)
        data = pcm.tobytes()
        try:
            self._decoder.set_align_text(" ".join(part.name for part in parts))
            self._hear(data)
            if self._decoder.hyp() is None:
                return None
            self._decoder.set_alignment()
            self._hear(data)
        except RuntimeError:
            return None
        found = self._read_alignment()
        return tuple(found) if len(found) == len(parts) else None

    def _hear(self, data: bytes) -> None:
        self._decoder.start_utt()
        try:
            self._decoder.process_raw(data, full_utt=True)
        finally:
            self._decoder.end_utt()

    def _read_alignment(self) -> list[AlignedPart]:
        """The spoken parts of the last search. The phones are read while the iterator stands on their word: later is a crash."""
        alignment = self._decoder.get_alignment()
        if alignment is None:
            return []
        found = []
        for word in alignment:
            phones = [(phone.duration, phone.score) for phone in word]
            if word.name[0] in "<[+" or not phones:
                continue
            n_frames = max(1, word.duration)
            found.append(
                AlignedPart(
                    start_s=word.start * FRAME_S,
                    end_s=(word.start + word.duration) * FRAME_S,
                    score=sum(score for _, score in phones) / n_frames,
                    worst_phone=min(score / max(1, duration) for duration, score in phones),
                )
            )
        return found


@lru_cache(maxsize=1)
def load_search() -> AlignmentSearch:
    """The search, loaded once a process (0.2 s, 100 MB). Raises: ModelMissing."""
    return AlignmentSearch()
