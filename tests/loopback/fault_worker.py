"""A worker over `QuickApp` in a process of its own: `python -m tests.loopback.fault_worker`, settings in the environment.

TEST_KILL_AT ends it by kill -9 at a moment that is hard to hit from outside, the n-th time that it comes: `moment:n`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.store.database import Database
from tests.conftest import REPO_PATH

MOMENTS = ("answered:search", "answered:download", "answered:judge", "moved", "between:shortlist", "between:score", "adopted")
"""Answered and not committed; a file moved and no row; between the stages of a word; a row written and the download not forgotten."""


def start(name: str, log_path: Path, *, kill_at: str = "", is_fast: bool = False) -> subprocess.Popen[bytes]:
    """Such a worker, on the workspace of this process's environment."""
    environ = {**os.environ, "TEST_NAME": name, "TEST_KILL_AT": kill_at, "TEST_FAST_LEASE": "1" if is_fast else ""}
    with log_path.open("ab") as log:
        command = [sys.executable, "-m", "tests.loopback.fault_worker"]
        return subprocess.Popen(command, cwd=REPO_PATH, env=environ, stdout=log, stderr=log, start_new_session=True)


def main() -> None:
    from core.pipeline import janitor
    from core.pipeline.worker import Workload, run_worker
    from tests.loopback.fault_world import hurry, quick_work
    from ui.cli.logs import set_up_logs

    set_up_logs()
    hurry(pytest.MonkeyPatch())
    if os.environ.get("TEST_FAST_LEASE"):
        janitor.LEASE_S, janitor.BEAT_S, janitor.ROUND_S, janitor.QUIET_S = 2.0, 0.3, 0.3, 0.6
    if kill_at := os.environ.get("TEST_KILL_AT", ""):
        moment, _, place = kill_at.rpartition(":")
        die_at(moment, int(place))

    def make(database: Database, worker_id: str) -> Any:
        return quick_work(database, worker_id)[1]

    run_worker(Workload(Path(os.environ["WORDREEL_HOME"]), "", make), name=os.environ.get("TEST_NAME", ""))


def die_at(moment: str, place: int) -> None:
    """Lay the trap."""
    from core.pipeline import ledger as ledgers
    from core.pipeline import steps
    from core.pipeline.work import Work
    from core.store.media_files import MediaFiles

    left = [place]

    def die() -> None:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def before(owner: Any, name: str, is_it: Callable[..., bool]) -> None:
        whole = getattr(owner, name)

        def trapped(*given: Any, **named: Any) -> Any:
            if is_it(*given, **named):
                die()
            return whole(*given, **named)

        setattr(owner, name, trapped)

    kind, _, which = moment.partition(":")
    if kind == "answered":
        operations: dict[int, str] = {}
        intend = ledgers.Ledger._intend

        def noted(self: Any, connection: Any, call: Any, run_id: str, attempt: int) -> int:
            entry_id = intend(self, connection, call, run_id, attempt)
            operations[entry_id] = call.operation
            return entry_id

        ledgers.Ledger._intend = noted  # type: ignore[method-assign]
        before(ledgers.Ledger, "_record", lambda _, entry_id, **outcome: operations[entry_id] == which and outcome["state"] == "done")
    elif kind == "moved":
        put = MediaFiles.put

        def moved(self: MediaFiles, path: Path) -> str:
            media_id = put(self, path)
            die()
            return media_id

        MediaFiles.put = moved  # type: ignore[method-assign]
    elif kind == "adopted":
        from core.adapters.source_clipcafe import ClipCafeSource

        before(ClipCafeSource, "forget", lambda *_: True)
    else:
        stage_after = Work.stage_after

        def after(self: Work, name: str) -> Any:
            if name == which:
                die()
            return stage_after(self, name)

        Work.stage_after = after  # type: ignore[method-assign]
    assert steps


if __name__ == "__main__":
    main()
