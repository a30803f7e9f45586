"""Small films made for tests, with a truth that can be read back: every frame says its number, every second beeps and flashes."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

BITS = 10


def numbered_frame(number: int, width: int = 192, height: int = 108, *, is_flash: bool = False) -> av.VideoFrame:
    """A grey frame with its number as black and white columns at the top; the lower half is white while it flashes."""
    pixels = np.full((height, width, 3), 96, np.uint8)
    column = width // BITS
    for bit in range(BITS):
        pixels[: height // 2, bit * column : (bit + 1) * column] = 235 if number >> bit & 1 else 16
    if is_flash:
        pixels[height // 2 :] = 250
    return av.VideoFrame.from_ndarray(pixels, format="rgb24")


def read_number(frame: av.VideoFrame) -> int:
    """The number of a frame of `numbered_frame`, at any size."""
    grey = frame.to_ndarray(format="gray")
    height, width = grey.shape
    middles = [int((bit + 0.5) * (width // BITS if width % BITS == 0 else width * (192 // BITS) / 192)) for bit in range(BITS)]
    return sum(1 << bit for bit, x in enumerate(middles) if grey[height // 4, x] > 128)


def is_flash(frame: av.VideoFrame) -> bool:
    grey = frame.to_ndarray(format="gray")
    return bool(grey[grey.shape[0] * 3 // 4].mean() > 200)


def tone(n_samples: int, rate_hz: int, beep_s: float = 0.1) -> np.ndarray:
    """A quiet sweep that never repeats, and a loud beep for the first `beep_s` of every second."""
    times = np.arange(n_samples) / rate_hz
    sweep = 0.05 * np.sin(2 * np.pi * (200 + 20 * times) * times)
    beep = 0.6 * np.sin(2 * np.pi * 1000 * times) * (times % 1.0 < beep_s)
    return (sweep + beep).astype(np.float32)


def make_film(
    path: Path,
    *,
    duration_s: float = 6.0,
    fps: Fraction | int = 24,
    size: tuple[int, int] = (192, 108),
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    rate_hz: int = 48_000,
    audio_codec: str = "aac",
    has_audio: bool = True,
    has_video: bool = True,
    pts: list[int] | None = None,
    time_base: Fraction | None = None,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    start_offset_s: float = 0.0,
) -> Path:
    """Write a film. `pts` (in `time_base`) makes the rate variable; frames are numbered in order all the same."""
    with av.open(str(path), "w", options=container_options or {}) as film:
        video = film.add_stream(codec, rate=fps, options=options or {"crf": "12", "g": "48"}) if has_video else None
        audio = film.add_stream(audio_codec, rate=rate_hz, layout="mono") if has_audio else None
        packets = []
        if video is not None:
            video.width, video.height, video.pix_fmt = *size, pixel_format
            base = time_base or 1 / Fraction(fps)
            video.codec_context.time_base = base
            n_frames = len(pts) if pts is not None else round(duration_s * fps)
            for number in range(n_frames):
                at = pts[number] if pts is not None else number
                frame = numbered_frame(number, *size, is_flash=float(at * base) % 1.0 < 0.0999).reformat(format=pixel_format)
                frame.pts, frame.time_base = at + round(start_offset_s / base), base
                packets += video.encode(frame)
            packets += video.encode(None)
        if audio is not None:
            samples = tone(round(duration_s * rate_hz), rate_hz)
            block = audio.codec_context.frame_size or 1024
            for start in range(0, len(samples), block):
                frame = av.AudioFrame.from_ndarray(samples[None, start : start + block].copy(), format="fltp", layout="mono")
                frame.sample_rate, frame.time_base = rate_hz, Fraction(1, rate_hz)
                frame.pts = start + round(start_offset_s * rate_hz)
                packets += audio.encode(frame) if audio.codec_context.format.name == "fltp" else _converted(audio, frame)
            packets += audio.encode(None)
        for packet in sorted(packets, key=lambda p: float((p.dts or 0) * p.time_base)):
            film.mux(packet)
    return path


def _converted(audio: av.AudioStream, frame: av.AudioFrame) -> list[av.Packet]:
    resampler = av.AudioResampler(format=audio.codec_context.format.name, layout="mono", rate=frame.sample_rate)
    packets = []
    for piece in resampler.resample(frame):
        packets += audio.encode(piece)
    return packets
