"""The application that a command works on, and who gives it."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.wiring import App


@contextmanager
def opened() -> Iterator[App]:
    """The application. A command that waits enters `app.with_worker()` once it knows that there is something to wait for."""
    from core.config import load_config
    from core.wiring import build_app

    app = build_app(load_config())
    try:
        yield app
    finally:
        app.close()


def actor() -> str:
    """Who acts on this machine."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "local"
