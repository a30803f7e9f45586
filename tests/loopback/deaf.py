"""A host that takes no more connections: who connects to it waits until they give up, and has sent nothing."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest


@contextmanager
def deaf_host() -> Iterator[int]:
    """Its port. Skips the test where the system lets everybody in although nobody accepts."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        port = int(server.getsockname()[1])
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", port))
        try:
            socket.create_connection(("127.0.0.1", port), timeout=0.3).close()
        except TimeoutError:
            yield port
        else:
            pytest.skip("this system's queue of connections has no end")
