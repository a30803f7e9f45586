"""Whether a clip plays on every browser and phone, and at the backend. Source: CONTRACTS, the production backend."""

from __future__ import annotations

from core.model.media import MediaFacts

MAX_LEARNER_BYTES = 5_242_880
"""The backend hides a larger clip from learners."""


def learner_problems(facts: MediaFacts) -> tuple[str, ...]:
    """Every reason why learners could not play this file; empty when they can."""
    problems = [
        ("the container is not MP4", not facts.container.startswith("mp4")),
        ("the index is not at the front (faststart)", not facts.is_faststart),
        ("a data stream is inside", facts.has_data_stream),
        ("subtitles are inside", bool(facts.subtitles)),
        ("there is more than one picture", facts.n_video_streams > 1),
        ("there is more than one sound", facts.n_audio_streams > 1),
        (f"it is larger than {MAX_LEARNER_BYTES:,} bytes", facts.size_bytes > MAX_LEARNER_BYTES),
    ]
    return tuple(text for text, is_so in problems if is_so) + _picture_problems(facts) + _sound_problems(facts)


def _picture_problems(facts: MediaFacts) -> tuple[str, ...]:
    video = facts.video
    if video is None:
        return ("there is no picture",)
    problems = [
        (f"the picture is {video.codec}, not H.264", video.codec != "h264"),
        (f"the pixel format is {video.pixel_format}, not yuv420p", video.pixel_format not in {"yuv420p", "yuvj420p", ""}),
        (f"width or height is odd: {video.width_px} x {video.height_px}", video.width_px % 2 != 0 or video.height_px % 2 != 0),
    ]
    return tuple(text for text, is_so in problems if is_so)


def _sound_problems(facts: MediaFacts) -> tuple[str, ...]:
    audio = facts.audio
    if audio is None:
        return ("there is no sound",)
    if audio.codec != "aac":
        return (f"the sound is {audio.codec}, not AAC",)
    return () if audio.profile in {"LC", ""} else (f"the sound is AAC {audio.profile}, not AAC-LC",)
