"""What an operator types: `serve`, `worker`, `doctor`, `backup`, `restore`, `demo`, `queue`."""

from __future__ import annotations

import typer

from ui.cli import doctor, queue, workspace
from ui.cli.serve import add_to as add_serve
from ui.cli.serve import serve

__all__ = ["add_to", "serve"]


def add_to(app: typer.Typer) -> None:
    """Hang the commands into the tree."""
    add_serve(app)
    doctor.add_to(app)
    workspace.add_to(app)
    queue.add_to(app)
