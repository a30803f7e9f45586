"""The composition root: which adapter stands behind which port, and what every process needs. Nothing connects at import."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from core.config import ROOT_PATH, Config
from core.errors import ModelMissing, NotFound
from core.model.clips import Source
from core.model.runs import RunSettings
from core.services.coverage import Coverage
from core.services.demo import Demo, MadeFilm
from core.services.desk import Desk
from core.services.discovery import Discovery
from core.services.library import Library
from core.services.review import Review
from core.services.settings import Settings
from core.services.vocabulary import Vocabulary
from core.store.database import Database
from core.store.media_files import MediaFiles, media_files

if TYPE_CHECKING:
    import subprocess

    from core.adapters.isolated import IsolatedPool
    from core.adapters.practice.backend import PracticeBackend
    from core.pipeline.engine import EngineClient
    from core.pipeline.run_control import RunControl
    from core.pipeline.work import Work
    from core.ports import Aligner, ExportTarget, Judge, MediaTools, Transcriber
    from core.services.backups import Backups
    from core.services.exports import Exports
    from core.services.storage import Storage


@dataclass(frozen=True, slots=True)
class Provider:
    """What stands behind one port now, for the page's foot and for `doctor`."""

    name: str
    """`judge`, `transcriber`, `aligner`, `source`, `target`."""
    uses: str
    """For people: `Teachability rubric`."""
    why: str
    better: str
    """How to get the better one; empty where there is none."""
    is_ok: bool = True


