"""A run that was paused for want of room goes on by itself."""

from __future__ import annotations

import itertools
import shutil
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from core.errors import DiskFull
from core.pipeline import disk_watch
from core.pipeline.disk_watch import AMPLE_BYTES, GAINED_BYTES, LEAST_BYTES, LONGEST_S, DiskWatch
from tests.loopback.discovery_world import World, hit

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "home")
    yield made
    made.close()


def test_it_waits_for_room_and_goes_on_once_there_is_some(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    free = {"bytes": 1_000_000}
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(0, 0, free["bytes"]))
    monkeypatch.setattr(disk_watch, "TRY_S", 0.0)
    world.source.hits = {"refer": [hit("refer-0", "I refer to it.")]}
    world.source.failing_slugs["refer-0"] = DiskFull("No room.")
    run_id = world.launch("refer", want=1)
    assert world.drive(run_id).status == "paused"
    watch = DiskWatch(world.database, world.control, [world.home_path])
    assert [watch.look(), watch.look()] == [0, 0]
    free["bytes"] += GAINED_BYTES
    world.source.failing_slugs.clear()
    assert watch.look() == 1
    assert (world.drive(run_id).status, watch.look()) == ("succeeded", 0)


def test_room_that_was_made_before_anybody_looked_is_found_by_trying(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Less than ample, and no more than when it was first seen: tried at doubling intervals, never on a full disk."""
    free, clock = {"bytes": LEAST_BYTES - 1}, {"s": 1000.0}
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(0, 0, free["bytes"]))
    monkeypatch.setattr(disk_watch, "time", SimpleNamespace(monotonic=lambda: clock["s"]))
    world.source.hits = {"refer": [hit("refer-0", "I refer to it.")]}
    world.source.failing_slugs["refer-0"] = DiskFull("No room.")
    run_id = world.launch("refer", want=1)
    assert world.drive(run_id).status == "paused"
    watch = DiskWatch(world.database, world.control, [world.home_path])
    for _ in range(3):
        assert watch.look() == 0
        clock["s"] += LONGEST_S
    free["bytes"] = LEAST_BYTES
    tries = []
    for _ in range(800):
        clock["s"] += 1.0
        if watch.look():
            tries.append(clock["s"])
            assert world.drive(run_id).status == "paused"
    waits = [after - before for before, after in itertools.pairwise(tries)]
    assert waits == pytest.approx([120.0, 240.0], abs=1.5)
    world.source.failing_slugs.clear()
    clock["s"] += LONGEST_S
    assert watch.look() == 1
    assert world.drive(run_id).status == "succeeded"


def test_a_run_that_a_person_paused_stays_paused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(0, 0, 2 * AMPLE_BYTES))
    world.source.hits = {"refer": [hit("refer-0", "I refer to it.")]}
    run_id = world.launch("refer", want=1)
    world.discovery.pause(run_id)
    assert DiskWatch(world.database, world.control, [world.home_path]).look() == 0
    assert world.discovery.run(run_id).status == "paused"


def test_a_run_that_is_cancelled_while_room_is_looked_for_stays_cancelled(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.source.hits = {"refer": [hit("refer-0", "I refer to it.")]}
    world.source.failing_slugs["refer-0"] = DiskFull("No room.")
    run_id = world.launch("refer", want=1)
    assert world.drive(run_id).status == "paused"

    def cancelled_meanwhile(_path: object) -> Usage:
        world.control.cancel(run_id)
        return Usage(0, 0, 2 * AMPLE_BYTES)

    monkeypatch.setattr(shutil, "disk_usage", cancelled_meanwhile)
    assert DiskWatch(world.database, world.control, [world.home_path]).look() == 0
    assert world.discovery.run(run_id).status == "cancelled"
