"""Makes the demo's films on this machine: drawn scenes with cuts, lines spoken by espeak-ng, an SRT, and the true time of every word.

The same program makes the same files, so that their media ids stay the same.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from core.adapters.demo_paint import HEIGHT_PX, WIDTH_PX
from core.adapters.demo_script import DEMO_WORDS, STORIES, DemoLine, DemoStory
from core.adapters.isolated import IsolatedPool
from core.adapters.media_encode import Quality, audio_stream, interleaved, sound_packets, video_stream
from core.adapters.media_open import writing
from core.adapters.media_sound import SoundRange, resampled
from core.adapters.voice_espeak import SpokenLine, speak
from core.rules.safe_names import safe_slug

if TYPE_CHECKING:
    import av
    import numpy as np
    from numpy.typing import NDArray

    from core.adapters.demo_paint import Picture
    from core.adapters.media_encode import Encoded

__all__ = ["DEMO_WORDS", "DemoFilm", "TimedWord", "make_demo_films"]

FPS = 24
FRAMES_A_DRAWING = 2
"""Animated on twos, as drawn films are."""
LEAD_S, TAIL_S = 0.4, 0.6
"""Silence before and after each line, so that a cut at the sentence never touches the next shot."""
RATE_HZ = 44_100
PEAK = 0.7
QUALITY = Quality(crf=21)
FILM_TIMEOUT_S = 180.0


@dataclass(frozen=True, slots=True)
class TimedWord:
    """One spoken word of a film and when it is said: the truth, not a recognition."""

    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class DemoFilm:
    """One made film."""

    path: Path
    srt_path: Path
    words_path: Path
    title: str
    year: int
    words: tuple[TimedWord, ...]
    taught: tuple[str, ...]
    """The vocabulary words that its lines make plain."""


@dataclass(frozen=True, slots=True, eq=False)
class _Shot:
    """One line with its sound and its place in the film; whole frames."""

    line: DemoLine
    spoken: SpokenLine
    first_frame: int
    n_frames: int

    @property
    def voice_s(self) -> float:
        return self.first_frame / FPS + LEAD_S


def make_demo_films(into: Path, report: Callable[[str], None], *, n_processes: int | None = None) -> tuple[DemoFilm, ...]:
    """Make the films in the folder `into`, in their order; one that is there already is left as it is.

    Args:
        into: a folder; it is made if need be.
        report: gets a line for people after each film.
        n_processes: how many films are made at once; the number of cores unless given.

    Raises:
        ModelMissing: espeak-ng cannot be loaded. DiskFull, DecoderDied. What is finished stays and is not made again.
    """
    into.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(n_processes or os.cpu_count() or 1) as at_once:
        order = sorted(range(len(STORIES)), key=lambda index: -len(STORIES[index].lines))
        futures = {at_once.submit(_make_alone, index, into): index for index in order}
        made: dict[int, DemoFilm] = {}
        for future in as_completed(futures):
            film = future.result()
            made[futures[future]] = film
            report(f"Demo film {len(made)} of {len(STORIES)}: {film.title}")
    return tuple(made[index] for index in range(len(STORIES)))


def _make_alone(index: int, into: Path) -> DemoFilm:
    """Each film in a fresh process: espeak-ng's samples depend a little on what it said before."""
    with IsolatedPool(1, timeout_s=FILM_TIMEOUT_S) as pool:
        return pool.run(make_film, index, into)


def make_film(index: int, into: Path) -> DemoFilm:
    """Make the film of `STORIES[index]`, the same in every fresh process; the sidecars first, so that a film that is there is whole."""
    story = STORIES[index]
    stem = f"demo-{safe_slug(story.title)}-{story.year}"
    path, srt_path, words_path = into / f"{stem}.mp4", into / f"{stem}.srt", into / f"{stem}.words.json"
    if not path.exists():
        shots = _shots(story)
        _write_text(srt_path, _srt(shots))
        _write_text(words_path, _truth(story, shots))
        _write_film(path, story, shots)
    words = tuple(TimedWord(row["word"], row["start_s"], row["end_s"]) for row in json.loads(words_path.read_text("utf-8"))["words"])
    return DemoFilm(path, srt_path, words_path, story.title, story.year, words, tuple(word for line in story.lines for word in line.words))


def _shots(story: DemoStory) -> tuple[_Shot, ...]:
    shots: list[_Shot] = []
    frame = 0
    for line in story.lines:
        spoken = speak(line.text, story.voice, story.rate_wpm, story.pitch)
        n_frames = math.ceil((LEAD_S + spoken.duration_s + TAIL_S) * FPS / FRAMES_A_DRAWING) * FRAMES_A_DRAWING
        shots.append(_Shot(line, spoken, frame, n_frames))
        frame += n_frames
    return tuple(shots)


