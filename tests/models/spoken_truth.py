"""Speech whose word times are known: the shared test media, its captions, and the same with noise or music mixed in."""

from __future__ import annotations

import json
import os
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.adapters.sound_av import SAMPLE_RATE_HZ, read_pcm
from core.model.transcripts import Cue, WordTiming
from core.rules.word_timing import spread_over_cue

MEDIA_PATH = Path(os.environ.get("WORDREEL_TEST_MEDIA", "") or Path(__file__).resolve().parents[3] / "shared" / "media")


@dataclass(frozen=True)
class Utterance:
    """One media file, its cues, and when each word of the cues is said (a token may hold several: `lower-case`)."""

    name: str
    path: Path
    timing: str
    cues: tuple[Cue, ...]
    truth: tuple[tuple[str, float, float], ...]

    @property
    def duration_s(self) -> float:
        return max(end_s for _, _, end_s in self.truth)

    @property
    def caption_words(self) -> tuple[WordTiming, ...]:
        return tuple(word for cue in self.cues for word in spread_over_cue(cue))


def require_media() -> Path:
    """The folder of test media; a clear failure where it is absent."""
    assert (MEDIA_PATH / "speech.json").exists(), f"No test media in {MEDIA_PATH}: set WORDREEL_TEST_MEDIA to their folder."
    return MEDIA_PATH


def utterances() -> list[Utterance]:
    """The recorded utterances; each has one cue, as long as its speech, off by up to a quarter of a second as captions are."""
    rows = json.loads((require_media() / "speech.json").read_text())
    found = []
    for n, row in enumerate(rows):
        truth = tuple((word["word"], word["start_s"], word["end_s"]) for word in row["words"])
        text = " ".join(word for word, _, _ in truth)
        off_s = (-0.25, -0.1, 0.0, 0.1, 0.25)[n % 5]
        cues = (Cue(max(0.0, truth[0][1] + off_s), truth[-1][2] + off_s, text),)
        if row["duration_s"] > 15:
            cues = _halves(truth, off_s)
        found.append(Utterance(row["id"], MEDIA_PATH / row["file"], row["timing"], cues, truth))
    return found


def _halves(truth: tuple[tuple[str, float, float], ...], off_s: float) -> tuple[Cue, ...]:
    """Cues of eight words each."""
    groups = [truth[at : at + 8] for at in range(0, len(truth), 8)]
    return tuple(Cue(group[0][1] + off_s, group[-1][2] + off_s, " ".join(word for word, _, _ in group)) for group in groups)


def mix(pcm: NDArray[np.int16], other: NDArray[np.float64], snr_db: float) -> NDArray[np.int16]:
    """`other` under `pcm` at this ratio of mean powers over the stretch in which there is sound."""
    sound = pcm.astype(np.float64)
    power = np.mean(sound[np.abs(sound) > 0] ** 2) if np.any(sound) else 1.0
    gain = np.sqrt(power / np.mean(other**2) / 10 ** (snr_db / 10))
    return np.clip(sound + gain * other, -32768, 32767).astype(np.int16)


def noise(n: int) -> NDArray[np.float64]:
    return np.random.default_rng(3).standard_normal(n)


def music(n: int) -> NDArray[np.float64]:
    """Plucked chords with a bass, a change every half second."""
    rng = np.random.default_rng(5)
    out = np.zeros(n)
    step = SAMPLE_RATE_HZ // 2
    for at in range(0, n, step):
        length = min(step, n - at)
        t = np.arange(length) / SAMPLE_RATE_HZ
        root_hz = rng.choice([220.0, 246.9, 261.6, 293.7, 329.6, 392.0, 440.0])
        for ratio in (0.5, 1.0, 1.25, 1.5):
            for harmonic in range(1, 6):
                out[at : at + length] += np.sin(2 * np.pi * root_hz * ratio * harmonic * t) / harmonic * np.exp(-2 * t)
    return out


def write_wav(path: Path, pcm: NDArray[np.int16], rate_hz: int = SAMPLE_RATE_HZ) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(pcm.tobytes())
    return path


def mixed(utterance: Utterance, kind: str, folder: Path, snr_db: float = 10.0) -> Path:
    """The utterance's file, or a copy with `noise` or `music` under it."""
    if kind == "clean":
        return utterance.path
    pcm = read_pcm(utterance.path)
    return write_wav(folder / f"{utterance.name}-{kind}.wav", mix(pcm, {"noise": noise, "music": music}[kind](len(pcm)), snr_db))


def composite() -> Utterance:
    """The composite film with its own SRT's texts and times; truth per token of those texts."""
    from core.rules.cues import parse_captions

    name = "composite_popeye_ljspeech"
    folder = require_media() / "video"
    cues, _ = parse_captions((folder / f"{name}.srt").read_bytes(), f"{name}.srt")
    said = json.loads((folder / f"{name}.json").read_text())
    words = [(word["word"], word["start_s"], word["end_s"]) for word in composite_words(said)]
    return Utterance(name, folder / f"{name}.mp4", "machine", cues, tuple(words))


def composite_words(said: dict) -> list[dict]:
    words = said["words"] if "words" in said else [word for line in said["utterances"] for word in line["words"]]
    return [{"word": w["word"], "start_s": w.get("start_s", w.get("start")), "end_s": w.get("end_s", w.get("end"))} for w in words]


def boundary_errors(words: tuple[WordTiming, ...], truth: tuple[tuple[str, float, float], ...]) -> list[tuple[WordTiming, float, float]]:
    """Each word with the errors of its start and end; a token that holds several truth words (`lower-case`) spans them."""
    result, at = [], 0
    for word in words:
        wanted = _letters(word.text)
        end, said = at, ""
        while end < len(truth) and said != wanted:
            said += _letters(truth[end][0])
            end += 1
        assert said == wanted, f"{word.text!r} is not at word {at} of the truth: {truth[at : at + 3]}"
        result.append((word, abs(word.start_s - truth[at][1]), abs(word.end_s - truth[end - 1][2])))
        at = end
    return result


def _letters(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())
