"""Workers that are killed, at random and at the worst moments, or that come back from the dead: FAULTS.md 1 to 5."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import select

from core.config import load_config
from core.store.tables import ledger, run_words, words, workers
from core.wiring import App
from tests.conftest import REPO_PATH
from tests.faults.conftest import Logged, Make, Start, control_of, log_of
from tests.integration.test_janitor import stop_between_transactions
from tests.loopback.clipcafe_corpus import CorpusClip
from tests.loopback.commands import ask, live_workers, wait_until
from tests.loopback.fault_worker import MOMENTS
from tests.loopback.fault_world import FaultWorld, all_good, has_ended, line_clip, one_line_each
from tests.loopback.invariants import Counted, check_everything
from tests.loopback.paid_corpus import list_words
from tests.loopback.paid_world import SECRETS, PaidWorld, paid_world

pytestmark = [pytest.mark.crash, pytest.mark.slow]


def end_of(world: FaultWorld, run_id: str) -> SimpleNamespace:
    """How a run ended, without what differs from run to run."""
    with world.database.read() as connection:
        joined = run_words.join(words, words.c.word_id == run_words.c.word_id)
        rows = connection.execute(select(words.c.text, run_words.c.state, run_words.c.reason).select_from(joined)).all()
    return SimpleNamespace(words={row.text: (row.state, row.reason) for row in rows}, mapped=world.mapped())


def odd_corpus(texts: list[str]) -> list[CorpusClip]:
    """Every tenth word has no clip, every tenth one that is taken down, every tenth only one that does not say it; the others one."""
    corpus = one_line_each(texts)
    del_ = {text for place, text in enumerate(texts) if place % 10 == 3}
    silent = {text for place, text in enumerate(texts) if place % 10 == 5}
    kept = [clip for clip in corpus if clip.slug.rpartition("-")[0] not in del_ | silent]
    return kept + [
        line_clip(9000 + n, "Nothing.", slug=f"{text}-0", script=f"[looks at the {text}]") for n, text in enumerate(sorted(silent))
    ]


def taken_down(texts: list[str]) -> dict[tuple[str, str], list[object]]:
    from tests.loopback.clipcafe import Misbehaviour as Cafe

    return {("download", f"{text}-0"): [Cafe.GONE_410] * 99 for place, text in enumerate(texts) if place % 10 == 7}


# 1 -------------------------------------------------------------------------------------------------------------------


@pytest.mark.timeout(600)
def test_kills_at_random_moments_of_a_run_of_200_words_change_nothing(
    make: Make, heard: Logged, begin: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(20261120)
    texts = list_words(200)
    broken = make(words=texts, corpus=odd_corpus(texts), judge=all_good, is_worker=False)
    broken.clipcafe.wrong_for = taken_down(texts)  # type: ignore[assignment]
    run_id = broken.launch(want=1)
    control = control_of(broken)
    control.start(run_id)
    worker = begin("w0")
    total = 700
    for number, due in enumerate(sorted(chance.sample(range(20, total - 60), 6)), 1):
        broken.wait_until(lambda due=due: n_calls(broken) >= due or has_ended(broken, run_id), 200)
        time.sleep(chance.random() * 0.1)
        worker.kill()
        worker.wait()
        worker = begin(f"w{number}")
    broken.wait_until(lambda: has_ended(broken, run_id), 300)
    worker.terminate()
    worker.wait(15)
    end = end_of(broken, run_id)
    n_doubt = broken.n_in_doubt()
    broken.check(log_of(tmp_path) + heard.text)
    again = sum(n - 1 for (operation, _), n in broken.clipcafe.answered_calls.items() if operation != "link")
    assert again <= n_doubt
    monkeypatch.setenv("WORDREEL_HOME", str(broken.home.parent / "unbroken"))
    whole = make(words=texts, corpus=odd_corpus(texts), judge=all_good)
    whole.clipcafe.wrong_for = taken_down(texts)  # type: ignore[assignment]
    summary = whole.discover(want=1)
    unbroken = end_of(whole, summary.run_id)
    assert {state for state, _ in unbroken.words.values()} == {"done", "failed", "none_found"}
    assert end.words == unbroken.words
    assert end.mapped | whole.mapped() == end.mapped


def n_calls(world: FaultWorld) -> int:
    return sum(world.clipcafe.answered.values()) + len(world.openai.paid)


@pytest.mark.timeout(400)
def test_a_killed_command_and_a_killed_server_leave_the_run_to_whoever_comes_next(tmp_path: Path) -> None:
    """The program as people have it: each kill takes the web process or the command alone, and its worker notices."""
    with paid_world(tmp_path, n_words=8, clips_a_word=3, clipcafe_latency_s=0.2, judge_latency_s=0.4) as world:
        command = ("discover", "--words", ",".join(world.words), "--source", "clipcafe", "--want", "1")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        world.cli.json("vocab", "list")
        (world.cli.program / ".streamlit").mkdir()
        shutil.copy(REPO_PATH / ".streamlit" / "config.toml", world.cli.program / ".streamlit")
        for number, started in enumerate((command, ("serve", "--no-browser", "--no-demo", "--port", str(port)), command), 1):
            process = world.cli.start(*started)
            before = sum(world.counts())
            try:
                wait_until(
                    lambda before=before: sum(world.counts()) >= before + 3 or has_run_to_its_end(world),
                    f"start {number} does something",
                    within_s=120,
                )
            finally:
                process.kill()
                process.communicate(timeout=20)
            wait_until(lambda: not live_workers(world.home), "the worker of what was killed ends", within_s=60)
        assert world.status() in ("running", "succeeded")
        run_id = world.run_id()
        world.cli.json(*command)
        summary = world.cli.json("runs", "show", run_id)
        assert (summary["status"], summary["words"]["failed"]) == ("succeeded", 0)
        assert summary["repeated_calls"] <= summary["in_doubt"]
        world.check()
        check_paid(world)


def has_run_to_its_end(world: PaidWorld) -> bool:
    return bool(ask(world.home, "SELECT 1 FROM runs")) and world.status() not in ("planned", "running")


def check_paid(world: PaidWorld) -> None:
    """I1 to I6 of a workspace that processes of their own worked on."""
    config = load_config(world.cli._environ(), root_path=world.cli.program)
    app = App(config)
    try:
        judged = sum(seen.path == "/chat/completions" for seen in world.openai.paid)
        counted = [Counted("clipcafe", world.clipcafe.answered), Counted(world.openai.host[:40], {"judge": judged})]
        check_everything(app, counted, secrets=SECRETS)
    finally:
        app.close()


# 2 and 3 -------------------------------------------------------------------------------------------------------------


@pytest.mark.timeout(500)
def test_killed_at_the_worst_moments(make: Make, heard: Logged, begin: Start, tmp_path: Path) -> None:
    """Between an answer and its row, a file and its row, two stages: one worker after another dies, and the last ends their runs."""
    texts = list_words(4 * len(MOMENTS))
    world = make(words=texts, corpus=one_line_each(texts), judge=all_good, is_worker=False)
    control = control_of(world)
    run_ids = []
    for place, moment in enumerate(MOMENTS):
        run_ids.append(world.launch(*texts[4 * place : 4 * place + 4], want=1))
        control.start(run_ids[-1])
        worker = begin(moment.replace(":", "-"), kill_at=f"{moment}:2")
        world.wait_until(lambda worker=worker: worker.poll() is not None, 120)
        assert worker.returncode == -signal.SIGKILL, (moment, log_of(tmp_path)[-2000:])
    last = begin("last")
    world.wait_until(lambda: all(has_ended(world, run_id) for run_id in run_ids), 200)
    last.terminate()
    last.wait(15)
    assert [set(world.states(run_id).values()) for run_id in run_ids] == [{"done"}] * len(run_ids)
    doubts = {operation: n for (operation, state), n in world.entries().items() if state == "in_doubt"}
    assert {"search", "download", "judge"} <= set(doubts), "each kill between answer and commit is a doubt that is to be seen"
    for run_id in run_ids:
        summary, spent = world.app.discovery.summary(run_id), world.spending(run_id)
        assert summary.in_doubt == spent.in_doubt >= summary.repeated_calls
    assert sum(world.spending(run_id).in_doubt for run_id in run_ids) == sum(doubts.values())
    assert any(world.spending(run_id).is_at_least for run_id in run_ids), "a judgement in doubt may have cost something"
    assert world.clipcafe.answered["download"] <= len(texts) + doubts["download"], "what lay in the workspace was downloaded again"
    n_judged = sum(n for (operation, _), n in world.entries().items() if operation == "judge")
    assert len(world.openai.paid) <= n_judged
    world.check(log_of(tmp_path) + heard.text)


# 4 and 5 -------------------------------------------------------------------------------------------------------------


@pytest.mark.timeout(400)
def test_a_worker_that_was_asleep_past_its_lease_comes_back_and_changes_nothing(
    make: Make, heard: Logged, begin: Start, tmp_path: Path
) -> None:
    texts = list_words(12)
    world = make(words=texts, corpus=one_line_each(texts), judge=all_good, is_worker=False)
    world.openai.latency_s = 1.5  # nothing ends before the worker is put to sleep
    run_id = world.launch(want=1)
    control_of(world).start(run_id)
    zombie = begin("zombie", is_fast=True)
    world.wait_until(lambda: len(world.openai.paid) >= 3, 120)
    while not stop_between_transactions(zombie.pid, world.home):
        os.kill(zombie.pid, signal.SIGCONT)
        time.sleep(0.05)
    assert not has_ended(world, run_id)
    world.openai.latency_s = 0.1
    other = begin("other", is_fast=True)
    world.wait_until(lambda: has_ended(world, run_id), 150)
    final = (end_of(world, run_id), ledger_rows(world), n_calls(world))
    os.kill(zombie.pid, signal.SIGCONT)
    assert zombie.wait(20) == 75
    assert (end_of(world, run_id), ledger_rows(world), n_calls(world)) == final
    assert world.states(run_id) == dict.fromkeys(texts, "done")
    other.terminate()
    other.wait(15)
    with world.database.read() as connection:
        assert None not in connection.execute(select(workers.c.stopped_at).where(workers.c.worker_id.startswith("zombie"))).scalars().all()
    world.check(log_of(tmp_path) + heard.text)


def ledger_rows(world: FaultWorld) -> list[tuple[object, ...]]:
    with world.database.read() as connection:
        return [tuple(row) for row in connection.execute(select(ledger).order_by(ledger.c.entry_id))]
