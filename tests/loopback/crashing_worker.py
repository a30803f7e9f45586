"""A worker on fakes that ends itself where TEST_KILL_AT=stage:when says: `python -m tests.loopback.crashing_worker HOME`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from core.errors import UnreadableMedia
from core.pipeline.work import Work
from core.pipeline.worker import Workload, run_worker
from core.store.database import Database
from tests.loopback.discovery_world import World, hit

SECRET = "clipcafe-key-4711-never-keep"
WORDS = ["refer", "matter", "committee", "harbour", "zebra", "broken"]


def script(world: World) -> World:
    """Hits for the words: shared clips, a failing one, a word that nobody says."""
    both = [hit(f"both-{place}", f"Refer the matter number {place} to the committee.") for place in range(3)]
    world.source.hits = {
        "refer": both,
        "matter": [*both, hit("matter-0", "It does not matter.")],
        "committee": [both[0], hit("committee-0", "", script="the committee")],
        "harbour": [hit("harbour-0", "The harbour was quiet."), hit("harbour-1", "A quiet harbour at night.")],
        "broken": [hit("broken-0", "It is broken.")],
    }
    world.source.failing_slugs["broken-0"] = UnreadableMedia("broken-0 is cut off.")
    return world


def main() -> None:
    """A worker that ends itself at the boundary it is told."""
    home, (stage, _, when) = Path(sys.argv[1]), os.environ.get("TEST_KILL_AT", "").partition(":")

    def die() -> None:
        os.kill(os.getpid(), 9)

    def make(database: Database, worker_id: str) -> Work:
        world = script(World(home))
        world.bench.database = database
        world.files.sweep_halves()  # as every worker does when it starts
        if when == "inside":
            die_inside(world, stage, die)
        stages = []
        for one in world.stages:
            if one.name == stage and when in ("before", "after"):

                def run(run_id, word_id, inner=one.run):  # type: ignore[no-untyped-def]
                    if when == "before":
                        die()
                    inner(run_id, word_id)
                    die()

                one = replace(one, run=run)
            stages.append(one)
        return Work(stages)

    run_worker(Workload(home, "", make), name="crash")


def die_inside(world: World, stage: str, die: Callable[[], None]) -> None:
    """The process ends at the stage's first commit of a result, or between the two writes that the stage makes."""
    import core.store.runs as run_rows

    if stage == "fetch":  # the file is in the store, and no row names it
        put = world.bench.media_files.put
        world.bench.media_files.put = lambda path: (put(path), die())[0]
    elif stage == "probe":
        world.bench.media_tools.__class__.still = lambda *a, **k: die()
    elif stage == "transcribe":
        world.transcriber.__class__.transcribe = lambda *a, **k: die()
    elif stage in ("shortlist", "score"):
        judge, asked = world.judge.judge, []

        def judged(clip, words_asked):  # type: ignore[no-untyped-def]
            answer = judge(clip, words_asked)
            asked.append(bool(clip.words))
            if (stage == "score") is bool(clip.words):
                die()
            return answer

        world.judge.judge = judged  # type: ignore[method-assign]
    elif stage == "search":
        world.source.__class__.search = lambda *a, **k: die()
    else:  # known, merge, choose: one transaction; killed inside it
        for name in ("set_run_word", "set_run_clip"):
            setattr(run_rows, name, lambda *a, **k: die())


if __name__ == "__main__":
    main()
