"""A disk that is full: at the ledger, a result, a download, an export, a backup, a migration. FAULTS.md 6.

On a small file system of its own where the tests may mount one; else the file layer says what a full one says.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import event

from core.adapters.target_folder import FolderTarget
from core.config import load_config
from core.errors import DiskFull, WordreelError
from core.model.runs import StopCause
from core.pipeline.disk_watch import DiskWatch
from core.services.exports import Exports
from core.store.database import Database
from core.wiring import App
from tests.faults.conftest import Logged, Make, Start, control_of, log_of
from tests.loopback.fault_world import FaultWorld, all_good, has_ended, one_line_each
from tests.loopback.invariants import check_everything
from tests.loopback.paid_corpus import list_words

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "none", str(folder)], capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip("a small file system can be mounted by root only; the other tests stand in for it")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Take all the room that is left."""
    path = folder / "ballast"
    with path.open("ab", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
    return path


def lonely(make: Make, n_words: int, **named: object) -> FaultWorld:
    words = list_words(n_words)
    return make(words=words, corpus=one_line_each(words), judge=all_good, **named)


# A run ---------------------------------------------------------------------------------------------------------------


def test_no_room_for_a_download_spends_none_pauses_once_and_goes_on(make: Make, heard: Logged, monkeypatch: pytest.MonkeyPatch) -> None:
    world = lonely(make, 4)
    usage = shutil.disk_usage
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda path: usage(path)._replace(free=1000))
        summary = world.discover(want=1)
    status, cause, reason = world.stop_of(summary.run_id)
    assert (status, cause) == ("paused", StopCause.DISK)
    assert "free" in reason and str(world.home) in reason
    assert (world.clipcafe.answered["download"], world.clipcafe.answered["link"]) == (0, 0)
    assert sum("is paused" in record.message for record in heard.records) == 1
    world.check(heard.text)
    watch = DiskWatch(world.database, world.app.runs, [world.home])
    assert watch.look() == 1, "it goes on by itself"
    assert world.drive(summary.run_id).words["done"] == 4
    world.check(heard.text)


