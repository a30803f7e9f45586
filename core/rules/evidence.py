"""Evidence: what shows that a word is really spoken."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Protocol

from core.model.clips import Evidence, EvidenceState, Occurrence
from core.model.transcripts import TimedBy, WordTiming
from core.rules.word_timing import NO_SOUND

MIN_PROBABILITY = 0.4
"""A recogniser that gives a word less has guessed it. Chosen, not measured: no Whisper model was at hand when this was written."""


NO_SPEECH = {"silence": "silence", "music": "music or noise", "silence or music": "silence or music"}
"""How a transcriber's note on sound without speech begins → what was heard instead."""

DROPPED = "hallucination_dropped: "
"""How its note begins on what nobody said (`core.rules.hallucinations`)."""

MAX_DROPPED = 2
"""Of these notes, so many are told."""


class FoundWord(Protocol):
    """Where the matcher found a form of the vocabulary word: `[first_index, first_index + n_tokens)` of the words."""

    @property
    def form(self) -> str:
        """As written there."""
        ...

    @property
    def first_index(self) -> int:
        """Index of the first word."""
        ...

    @property
    def n_tokens(self) -> int:
        """How many words it takes."""
        ...


def find_evidence(
    matches: Sequence[FoundWord],
    words: Sequence[WordTiming],
    *,
    spoken_text: str = "",
    script_text: str = "",
    forms: Collection[str] = (),
    transcript_id: str | None,
    is_verified_by_audio: bool,
    notes: Sequence[str] = (),
    min_probability: float = MIN_PROBABILITY,
) -> Evidence:
    """Weigh where one vocabulary word was found in one transcript.

    `heard`: a recogniser heard it, sure enough, where there is sound. `captioned`: the transcript is made of captions, so
    only they say so, however well the sound fits. `not_heard`: the transcript in force does not have it.

    Args:
        matches: of this one word in `words`, in order.
        words: of the transcript in force.
        spoken_text: the caption's spoken half, for the reason.
        script_text: speakers and stage directions, for the reason.
        forms: the word and its inflections, to look for in those two texts.
        transcript_id: of the transcript in force; None before there is one.
        is_verified_by_audio: the transcript's own.
        notes: the transcript's own, which say why there is nothing in it, and what was dropped.
        min_probability: 0 to 1.
    """
    found = [match for match in matches if match.first_index >= 0 and match.first_index + match.n_tokens <= len(words)]
    occurrences = tuple(_occurrence(match, words) for match in found)
    if not occurrences:
        why = _why_absent(spoken_text, script_text, forms, is_verified_by_audio)
        return Evidence(EvidenceState.NOT_HEARD, (), transcript_id, (why, *_why_nothing(notes, words, forms)))
    doubts = [_doubt(match, words, occurrence, min_probability) for match, occurrence in zip(found, occurrences, strict=True)]
    reasons = tuple(dict.fromkeys(doubt for doubt in doubts if doubt))
    if not is_verified_by_audio:
        reasons = (_caption_reason(occurrences, doubts), *reasons)
        return Evidence(EvidenceState.CAPTIONED, occurrences, transcript_id, reasons)
    if all(doubts):
        return Evidence(EvidenceState.NOT_HEARD, occurrences, transcript_id, reasons)
    return Evidence(EvidenceState.HEARD, occurrences, transcript_id, reasons)


def _occurrence(match: FoundWord, words: Sequence[WordTiming]) -> Occurrence:
    own = words[match.first_index : match.first_index + match.n_tokens]
    probabilities = [word.probability for word in own]
    known = [probability for probability in probabilities if probability is not None]
    ways = {word.timed_by for word in own}
    return Occurrence(
        form=match.form,
        word_index=match.first_index,
        n_words=match.n_tokens,
        start_s=own[0].start_s,
        end_s=max(own[0].start_s, own[-1].end_s),
        probability=min(known) if len(known) == len(probabilities) and known else None,
        timed_by=(own[0].timed_by if len(ways) == 1 else _weakest(ways)).value,
    )


def _weakest(ways: Collection[TimedBy]) -> TimedBy:
    return next(way for way in (TimedBy.CAPTION, TimedBy.RECOGNITION, TimedBy.ALIGNMENT, TimedBy.VOICE) if way in ways)


def _doubt(match: FoundWord, words: Sequence[WordTiming], occurrence: Occurrence, min_probability: float) -> str:
    """What speaks against this occurrence; empty for nothing."""
    own = words[match.first_index : match.first_index + match.n_tokens]
    if any(word.fault == NO_SOUND for word in own):
        return f"No sound at {occurrence.start_s:.1f} s."
    if occurrence.probability is not None and occurrence.probability < min_probability:
        return f"Recognised with a probability of only {occurrence.probability:.2f} at {occurrence.start_s:.1f} s."
    return ""


def _caption_reason(occurrences: Sequence[Occurrence], doubts: Sequence[str]) -> str:
    is_fitting = any(one.timed_by == TimedBy.ALIGNMENT.value and not doubt for one, doubt in zip(occurrences, doubts, strict=True))
    return "Only the caption says so; the sound fits it." if is_fitting else "Only the caption says so; the sound was not matched to it."


def _why_absent(spoken_text: str, script_text: str, forms: Collection[str], is_verified_by_audio: bool) -> str:
    if _has_any(spoken_text, forms):
        return "Only in the caption: the recogniser did not hear it." if is_verified_by_audio else "Not in the transcript."
    if _has_any(script_text, forms):
        return "Only in the script."
    return "The recogniser did not hear it." if is_verified_by_audio else "Not in the captions."


def _why_nothing(notes: Sequence[str], words: Sequence[WordTiming], forms: Collection[str]) -> tuple[str, ...]:
    """What the notes say about a word that is not there: no speech at all, or text that nobody said."""
    heads = [note.partition(":")[0] for note in notes]
    silent = next((NO_SPEECH[head] for head in heads if head in NO_SPEECH), "") if not words else ""
    dropped = [note.removeprefix(DROPPED) for note in notes if note.startswith(DROPPED)]
    told = [f"Dropped, since nobody said it: {text}" for text in dropped if not words or _has_any(text, forms)]
    return (*([f"No speech was recognised, only {silent}."] if silent else ()), *told[:MAX_DROPPED])


def _has_any(text: str, forms: Collection[str]) -> bool:
    wanted = {form.casefold() for form in forms}
    tokens = re.findall(r"[^\W_]+(?:['’-][^\W_]+)*", text.casefold())
    return any(token in wanted or any(part in wanted for part in re.split(r"[-]", token)) for token in tokens)
