"""A workspace whose real stages, ledger, slots and adapters ask two misbehaving servers, in this process; only media are made up.

It is wired by `core.wiring.build_work`, with a decoder and a recogniser that need no film, and with less patience than people have.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import openai as _openai_client  # noqa: F401  (slow to import; nobody should wait for it within a deadline)
import pytest
from sqlalchemy import func, select, update

import core.wiring as wiring
from core.adapters import openai_calls, openai_server
from core.adapters.clipcafe_calls import CountedCalls
from core.adapters.media_fake import FakeMediaTools
from core.adapters.openai_calls import PatientCalls
from core.adapters.openai_server import OpenAIServer
from core.adapters.safe_download import DownloadLimits
from core.adapters.source_clipcafe import ClipCafeSource
from core.adapters.transcriber_fake import FakeTranscriber
from core.config import load_config
from core.model.clips import Source
from core.model.reviews import DecisionKind, DecisionRequest
from core.model.runs import ENDED_RUN, RunSettings, RunStatus, RunSummary
from core.pipeline import choose, steps
from core.pipeline.engine import WORKER_CONCURRENCY
from core.pipeline.janitor import fence, register, this_process
from core.pipeline.steps import OpenWord
from core.pipeline.work import Work
from core.ports import MediaTools, Transcriber
from core.services.discovery import WordChoice
from core.services.run_now import RunNow, SourceLimits, what_now
from core.services.run_progress import read_progress
from core.services.run_spending import Spending, read_spending
from core.store.database import Database
from core.store.rate_slots import RateSlots
from core.store.rate_tables import rate_limits
from core.store.tables import clips, ledger, mappings, words
from core.wiring import App
from tests.loopback import clipcafe, openai
from tests.loopback.clipcafe import LoopbackClipCafe
from tests.loopback.clipcafe_corpus import CorpusClip
from tests.loopback.commands import wait_until
from tests.loopback.discovery_world import HeldEngine
from tests.loopback.invariants import Counted, check_everything
from tests.loopback.openai import LoopbackOpenAI
from tests.loopback.paid_corpus import judge_words, list_words, short_corpus

SECRETS = (clipcafe.KEY, openai.KEY)
N_AT_ONCE = WORKER_CONCURRENCY["ai"]
SILENCE_S = 4.0
"""How long the source and the judge may be silent here."""


def hurry(patch: pytest.MonkeyPatch) -> None:
    """Waits of seconds become tenths of seconds. Everything else of the adapters stays as it is."""
    limits = DownloadLimits(max_bytes=300_000, connect_timeout_s=2.0, timeout_s=SILENCE_S, deadline_s=2 * SILENCE_S)
    quick: tuple[tuple[type, dict[str, Any]], ...] = (
        (CountedCalls, {"pause_s": 0.01, "unnamed_wait_s": 0.2}),
        (ClipCafeSource, {"timeout_s": SILENCE_S, "deadline_s": 2 * SILENCE_S, "download_limits": limits}),
        (OpenAIServer, {"timeout_s": SILENCE_S, "deadline_s": 2 * SILENCE_S}),
        (PatientCalls, {"pause_s": 0.01}),
    )
    for kind, values in quick:
        for name, value in values.items():
            assert name in kind.__init__.__kwdefaults__, f"{kind.__name__} has no {name}"
            patch.setitem(kind.__init__.__kwdefaults__, name, value)
    patch.setattr(openai_server, "WAIT_S", 0.2)
    patch.setattr(choose, "POLL_S", 0.3)
    patch.setattr(steps, "NO_ROOM_S", 0.3)
    patch.setattr(openai_calls, "UNNAMED_WAIT_S", 0.2)


class QuickApp(App):
    """The program's own composition; a film is any bytes, and captions are "heard" as they say."""

    made: list[QuickApp] = []

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        QuickApp.made.append(self)

    @cached_property
    def media_tools(self) -> MediaTools:
        return FakeMediaTools(duration_s=4.0)

    def transcribers(self) -> Mapping[str, Transcriber]:
        server = self.openai_server
        return {"captions": FakeTranscriber(engine="captions"), "openai": self._paid_transcriber(server)}


