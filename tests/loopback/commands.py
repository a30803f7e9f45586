"""The commands as an outside script runs them: processes of their own, on a copy of the program that has no `.env`."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import av

from core.config import VARIABLES
from tests.conftest import REPO_PATH

FILM = "composite_popeye_ljspeech"


def copy_program(into: Path) -> Path:
    """`core`, `ui` and `data` without the operator's settings, so that nothing of this checkout's `.env` is read."""
    for name in ("core", "ui"):
        shutil.copytree(REPO_PATH / name, into / name, ignore=shutil.ignore_patterns("__pycache__", "*.test.*js"))
    shutil.copytree(REPO_PATH / "data", into / "data", ignore=shutil.ignore_patterns("workspace*", ".*"))
    return into


@dataclass(frozen=True)
class Cli:
    """`run.py`'s hand-over: `python -P -m ui.cli`, started in a folder whose own modules must not be taken for ours."""

    program: Path
    home: Path
    settings: dict[str, str] = field(default_factory=dict)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """A command that is under way, in a group of its own."""
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        more = {"cwd": self._folder(), "env": self._environ(), "text": True, "start_new_session": True}
        return subprocess.Popen(self._command(arguments), **more, **pipes)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Without a terminal."""
        options = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True, "errors": "surrogateescape", "timeout": 160}
        return subprocess.run(self._command(arguments), cwd=self._folder(), env=self._environ(), check=False, **options)

    def json(self, *arguments: str, code: int = 0) -> dict:
        """The one document on stdout; nothing else is on either stream."""
        done = self.run(*arguments, "--json")
        assert (done.returncode, done.stderr) == (code, ""), (arguments, done)
        assert done.stdout.endswith("\n") and done.stdout.count("\n") == 1
        return json.loads(done.stdout)

    def refusal(self, *arguments: str, code: int = 2) -> dict:
        """The error, alone on stderr, of a command that must not be done."""
        done = self.run(*arguments, "--json")
        assert (done.returncode, done.stdout) == (code, ""), (arguments, done)
        error = json.loads(done.stderr)
        assert set(error) == {"code", "message", "hint"} and error["message"]
        return error

    def with_settings(self, **settings: str) -> Cli:
        return Cli(self.program, self.home, {**self.settings, **settings})

    def _command(self, arguments: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-P", "-m", "ui.cli", *arguments]

    def _environ(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in VARIABLES}
        ours = {"WORDREEL_HOME": str(self.home), "PYTHONPATH": str(self.program), "LOGNAME": "mina"}
        return {**kept, **ours, **self.settings}

    def _folder(self) -> Path:
        """Where the person stands: their own folders are named like ours."""
        folder = self.home.parent / "elsewhere"
        for name in ("core", "ui"):
            (folder / name).mkdir(parents=True, exist_ok=True)
            (folder / name / "__init__.py").write_text('raise RuntimeError("this is somebody else\'s module")')
        return folder


def ask(home: Path, query: str, *values: object, within_s: float = 20.0) -> list[tuple]:
    """Rows of the workspace's database, read by SQLite alone. What a killed writer left half-written is for the next writer to undo."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            with closing(sqlite3.connect(f"{(home / 'app.db').as_uri()}?mode=ro", uri=True, timeout=20)) as connection:
                return connection.execute(query, values).fetchall()
        except sqlite3.OperationalError as error:
            if "readonly" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def wait_until(is_so: Callable[[], object], what: str, *, within_s: float = 90.0) -> None:
    """Raises: AssertionError, with what did not come about."""
    deadline = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(0.05)


def live_workers(home: Path) -> list[int]:
    """Process ids of the workspace's workers that are there."""
    return [pid for (pid,) in ask(home, "SELECT pid FROM workers WHERE stopped_at IS NULL") if is_alive(pid)]


def is_alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@contextmanager
def worker_of(cli: Cli) -> Iterator[subprocess.Popen[str]]:
    """A worker that beats, ended at the end."""
    process = cli.start("worker")
    try:
        wait_until(lambda: live_workers(cli.home), "a live worker")
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=20)
    assert process.returncode == 0


def short_film(media_path: Path, into: Path, *, seconds: float = 12.5, cues: int = 3) -> Path:
    """The beginning of the spoken film, packet by packet, with its captions beside it."""
    path = into / "short.mp4"
    with av.open(str(media_path / "video" / f"{FILM}.mp4")) as source, av.open(str(path), "w") as target:
        streams = {stream.index: target.add_stream_from_template(stream) for stream in (source.streams.video[0], source.streams.audio[0])}
        for packet in source.demux(source.streams.video[0], source.streams.audio[0]):
            if packet.dts is not None and float(packet.dts * packet.time_base) < seconds:
                packet.stream = streams[packet.stream.index]
                target.mux(packet)
    blocks = (media_path / "video" / f"{FILM}.srt").read_text().split("\n\n")
    path.with_suffix(".srt").write_text("\n\n".join(blocks[:cues]) + "\n")
    return path