class App:
    """One process's application: the store, the providers and the services. Close it."""

    def __init__(self, config: Config, database: Database | None = None, worker_id: str = "") -> None:
        self.config = config
        self.worker_id = worker_id
        self.database = database or Database(config.home_path, config.database_url)
        self.media_files: MediaFiles = media_files(config)
        self.settings = Settings(self.database)
        self.vocabulary = Vocabulary(self.database)
        self.coverage = Coverage(self.database, is_practice_live=config.backend_url in ("", "practice"))
        self.review = Review(self.database, self.settings, self._refill)
        self._pool: IsolatedPool | None = None

    # Engine ----------------------------------------------------------------------------------------------------------

    @cached_property
    def engine(self) -> EngineClient:
        """Puts work on the engine; connects on its first use."""
        from core.pipeline.engine import EngineClient, engine_address

        return EngineClient(engine_address(self.config.home_path, self.config.database_url))

    @cached_property
    def runs(self) -> RunControl:
        """Start, pause, resume, cancel, retry."""
        from core.pipeline.run_control import RunControl

        return RunControl(self.database, self.engine)

    def worker_command(self) -> list[str]:
        """The command that starts a worker on this workspace."""
        shield = ["-P"] if sys.flags.safe_path else []  # as `run.py` started us: nothing in the current folder shadows our modules
        return [sys.executable, *shield, "-m", "ui.cli", "worker"]

    def with_worker(self) -> AbstractContextManager[subprocess.Popen[bytes] | None]:
        """While it is entered some worker is alive: another's, or one of our own that ends with it."""
        from core.pipeline.worker import ensure_worker

        return ensure_worker(self.database, self.worker_command())

    def _refill(self, word_id: int) -> None:
        """Queue the word's next clip; a process that is not connected to the engine leaves it to a worker's next look round."""
        from core.pipeline.refill import queue_refill

        job_id = queue_refill(self.database, word_id)
        if job_id is not None and "engine" in self.__dict__:
            self.engine.start_job(job_id, 1, "processing")

    # Providers -------------------------------------------------------------------------------------------------------

    @property
    def pool(self) -> IsolatedPool:
        """Processes for decoders and recognisers; started on the first use."""
        from core.adapters.isolated import IsolatedPool

        if self._pool is None:
            self._pool = IsolatedPool()
        return self._pool

    @cached_property
    def media_tools(self) -> MediaTools:
        from core.adapters.isolated import IsolatedMediaTools
        from core.adapters.media_av import AvMediaTools

        return IsolatedMediaTools(self.pool, AvMediaTools())

    @cached_property
    def aligner(self) -> Aligner:
        from core.adapters.aligner_pocketsphinx import PocketSphinxAligner
        from core.adapters.isolated_sound import IsolatedAligner

        return IsolatedAligner(self.pool, PocketSphinxAligner())

    @property
    def transcriber_name(self) -> str:
        """The recogniser in use: what TRANSCRIBER says, else Whisper where a model is named, else captions."""
        if self.config.transcriber == "openai":
            raise ModelMissing("TRANSCRIBER=openai is not in this version.", hint="Unset TRANSCRIBER, or set it to whisper or captions.")
        if self.config.transcriber == "whisper" and not self.config.whisper_model:
            raise ModelMissing(
                "TRANSCRIBER=whisper needs WHISPER_MODEL.", hint="Set WHISPER_MODEL to a name such as small.en, or to a folder."
            )
        return self.config.transcriber or ("whisper" if self.config.whisper_model else "captions")

    @property
    def judge_name(self) -> str:
        """The judge in use."""
        if self.config.judge == "openai":
            raise ModelMissing("JUDGE=openai is not in this version.", hint="Unset JUDGE, or set it to rubric.")
        return "rubric"

    def transcribers(self) -> Mapping[str, Transcriber]:
        """Every recogniser that is set up here, by name, each sharpened by forced alignment."""
        from core.adapters.aligner_pocketsphinx import PocketSphinxAligner
        from core.adapters.isolated_sound import IsolatedTranscriber
        from core.adapters.transcriber_aligned import AlignedTranscriber
        from core.adapters.transcriber_captions import CaptionsTranscriber
        from core.adapters.transcriber_known import KnownTranscriber

        found: dict[str, Transcriber] = {
            "captions": IsolatedTranscriber(self.pool, AlignedTranscriber(CaptionsTranscriber(), PocketSphinxAligner()))
        }
        found["known"] = KnownTranscriber()
        if self.config.whisper_model:
            from core.adapters.transcriber_whisper import WhisperTranscriber

            whisper = WhisperTranscriber(self.config.whisper_model)
            found["whisper"] = IsolatedTranscriber(self.pool, AlignedTranscriber(whisper, PocketSphinxAligner()))
        return found

    def judges(self) -> Mapping[str, Judge]:
        """Every judge that is set up here, by name."""
        from core.adapters.judge_rubric import RubricJudge

        return {"rubric": RubricJudge()}

    def freeze(self, settings: RunSettings) -> RunSettings:
        """The settings with the judge and recogniser that are in use now: a run keeps them to its end."""
        judge = self.judges()[self.judge_name]
        return replace(
            settings,
            judge=judge.name,
            judge_model=judge.model,
            transcriber=settings.transcriber or self.transcriber_name,
            transcriber_model=self.config.whisper_model if self.transcriber_name == "whisper" and not settings.transcriber else "",
        )

    def providers(self) -> list[Provider]:
        """What is in use, in the order of the page's foot."""
        is_whisper = self.config.whisper_model and self.config.transcriber in ("", "whisper")
        found = [
            Provider("judge", "Teachability rubric", "It runs here and needs no key.", "")
            if self.config.judge != "openai"
            else Provider("judge", "None", "JUDGE=openai is not in this version.", "Unset JUDGE.", is_ok=False),
            Provider("transcriber", f"Whisper {Path(self.config.whisper_model).name}, then alignment", "WHISPER_MODEL names it.", "")
            if is_whisper
            else Provider(
                "transcriber",
                "Captions with forced alignment",
                "No Whisper model is named; words are timed, and not verified by the sound.",
                "Set WHISPER_MODEL to small.en (about 480 MB, fetched once) or to a folder with a model.",
            ),
            Provider("source", "Own films", "They are read in place.", ""),
        ]
        target = self.targets()[0]
        why = "BACKEND_URL is not set." if not target.is_production else "BACKEND_URL names it."
        found.append(Provider("target", "Practice backend" if not target.is_production else target.name, why, ""))
        return found

    # Export ----------------------------------------------------------------------------------------------------------

    @cached_property
    def practice(self) -> PracticeBackend:
        """The practice backend's own database."""
        from core.adapters.practice.backend import PracticeBackend

        return PracticeBackend(self.config.home_path)

    def targets(self, backend_url: str = "") -> Sequence[ExportTarget]:
        """Where clips can go, the one that is offered first in front."""
        from core.adapters.target_http import HttpTarget
        from core.adapters.target_practice import PracticeTarget

        practice = PracticeTarget(self.practice)
        url = backend_url or self.config.backend_url
        return [HttpTarget(url, self.config.backend_token), practice] if url and url != "practice" else [practice]

    def target(self, name_or_url: str = "") -> ExportTarget:
        """A target by its name, its address, or (empty) the one that is offered first. Raises: NotFound, InvalidInput."""
        offered = self.targets()
        if not name_or_url:
            return offered[0]
        for target in offered:
            if name_or_url in (target.name, target.url):
                return target
        if "://" in name_or_url:
            return self.targets(name_or_url)[0]
        raise NotFound(f"There is no target {name_or_url!r}.", hint=f"There are: {', '.join(target.name for target in offered)}.")

    # Services that need more -----------------------------------------------------------------------------------------

    @cached_property
    def desk(self) -> Desk:
        return Desk(self.database, self.media_files, self.review, self.settings, self.aligner)

    @cached_property
    def discovery(self) -> Discovery:
        return Discovery(self.database, self.vocabulary, self.coverage, self.runs, self.freeze)

    @cached_property
    def library(self) -> Library:
        return Library(self.database, self.engine)

    @cached_property
    def exports(self) -> Exports:
        from core.services.exports import Exports

        return Exports(self.database, self.media_files, self.media_tools, self.target, self.engine)

    @cached_property
    def backups(self) -> Backups:
        from core.services.backups import Backups

        return Backups(self.database, self.media_files, self.config.home_path)

    @cached_property
    def storage(self) -> Storage:
        from core.services.storage import Storage

        return Storage(self.database, self.media_files, self.config.home_path)

    @cached_property
    def demo(self) -> Demo:
        return Demo(self.database, self.media_files, self.vocabulary, self.discovery, self.settings, self.engine, self.config.home_path)

    def close(self) -> None:
        """Let go of processes, connections and files."""
        if "engine" in self.__dict__:
            self.engine.close()
        if self._pool is not None:
            self._pool.close()
        if "practice" in self.__dict__:
            self.practice.close()
        self.database.close()


