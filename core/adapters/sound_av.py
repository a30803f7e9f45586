"""Sound of a media file as 16 kHz mono samples on the file's own clock, read with PyAV."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

from core.adapters.media_open import first_sound, reading, zero_s
from core.errors import UnsupportedMedia

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from av import AudioFrame, AudioResampler
    from av.container import InputContainer
    from numpy.typing import NDArray

SAMPLE_RATE_HZ = 16_000

MAX_JUMP_S = 0.04
"""A frame that starts further than this from the end of the one before begins anew at its own time (a gap, or lost frames)."""

SEEK_MARGIN_S = 1.0
"""How far before the wanted moment decoding begins, so that a codec's first frames after a seek are not used."""

MAX_BROKEN_PACKETS = 200
"""More than this many packets that do not decode, and the sound counts as unreadable."""

LOUDNESS_HOP_S = 0.01
SILENCE_DB = -100.0


def read_pcm(path: Path, start_s: float = 0.0, end_s: float | None = None) -> NDArray[np.int16]:
    """Samples of `[start_s, end_s)`: int16, mono, 16 kHz; sample 0 is at `start_s` of the media, whatever the sound's own offset.

    Where the file has no sound for a while (a late start, a gap) the samples are 0. With `end_s` None it ends where the
    sound ends.

    Raises:
        UnsupportedMedia: there is no sound.
        UnreadableMedia, NotFound: as `media_open.reading`.
    """
    import numpy as np

    with reading(path) as container:
        runs = list(_runs(path, container, start_s, end_s))
    first = round(start_s * SAMPLE_RATE_HZ)
    end = max((at + len(samples) for at, samples in runs), default=first) if end_s is None else round(end_s * SAMPLE_RATE_HZ)
    pcm = np.zeros(max(0, end - first), dtype=np.int16)
    for at, samples in runs:
        begin, stop = max(at, first), min(at + len(samples), end)
        if begin < stop:
            pcm[begin - first : stop - first] = samples[begin - at : stop - at]
    return pcm


def measure_loudness(pcm: NDArray[np.int16]) -> NDArray[np.float64]:
    """Level of every 10 ms (window 20 ms, centred) in dB below full scale; `SILENCE_DB` for digital silence."""
    import numpy as np

    hop = round(LOUDNESS_HOP_S * SAMPLE_RATE_HZ)
    n_frames = max(0, len(pcm) // hop)
    squares = np.concatenate([[0.0], np.cumsum((pcm.astype(np.float64) / 32768.0) ** 2)])
    centres = np.arange(n_frames) * hop + hop // 2
    lows, highs = np.clip(centres - hop, 0, len(pcm)), np.clip(centres + hop, 0, len(pcm))
    power = (squares[highs] - squares[lows]) / np.maximum(1, highs - lows)
    return cast("NDArray[np.float64]", 10 * np.log10(np.maximum(power, 10 ** (SILENCE_DB / 10))))


def _runs(path: Path, container: InputContainer, start_s: float, end_s: float | None) -> Iterator[tuple[int, NDArray[np.int16]]]:
    """Stretches of unbroken sound: first sample on the media's clock, samples."""
    import numpy as np

    run: list[NDArray[np.int16]] = []
    resampler: AudioResampler | None = None
    shape: tuple[int, str, str] | None = None
    run_at_s = expected_s = 0.0
    for frame, moment_s in _frames(path, container, start_s, end_s):
        frame_shape = (frame.sample_rate, frame.format.name, frame.layout.name)
        moment_s = expected_s if moment_s is None else moment_s
        if resampler is None or frame_shape != shape or abs(moment_s - expected_s) > MAX_JUMP_S:
            if resampler is not None:
                run += _resample(resampler, None)
                yield round(run_at_s * SAMPLE_RATE_HZ), np.concatenate(run)
            resampler, shape, run, run_at_s, expected_s = _new_resampler(), frame_shape, [], moment_s, moment_s
        expected_s += frame.samples / frame.sample_rate
        frame.pts = None
        run += _resample(resampler, frame)
    if resampler is not None:
        run += _resample(resampler, None)
        yield round(run_at_s * SAMPLE_RATE_HZ), np.concatenate(run)


def _frames(path: Path, container: InputContainer, start_s: float, end_s: float | None) -> Iterator[tuple[AudioFrame, float | None]]:
    """Decoded frames with their moment on the media's clock; packets that do not decode are passed over, up to a limit."""
    import av

    stream = first_sound(container)
    if stream is None:
        raise UnsupportedMedia(f"{path.name} has no sound.", hint="Choose a film with sound.")
    clock_zero_s = zero_s(container)
    if start_s > SEEK_MARGIN_S:
        container.seek(round((start_s - SEEK_MARGIN_S + clock_zero_s) * 1_000_000), backward=True)
    n_broken = 0
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:
            n_broken += 1
            if n_broken > MAX_BROKEN_PACKETS:
                raise
            continue
        for frame in frames:
            time_base = frame.time_base or stream.time_base or Fraction(1, frame.sample_rate)
            moment_s = None if frame.pts is None else float(frame.pts * time_base) - clock_zero_s
            if end_s is not None and moment_s is not None and moment_s >= end_s:
                return
            yield frame, moment_s


def _new_resampler() -> AudioResampler:
    from av import AudioResampler

    return AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE_HZ)


def _resample(resampler: AudioResampler, frame: AudioFrame | None) -> list[NDArray[np.int16]]:
    return [resampled.to_ndarray()[0] for resampled in resampler.resample(frame)]
