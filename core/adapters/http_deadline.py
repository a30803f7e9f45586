"""One HTTP request has an end: httpx itself only limits each silence, and one byte a second is never silent."""

from __future__ import annotations

import socket
import threading
from types import TracebackType
from typing import Any, Protocol

import httpx

NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
    httpx.ProxyError,
    httpx.LocalProtocolError,
)
"""What httpx raises before a whole request can have gone out."""


class Passage(Protocol):
    """Who lets a request out, and learns that it was answered."""

    def pass_through(self) -> None:
        """Called when the connection stands, just before the request goes out; may raise to hold it back."""
        ...

    def answered(self) -> None:
        """Called when the answer's head has come."""
        ...


class Deadline:
    """Shuts the request's socket down when its time is over.

    Args:
        passage: asked before the request goes out.
    """

    def __init__(self, after_s: float, passage: Passage | None = None) -> None:
        self.is_over = False
        self._socket: socket.socket | None = None
        self._passage = passage
        self._timer = threading.Timer(after_s, self._end)
        self._timer.daemon = True

    def __enter__(self) -> Deadline:
        self._timer.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._timer.cancel()

    def trace(self, event: str, info: dict[str, Any]) -> None:
        """Called by httpcore at each step, as the request's extension `trace`; a TLS socket replaces the plain one."""
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            self.hold(info["return_value"])
        elif event.endswith("send_request_headers.started") and self._passage is not None:
            self._passage.pass_through()
        elif event.endswith("receive_response_headers.complete") and self._passage is not None:
            self._passage.answered()

    def hold(self, stream: Any) -> None:
        """Take over the socket of a connection, a kept one too."""
        self._socket = stream.get_extra_info("socket")
        if self.is_over:
            self._end()

    def _end(self) -> None:
        self.is_over = True
        if self._socket is not None:
            try:
                self._socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # it is closed already


def what_happened(error: Exception) -> str:
    """For people: how a request that may have been carried out ended."""
    if isinstance(error, httpx.TimeoutException):
        return "did not answer in time"
    return "broke off the connection before its answer was complete"