def build_app(config: Config) -> App:
    """The application of this process. Raises what opening the database raises."""
    return App(config)


def build_work(config: Config, database: Database, worker_id: str) -> Work:
    """All that a worker of this workspace can do, wired to its database."""
    from core.adapters.source_library import LibrarySource
    from core.pipeline import choose, fetch, known, merge, probe, score, search, shortlist, transcribe
    from core.pipeline.bench import Bench, own_scratch
    from core.pipeline.ingest import Ingest
    from core.pipeline.refill import Refill
    from core.pipeline.work import Work

    app = App(config, database, worker_id)
    transcribers = app.transcribers()
    bench = Bench(
        database,
        app.media_files,
        app.media_tools,
        {Source.LIBRARY: LibrarySource(database, app.media_tools)},
        app.judges(),
        transcribers,
        own_scratch(config.home_path / "scratch"),
    )
    ways = {
        "known": known.run_known,
        "search": search.run_search,
        "merge": merge.run_merge,
        "shortlist": shortlist.run_shortlist,
        "choose": choose.run_choose,
        "fetch": fetch.run_fetch,
        "probe": probe.run_probe,
        "transcribe": transcribe.run_transcribe,
        "score": score.run_score,
    }
    stages = bench.stages(ways, again="choose")
    ingest = Ingest(bench, transcribers[app.transcriber_name])
    return Work(
        stages=stages,
        jobs={
            "ingest": ingest.run_job,
            "refill": Refill(bench, stages).run_job,
            "export": app.exports.send_batch,
            "demo": app.demo.run_job(_make_demo, ingest.take_in_known),
        },
    )


def _make_demo(into: Path, report: Callable[[str], None]) -> Sequence[MadeFilm]:
    from core.adapters.demo_films import make_demo_films
    from core.adapters.demo_transcripts import known_transcript

    return [MadeFilm(film.path, film.title, film.year, film.taught, known_transcript(film)) for film in make_demo_films(into, report)]


__all__ = ["ROOT_PATH", "App", "Provider", "build_app", "build_work"]
