"""The practice backend's HTTP door, at `/backend`: the production contract, labelled in a header as not production."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from core.adapters.practice.backend import LABEL_HEADER, Answer, PracticeBackend
from core.adapters.practice.reading import BODY_LIMIT_BYTES
from core.errors import StoreError
from ui.api.ranges import serve_bytes

LABEL = dict([LABEL_HEADER])
CACHE_CONTROL = "public, max-age=31536000, immutable"
MEDIA_TYPES = {"mp4": "video/mp4", "webm": "video/webm", "mov": "video/quicktime", "mp3": "audio/mpeg"}
"""Anything else goes out as bytes without a type: a stored page must never run as one."""


def backend_router(get_backend: Callable[[], PracticeBackend], *, prefix: str = "/backend") -> APIRouter:
    """The routes of the contract under `prefix`. `get_backend` is asked at each request, so nothing opens before the first."""
    router = APIRouter(prefix=prefix, tags=["practice backend"], route_class=_ContractRoute)

    @router.post("/v3/admin/videos/batch-upload")
    async def batch_upload(request: Request) -> Response:
        body = await _read_body(request)
        content_type = request.headers.get("content-type", "")
        return _json(await run_in_threadpool(lambda: get_backend().upload(body, content_type=content_type)))

    @router.get("/v3/videos/{video_id}")
    @router.head("/v3/videos/{video_id}", include_in_schema=False)
    def video(request: Request, video_id: str) -> Response:
        is_id = video_id.isascii() and video_id.isdigit() and len(video_id) < 20
        found = get_backend().video(int(video_id)) if is_id else None
        if found is None:
            return _json(Answer(404, {"error": "Video not found"}))
        media_type = MEDIA_TYPES.get(found.format.lower(), "application/octet-stream")
        return serve_bytes(request, found.data, etag=found.sha256, media_type=media_type, headers={**LABEL, "Cache-Control": CACHE_CONTROL})

    @router.get("/v3/words/{word}/videos")
    def videos_of_word(word: str) -> Response:
        return _json(get_backend().videos_of_word(word))

    @router.get("/v3/api/check-word-videos")
    def check_word_videos(word: str = "", lang: str = "en") -> Response:
        return _json(get_backend().check_word(word, lang) if word else Answer(500, {"error": "word is missing"}))

    @router.get("/v3/admin/bundles/{name}/words-needing-videos")
    def words_needing_videos(name: str) -> Response:
        return _json(get_backend().words_needing_videos(name))

    return router


class _ContractRoute(APIRoute):
    """A store that fails is answered as the contract answers every fault: 500 with `{"error"}`."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except StoreError as error:
                return _json(Answer(500, {"error": error.message}))

        return answer


async def _read_body(request: Request) -> bytes:
    """The body, read no further than just past the limit."""
    whole = bytearray()
    async for chunk in request.stream():
        if len(whole) <= BODY_LIMIT_BYTES:
            whole += chunk
    return bytes(whole)


def _json(answer: Answer) -> JSONResponse:
    return JSONResponse(answer.body, status_code=answer.status, headers=LABEL)