def _srt(shots: tuple[_Shot, ...]) -> str:
    blocks = [
        f"{number}\n{_srt_time(shot.voice_s)} --> {_srt_time(shot.voice_s + shot.spoken.duration_s)}\n{shot.line.text}\n"
        for number, shot in enumerate(shots, start=1)
    ]
    return "\n".join(blocks)


def _srt_time(seconds: float) -> str:
    thousandths = round(seconds * 1000)
    return f"{thousandths // 3_600_000:02}:{thousandths // 60_000 % 60:02}:{thousandths // 1000 % 60:02},{thousandths % 1000:03}"


def _truth(story: DemoStory, shots: tuple[_Shot, ...]) -> str:
    words = [
        {"word": word.text, "start_s": round(shot.voice_s + word.start_s, 4), "end_s": round(shot.voice_s + word.end_s, 4)}
        for shot in shots
        for word in shot.spoken.words
    ]
    return json.dumps(
        {"title": story.title, "year": story.year, "is_demo": True, "voice": f"espeak-ng {story.voice}", "words": words}, indent=1
    )


def _write_text(path: Path, text: str) -> None:
    with writing(path.parent, path.name) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _write_film(path: Path, story: DemoStory, shots: tuple[_Shot, ...]) -> None:
    import av

    with writing(path.parent, path.name) as temporary:
        options = {"movflags": "+faststart", "fflags": "+bitexact"}
        with av.open(f"file:{temporary.absolute()}", "w", format="mp4", options=options) as film:
            film.metadata["title"] = f"{story.title} (Wordreel demo)"
            film.metadata["comment"] = "Drawn and spoken by a program; no real film."
            frames = _frames(shots)
            first = next(frames)
            video = video_stream(film, first, Fraction(FPS), QUALITY)
            sound = SoundRange(_sound(shots), RATE_HZ)
            audio = audio_stream(film, sound, QUALITY)
            for packet in interleaved(_picture(video, first, frames), sound_packets(audio, sound.samples)):
                film.mux(packet)


def _picture(stream: av.VideoStream, first: av.VideoFrame, rest: Iterator[av.VideoFrame]) -> Iterator[Encoded]:
    base = Fraction(1, FPS)
    number = 0
    frame: av.VideoFrame | None = first
    while frame is not None:
        for _ in range(FRAMES_A_DRAWING):
            frame.time_base, frame.pts = base, number
            number += 1
            for packet in stream.encode(frame):
                packet.duration = round(base / (packet.time_base or base))
                yield packet
        frame = next(rest, None)
    for packet in stream.encode(None):
        packet.duration = round(base / (packet.time_base or base))
        yield packet


def _frames(shots: tuple[_Shot, ...]) -> Iterator[av.VideoFrame]:
    """One frame a drawing, ready for the encoder."""
    import av
    import numpy as np

    from core.adapters.demo_scenes import SCENES

    for shot in shots:
        draw = SCENES[shot.line.scene]()
        for number in range(0, shot.n_frames, FRAMES_A_DRAWING):
            picture = _seen(draw(number / FPS), shot.line)
            pixels = np.clip(picture + 0.5, 0, 255).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            yield frame.reformat(
                WIDTH_PX,
                HEIGHT_PX,
                "yuv420p",
                src_colorspace="ITU709",
                dst_colorspace="ITU709",
                src_color_range="JPEG",
                dst_color_range="MPEG",
            )


def _seen(picture: Picture, line: DemoLine) -> Picture:
    """The part of the drawing that the camera sees."""
    width, height = round(WIDTH_PX / line.zoom / 2) * 2, round(HEIGHT_PX / line.zoom / 2) * 2
    left, top = (WIDTH_PX - width) // 2, round((HEIGHT_PX - height) * 0.62)
    part = picture[top : top + height, left : left + width]
    return part[:, ::-1] if line.is_mirrored else part


def _sound(shots: tuple[_Shot, ...]) -> NDArray[np.float32]:
    """The whole film's sound: `(1, n_samples)`."""
    import numpy as np

    n_frames = shots[-1].first_frame + shots[-1].n_frames
    samples = np.zeros((1, n_frames * RATE_HZ // FPS), np.float32)
    for shot in shots:
        spoken = shot.spoken.pcm.astype(np.float32)[None, :] / np.float32(32768)
        n_samples = round(spoken.shape[1] * RATE_HZ / shot.spoken.sample_rate_hz)
        line = resampled(spoken, shot.spoken.sample_rate_hz, RATE_HZ, n_samples)
        start = round(shot.voice_s * RATE_HZ)
        samples[:, start : start + n_samples] = line[:, : samples.shape[1] - start] * (PEAK / max(1e-6, float(np.abs(line).max())))
    return samples
