"""Recognition and alignment in processes of their own: what kills them fails one clip and no worker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.adapters.isolated import IsolatedPool
from core.model.transcripts import Cue, WordTiming
from core.ports import Aligner, Recognition, Transcriber

MIN_TIME_S = 120.0
TIME_A_BYTE_S = 30.0 / 1_000_000
"""A generous bound on how long a file may take, by its size: a film is not cut off, an endless one is."""


@dataclass(frozen=True, slots=True)
class IsolatedTranscriber:
    """The port Transcriber, each call in a process of the pool. What runs there must pickle."""

    pool: IsolatedPool
    transcriber: Transcriber

    @property
    def engine(self) -> str:
        return self.transcriber.engine

    @property
    def model(self) -> str:
        return self.transcriber.model

    def transcribe(self, media_path: Path, *, language: str, known_cues: Sequence[Cue]) -> Recognition:
        """As the port says; also raises DecoderDied."""
        return self.pool.run_within(
            _time_s(media_path), self.transcriber.transcribe, media_path, language=language, known_cues=tuple(known_cues)
        )


@dataclass(frozen=True, slots=True)
class IsolatedAligner:
    """The port Aligner, each call in a process of the pool. What runs there must pickle."""

    pool: IsolatedPool
    aligner: Aligner

    def align(self, media_path: Path, words: Sequence[WordTiming], *, language: str) -> tuple[WordTiming, ...]:
        """As the port says; also raises DecoderDied."""
        return self.pool.run_within(_time_s(media_path), self.aligner.align, media_path, tuple(words), language=language)


def _time_s(path: Path) -> float:
    return MIN_TIME_S + (path.stat().st_size * TIME_A_BYTE_S if path.exists() else 0.0)
