"""Cutting `[start_s, end_s)` out of a film into a small MP4 that every browser and phone plays.

Picture: H.264, yuv420p, square pixels, at most 1280 x 720, the film's rate (halved until it is 30 or less), closed GOPs
without B-frames, so that the first frame is a key frame at 0 and nothing depends on edit lists. Sound: AAC-LC, mono or
stereo, 44.1 or 48 kHz, exact to the sample and as loud as in the film; a player evens the loudness out by the probe's
figure. The same input gives the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from core.adapters.media_encode import Quality, Scaler, TimedFrame, audio_stream, interleaved, picture_packets, sound_packets, video_stream
from core.adapters.media_open import first_picture, first_sound, reading, require_picture_or_sound, writing, zero_s
from core.adapters.media_probe import exact_duration_s
from core.adapters.media_sound import SoundRange, read_sound
from core.errors import InvalidInput, UnreadableMedia
from core.timing import Span

if TYPE_CHECKING:
    import av
    from av.container import InputContainer, OutputContainer

MAX_FPS = 30
MAX_CUT_S = 900.0
"""The sound of a cut is held in memory: about 350 MB at this length."""
SHORTEST_FRAME_S = 0.01
"""A first or last frame that would stand for less is left out; its neighbour stands in, at most this much too early or late."""
ROUNDING_S = 0.001
"""Matroska keeps times in whole milliseconds, and people write them so."""
STAGE_COLOUR = "0x0B0C0E"
STAGE_PX = (640, 360)


def cut_range(path: Path, wanted: Span, folder: Path, name: str, quality: Quality) -> Path:
    """Write the range as `folder/name`; what lies past the film's end is left off.

    Raises:
        InvalidInput: an empty range, one outside the film, or one longer than MAX_CUT_S.
        NotFound, UnreadableMedia, UnsupportedMedia, DiskFull.
    """
    import av

    with reading(path) as film:
        require_picture_or_sound(path, film)
        span = _within(path, wanted, exact_duration_s(path, film))
        sound = read_sound(path, span) if first_sound(film) is not None else None
        with writing(folder, name) as temporary:
            options = {"movflags": "+faststart", "fflags": "+bitexact", "use_editlist": "1"}
            with av.open(f"file:{temporary.absolute()}", "w", format="mp4", options=options) as clip:
                _write_streams(path, film, clip, span, sound, quality)
    return folder / name


def _within(path: Path, wanted: Span, duration_s: float) -> Span:
    shown = f"{wanted.start_s:.3f} to {wanted.end_s:.3f} s"
    end_s = min(wanted.end_s, duration_s)
    if not 0 <= wanted.start_s < end_s:
        message = f"{shown} is no range of {path.name}, which is {duration_s:.3f} s long."
        raise InvalidInput(message, hint="Give a start before the end, inside the film.")
    if end_s - wanted.start_s > MAX_CUT_S:
        raise InvalidInput(f"{shown} of {path.name} is longer than {MAX_CUT_S:.0f} s.", hint="Cut a shorter range.")
    return Span(wanted.start_s, end_s)


def _write_streams(path: Path, film: InputContainer, clip: OutputContainer, span: Span, sound: SoundRange | None, quality: Quality) -> None:
    """Encode picture and sound, interleaved by time."""
    picture = first_picture(film)
    rate = clip_rate(picture)
    frames = _stage_frames(span.duration_s) if picture is None else _shown_frames(path, film, picture, span, rate)
    first = next(frames, None)
    if first is None:
        raise UnreadableMedia(f"{path.name} has no picture from {span.start_s:.3f} s.", hint="Fetch or copy the file again.")
    scaler = Scaler(quality, picture.codec_context.sample_aspect_ratio if picture is not None else None)
    shape = scaler.scale(first.frame)
    video = video_stream(clip, shape, rate, quality)
    audio = None if sound is None else audio_stream(clip, sound, quality)
    packets = picture_packets(video, _chain(first, frames), scaler)
    if audio is not None and sound is not None:
        packets = interleaved(packets, sound_packets(audio, sound.samples))
    for packet in packets:
        clip.mux(packet)


def _chain(first: TimedFrame, rest: Iterator[TimedFrame]) -> Iterator[TimedFrame]:
    yield first
    yield from rest


def clip_rate(picture: av.VideoStream | None) -> Fraction:
    """Frames a second of a cut: the film's, halved until it is at most MAX_FPS."""
    rate = Fraction(24) if picture is None else Fraction(picture.guessed_rate or picture.average_rate or 24)
    if not 1 <= rate <= 1000:
        rate = Fraction(24)
    while rate > MAX_FPS:
        rate /= 2
    return rate.limit_denominator(1001)


