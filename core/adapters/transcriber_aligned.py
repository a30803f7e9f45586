"""A transcriber whose word times are sharpened by an aligner: what the product uses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from core.errors import UnsupportedMedia
from core.model.transcripts import Cue, TimedBy
from core.ports import Aligner, Recognition, Transcriber
from core.rules.word_timing import NO_SOUND

ALIGNED_LANGUAGES = ("en",)


@dataclass(slots=True)
class AlignedTranscriber:
    """`ports.Transcriber` around another one; engine and model stay that one's, the notes say what alignment did."""

    transcriber: Transcriber
    aligner: Aligner
    engine: str = field(init=False)
    model: str = field(init=False)

    def __post_init__(self) -> None:
        self.engine, self.model = self.transcriber.engine, self.transcriber.model

    def transcribe(self, media_path: Path, *, language: str, known_cues: Sequence[Cue]) -> Recognition:
        """As the inner one, each word with the better of its own and the aligned times.

        A file without sound keeps its captions, every word marked `no_sound`. Raises: MediaError, ProviderError.
        """
        recognition = self.transcriber.transcribe(media_path, language=language, known_cues=known_cues)
        if not recognition.words:
            return recognition
        if not recognition.language.lower().startswith(ALIGNED_LANGUAGES):
            return _noted(recognition, f"alignment_refused: no acoustic model for the language {recognition.language!r}")
        try:
            words = self.aligner.align(media_path, recognition.words, language=recognition.language)
        except UnsupportedMedia as error:
            silent = tuple(replace(word, fault=NO_SOUND) for word in recognition.words)
            return _noted(replace(recognition, words=silent), f"alignment_refused: {error.message}")
        n_moved = sum(word.timed_by is TimedBy.ALIGNMENT for word in words)
        note = f"alignment: {n_moved} of {len(words)} words" if n_moved else "alignment_refused: the sound does not fit the words"
        return _noted(replace(recognition, words=words), note)


def _noted(recognition: Recognition, note: str) -> Recognition:
    return replace(recognition, notes=(*recognition.notes, note))
