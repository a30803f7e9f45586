"""Who may talk to this server: a Host and an Origin of ours, a plain path, and writes that no form of another site can send.

Loopback is no shelter from the browser: any page that the curator has open can send requests to 127.0.0.1, and DNS
rebinding lets it read the answers. Source: HOUSE.md, Streamlit; Fetch Metadata (W3C), CORS-safelisted requests (Fetch).
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_LIMIT_BYTES = 1024 * 1024
"""Of a request to /api; the practice backend has its own limit."""
BODY_TIMEOUT_S = 20.0
"""From the first byte to the last of such a body."""
OWN_HEADER = b"x-wordreel"
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
ODD = re.compile(rb"//|\\|[\x00-\x1f\x7f]|(?:^|/)\.{1,2}(?:/|$)")
ODD_ESCAPE = re.compile(rb"%(?:2f|5c|00)", re.IGNORECASE)
GUARDED = ("/api", "/backend")
ANSWER_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"SAMEORIGIN"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


HINTS = {
    "bad_host": "Open it at the address that it printed when it started.",
    "bad_path": "See /api/docs for the addresses.",
    "foreign_origin": "Open Wordreel's own page, or send the request from a script on this machine.",
    "not_json": "A script sets Content-Type: application/json, or X-Wordreel: 1.",
    "too_slow": "Send it again.",
    "too_large": "Send less at once.",
}
"""Refusal → what to do."""


class Guard:
    """Wraps the whole application; HTTP and the web socket pass through it."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str]) -> None:
        """`hosts` are what a Host header may say, with the port: `127.0.0.1:8501`."""
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            await _refuse(scope, send, *refusal)
            return
        if scope["type"] == "http" and _is_below(scope["path"], "/api") and scope["method"] in WRITES:
            await self._pass_small_body(scope, receive, send)
            return
        await self._app(scope, receive, _with_headers(send) if scope["type"] == "http" else send)

    def _refusal(self, scope: Scope) -> tuple[int, str, str] | None:
        """Status, code and message, or None when the request may pass."""
        headers = _headers(scope)
        hosts = headers.get(b"host", [])
        if len(hosts) != 1 or hosts[0].decode("latin-1").lower() not in self._hosts:
            return 400, "bad_host", "This server does not answer to that name."
        raw = scope.get("raw_path") or scope["path"].encode("utf-8")
        path = raw.partition(b"?")[0]
        if ODD.search(path) or ODD_ESCAPE.search(path) or ODD.search(unquote_to_bytes(path)):
            return 400, "bad_path", "That is no path of this server."
        origins = headers.get(b"origin", [])
        if any(not self._is_ours(origin) for origin in origins):
            return 403, "foreign_origin", "Requests from another site are refused."
        if scope["type"] == "websocket" or not any(_is_below(scope["path"], top) for top in GUARDED):
            return None
        site = headers.get(b"sec-fetch-site", [b"same-origin"])[0]
        is_visit = scope["method"] == "GET" and headers.get(b"sec-fetch-mode", [b""])[0] == b"navigate"
        if site in (b"cross-site", b"same-site") and not is_visit:
            return 403, "foreign_origin", "Requests from another site are refused."
        kind = headers.get(b"content-type", [b""])[0].partition(b";")[0].strip().lower()
        if scope["method"] in WRITES and kind != b"application/json" and OWN_HEADER not in headers:
            return 415, "not_json", "Send JSON as application/json, or the header X-Wordreel."
        return None

    def _is_ours(self, origin: bytes) -> bool:
        scheme, _, host = origin.decode("latin-1").lower().partition("://")
        return scheme == "http" and (host in self._hosts or f"{host}:80" in self._hosts)

    async def _pass_small_body(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body whole before anything acts on it, no further than the limit and no longer than the time."""
        try:
            body = await asyncio.wait_for(_read(receive), BODY_TIMEOUT_S)
        except TimeoutError:
            await _refuse(scope, send, 408, "too_slow", "The request did not arrive in time.")
            return
        if body is None:
            return
        if len(body) > BODY_LIMIT_BYTES:
            await _refuse(scope, send, 413, "too_large", f"A request may have at most {BODY_LIMIT_BYTES:,} bytes.")
            return
        pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return pending.pop() if pending else await receive()

        await self._app(scope, replay, _with_headers(send))


def own_hosts(host: str, port: int) -> list[str]:
    """What a browser on this machine may call a server that listens on loopback."""
    names = {"127.0.0.1", "localhost", "[::1]", f"[{host}]" if ":" in host else host}
    return sorted({f"{name}:{port}" for name in names} | (names if port == 80 else set()))


def _headers(scope: Scope) -> Mapping[bytes, list[bytes]]:
    found: dict[bytes, list[bytes]] = {}
    for name, value in scope["headers"]:
        found.setdefault(name.lower(), []).append(value)
    return found


def _is_below(path: str, top: str) -> bool:
    return path == top or path.startswith(top + "/")


async def _read(receive: Receive) -> bytes | None:
    """The body, at most just past the limit; None when the client left."""
    whole = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        whole += message.get("body", b"")
        if len(whole) > BODY_LIMIT_BYTES or not message.get("more_body", False):
            return bytes(whole)


def _with_headers(send: Send) -> Send:
    async def answer(message: Message) -> None:
        if message["type"] == "http.response.start":
            present = {name.lower() for name, _ in message["headers"]}
            message["headers"] = [*message["headers"], *(pair for pair in ANSWER_HEADERS if pair[0] not in present)]
        await send(message)

    return answer


async def _refuse(scope: Scope, send: Send, status: int, code: str, message: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": message})
        return
    document: dict[str, Any] = {"code": code, "message": message, "hint": HINTS[code]}
    if code == "not_json" and _is_below(scope["path"], "/backend"):  # the contract's answer, which its senders know how to read
        status, document = 500, {"error": "415 Unsupported Media Type: Content-Type was not 'application/json'"}
    body = json.dumps(document).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *ANSWER_HEADERS]})
    await send({"type": "http.response.body", "body": body})
