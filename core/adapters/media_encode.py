"""The encoder's side of a cut: one size, one format, H.264 and AAC-LC, the same bytes for the same frames."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from core.adapters.media_sound import SoundRange

if TYPE_CHECKING:
    import av
    import numpy as np
    from av.container import OutputContainer
    from av.stream import Stream
    from numpy.typing import NDArray

    Encoded = av.Packet[Stream]

MAX_WIDTH_PX, MAX_HEIGHT_PX = 1280, 720
GOP_S = 2
N_THREADS = 2
"""Fixed: x264's result depends on it."""


@dataclass(frozen=True, slots=True)
class Quality:
    """How hard the encoder presses; the sound keeps at least 64 kbit/s a channel pair, so that speech stays clear."""

    crf: int = 23
    max_width_px: int = MAX_WIDTH_PX
    max_height_px: int = MAX_HEIGHT_PX
    stereo_bps: int = 128_000
    mono_bps: int = 96_000


@dataclass(frozen=True, slots=True)
class TimedFrame:
    """A decoded frame and when it is shown in the cut: `[start_s, end_s)` from the cut's start."""

    frame: av.VideoFrame
    start_s: float
    end_s: float


class Scaler:
    """Turns decoded frames of any size, format and rotation into upright square-pixel yuv420p of one size."""

    def __init__(self, quality: Quality, pixel_ratio: Fraction | None) -> None:
        self._quality = quality
        self._pixel_ratio = pixel_ratio if pixel_ratio else Fraction(1)
        self._graph: av.filter.Graph | None = None
        self._seen: tuple[object, ...] = ()
        self._size: tuple[int, int] | None = None

    def scale(self, frame: av.VideoFrame) -> av.VideoFrame:
        """The frame in the size of the first one."""
        seen = (frame.width, frame.height, frame.format.name, frame.rotation, frame.colorspace, frame.color_range)
        if self._graph is None or seen != self._seen:
            self._graph, self._seen = self._build(frame), seen
        frame.pts = None
        self._graph.vpush(frame)
        return self._graph.vpull()

    def _build(self, frame: av.VideoFrame) -> av.filter.Graph:
        import av

        turn = {90: "transpose=cclock,", 180: "hflip,vflip,", 270: "transpose=clock,"}.get(frame.rotation % 360, "")
        width, height = Fraction(frame.width) * self._pixel_ratio, Fraction(frame.height)
        if frame.rotation % 180:
            width, height = height, width
        self._size = self._size or fitted_size(width, height, self._quality.max_width_px, self._quality.max_height_px)
        graph = av.filter.Graph()
        source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 1000))
        matrix = _matrix_name(frame)
        colours = f"in_color_matrix={matrix}:out_color_matrix=bt709:out_range=tv"
        scale = f"scale={self._size[0]}:{self._size[1]}:flags=bicubic+accurate_rnd+full_chroma_int:{colours}"
        last = source
        for part in f"{turn}{scale},setsar=1,format=yuv420p".split(","):
            name, _, arguments = part.partition("=")
            step = graph.add(name, arguments)
            last.link_to(step)
            last = step
        sink = graph.add("buffersink")
        last.link_to(sink)
        graph.configure()
        return graph


def fitted_size(width: Fraction, height: Fraction, max_width_px: int, max_height_px: int) -> tuple[int, int]:
    """The largest even size within the bounds, never larger than the film, as near to its shape as even numbers allow."""
    shrink = min(Fraction(1), Fraction(max_width_px) / width, Fraction(max_height_px) / height)
    return max(2, round(width * shrink / 2) * 2), max(2, round(height * shrink / 2) * 2)


def _matrix_name(frame: av.VideoFrame) -> str:
    """Colour matrix of a frame; unstated ones by height. Source: ITU-R BT.601 for standard definition, BT.709 above."""
    stated = {1: "bt709", 4: "fcc", 5: "bt601", 6: "bt601", 7: "smpte240m", 9: "bt2020", 10: "bt2020"}
    return stated.get(int(frame.colorspace), "bt709" if frame.height >= MAX_HEIGHT_PX else "bt601")


