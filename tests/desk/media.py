"""Short clips with known word times, cut from the shared film while the tests run; nothing of it is committed."""

from __future__ import annotations

import json
import math
import os
import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

FILM = "composite_popeye_ljspeech"
LEAD_S = 0.6


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """One word of a clip, as written, with its true times from the clip's start."""

    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class CutClip:
    """One clip on disk with its truth."""

    path: Path
    still_path: Path
    duration_s: float
    words: tuple[SpokenWord, ...]
    sentences: tuple[tuple[int, int], ...]
    peaks: tuple[float, ...]
    loudness_lufs: float


def media_root() -> Path:
    """Where the shared test media lies; fails clearly where it is absent."""
    root = Path(os.environ.get("WORDREEL_TEST_MEDIA", Path(__file__).resolve().parents[3] / "shared" / "media"))
    if not (root / "video" / f"{FILM}.mp4").is_file():
        raise FileNotFoundError(f"no test media at {root}: set WORDREEL_TEST_MEDIA")
    return root


def cut(utterances: range, folder: Path) -> CutClip:
    """Cut the film around a run of its spoken lines."""
    truth = json.loads((media_root() / "video" / f"{FILM}.json").read_text(encoding="utf-8"))
    lines = [truth["utterances"][index] for index in utterances]
    start_s, end_s = max(0.0, lines[0]["start"] - LEAD_S), min(60.0, lines[-1]["end"] + LEAD_S)
    words: list[SpokenWord] = []
    sentences = []
    for line in lines:
        timed = [word for word in truth["words"] if line["start"] - 0.01 <= word["start"] < line["end"]]
        first = len(words)
        words += _spelled(line["text"], timed, start_s)
        sentences.append((first, len(words)))
    name = f"clip-{utterances.start}-{utterances.stop}"
    samples = _encode(folder / f"{name}.mp4", folder / f"{name}.jpg", start_s, end_s)
    peaks, loudness = _measure(samples)
    return CutClip(folder / f"{name}.mp4", folder / f"{name}.jpg", end_s - start_s, tuple(words), tuple(sentences), peaks, loudness)


def _spelled(text: str, timed: list[dict[str, Any]], start_s: float) -> list[SpokenWord]:
    """Give each written word its times; a hyphenated one takes those of its parts."""
    words, rest = [], list(timed)
    for written in re.findall(r"\S+", text):
        parts = [rest.pop(0) for _ in re.findall(r"[\w']+", written)]
        words.append(SpokenWord(written, parts[0]["start"] - start_s, parts[-1]["end"] - start_s))
    if rest:
        raise ValueError(f"{text}: {len(rest)} timed words are left over")
    return words


def _encode(path: Path, still_path: Path, start_s: float, end_s: float) -> list[float]:
    """Re-encode `[start_s, end_s)` as H.264 and AAC; returns the sound as mono samples at 16 kHz."""
    import av

    samples: list[float] = []
    with av.open(str(media_root() / "video" / f"{FILM}.mp4")) as film, av.open(str(path), "w", options={"movflags": "+faststart"}) as out:
        picture = out.add_stream("libx264", rate=24, options={"preset": "veryfast", "crf": "23", "g": "24"})
        picture.width, picture.height, picture.pix_fmt = 640, 360, "yuv420p"
        sound = out.add_stream("aac", rate=48000)
        to_sound = av.AudioResampler("fltp", "stereo", 48000)
        to_samples = av.AudioResampler("flt", "mono", 16000)
        n_frames = n_samples = 0
        has_still = False
        for frame in film.decode(video=0, audio=0):
            if frame.time is None or frame.time < start_s - 1e-6 or frame.time >= end_s:
                continue
            if isinstance(frame, av.VideoFrame):
                scaled = frame.reformat(640, 360, "yuv420p")
                if not has_still and n_frames == 20:
                    scaled.to_image().save(still_path)
                    has_still = True
                scaled.pts, scaled.time_base = n_frames, Fraction(1, 24)
                n_frames += 1
                out.mux(picture.encode(scaled))
                continue
            for part in to_samples.resample(frame):
                samples += part.to_ndarray()[0].tolist()
            for part in to_sound.resample(frame):
                part.pts, part.time_base = n_samples, Fraction(1, 48000)
                n_samples += part.samples
                out.mux(sound.encode(part))
        out.mux(picture.encode())
        out.mux(sound.encode())
    return samples


def _measure(samples: list[float]) -> tuple[tuple[float, ...], float]:
    n_peaks = 400
    size = max(1, len(samples) // n_peaks)
    peaks = [max((abs(value) for value in samples[index * size : (index + 1) * size]), default=0.0) for index in range(n_peaks)]
    top = max(peaks) or 1.0
    power = sum(value * value for value in samples) / max(1, len(samples))
    return tuple(round(peak / top, 4) for peak in peaks), round(-0.691 + 10 * math.log10(power or 1e-9), 1)
