"""Several short clips recognised in one window of Whisper, whose encoder costs the same for 2 s of sound as for 30.

Each clip's speech (as the voice detector finds it) is laid into the window with silence before the next clip's; words are mapped
back by their times. What the model says of a whole window is not said of each clip, so likelihood and repetition are taken per
clip from its own words. A clip in which the detector hears no voice is in no window, and gets no words.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.adapters.sound_av import SAMPLE_RATE_HZ, read_pcm
from core.adapters.transcriber_aligned import AlignedTranscriber
from core.adapters.transcriber_whisper import WhisperTranscriber, load_model, nothing_said_note
from core.errors import WordreelError
from core.model.transcripts import Cue, Segment, TimedBy, WordTiming
from core.ports import Aligner, Recognition
from core.rules.hallucinations import HallucinationLimits, SegmentSigns, compression_ratio, dropped_note, why_unsaid
from core.rules.packing import Window, pack
from core.rules.word_timing import is_sayable, repair_order

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WINDOW_S = 29.5
"""A little less than the model's 30 s, so that the last word has its end in the window."""

GAP_S = 0.6
"""Silence between two clips, beside the 0.4 s that the detector leaves on each side of speech."""

MARGIN_S = 0.3
"""Of those 0.4 s, what a neighbour's word may reach into without a doubt whose it is."""

MIN_PROBABILITY = 1e-3
"""A word's probability is taken for at least this in a mean of logarithms."""

Outcome = Recognition | WordreelError


@dataclass(slots=True)
class PackedTranscriber:
    """`ports.BatchTranscriber` around faster-whisper; one clip alone is recognised as ever. It pickles."""

    whisper: WhisperTranscriber
    aligner: Aligner | None = None
    """Sharpens each clip's words afterwards, where given."""
    engine: str = field(init=False)
    model: str = field(init=False)

    def __post_init__(self) -> None:
        self.engine, self.model = self.whisper.engine, self.whisper.model

    def transcribe(self, media_path: Path, *, language: str, known_cues: Sequence[Cue]) -> Recognition:
        """See `core.ports.Transcriber.transcribe`."""
        return self._aligned(self.whisper.transcribe(media_path, language=language, known_cues=known_cues), media_path, language)

    def transcribe_many(self, media_paths: Sequence[Path], *, language: str) -> tuple[Outcome, ...]:
        """See `core.ports.BatchTranscriber.transcribe_many`. Raises: ModelMissing, Refused (the model's own faults)."""
        model = load_model(self.whisper.model_name)
        sounds = [_read(path) for path in media_paths]
        spans = [[] if isinstance(sound, WordreelError) else speech_spans(sound) for sound in sounds]
        limit = round(WINDOW_S * SAMPLE_RATE_HZ)
        is_long = [sum(end - start for start, end in clip) > limit for clip in spans]
        outcomes: list[Outcome | None] = [sound if isinstance(sound, WordreelError) else None for sound in sounds]
        short = [[] if long else clip for clip, long in zip(spans, is_long, strict=True)]
        windows = pack(short, window=limit, gap=round(GAP_S * SAMPLE_RATE_HZ), margin=round(MARGIN_S * SAMPLE_RATE_HZ))
        for window in windows:
            for clip, outcome in self._recognise(model, window, sounds, media_paths, language):
                outcomes[clip] = outcome
        for clip, sound in enumerate(sounds):
            if outcomes[clip] is None and not isinstance(sound, WordreelError):
                outcomes[clip] = self._alone(media_paths[clip], language) if is_long[clip] else self._silent(sound, language)
        return tuple(self._finished(outcome, path, language) for outcome, path in zip(outcomes, media_paths, strict=True))

    def _recognise(
        self, model: Any, window: Window, sounds: Sequence[NDArray[np.int16] | WordreelError], media_paths: Sequence[Path], language: str
    ) -> list[tuple[int, Outcome]]:
        """What was said in each clip of one window; a window that the model fails on is recognised clip by clip."""
        if len(window.clips) == 1:
            return [(window.clips[0], self._alone(media_paths[window.clips[0]], language))]
        try:
            found, info = model.transcribe(
                lay_out(window, sounds),
                language=language.split("-")[0] or None,
                word_timestamps=True,
                vad_filter=False,
                beam_size=5,
                temperature=0.0,
                condition_on_previous_text=False,
                hallucination_silence_threshold=2.0,
            )
            segments = list(found)
        except (RuntimeError, ValueError):
            return [(clip, self._alone(media_paths[clip], language)) for clip in window.clips]
        parts, notes = split_by_clip(segments, window)
        made: list[tuple[int, Outcome]] = []
        for clip in window.clips:
            sound = sounds[clip]
            assert not isinstance(sound, WordreelError)
            said = _Said(parts.get(clip, []), notes.get(clip, []), sound, len(window.clips) - 1)
            made.append((clip, said.recognition(self, language or info.language)))
        return made

    def _alone(self, media_path: Path, language: str) -> Outcome:
        try:
            return self.whisper.transcribe(media_path, language=language, known_cues=())
        except WordreelError as error:
            return error

    def _silent(self, sound: NDArray[np.int16], language: str) -> Recognition:
        notes = (nothing_said_note(sound), "no_voice: the voice detector heard no speech")
        return Recognition(self.engine, self.model, language, "", (), (), True, notes)

    def _finished(self, outcome: Outcome | None, media_path: Path, language: str) -> Outcome:
        assert outcome is not None
        try:
            return outcome if isinstance(outcome, WordreelError) else self._aligned(outcome, media_path, language)
        except WordreelError as error:
            return error

    def _aligned(self, recognition: Recognition, media_path: Path, language: str) -> Recognition:
        if self.aligner is None:
            return recognition
        return AlignedTranscriber(_Given(recognition), self.aligner).transcribe(media_path, language=language, known_cues=())


