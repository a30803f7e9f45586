"""Media by content: exactly once, whole or not at all, on a folder and on a store that is not one."""

from __future__ import annotations

import hashlib
import os
import resource
import signal
import socket
import subprocess
import time
import uuid
from pathlib import Path

import pytest

from core.adapters.isolated import IsolatedPool
from core.config import Config
from core.errors import DiskFull, InvalidInput, NotFound, StoreError
from core.store.media_files import MediaFiles, hash_file, media_files

DATA = bytes(range(256)) * 5000
MEDIA_ID = hashlib.sha256(DATA).hexdigest()


@pytest.fixture(params=["folder", "memory"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> MediaFiles:
    url = str(tmp_path / "media") if request.param == "folder" else f"memory://{uuid.uuid4().hex}"
    return MediaFiles(url, tmp_path / "cache")


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "../x clip.mp4".replace("../", "")
    path.write_bytes(DATA)
    return path


def test_what_is_put_in_comes_out_and_is_named_by_its_content(files: MediaFiles, clip: Path):
    assert files.put(clip) == MEDIA_ID == hash_file(clip)
    assert files.exists(MEDIA_ID)
    assert files.size(MEDIA_ID) == len(DATA)
    with files.open(MEDIA_ID) as file:
        assert file.read() == DATA
    assert files.local_path(MEDIA_ID).read_bytes() == DATA
    assert list(files.ids()) == [MEDIA_ID]
    assert clip.read_bytes() == DATA


def test_the_same_again_is_the_same_once(files: MediaFiles, clip: Path):
    assert files.put(clip) == files.put(clip)
    assert list(files.ids()) == [MEDIA_ID]


def test_the_layout_is_two_letters_and_the_hash(tmp_path: Path, clip: Path):
    files = media_files(Config(home_path=tmp_path / "home"))
    files.put(clip)
    found = [path.relative_to(tmp_path / "home" / "media") for path in (tmp_path / "home" / "media").rglob("*") if path.is_file()]
    assert found == [Path(MEDIA_ID[:2]) / f"{MEDIA_ID}.mp4"]


def test_media_that_are_not_there(files: MediaFiles, tmp_path: Path):
    other = "0" * 64
    assert not files.exists(other)
    for call in (files.open, files.size, files.local_path):
        with pytest.raises(NotFound):
            call(other)
    with pytest.raises(NotFound):
        files.put(tmp_path / "gone.mp4")
    files.delete(other)
    assert list(files.ids()) == []


@pytest.mark.parametrize("bad", ["", "../../etc/passwd", "ab/cd", "A" * 64, "0" * 63, "0" * 65, "0" * 64 + "\n", "0" * 63 + "\x00"])
def test_only_a_media_id_leads_to_a_file(files: MediaFiles, bad: str):
    for call in (files.open, files.size, files.exists, files.local_path, files.delete):
        with pytest.raises(InvalidInput):
            call(bad)


def test_deleted_media_are_gone_from_the_cache_too(files: MediaFiles, clip: Path):
    files.put(clip)
    local = files.local_path(MEDIA_ID)
    files.delete(MEDIA_ID)
    assert not local.exists()
    assert not files.exists(MEDIA_ID)


def test_a_copy_in_the_cache_is_checked(tmp_path: Path, clip: Path):
    import fsspec

    name = uuid.uuid4().hex
    files = MediaFiles(f"memory://{name}", tmp_path / "cache")
    files.put(clip)
    fsspec.filesystem("memory").pipe(f"/{name}/{MEDIA_ID[:2]}/{MEDIA_ID}.mp4", b"other bytes")
    with pytest.raises(StoreError, match="other bytes"):
        files.local_path(MEDIA_ID)
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []


def test_the_sweep_takes_what_a_crash_left_and_nothing_else(tmp_path: Path, clip: Path):
    root = tmp_path / "media"
    files = MediaFiles(str(root), tmp_path / "cache")
    files.put(clip)
    orphan = tmp_path / "orphan.mp4"
    orphan.write_bytes(b"nobody knows me")
    orphan_id = files.put(orphan)
    (root / ".part-dead").write_bytes(b"half")
    (root / "notes.txt").write_bytes(b"somebody's own")
    assert files.sweep({MEDIA_ID}, older_than_s=3600) == ()
    hour_ago = time.time() - 3700
    for path in root.rglob("*"):
        os.utime(path, (hour_ago, hour_ago))
    (root / ".part-alive").write_bytes(b"being written")
    assert set(files.sweep({MEDIA_ID}, older_than_s=3600)) == {".part-dead", f"{orphan_id}.mp4"}
    assert list(files.ids()) == [MEDIA_ID]
    assert (root / ".part-alive").exists()
    assert (root / "notes.txt").exists()


def test_a_half_whose_process_has_ended_is_swept_at_once_and_no_other(tmp_path: Path, clip: Path):
    gone = subprocess.Popen(["true"])
    gone.wait()
    root = tmp_path / "media"
    files = MediaFiles(str(root), tmp_path / "cache")
    assert files.sweep_halves() == 0
    files.put(clip)
    host = socket.gethostname()
    left = root / f".part-{host}-{gone.pid}-abc"
    others = [root / f".part-{host}-{os.getpid()}-abc", root / f".part-elsewhere-{gone.pid}-abc", root / ".part-abc"]
    for path in (left, *others):
        path.write_bytes(b"half")
    assert files.sweep({MEDIA_ID}) == (left.name,)
    left.write_bytes(b"half")
    assert files.sweep_halves() == 1
    assert sorted(path for path in root.iterdir() if path.is_file()) == sorted(others)
    assert list(files.ids()) == [MEDIA_ID]


def test_half_a_file_under_a_final_name_is_replaced_by_the_whole(tmp_path: Path, clip: Path):
    files = MediaFiles(str(tmp_path / "media"), tmp_path / "cache")
    target = tmp_path / "media" / MEDIA_ID[:2] / f"{MEDIA_ID}.mp4"
    target.parent.mkdir(parents=True)
    target.write_bytes(DATA[:100])
    files.put(clip)
    assert target.read_bytes() == DATA


def _put_with_little_room(root: str, clip: Path) -> str:
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    return MediaFiles(root, Path(root) / "cache").put(clip)


def test_a_full_disk_is_named_and_leaves_nothing(tmp_path: Path, clip: Path):
    with IsolatedPool(1) as pool, pytest.raises(DiskFull, match="clip.mp4"):
        pool.run(_put_with_little_room, str(tmp_path / "media"), clip)
    assert [path for path in (tmp_path / "media").rglob("*") if path.is_file()] == []


def test_an_address_that_fsspec_does_not_know(tmp_path: Path):
    with pytest.raises(StoreError, match="MEDIA_URL"):
        MediaFiles("nosuch://bucket/x", tmp_path)
