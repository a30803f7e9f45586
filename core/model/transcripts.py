"""Transcripts: what was said when, and how we know."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

CORRECTION = "correction"
"""The engine of a transcript that a person corrected."""


class TimedBy(StrEnum):
    """How a word got its times."""

    ALIGNMENT = "alignment"
    """Forced alignment, with the sound's energy agreeing."""
    RECOGNITION = "recognition"
    """The recogniser's own times."""
    VOICE = "voice"
    """Told by the voice that made the sound (the demo's): exact."""
    CAPTION = "caption"
    """Spread over its caption's time by length: ± 300 ms at best."""


@dataclass(frozen=True, slots=True)
class Cue:
    """A timed caption as read from or written to a subtitle file."""

    start_s: float
    end_s: float
    text: str


@dataclass(frozen=True, slots=True)
class Segment:
    """A phrase of a transcript."""

    start_s: float
    end_s: float
    text: str


@dataclass(frozen=True, slots=True)
class WordTiming:
    """One spoken word, as written in the text (punctuation attached as the transcript has it)."""

    text: str
    start_s: float
    end_s: float
    probability: float | None
    """The recogniser's own, 0–1. None where it gives none: never invented."""
    timed_by: TimedBy
    is_pronunciation_guessed: bool = False
    """The aligner's dictionary lacked the word and espeak-ng spelled its sounds."""
    fault: str = ""
    """`""`, or what looks wrong with its times: `no_sound`, `too_long`, `too_short`, `out_of_order`."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """One recognition (or correction) of one media. Times are seconds from the start of that media."""

    transcript_id: str
    media_id: str
    engine: str
    """`faster_whisper`, `captions`, `correction`, …"""
    model: str
    language: str
    text: str
    segments: tuple[Segment, ...]
    words: tuple[WordTiming, ...]
    is_verified_by_audio: bool
    """Whether a recogniser heard these words; captions alone are not verified."""
    parent_id: str | None = None
    """The transcript that a correction corrects."""
    created_by: str = ""
    notes: tuple[str, ...] = ()
    """What a reader must know: `silence`, `music`, `hallucination_dropped: …`, `alignment_refused: …`."""
