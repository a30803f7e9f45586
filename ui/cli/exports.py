"""`export`, `export verify`, `export retract`."""

from __future__ import annotations

import typer


def add_to(app: typer.Typer) -> None:
    """Hang the commands into the tree."""
