"""What every fault gets: its own world on a quick disk, everything that was logged, and the six things that must hold at its end."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from core.pipeline.engine import EngineClient, engine_address
from core.pipeline.run_control import RunControl
from tests.loopback.fault_worker import start
from tests.loopback.fault_world import FaultWorld, fault_world

MEMORY = Path("/dev/shm")
Make = Callable[..., FaultWorld]
Logged = pytest.LogCaptureFixture
Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def quick_home(own_workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The workspace in memory where that can be: these tests write a lot, and nobody pulls the plug."""
    if not os.access(MEMORY, os.W_OK):
        yield own_workspace
        return
    folder = Path(tempfile.mkdtemp(prefix="wordreel-faults-", dir=MEMORY))
    monkeypatch.setenv("WORDREEL_HOME", str(folder / "workspace"))
    yield folder / "workspace"
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def make(quick_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """A world; its test checks it. See `fault_world` for what can be said of it."""
    with ExitStack() as stack:

        def made(**named: Any) -> FaultWorld:
            return stack.enter_context(fault_world(monkeypatch, **named))

        yield made


@pytest.fixture
def heard(caplog: Logged) -> Logged:
    """Everything that is logged, down to the last detail."""
    caplog.set_level("DEBUG")
    return caplog


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Start]:
    """Starts workers, and ends them with the test."""
    processes: list[subprocess.Popen[bytes]] = []

    def begun(name: str, **named: object) -> subprocess.Popen[bytes]:
        processes.append(start(name, tmp_path / "workers.log", **named))  # type: ignore[arg-type]
        return processes[-1]

    yield begun
    for process in processes:
        process.kill()
        process.wait()


def log_of(tmp_path: Path) -> str:
    path = tmp_path / "workers.log"
    return path.read_text(errors="replace") if path.exists() else ""


def control_of(world: FaultWorld) -> RunControl:
    return RunControl(world.database, EngineClient(engine_address(world.home)))
