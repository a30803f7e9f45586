"""A transcript that is known and not recognised: the voice that speaks the film tells the time of every word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.model.transcripts import Cue, Segment, TimedBy, WordTiming
from core.ports import Recognition

ENGINE = "espeak_ng"
MODEL = "word events"
NOTE = "known: the voice that speaks it told the time of every word"


@dataclass(frozen=True, slots=True)
class KnownTranscriber:
    """`ports.Transcriber` for media made by a voice of ours: each cue is one word with its exact times."""

    engine: str = ENGINE
    model: str = MODEL

    def transcribe(self, media_path: Path, *, language: str, known_cues: Sequence[Cue]) -> Recognition:
        """The cues as words. They are in the sound because the same voice put them there."""
        words = tuple(WordTiming(cue.text, cue.start_s, cue.end_s, None, TimedBy.VOICE) for cue in known_cues)
        text = " ".join(word.text for word in words)
        segments = (Segment(words[0].start_s, words[-1].end_s, text),) if words else ()
        return Recognition(self.engine, self.model, language, text, segments, words, is_verified_by_audio=True, notes=(NOTE,))
