"""A transcriber that says what it was told to: for tests of everything around it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from core.errors import NotFound, WordreelError
from core.model.transcripts import Cue, Segment, TimedBy
from core.ports import Recognition
from core.rules.cues import spoken_cues
from core.rules.word_timing import repair_order, spread_over_cue

UNSCRIPTED = "silence: nothing was scripted for this media"


@dataclass(slots=True)
class FakeTranscriber:
    """`ports.Transcriber` by script.

    A media file is looked up by its SHA-256 (the media_id). Unscripted media that has captions is "heard" as they say, each
    word at `probability`; without captions it is silence.
    """

    script: Mapping[str, Recognition | WordreelError] = field(default_factory=dict)
    probability: float | None = 0.95
    engine: str = "fake"
    model: str = "fake"

    def transcribe(self, media_path: Path, *, language: str, known_cues: Sequence[Cue]) -> Recognition:
        """The scripted recognition. Raises: the scripted error; NotFound."""
        scripted = self.script.get(_media_id(media_path)) if self.script else None
        if isinstance(scripted, WordreelError):
            raise scripted
        if scripted is not None:
            return replace(scripted, engine=self.engine, model=self.model)
        cues = spoken_cues(known_cues)
        spread = repair_order([word for cue in cues for word in spread_over_cue(cue)])
        words = tuple(replace(word, probability=self.probability, timed_by=TimedBy.RECOGNITION) for word in spread)
        segments = tuple(Segment(cue.start_s, cue.end_s, cue.text) for cue in cues)
        text = " ".join(cue.text for cue in cues)
        return Recognition(self.engine, self.model, language, text, segments, words, True, () if words else (UNSCRIPTED,))


def _media_id(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise NotFound(f"{path.name}: there is no such file.", hint="Check that the disk is mounted and the path is right.") from error