def quick_work(database: Database, worker_id: str, *, time_scale: float = 1.0) -> tuple[QuickApp, Work]:
    """What `build_work` makes for the settings of the environment, over `QuickApp`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wiring, "App", QuickApp)
        work = wiring.build_work(load_config(), database, worker_id, clipcafe_time_scale=time_scale)
    return QuickApp.made[-1], work


@dataclass
class FaultWorld:
    """Both providers, and the stages of one worker that this process drives."""

    home: Path
    words: list[str]
    clipcafe: LoopbackClipCafe
    openai: LoopbackOpenAI
    database: Database
    app: QuickApp
    work: Work
    told: list[str] = field(default_factory=list)
    """What was said to people meanwhile: no key may stand in it."""

    def launch(self, *texts: str, want: int = 2, **settings: Any) -> str:
        """A run on ClipCafe that is started, and handed to nobody."""
        chosen = self.app.discovery.choose(WordChoice(words=texts or tuple(self.words)), want=want)
        return self.app.discovery.launch(chosen, RunSettings(source=Source.CLIPCAFE, want=want, **settings), actor="mina")

    def drive(self, run_id: str, *, n_threads: int = N_AT_ONCE) -> RunSummary:
        """Do what a worker does with the run until it has ended or was stopped, several words at once."""
        attempt = self.app.discovery.run(run_id).attempt
        if not steps.begin_run(self.database, self.work, run_id, attempt):
            return self.app.discovery.summary(run_id)
        with ThreadPoolExecutor(n_threads) as pool:
            while steps.is_current(self.database, run_id, attempt):
                open_words = steps.open_words(self.database, run_id, 200)
                if not open_words:
                    steps.end_run(self.database, self.work, run_id, attempt)
                    break
                for done in [pool.submit(self._do_word, run_id, word) for word in open_words]:
                    done.result()
        return self.app.discovery.summary(run_id)

    def _do_word(self, run_id: str, word: OpenWord) -> None:
        while steps.take_step(self.database, self.work, run_id, word.word_id, word.attempt):
            pass

    def discover(self, *texts: str, n_threads: int = N_AT_ONCE, **settings: Any) -> RunSummary:
        """Launch and drive until the end, or until the run is stopped."""
        return self.drive(self.launch(*texts, **settings), n_threads=n_threads)

    def resume(self, run_id: str, *, n_threads: int = N_AT_ONCE) -> RunSummary:
        """What `runs resume` does, and then a worker."""
        self.app.runs.resume(run_id)
        return self.drive(run_id, n_threads=n_threads)

    def retry(self, run_id: str) -> RunSummary:
        """What `runs retry` does, and then a worker."""
        self.app.runs.retry(run_id)
        return self.drive(run_id)

    @contextmanager
    def meanwhile(self, run_id: str) -> Iterator[None]:
        """A worker drives the run in the background; at the end of the block it is waited for."""
        with ThreadPoolExecutor(1) as pool:
            driving = pool.submit(self.drive, run_id)
            yield
            driving.result(100)

    @staticmethod
    def wait_until(is_so: Callable[[], object], within_s: float = 60.0) -> None:
        wait_until(is_so, "what the test waits for", within_s=within_s)

    def _slots(self, provider: str) -> RateSlots:
        return self.app.limits.slots if provider == "source" else RateSlots(self.database, self.openai.host, 1, 60.0)

    def blocked_s(self, provider: str) -> float:
        """For how long everybody still waits for the `source` or the `judge`."""
        return self._slots(provider).blocked_s()

    def unblock(self, provider: str) -> None:
        """The wait is over; nobody wants to wait for it in a test."""
        with self.database.write() as connection:
            connection.execute(update(rate_limits).where(rate_limits.c.name == self._slots(provider).name).values(blocked_until_s=0.0))

    def point_to(self, name: str, value: str) -> None:
        """The operator sets something else, and the programs notice: `name=value` in `.env.secrets`."""
        path = self.app.config.root_path / ".env.secrets"
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        os.environ.pop(name, None)
        kept = [line for line in before.splitlines() if not line.startswith(f"{name}=")]
        path.write_text("\n".join([*kept, f"{name}={value}", ""]), encoding="utf-8")

    def states(self, run_id: str) -> dict[str, str]:
        """word → state."""
        return {row.word: str(row.state) for row in self.app.discovery.words(run_id)}

    def stop_of(self, run_id: str) -> tuple[str, str, str]:
        """(status, what it was stopped for, reason)."""
        run = self.app.discovery.run(run_id)
        return str(run.status), str(run.stopped_for), run.reason

    def now_of(self, run_id: str) -> RunNow:
        """What the run's page and the command say of this moment."""
        limits = self.app.limits
        month = SourceLimits(limits.slots.state(), limits.requests.state(), limits.downloads.state())
        asks = self.app.server_asks()
        return what_now(read_progress(self.database, run_id), month, n_workers=1, at=datetime.now(UTC), asks=asks)

    def spending(self, run_id: str) -> Spending:
        """As the run's page shows it."""
        progress = read_progress(self.database, run_id)
        return read_spending(self.database, progress)

    def entries(self) -> dict[tuple[str, str], int]:
        """(operation, state) → how many rows the ledger has."""
        query = select(ledger.c.operation, ledger.c.state, func.count()).group_by(ledger.c.operation, ledger.c.state)
        with self.database.read() as connection:
            return {(operation, state): n for operation, state, n in connection.execute(query)}

    def n_in_doubt(self) -> int:
        return sum(n for (_, state), n in self.entries().items() if state == "in_doubt")

    def mapped(self) -> set[tuple[str, str, float | None, str, str]]:
        """(slug, word, relevance, state, evidence) of every mapping."""
        joined = mappings.join(clips, clips.c.clip_id == mappings.c.clip_id).join(words, words.c.word_id == mappings.c.word_id)
        found = (clips.c.slug, words.c.text, mappings.c.relevance, mappings.c.state, mappings.c.evidence_state)
        with self.database.read() as connection:
            return {tuple(row) for row in connection.execute(select(*found).select_from(joined))}  # type: ignore[misc]

    def approve_one(self) -> int | None:
        """A person approves the first clip that waits, while all else goes on; the mapping's id."""
        waiting = self.app.review.queue(limit=1).items
        if not waiting:
            return None
        mapping_id = waiting[0].row.mapping_id
        self.app.review.decide(DecisionRequest(mapping_id, DecisionKind.APPROVE, "mina", f"key-{mapping_id}"))
        return mapping_id

    def counted(self) -> list[Counted]:
        """What both providers counted."""
        cafe, answered = self.clipcafe, self.clipcafe.answered + self.clipcafe.delivered_junk
        arrivals = [at for at, _ in cafe.arrivals] if cafe.limit is not None else []
        paths = {"judge": "/chat/completions", "transcribe": "/audio/transcriptions"}
        paid = {operation: sum(seen.path == path for seen in self.openai.paid) for operation, path in paths.items()}
        return [
            Counted("clipcafe", answered, arrivals, cafe.limit or 0, cafe.window_s, cafe.n_429),
            Counted(self.openai.host[:40], paid),
        ]

    def check(self, said: str = "", *, may_be_under_way: bool = False) -> None:
        """I1 to I6, with a decision that was acknowledged."""
        self.approve_one()
        check_everything(self.app, self.counted(), secrets=SECRETS, said="\n".join([*self.told, said]), may_be_under_way=may_be_under_way)

    def rewire(self) -> None:
        """The stages anew, over what was put into `app` by hand."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(wiring, "App", lambda *_, **__: self.app)
            self.work = wiring.build_work(load_config(), self.database, self.app.worker_id)

    def close(self) -> None:
        self.app.close()


def has_ended(world: FaultWorld, run_id: str) -> bool:
    return RunStatus(world.app.discovery.run(run_id).status) in ENDED_RUN


def settings_of(cafe: LoopbackClipCafe, model: LoopbackOpenAI, more: Mapping[str, str]) -> dict[str, str]:
    """The environment of a program that asks these two."""
    limit, window_s = (cafe.limit, cafe.window_s) if cafe.limit is not None else (10_000, 60.0)
    usual = {
        "CLIPCAFE": clipcafe.KEY,
        "CLIPCAFE_BASE_URL": cafe.url,
        "CLIPCAFE_RATE": f"{limit}/{window_s:g}s",
        "OPENAI_API_KEY": openai.KEY,
        "OPENAI_BASE_URL": model.url,
        "JUDGE": "openai",
        "JUDGE_MODEL": "gpt-4o-mini",
        "TRANSCRIBER": "captions",
    }
    return {**usual, **more}


def open_world(
    words: Sequence[str], cafe: LoopbackClipCafe, model: LoopbackOpenAI, *, time_scale: float = 1.0, is_worker: bool = True
) -> FaultWorld:
    """One process's half of the world, on the workspace that the environment names; close it. A worker that does not beat, or none."""
    home = Path(os.environ["WORDREEL_HOME"])
    home.mkdir(parents=True, exist_ok=True)
    database = Database(home)
    who = this_process("faults")
    if is_worker:
        register(database, who, [])
        fence(database, who.worker_id)
    app, work = quick_work(database, who.worker_id, time_scale=time_scale)
    engine = HeldEngine()
    engine.close = lambda: None  # type: ignore[attr-defined]
    app.__dict__["engine"] = engine
    return FaultWorld(home, list(words), cafe, model, database, app, work)


