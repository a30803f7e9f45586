"""faster-whisper as a transcriber: words that were heard, each with the model's own probability.

Known captions are not given to the model, neither as a prompt nor as hotwords: a prompted model "hears" the prompt in noise and
silence, and what it heard would then prove nothing about the captions.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.adapters.sound_av import SAMPLE_RATE_HZ, measure_loudness, read_pcm
from core.errors import ModelMissing, ProviderError, Refused
from core.model.transcripts import Cue, Segment, TimedBy, WordTiming
from core.ports import Recognition
from core.rules.hallucinations import HallucinationLimits, SegmentSigns, dropped_note, why_unsaid
from core.rules.word_timing import is_sayable, repair_order

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MODEL_SIZES = {
    "tiny": "75 MB", "tiny.en": "75 MB", "base": "145 MB", "base.en": "145 MB", "small": "480 MB", "small.en": "480 MB",
    "medium": "1.5 GB", "medium.en": "1.5 GB", "large-v2": "3.1 GB", "large-v3": "3.1 GB", "turbo": "1.6 GB", "large-v3-turbo": "1.6 GB",
    "distil-small.en": "330 MB", "distil-medium.en": "790 MB", "distil-large-v3": "1.5 GB",
}  # fmt: skip
"""What a download of a named model takes."""

PICKLE_SUFFIXES = frozenset({".pt", ".pth", ".pkl", ".pickle", ".ckpt"})
PICKLE_HEADS = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
"""First bytes of what `torch.save` and `pickle` write."""

AUDIBLE_DB = -55.0


@dataclass(slots=True)
class WhisperTranscriber:
    """`ports.Transcriber` with faster-whisper on this machine; the model is loaded at the first use, once a process."""

    model_name: str
    """A hub name (`small.en`) that was fetched before, or a folder with a CTranslate2 model."""
    limits: HallucinationLimits = field(default_factory=HallucinationLimits)
    engine: str = "faster_whisper"
    model: str = field(init=False)
    """The name, or the folder's own name."""

    def __post_init__(self) -> None:
        self.model = Path(self.model_name).name

    def transcribe(self, media_path: Path, *, language: str, known_cues: Sequence[Cue]) -> Recognition:
        """Recognise; segments that nobody said are dropped and noted. `known_cues` are not used (see the module).

        Raises: MediaError; ModelMissing; Refused (a pickle); ProviderError.
        """
        model = load_model(self.model_name)
        pcm = read_pcm(media_path)
        try:
            found, info = model.transcribe(
                pcm.astype("float32") / 32768.0,
                language=language.split("-")[0] or None,
                word_timestamps=True,
                vad_filter=True,
                beam_size=5,
                temperature=0.0,
                condition_on_previous_text=False,
                hallucination_silence_threshold=2.0,
            )
            segments = list(found)
        except (RuntimeError, ValueError) as error:
            raise ProviderError(f"faster-whisper failed on {media_path.name}: {error}", provider=self.engine, model=self.model) from error
        duration_s = len(pcm) / SAMPLE_RATE_HZ
        kept = [segment for segment in segments if not why_unsaid(signs_of(segment), self.limits, duration_s)]
        notes = _notes(pcm, segments, self.limits, info.duration_after_vad)
        words = repair_order([word for segment in kept for word in _words(segment)])
        return Recognition(
            engine=self.engine,
            model=self.model,
            language=language or info.language,
            text=" ".join(segment.text.strip() for segment in kept),
            segments=tuple(Segment(float(segment.start), float(max(segment.start, segment.end)), segment.text.strip()) for segment in kept),
            words=words,
            is_verified_by_audio=True,
            notes=notes,
        )


def signs_of(segment: Any) -> SegmentSigns:
    """What a segment of faster-whisper tells of itself."""
    probabilities = [word.probability for word in segment.words or ()]
    return SegmentSigns(
        text=segment.text,
        start_s=segment.start,
        end_s=segment.end,
        n_words=sum(is_sayable(word.word) for word in segment.words or ()),
        no_speech_prob=segment.no_speech_prob,
        avg_logprob=segment.avg_logprob,
        compression_ratio=segment.compression_ratio,
        word_probability=sum(probabilities) / len(probabilities) if probabilities else 0.0,
    )


