"""Backups: made while the workspace is used, read back, and restored without losing the present."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import sqlite3
import tarfile
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest

from core.errors import Conflict, DatabaseCorrupt, DatabaseNewer, DatabaseUnavailable, DiskFull, InvalidInput, Refused, StoreError
from core.services import backup_files, backups
from core.services.backups import Backups
from core.store.database import Database
from core.store.part_files import part_name
from core.store.tables import decisions, workers
from core.timing import now
from tests.integration.export_world import World


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path / "home")
    yield made
    made.close()


@pytest.fixture
def service(world):
    return Backups(world.database, world.files, world.path)


def n_decisions(home_path: Path) -> int:
    database = Database(home_path)
    try:
        with database.read() as connection:
            return len(connection.execute(decisions.select()).all())
    finally:
        database.close()


def tree(path: Path) -> dict[str, bytes]:
    return {str(entry.relative_to(path)): entry.read_bytes() for entry in path.rglob("*") if entry.is_file()}


def test_a_backup_is_read_back_marked_and_named_by_a_damaged_database(world, service):
    world.approved("clip", "we agree", "agree")
    report = service.backup()
    assert report.is_verified and report.counts["decisions"] == 1 and report.path.parent == world.path / "backups"
    assert {"app.db", "practice.db", "manifest.json"} <= {entry.name for entry in report.path.iterdir()}
    assert [entry.suffix for entry in report.path.rglob("*.mp4")] == [".mp4"]
    assert [found.path for found in service.list()] == [report.path]
    json.dumps(report.as_json())
    world.close()
    world.database.path.write_bytes(b"SQLite format 3\0" + os.urandom(8192))
    with pytest.raises((DatabaseCorrupt, DatabaseUnavailable)) as refused:
        Database(world.path)
    assert str(report.path) in refused.value.hint


def test_it_comes_back_with_every_decision_and_the_present_is_kept_aside(world, service, tmp_path):
    world.approved("first", "we agree", "agree")
    report = service.backup(tmp_path / "safe")
    assert report.path == tmp_path / "safe"
    world.approved("second", "they agree", "agree")
    world.close()
    with pytest.raises(Conflict, match="holds a workspace"):
        Backups.restore(report.path, world.path)
    assert n_decisions(world.path) == 2
    done = Backups.restore(report.path, world.path, overwrite=True)
    assert n_decisions(world.path) == 1
    assert sorted(path.name for path in (world.path / "media").rglob("*.mp4")) == sorted(path.name for path in report.path.rglob("*.mp4"))
    with sqlite3.connect(done.aside_path / "app.db") as kept:
        assert kept.execute("SELECT count(*) FROM decisions").fetchone()[0] == 2
    kept.close()
    assert len(list((done.aside_path / "media").rglob("*.mp4"))) == 2
    again = Backups.restore(report.path, tmp_path / "elsewhere")
    assert again.aside_path is None and n_decisions(tmp_path / "elsewhere") == 1


def test_a_folder_that_holds_other_things_is_left_as_it_is(service, tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "letter.txt").write_text("mine")
    report = service.backup(tmp_path / "disk")
    assert report.path.parent == tmp_path / "disk" and (tmp_path / "disk" / "letter.txt").read_text() == "mine"


def test_once_a_day_and_seven_are_kept(world, service, monkeypatch):
    world.approved("clip", "we agree", "agree")
    start = now()
    made = []
    for day in range(10):
        monkeypatch.setattr(backups, "now", lambda day=day: start + timedelta(days=day, minutes=day))
        made.append(service.ensure_daily())
        assert service.ensure_daily() is None
    assert all(report and not report.has_media for report in made)
    assert [report.path for report in service.list()] == [report.path for report in reversed(made[3:])]
    assert len(list((world.path / "backups").glob("*.verified"))) == 7


def test_a_full_disk_leaves_nothing_half_made(world, service, monkeypatch):
    world.approved("clip", "we agree", "agree")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(backups, "copy_stream", full)
    with pytest.raises(DiskFull):
        service.backup()
    assert list((world.path / "backups").iterdir()) == []


def test_a_full_disk_while_restoring_leaves_the_present_intact(world, service, tmp_path, monkeypatch):
    world.approved("clip", "we agree", "agree")
    report = service.backup(tmp_path / "safe")
    world.close()
    before = tree(world.path)
    copied = []

    def full(source, into):
        copied.append(into)
        if len(copied) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return backup_files.copy_stream(source, into)

    monkeypatch.setattr(backups, "copy_stream", full)
    with pytest.raises(DiskFull):
        Backups.restore(report.path, world.path, overwrite=True)
    assert tree(world.path) == before


def test_an_error_in_the_exchange_puts_the_present_back(world, service, tmp_path, monkeypatch):
    world.approved("clip", "we agree", "agree")
    report = service.backup(tmp_path / "safe")
    world.close()
    before = tree(world.path)
    rename, calls = Path.rename, []

    def failing(self, target):
        calls.append(target)
        if len(calls) == 4:
            raise OSError(errno.EIO, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(StoreError):
        Backups.restore(report.path, world.path, overwrite=True)
    assert tree(world.path) == before


def test_a_damaged_copy_is_refused_before_anything_is_touched(world, service, tmp_path):
    world.approved("clip", "we agree", "agree")
    report = service.backup(tmp_path / "safe")
    world.close()
    media = next(report.path.rglob("*.mp4"))
    media.write_bytes(media.read_bytes()[:-1] + b"x")
    before = tree(world.path)
    with pytest.raises(StoreError, match="bytes that were written"):
        Backups.restore(report.path, world.path, overwrite=True)
    media.unlink()
    with pytest.raises(InvalidInput, match="lacks"):
        Backups.restore(report.path, world.path, overwrite=True)
    assert tree(world.path) == before


def test_links_and_paths_that_lead_out_are_refused(world, service, tmp_path):
    world.approved("clip", "we agree", "agree")
    report = service.backup(tmp_path / "safe")
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    manifest = json.loads((report.path / "manifest.json").read_text())
    for name in ("../secret", "/etc/passwd", "media/../../secret", "app.db\0", "media\\x.mp4", "run.py"):
        bad = {**manifest, "files": {**manifest["files"], name: {"sha256": "0" * 64, "bytes": 6}}}
        (report.path / "manifest.json").write_text(json.dumps(bad))
        with pytest.raises(InvalidInput, match="which no backup holds"):
            Backups.restore(report.path, tmp_path / "new")
    (report.path / "manifest.json").write_text(json.dumps(manifest))
    (report.path / "practice.db").unlink()
    (report.path / "practice.db").symlink_to(secret)
    with pytest.raises(InvalidInput, match="link"):
        Backups.restore(report.path, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_archives_are_checked_by_name_kind_and_size(world, service, tmp_path):
    world.approved("clip", "we agree", "agree")
    report = service.backup(tmp_path / "safe")
    good = Path(shutil.make_archive(str(tmp_path / "good"), "gztar", report.path))
    assert Backups.restore(good, tmp_path / "from-tar").counts["decisions"] == 1
    assert n_decisions(tmp_path / "from-tar") == 1
    good_zip = Path(shutil.make_archive(str(tmp_path / "good"), "zip", report.path))
    assert Backups.restore(good_zip, tmp_path / "from-zip").counts["decisions"] == 1

    def spoilt(name: str, **changes) -> Path:
        path = tmp_path / "bad.tar"
        with tarfile.open(path, "w") as archive:
            archive.add(report.path / "manifest.json", "manifest.json")
            info = tarfile.TarInfo(name)
            info.size = changes.pop("size", 3)
            for key, value in changes.items():
                setattr(info, key, value)
            archive.addfile(info, io.BytesIO(b"x" * info.size) if info.isreg() else None)
        return path

    for bad in (
        spoilt("../../evil"),
        spoilt("/evil"),
        spoilt("app.db", type=tarfile.SYMTYPE, linkname="/etc/passwd", size=0),
        spoilt("app.db", type=tarfile.LNKTYPE, linkname="manifest.json", size=0),
        spoilt("app.db", type=tarfile.FIFOTYPE, size=0),
    ):
        with pytest.raises(InvalidInput):
            Backups.restore(bad, tmp_path / "new")
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(report.path / "manifest.json", "manifest.json")
        archive.writestr("practice.db", (report.path / "practice.db").read_bytes())
        for name in json.loads((report.path / "manifest.json").read_text())["files"]:
            if name != "practice.db":
                archive.writestr(name, b"\0" * 50_000_000)
    with pytest.raises(InvalidInput, match="larger than its manifest"):
        Backups.restore(bomb, tmp_path / "new")
    assert not list((tmp_path / "new").glob("**/*"))
    assert not (tmp_path / "evil").exists()


def test_a_newer_backup_and_what_is_none_are_refused(world, service, tmp_path):
    report = service.backup(tmp_path / "safe")
    manifest = json.loads((report.path / "manifest.json").read_text())
    (report.path / "manifest.json").write_text(json.dumps({**manifest, "schema": "9999"}))
    with pytest.raises(DatabaseNewer):
        Backups.restore(report.path, tmp_path / "new")
    for nothing in (tmp_path, tmp_path / "absent", report.path / "app.db"):
        with pytest.raises(InvalidInput):
            Backups.restore(nothing, tmp_path / "new")


def test_a_workspace_with_a_live_worker_is_not_replaced(world, service, tmp_path):
    world.approved("clip", "we agree", "agree")
    report = service.backup(tmp_path / "safe")
    import socket

    row = {"host": socket.gethostname(), "pid": os.getpid(), "pid_started": "", "queues": [], "started_at": now(), "beat_at": now()}
    with world.database.write() as connection:
        connection.execute(workers.insert().values(worker_id="w", lease_until=now() + timedelta(seconds=60), **row))
    with pytest.raises(Refused, match=f"worker process {os.getpid()}"):
        Backups.restore(report.path, world.path, overwrite=True)
    with world.database.write() as connection:
        connection.execute(workers.update().values(lease_until=now() - timedelta(seconds=1)))
        with pytest.raises(Refused, match="in use"):
            Backups.restore(report.path, world.path, overwrite=True)
    world.close()
    assert Backups.restore(report.path, world.path, overwrite=True).aside_path


def test_a_server_of_postgresql_is_not_copied(world, service):
    world.database.is_embedded = False
    with pytest.raises(Refused) as refused:
        service.backup()
    assert "pg_dump" in refused.value.hint and service.ensure_daily() is None


def spoil(path: Path, text: str = "{") -> None:
    (path / "manifest.json").write_text(text)


def test_a_backup_that_cannot_be_read_is_listed_with_its_reason_and_restoring_it_gives_the_same(world, service, tmp_path):
    world.approved("clip", "we agree", "agree")
    sound = service.backup()
    made_at = sound.made_at - timedelta(days=2)
    bad = Path(shutil.copytree(sound.path, sound.path.with_name(made_at.strftime("%Y%m%dT%H%M%SZ"))))
    bad.with_name(f"{bad.name}.verified").touch()
    spoil(bad)
    listed = service.list()
    assert [report.path for report in listed] == [sound.path, bad]
    assert (listed[0].fault, listed[0].is_verified) == ("", True)
    assert "not JSON" in listed[1].fault and not listed[1].is_verified
    assert listed[1].made_at == made_at.replace(microsecond=0), "the name tells when it was made"
    with pytest.raises(InvalidInput) as refused:
        Backups.restore(bad, tmp_path / "new")
    assert refused.value.message == listed[1].fault
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "told",
    [
        "",
        "{",
        "[]",
        '"a"',
        "[" * 200_000,
        "\ud800",
        '{"format": 2}',
        '{"format": 1, "files": {}}',
        '{"format": 1, "files": {"app.db": 1}}',
        "1e999",
    ],
)
def test_no_damage_of_a_manifest_hides_it_or_breaks_the_list(world, service, told):
    sound = service.backup(with_media=False)
    (sound.path / "manifest.json").write_bytes(told.encode("utf-8", "surrogatepass"))
    (found,) = service.list()
    assert found.path == sound.path and str(sound.path) in found.fault


@pytest.mark.parametrize(
    ("key", "value"), [("made_at", "0001-01-01T00:00:00+14:00"), ("counts", {"words": float("inf")}), ("schema", None)]
)
def test_a_manifest_with_a_value_that_cannot_be_is_damaged(world, service, key, value):
    sound = service.backup(with_media=False)
    told = json.loads((sound.path / "manifest.json").read_text())
    if value is None:
        del told[key]
    else:
        told[key] = value
    spoil(sound.path, json.dumps(told))
    (found,) = service.list()
    assert found.fault and not found.is_verified


def test_a_backup_without_its_manifest_is_damaged_and_what_is_no_backup_is_not_listed(world, service):
    report = service.backup(with_media=False)
    (report.path / "manifest.json").unlink()
    folder = world.path / "backups"
    (folder / "letters").mkdir()
    (folder / "letters" / "mine.txt").write_text("mine")
    (folder / "note.txt").write_text("mine")
    half = folder / part_name()
    half.mkdir()
    (half / "app.db").touch()
    (found,) = service.list()
    assert found.path == report.path and "manifest.json" in found.fault


def test_a_damaged_backup_is_neither_counted_nor_deleted_by_the_daily_one(world, service, monkeypatch):
    world.approved("clip", "we agree", "agree")
    start = now()
    at = [start]
    monkeypatch.setattr(backups, "now", lambda: at[0])
    first = service.ensure_daily()
    assert first and service.ensure_daily() is None
    spoil(first.path)
    again = service.ensure_daily()
    assert again, "a backup that cannot be read is none of today's"
    for day in range(1, 9):
        at[0] = start + timedelta(days=day, minutes=day)
        assert service.ensure_daily()
    listed = service.list()
    assert [report.path for report in listed if report.fault] == [first.path]
    assert len([report for report in listed if not report.fault]) == 7
    assert first.path.with_name(f"{first.path.name}.verified").exists()


def test_a_daily_backup_that_goes_is_never_seen_half_deleted(world, service, monkeypatch):
    start, at = now(), [now()]
    monkeypatch.setattr(backups, "now", lambda: at[0])
    for day in range(7):
        at[0] = start + timedelta(days=day, minutes=day)
        service.ensure_daily()
    monkeypatch.setattr(shutil, "rmtree", lambda path, **_: None)
    at[0] = start + timedelta(days=8)
    service.ensure_daily()
    assert [report.fault for report in service.list()] == [""] * 7
