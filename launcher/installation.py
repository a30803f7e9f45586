"""Making the environment and installing into it, with progress, one at a time, and taken up again after an interruption."""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import json
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from launcher.environment import (
    BEGUN,
    REQUIREMENTS,
    ROOT_PATH,
    STAMP,
    count_pins,
    fingerprint,
    missing_tiers,
    python_path,
    read_last_stamp,
    site_packages_path,
    venv_path,
)
from launcher.faults import LOG, SetupError, explained, told_plainly
from launcher.progress import Progress

LOCK = "wordreel-setup.lock"
OURS = "wordreel-setup"
"""How the names of our own files in the environment begin."""
PIP_OPTIONS = ("--disable-pip-version-check", "--no-input", "--progress-bar", "off", "--retries", "3")
GIB = 1024**3
NEEDED_BYTES = {"desk": 4 * GIB, "all": 14 * GIB, "dev": 1 * GIB}
"""Free space that an installation wants: the packages, and pip's copies of them while it works."""


def ensure_set_up(wanted: list[str], is_asked: bool = False) -> None:
    """Install what is missing. `is_asked`: the person typed `setup`, so "nothing to do" is said too.

    Raises: SetupError.
    """
    venv = venv_path()
    if not missing_tiers(venv, wanted):
        if is_asked:
            print(f"Everything is installed in {venv}.", flush=True)
        return
    with told_plainly(venv), locked(venv):
        tiers = missing_tiers(venv, wanted)  # another start may have done it while this one waited
        if tiers:
            install(venv, tiers)


def install(venv: Path, tiers: list[str]) -> None:
    """Install these tiers; the stamp is written last."""
    started = time.monotonic()
    known = read_last_stamp(venv)
    begun = (venv / BEGUN).read_text(encoding="utf-8") if (venv / BEGUN).exists() else ""
    if begun:
        print("The last set-up was interrupted; it is done again.", flush=True)
    is_fresh = begun == "fresh" or not is_whole(venv)
    if is_fresh:
        known = {}
    elif begun:  # any of what was there may be there in part
        tiers = [tier for tier in REQUIREMENTS if tier in tiers or tier in known]
    check_disk(venv, tiers, is_fresh)
    if "all" in tiers:
        print("The search models' libraries (torch, with its CUDA libraries on Linux) take about 8 GB and several minutes.", flush=True)
    print(f"Setting up Wordreel in {venv}{', about 1.6 GB and a minute on a usual line' if is_fresh else ''}.", flush=True)
    if is_fresh:
        make_empty(venv)
        write(venv / BEGUN, "fresh")
        make_venv(venv)
    else:
        write(venv / BEGUN, "added")
    pip_install(venv, tiers, is_forced=begun == "added")
    write(venv / STAMP, json.dumps({**known, **{tier: fingerprint(tier) for tier in tiers}}))
    (venv / BEGUN).unlink()
    print(f"Set up in {time.monotonic() - started:.0f} s.", flush=True)


def is_whole(venv: Path) -> bool:
    """Whether there is an environment whose interpreter is still there."""
    return (venv / "pyvenv.cfg").exists() and python_path(venv).exists()


def make_empty(venv: Path) -> None:
    """Take away a broken or half-made environment. A folder that holds something else is never emptied."""
    content = [path for path in venv.iterdir() if not path.name.startswith(OURS)]
    if content and not (venv / BEGUN).exists() and not (venv / "pyvenv.cfg").exists():
        raise SetupError(f"{venv} holds something that is not a Python environment: move it away, or set WORDREEL_VENV to another folder.")
    (venv / STAMP).unlink(missing_ok=True)
    for path in content:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def check_disk(venv: Path, tiers: list[str], is_fresh: bool) -> None:
    """Raises: SetupError where there is too little room."""
    needed = max(NEEDED_BYTES[tier] for tier in tiers) if is_fresh or "all" in tiers else NEEDED_BYTES["dev"]
    free = shutil.disk_usage(venv).free
    if free < needed:
        raise SetupError(
            f"Too little disk space for {venv}: {free / GIB:.1f} GB free, {needed / GIB:.0f} GB needed. "
            "Free some, or set WORDREEL_VENV to a folder on another disk."
        )


def make_venv(venv: Path) -> None:
    """Make an environment with pip in a folder that holds nothing but our own files."""
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        raise explained("ensurepip is not available", venv)
    command = [sys.executable, "-m", "venv", str(venv)]
    result = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    write(venv / LOG, result.stdout)
    if result.returncode != 0:
        raise explained(result.stdout, venv)


def pip_install(venv: Path, tiers: list[str], is_forced: bool) -> None:
    """Install the pins of the tiers; what pip says goes to the log, its progress to the terminal.

    `is_forced`: a package may be there in part, so that pip's own list of what is installed cannot be trusted.
    """
    temporary = venv / "tmp"  # on the disk whose space was checked, which /tmp may not be
    temporary.mkdir(exist_ok=True)
    command = [str(python_path(venv)), "-m", "pip", "install", *PIP_OPTIONS]
    if is_forced:
        command.append("--force-reinstall")
    for tier in tiers:
        command += ["-r", str(ROOT_PATH / REQUIREMENTS[tier])]
    environ = {**os.environ, **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary)), "PIP_USER": "0", "PYTHONUNBUFFERED": "1"}
    environ.pop("PYTHONPATH", None)
    said, nothing = subprocess.PIPE, subprocess.DEVNULL
    process = subprocess.Popen(
        command, cwd=ROOT_PATH, env=environ, stdin=nothing, stdout=said, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    try:
        output = watch(process, Progress(count_pins(tiers), site_packages_path(venv)), venv / LOG)
    except BaseException:
        stop(process)
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    if process.returncode != 0:
        raise explained(output, venv)


def stop(process: subprocess.Popen[str]) -> None:
    """End pip, by force after five seconds."""
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def watch(process: subprocess.Popen[str], progress: Progress, log_path: Path) -> str:
    """Read what pip says until it ends. Returns all of it."""
    lines: queue.Queue[str | None] = queue.Queue()
    assert process.stdout is not None
    threading.Thread(target=pump, args=(process.stdout, lines), daemon=True).start()
    said: list[str] = []
    with log_path.open("a", encoding="utf-8") as log:
        while True:
            try:
                line = lines.get(timeout=0.5)
            except queue.Empty:
                progress.tick()
                continue
            if line is None:
                break
            said.append(line)
            log.write(line)
            progress.read(line)
    process.wait()
    progress.close()
    return "".join(said)


def pump(stream: TextIO, lines: queue.Queue[str | None]) -> None:
    """Put each line into the queue, and None at the end."""
    for line in stream:
        lines.put(line)
    lines.put(None)


@contextlib.contextmanager
def locked(venv: Path) -> Iterator[None]:
    """One set-up at a time in one environment; the second waits. The lock ends with the process that holds it."""
    venv.mkdir(parents=True, exist_ok=True)
    with (venv / LOCK).open("a", encoding="utf-8") as file:
        has_said = False
        while not try_lock(file):
            if not has_said:
                print("Another set-up is at work here; waiting for it.", flush=True)
                has_said = True
            time.sleep(0.5)
        yield


def try_lock(file: TextIO) -> bool:
    """False where another process holds it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EAGAIN, errno.EACCES, errno.EDEADLK):
            raise
        return False
    return True


def write(path: Path, text: str) -> None:
    """Write a small file whole or not at all."""
    part = path.with_name(path.name + ".part")
    with part.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
