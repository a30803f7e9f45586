"""Small real MP4 films with speech, for the made-up ClipCafe: made once a folder, told apart by a box at their end."""

from __future__ import annotations

import hashlib
import struct
import threading
from fractions import Fraction
from pathlib import Path

from tests.loopback.clipcafe_corpus import CorpusClip

FPS = 12
_lock = threading.Lock()


class ClipFilms:
    """The bytes of a clip. `is_spoken`: each clip says its own line, at the cost of a voice and an encoder; else a few lines serve all."""

    def __init__(self, folder: Path, *, is_spoken: bool = False) -> None:
        self._folder = folder
        self._is_spoken = is_spoken

    def bytes_of(self, clip: CorpusClip) -> bytes:
        """The same bytes each time, different for each slug."""
        text = clip.spoken if self._is_spoken else f"This is clip number {clip.number % 3}."
        length_s = clip.duration_s if self._is_spoken else 2.0 + clip.number % 3
        name = hashlib.sha256(f"{text} {length_s}".encode()).hexdigest()[:24]
        path = self._folder / f"{name}.mp4"
        with _lock:
            if not path.exists():
                self._folder.mkdir(parents=True, exist_ok=True)
                part = path.with_suffix(".part.mp4")
                speak_film(part, text, length_s)
                part.replace(path)
        mark = clip.slug.encode()
        return path.read_bytes() + struct.pack(">I4s", 8 + len(mark), b"free") + mark


def speak_film(path: Path, text: str, duration_s: float, *, rate_wpm: int = 150) -> Path:
    """H.264 and AAC in MP4, faststart: a still picture, and a voice that says the text."""
    import av
    import numpy as np

    from core.adapters.voice_espeak import speak
    from tests.loopback.made_films import numbered_frame

    line = speak(text, rate_wpm=rate_wpm)
    n_samples = max(round(duration_s * line.sample_rate_hz), len(line.pcm))
    samples = np.zeros(n_samples, np.float32)
    samples[: len(line.pcm)] = line.pcm.astype(np.float32) / 32768
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as film:
        video = film.add_stream("libx264", rate=FPS, options={"crf": "30", "preset": "ultrafast", "bf": "0"})
        video.width, video.height, video.pix_fmt = 192, 108, "yuv420p"
        video.codec_context.thread_count = 1
        audio = film.add_stream("aac", rate=line.sample_rate_hz, layout="mono")
        for number in range(round(n_samples / line.sample_rate_hz * FPS)):
            frame = numbered_frame(number // FPS).reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            film.mux(video.encode(frame))
        film.mux(video.encode(None))
        block = 1024
        for start in range(0, n_samples, block):
            sound = av.AudioFrame.from_ndarray(samples[None, start : start + block].copy(), format="fltp", layout="mono")
            sound.sample_rate, sound.time_base, sound.pts = line.sample_rate_hz, Fraction(1, line.sample_rate_hz), start
            film.mux(audio.encode(sound))
        film.mux(audio.encode(None))
    return path
