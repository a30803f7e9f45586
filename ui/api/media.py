"""Media by content, in ranges."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import Response

from core.errors import InvalidInput, NotFound, StoreError
from core.wiring import App
from ui.api.ranges import serve_file

CACHE_CONTROL = "private, max-age=31536000, immutable"
"""An id names bytes, so they never change."""


def media_router(app: App) -> APIRouter:
    """`GET` and `HEAD` of `/media/{media_id}`."""
    router = APIRouter(tags=["media"])

    @router.get("/media/{media_id}")
    @router.head("/media/{media_id}", include_in_schema=False)
    def media(request: Request, media_id: str) -> Response:
        """The bytes of a clip or a still; 200, 206, 304 or 416."""
        try:
            path = app.media_files.local_path(media_id)
        except InvalidInput as error:
            raise NotFound(f"There is no media {media_id[:80]!r}.", hint="A media id is 64 hexadecimal figures.") from error
        try:
            kind = media_type(path)
            headers = {"Cache-Control": CACHE_CONTROL, "Content-Disposition": "inline"}
            return serve_file(request, path, etag=media_id, media_type=kind, headers=headers)
        except FileNotFoundError as error:
            raise NotFound(f"Media {media_id[:12]} is gone.", hint="Retry the clip, which fetches it again.") from error
        except OSError as error:
            raise StoreError(f"Media {media_id[:12]} cannot be read: {error.strerror}.", hint="Check the disk and its rights.") from error

    return router


def media_type(path: Path) -> str:
    """By its first bytes; what is not known goes out without a type, so that a stored page never runs as one."""
    with path.open("rb") as file:
        head = file.read(16)
    if head[4:8] == b"ftyp":
        return "audio/mp4" if head[8:12] == b"M4A " else "video/mp4"
    for magic, kind in (
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\x1a\x45\xdf\xa3", "video/webm"),
        (b"ID3", "audio/mpeg"),
    ):
        if head.startswith(magic):
            return kind
    return "application/octet-stream"
