"""What is stored where, how much room it takes, and how to free some. The user's own films are never touched."""

from __future__ import annotations

import shutil
import time
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sqlalchemy import Connection, select

from core.errors import NotFound, Refused
from core.model.reviews import MappingState
from core.store.database import Database
from core.store.export_tables import export_items
from core.store.exports import live_media_ids
from core.store.media_files import MediaFiles
from core.store.part_files import PART, is_left_over
from core.store.tables import clips, live_mappings, mappings, media

OLD_S = 3600.0
"""A temporary file of this age belongs to nobody any more."""
MANY = 10
"""So many media, and more than half of all, do not vanish one by one: their disk is away, and no row is changed."""
LOST = "The file is gone. Fetch the clip again."


class StorageKind(StrEnum):
    """What takes room in the workspace."""

    CLIPS = "clips"
    REJECTED = "rejected"
    """Bytes of clips whose every mapping is rejected, and which no export ever sent. Not counted under `clips`."""
    TEMPORARY = "temporary"
    DATABASE = "database"
    PRACTICE = "practice"
    BACKUPS = "backups"
    REPLACED = "replaced"
    """What a restore kept aside."""
    MODELS = "models"


LABELS = {
    StorageKind.CLIPS: "Clips",
    StorageKind.REJECTED: "Rejected clips",
    StorageKind.TEMPORARY: "Temporary files",
    StorageKind.DATABASE: "Database",
    StorageKind.PRACTICE: "Practice backend",
    StorageKind.BACKUPS: "Backups",
    StorageKind.REPLACED: "Kept aside by a restore",
    StorageKind.MODELS: "Models",
}
FREEABLE = frozenset({StorageKind.REJECTED, StorageKind.TEMPORARY})


@dataclass(frozen=True, slots=True)
class StorageUse:
    """One kind of data and the room that it takes."""

    kind: StorageKind
    label: str
    where: str
    n_files: int
    size_bytes: int
    can_free: bool


@dataclass(frozen=True, slots=True)
class FreeReport:
    """What was freed."""

    kind: StorageKind
    n_files: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class SweepReport:
    """What a start found and put right after a crash."""

    removed: tuple[str, ...]
    """Files that no row knows, and temporary ones, all old enough to be nobody's."""
    missing: tuple[str, ...]
    """Media ids whose rows say that they are stored, and whose files are gone. Their clips say so now, unless so many are gone
    that their disk must be away: then nothing was changed."""
    found_again: tuple[str, ...]
    """Media ids whose rows said that nothing is stored, though the file is there: taken as stored."""


class Storage:
    """Reports and frees the room that a workspace takes."""

    def __init__(self, database: Database, media_files: MediaFiles, home_path: Path, *, models_path: Path | None = None) -> None:
        self._database = database
        self._media_files = media_files
        self._home_path = home_path
        self._models_path = models_path or home_path / "models"

    def uses(self) -> list[StorageUse]:
        """Every kind, in the order of StorageKind; counted from the rows for clips, from the disk for the rest."""
        home = self._home_path
        with self._database.read() as connection:
            sizes = {row.media_id: row.size_bytes for row in connection.execute(select(media).where(media.c.is_stored))}
            rejected = _rejected_ids(connection)
        kept = [size for media_id, size in sizes.items() if media_id not in rejected]
        gone = [sizes[media_id] for media_id in rejected if media_id in sizes]
        database = [home / f"{name}{ending}" for name in ("app.db", "engine.db") for ending in ("", "-wal", "-shm", "-journal")]
        practice = [home / f"practice.db{ending}" for ending in ("", "-wal", "-shm", "-journal")]
        found = {
            StorageKind.CLIPS: (str(home / "media"), len(kept), sum(kept)),
            StorageKind.REJECTED: (str(home / "media"), len(gone), sum(gone)),
            StorageKind.TEMPORARY: (str(home / "cache"), *_measured(self._temporary(0.0))),
            StorageKind.DATABASE: (str(home / "app.db"), *_measured(database)),
            StorageKind.PRACTICE: (str(home / "practice.db"), *_measured(practice)),
            StorageKind.BACKUPS: (str(home / "backups"), *_measured([home / "backups"])),
            StorageKind.REPLACED: (str(home / "replaced"), *_measured([home / "replaced"])),
            StorageKind.MODELS: (str(self._models_path), *_measured([self._models_path])),
        }
        return [StorageUse(kind, LABELS[kind], *found[kind], kind in FREEABLE) for kind in StorageKind]

    def free(self, kind: StorageKind) -> FreeReport:
        """Free what can be: `temporary` files, or the bytes of `rejected` clips (their rows and decisions stay).

        Raises: Refused for every other kind.
        """
        if kind is StorageKind.TEMPORARY:
            return _removed(kind, self._temporary(OLD_S))
        if kind is StorageKind.REJECTED:
            return self._free_rejected()
        raise Refused(f"{LABELS[kind]} are not freed here.", hint="Temporary files and rejected clips are.")

    def sweep(self) -> SweepReport:
        """Put right what a crash left between a file and its row. To be called at start, before anything is served."""
        with self._database.read() as connection:
            stored = {row.media_id: row.is_stored for row in connection.execute(select(media.c.media_id, media.c.is_stored))}
            stills = set(connection.execute(select(media.c.still_id).where(media.c.still_id.is_not(None))).scalars())
            of_clips = set(connection.execute(select(clips.c.media_id).where(clips.c.media_id.is_not(None))).scalars())
        present = set(self._media_files.ids())
        missing = tuple(sorted(media_id for media_id, is_stored in stored.items() if is_stored and media_id not in present))
        again = tuple(sorted(media_id for media_id in of_clips & present if not stored.get(media_id, True)))
        is_unmounted = len(missing) > MANY and 2 * len(missing) > sum(stored.values())
        with self._database.write() as connection:
            for media_id in () if is_unmounted else missing:
                _set_lost(connection, media_id, is_lost=True)
            for media_id in again:
                _set_lost(connection, media_id, is_lost=False)
        removed = self._media_files.sweep(set(stored) | stills)
        _removed(StorageKind.TEMPORARY, self._temporary(OLD_S))
        return SweepReport(removed, missing, again)

    def _free_rejected(self) -> FreeReport:
        n_files, n_bytes = 0, 0
        with self._database.write() as connection:
            for media_id in sorted(_rejected_ids(connection)):
                try:
                    n_bytes += self._media_files.size(media_id)
                    n_files += 1
                except NotFound:
                    pass  # gone already: the row is put right below
                connection.execute(media.update().where(media.c.media_id == media_id).values(is_stored=False))
                self._media_files.delete(media_id)
        return FreeReport(StorageKind.REJECTED, n_files, n_bytes)

    def _temporary(self, older_than_s: float) -> list[Path]:
        """Copies and half-made files that are made again when they are needed. Media and databases are never among them."""
        limit = time.time() - older_than_s
        cached = [path for path in (self._home_path / "cache").glob("*") if _changed_at(path) <= limit]
        halves = [path for folder in ("", "backups") for path in (self._home_path / folder).glob(f"{PART}*")]
        parts = [path for path in halves if _changed_at(path) <= limit or is_left_over(path.name)]
        return cached + parts


