"""Media by libav (PyAV): probe, cut, still, envelope, captions, and a smaller copy for learners."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from core.adapters.media_captions import read_captions
from core.adapters.media_cut import cut_range, decoded_from, fitted_picture
from core.adapters.media_encode import Quality
from core.adapters.media_open import first_picture, reading, writing
from core.adapters.media_probe import exact_duration_s, probe_media
from core.adapters.media_sound import read_peaks
from core.errors import InvalidInput, UnreadableMedia, UnsupportedMedia
from core.model.media import MediaFacts
from core.model.transcripts import Cue
from core.rules.playable import MAX_LEARNER_BYTES
from core.rules.safe_names import safe_slug
from core.timing import Span

if TYPE_CHECKING:
    import av

SHRINK_STEPS = (
    Quality(crf=23),
    Quality(crf=27),
    Quality(crf=30, max_width_px=960, max_height_px=540),
    Quality(crf=33, max_width_px=640, max_height_px=360, stereo_bps=96_000, mono_bps=64_000),
    Quality(crf=37, max_width_px=480, max_height_px=270, stereo_bps=64_000, mono_bps=48_000),
)
"""Tried in order; the sound stays good enough for speech at the last."""


@dataclass(frozen=True, slots=True)
class AvMediaTools:
    """The port MediaTools. Every file is opened with the file protocol only, in a known container only."""

    def probe(self, path: Path) -> MediaFacts:
        """Raises: NotFound, UnreadableMedia, UnsupportedMedia."""
        return probe_media(path)

    def cut(self, path: Path, start_s: float, end_s: float, into: Path) -> Path:
        """`[start_s, end_s)` as a new MP4 in `into`; a range that runs past the end stops there.

        Raises: InvalidInput, NotFound, UnreadableMedia, UnsupportedMedia, DiskFull.
        """
        if not start_s < end_s:
            raise InvalidInput(f"{start_s} to {end_s} s is no range of {path.name}.", hint="The end comes after the start.")
        return cut_range(path, Span(start_s, end_s), into, clip_name(path, f"{start_s!r}-{end_s!r}", ".mp4"), Quality())

    def still(self, path: Path, at_s: float, into: Path, *, width_px: int = 480) -> Path:
        """The frame that is on screen at `at_s` (the last one past the end) as JPEG, never wider than the film.

        Raises: NotFound, UnreadableMedia, UnsupportedMedia (no picture), DiskFull.
        """
        data = _jpeg_of(path, at_s, width_px)
        name = clip_name(path, f"{at_s!r}-{width_px}", ".jpg")
        with writing(into, name) as temporary:
            temporary.write_bytes(data)
        return into / name

    def peaks(self, path: Path, n_peaks: int) -> tuple[float, ...]:
        """`n_peaks` numbers 0-1 over the whole file. Raises: NotFound, UnreadableMedia."""
        return read_peaks(path, n_peaks)

    def embedded_captions(self, path: Path) -> tuple[Cue, ...]:
        """Cues of the first text subtitle stream. Raises: NotFound, UnreadableMedia."""
        return read_captions(path)

    def shrink(self, path: Path, into: Path, *, max_bytes: int = MAX_LEARNER_BYTES) -> Path:
        """A learner's copy of a whole clip (H.264, AAC-LC, faststart) of at most `max_bytes`.

        Raises: UnsupportedMedia when it is too long for that; NotFound, UnreadableMedia, DiskFull.
        """
        with reading(path) as film:
            whole = Span(0.0, exact_duration_s(path, film))
        for step, quality in enumerate(SHRINK_STEPS):
            made = cut_range(path, whole, into, clip_name(path, f"whole-{step}", ".mp4"), quality)
            if made.stat().st_size <= max_bytes:
                return made
            made.unlink()
        message = f"{path.name} is {whole.duration_s:.0f} s long and cannot be made smaller than {max_bytes:,} bytes."
        raise UnsupportedMedia(message, hint="Cut a shorter clip.")


def clip_name(path: Path, what: str, ending: str) -> str:
    """A safe name that differs for every file and every part of it, and is the same when asked again."""
    digest = hashlib.sha256(f"{path.absolute()}\0{what}".encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{safe_slug(path.stem, 'media')[:40].rstrip('-')}-{digest}{ending}"


def _jpeg_of(path: Path, at_s: float, width_px: int) -> bytes:

    with reading(path) as film:
        picture = first_picture(film)
        if picture is None:
            raise UnsupportedMedia(f"{path.name} has no picture.", hint="There is nothing to show of a sound.")
        shown: av.VideoFrame | None = None
        last_s = max(0.0, min(at_s, exact_duration_s(path, film)))
        for time_s, frame in decoded_from(path, film, picture, last_s):
            if shown is not None and time_s > last_s + 0.001:
                break
            shown = frame
        if shown is None:
            raise UnreadableMedia(f"{path.name} has no picture that decodes at {at_s:.3f} s.", hint="Fetch or copy the file again.")
        fitted = fitted_picture(shown, picture.codec_context.sample_aspect_ratio, Quality(max_width_px=width_px, max_height_px=10_000))
        return _encoded_jpeg(fitted)


def _encoded_jpeg(frame: av.VideoFrame) -> bytes:
    import av

    encoder = av.CodecContext.create("mjpeg", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, "yuvj420p"
    encoder.time_base = Fraction(1, 1000)
    encoder.flags |= av.codec.context.Flags.qscale | av.codec.context.Flags.bitexact
    encoder.global_quality = 3 * 118
    encoder.thread_count = 1
    full_range = frame.reformat(
        format="yuvj420p", src_colorspace="ITU709", dst_colorspace="ITU601", src_color_range="MPEG", dst_color_range="JPEG"
    )
    full_range.pts, full_range.time_base = 0, Fraction(1, 1000)
    return b"".join(bytes(packet) for packet in [*encoder.encode(full_range), *encoder.encode(None)])