@dataclass(frozen=True, slots=True)
class _Given:
    """A transcriber that has its answer already."""

    recognition: Recognition

    @property
    def engine(self) -> str:
        return self.recognition.engine

    @property
    def model(self) -> str:
        return self.recognition.model

    def transcribe(self, media_path: Path, *, language: str, known_cues: Sequence[Cue]) -> Recognition:
        return self.recognition


@dataclass(frozen=True, slots=True)
class ClipPart:
    """What one segment of a window says of one clip; times are seconds of that clip."""

    words: tuple[WordTiming, ...]
    no_speech_prob: float

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)

    @property
    def signs(self) -> SegmentSigns:
        """As the model would tell of this part alone, taken from its words."""
        probabilities = [max(MIN_PROBABILITY, word.probability or 0.0) for word in self.words]
        return SegmentSigns(
            text=self.text,
            start_s=self.words[0].start_s,
            end_s=self.words[-1].end_s,
            n_words=len(self.words),
            no_speech_prob=self.no_speech_prob,
            avg_logprob=sum(map(math.log, probabilities)) / len(probabilities),
            compression_ratio=compression_ratio(self.text),
            word_probability=sum(probabilities) / len(probabilities),
        )


@dataclass(frozen=True, slots=True)
class _Said:
    """All that a window says of one clip."""

    parts: Sequence[ClipPart]
    notes: Sequence[str]
    sound: NDArray[np.int16]
    n_others: int

    def recognition(self, by: PackedTranscriber, language: str) -> Recognition:
        limits: HallucinationLimits = by.whisper.limits
        duration_s = len(self.sound) / SAMPLE_RATE_HZ
        whole = SegmentSigns("", 0.0, 0.0, 0, compression_ratio=compression_ratio(" ".join(part.text for part in self.parts)))
        reasons = [why_unsaid(part.signs, limits, duration_s) for part in self.parts]
        if self.parts and (whole.compression_ratio or 0.0) > limits.max_compression_ratio:
            reasons = [reason or "one phrase over and over" for reason in reasons]
        kept = [part for part, reason in zip(self.parts, reasons, strict=True) if not reason]
        notes = [dropped_note(why, part.words[0].start_s, part.text) for part, why in zip(self.parts, reasons, strict=True) if why]
        if not kept:
            notes.append(nothing_said_note(self.sound))
        notes += [*self.notes, f"packed: recognised in one window with {self.n_others} other clips"]
        return Recognition(
            engine=by.engine,
            model=by.model,
            language=language,
            text=" ".join(part.text for part in kept),
            segments=tuple(Segment(part.words[0].start_s, part.words[-1].end_s, part.text) for part in kept),
            words=repair_order([word for part in kept for word in part.words]),
            is_verified_by_audio=True,
            notes=tuple(notes),
        )


def speech_spans(pcm: NDArray[np.int16]) -> list[tuple[int, int]]:
    """Where the voice detector hears speech, `[start, end)` in samples, padded as for one file alone."""
    from faster_whisper.vad import VadOptions, get_speech_timestamps

    if not len(pcm):
        return []
    found = get_speech_timestamps(pcm.astype("float32") / 32768.0, VadOptions())
    return [(int(span["start"]), min(int(span["end"]), len(pcm))) for span in found]


def lay_out(window: Window, sounds: Sequence[NDArray[np.int16] | WordreelError]) -> NDArray[np.float32]:
    """The window's sound: every piece at its place, silence between clips."""
    import numpy as np

    laid = np.zeros(window.length, dtype=np.float32)
    for piece in window.pieces:
        sound = sounds[piece.clip]
        assert not isinstance(sound, WordreelError)
        laid[piece.at : piece.at + piece.length] = sound[piece.start : piece.end].astype(np.float32) / 32768.0
    return laid


def split_by_clip(segments: Sequence[Any], window: Window) -> tuple[dict[int, list[ClipPart]], dict[int, list[str]]]:
    """Each clip's parts in order, and notes on words that belong to no one clip."""
    parts: dict[int, list[ClipPart]] = {}
    notes: dict[int, list[str]] = {}
    for segment in segments:
        words: dict[int, list[WordTiming]] = {}
        for word in segment.words or ():
            if not is_sayable(word.word):
                continue
            start, end = word.start * SAMPLE_RATE_HZ, max(word.start, word.end) * SAMPLE_RATE_HZ
            place = window.locate(start, max(end, start + 1))
            if place is None:
                for clip in window.nearest(start, end):
                    notes.setdefault(clip, []).append(f"packed_word_dropped: {word.word.strip()[:30]!r} lay between two clips")
                continue
            words.setdefault(place[0], []).append(_word(word, place[1] / SAMPLE_RATE_HZ, place[2] / SAMPLE_RATE_HZ))
        for clip, said in words.items():
            parts.setdefault(clip, []).append(ClipPart(tuple(said), float(segment.no_speech_prob)))
    return parts, notes


def _word(word: Any, start_s: float, end_s: float) -> WordTiming:
    probability = min(1.0, max(0.0, float(word.probability)))
    return WordTiming(word.word.strip(), start_s, max(start_s, end_s), probability, TimedBy.RECOGNITION)


def _read(path: Path) -> NDArray[np.int16] | WordreelError:
    try:
        return read_pcm(path)
    except WordreelError as error:
        return error
