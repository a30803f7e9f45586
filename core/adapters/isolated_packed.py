"""Packed recognition in a process of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.adapters.isolated import IsolatedPool
from core.adapters.packed_recognition import Outcome, PackedTranscriber
from core.errors import DecoderDied
from core.model.transcripts import Cue
from core.ports import Recognition


@dataclass(frozen=True, slots=True)
class IsolatedPackedTranscriber:
    """The port BatchTranscriber, each call in a process of the pool; a clip that kills it fails alone."""

    pool: IsolatedPool
    packed: PackedTranscriber
    time_a_clip_s: float = 120.0

    @property
    def engine(self) -> str:
        return self.packed.engine

    @property
    def model(self) -> str:
        return self.packed.model

    def transcribe(self, media_path: Path, *, language: str, known_cues: Sequence[Cue]) -> Recognition:
        """As the port says; also raises DecoderDied."""
        return self.pool.run_within(self.time_a_clip_s, self.packed.transcribe, media_path, language=language, known_cues=tuple(known_cues))

    def transcribe_many(self, media_paths: Sequence[Path], *, language: str) -> tuple[Outcome, ...]:
        """As the port says; DecoderDied is the outcome of the clip that killed its process."""
        time_s = self.time_a_clip_s * max(1, len(media_paths))
        try:
            return self.pool.run_within(time_s, self.packed.transcribe_many, tuple(media_paths), language=language)
        except DecoderDied as error:
            if len(media_paths) == 1:
                return (error,)
        return tuple(outcome for path in media_paths for outcome in self.transcribe_many((path,), language=language))
