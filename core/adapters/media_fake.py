"""Media tools without a decoder: every file is ten seconds long, and what is made of it is its own name and bytes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from core.errors import InvalidInput, NotFound, UnreadableMedia
from core.model.media import AudioStream, MediaFacts, VideoStream
from core.model.transcripts import Cue


@dataclass(frozen=True, slots=True)
class FakeMediaTools:
    """The port MediaTools for tests of what stands above it: quick, deterministic, and as strict about bad input."""

    duration_s: float = 10.0
    cues: tuple[Cue, ...] = ()

    def probe(self, path: Path) -> MediaFacts:
        """The facts of a film that learners can play, whatever the file is."""
        data = _read(path)
        return MediaFacts(
            media_id=hashlib.sha256(data).hexdigest(),
            size_bytes=len(data),
            container="mp4",
            duration_s=_cut_length_s(data) or self.duration_s,
            video=VideoStream("h264", 640, 360, 24.0, Fraction(1, 12288), "yuv420p"),
            audio=AudioStream("aac", 48_000, 1, "LC"),
            is_faststart=True,
            loudness_lufs=-20.0,
        )

    def cut(self, path: Path, start_s: float, end_s: float, into: Path) -> Path:
        """A file of the source's hash and the range."""
        duration_s = self.probe(path).duration_s
        if not 0 <= start_s < min(end_s, duration_s):
            raise InvalidInput(f"{start_s} to {end_s} s is no range of {path.name}.", hint="Give a start before the end, inside the film.")
        return _write(into, f"cut {start_s!r} {min(end_s, duration_s)!r}", path, ".mp4")

    def still(self, path: Path, at_s: float, into: Path, *, width_px: int = 480) -> Path:
        """A file with a JPEG's first bytes."""
        return _write(into, f"\xff\xd8\xff still {at_s!r} {width_px}", path, ".jpg")

    def peaks(self, path: Path, n_peaks: int) -> tuple[float, ...]:
        """A rising line."""
        _read(path)
        return tuple(index / n_peaks for index in range(n_peaks))

    def shrink(self, path: Path, into: Path, *, max_bytes: int) -> Path:
        """A file of at most `max_bytes`."""
        return _write(into, f"shrunk {max_bytes}"[:max_bytes], path, ".mp4")

    def embedded_captions(self, path: Path) -> tuple[Cue, ...]:
        """The cues that it was made with."""
        _read(path)
        return self.cues


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise NotFound(f"{path.name}: there is no such file.", hint="Check the path.")
    data = path.read_bytes()
    if not data:
        raise UnreadableMedia(f"{path.name} is empty.", hint="Give a film.")
    if data.lstrip().lower().startswith((b"<!doctype", b"<html")):
        raise UnreadableMedia(f"{path.name} is a web page, not a video.", hint="Give a film.")
    return data


def _cut_length_s(data: bytes) -> float | None:
    parts = data[:200].split(b" ")
    return float(parts[2]) - float(parts[1]) if parts[0] == b"cut" else None


def _write(into: Path, what: str, path: Path, ending: str) -> Path:
    source = hashlib.sha256(_read(path)).hexdigest()
    data = f"{what} {source}".encode("latin-1")
    into.mkdir(parents=True, exist_ok=True)
    made = into / f"fake-{hashlib.sha256(data).hexdigest()[:12]}{ending}"
    made.write_bytes(data)
    return made
