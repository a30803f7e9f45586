"""What a Whisper model says where nobody speaks, and how that is told from speech: one rule for every engine."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass

CREDITS = ("thanks for watching", "thank you for watching", "subtitles by", "subscribe to", "please subscribe", "amara.org", "captioned by")
"""What Whisper was trained to say where nobody speaks: the last words of videos with subtitles."""


@dataclass(frozen=True, slots=True)
class HallucinationLimits:
    """When a recognised segment is taken for something that nobody said.

    Source: Radford and others, Robust speech recognition via large-scale weak supervision, 2022, section 4.5; the values are
    those of its reference implementation.
    """

    no_speech_prob: float = 0.6
    no_speech_logprob: float = -1.0
    """A segment with a higher `no_speech_prob` and a lower log probability than these is silence."""
    min_logprob: float = -1.6
    """A segment below this is a guess, whatever else is said of it."""
    max_compression_ratio: float = 2.4
    """Text that packs better than this is one phrase over and over."""
    credit_probability: float = 0.8
    """A known credit line is dropped if its words are less likely than this."""


@dataclass(frozen=True, slots=True)
class SegmentSigns:
    """What an engine tells of one segment; None where it does not."""

    text: str
    start_s: float
    end_s: float
    n_words: int
    """Words in it that can be said."""
    no_speech_prob: float | None = None
    avg_logprob: float | None = None
    """Mean natural log of its tokens' probabilities."""
    compression_ratio: float | None = None
    word_probability: float | None = None
    """Mean of its words' own."""


def why_unsaid(signs: SegmentSigns, limits: HallucinationLimits, duration_s: float = float("inf")) -> str:
    """Why a segment is taken for a hallucination; empty for one that is kept.

    An engine that tells no probability of a word is believed on a credit line as far as `avg_logprob` goes, and not without it.
    """
    said = signs.text.strip().casefold()
    logprob = 0.0 if signs.avg_logprob is None else signs.avg_logprob
    likelihood = signs.word_probability
    if likelihood is None:
        likelihood = 0.0 if signs.avg_logprob is None else math.exp(min(0.0, signs.avg_logprob))
    if signs.end_s > duration_s + 1.0 or signs.start_s >= duration_s:
        return "past the end"
    if signs.no_speech_prob is not None and signs.no_speech_prob > limits.no_speech_prob and logprob < limits.no_speech_logprob:
        return "no speech"
    if logprob < limits.min_logprob:
        return "a guess"
    if signs.compression_ratio is not None and signs.compression_ratio > limits.max_compression_ratio:
        return "one phrase over and over"
    if any(credit in said for credit in CREDITS) and likelihood < limits.credit_probability:
        return "a credit line"
    return "" if signs.n_words else "no words"


def dropped_note(reason: str, start_s: float, text: str) -> str:
    """The transcript's note on a segment that was dropped."""
    return f"hallucination_dropped: {reason} at {start_s:.1f} s: {text.strip()[:60]}"


def compression_ratio(text: str) -> float:
    """How many times smaller a text gets when it is packed. Source: as the limits."""
    packed = text.encode("utf-8", "replace")
    return len(packed) / len(zlib.compress(packed)) if packed else 0.0
