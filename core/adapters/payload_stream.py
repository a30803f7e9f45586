"""Writes a request for a backend piece by piece, reading each clip's file as it goes, so that memory stays flat."""

from __future__ import annotations

import base64
import errno
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from core.errors import UnreadableMedia
from core.model.exports import VideoItem
from core.rules.payload import PAYLOAD_TAIL, SEPARATOR, TAIL, item_head, payload_head

CHUNK_BYTES = 3 * 256 * 1024
"""A multiple of three, so that the base64 of the pieces is the base64 of the whole."""


def payload_stream(source_id: str, items: Sequence[VideoItem]) -> Iterator[bytes]:
    """The body of one request, exactly `payload_size(source_id, items)` bytes.

    Raises: UnreadableMedia when a file is gone or no longer has the size that was stated.
    """
    yield payload_head(source_id)
    for i, item in enumerate(items):
        yield (SEPARATOR if i else b"") + item_head(item)
        yield from _encoded(item)
        yield TAIL
    yield PAYLOAD_TAIL


def check_files(items: Sequence[VideoItem]) -> None:
    """Look at every file before anything is sent. Raises: UnreadableMedia."""
    for item in items:
        try:
            size_bytes = Path(item.path).stat().st_size
        except (OSError, ValueError) as error:
            raise _gone(item, error) from error
        if size_bytes != item.size_bytes:
            raise _changed(item)


def _encoded(item: VideoItem) -> Iterator[bytes]:
    left = item.size_bytes
    try:
        with Path(item.path).open("rb") as file:
            if os.fstat(file.fileno()).st_size != left:
                raise _changed(item)
            while left:
                chunk = file.read(min(CHUNK_BYTES, left))
                if len(chunk) < min(CHUNK_BYTES, left):
                    raise _changed(item)
                left -= len(chunk)
                yield base64.b64encode(chunk)
    except OSError as error:
        raise _gone(item, error) from error


def _gone(item: VideoItem, error: OSError | ValueError) -> UnreadableMedia:
    why = os.strerror(error.errno or errno.EIO) if isinstance(error, OSError) else str(error)
    return UnreadableMedia(f"The file of {item.slug!r} cannot be read: {why}.", hint="Fetch the clip again, then retry the export.")


def _changed(item: VideoItem) -> UnreadableMedia:
    message = f"The file of {item.slug!r} does not have the {item.size_bytes} bytes that were recorded."
    return UnreadableMedia(message, hint="Fetch the clip again, then retry the export.")
