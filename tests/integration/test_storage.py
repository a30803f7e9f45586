"""Storage: what takes room, what can be freed, and what a start puts right after a crash."""

from __future__ import annotations

import os
import time

import pytest
from sqlalchemy import select

from core.errors import Refused
from core.model.reviews import DecisionKind
from core.services.storage import Storage, StorageKind
from core.store.clips import load_clip
from core.store.media_rows import stored_media_ids
from core.store.tables import clips, media
from tests.integration.export_world import World, distinct_mp4


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path / "home")
    yield made
    made.close()


@pytest.fixture
def storage(world):
    return Storage(world.database, world.files, world.path)


def media_of(world: World, clip_id: int) -> str:
    with world.database.read() as connection:
        return load_clip(connection, clip_id).media_id or ""


def uses(storage: Storage) -> dict[StorageKind, tuple[int, int]]:
    return {use.kind: (use.n_files, use.size_bytes) for use in storage.uses()}


def test_only_rejected_clips_that_never_left_are_freed(world, storage):
    rejected = world.clip("rejected", "we agree")
    world.decide(world.mapping(rejected, "agree"), DecisionKind.REJECT)
    half = world.clip("half", "agree to abandon")
    world.decide(world.mapping(half, "agree"), DecisionKind.REJECT)
    world.mapping(half, "abandon")
    exported, mapping_id = world.approved("exported", "they agree", "agree")
    world.exports.create_batch()
    world.decide(mapping_id, DecisionKind.REJECT)
    unjudged = world.clip("unjudged", "nobody looked")
    twin = world.clip("twin", "same bytes", data=distinct_mp4("rejected-too"))
    world.decide(world.mapping(twin, "agree"), DecisionKind.REJECT)
    world.approved("twin-kept", "same bytes too", "agree", data=distinct_mp4("rejected-too"))

    size = len(distinct_mp4("rejected"))
    assert uses(storage)[StorageKind.REJECTED] == (1, size)
    report = storage.free(StorageKind.REJECTED)
    assert (report.n_files, report.size_bytes) == (1, size)
    assert not world.files.exists(media_of(world, rejected))
    assert all(world.files.exists(media_of(world, clip_id)) for clip_id in (half, exported, unjudged, twin))
    assert uses(storage)[StorageKind.REJECTED] == (0, 0)
    world.exports.create_batch()
    assert all(m.relevance_score == 0 for v in world.fake.videos.values() for m in v.mappings.values() if v.item.slug == "exported")


def test_nothing_else_is_freed_and_young_temporary_files_stay(world, storage):
    with pytest.raises(Refused):
        storage.free(StorageKind.CLIPS)
    young, old = world.path / "cache" / "young", world.path / "cache" / "old"
    for folder in (young, old):
        folder.mkdir(parents=True)
        (folder / "part").write_bytes(b"12345")
    past = time.time() - 7200
    for path in (old / "part", old):
        os.utime(path, (past, past))
    assert uses(storage)[StorageKind.TEMPORARY] == (2, 10)
    report = storage.free(StorageKind.TEMPORARY)
    assert (report.n_files, report.size_bytes) == (1, 5)
    assert young.exists() and not old.exists()
    assert uses(storage)[StorageKind.DATABASE][1] > 0 and uses(storage)[StorageKind.PRACTICE][0] >= 1


def test_a_start_removes_old_orphans_names_what_is_missing_and_takes_back_what_returned(world, storage):
    kept = world.clip("kept", "we agree")
    lost = world.clip("lost", "they agree")
    orphan = world.path / "orphan.mp4"
    orphan.write_bytes(distinct_mp4("orphan"))
    orphan_id = world.files.put(orphan)
    assert storage.sweep().removed == ()
    past = time.time() - 7200
    os.utime(world.files.local_path(orphan_id), (past, past))
    os.utime(world.files.local_path(media_of(world, kept)), (past, past))
    lost_id = media_of(world, lost)
    failure = select(clips.c.failure_stage, clips.c.failure).where(clips.c.clip_id == lost)
    world.files.delete(lost_id)
    report = storage.sweep()
    assert report.removed == (f"{orphan_id}.mp4",) and report.missing == (lost_id,)
    assert world.files.exists(media_of(world, kept))
    with world.database.read() as connection:
        assert stored_media_ids(connection) == {media_of(world, kept)}
        assert connection.execute(failure).one() == ("fetch", "The file is gone. Fetch the clip again.")
    orphan.write_bytes(distinct_mp4("lost"))
    assert world.files.put(orphan) == lost_id
    assert storage.sweep().found_again == (lost_id,)
    with world.database.read() as connection:
        assert connection.execute(failure).one() == ("", "")


def test_a_media_disk_that_is_away_changes_no_row(world, storage):
    ids = [media_of(world, world.clip(f"clip-{n}", f"we agree {n}")) for n in range(12)]
    (world.path / "media").rename(world.path / "unmounted")
    assert set(storage.sweep().missing) == set(ids)
    with world.database.read() as connection:
        assert len(connection.execute(media.select().where(media.c.is_stored)).all()) == 12
