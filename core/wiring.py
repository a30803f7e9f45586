"""The composition root: the services over the providers, and what every process needs. Nothing connects at import."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from core.config import ROOT_PATH, Config, load_config
from core.errors import NotFound, RateLimited
from core.model.runs import RunSettings
from core.providers import Provider, Providers
from core.services.coverage import Coverage
from core.services.demo import Demo, MadeFilm
from core.services.desk import Desk
from core.services.discovery import Discovery, Surroundings
from core.services.library import Library
from core.services.plan_bill import PaidJudge
from core.services.review import Review
from core.services.vocabulary import Vocabulary
from core.store.database import Database
from core.store.media_files import MediaFiles, media_files

if TYPE_CHECKING:
    import subprocess

    from core.adapters.practice.backend import PracticeBackend
    from core.pipeline.engine import EngineClient
    from core.pipeline.run_control import RunControl
    from core.pipeline.work import Work
    from core.ports import ExportTarget
    from core.services.backups import Backups
    from core.services.exports import Exports
    from core.services.keys import Keys, Tester, Told
    from core.services.storage import Storage

K = TypeVar("K")
T = TypeVar("T")

TEST_WAIT_S = 15.0
"""Who tests a key looks at a page meanwhile."""
DOWNLOADS_KEPT_S = 86_400.0
"""A download whose run was given up lies in the workspace for so long."""


class App(Providers):
    """One process's application: the store, the providers and the services. Close it."""

    def __init__(
        self,
        config: Config,
        database: Database | None = None,
        worker_id: str = "",
        *,
        reload: Callable[[], Config] | None = None,
        clipcafe_time_scale: float = 1.0,
    ) -> None:
        super().__init__(config, database, worker_id, reload=reload, clipcafe_time_scale=clipcafe_time_scale)
        self.media_files: MediaFiles = media_files(config)
        self.vocabulary = Vocabulary(self.database)
        self.coverage = Coverage(self.database, is_practice_live=config.backend_url in ("", "practice"))
        self.review = Review(self.database, self.settings, self._refill)

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

    # Export ----------------------------------------------------------------------------------------------------------

    @cached_property
    def practice(self) -> PracticeBackend:
        """The practice backend's own database."""
        from core.adapters.practice.backend import PracticeBackend

        return PracticeBackend(self.config.home_path)

    def providers(self) -> list[Provider]:
        """What is in use, in the order of the page's foot."""
        target = self.targets()[0]
        why = "BACKEND_URL is not set." if not target.is_production else "BACKEND_URL names it."
        return [*super().providers(), Provider("target", "Practice backend" if not target.is_production else target.name, why, "")]

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

    # Keys ------------------------------------------------------------------------------------------------------------

    @cached_property
    def keys(self) -> Keys:
        """What can be entered in Settings, and tested there."""
        from core.services.keys import Keys

        testers: dict[str, Tester] = {
            "CLIPCAFE": self._test_clipcafe,
            "CLIPCAFE_BASE_URL": self._test_clipcafe,
            "OPENAI_API_KEY": self._test_openai,
            "OPENAI_BASE_URL": self._test_openai,
            "BACKEND_URL": self._test_backend,
            "BACKEND_TOKEN": self._test_backend,
        }
        return Keys(self.config.root_path, self.settings, testers)

    def _test_clipcafe(self) -> str:
        from core.pipeline.halting import patient_for
        from core.pipeline.run_ledger import paying_for
        from core.pipeline.work import LostPatience

        try:
            with paying_for("key test"), patient_for(TEST_WAIT_S):
                self.clipcafe.check_key()
        except LostPatience:
            message = "Not tested: runs use every request of this minute."
            raise RateLimited(message, retry_after_s=TEST_WAIT_S, hint="Test it again in a minute.", provider="clipcafe") from None
        return "ClipCafe answers a search."

    def _test_openai(self) -> Told:
        from core.services.keys import Told

        models = self.openai_server.models()
        return Told(f"{len(models)} models may be used." if models else "It answers, and lists no model.", models)

    def _test_backend(self) -> str:
        target = self.targets()[0]
        if not target.is_production:
            raise NotFound("No backend is set.", hint="Set BACKEND_URL.")
        told = target.words_with_videos(("test",), "en")
        return "It answers." if told is not None else "It answers, and cannot say which words it has."

    # Services that need more -----------------------------------------------------------------------------------------

    @cached_property
    def desk(self) -> Desk:
        return Desk(self.database, self.media_files, self.review, self.settings, self.aligner)

    @cached_property
    def discovery(self) -> Discovery:
        outside = Surroundings(
            is_set_up=self.is_set_up,
            limits=lambda: self.limits,
            paid_judge=_paid_judge,
            prices=self.prices,
            target=self.target,
            search_max_age_days=lambda: float(self.settings.get("search_max_age_days")),
        )
        return Discovery(self.database, self.vocabulary, self.coverage, self.runs, self.freeze, outside)

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
        self.close_providers()
        if "practice" in self.__dict__:
            self.practice.close()
        self.database.close()


