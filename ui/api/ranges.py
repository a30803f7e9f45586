"""Serves bytes in parts: one answer to `Range`, `If-Range` and `If-None-Match`, for the API and the practice backend."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from fastapi import Request
from fastapi.responses import Response, StreamingResponse

from core.rules.byte_ranges import ByteRange, RangeUnsatisfiable, parse_range

CHUNK_BYTES = 256 * 1024


def serve_bytes(request: Request, data: bytes, *, etag: str, media_type: str, headers: Mapping[str, str]) -> Response:
    """`data`, or the part of it that the request asks for: 200, 206, 304 or 416. `etag` is without quotes."""
    return _serve(request, len(data), lambda part: iter([data[part.start : part.end]]), etag=etag, media_type=media_type, headers=headers)


def serve_file(request: Request, path: Path, *, etag: str, media_type: str, headers: Mapping[str, str]) -> Response:
    """As `serve_bytes`, streamed from one open file: a file that is replaced meanwhile is served as it was.

    Raises: OSError when it cannot be opened; answer that with 404 or 500 yourself.
    """
    handle = _OpenFile(path)
    return _serve(request, handle.size_bytes, handle.chunks, etag=etag, media_type=media_type, headers=headers)


Reader = Callable[[ByteRange], Iterator[bytes]]


def _serve(request: Request, size_bytes: int, read: Reader, *, etag: str, media_type: str, headers: Mapping[str, str]) -> Response:
    quoted = f'"{etag}"'
    base = {**headers, "ETag": quoted, "Accept-Ranges": "bytes", "X-Content-Type-Options": "nosniff"}
    known = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    if quoted in known or "*" in known:
        return Response(status_code=304, headers=base)
    asked = request.headers.get("range")
    if request.method != "GET" or request.headers.get("if-range", quoted).strip() != quoted:
        asked = None
    try:
        part = parse_range(asked, size_bytes)
    except RangeUnsatisfiable:
        return Response(status_code=416, headers={**base, "Content-Range": f"bytes */{size_bytes}"})
    status = 200
    if part is None:
        part = ByteRange(0, size_bytes)
    else:
        status, base["Content-Range"] = 206, part.content_range(size_bytes)
    base["Content-Length"] = str(part.n_bytes)
    if request.method == "HEAD":
        return Response(status_code=status, headers=base, media_type=media_type)
    return StreamingResponse(read(part), status_code=status, headers=base, media_type=media_type)


class _OpenFile:
    """A file held by its descriptor, closed when the last reader of it is gone."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        self.size_bytes = os.fstat(self._fd).st_size

    def __del__(self) -> None:
        if hasattr(self, "_fd"):
            os.close(self._fd)

    def chunks(self, part: ByteRange) -> Iterator[bytes]:
        at = part.start
        while at < part.end:
            chunk = os.pread(self._fd, min(CHUNK_BYTES, part.end - at), at)
            if not chunk:
                raise OSError("The file became shorter while it was served.")
            at += len(chunk)
            yield chunk
