"""Changes to sound before it is aligned: a floor of noise under digital silence, and subtraction of steady noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FLOOR_AMPLITUDE = 3.0
"""Of 32768. Digital silence has no logarithm, and a stretch of it spoils the mean that features are taken against."""

FRAME = 400
HOP = 160
FFT = 512
NOISE_PERCENTILE = 15.0
STRONG = 1.5
MILD = 0.6
MIN_GAIN = 0.1


def add_floor(pcm: NDArray[np.int16]) -> NDArray[np.int16]:
    """The same sound with noise about 80 dB below full scale; always the same noise."""
    import numpy as np

    noise = np.random.default_rng(7).uniform(-FLOOR_AMPLITUDE, FLOOR_AMPLITUDE, len(pcm))
    return np.clip(pcm + noise, -32768, 32767).astype(np.int16)


def subtract_noise(pcm: NDArray[np.int16], strength: float = STRONG) -> NDArray[np.int16]:
    """The same sound (16 kHz) with what is steady in it turned down, as a second opinion for the aligner; times do not move.

    Each frequency's noise is the 15th percentile of its level over the whole stretch; `strength` times that is taken away.

    Source: S. Boll, Suppression of acoustic noise in speech using spectral subtraction, 1979.
    """
    import numpy as np

    n_frames = (len(pcm) - FRAME) // HOP + 1
    if n_frames < 2:
        return pcm
    sound, window = pcm.astype(np.float64), np.hanning(FRAME)
    at = np.arange(n_frames)[:, None] * HOP + np.arange(FRAME)
    spectrum = np.fft.rfft(sound[at] * window, FFT)
    level = np.abs(spectrum)
    noise = strength * np.percentile(level, NOISE_PERCENTILE, axis=0)
    gain = np.maximum(1 - noise / np.maximum(level, 1e-9), MIN_GAIN)
    frames = np.fft.irfft(spectrum * gain)[:, :FRAME] * window
    total, weight = np.zeros(len(sound)), np.full(len(sound), 1e-3)
    np.add.at(total, at, frames)
    np.add.at(weight, at, np.broadcast_to(window**2, frames.shape))
    return cast("NDArray[np.int16]", np.clip(total / weight, -32768, 32767).astype(np.int16))