@contextmanager
def fault_world(
    patch: pytest.MonkeyPatch,
    *,
    n_words: int = 4,
    clips_a_word: int = 4,
    corpus: Sequence[CorpusClip] | None = None,
    words: Sequence[str] = (),
    cafe: Callable[..., LoopbackClipCafe] = LoopbackClipCafe,
    judge: Callable[[str, list[str]], list[dict[str, Any]]] = judge_words,
    limit: int | None = None,
    scale: float = 1.0,
    is_worker: bool = True,
    **settings: str,
) -> Iterator[FaultWorld]:
    """The world, ready.

    Args:
        is_worker: this process does the work; False where workers of their own do.
        settings: more of the program's settings, by their names; an empty one is not set.
    """
    texts = list(words) or list_words(n_words)
    held = corpus if corpus is not None else short_corpus(texts, clips_a_word=clips_a_word)
    hurry(patch)
    with ExitStack() as stack:
        source = stack.enter_context(cafe(held, limit=limit, scale=scale))
        source.silence_s = 2 * SILENCE_S
        model = stack.enter_context(LoopbackOpenAI(judge=judge, silence_s=2 * SILENCE_S))
        for name, value in settings_of(source, model, settings).items():
            patch.setenv(name, value)
        world = open_world(texts, source, model, time_scale=scale, is_worker=is_worker)
        stack.callback(world.close)
        yield world


