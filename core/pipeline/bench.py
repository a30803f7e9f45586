"""What the stages work with: the store and the providers, as one run was told to use them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock

from sqlalchemy import Connection

from core.errors import ModelMissing
from core.model.clips import Source
from core.model.runs import RunSettings
from core.model.vocabulary import VocabularyWord
from core.pipeline.janitor import process_started
from core.pipeline.work import WordEnd, WordStage
from core.ports import ClipSource, Judge, MediaTools, Transcriber
from core.rules.matching import WordMatcher
from core.store.database import Database
from core.store.media_files import MediaFiles
from core.store.vocabulary import levels_of_words, load_words

Way = Callable[["Bench", str, int], WordEnd | None]
"""One stage as its file has it: (bench, run id, word id)."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """All words of the workspace (or of the demo) that a clip can teach, ready to be found in a text."""

    words: Mapping[int, VocabularyWord]
    levels: Mapping[str, str]
    """Word key → lowest level on any list."""
    matcher: WordMatcher


class Bench:
    """Everything that a stage needs. One a worker; safe to share between threads."""

    def __init__(
        self,
        database: Database,
        media_files: MediaFiles,
        media_tools: MediaTools,
        sources: Mapping[Source, ClipSource],
        judges: Mapping[str, Judge],
        transcribers: Mapping[str, Transcriber],
        scratch_path: Path,
    ) -> None:
        self.database = database
        self.media_files = media_files
        self.media_tools = media_tools
        self.sources = sources
        self.scratch_path = scratch_path
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
        """The judge that the run froze. Raises: ModelMissing when it is not set up here."""
        if settings.judge not in self._judges:
            raise ModelMissing(f"The judge {settings.judge!r} of this run is not set up here.", hint="See `python run.py doctor`.")
        return self._judges[settings.judge]

    def transcriber(self, settings: RunSettings) -> Transcriber:
        """The transcriber that the run froze. Raises: ModelMissing when it is not set up here."""
        if settings.transcriber not in self._transcribers:
            raise ModelMissing(
                f"The transcriber {settings.transcriber!r} of this run is not set up here.", hint="See `python run.py doctor`."
            )
        return self._transcribers[settings.transcriber]

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
        return [WordStage(name, partial(way, self), then=again if name == last else "") for name, way in ways.items()]

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
