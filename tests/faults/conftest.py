"""What every fault gets: its own world on a quick disk, everything that was logged, and the six things that must hold at its end."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.loopback.fault_world import FaultWorld, fault_world

MEMORY = Path("/dev/shm")
Make = Callable[..., FaultWorld]
Logged = pytest.LogCaptureFixture


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
