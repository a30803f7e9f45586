"""The demo: clips made on this machine, marked as demo everywhere, gone with one click."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import delete, select

from core.config import ROOT_PATH
from core.model.runs import RunSettings
from core.model.transcripts import Transcript
from core.ports import WorkStarter
from core.services.discovery import Discovery, WordChoice
from core.services.settings import Settings
from core.services.vocabulary import Vocabulary
from core.store import runs as run_rows
from core.store import tables as t
from core.store.choice_tables import run_choices
from core.store.database import Database
from core.store.export_tables import export_items
from core.store.media_files import MediaFiles
from core.store.media_rows import list_films

JOB_ID = "demo"
BUNDLE = "demo_start"
EXAMS = ("demo_toefl", "demo_ielts")
TRANSCRIBER = "known"
"""The demo's films are spoken by a voice that tells the time of every word: nothing has to be recognised."""


@dataclass(frozen=True, slots=True)
class MadeFilm:
    """A demo film with what is known of it."""

    path: Path
    title: str
    year: int
    words: tuple[str, ...]
    """The vocabulary words that its lines make plain."""
    transcript: Transcript


@dataclass(frozen=True, slots=True)
class DemoState:
    """Whether demo data is here: `none`, `making`, `ready`, `failed` or `removed`."""

    state: str
    detail: str
    n_clips: int


class Demo:
    """Makes and removes the demo."""

    def __init__(
        self,
        database: Database,
        media_files: MediaFiles,
        vocabulary: Vocabulary,
        discovery: Discovery,
        settings: Settings,
        work: WorkStarter,
        home_path: Path,
    ) -> None:
        self._database = database
        self._media_files = media_files
        self._vocabulary = vocabulary
        self._discovery = discovery
        self._settings = settings
        self._work = work
        self._films_path = home_path / "demo"

    def start(self, *, actor: str) -> None:
        """Queue the making of the demo; done before, removed, or with films of the user's own: nothing happens."""
        state = self.state().state
        with self._database.read() as connection:
            has_films = bool(list_films(connection, is_demo=False))
        if state not in ("none", "failed") or has_films:
            return
        with self._database.write() as connection:
            run_rows.create_job(connection, "demo", "ingest", {}, actor=actor, total=4, job_id=JOB_ID)
            job = run_rows.load_job(connection, JOB_ID)
            if job.status == "failed":
                run_rows.set_job(connection, JOB_ID, status="queued", attempt=job.attempt + 1, reason="")
                job = run_rows.load_job(connection, JOB_ID)
        self._work.start_job(JOB_ID, job.attempt, "ingest")

    def state(self) -> DemoState:
        """How far the demo is."""
        if self._settings.get("demo_removed"):
            return DemoState("removed", "", 0)
        with self._database.read() as connection:
            job = connection.execute(select(t.jobs).where(t.jobs.c.job_id == JOB_ID)).first()
            n_clips = len(list(connection.execute(select(t.clips.c.clip_id).where(t.clips.c.is_demo, t.clips.c.media_id.is_not(None)))))
        if job is None:
            return DemoState("none", "", 0)
        state = {"succeeded": "ready", "failed": "failed", "cancelled": "none"}.get(job.status, "making")
        return DemoState(state, job.reason or job.detail, n_clips)

    def run_job(
        self, make: Callable[[Path, Callable[[str], None]], Sequence[MadeFilm]], take_in: Callable[[Path, str, int, Transcript], Any]
    ) -> Callable[[str], None]:
        """The job's function: lists, films, ingest, run. Each step finds what was done."""

        def run(job_id: str) -> None:
            def say(done: int, detail: str) -> None:
                with self._database.write() as connection:
                    run_rows.set_job(connection, job_id, done=done, detail=detail)

            say(0, "Reading the starter lists")
            for exam in EXAMS:
                self._vocabulary.import_list((ROOT_PATH / "data" / f"{exam}.csv").read_bytes(), exam=exam, file_name=f"{exam}.csv")
            say(1, "Making demo films")
            films = make(self._films_path, lambda line: say(1, line))
            say(2, "Taking them in")
            for film in films:
                take_in(film.path, film.title, film.year, film.transcript)
            say(3, "Finding clips")
            self._launch([word for film in films for word in film.words])
            say(4, "")

        return run

    def _launch(self, words: list[str]) -> None:
        self._vocabulary.add_words(list(dict.fromkeys(words)), bundle=BUNDLE)
        chosen = self._discovery.choose(WordChoice(bundle=BUNDLE))
        self._discovery.launch(chosen, RunSettings(transcriber=TRANSCRIBER), actor="wordreel", name="demo clips")

    def remove(self, *, actor: str) -> None:
        """Remove every trace of the demo but the note that it was removed. Nothing of the user's own is touched."""
        self._settings.set("demo_removed", True, actor=actor)
        with self._database.write() as connection:
            stills = connection.execute(select(t.media.c.media_id, t.media.c.still_id).where(t.media.c.is_demo)).all()
            mapping_ids = select(t.mappings.c.mapping_id).where(t.mappings.c.is_demo)
            clip_ids = select(t.clips.c.clip_id).where(t.clips.c.is_demo)
            word_ids = select(t.words.c.word_id).where(t.words.c.is_demo)
            run_ids = select(t.runs.c.run_id).where(t.runs.c.is_demo)
            media_ids = select(t.media.c.media_id).where(t.media.c.is_demo)
            bundle_names = select(t.bundles.c.name).where(t.bundles.c.is_demo)
            for statement in (
                delete(t.live_mappings).where(t.live_mappings.c.mapping_id.in_(mapping_ids)),
                delete(export_items).where(export_items.c.clip_id.in_(clip_ids)),
                delete(t.decisions).where(t.decisions.c.mapping_id.in_(mapping_ids)),
                delete(t.corrections).where(t.corrections.c.clip_id.in_(clip_ids)),
                delete(t.mappings).where(t.mappings.c.is_demo),
                delete(t.proposals).where(t.proposals.c.clip_id.in_(clip_ids)),
                delete(run_choices).where(run_choices.c.run_id.in_(run_ids)),
                delete(t.run_clips).where(t.run_clips.c.run_id.in_(run_ids)),
                delete(t.run_words).where(t.run_words.c.run_id.in_(run_ids)),
                delete(t.searches).where(t.searches.c.word_id.in_(word_ids)),
                delete(t.runs).where(t.runs.c.is_demo),
                delete(t.clips).where(t.clips.c.is_demo),
                delete(t.films).where(t.films.c.is_demo),
                delete(t.transcripts).where(t.transcripts.c.media_id.in_(media_ids)),
                delete(t.media).where(t.media.c.is_demo),
                delete(t.bundle_words).where(t.bundle_words.c.bundle.in_(bundle_names)),
                delete(t.word_levels).where(t.word_levels.c.word_id.in_(word_ids)),
                delete(t.bundles).where(t.bundles.c.is_demo),
                delete(t.words).where(t.words.c.is_demo),
                delete(t.jobs).where(t.jobs.c.job_id == JOB_ID),
            ):
                connection.execute(statement)
        for media_id in {media_id for row in stills for media_id in row if media_id}:
            self._media_files.delete(media_id)
        shutil.rmtree(self._films_path, ignore_errors=True)
