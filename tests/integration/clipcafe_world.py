"""The source clipcafe on a real database and ledger, against the loopback ClipCafe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select

from core.adapters.clipcafe_calls import CountedCalls, Limits
from core.adapters.safe_download import DownloadLimits
from core.adapters.source_clipcafe import ClipCafeSource
from core.model.calls import Answer, PaidCall
from core.model.clips import Clip, Hit
from core.model.vocabulary import VocabularyWord
from core.pipeline.janitor import Identity, register
from core.pipeline.ledger import DoubtPolicy, Ledger
from core.store.clips import save_hit
from core.store.database import Database
from core.store.rate_slots import MonthQuota, RateSlots
from core.store.tables import ledger
from tests.loopback.clipcafe import LoopbackClipCafe
from tests.loopback.clipcafe_corpus import make_corpus

WORDS = ("refer", "harbour", "quiet", "manual", "storm")


class RunLedger:
    """`core.ports.CallLedger` for one run."""

    def __init__(self, database: Database, worker_id: str = "w1", run_id: str = "r1") -> None:
        register(database, Identity(worker_id, "h", 1, "x"), [])
        self._ledger = Ledger(database, worker_id)
        self._run_id = run_id

    def call(self, call: PaidCall, perform: Callable[[], Answer]) -> Answer:
        return self._ledger.call(call, perform, run_id=self._run_id, policy=DoubtPolicy.REPEAT)  # type: ignore[arg-type,return-value]


@dataclass
class World:
    """A workspace, a source and the ClipCafe that it asks."""

    home_path: Path
    server: LoopbackClipCafe
    database: Database
    source: ClipCafeSource
    limits: Limits

    def word(self, text: str) -> VocabularyWord:
        return VocabularyWord(1 + WORDS.index(text) if text in WORDS else 99, text)

    def clip(self, hit: Hit) -> Clip:
        with self.database.write() as connection:
            return save_hit(connection, hit, hit.slug[-60:])

    def entries(self, operation: str = "") -> list[tuple[str, str, int]]:
        """(operation, state, attempt) of the ledger, in order."""
        query = select(ledger.c.operation, ledger.c.state, ledger.c.attempt).order_by(ledger.c.entry_id)
        with self.database.read() as connection:
            return [tuple(row) for row in connection.execute(query) if operation in ("", row.operation)]  # type: ignore[misc]

    def n_done(self, operation: str = "") -> int:
        return sum(state == "done" for _, state, _ in self.entries(operation))


def make_world(
    tmp_path: Path,
    server: LoopbackClipCafe,
    *,
    rate: tuple[int, float] = (1000, 60.0),
    requests: int | None = None,
    downloads: int | None = None,
    key: str | None = None,
    time_scale: float = 1.0,
    worker_id: str = "w1",
    unnamed_wait_s: float = 0.3,
    **named: Any,
) -> World:
    database = Database(tmp_path / "home")
    limits = Limits(
        RateSlots(database, "clipcafe", *rate),
        MonthQuota(database, "clipcafe requests", requests),
        MonthQuota(database, "clipcafe downloads", downloads),
    )
    calls = CountedCalls(database, RunLedger(database, worker_id), limits, pause_s=0.01, unnamed_wait_s=unnamed_wait_s)
    named.setdefault("timeout_s", 20.0)
    named.setdefault("deadline_s", 40.0)
    named.setdefault("download_limits", DownloadLimits(max_bytes=2_000_000, timeout_s=20.0, deadline_s=40.0))
    source = ClipCafeSource(
        server.url, server.key if key is None else key, calls, tmp_path / "home" / "downloads", time_scale=time_scale, **named
    )
    return World(tmp_path / "home", server, database, source, limits)


def corpus(n: int = 12):  # type: ignore[no-untyped-def]
    return make_corpus(WORDS, clips_a_word=n, n_films=6, seed=3)
