"""Media files and films."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path


@dataclass(frozen=True, slots=True)
class VideoStream:
    """The picture of a media file."""

    codec: str
    width_px: int
    height_px: int
    fps: float
    time_base: Fraction
    pixel_format: str = ""


@dataclass(frozen=True, slots=True)
class AudioStream:
    """The sound of a media file."""

    codec: str
    sample_rate_hz: int
    n_channels: int
    profile: str = ""


@dataclass(frozen=True, slots=True)
class SubtitleStream:
    """A subtitle stream; `is_text` is false for pictures (PGS, VobSub)."""

    index: int
    codec: str
    language: str
    is_text: bool


@dataclass(frozen=True, slots=True)
class MediaFacts:
    """What the probe found in one file. `media_id` is the SHA-256 of its bytes, in hex."""

    media_id: str
    size_bytes: int
    container: str
    duration_s: float
    video: VideoStream | None
    audio: AudioStream | None
    subtitles: tuple[SubtitleStream, ...] = ()
    n_video_streams: int = 1
    n_audio_streams: int = 1
    has_data_stream: bool = False
    is_faststart: bool = False
    loudness_lufs: float | None = None
    """Integrated loudness (EBU R128); None when there is no sound or it is too short to say."""


@dataclass(frozen=True, slots=True)
class Film:
    """A media file in a user's own folder: read in place, never changed."""

    film_id: int
    media_id: str
    path: Path
    title: str
    year: int | None
    duration_s: float
    state: str
    """`present` or `missing`."""
    transcript_id: str | None
    is_demo: bool = False