def _stage_frames(duration_s: float) -> Iterator[TimedFrame]:
    """A dark, empty stage for a sound without a picture."""
    import av

    width_px, height_px = STAGE_PX
    graph = av.filter.Graph()
    source = graph.add("color", f"c={STAGE_COLOUR}:s={width_px}x{height_px}:r=24")
    sink = graph.add("buffersink")
    source.link_to(sink)
    graph.configure()
    frame = graph.vpull()
    n_frames = max(1, math.ceil(duration_s * 24 - 0.25))
    for index in range(n_frames):
        yield TimedFrame(frame, index / 24, duration_s if index == n_frames - 1 else (index + 1) / 24)


def _shown_frames(path: Path, film: InputContainer, picture: av.VideoStream, span: Span, rate: Fraction) -> Iterator[TimedFrame]:
    """The frames of the range on a grid of `rate` that starts with the frame that is on screen at `start_s`.

    Every frame keeps its exact place to the sound; where `start_s` lies between two frames the first one is shown for the rest of
    its own time.
    """
    picture.thread_type = "AUTO"
    decoded = decoded_from(path, film, picture, span.start_s)
    current = next(decoded, None)
    if current is None:
        return
    following = next(decoded, None)
    while following is not None and following[0] <= span.start_s + SHORTEST_FRAME_S:
        current, following = following, next(decoded, None)
    grid_s = min(max(current[0] - span.start_s, -float(1 / rate)), SHORTEST_FRAME_S)
    if abs(grid_s) <= ROUNDING_S:
        grid_s = 0.0
    pending: TimedFrame | None = None
    index = 0
    while (at_s := grid_s + float(index / rate)) < span.duration_s - SHORTEST_FRAME_S or pending is None:
        while following is not None and following[0] - span.start_s <= at_s + float(1 / rate) / 4:
            current, following = following, next(decoded, None)
        if pending is not None:
            yield TimedFrame(pending.frame, pending.start_s, at_s)
        pending = TimedFrame(current[1], at_s if index else 0.0, span.duration_s)
        index += 1
    yield pending


def fitted_picture(frame: av.VideoFrame, pixel_ratio: Fraction | None, quality: Quality) -> av.VideoFrame:
    """One frame upright, with square pixels, within the size of `quality`."""
    return Scaler(quality, pixel_ratio).scale(frame)


def decoded_from(path: Path, film: InputContainer, picture: av.VideoStream, start_s: float) -> Iterator[tuple[float, av.VideoFrame]]:
    """Frames with their time, beginning with one that is shown at or before `start_s` where there is one."""
    import av

    zero = zero_s(film)
    time_base = picture.time_base or Fraction(1, 1000)
    for back_s in (0.0, 10.0, math.inf):
        target_s = max(0.0, start_s - back_s)
        film.seek(int((target_s + zero) / float(time_base)), stream=picture, backward=True)
        frames = _timed(film, picture, zero, start_s)
        try:
            first = next(frames, None)
        except av.FFmpegError:
            first = None
        if first is not None and (first[0] <= start_s + SHORTEST_FRAME_S or target_s == 0.0):
            yield first
            yield from frames
            return
    raise UnreadableMedia(f"{path.name} has no picture that decodes before {start_s:.3f} s.", hint="Fetch or copy the file again.")


def _timed(film: InputContainer, picture: av.VideoStream, zero: float, start_s: float) -> Iterator[tuple[float, av.VideoFrame]]:
    """Decoded frames in order of time; damage before the wanted range does not matter."""
    import av

    latest_s = -math.inf
    for packet in film.demux(picture):
        try:
            frames = packet.decode()
        except av.InvalidDataError:
            if latest_s >= start_s:
                raise
            continue
        for frame in frames:
            if frame.time is not None and frame.time - zero > latest_s:
                latest_s = frame.time - zero
                yield latest_s, frame
