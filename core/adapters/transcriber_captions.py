"""Captions as a transcriber: their words, spread over their times. Nothing is heard, and the transcript says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.model.transcripts import Cue, Segment, WordTiming
from core.ports import Recognition
from core.rules.sentences import split_sentences
from core.rules.word_timing import repair_order, spread_over_cue

NO_CAPTIONS = "no_captions: the media has no captions, and no recogniser was asked"


@dataclass(slots=True)
class CaptionsTranscriber:
    """`ports.Transcriber` without a recogniser: the known cues are the whole truth."""

    engine: str = "captions"
    model: str = "captions"

    def transcribe(self, media_path: Path, *, language: str, known_cues: Sequence[Cue]) -> Recognition:
        """The words of the cues (which hold only what is spoken), without probability; no cues, no words."""
        cues = sorted(known_cues, key=lambda cue: (cue.start_s, cue.end_s))
        words = repair_order([word for cue in cues for word in spread_over_cue(cue)])
        return Recognition(
            engine=self.engine,
            model=self.model,
            language=language,
            text=" ".join(cue.text for cue in cues),
            segments=_segments(cues, words),
            words=words,
            is_verified_by_audio=False,
            notes=() if words else (NO_CAPTIONS,),
        )


def _segments(cues: Sequence[Cue], words: Sequence[WordTiming]) -> tuple[Segment, ...]:
    """A phrase a caption; where every caption is one word (a clip of a film whose words are timed), a phrase a sentence."""
    if any(len(cue.text.split()) > 1 for cue in cues):
        return tuple(Segment(cue.start_s, cue.end_s, cue.text) for cue in cues)
    return tuple(
        Segment(words[first].start_s, words[end - 1].end_s, " ".join(word.text for word in words[first:end]))
        for first, end in split_sentences(words)
    )
