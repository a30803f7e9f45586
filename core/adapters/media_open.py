"""Opening of media that nobody vouches for: what the first bytes say, and a decoder that may read this one file only."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import DiskFull, NotFound, UnreadableMedia, UnsupportedMedia, WordreelError

if TYPE_CHECKING:
    from av import AudioStream, VideoStream
    from av.container import InputContainer

DEMUXERS = "mov,matroska,avi,mpegts,mpeg,flv,ogg,wav,mp3,flac,aac,asf,mxf"
"""Containers that are opened. No playlist, no list of files, no capture device, no picture is among them."""

HEAD_BYTES = 4096
FULL_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

NOT_FILMS: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "an archive"),
    (b"PK\x05\x06", "an archive"),
    (b"\x1f\x8b", "an archive"),
    (b"7z\xbc\xaf\x27\x1c", "an archive"),
    (b"Rar!\x1a\x07", "an archive"),
    (b"BZh", "an archive"),
    (b"\xfd7zXZ\x00", "an archive"),
    (b"\x28\xb5\x2f\xfd", "an archive"),
    (b"%PDF-", "a PDF document"),
    (b"\x89PNG\r\n", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"MZ", "a program"),
    (b"\x7fELF", "a program"),
    (b"SQLite format 3\x00", "a database"),
)
"""First bytes → what the file is. Source: the formats' own signatures."""

PLAYLISTS = (b"#extm3u", b"ffconcat", b"[playlist]", b"<smil", b"<asx", b"<mpd", b"v=0\r", b"v=0\n", b"[reference]", b"rtsp")
PAGES = (b"<!doctype html", b"<html", b"<head", b"<body", b"<script", b"<!--")

MAGICS: tuple[tuple[int, bytes, str], ...] = (
    (4, b"ftyp", "mp4"),
    (4, b"moov", "mp4"),
    (4, b"mdat", "mp4"),
    (4, b"wide", "mp4"),
    (4, b"free", "mp4"),
    (0, b"\x1a\x45\xdf\xa3", "matroska"),
    (8, b"AVI ", "avi"),
    (8, b"WAVE", "wav"),
    (0, b"OggS", "ogg"),
    (0, b"fLaC", "flac"),
    (0, b"FLV\x01", "flv"),
    (0, b"ID3", "mp3"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "asf"),
    (0, b"\x00\x00\x01\xba", "mpeg"),
    (0, b"\x06\x0e\x2b\x34", "mxf"),
    (0, b"\x47", "mpegts"),
)
"""Offset, bytes there, container."""


def sniff(path: Path) -> str:
    """What the first bytes say the container is; `unknown` for bytes that only a decoder can judge.

    Raises:
        NotFound: there is no such file.
        UnreadableMedia: empty, or plainly something else: `is a web page, not a video`.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFound(f"{path.name}: there is no such file.", hint="Check that the disk is mounted and the path is right.") from error
    except OSError as error:
        raise UnreadableMedia(f"{path.name} cannot be read: {error.strerror}.", hint="Check the file's permissions.") from error
    found = _other_thing(head)
    if found:
        raise UnreadableMedia(f"{path.name} {found}.", hint="Give a film: MP4, MKV, WebM, MOV, AVI or TS.")
    return next((name for offset, magic, name in MAGICS if head[offset : offset + len(magic)] == magic), "unknown")


def _other_thing(head: bytes) -> str:
    """How the sentence goes on for something that is no film; empty for what may be one."""
    if not head:
        return "is empty"
    for magic, what in NOT_FILMS:
        if head.startswith(magic):
            return f"is {what}, not a video"
    if head[257:262] == b"ustar":
        return "is an archive, not a video"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith(PLAYLISTS):
        return "is a playlist, not a video"
    if text.startswith(PAGES) or b"<html" in text[:1024]:
        return "is a web page, not a video"
    return "is text, not a video" if _is_text(head) else ""


def _is_text(head: bytes) -> bool:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    if b"\x00" in head:
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start > len(head) - 4
    return True


@contextmanager
def reading(path: Path) -> Iterator[InputContainer]:
    """The opened film; the decoder may read nothing but this file, in a container of `DEMUXERS`.

    What goes wrong inside the block is translated too, so that no error of the library leaves it.

    Raises:
        NotFound, UnreadableMedia, UnsupportedMedia.
    """
    import av

    sniff(path)
    try:
        options = {"protocol_whitelist": "file", "format_whitelist": DEMUXERS}
        with av.open(f"file:{path.absolute()}", container_options=options, metadata_errors="replace") as container:
            yield container
    except WordreelError:
        raise
    except av.FFmpegError as error:
        raise as_media_error(path, error) from error
    except (ValueError, IndexError, UnicodeError, ArithmeticError) as error:
        raise UnreadableMedia(f"{path.name} does not decode: {error}", hint="Fetch or copy the file again.") from error


def as_media_error(path: Path, error: Exception) -> Exception:
    """The library's error as ours, with the decoder's line."""
    code = getattr(error, "errno", None)
    if code in FULL_DISK:
        return disk_full(path.parent)
    if isinstance(error, MemoryError):
        return UnreadableMedia(f"{path.name} needs more memory than a decoder may have.", hint="Use another copy of this film.")
    line = getattr(error, "strerror", "") or str(error)
    if "moov" in str(error):
        line = "its index (moov) is missing"
    return UnreadableMedia(f"{path.name} does not decode: {line}.", hint="The file is damaged or cut off: fetch or copy it again.")


def disk_full(folder: Path) -> DiskFull:
    """The error for a folder whose disk has no room left."""
    return DiskFull(f"The disk of {folder} is full.", hint="Free some room and try again; nothing half-written was left.")


@contextmanager
def writing(folder: Path, name: str) -> Iterator[Path]:
    """A temporary path in `folder` that becomes `folder/name` when the block ends well, and is gone when it does not.

    Raises:
        DiskFull.
    """
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{name}.{os.getpid()}-{os.urandom(4).hex()}.part"
    try:
        yield temporary
        temporary.replace(folder / name)
    except Exception as error:
        if getattr(error, "errno", None) in FULL_DISK:
            raise disk_full(folder) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def first_picture(container: InputContainer) -> VideoStream | None:
    """The film's picture: the first stream that is marked as default, else the first; never a cover."""
    from av.stream import Disposition

    real = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic and s.codec_context is not None]
    return next((s for s in real if s.disposition & Disposition.default), real[0] if real else None)


def first_sound(container: InputContainer) -> AudioStream | None:
    """The film's sound: the first stream that is marked as default, else the first."""
    from av.stream import Disposition

    real = [s for s in container.streams.audio if s.codec_context is not None]
    return next((s for s in real if s.disposition & Disposition.default), real[0] if real else None)


def zero_s(container: InputContainer) -> float:
    """Where the file's clock stands at its first moment; every time that Wordreel speaks of counts from there."""
    return (container.start_time or 0) / 1_000_000


def require_picture_or_sound(path: Path, container: InputContainer) -> None:
    """Refuse a file without anything to see or to hear. Raises: UnsupportedMedia."""
    if first_picture(container) is None and first_sound(container) is None:
        raise UnsupportedMedia(f"{path.name} holds neither a picture nor a sound that can be decoded.", hint="Give a film.")
