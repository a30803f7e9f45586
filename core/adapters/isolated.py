"""Decoders and recognisers in processes of their own: one that crashes, hangs or eats the memory fails its file, and nothing else.

Each process runs one call after another, started by hand rather than by `multiprocessing`, so that the program's main module is not
run again in it. Calls and answers are pickled between our own two processes and never kept.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, ParamSpec, TypeVar

from core.adapters.isolated_child import Answer, read_frame, write_frame
from core.errors import DecoderDied, StoreError
from core.model.media import MediaFacts
from core.model.transcripts import Cue
from core.ports import MediaTools

DEFAULT_TIMEOUT_S = 300.0
DEFAULT_MEMORY_BYTES = 3 * 1024**3
ROOT_PATH = Path(__file__).resolve().parent.parent.parent
SIGNALS = {-9: "was killed, most likely for memory", -11: "crashed", -6: "aborted", -4: "crashed", -8: "crashed", -7: "crashed"}

BOOTSTRAP = "import sys; sys.path.insert(0, sys.argv[2]); from core.adapters.isolated_child import main; main(sys.argv[1])"

P = ParamSpec("P")
R = TypeVar("R")


class _Child:
    """One process. It ends when its standard input does, and with this process whatever happens to it."""

    def __init__(self, memory_bytes: int | None) -> None:
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        settings = json.dumps({"parent_pid": os.getpid(), "memory_bytes": memory_bytes, "path": [str(ROOT_PATH), *sys.path]})
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", BOOTSTRAP, settings, str(ROOT_PATH)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )

    @property
    def is_alive(self) -> bool:
        return self.process.poll() is None

    def call(self, work: bytes, timeout_s: float) -> Answer:
        """Raises: EOFError when it died, TimeoutError when it was stopped for taking too long."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        is_late = threading.Event()

        def stop() -> None:
            is_late.set()
            self.process.kill()

        timer = threading.Timer(timeout_s, stop)
        timer.daemon = True
        timer.start()
        try:
            write_frame(self.process.stdin, work)
            return pickle.loads(read_frame(self.process.stdout))  # type: ignore[no-any-return]  # noqa: S301 - our own process wrote it
        except (EOFError, OSError) as error:
            self.process.wait()
            if is_late.is_set():
                raise TimeoutError from error
            raise EOFError(str(error)) from error
        finally:
            timer.cancel()

    def last_line(self) -> str:
        """The last thing that it said on its standard error."""
        self._errors.seek(0)
        lines = self._errors.read()[-4000:].decode("utf-8", "replace").strip().splitlines()
        return lines[-1][:200] if lines else ""

    def end(self) -> None:
        """Kill it and close what led to it."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self._errors):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


class IsolatedPool:
    """A few processes that run module-level functions. May be used from several threads; `close` ends the processes.

    Args:
        n_processes: how many calls run at once; the number of cores unless given.
        memory_bytes: what one process may have (its data, where the system can limit it); None for no limit, which
            recognisers want that load large models.
        timeout_s: how long one call may take unless it says otherwise.
    """

    def __init__(
        self, n_processes: int | None = None, *, memory_bytes: int | None = DEFAULT_MEMORY_BYTES, timeout_s: float = DEFAULT_TIMEOUT_S
    ) -> None:
        self._memory_bytes = memory_bytes
        self._timeout_s = timeout_s
        self._slots: queue.Queue[_Child | None] = queue.Queue()
        for _ in range(n_processes or os.cpu_count() or 1):
            self._slots.put(None)
        # The kernel ties a child to the thread that started it; this one lives as long as the pool.
        self._starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="isolated-starter")
        self._children: set[_Child] = set()
        self._is_closed = False

    def run(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """What `function` returns in a process of its own; waits for a free one.

        Raises: whatever `function` raises; DecoderDied when its process was killed, crashed or took too long.
        """
        return self.run_within(self._timeout_s, function, *args, **kwargs)

    def run_within(self, timeout_s: float, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """As `run`, with a time of its own."""
        work = pickle.dumps((function, args, kwargs))
        if self._is_closed:
            raise StoreError("The pool of decoders is closed.", hint="The program is ending; start it again.")
        child = self._slots.get()
        try:
            if child is None or not child.is_alive:
                self._forget(child)
                child = self._starter.submit(self._start).result()
            answer = child.call(work, timeout_s)
        except (EOFError, TimeoutError) as error:
            assert child is not None
            died = _death(child, error, timeout_s, args)
            self._forget(child)
            child = None
            raise died from error
        finally:
            self._slots.put(child)
        if answer.is_out_of_memory:
            raise DecoderDied(f"{_subject(args)} needed more memory than a decoder may have.", hint="Use another copy of this film.")
        if answer.error is not None:
            raise answer.error
        return answer.value  # type: ignore[no-any-return]

    def close(self) -> None:
        """End every process, busy or not. Calls that are under way get DecoderDied."""
        self._is_closed = True
        self._starter.shutdown(wait=True)
        for child in list(self._children):
            self._forget(child)

    def _start(self) -> _Child:
        child = _Child(self._memory_bytes)
        self._children.add(child)
        return child

    def _forget(self, child: _Child | None) -> None:
        if child is not None:
            child.end()
            self._children.discard(child)

    def __enter__(self) -> IsolatedPool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _death(child: _Child, error: Exception, timeout_s: float, args: tuple[Any, ...]) -> DecoderDied:
    hint = "The other files carry on. Fetch or copy this one again, or leave it out."
    if isinstance(error, TimeoutError):
        return DecoderDied(f"{_subject(args)} took longer than {timeout_s:.0f} s, and its decoder was stopped.", hint=hint)
    code = child.process.returncode
    line = child.last_line()
    what = SIGNALS.get(code, f"ended with {code}")
    return DecoderDied(f"{_subject(args)}: its decoder {what}{f' ({line})' if line else ''}.", hint=hint)


def _subject(args: tuple[Any, ...]) -> str:
    return next((argument.name for argument in args if isinstance(argument, Path)), "A call")


@dataclass(frozen=True, slots=True)
class IsolatedMediaTools:
    """The port MediaTools, each call in a process of the pool."""

    pool: IsolatedPool
    tools: MediaTools
    """What runs there; it must pickle."""

    def probe(self, path: Path) -> MediaFacts:
        """As the port says; also raises DecoderDied."""
        return self.pool.run(self.tools.probe, path)

    def cut(self, path: Path, start_s: float, end_s: float, into: Path) -> Path:
        """As the port says; also raises DecoderDied."""
        return self._made_in(into, lambda folder: self.pool.run(self.tools.cut, path, start_s, end_s, folder))

    def still(self, path: Path, at_s: float, into: Path, *, width_px: int = 480) -> Path:
        """As the port says; also raises DecoderDied."""
        return self._made_in(into, lambda folder: self.pool.run(self.tools.still, path, at_s, folder, width_px=width_px))

    def peaks(self, path: Path, n_peaks: int) -> tuple[float, ...]:
        """As the port says; also raises DecoderDied."""
        return self.pool.run(self.tools.peaks, path, n_peaks)

    def embedded_captions(self, path: Path) -> tuple[Cue, ...]:
        """As the port says; also raises DecoderDied."""
        return self.pool.run(self.tools.embedded_captions, path)

    def shrink(self, path: Path, into: Path, *, max_bytes: int) -> Path:
        """As the port says; also raises DecoderDied."""
        return self._made_in(into, lambda folder: self.pool.run(self.tools.shrink, path, folder, max_bytes=max_bytes))

    def _made_in(self, into: Path, make: Callable[[Path], Path]) -> Path:
        """Made in a folder of its own inside `into`, then moved: a process that was killed leaves nothing behind."""
        folder = into / f".isolated-{uuid.uuid4().hex}.part"
        folder.mkdir(parents=True)
        try:
            made = make(folder)
            return made.replace(into / made.name)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
