"""The application that a command works on, and the worker that long commands need."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.wiring import App


@contextmanager
def opened(*, with_worker: bool = False) -> Iterator[App]:
    """The application; with a worker of our own where none is alive, which ends with the command."""
    from core.config import load_config
    from core.wiring import build_app

    app = build_app(load_config())
    try:
        with app.with_worker() if with_worker else nullcontext():
            yield app
    finally:
        app.close()


def actor() -> str:
    """Who acts on this machine."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "local"
