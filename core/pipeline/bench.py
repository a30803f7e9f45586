"""What the stages work with: the store and the providers, as one run was told to use them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager, nullcontext
from contextvars import copy_context
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path
from threading import Lock
from typing import TypeVar

from sqlalchemy import Connection

from core.errors import ModelMissing
from core.model.clips import Source
from core.model.runs import RunSettings, Stage
from core.model.vocabulary import VocabularyWord
from core.pipeline.halting import PausePoint, working_on
from core.pipeline.janitor import process_started
from core.pipeline.run_ledger import SHORTLIST_SHARE_RATIO
from core.pipeline.work import WordEnd, WordStage
from core.ports import ChoosesModel, ClipSource, Judge, MediaTools, Transcriber
from core.rules.matching import WordMatcher
from core.rules.rates import RateLimit
from core.store.database import Database
from core.store.media_files import MediaFiles
from core.store.runs import load_run
from core.store.vocabulary import levels_of_words, load_words

MAX_THREADS = 64
"""Threads in which paid calls wait for their answers; how many are in flight is the provider's own setting."""

Item = TypeVar("Item")
Result = TypeVar("Result")

Way = Callable[["Bench", str, int], WordEnd | None]
"""One stage as its file has it: (bench, run id, word id)."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """All words of the workspace (or of the demo) that a clip can teach, ready to be found in a text."""

    words: Mapping[int, VocabularyWord]
    levels: Mapping[str, str]
    """Word key → lowest level on any list."""
    matcher: WordMatcher


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast and how much a remote source may be asked."""

    rate: RateLimit
    link_life_s: float
    """A download that begins within it, from the search on, needs no fresh link."""
    downloads_left: Callable[[], int | None]
    """This month's; None where no quota is known."""
    resets_at: Callable[[], datetime]


def _no_pace(_source: Source) -> Pace | None:
    return None


def _free(_run_id: str, _budget_usd: float | None, _max_downloads: int | None) -> AbstractContextManager[None]:
    return nullcontext()


