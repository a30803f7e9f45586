"""Discovery where every call costs: a loopback ClipCafe of real spoken clips, a loopback OpenAI, and the program as a user has it.

Times of the providers are real seconds; `scale` is how many times faster ClipCafe's clock runs.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from core.config import load_config
from core.store.database import Database
from core.store.media_files import media_files
from core.store.media_rows import stored_media_ids
from tests.conftest import REPO_PATH
from tests.loopback import clipcafe, openai
from tests.loopback.clipcafe import LoopbackClipCafe
from tests.loopback.clipcafe_corpus import CorpusClip
from tests.loopback.clipcafe_films import speak_film
from tests.loopback.commands import Cli, ask, copy_program, is_alive, live_workers, wait_until
from tests.loopback.invariants import check_all, check_ledger, check_rate
from tests.loopback.openai import LoopbackOpenAI
from tests.loopback.paid_corpus import RATE_WPM, judge_words, list_words, short_corpus

SECRETS = (clipcafe.KEY, openai.KEY)
MANY = 1000
"""Requests a minute where no limit is to be felt."""


class PaidFilms:
    """The bytes of the clips: each says its own line; made when first asked for, or together beforehand."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)

    def bytes_of(self, clip: CorpusClip) -> bytes:
        """The same bytes each time, different for each slug: a box at the end tells them apart."""
        path = self._path(clip)
        with self._lock:
            if not path.exists():
                make_film(str(path), clip.spoken, clip.duration_s)
        mark = f"{clip.slug}\n{clip.spoken}".encode()
        return path.read_bytes() + struct.pack(">I4s", 8 + len(mark), b"free") + mark

    def prepare(self, clips: Sequence[CorpusClip]) -> None:
        """Make all of them now, on every core, so that nobody waits for a film and no film is made while something is measured."""
        wanted = {str(self._path(clip)): clip for clip in clips if not self._path(clip).exists()}
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(os.cpu_count(), mp_context=context) as pool:
            for done in [pool.submit(make_film, path, clip.spoken, clip.duration_s) for path, clip in wanted.items()]:
                done.result()

    def _path(self, clip: CorpusClip) -> Path:
        return self._folder / f"{sha256(f'{clip.spoken} {clip.duration_s}'.encode()).hexdigest()[:24]}.mp4"


def make_film(path: str, text: str, duration_s: float) -> None:
    part = Path(path).with_suffix(".part.mp4")
    speak_film(part, text, duration_s, rate_wpm=RATE_WPM)
    part.replace(path)


def hear_film(data: bytes) -> dict[str, Any]:
    """What `whisper-1` of this world hears in one of `PaidFilms`: its line, the words one after the other."""
    line = data[data.rindex(b"free") + 4 :].decode().partition("\n")[2]
    step_s = 60 / RATE_WPM
    words = [{"word": word, "start": round(n * step_s, 2), "end": round((n + 1) * step_s, 2)} for n, word in enumerate(line.split())]
    return {"text": line, "duration": words[-1]["end"], "words": words, "segments": [openai._segment(line, 0.0, words[-1]["end"])]}


