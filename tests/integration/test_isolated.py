"""Processes for decoders: one that dies, hangs or eats the memory fails its own call only, and all of them end with their parent."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from core.adapters.isolated import IsolatedMediaTools, IsolatedPool
from core.adapters.media_fake import FakeMediaTools
from core.errors import DecoderDied, RateLimited, StoreError, UnreadableMedia

ROOT = Path(__file__).resolve().parents[2]


def _pid(path: Path | None = None) -> int:
    return os.getpid()


def _die_by(number: int, path: Path) -> None:
    os.kill(os.getpid(), number)


def _read_address_zero(path: Path) -> None:
    ctypes.string_at(0)


def _leave(path: Path) -> None:
    print("decoder: cannot go on", file=sys.stderr, flush=True)
    os._exit(3)


def _eat(path: Path, n_bytes: int) -> int:
    return len(bytearray(n_bytes))


def _refuse(path: Path) -> None:
    raise UnreadableMedia(f"{path.name} is empty.", hint="Give a film.")


def _limited() -> None:
    raise RateLimited("Wait.", retry_after_s=4.5, provider="x")


class _CannotTravel(Exception):
    def __init__(self, one: object, other: object) -> None:
        super().__init__("two things")


def _raise_what_cannot_travel() -> None:
    raise _CannotTravel(1, 2)


def _print_and_return(value: int) -> int:
    print("a library talks")
    os.write(1, b"and more\n")
    return value


class _Half(FakeMediaTools):
    """Dies in the middle of writing."""

    def cut(self, path: Path, start_s: float, end_s: float, into: Path) -> Path:
        (into / "half.mp4").write_bytes(b"half")
        os._exit(9)


@pytest.fixture
def pool():
    with IsolatedPool(1, memory_bytes=1024**3, timeout_s=20) as made:
        yield made


def test_a_call_runs_in_another_process_that_is_kept(pool: IsolatedPool):
    first = pool.run(_pid)
    assert first != os.getpid()
    assert pool.run(_pid) == first


@pytest.mark.parametrize(
    ("function", "args", "said"),
    [
        (_die_by, (signal.SIGKILL,), "was killed, most likely for memory"),
        (_read_address_zero, (), "crashed"),
        (_leave, (), r"ended with 3 \(decoder: cannot go on\)"),
    ],
)
def test_a_process_that_dies_fails_its_file_and_the_next_call_works(pool: IsolatedPool, function, args, said: str):
    with pytest.raises(DecoderDied, match=rf"film\.mp4: its decoder {said}") as caught:
        pool.run(function, *args, Path("/films/film.mp4"))
    assert caught.value.hint
    assert pool.run(_pid) != os.getpid()


def test_too_much_memory_fails_the_file(pool: IsolatedPool):
    with pytest.raises(DecoderDied, match=r"film\.mp4 needed more memory"):
        pool.run(_eat, Path("film.mp4"), 2 * 1024**3)
    assert pool.run(_eat, Path("film.mp4"), 10_000_000) == 10_000_000


def test_a_call_that_hangs_is_stopped(pool: IsolatedPool):
    started = time.monotonic()
    with pytest.raises(DecoderDied, match="took longer than 1 s"):
        pool.run_within(1.0, time.sleep, 60)
    assert time.monotonic() - started < 5
    assert pool.run(_pid) != os.getpid()


def test_errors_come_back_as_they_are(pool: IsolatedPool):
    with pytest.raises(UnreadableMedia, match=r"film\.mp4 is empty") as caught:
        pool.run(_refuse, Path("film.mp4"))
    assert caught.value.hint == "Give a film."
    with pytest.raises(RateLimited) as limited:
        pool.run(_limited)
    assert (limited.value.retry_after_s, limited.value.provider) == (4.5, "x")
    with pytest.raises(ZeroDivisionError):
        pool.run(divmod, 1, 0)
    with pytest.raises(RuntimeError, match="_CannotTravel: two things"):
        pool.run(_raise_what_cannot_travel)


def test_what_a_library_prints_does_not_mix_with_the_answer(pool: IsolatedPool):
    assert [pool.run(_print_and_return, value) for value in range(3)] == [0, 1, 2]


def test_many_threads_share_two_processes_and_each_gets_its_own_answer():
    with IsolatedPool(2) as pool:
        answers: dict[int, tuple[int, int]] = {}
        threads = [threading.Thread(target=lambda n=n: answers.update({n: pool.run(divmod, n, 7)})) for n in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert answers == {n: divmod(n, 7) for n in range(40)}


def test_a_thread_that_ends_takes_no_process_with_it(pool: IsolatedPool):
    """The kernel's death signal goes by thread; the pool starts its processes from one that stays."""
    seen: list[int] = []
    thread = threading.Thread(target=lambda: seen.append(pool.run(_pid)))
    thread.start()
    thread.join()
    time.sleep(0.3)
    assert pool.run(_pid) == seen[0]


def test_a_cut_that_died_leaves_nothing_behind(pool: IsolatedPool, tmp_path: Path):
    film = tmp_path / "film.mp4"
    film.write_bytes(b"film")
    with pytest.raises(DecoderDied):
        IsolatedMediaTools(pool, _Half()).cut(film, 0, 1, tmp_path / "into")
    assert list((tmp_path / "into").iterdir()) == []


def test_a_closed_pool_ends_its_processes_and_says_so():
    pool = IsolatedPool(1)
    pid = pool.run(_pid)
    pool.close()
    assert not _is_alive(pid)
    with pytest.raises(StoreError):
        pool.run(_pid)


def test_a_busy_process_dies_with_its_parent(tmp_path: Path):
    """`kill -9` of the worker leaves no decoder behind."""
    note = tmp_path / "pid"
    script = (
        "import os, sys, threading, time; from pathlib import Path; from core.adapters.isolated import IsolatedPool\n"
        "pool = IsolatedPool(1)\n"
        f"Path({str(note)!r}).write_text(str(pool.run(os.getpid)))\n"
        "pool.run(time.sleep, 60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
    try:
        _wait_until(lambda: note.exists() and bool(note.read_text()))
        pid = int(note.read_text())
        time.sleep(0.3)
        assert _is_alive(pid)
    finally:
        parent.kill()
        parent.wait()
    _wait_until(lambda: not _is_alive(pid), 5)


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def _wait_until(is_so, limit_s: float = 20.0) -> None:
    end = time.monotonic() + limit_s
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.05)