class Bench:
    """Everything that a stage needs. One a worker; safe to share between threads.

    Args:
        pace_of: of a remote source; None for one that is here. paying_for: entered around each stage, with the money that the run may
            have spent by then and the downloads that it may have asked for.
        search_max_age_days: an older answer of a remote source is asked for anew.
    """

    def __init__(
        self,
        database: Database,
        media_files: MediaFiles,
        media_tools: MediaTools,
        sources: Mapping[Source, ClipSource],
        judges: Mapping[str, Judge],
        transcribers: Mapping[str, Transcriber],
        scratch_path: Path,
        *,
        pace_of: Callable[[Source], Pace | None] = _no_pace,
        paying_for: Callable[[str, float | None, int | None], AbstractContextManager[None]] = _free,
        search_max_age_days: Callable[[], float] = lambda: 90.0,
    ) -> None:
        self.database = database
        self.media_files = media_files
        self.media_tools = media_tools
        self.sources = sources
        self.scratch_path = scratch_path
        self.search_max_age_days = search_max_age_days
        self.pauses = PausePoint(database)
        self._pace_of = pace_of
        self._paying_for = paying_for
        self._judges = judges
        self._transcribers = transcribers
        self._vocabulary: dict[bool, tuple[str, Vocabulary]] = {}
        self._lock = Lock()
        self._clip_locks: dict[int, Lock] = {}

    def source(self, settings: RunSettings) -> ClipSource:
        """Raises: ModelMissing when the source is not set up here."""
        if settings.source not in self.sources:
            raise ModelMissing(f"The source {settings.source} is not set up here.", hint="See `python run.py doctor`.")
        return self.sources[settings.source]

    def judge(self, settings: RunSettings) -> Judge:
        """The judge that the run froze, with its model. Raises: ModelMissing when it is not set up here."""
        if settings.judge not in self._judges:
            raise ModelMissing(f"The judge {settings.judge!r} of this run is not set up here.", hint="See `python run.py doctor`.")
        judge = self._judges[settings.judge]
        return judge.with_model(settings.judge_model) if settings.judge_model and isinstance(judge, ChoosesModel) else judge

    def transcriber(self, settings: RunSettings) -> Transcriber:
        """The transcriber that the run froze. Raises: ModelMissing when it is not set up here."""
        if settings.transcriber not in self._transcribers:
            raise ModelMissing(
                f"The transcriber {settings.transcriber!r} of this run is not set up here.", hint="See `python run.py doctor`."
            )
        return self._transcribers[settings.transcriber]

    def pace(self, settings: RunSettings) -> Pace | None:
        """How fast the run's source may be asked; None for one that is here."""
        return self._pace_of(settings.source)

    def month_downloads_left(self, settings: RunSettings) -> int | None:
        """What the source's plan still allows this month; None where nothing limits it."""
        pace = self.pace(settings)
        return None if pace is None else pace.downloads_left()

    def pause_point(self, run_id: str) -> None:
        """For a stage that waits, about once a second. Raises: Halted when the run was paused or cancelled."""
        self.pauses.check(run_id)

    def together(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[tuple[Item, Future[Result]]]:
        """Each item with its ended future, as they end; for work that waits for answers. All have ended when the iterator has."""
        futures = {self._threads.submit(copy_context().run, work, item): item for item in items}
        try:
            for future in as_completed(futures):
                yield futures[future], future
        finally:
            for future in futures:
                future.cancel()
            for future in futures:
                if not future.cancelled():
                    future.exception()

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(max_workers=MAX_THREADS, thread_name_prefix="waiting")

    def vocabulary(self, connection: Connection, *, is_demo: bool) -> Vocabulary:
        """All words that count beside each other; rebuilt when the lists have changed."""
        words = load_words(connection, is_demo=is_demo)
        levels = levels_of_words(connection, is_demo=is_demo)
        version = digest([[word.word_id, word.text] for word in words], sorted(levels.items()))
        with self._lock:
            known = self._vocabulary.get(is_demo)
            if known is None or known[0] != version:
                known = (version, Vocabulary({word.word_id: word for word in words}, levels, WordMatcher(words)))
                self._vocabulary[is_demo] = known
        return known[1]

    def stages(self, ways: Mapping[str, Way], *, again: str) -> list[WordStage]:
        """The stages bound to this bench, in order; after the last one the word goes round from `again`."""
        last = list(ways)[-1]
        return [WordStage(name, partial(self._do, name, way), then=again if name == last else "") for name, way in ways.items()]

    def _do(self, name: str, way: Way, run_id: str, word_id: int) -> WordEnd | None:
        """One stage, with what it pays counted for its run and within the run's money."""
        with self.database.read() as connection:
            settings = load_run(connection, run_id).settings
        money_usd = settings.max_cost_usd
        if money_usd is not None and name == Stage.SHORTLIST:
            money_usd *= SHORTLIST_SHARE_RATIO
        with working_on(run_id), self._paying_for(run_id, money_usd, settings.max_downloads):
            return way(self, run_id, word_id)

    def clip_lock(self, clip_id: int) -> Lock:
        """Held while one thread fetches or recognises a clip, so that another word's workflow finds it done."""
        with self._lock:
            return self._clip_locks.setdefault(clip_id, Lock())


def own_scratch(folder: Path) -> Path:
    """Where this process may put files for a while; what processes of this host left that have ended is removed."""
    host = socket.gethostname()
    for left in folder.glob("*-*"):
        owner, _, pid = left.name.rpartition("-")
        if owner == host and pid.isdigit() and int(pid) != os.getpid() and not process_started(int(pid)):
            shutil.rmtree(left, ignore_errors=True)
    return folder / f"{host}-{os.getpid()}"


def digest(*parts: object) -> str:
    """A key by content: the SHA-256 of the parts as canonical JSON."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=True, default=str).encode()).hexdigest()