def _rejected_ids(connection: Connection) -> set[str]:
    """Stored media all of whose clips have only rejected mappings, and which no export ever took or is to take."""
    stored = set(connection.execute(select(media.c.media_id).where(media.c.is_stored)).scalars())
    open_clip = select(mappings.c.clip_id).where(mappings.c.state != MappingState.REJECTED)
    judged = select(mappings.c.clip_id)
    exported = select(export_items.c.clip_id)
    live = select(live_mappings.c.clip_id)
    rejected = select(clips.c.media_id).where(
        clips.c.clip_id.in_(judged), clips.c.clip_id.not_in(open_clip), clips.c.clip_id.not_in(exported), clips.c.clip_id.not_in(live)
    )
    wanted = set(connection.execute(rejected).scalars()) & stored
    kept = select(clips.c.media_id).where(
        clips.c.clip_id.in_(open_clip) | clips.c.clip_id.not_in(judged) | clips.c.clip_id.in_(exported) | clips.c.clip_id.in_(live)
    )
    return wanted - set(connection.execute(kept).scalars()) - live_media_ids(connection)


def _set_lost(connection: Connection, media_id: str, *, is_lost: bool) -> None:
    """Write on a media row and on its clips that the bytes are gone, or that they are back."""
    connection.execute(media.update().where(media.c.media_id == media_id).values(is_stored=not is_lost))
    before, after = (("", ""), ("fetch", LOST)) if is_lost else (("fetch", LOST), ("", ""))
    same = (clips.c.media_id == media_id, clips.c.failure_stage == before[0], clips.c.failure == before[1])
    connection.execute(clips.update().where(*same).values(failure_stage=after[0], failure=after[1]))


def _measured(paths: Collection[Path]) -> tuple[int, int]:
    """(files, bytes), folders with all that is in them; links are not followed."""
    n_files, n_bytes = 0, 0
    for path in paths:
        for entry in [path, *path.rglob("*")] if path.is_dir() and not path.is_symlink() else [path]:
            try:
                status = entry.lstat()
            except FileNotFoundError:
                continue
            if not entry.is_dir():
                n_files, n_bytes = n_files + 1, n_bytes + status.st_size
    return n_files, n_bytes


def _removed(kind: StorageKind, paths: Collection[Path]) -> FreeReport:
    n_files, n_bytes = _measured(paths)
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return FreeReport(kind, n_files, n_bytes)


def _changed_at(path: Path) -> float:
    """When the newest file in it changed; a folder in use is as young as what was written last."""
    try:
        inside = [entry.lstat().st_mtime for entry in path.rglob("*")] if path.is_dir() and not path.is_symlink() else []
        return max([path.lstat().st_mtime, *inside])
    except FileNotFoundError:
        return 0.0
