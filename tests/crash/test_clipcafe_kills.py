"""Kill -9 while ClipCafe is asked: what was answered and kept is never asked again, and every doubt is a row."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import select

from core.pipeline.janitor import give_up
from core.store.database import Database
from core.store.tables import ledger
from tests.integration.clipcafe_world import WORDS, corpus
from tests.loopback.clipcafe import KEY, LoopbackClipCafe
from tests.loopback.invariants import check_integrity, check_ledger, check_no_secret

REPO_PATH = Path(__file__).resolve().parents[2]


@pytest.mark.crash
@pytest.mark.timeout(300)
def test_five_kills_repeat_no_finished_call(tmp_path: Path) -> None:
    chance = random.Random(11)
    with LoopbackClipCafe(corpus(), limit=None, latency_s=0.08) as server:
        Database(tmp_path / "home").close()
        for turn in range(6):
            command = [sys.executable, "-m", "tests.loopback.clipcafe_worker", str(tmp_path), server.url, f"w{turn}", *WORDS]
            worker = subprocess.Popen(command, cwd=REPO_PATH, stdout=subprocess.PIPE, text=True)
            if turn == 5:
                assert worker.communicate(timeout=90)[0].split() == list(WORDS)
                break
            n_before = server.n_arrived()
            end_s = time.monotonic() + 90
            while server.n_arrived() < n_before + 1 + turn % 3 and time.monotonic() < end_s and worker.poll() is None:
                time.sleep(0.005)
            time.sleep(chance.random() * 0.15)
            worker.send_signal(signal.SIGKILL)
            worker.communicate(timeout=20)
            opened = Database(tmp_path / "home")
            with opened.write() as connection:
                give_up(connection, f"w{turn}")
            opened.close()
        database = Database(tmp_path / "home")
        with database.read() as connection:
            rows = connection.execute(select(ledger.c.operation, ledger.c.state)).all()
        states = Counter((row.operation, row.state) for row in rows)
        check_ledger(database, server.answered, provider="clipcafe")
        n_doubt = sum(count for (_, state), count in states.items() if state == "in_doubt")
        assert 1 <= n_doubt <= 5
        asked_again = sum(count - 1 for (operation, _), count in server.answered_calls.items() if operation != "link")
        assert asked_again <= n_doubt
        assert states["search", "done"] == len(WORDS)
        check_integrity(database)
        database.close()
        check_no_secret(tmp_path / "home", [KEY])