def build_app(config: Config) -> App:
    """The application of this process. Raises what opening the database raises."""
    return App(config, reload=load_config)


def build_work(config: Config, database: Database, worker_id: str, *, clipcafe_time_scale: float = 1.0) -> Work:
    """All that a worker of this workspace can do, wired to its database. It follows keys and plans that are changed meanwhile."""
    from core.pipeline import choose, fetch, known, merge, probe, score, search, shortlist, transcribe
    from core.pipeline.bench import Bench, own_scratch
    from core.pipeline.ingest import Ingest
    from core.pipeline.refill import Refill
    from core.pipeline.run_ledger import paying_for
    from core.pipeline.work import Work

    app = App(config, database, worker_id, reload=load_config, clipcafe_time_scale=clipcafe_time_scale)
    bench = Bench(
        database,
        app.media_files,
        app.media_tools,
        Current(app.sources),
        Current(app.judges),
        Current(app.transcribers),
        own_scratch(config.home_path / "scratch"),
        pace_of=app.pace_of,
        paying_for=paying_for,
        search_max_age_days=lambda: float(app.settings.get("search_max_age_days")),
    )
    app.clipcafe.sweep(older_than_s=DOWNLOADS_KEPT_S)
    app.media_files.sweep_halves()
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
    ingest = Ingest(bench, app.transcribers()[app.own_transcriber_name])
    return Work(
        stages=stages,
        jobs={
            "ingest": ingest.run_job,
            "refill": Refill(bench, stages).run_job,
            "export": app.exports.send_batch,
            "demo": app.demo.run_job(_make_demo, ingest.take_in_known),
        },
    )


def _paid_judge(settings: RunSettings) -> PaidJudge | None:
    """What a plan has to know of the judge that a run froze; None for one that costs nothing."""
    from core.adapters.judge_openai import OpenAIJudge, expected_usage

    return PaidJudge(OpenAIJudge.prompt_version, expected_usage) if settings.judge == OpenAIJudge.name else None


class Current(Mapping[K, T]):
    """A mapping that is asked for anew each time, so that a key which was changed meanwhile is used."""

    def __init__(self, read: Callable[[], Mapping[K, T]]) -> None:
        self._read = read

    def __getitem__(self, key: K) -> T:
        return self._read()[key]

    def __iter__(self) -> Iterator[K]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())


def _make_demo(into: Path, report: Callable[[str], None]) -> Sequence[MadeFilm]:
    from core.adapters.demo_films import make_demo_films
    from core.adapters.demo_transcripts import known_transcript

    return [MadeFilm(film.path, film.title, film.year, film.taught, known_transcript(film)) for film in make_demo_films(into, report)]


__all__ = ["ROOT_PATH", "App", "Provider", "build_app", "build_work"]