def line_clip(number: int, spoken: str, *, slug: str = "", title: str = "", script: str = "", views: int = 0) -> CorpusClip:
    """One clip that says a line, and nothing else of note."""
    slug = slug or f"the-ferry-{number}"
    views = views or 100_000 - number
    return CorpusClip(
        slug, title or f"Clip {number}", "The Ferry", 1990, script or spoken, spoken, 4.0, 4.0, "192x108", views, number=number
    )


def one_line_each(words: Sequence[str], *, n_lines: int = 1) -> list[CorpusClip]:
    """For each word so many clips that say it and no other: what becomes of one word touches no other."""
    return [
        line_clip(n_lines * place + number, f"Nobody wanted {word} at all, take {number} of {place}.", slug=f"{word}-{number}")
        for place, word in enumerate(words)
        for number in range(n_lines)
    ]


def all_good(_clip: str, asked: list[str]) -> list[dict[str, Any]]:
    """A judge that likes every word."""
    scores = {"education": 0.8, "context": 0.8, "relevance": 0.8, "difficulty": "intermediate"}
    return [{"word": word, **scores, "reason": f"The scene shows what “{word}” means."} for word in asked]


__all__ = [
    "SECRETS",
    "FaultWorld",
    "all_good",
    "fault_world",
    "has_ended",
    "line_clip",
    "one_line_each",
    "open_world",
    "quick_work",
    "settings_of",
]


def hear_made_up(words: Sequence[str], *, silent: str, music: str, credit: str) -> Callable[[bytes], dict[str, Any]]:
    """What a recogniser makes of one clip a word: nothing, a line over music, a credit line, and for the others what is said."""

    def hear(data: bytes) -> dict[str, Any]:
        word = next(word for word in words if f"{word}-0".encode() in data)
        if word == silent:
            return {"text": "", "duration": 4.0, "words": [], "segments": []}
        line = f"Thanks for watching {word}!" if word == credit else f"Nobody wanted {word} at all"
        timed = [{"word": one, "start": round(0.2 + 0.5 * n, 2), "end": round(0.6 + 0.5 * n, 2)} for n, one in enumerate(line.split())]
        signs = (0.92, -1.4) if word == music else (0.6, -0.8) if word == credit else (0.01, -0.2)
        return {"text": line, "duration": 4.0, "words": timed, "segments": [openai._segment(line, 0.0, 3.9, *signs)]}

    return hear