@pytest.mark.parametrize("where", ["download", "media"])
def test_a_disk_that_fills_in_mid_run_pauses_it_keeps_what_was_paid_and_it_goes_on(
    make: Make, heard: Logged, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """The first few fit. Then nothing can be written any more, at the first place that tries."""
    world = lonely(make, 6)
    n_left = [3]

    def room() -> None:
        n_left[0] -= 1
        if n_left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        if where == "download":
            fsync = os.fsync
            patch.setattr(os, "fsync", lambda number: (room(), fsync(number))[1])
        else:
            move = os.replace

            def full_move(*given: object, **named: object) -> None:
                if "/media/" in str(given[-1]):
                    room()
                move(*given, **named)  # type: ignore[arg-type]

            patch.setattr(os, "replace", full_move)
        summary = world.discover(want=1)
    status, cause, reason = world.stop_of(summary.run_id)
    assert (status, cause) == ("paused", StopCause.DISK), (status, cause, summary.failed)
    assert "room" in reason
    assert not summary.failed
    world.check(heard.text)
    assert DiskWatch(world.database, world.app.runs, [world.home]).look() == 1
    world.drive(summary.run_id)
    assert set(world.states(summary.run_id).values()) == {"done"}
    assert max(world.clipcafe.answered_calls.values()) <= 1 + world.n_in_doubt()
    world.check(heard.text)


def test_no_room_for_the_database_itself_fails_no_word_and_pays_nothing_twice(make: Make, heard: Logged) -> None:
    """Neither the ledger nor a result can be written, nor that the run is paused."""
    world = lonely(make, 8)
    world.openai.latency_s = 0.5
    most = [0]

    def limit(raw, *_):  # type: ignore[no-untyped-def]
        if most[0]:
            raw.execute(f"PRAGMA max_page_count = {most[0]}")

    event.listen(world.database.engine, "checkout", limit)
    run_id = world.launch(want=1)
    with world.meanwhile(run_id):
        world.wait_until(lambda: len(world.openai.paid) >= 2)
        most[0] = 1  # what it has is the least that it can be
        world.wait_until(lambda: "No room left for the database" in heard.text)
        time.sleep(1.0)
        most[0] = 1_000_000
    if world.stop_of(run_id)[0] == "paused":
        assert world.stop_of(run_id)[1] == StopCause.DISK
        assert DiskWatch(world.database, world.app.runs, [world.home]).look() == 1
        world.drive(run_id)
    assert world.states(run_id) == dict.fromkeys(world.words, "done")
    assert len(world.openai.paid) <= world.entries()["judge", "done"] + world.n_in_doubt()
    assert world.n_in_doubt() == 0, "an answer that was paid is kept by the worker until there is room"
    world.check(heard.text)


# A worker on a disk that is really full ------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.crash
def test_a_worker_whose_whole_disk_is_full_goes_on_by_itself_when_there_is_room(
    make: Make, heard: Logged, begin: Start, small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ledger, results, downloads and the engine's own database: no word fails for it, nothing is paid twice."""
    monkeypatch.setenv("WORDREEL_HOME", str(small_disk / "workspace"))
    words = list_words(12)
    world = make(words=words, corpus=one_line_each(words), judge=all_good, is_worker=False)
    world.openai.latency_s = 1.5
    run_id = world.launch(want=1)
    control_of(world).start(run_id)
    worker = begin("full")
    world.wait_until(lambda: len(world.openai.paid) >= 2, 100)
    ballast = fill(small_disk)
    try:
        world.wait_until(lambda: "room" in log_of(tmp_path) or "full" in log_of(tmp_path), 60)
        time.sleep(5)
        assert worker.poll() is None, log_of(tmp_path)[-3000:]
    finally:
        ballast.unlink()
    world.wait_until(lambda: has_ended(world, run_id), 120)
    assert worker.poll() is None, "the worker lives"
    worker.terminate()
    worker.wait(15)
    assert world.states(run_id) == dict.fromkeys(words, "done")
    again = sum(n - 1 for n in world.clipcafe.answered_calls.values())
    assert again <= world.n_in_doubt()
    world.check(log_of(tmp_path) + heard.text)


# Export, backup, migration -------------------------------------------------------------------------------------------


def test_a_backup_and_an_export_on_a_full_disk_say_so_and_leave_nothing_half_made(make: Make, heard: Logged, small_disk: Path) -> None:
    world = lonely(make, 3)
    world.discover(want=1)
    world.approve_one()
    (small_disk / "out").mkdir()
    ballast = fill(small_disk)
    with pytest.raises(DiskFull) as caught:
        world.app.backups.backup(small_disk / "backup")
    world.told.append(f"{caught.value.message} {caught.value.hint}")
    assert not (small_disk / "backup").exists() or not list((small_disk / "backup").rglob("*.db"))
    exports = Exports(
        world.database, world.app.media_files, None, lambda _: FolderTarget(small_disk / "out"), world.app.engine, pause=lambda _: None
    )
    batch_id = exports.create_batch("folder", actor="mina", confirmed=True)
    try:
        exports.send_batch(exports.batch(batch_id).summary.job_id)
    except WordreelError as error:
        world.told.append(f"{error.message} {error.hint}")
    told = repr(exports.batch(batch_id))
    assert "room" in told + repr(world.told) or "space" in told + repr(world.told).lower()
    assert [path for path in (small_disk / "out").rglob("*") if path.is_file()] == []
    ballast.unlink()
    if exports.batch(batch_id).summary.ended_at is None:
        exports.send_batch(exports.batch(batch_id).summary.job_id)
    else:
        exports.send_batch(exports.batch(exports.retry(batch_id)).summary.job_id)
    sent = list((small_disk / "out").rglob("*.mp4"))
    assert len(sent) == 1 and sent[0].stat().st_size > 0
    report = world.app.backups.backup(small_disk / "backup")
    assert report.path.exists()
    world.check(heard.text)


def test_a_migration_on_a_full_disk_leaves_the_old_database_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next start, with room, does it."""
    import core.store.database as databases

    home = tmp_path / "old"
    monkeypatch.setattr(databases, "HEAD", "0001")
    Database(home).close()
    monkeypatch.undo()
    before = (home / "app.db").read_bytes()
    n_pages = len(before) // 4096

    def limit(raw, *_):  # type: ignore[no-untyped-def]
        raw.execute(f"PRAGMA max_page_count = {n_pages}")

    from sqlalchemy.engine import Engine

    event.listen(Engine, "connect", limit)
    try:
        with pytest.raises(DiskFull, match="No room left for the database"):
            Database(home)
    finally:
        event.remove(Engine, "connect", limit)
    assert (home / "app.db").read_bytes() == before
    app = App(load_config({"WORDREEL_HOME": str(home)}, root_path=tmp_path))
    check_everything(app, [], secrets=[])
    app.close()
