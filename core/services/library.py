"""Library: the user's own films, read in place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import NotFound
from core.model.media import Film
from core.ports import WorkStarter
from core.store import runs as rows
from core.store.database import Database
from core.store.media_rows import list_films, load_transcripts, set_film_state
from core.store.runs import JobRow

FILM_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".m2ts", ".wmv", ".flv", ".ogv", ".3gp"}
)


@dataclass(frozen=True, slots=True)
class FilmCard:
    """A film as the Library page shows it."""

    film: Film
    n_words: int
    is_verified_by_audio: bool
    engine: str
    notes: tuple[str, ...]


class Library:
    """Takes films in and lists them."""

    def __init__(self, database: Database, work: WorkStarter) -> None:
        self._database = database
        self._work = work

    def ingest(self, paths: Sequence[Path], *, actor: str, is_demo: bool = False) -> str:
        """Queue the films under `paths` (files, or folders with all their films). Returns the job's id.

        Raises: NotFound for a path that is not there; a folder without films is a job with nothing to do.
        """
        files: list[Path] = []
        for path in paths:
            path = path.expanduser().resolve()
            if path.is_dir():
                files += sorted(found for found in path.rglob("*") if found.suffix.lower() in FILM_SUFFIXES and found.is_file())
            elif path.exists():
                files.append(path)
            else:
                raise NotFound(f"There is no file or folder {path}.", hint="See that its path is typed right; nothing was taken in.")
        payload = {"paths": [str(path) for path in dict.fromkeys(files)], "is_demo": is_demo}
        with self._database.write() as connection:
            job_id = rows.create_job(connection, "ingest", "ingest", payload, actor=actor, total=len(payload["paths"]))  # type: ignore[arg-type]
        self._work.start_job(job_id, 1, "ingest")
        return job_id

    def job(self, job_id: str) -> JobRow:
        """Raises: NotFound."""
        with self._database.read() as connection:
            return rows.load_job(connection, job_id)

    def films(self) -> list[FilmCard]:
        """Every film; one whose file is not there now is `missing`, and nothing of it is removed."""
        with self._database.read() as connection:
            found = list_films(connection)
            transcripts = load_transcripts(connection, [film.transcript_id for film in found if film.transcript_id])
        for film in found:
            state = "present" if film.path.exists() else "missing"
            if state != film.state:
                with self._database.write() as connection:
                    set_film_state(connection, film.film_id, state)
        with self._database.read() as connection:
            found = list_films(connection)
        cards = []
        for film in found:
            transcript = transcripts.get(film.transcript_id or "")
            cards.append(
                FilmCard(
                    film,
                    len(transcript.words) if transcript else 0,
                    transcript.is_verified_by_audio if transcript else False,
                    transcript.engine if transcript else "",
                    transcript.notes if transcript else (),
                )
            )
        return cards


def ingest_json(job: JobRow) -> dict[str, Any]:
    """The answer of `ingest --json`."""
    result = job.result or {}
    files = result.get("files", [])
    counts = {status: len([file for file in files if file["status"] == status]) for status in ("ingested", "known", "failed")}
    return {"files": files, **counts}
