"""Every check and every test, as `python run.py test` runs them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from launcher.environment import ROOT_PATH, python_path, venv_path
from launcher.faults import SetupError

DEBIAN_PACKAGES: tuple[tuple[str, Callable[[], bool]], ...] = (
    ("chromium", lambda: any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome")))),
    ("nodejs", lambda: shutil.which("node") is not None),
    ("postgresql", lambda: shutil.which("postgres") is not None or Path("/usr/lib/postgresql").is_dir()),
)
"""What the tests need beside Python, and how to see that it is there."""


ALONE = ("tests/crash", "tests/desk", "tests/e2e")
"""What measures moments, fills the machine by itself, or drives a browser."""
PYTESTS = (
    ("a file on each core", ["-n", str(os.cpu_count() or 1), "--dist", "loadfile", *(f"--ignore={folder}" for folder in ALONE)]),
    ("one after another", list(ALONE)),
)
"""Every test, in two goes: name and options."""


def run_tests(arguments: list[str]) -> int:
    """Every check, then every test. With arguments: pytest alone, with them. Returns the exit code."""
    python = str(python_path(venv_path()))
    environ = {**os.environ, "PYTHONPATH": str(ROOT_PATH)}
    if arguments:
        return subprocess.call([python, "-m", "pytest", *arguments], cwd=ROOT_PATH, env=environ)
    ensure_test_programs()
    failed = [name for name, command in checks(python) if not passes(name, command, environ)]
    if failed:
        print(f"\nFailed before the tests: {', '.join(failed)}", flush=True)
    codes = []
    for name, options in PYTESTS:
        print(f"\n== pytest, {name}", flush=True)
        codes.append(subprocess.call([python, "-m", "pytest", *options], cwd=ROOT_PATH, env=environ))
    return next((code for code in codes if code), 1 if failed else 0)


def checks(python: str) -> list[tuple[str, list[str]]]:
    """What is run before pytest: name and command."""
    found = [
        ("ruff", [python, "-m", "ruff", "check", "."]),
        ("mypy", [python, "-m", "mypy"]),
        ("import contracts", [python, "-c", "from importlinter.cli import lint_imports_command as run; run()"]),
    ]
    scripts = [str(path) for top in ("ui", "tests") for path in sorted((ROOT_PATH / top).rglob("*.test.*js"))]
    return [*found, ("node", [shutil.which("node") or "node", "--test", *scripts])] if scripts else found


def passes(name: str, command: list[str], environ: dict[str, str]) -> bool:
    """Run one check, its output on the terminal."""
    print(f"\n== {name}", flush=True)
    try:
        return subprocess.call(command, cwd=ROOT_PATH, env=environ) == 0
    except FileNotFoundError:
        print(f"{command[0]} is not installed.", flush=True)
        return False


def ensure_test_programs() -> None:
    """Install Chromium, Node and PostgreSQL where this is Debian and we may; else say what is missing.

    Raises: SetupError where Debian's own installer fails.
    """
    missing = [name for name, is_there in DEBIAN_PACKAGES if not is_there()]
    if not missing:
        return
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        print(
            f"The tests also need {', '.join(missing)}. On Debian and Ubuntu: apt install {' '.join(missing)}", file=sys.stderr, flush=True
        )
        return
    print(f"Installing from Debian: {', '.join(missing)}", flush=True)
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing]):
        result = subprocess.run(command, check=False, env=environ, capture_output=True, text=True, errors="replace")
        if result.returncode != 0:
            last = (result.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise SetupError(f"{' '.join(command)} failed: {last}", 3)
