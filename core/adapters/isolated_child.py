"""The other side of `isolated.py`: a process that reads calls from its standard input and answers on its standard output."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import struct
import sys
import threading
import time
import traceback
from dataclasses import dataclass
from typing import IO, Any

FRAME_HEAD = struct.Struct(">Q")
PARENT_CHECK_S = 0.5
NICENESS = 5
"""Decoding gives way to the server and to the browser on the same machine."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one call."""

    value: Any = None
    error: BaseException | None = None
    is_out_of_memory: bool = False


def write_frame(pipe: IO[bytes], data: bytes) -> None:
    """Length, then bytes."""
    pipe.write(FRAME_HEAD.pack(len(data)))
    pipe.write(data)
    pipe.flush()


def read_frame(pipe: IO[bytes]) -> bytes:
    """The next frame. Raises: EOFError."""
    head = pipe.read(FRAME_HEAD.size)
    if len(head) < FRAME_HEAD.size:
        raise EOFError("the other process is gone")
    (length,) = FRAME_HEAD.unpack(head)
    data = pipe.read(length)
    if len(data) < length:
        raise EOFError("the other process is gone")
    return data


def main(settings_json: str) -> None:
    """Serve calls until the standard input ends."""
    settings = json.loads(settings_json)
    calls, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    # Whatever a library prints must not mix with the answers.
    os.dup2(2, 1)
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123
        os.dup2(nothing.fileno(), 0)
    _die_with_parent(settings["parent_pid"])
    _limit(settings["memory_bytes"])
    sys.path[:] = list(dict.fromkeys([*settings["path"], *sys.path]))
    while True:
        try:
            work = read_frame(calls)
        except EOFError:
            os._exit(0)
        write_frame(answers, _answer(work))


def _answer(work: bytes) -> bytes:
    try:
        function, args, kwargs = pickle.loads(work)  # noqa: S301 - our own process wrote it
        answer = Answer(value=function(*args, **kwargs))
        return pickle.dumps(answer)
    except MemoryError:
        return pickle.dumps(Answer(is_out_of_memory=True))
    except BaseException as error:  # noqa: BLE001 - it is raised again on the other side
        trace = traceback.format_exc()
        try:
            carried = pickle.dumps(Answer(error=error))
            pickle.loads(carried)  # noqa: S301 - written one line above
        except Exception:  # noqa: BLE001 - an error that cannot travel goes as its text
            return pickle.dumps(Answer(error=RuntimeError(f"{type(error).__name__}: {error}\n{trace}")))
        return carried


def _die_with_parent(parent_pid: int) -> None:
    """End when the parent does: by the kernel where it can (Linux), and by looking."""
    if sys.platform == "linux":
        import ctypes
        import signal

        set_death_signal = 1
        ctypes.CDLL(None).prctl(set_death_signal, signal.SIGKILL)
    if os.getppid() != parent_pid:
        os._exit(1)

    def watch() -> None:
        while os.getppid() == parent_pid:
            time.sleep(PARENT_CHECK_S)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _limit(memory_bytes: int | None) -> None:
    """Give way to others, be the first that the kernel kills for memory, leave no core files, stay within the memory."""
    if sys.platform == "win32":
        return
    import resource

    with contextlib.suppress(OSError):
        os.nice(NICENESS)
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:  # noqa: PTH123
        file.write("800")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if memory_bytes is not None:
        # Data, not address space: libraries reserve far more of that than they use.
        resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
