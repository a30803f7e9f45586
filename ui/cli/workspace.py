"""`backup`, `restore`, `demo`: the workspace as a whole."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ui.cli.options import Json
from ui.cli.output import OUT
from ui.cli.session import actor, opened

demo = typer.Typer(help="The demo clips.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Hang the commands into the tree."""
    app.command(name="backup")(backup)
    app.command(name="restore")(restore)
    app.add_typer(demo, name="demo")


def backup(
    path: Annotated[Path | None, typer.Argument(metavar="[PATH]", help="A new folder; without it, one in the workspace.")] = None,
    without_media: Annotated[bool, typer.Option("--without-media", help="Only the database.")] = False,
    json: Json = False,
) -> None:
    """Copy the workspace to a folder and read the copy back."""
    with opened() as app, OUT.progress("Copying"):
        report = app.backups.backup(path.expanduser().resolve() if path else None, with_media=not without_media)
    OUT.answer(report.as_json(), f"Backed up to {report.path}, and read back.")


def restore(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A backup.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Put it in place of what this workspace holds.")] = False,
    json: Json = False,
) -> None:
    """Bring a backup back; the server and every worker must be stopped. What it replaces is kept beside it."""
    from core.config import load_config
    from core.services.backups import Backups
    from ui.server_lock import ServerLock

    home_path = load_config().home_path
    lock = ServerLock(home_path, "a restore that is under way") if home_path.is_dir() else None
    try:
        report = Backups.restore(path.expanduser().resolve(), home_path, overwrite=overwrite)
    finally:
        if lock is not None:
            lock.release()
    aside = [f"What was there is kept in {report.aside_path}."] if report.aside_path else []
    OUT.answer(report.as_json(), f"Restored {report.from_path} into {report.home_path}.", *aside)


@demo.command()
def remove(json: Json = False) -> None:
    """Remove every trace of the demo; nothing of yours is touched."""
    with opened() as app:
        app.demo.remove(actor=actor())
        state = app.demo.state()
    OUT.answer(asdict(state), "The demo is removed.")


@demo.command()
def status(json: Json = False) -> None:
    """How far the demo is."""
    with opened() as app:
        state = app.demo.state()
    OUT.answer(asdict(state), f"{state.state}{': ' + state.detail if state.detail else ''}, {state.n_clips} clips")