@dataclass
class PaidWorld:
    """Both providers, what they hold, and the commands on a workspace and a copy of the program of its own."""

    folder: Path
    words: list[str]
    corpus: list[CorpusClip]
    clipcafe: LoopbackClipCafe
    openai: LoopbackOpenAI
    films: PaidFilms
    cli: Cli
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def home(self) -> Path:
        return self.cli.home

    @property
    def log_path(self) -> Path:
        """What every worker said that this world started."""
        return self.folder / "workers.log"

    def start_worker(self, *, scale: float | None = None) -> subprocess.Popen[bytes]:
        """A worker, at once: it may not be ready yet. With `scale`, one that knows how fast ClipCafe's clock runs."""
        command = [sys.executable, "-P", "-m", "ui.cli", "worker"]
        environ = self.cli._environ()
        if scale is not None:
            command = [sys.executable, "-P", "-m", "tests.loopback.scaled_worker", str(scale)]
            environ["PYTHONPATH"] += f"{os.pathsep}{REPO_PATH}"
        with self.log_path.open("ab") as log:
            more = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log, "start_new_session": True}
            process = subprocess.Popen(command, cwd=self.folder, env=environ, **more)  # type: ignore[call-overload]
        self.workers.append(process)
        return process

    def started_worker(self, *, scale: float | None = None) -> subprocess.Popen[bytes]:
        """A worker that beats."""
        process = self.start_worker(scale=scale)
        wait_until(lambda: (self.home / "workspace").exists() and process.pid in live_workers(self.home), "a live worker")
        return process

    def kill_worker(self) -> None:
        """`kill -9` of the newest worker: of its process alone, what it started has to notice by itself."""
        self.workers[-1].kill()
        self.workers[-1].wait(10)

    def stop_workers(self) -> None:
        """Every worker that was started here ends, with what it started."""
        for process in self.workers:
            if process.poll() is None:
                process.terminate()
        for process in self.workers:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(10)

    def run_id(self) -> str:
        """Of the newest run."""
        return str(ask(self.home, "SELECT run_id FROM runs ORDER BY number DESC LIMIT 1")[0][0])

    def status(self) -> str:
        return str(ask(self.home, "SELECT status FROM runs ORDER BY number DESC LIMIT 1")[0][0])

    def states(self) -> dict[str, str]:
        """word → its state in the newest run."""
        query = "SELECT w.text, r.state FROM run_words r JOIN words w USING (word_id) WHERE r.run_id = ?"
        return dict(ask(self.home, query, self.run_id()))

    def n_reviewable(self) -> int:
        """Mappings that a person can decide on: heard or captioned, and good enough for the workspace's usual rule."""
        query = "SELECT count(*) FROM mappings WHERE state = 'in_review' AND evidence_state <> 'not_heard' AND relevance >= 0.6"
        return int(ask(self.home, query)[0][0])

    def entries(self, state: str = "done", provider: str = "") -> dict[str, int]:
        """How many ledger rows are in a state, by operation."""
        query = "SELECT operation, count(*) FROM ledger WHERE state = ? AND (? = '' OR provider = ?) GROUP BY operation"
        return dict(ask(self.home, query, state, provider, provider))

    def counts(self) -> tuple[int, int]:
        """What the providers have counted so far: requests that ClipCafe answered, calls that OpenAI was paid for."""
        return sum(self.clipcafe.answered.values()), len(self.openai.paid)

    def counted(self) -> dict[str, int]:
        """By operation, what both providers carried out. A repaired judgement is an operation of its own."""
        n_repairs = sum("Your last answer could not be used" in str(seen.body) for seen in self.openai.paid)
        n_heard = sum(seen.path == "/audio/transcriptions" for seen in self.openai.paid)
        paid = {"judge": len(self.openai.paid) - n_repairs - n_heard, "judge_repair": n_repairs, "transcribe": n_heard}
        return {**self.clipcafe.answered, **paid}

    def check(self) -> None:
        """I1 to I6, when nothing is under way: with what both providers counted. What a kill left half-written is swept first."""
        config = load_config(self.cli._environ(), root_path=self.cli.program)
        database, files = Database(self.home), media_files(config)
        try:
            with database.read() as connection:
                files.sweep(stored_media_ids(connection), older_than_s=0)
            check_all(database, files, secrets=SECRETS)
            check_ledger(database, self.counted())
        finally:
            database.close()
        if self.clipcafe.limit is not None:
            check_rate([at_s for at_s, _ in self.clipcafe.arrivals], self.clipcafe.limit, self.clipcafe.window_s)
        log = self.log_path.read_text(errors="replace") if self.log_path.exists() else ""
        assert not any(secret in log for secret in SECRETS), "a key stands in a worker's log"


@contextmanager
def paid_world(
    folder: Path,
    *,
    n_words: int = 4,
    clips_a_word: int = 4,
    scale: float = 1.0,
    limit: int | None = None,
    clipcafe_latency_s: float = 0.0,
    judge_latency_s: float = 0.0,
    program: Path | None = None,
    films: PaidFilms | None = None,
    seed: int = 1,
    **settings: str,
) -> Iterator[PaidWorld]:
    """The world, running; its workers end with it.

    Args:
        limit: requests in any minute of ClipCafe's clock; None: as many as anybody likes.
        program: a copy of the program that is there already. films: films that are made already.
        settings: more of the program's settings, by their names.
    """
    words = list_words(n_words)
    corpus = short_corpus(words, clips_a_word=clips_a_word, seed=seed)
    films = films or PaidFilms(folder / "films")
    program = program or copy_program(folder / "program")
    with ExitStack() as stack:
        clips = LoopbackClipCafe(corpus, films.bytes_of, scale=scale, limit=limit, latency_s=clipcafe_latency_s)
        stack.enter_context(clips)
        model = stack.enter_context(LoopbackOpenAI(judge=judge_words, hear=hear_film, latency_s=judge_latency_s))
        usual = {
            "CLIPCAFE": clipcafe.KEY,
            "CLIPCAFE_BASE_URL": clips.url,
            "CLIPCAFE_RATE": f"{limit or MANY}/{60 / scale:g}s",
            "OPENAI_API_KEY": openai.KEY,
            "OPENAI_BASE_URL": model.url,
            "JUDGE": "openai",
            "JUDGE_MODEL": "gpt-4o-mini",
            "TRANSCRIBER": "captions",
        }
        cli = Cli(program, folder / "home", {**usual, **settings})
        world = PaidWorld(folder, words, corpus, clips, model, films, cli)
        try:
            yield world
        finally:
            world.stop_workers()


__all__ = ["SECRETS", "PaidFilms", "PaidWorld", "is_alive", "paid_world"]