def _words(segment: Any) -> list[WordTiming]:
    return [
        WordTiming(
            text=word.word.strip(),
            start_s=float(word.start),
            end_s=float(max(word.start, word.end)),
            probability=min(1.0, max(0.0, float(word.probability))),
            timed_by=TimedBy.RECOGNITION,
        )
        for word in segment.words or ()
        if is_sayable(word.word)
    ]


def _notes(pcm: NDArray[np.int16], segments: Sequence[Any], limits: HallucinationLimits, speech_s: float) -> tuple[str, ...]:
    notes = [
        dropped_note(reason, segment.start, segment.text)
        for segment in segments
        if (reason := why_unsaid(signs_of(segment), limits, len(pcm) / SAMPLE_RATE_HZ))
    ]
    if len(notes) == len(segments):
        notes.append(nothing_said_note(pcm))
    if speech_s == 0 and segments:
        notes.append("no_voice: the voice detector heard no speech")
    return tuple(notes)


def nothing_said_note(pcm: NDArray[np.int16]) -> str:
    """What a sound without a word is: silence, or something else."""
    return "music: there is sound, but no speech that could be kept" if _is_audible(pcm) else "silence"


def _is_audible(pcm: NDArray[np.int16]) -> bool:
    import numpy as np

    loudness_db = measure_loudness(pcm)
    return len(loudness_db) > 0 and float(np.percentile(loudness_db, 95)) > AUDIBLE_DB


@lru_cache(maxsize=1)
def load_model(model_name: str) -> Any:
    """The loaded model. Never reaches for the network: a named model must have been fetched before.

    Raises:
        ModelMissing: it is not on this machine, or is not a CTranslate2 model.
        Refused: it is a pickle.
    """
    folder_path = find_model(model_name)
    try:
        from faster_whisper import WhisperModel

        return WhisperModel(str(folder_path), local_files_only=True)
    except (RuntimeError, ValueError, OSError) as error:
        raise ModelMissing(
            f"The Whisper model in {folder_path.name} does not load: {error}", hint="Fetch it again.", model=model_name
        ) from error


def find_model(model_name: str) -> Path:
    """The folder of a model that is on this machine, checked. Raises: ModelMissing, Refused."""
    path = Path(model_name).expanduser()
    if path.exists() or path.is_absolute():
        return _checked(path)
    if path.suffix in PICKLE_SUFFIXES:
        raise _pickle_refused(path)
    from faster_whisper.utils import download_model

    try:
        return _checked(Path(download_model(model_name, local_files_only=True)))
    except (ValueError, OSError) as error:
        raise _missing(model_name) from error


def _missing(model_name: str) -> ModelMissing:
    size = MODEL_SIZES.get(model_name, "")
    fetch = f"from faster_whisper import download_model; download_model({json.dumps(model_name)})"
    return ModelMissing(
        f"The Whisper model {model_name!r} is not on this machine.",
        hint=f"Fetch it{f' ({size})' if size else ''} with {sys.executable} -c {shlex.quote(fetch)}, "
        "or set WHISPER_MODEL to a folder with a CTranslate2 model.",
        provider="faster_whisper",
        model=model_name,
    )


def _checked(path: Path) -> Path:
    if path.is_file():
        if path.suffix in PICKLE_SUFFIXES or _is_pickle(path):
            raise _pickle_refused(path)
        raise ModelMissing(f"WHISPER_MODEL names a file, {path.name}, not a folder.", hint="Give the folder of a CTranslate2 model.")
    model_path = path / "model.bin"
    if not model_path.is_file():
        pickles = [inner for inner in sorted(path.glob("*")) if inner.suffix in PICKLE_SUFFIXES or inner.name == "pytorch_model.bin"]
        if pickles:
            raise _pickle_refused(pickles[0])
        raise ModelMissing(f"There is no CTranslate2 model (model.bin) in {path}.", hint="Convert it with ct2-transformers-converter.")
    if _is_pickle(model_path):
        raise _pickle_refused(model_path)
    if not (path / "tokenizer.json").is_file():
        raise ModelMissing(f"The Whisper model in {path} lacks its tokenizer.json.", hint="Copy the whole folder of the model.")
    return path


def _is_pickle(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(8).startswith(PICKLE_HEADS)


def _pickle_refused(path: Path) -> Refused:
    return Refused(
        f"{path.name} is a pickled model: reading it could run any program.",
        hint="Use a CTranslate2 model; ct2-transformers-converter makes one from safetensors.",
    )
