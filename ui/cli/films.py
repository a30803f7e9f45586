"""`ingest` and `list`: the user's own films."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from ui.cli.options import Json
from ui.cli.output import OUT
from ui.cli.session import actor, opened

POLL_S = 0.2


def add_to(app: typer.Typer) -> None:
    """Hang the commands into the tree."""
    app.command(name="ingest")(ingest)
    app.command(name="list")(list_films)


def ingest(
    paths: Annotated[list[Path], typer.Argument(help="Films, or folders with films.", metavar="PATH...")],
    json: Json = False,
) -> None:
    """Take in films of your own; they are read in place and never changed."""
    from core.services.library import FILM_SUFFIXES, ingest_json

    with opened() as app:
        job_id = app.library.ingest(paths, actor=actor())
        with app.with_worker(), OUT.progress("Taking in") as update:
            while (job := app.library.job(job_id)).status in ("queued", "running"):
                update(job.done, job.total, job.detail)
                time.sleep(POLL_S)
    if job.status in ("failed", "cancelled"):
        from core.errors import StoreError

        raise StoreError(job.reason or "Taking in was cancelled.", hint="Give the same command again: it goes on where it stopped.")
    document = ingest_json(job)
    lines = [f"{file['status']}: {file['path']}{' (' + file['reason'] + ')' if file['reason'] else ''}" for file in document["files"]]
    if not lines:
        lines = [f"No film is there: a folder's films end in {', '.join(sorted(FILM_SUFFIXES))}."]
    OUT.answer(document, *lines, f"{document['ingested']} ingested, {document['known']} known, {document['failed']} failed.")
    if document["failed"] and not document["ingested"] and not document["known"]:
        raise typer.Exit(2)


def list_films(json: Json = False) -> None:
    """Every film of the library."""
    with opened() as app:
        cards = app.library.films()
    document = {
        "films": [
            {
                "film_id": card.film.film_id,
                "path": str(card.film.path),
                "media_id": card.film.media_id,
                "title": card.film.title,
                "year": card.film.year,
                "duration_s": card.film.duration_s,
                "state": card.film.state,
                "words": card.n_words,
                "engine": card.engine,
                "is_demo": card.film.is_demo,
            }
            for card in cards
        ]
    }
    rows = [(card.film.title, card.film.duration_s, card.n_words, card.engine, card.film.state, str(card.film.path)) for card in cards]
    OUT.table(
        document,
        ("Film", "Seconds", "Words", "From", "State", "Path"),
        rows,
        empty="No film yet. `python run.py ingest PATH` takes one in.",
    )
