"""Samples of a film's sound by time, exact to the sample, and its envelope."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from core.adapters.media_open import first_sound, reading, zero_s
from core.adapters.media_probe import exact_duration_s
from core.timing import Span

if TYPE_CHECKING:
    import av
    import numpy as np
    from av.container import InputContainer
    from numpy.typing import NDArray

PREROLL_S = 1.0
"""Decoded and dropped before a range: decoders need a run-up (Opus 80 ms, MP3's bit reservoir, AAC one frame)."""
GAP_S = 0.02
"""Stated times that differ by less from the running count are rounding of the container; more is a gap or a jump."""
CLIP_RATES_HZ = (44_100, 48_000)
MAX_RATE_HZ = 192_000


@dataclass(frozen=True, slots=True, eq=False)
class SoundRange:
    """Samples of one range: float32 `(n_channels, n_samples)`, 1 or 2 channels, -1 to 1."""

    samples: NDArray[np.float32]
    rate_hz: int


def read_sound(path: Path, span: Span) -> SoundRange:
    """The film's sound over the span at 44.1 or 48 kHz; moments without sound are silent.

    Raises:
        NotFound, UnreadableMedia.
    """
    import numpy as np

    with reading(path) as film:
        stream = first_sound(film)
        if stream is None:
            return SoundRange(np.zeros((1, 0), np.float32), CLIP_RATES_HZ[1])
        source_hz = min(stream.codec_context.sample_rate, MAX_RATE_HZ) or CLIP_RATES_HZ[1]
        n_channels = 1 if stream.codec_context.channels == 1 else 2
        first, end = round(span.start_s * source_hz), round(span.end_s * source_hz)
        samples = np.zeros((n_channels, end - first), np.float32)
        for start, block in _blocks_from(film, stream, span.start_s, source_hz, n_channels):
            if start >= end:
                break
            low, high = max(start, first), min(start + block.shape[1], end)
            if low < high:
                samples[:, low - first : high - first] = block[:, low - start : high - start]
    if source_hz in CLIP_RATES_HZ:
        return SoundRange(samples, source_hz)
    n_samples = round(span.end_s * CLIP_RATES_HZ[1]) - round(span.start_s * CLIP_RATES_HZ[1])
    return SoundRange(resampled(samples, source_hz, CLIP_RATES_HZ[1], n_samples), CLIP_RATES_HZ[1])


def read_peaks(path: Path, n_peaks: int) -> tuple[float, ...]:
    """The loudest sample (0 to 1) of each of `n_peaks` equal spans of the whole file; all 0 without sound.

    Raises:
        NotFound, UnreadableMedia.
    """
    import numpy as np

    peaks = np.zeros(n_peaks, np.float32)
    with reading(path) as film:
        stream = first_sound(film)
        if stream is None or n_peaks == 0:
            return tuple(peaks.tolist())
        rate_hz = stream.codec_context.sample_rate
        n_samples = max(1, round(exact_duration_s(path, film) * rate_hz))
        for start, block in _blocks_from(film, stream, 0.0, rate_hz, 1):
            spans = np.clip(np.arange(start, start + block.shape[1], dtype=np.int64) * n_peaks // n_samples, 0, n_peaks - 1)
            firsts = np.flatnonzero(np.diff(spans, prepend=-1))
            loudest = np.maximum.reduceat(np.abs(block[0]), firsts)
            np.maximum.at(peaks, spans[firsts], loudest)
    return tuple(float(value) for value in np.clip(np.nan_to_num(peaks), 0.0, 1.0))


def _blocks_from(
    film: InputContainer, stream: av.AudioStream, start_s: float, rate_hz: int, n_channels: int
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """`(index of the first sample counted from the file's first moment, samples)`, from at or before `start_s` on."""
    import av

    zero = zero_s(film)
    resampler = av.AudioResampler(format="fltp", layout="mono" if n_channels == 1 else "stereo", rate=rate_hz)
    if start_s > PREROLL_S and stream.time_base:
        film.seek(int((start_s - PREROLL_S + zero) / float(stream.time_base)), stream=stream, backward=True)
    position = -1
    for frame in _decoded(film, stream, start_s, zero):
        stated = position if frame.time is None else math.floor((frame.time - zero) * rate_hz + 0.5)
        frame.pts = None
        for piece in resampler.resample(frame):
            block = cast("NDArray[np.float32]", piece.to_ndarray())
            if position < 0 or abs(stated - position) > GAP_S * rate_hz:
                position = stated
            yield position, block
            position += block.shape[1]
            stated = position


def _decoded(film: InputContainer, stream: av.AudioStream, start_s: float, zero: float) -> Iterator[av.AudioFrame]:
    """Frames in order; damage in the run-up before `start_s` does not matter."""
    import av

    is_inside = False
    for packet in film.demux(stream):
        try:
            frames = packet.decode()
        except av.InvalidDataError:
            if is_inside:
                raise
            continue
        for frame in frames:
            is_inside = is_inside or frame.time is None or frame.time - zero >= start_s
            yield frame


def resampled(samples: NDArray[np.float32], from_hz: int, to_hz: int, n_samples: int) -> NDArray[np.float32]:
    """The whole range at another rate, without delay, exactly `n_samples` long."""
    import av
    import numpy as np

    layout = "mono" if len(samples) == 1 else "stereo"
    resampler = av.AudioResampler(format="fltp", layout=layout, rate=to_hz)
    frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=layout)
    frame.sample_rate = from_hz
    pieces = [piece.to_ndarray() for piece in [*resampler.resample(frame), *resampler.resample(None)]]
    joined = np.concatenate(pieces, axis=1) if pieces else np.zeros((len(samples), 0), np.float32)
    exact = np.zeros((len(samples), n_samples), np.float32)
    n_kept = min(n_samples, joined.shape[1])
    exact[:, :n_kept] = joined[:, :n_kept]
    return exact
