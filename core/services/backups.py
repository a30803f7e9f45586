"""Backups: a copy of the truth that was read back, and bringing one back without losing the present."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from core.errors import Conflict, DatabaseCorrupt, DatabaseNewer, InvalidInput, Refused, StoreError
from core.services.backup_files import (
    MANIFEST,
    Manifest,
    check_database,
    check_file,
    copy_database,
    copy_stream,
    disk_errors,
    in_use_by,
    read_manifest,
    unpacked,
)
from core.store.database import HEAD, MARKER_NAME, Database
from core.store.media_files import MediaFiles
from core.store.part_files import PART, part_name
from core.timing import now

STAMP = "%Y%m%dT%H%M%SZ"
DAY = timedelta(hours=24)
KEPT_DAILY = 7
DATABASES = ("app.db", "practice.db")
SET_ASIDE = ("app.db", "app.db-wal", "app.db-shm", "app.db-journal", "engine.db", "engine.db-wal", "engine.db-shm", "engine.db-journal")
PRACTICE = ("practice.db", "practice.db-wal", "practice.db-shm", "practice.db-journal")


@dataclass(frozen=True, slots=True)
class BackupReport:
    """A backup, as its manifest tells it."""

    path: Path
    made_at: datetime
    n_files: int
    size_bytes: int
    counts: dict[str, int]
    """table → rows, read from the copy itself."""
    has_media: bool
    is_daily: bool
    is_verified: bool
    fault: str = ""
    """Why it cannot be read, as a restore of it would say; then nothing but its place and (by its name) its time is known."""

    def as_json(self) -> dict[str, object]:
        """The answer of `backup --json`."""
        return {
            "path": str(self.path),
            "made_at": self.made_at.isoformat(),
            "files": self.n_files,
            "bytes": self.size_bytes,
            "counts": dict(self.counts),
            "media": self.has_media,
            "verified": self.is_verified,
        }


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """What a restore did."""

    home_path: Path
    from_path: Path
    aside_path: Path | None
    """Where what was there before now lies; None when there was nothing."""
    counts: dict[str, int]

    def as_json(self) -> dict[str, object]:
        """The answer of `restore --json`."""
        aside = str(self.aside_path) if self.aside_path else None
        return {"workspace": str(self.home_path), "from": str(self.from_path), "aside": aside, "counts": dict(self.counts)}


class Backups:
    """Makes, lists and brings back backups of one workspace."""

    def __init__(self, database: Database, media_files: MediaFiles, home_path: Path) -> None:
        self._database = database
        self._media_files = media_files
        self._home_path = home_path

    def backup(self, into: Path | None = None, *, with_media: bool = True, is_daily: bool = False) -> BackupReport:
        """Copy the workspace while it is used, read the copy back, and mark it as verified.

        `into` is a folder that is made or empty; in one that holds other things, a new folder is made. Without it the
        copy lies under `backups` in the workspace. Nothing half-made is left.

        Raises: Refused on PostgreSQL; DiskFull; StoreError when the copy does not read back.
        """
        if not self._database.is_embedded:
            raise Refused(
                "The database is on a PostgreSQL server, which this command does not copy.",
                hint="Use `pg_dump --schema=wordreel` there, and copy the media storage.",
            )
        made_at = now()
        path = self._place(into, made_at)
        partial = path.parent / part_name()
        with disk_errors(path):
            try:
                partial.mkdir(parents=True)
                manifest = self._fill(partial, made_at, with_media=with_media, is_daily=is_daily)
                (partial / MANIFEST).write_text(json.dumps(manifest.as_json(), indent=1), encoding="utf-8")
                _verify(partial, manifest)
                if path.exists():
                    path.rmdir()
                partial.replace(path)
                _marker(path).write_text(made_at.isoformat(), encoding="utf-8")
            finally:
                shutil.rmtree(partial, ignore_errors=True)
        return _report(path, manifest)

    def ensure_daily(self) -> BackupReport | None:
        """A copy of the databases unless a verified one is younger than a day; the media stay where they are. Keeps seven.

        One that cannot be read is not among the seven, and is left for a person to look at.
        Returns None when nothing was to do, also on PostgreSQL. Raises: DiskFull, StoreError.
        """
        if not self._database.is_embedded:
            return None
        verified = [report for report in self.list() if report.is_verified]
        if verified and now() - verified[0].made_at < DAY:
            return None
        made = self.backup(with_media=False, is_daily=True)
        for old in [report for report in self.list() if report.is_daily][KEPT_DAILY:]:
            going = old.path.with_name(part_name())
            old.path.rename(going)  # whole or gone: one that is deleted halfway would be listed as damaged
            _marker(old.path).unlink(missing_ok=True)
            shutil.rmtree(going)
        return made

    def list(self) -> list[BackupReport]:
        """The backups in the workspace, newest first; one that cannot be read has a `fault`. What is no backup is left out."""
        found = [_listed(folder) for folder in (self._home_path / "backups").glob("*") if _is_backup(folder)]
        return sorted(found, key=lambda report: (report.made_at, report.path), reverse=True)

    @staticmethod
    def restore(path: Path, home_path: Path, *, overwrite: bool = False) -> RestoreReport:
        """Make a backup (a folder, or a zip or tar of one) the workspace. What was there is kept aside, never deleted.

        Everything is checked before anything is touched, and copied before anything is moved.

        Raises: InvalidInput for what is no safe backup; DatabaseCorrupt; DatabaseNewer; Conflict where a workspace is and
            `overwrite` was not asked; Refused while a worker or a server uses it; DiskFull, with the present intact.
        """
        with disk_errors(home_path), unpacked(path, home_path) as folder:
            manifest = read_manifest(folder)
            if manifest.schema > HEAD:
                raise DatabaseNewer(
                    f"The backup {path} was made by a newer Wordreel (schema {manifest.schema}, this program knows {HEAD}).",
                    hint="Restore it with the newer program. Nothing was changed.",
                )
            _verify(folder, manifest)
            _refuse_in_use(home_path)
            if (home_path / "app.db").exists() and not overwrite:
                raise Conflict(f"{home_path} holds a workspace already.", hint="--overwrite replaces it and keeps the present one aside.")
            aside_path = _swap(folder, manifest, home_path)
        return RestoreReport(home_path, path, aside_path, dict(manifest.counts))

    def _place(self, into: Path | None, made_at: datetime) -> Path:
        path = self._home_path / "backups" / made_at.strftime(STAMP) if into is None else into.expanduser().absolute()
        is_taken = path.exists() and (not path.is_dir() or any(path.iterdir()))
        if is_taken and into is not None and path.is_dir():
            return self._free(path / f"wordreel-{made_at.strftime(STAMP)}")
        return self._free(path) if is_taken else path

    @staticmethod
    def _free(path: Path) -> Path:
        numbered = [path, *(path.with_name(f"{path.name}-{n}") for n in range(2, 100))]
        return next(candidate for candidate in numbered if not candidate.exists())

    def _fill(self, folder: Path, made_at: datetime, *, with_media: bool, is_daily: bool) -> Manifest:
        files: dict[str, tuple[str, int]] = {}
        for name in DATABASES:
            if (self._home_path / name).exists():
                copy_database(self._home_path / name, folder / name)
                files[name] = check_file(folder / name)
        counts, media_ids = check_database(folder / "app.db")
        for media_id in sorted(media_ids) if with_media else ():
            if not self._media_files.exists(media_id):
                continue  # the database says why; a backup must not fail for a clip that is lost already
            name = f"media/{media_id[:2]}/{media_id}.mp4"
            with self._media_files.open(media_id) as source:
                files[name] = copy_stream(source, folder / name)
        return Manifest(HEAD, made_at, is_daily, with_media, counts, files)


def _verify(folder: Path, manifest: Manifest) -> None:
    """Read the copy back. Raises: StoreError, DatabaseCorrupt, InvalidInput."""
    for name, expected in manifest.files.items():
        path = folder / name
        found = check_file(path)
        if found != expected or (name.startswith("media/") and path.stem != expected[0]):
            raise StoreError(f"{name} of the backup {folder.name} does not have the bytes that were written.", hint="Use another backup.")
    if "app.db" not in manifest.files:
        raise InvalidInput(f"The backup {folder.name} holds no database.", hint="Use another backup.")
    counts, _ = check_database(folder / "app.db")
    if counts != manifest.counts:
        raise DatabaseCorrupt(f"The database of the backup {folder.name} does not hold what its manifest says.", hint="Use another backup.")


def _refuse_in_use(home_path: Path) -> None:
    user = in_use_by(home_path / "app.db")
    if user:
        raise Refused(f"The workspace {home_path} is in use: {user}.", hint="Stop `python run.py` and its workers, then restore.")


def _swap(folder: Path, manifest: Manifest, home_path: Path) -> Path | None:
    """Copy the backup beside the present workspace, then exchange the two; an error on the way puts everything back."""
    home_path.mkdir(parents=True, exist_ok=True)
    staged = home_path / part_name()
    aside = home_path / "replaced" / f"{now().strftime(STAMP)}-{uuid4().hex[:4]}"
    gone = [*SET_ASIDE, *(PRACTICE if "practice.db" in manifest.files else ()), *(("media",) if manifest.has_media else ())]
    done: list[tuple[Path, Path]] = []
    try:
        for name, expected in manifest.files.items():
            with (folder / name).open("rb") as source:
                if copy_stream(source, staged / name) != expected:
                    raise StoreError(f"{name} changed while it was restored.", hint="Nothing was changed. Try again.")
        moves = [(home_path / name, aside / name) for name in gone if (home_path / name).exists()]
        for before, after in [*moves, *((entry, home_path / entry.name) for entry in sorted(staged.iterdir()))]:
            after.parent.mkdir(parents=True, exist_ok=True)
            before.rename(after)
            done.append((before, after))
        (home_path / MARKER_NAME).touch()
    except BaseException:
        for before, after in reversed(done):
            after.rename(before)
        raise
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return aside if moves else None


def _marker(path: Path) -> Path:
    return path.with_name(f"{path.name}.verified")


def _is_backup(folder: Path) -> bool:
    """Whether a folder is a backup or was one: it has a manifest, was read back, or holds a database."""
    if folder.name.startswith(PART) or not folder.is_dir():
        return False
    return _marker(folder).exists() or any(os.path.lexists(folder / name) for name in (MANIFEST, *DATABASES))


def _listed(folder: Path) -> BackupReport:
    try:
        return _report(folder, read_manifest(folder))
    except InvalidInput as error:
        return BackupReport(folder, _made_at(folder), 0, 0, {}, has_media=False, is_daily=False, is_verified=False, fault=error.message)


def _made_at(folder: Path) -> datetime:
    """When a backup without a readable manifest was made: by its name, else by its folder's time."""
    try:
        return datetime.strptime(folder.name[: len("20000101T000000Z")], STAMP).replace(tzinfo=UTC)
    except ValueError:
        return datetime.fromtimestamp(folder.stat().st_mtime, UTC)


def _report(path: Path, manifest: Manifest) -> BackupReport:
    return BackupReport(
        path=path,
        made_at=manifest.made_at.astimezone(UTC),
        n_files=len(manifest.files),
        size_bytes=sum(size for _, size in manifest.files.values()),
        counts=dict(manifest.counts),
        has_media=manifest.has_media,
        is_daily=manifest.is_daily,
        is_verified=_marker(path).exists(),
    )
