"""A loopback server that speaks the backend's wire format, on the practice backend, and can be told to misbehave."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import TracebackType

import uvicorn
from fastapi import FastAPI
from sqlalchemy import Connection

from core.adapters.practice.backend import PracticeBackend
from core.adapters.practice.reading import SentVideo
from ui.api.backend import backend_router

UPLOAD_PATH = "/backend/v3/admin/videos/batch-upload"


class Misbehaviour(StrEnum):
    """How the answer to one request goes wrong. The ones that end in `_after` are carried out first."""

    CUT_AFTER = "cut_after"
    """Half of the answer, then the connection is closed."""
    CUT_BEFORE = "cut_before"
    """The connection is closed without an answer, and nothing was done."""
    SILENT_AFTER = "silent_after"
    """Carried out, and no answer for `silence_s`."""
    HTML_200_AFTER = "html_200_after"
    HTML_200 = "html_200"
    EMPTY_200_AFTER = "empty_200_after"
    CUT_JSON_200_AFTER = "cut_json_200_after"
    OTHER_SLUGS_AFTER = "other_slugs_after"
    ONE_BYTE_AT_A_TIME_AFTER = "one_byte_at_a_time_after"
    ENDLESS_AFTER = "endless_after"
    GZIP_AFTER = "gzip_after"
    HTML_500_AFTER = "html_500_after"
    GATEWAY_502_AFTER = "gateway_502_after"
    ACCEPTED_202_AFTER = "accepted_202_after"
    ERROR_500 = "error_500"
    UNAVAILABLE_503 = "unavailable_503"
    RATE_429 = "rate_429"
    TOO_LARGE_413 = "too_large_413"
    UNAUTHORIZED_401 = "unauthorized_401"
    MISSING_404 = "missing_404"
    REDIRECT = "redirect"
    """To `redirect_to`."""


ANSWERS = {
    Misbehaviour.HTML_200: (200, "text/html", b"<html>Welcome to the hotel's network</html>"),
    Misbehaviour.HTML_200_AFTER: (200, "text/html", b"<html>Welcome to the hotel's network</html>"),
    Misbehaviour.EMPTY_200_AFTER: (200, "application/json", b""),
    Misbehaviour.CUT_JSON_200_AFTER: (200, "application/json", b'{"success": true, "results": [{"slug"'),
    Misbehaviour.OTHER_SLUGS_AFTER: (
        200,
        "application/json",
        b'{"success": true, "results": [{"slug": "x", "video_id": 1, "status": "created"}]}',
    ),
    Misbehaviour.HTML_500_AFTER: (500, "text/html", b"<h1>Internal Server Error</h1>"),
    Misbehaviour.GATEWAY_502_AFTER: (502, "text/html", b"<h1>Bad Gateway</h1>"),
    Misbehaviour.ACCEPTED_202_AFTER: (202, "application/json", b"{}"),
    Misbehaviour.ERROR_500: (500, "application/json", b'{"error": "something about Bearer secret-token"}'),
    Misbehaviour.UNAVAILABLE_503: (503, "text/plain", b"later"),
    Misbehaviour.RATE_429: (429, "application/json", b'{"error": "slow down"}'),
    Misbehaviour.TOO_LARGE_413: (413, "text/html", b"<h1>413 Request Entity Too Large</h1>"),
    Misbehaviour.UNAUTHORIZED_401: (401, "text/html", b"<h1>Sign in</h1>"),
    Misbehaviour.MISSING_404: (404, "text/html", b"<h1>Not Found</h1>"),
}


class OldBackend(PracticeBackend):
    """The earlier version: the same name again is `existed`, and keeps the old bytes and texts. Mappings are updated."""

    def _overwrite(self, connection: Connection, video_id: int, sent: SentVideo, source_id: str | None) -> str:
        return "existed"


@dataclass
class Seen:
    """One request as the server got it."""

    method: str
    path: str
    headers: dict[str, str]
    n_body_bytes: int = 0
    slugs: tuple[str, ...] = ()


@dataclass
class LoopbackBackend:
    """`with LoopbackBackend(tmp_path) as server:` — `server.url` is what BACKEND_URL would be."""

    home_path: Path
    is_old: bool = False
    refused: set[str] = field(default_factory=set)
    """A request that holds one of these slugs is answered 500 with `{"error"}`."""
    killed_by: set[str] = field(default_factory=set)
    """A request that holds one of these slugs loses its connection, every time."""
    misbehaviours: deque[Misbehaviour] = field(default_factory=deque)
    """Used up one an upload."""
    on_bundles: Misbehaviour | None = None
    """How it answers each question about a bundle's words."""
    bundles_body: bytes | None = None
    """Its 200 to that question, in place of the true one."""
    silence_s: float = 5.0
    retry_after: str | None = None
    redirect_to: str = ""
    seen: list[Seen] = field(default_factory=list)

    def __enter__(self) -> LoopbackBackend:
        self.backend = (OldBackend if self.is_old else PracticeBackend)(self.home_path)
        app = FastAPI()
        app.include_router(backend_router(lambda: self.backend))
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # asyncio does so only for sockets it binds itself
        self.port = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/backend"
        settings = uvicorn.Config(_Misbehaving(app, self), log_level="critical", lifespan="off", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(settings)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True)
        self._thread.start()
        deadline = time.monotonic() + 10
        while not self._server.started:
            assert time.monotonic() < deadline, "The loopback backend did not start."
            time.sleep(0.01)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        self._socket.close()
        self.backend.close()

    @property
    def uploads(self) -> list[Seen]:
        return [seen for seen in self.seen if seen.path == UPLOAD_PATH]


