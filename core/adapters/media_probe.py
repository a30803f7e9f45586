"""What one media file is: streams, exact duration, order of its boxes, loudness."""

from __future__ import annotations

import hashlib
import math
import struct
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from core.adapters.media_open import first_picture, first_sound, reading, require_picture_or_sound, sniff, zero_s
from core.errors import UnreadableMedia
from core.model.media import AudioStream, MediaFacts, SubtitleStream, VideoStream

if TYPE_CHECKING:
    import av
    from av.container import InputContainer

TEXT_SUBTITLES = frozenset({"subrip", "srt", "ass", "ssa", "mov_text", "webvtt", "text", "microdvd", "subviewer", "sami"})
LOUDNESS_UP_TO_S = 1800.0
"""Longer films get no loudness: it is clips that are played at one loudness, and the whole sound must be decoded for it."""
SILENCE_LUFS = -69.0
"""What EBU R128 says of silence (its absolute gate is -70)."""
TAIL_S = 20
"""How much of a film without stated durations is read at its end."""


@dataclass(frozen=True, slots=True)
class Boxes:
    """The outermost boxes of an MP4."""

    is_faststart: bool
    fault: str
    """Empty, or what is wrong: cut off, or without an index."""


def probe_media(path: Path) -> MediaFacts:
    """Everything about one file; its first frame and first sound are decoded, so that a file that passes can be used.

    Raises:
        NotFound, UnreadableMedia, UnsupportedMedia.
    """
    boxes = read_boxes(path) if sniff(path) == "mp4" else Boxes(is_faststart=False, fault="")
    if boxes.fault:
        raise UnreadableMedia(f"{path.name} {boxes.fault}.", hint="Fetch or copy the file again.")
    with reading(path) as container:
        require_picture_or_sound(path, container)
        _try_decoding(path, container)
        duration_s = exact_duration_s(path, container)
        video, audio = first_picture(container), first_sound(container)
        return MediaFacts(
            media_id=hash_of(path),
            size_bytes=path.stat().st_size,
            container=_container_name(container.format.name, path),
            duration_s=duration_s,
            video=None if video is None else _describe_picture(video),
            audio=None if audio is None else _describe_sound(audio),
            subtitles=tuple(_describe_subtitle(stream) for stream in container.streams.subtitles),
            n_video_streams=len(container.streams.video),
            n_audio_streams=len(container.streams.audio),
            has_data_stream=any(stream.type not in {"video", "audio", "subtitle"} for stream in container.streams),
            is_faststart=boxes.is_faststart,
            loudness_lufs=loudness_of(path) if audio is not None and duration_s <= LOUDNESS_UP_TO_S else None,
        )


def hash_of(path: Path) -> str:
    """SHA-256 of the file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_boxes(path: Path) -> Boxes:
    """Walk the outermost boxes. Source: ISO/IEC 14496-12, 4.2."""
    size_bytes = path.stat().st_size
    names: list[bytes] = []
    offset = 0
    with path.open("rb") as file:
        while offset + 8 <= size_bytes:
            file.seek(offset)
            head = file.read(16)
            length, name = struct.unpack(">I4s", head[:8])
            if length == 1 and len(head) == 16:
                length = struct.unpack(">Q", head[8:])[0]
            elif length == 0:
                length = size_bytes - offset
            if length < 8:
                break
            names.append(name)
            offset += length
    if offset > size_bytes:
        return Boxes(is_faststart=False, fault=f"is cut off: {size_bytes:,} of at least {offset:,} bytes are there")
    if b"moov" not in names:
        return Boxes(is_faststart=False, fault="has no index (moov), so it cannot be played")
    return Boxes(is_faststart=b"mdat" not in names or names.index(b"moov") < names.index(b"mdat"), fault="")


def exact_duration_s(path: Path, container: InputContainer) -> float:
    """Seconds from the first moment to the end of the later of picture and sound.

    Subtitles that run on are not counted. Where the container states no durations, its last packets say.
    """
    zero = zero_s(container)
    ends: list[float] = []
    for stream in (first_picture(container), first_sound(container)):
        if stream is not None:
            if stream.duration is None or stream.time_base is None:
                return _measured_end_s(path) - zero
            ends.append(float((stream.duration + (stream.start_time or 0)) * stream.time_base))
    duration_s = max(ends, default=0.0) - zero
    if duration_s <= 0:
        return _measured_end_s(path) - zero
    return duration_s


def _measured_end_s(path: Path) -> float:
    """Where the last packet of picture or sound ends, on the file's own clock."""
    with reading(path) as container:
        if container.duration is not None and container.duration > 2 * TAIL_S * 1_000_000:
            container.seek(container.duration + (container.start_time or 0) - TAIL_S * 1_000_000)
            end_s = _end_of_packets_s(container)
            if end_s > 0:
                return end_s
    with reading(path) as container:
        return _end_of_packets_s(container)


