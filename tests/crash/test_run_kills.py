"""kill -9 of the worker at every boundary of every stage, on fakes: the end is that of an unbroken run."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import select

from core.model.runs import RunStatus
from core.pipeline.engine import EngineClient, engine_address
from core.pipeline.run_control import RunControl
from core.store.media_rows import stored_media_ids
from core.store.tables import clips, mappings, proposals, run_words, words
from tests.conftest import REPO_PATH
from tests.loopback.crashing_worker import SECRET, WORDS
from tests.loopback.discovery_world import WAYS, World
from tests.loopback.invariants import check_all
from tests.loopback.toy_work import wait_for

WHEN = ("before", "inside", "after")
"""Before the stage; in its middle, with some of its writes committed; after its last commit and before the engine's."""


def launch(home: Path) -> str:
    """A planned run of all the words."""
    world = World(home)
    run_id = world.launch(*WORDS, want=2)
    world.close()
    return run_id


@dataclass(frozen=True)
class End:
    """How a run ended, without what differs from run to run."""

    words: dict[str, tuple[str, str, str]]
    mapped: set[tuple[str, str, float | None, str]]
    fetched: set[str]
    n_proposals: int
    n_files: int


def end_of(home: Path) -> End:
    world = World(home)
    with world.database.read() as connection:
        rows = connection.execute(select(words.c.text, run_words).join(words, words.c.word_id == run_words.c.word_id)).all()
        pairs = mappings.join(clips, clips.c.clip_id == mappings.c.clip_id).join(words, words.c.word_id == mappings.c.word_id)
        found = connection.execute(select(clips.c.slug, words.c.text, mappings.c.relevance, mappings.c.state).select_from(pairs)).all()
        fetched = set(connection.execute(select(clips.c.slug).where(clips.c.media_id.is_not(None))).scalars())
        n_proposals = len(connection.execute(select(proposals)).all())
        n_files = len(stored_media_ids(connection))
    check_all(world.database, world.files, secrets=[SECRET])
    world.close()
    return End({row.text: (row.state, row.stage, row.reason) for row in rows}, set(map(tuple, found)), fetched, n_proposals, n_files)


def work_through(home: Path, kills: list[str]) -> End:
    """The run with one worker after another, each killed at its `stage:when`; then one that is left alone."""
    run_id = launch(home)
    world = World(home)
    control = RunControl(world.database, EngineClient(engine_address(home)))
    processes: list[subprocess.Popen[bytes]] = []

    def start(at: str) -> subprocess.Popen[bytes]:
        with (home / "worker.log").open("ab") as log:
            environ = {**os.environ, "TEST_KILL_AT": at, "CLIPCAFE": SECRET}
            command = [sys.executable, "-m", "tests.loopback.crashing_worker", str(home)]
            processes.append(subprocess.Popen(command, cwd=REPO_PATH, env=environ, stdout=log, stderr=log, start_new_session=True))
        return processes[-1]

    try:
        control.start(run_id)
        for at in kills:
            assert start(at).wait(timeout=120) == -9, f"{at}: {(home / 'worker.log').read_text(errors='replace')}"
            assert world.discovery.run(run_id).status is RunStatus.RUNNING
        start("")
        wait_for(
            lambda: world.discovery.run(run_id).ended_at is not None, timeout_s=120, what=(home / "worker.log").read_text(errors="replace")
        )
        assert world.discovery.run(run_id).status is RunStatus.SUCCEEDED
    finally:
        for process in processes:
            process.kill()
            process.wait()
        world.close()
    return end_of(home)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> End:
    end = work_through(tmp_path_factory.mktemp("unbroken") / "home", [])
    assert {word: state for word, (state, _, _) in end.words.items()} == {
        "refer": "done", "matter": "done", "committee": "done", "harbour": "done", "zebra": "none_found", "broken": "failed",
    }  # fmt: skip
    assert end.words["broken"][2] == "broken-0 is cut off."
    return end


@pytest.mark.crash
@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("when", WHEN)
def test_kills_at_every_stage_change_nothing(unbroken: End, tmp_path: Path, when: str) -> None:
    """No word passes a stage before the worker is killed in it, so that every kill finds one."""
    end = work_through(tmp_path / "home", [f"{stage}:{when}" for stage in WAYS])
    assert {word: (state, reason) for word, (state, _, reason) in end.words.items()} == {
        word: (state, reason) for word, (state, _, reason) in unbroken.words.items()
    }
    alone = ("harbour", "zebra", "broken")  # which clip came first may differ where words share some
    assert {pair for pair in end.mapped if pair[1] in alone} == {pair for pair in unbroken.mapped if pair[1] in alone}
    for word in WORDS:
        n_whole, n_broken = (len([pair for pair in one.mapped if pair[1] == word]) for one in (unbroken, end))
        assert n_broken >= min(n_whole, 2) or word == "committee"
    assert all(state == "in_review" for *_, state in end.mapped)
