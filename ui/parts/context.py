"""The application that the pages of this process show. The server sets it before the first page is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.wiring import App

_current: list[App] = []


def set_current_app(app: App | None) -> None:
    """Name the application of this process; None lets go of it."""
    _current[:] = [] if app is None else [app]


def current_app() -> App:
    """The application of this process. Raises: RuntimeError before the server named one."""
    if not _current:
        raise RuntimeError("No application is set: start Wordreel with `python run.py`, not with `streamlit run`.")
    return _current[0]