def _end_of_packets_s(container: InputContainer) -> float:
    streams = [stream for stream in (first_picture(container), first_sound(container)) if stream is not None]
    end_s = 0.0
    for packet in container.demux(streams):
        if packet.pts is not None and packet.time_base is not None:
            length = packet.duration or 0
            if not length and packet.stream.type == "video":
                length = int(1 / (_frame_rate(packet.stream) * packet.time_base))  # type: ignore[arg-type]
            end_s = max(end_s, float((packet.pts + length) * packet.time_base))
    return end_s


def loudness_of(path: Path) -> float | None:
    """Integrated loudness of the whole sound in LUFS; None for silence, for no sound, or for less than 0.4 s of it.

    Source: EBU R128 (ITU-R BS.1770), by libavfilter's `ebur128`.
    """
    import av

    loudness = -math.inf
    with reading(path) as container:
        stream = first_sound(container)
        if stream is None:
            return None
        # The filter wants 48 kHz; one format throughout also bears a film whose sound changes its format on the way.
        resampler = av.AudioResampler(format="dbl", layout="stereo" if stream.codec_context.channels > 1 else "mono", rate=48000)
        graph = _loudness_graph(resampler.layout.name)
        for frame in container.decode(stream):
            for piece in resampler.resample(frame):
                piece.pts = None
                graph.push(piece)
                loudness = _pull_loudness(graph, loudness)
    return round(loudness, 2) if loudness > SILENCE_LUFS else None


def _loudness_graph(layout: str) -> av.filter.Graph:
    import av

    graph = av.filter.Graph()
    source = graph.add_abuffer(sample_rate=48000, format="dbl", layout=layout, time_base=Fraction(1, 48000))
    meter = graph.add("ebur128", "metadata=1:framelog=quiet")
    sink = graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    return graph


def _pull_loudness(graph: av.filter.Graph, latest: float) -> float:
    import av

    while True:
        try:
            latest = float(graph.pull().metadata.get("lavfi.r128.I", latest))
        except (BlockingIOError, av.EOFError):
            return latest


def _try_decoding(path: Path, container: InputContainer) -> None:
    """Decode the first frame of picture and of sound. Raises: UnreadableMedia."""
    for stream in (first_picture(container), first_sound(container)):
        if stream is not None:
            container.seek(0, backward=True, any_frame=False)
            if next(container.decode(stream), None) is None:
                raise UnreadableMedia(f"{path.name} holds no {stream.type} that decodes.", hint="Fetch or copy the file again.")


def _frame_rate(stream: av.VideoStream) -> Fraction:
    return stream.guessed_rate or stream.average_rate or Fraction(25)


def _describe_picture(stream: av.VideoStream) -> VideoStream:
    context = stream.codec_context
    return VideoStream(
        codec=context.name,
        width_px=context.width,
        height_px=context.height,
        fps=float(_frame_rate(stream)),
        time_base=stream.time_base or Fraction(1, 1000),
        pixel_format=context.pix_fmt or "",
    )


def _describe_sound(stream: av.AudioStream) -> AudioStream:
    context = stream.codec_context
    return AudioStream(codec=context.name, sample_rate_hz=context.sample_rate, n_channels=context.channels, profile=context.profile or "")


def _describe_subtitle(stream: av.subtitles.stream.SubtitleStream) -> SubtitleStream:
    codec = stream.codec_context.name if stream.codec_context is not None else "unknown"
    return SubtitleStream(index=stream.index, codec=codec, language=stream.language or "", is_text=codec in TEXT_SUBTITLES)


def _container_name(names: str, path: Path) -> str:
    """One name of libavformat's list of them: `mp4` of `mov,mp4,m4a,3gp,3g2,mj2`, the file's own ending where it is among them."""
    known = names.split(",")
    ending = path.suffix.lower().lstrip(".")
    if ending in known:
        return ending
    return "mp4" if "mp4" in known else known[0]