def video_stream(clip: OutputContainer, shape: av.VideoFrame, rate: Fraction, quality: Quality) -> av.VideoStream:
    """H.264 with a clock on which every frame of `rate` falls on a whole tick (as libavformat chooses it)."""
    ticks = rate.numerator
    while ticks < 10_000:
        ticks *= 2
    gop = max(1, round(GOP_S * rate))
    options = {"preset": "veryfast", "crf": str(quality.crf), "profile": "high", "bf": "0", "g": str(gop), "flags": "+bitexact+cgop"}
    stream = clip.add_stream("libx264", rate=rate, options=options)
    context = stream.codec_context
    stream.width, stream.height, stream.pix_fmt = shape.width, shape.height, "yuv420p"
    context.thread_count = N_THREADS
    context.time_base = stream.time_base = Fraction(1, ticks)
    context.color_range, context.colorspace, context.color_primaries, context.color_trc = 1, 1, 1, 1
    return stream


def audio_stream(clip: OutputContainer, sound: SoundRange, quality: Quality) -> av.AudioStream:
    """AAC-LC at the sound's own rate."""
    is_mono = len(sound.samples) == 1
    stream = clip.add_stream("aac", rate=sound.rate_hz, layout="mono" if is_mono else "stereo", options={"flags": "+bitexact"})
    stream.codec_context.bit_rate = quality.mono_bps if is_mono else quality.stereo_bps
    stream.codec_context.thread_count = 1
    return stream


def picture_packets(stream: av.VideoStream, frames: Iterator[TimedFrame], scaler: Scaler) -> Iterator[Encoded]:
    """The encoded picture; each packet carries how long its frame is shown."""
    import av

    base = stream.codec_context.time_base
    lengths: dict[int, int] = {}
    for shown in frames:
        frame = scaler.scale(shown.frame)
        frame.time_base, frame.pts = base, round(shown.start_s / base)
        lengths[frame.pts] = round(shown.end_s / base) - frame.pts
        frame.pict_type = av.video.frame.PictureType.NONE
        yield from _with_lengths(stream.encode(frame), lengths)
    yield from _with_lengths(stream.encode(None), lengths)


def _with_lengths(packets: list[Encoded], lengths: dict[int, int]) -> Iterator[Encoded]:
    for packet in packets:
        packet.duration = lengths[packet.pts or 0]
        yield packet


def sound_packets(stream: av.AudioStream, samples: NDArray[np.float32]) -> Iterator[Encoded]:
    """The encoded sound, from its first sample to its last."""
    import av

    rate_hz = stream.codec_context.sample_rate
    layout = "mono" if len(samples) == 1 else "stereo"
    for start in range(0, samples.shape[1], 1024):
        block = samples[:, start : start + 1024]
        frame = av.AudioFrame.from_ndarray(block.copy(), format="fltp", layout=layout)
        frame.sample_rate, frame.time_base, frame.pts = rate_hz, Fraction(1, rate_hz), start
        yield from stream.encode(frame)
    yield from stream.encode(None)


def interleaved(picture: Iterator[Encoded], sound: Iterator[Encoded]) -> Iterator[Encoded]:
    """Both streams' packets by time, so that the muxer has nothing to hold back."""
    waiting = [(stream, packet) for stream in (picture, sound) if (packet := next(stream, None)) is not None]
    while waiting:
        at = min(range(len(waiting)), key=lambda index: (waiting[index][1].dts or 0) * (waiting[index][1].time_base or 0))
        stream, packet = waiting[at]
        yield packet
        following = next(stream, None)
        if following is None:
            waiting.pop(at)
        else:
            waiting[at] = (stream, following)