class _Misbehaving:
    """ASGI around the real routes."""

    def __init__(self, app: FastAPI, control: LoopbackBackend) -> None:
        self.app, self.control = app, control

    async def __call__(self, scope, receive, send) -> None:  # type: ignore[no-untyped-def]
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        control = self.control
        headers = {name.decode().lower(): value.decode("latin-1") for name, value in scope["headers"]}
        seen = Seen(scope["method"], scope["path"], headers)
        control.seen.append(seen)
        if scope["path"] != UPLOAD_PATH:
            if control.is_old and ("check-word" in scope["path"] or "/bundles/" in scope["path"]):
                return await _answer(send, 404, "text/html", b"<h1>Not Found</h1>")
            if "/bundles/" in scope["path"] and control.on_bundles is not None:
                is_cut = control.on_bundles is Misbehaviour.CUT_BEFORE
                return await (_cut(send) if is_cut else self._reply(send, control.on_bundles, 200, b"{}"))
            if "/bundles/" in scope["path"] and control.bundles_body is not None:
                return await _answer(send, 200, "application/json", control.bundles_body)
            return await self.app(scope, receive, send)
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        seen.n_body_bytes, seen.slugs = len(body), _slugs(bytes(body))
        how = control.misbehaviours.popleft() if control.misbehaviours else None
        if how is Misbehaviour.CUT_BEFORE or control.killed_by & set(seen.slugs):
            return await _cut(send)
        if bad := control.refused & set(seen.slugs):
            return await _answer(send, 500, "application/json", json.dumps({"error": f"bad item {min(bad)}"}).encode())
        if how is None:
            return await self.app(scope, _given(bytes(body)), send)
        carried_out = await self._carry_out(scope, bytes(body)) if how.endswith("_after") else (0, b"")
        return await self._reply(send, how, *carried_out)

    async def _carry_out(self, scope, body: bytes) -> tuple[int, bytes]:  # type: ignore[no-untyped-def]
        status, answer = 0, bytearray()

        async def send(message) -> None:  # type: ignore[no-untyped-def]
            nonlocal status
            status = message.get("status", status)
            answer.extend(message.get("body", b""))

        await self.app(scope, _given(body), send)
        return status, bytes(answer)

    async def _reply(self, send, how: Misbehaviour, status: int, body: bytes) -> None:  # type: ignore[no-untyped-def]
        import anyio

        if how is Misbehaviour.CUT_AFTER:
            return await _cut(send, status, body)
        if how is Misbehaviour.SILENT_AFTER:
            await anyio.sleep(self.control.silence_s)
            return await _answer(send, status, "application/json", body)
        if how is Misbehaviour.REDIRECT:
            return await _answer(send, 307, "text/plain", b"", location=self.control.redirect_to)
        if how is Misbehaviour.GZIP_AFTER:
            return await _answer(send, 200, "application/json", gzip.compress(b" " * 50_000_000), content_encoding="gzip")
        if how in (Misbehaviour.ONE_BYTE_AT_A_TIME_AFTER, Misbehaviour.ENDLESS_AFTER):
            is_slow = how is Misbehaviour.ONE_BYTE_AT_A_TIME_AFTER
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
            for _ in range(10_000):
                await send({"type": "http.response.body", "body": b" " if is_slow else b" " * 65536, "more_body": True})
                await anyio.sleep(0.1 if is_slow else 0)
            return None
        code, kind, content = ANSWERS[how]
        extra = {"retry_after": self.control.retry_after} if how is Misbehaviour.RATE_429 and self.control.retry_after else {}
        return await _answer(send, code, kind, content, **extra)


def _given(body: bytes):  # type: ignore[no-untyped-def]
    async def receive():  # type: ignore[no-untyped-def]
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


async def _answer(send, status: int, kind: str, body: bytes, **headers: str) -> None:  # type: ignore[no-untyped-def]
    fields = {"content-type": kind, "content-length": str(len(body)), **{name.replace("_", "-"): value for name, value in headers.items()}}
    await send({"type": "http.response.start", "status": status, "headers": [(n.encode(), v.encode()) for n, v in fields.items()]})
    await send({"type": "http.response.body", "body": body})


async def _cut(send, status: int = 0, body: bytes = b"") -> None:  # type: ignore[no-untyped-def]
    """Close the connection without an answer, or in the middle of it: uvicorn does so when an application raises."""
    if status:
        fields = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": fields})
        await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        raise ConnectionAbortedError("cut on purpose")
    fields = [(b"content-length", b"1000")]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    raise ConnectionAbortedError("cut on purpose")


def _slugs(body: bytes) -> tuple[str, ...]:
    try:
        return tuple(video["slug"] for video in json.loads(body)["videos"])
    except (ValueError, KeyError, TypeError):
        return ()
