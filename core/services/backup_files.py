"""The files of a backup: copying them, checking them, and refusing what is no safe backup."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import sqlite3
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from core.errors import DatabaseCorrupt, DiskFull, InvalidInput, StoreError
from core.store.part_files import part_name
from core.timing import as_utc, now

MANIFEST = "manifest.json"
FORMAT = 1
ALLOWED = re.compile(r"manifest\.json|app\.db|practice\.db|media/[0-9a-f]{2}/[0-9a-f]{64}\.mp4")
"""All that a backup may hold: no other path is ever written, so none can lead out of the workspace."""
COUNTED = ("decisions", "mappings", "clips", "transcripts", "corrections", "words", "export_items", "media")
MAX_MANIFEST_BYTES = 256 * 1024 * 1024
CHUNK_BYTES = 1024 * 1024
FULL_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says that it holds."""

    schema: str
    made_at: datetime
    is_daily: bool
    has_media: bool
    counts: Mapping[str, int]
    files: Mapping[str, tuple[str, int]]
    """name → (SHA-256, bytes)."""

    def as_json(self) -> dict[str, object]:
        return {
            "format": FORMAT,
            "schema": self.schema,
            "made_at": self.made_at.isoformat(),
            "is_daily": self.is_daily,
            "has_media": self.has_media,
            "counts": dict(self.counts),
            "files": {name: {"sha256": digest, "bytes": size} for name, (digest, size) in self.files.items()},
        }


def read_manifest(folder: Path) -> Manifest:
    """Raises: InvalidInput for what is no manifest, or names a file that no backup holds."""
    try:
        found = _told(_manifest_json(folder / MANIFEST))
    except KeyError as error:
        raise _unreadable(folder, f"its {MANIFEST} lacks {error}") from error
    except (TypeError, AttributeError, OverflowError) as error:
        raise _unreadable(folder, f"its {MANIFEST} holds a value that none has ({error})") from error
    except (OSError, ValueError) as error:
        raise _unreadable(folder, str(error)) from error
    for name in found.files:
        refuse_name(name)
    return found


def _manifest_json(path: Path) -> Any:
    """Raises: OSError, ValueError."""
    _refuse_link(path)
    if not path.is_file():
        raise ValueError(f"it has no {MANIFEST}")
    if path.stat().st_size > MAX_MANIFEST_BYTES:
        raise ValueError(f"its {MANIFEST} is too large")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"its {MANIFEST} is not JSON ({error})") from error


def _told(manifest: Any) -> Manifest:
    """Raises: KeyError, ValueError, TypeError, AttributeError, OverflowError."""
    if manifest["format"] != FORMAT:
        raise ValueError(f"its format is {str(manifest['format'])[:40]!r}")
    return Manifest(
        str(manifest["schema"]),
        as_utc(datetime.fromisoformat(manifest["made_at"])),
        bool(manifest["is_daily"]),
        bool(manifest["has_media"]),
        {str(name): int(count) for name, count in manifest["counts"].items()},
        {str(name): (str(file["sha256"]), int(file["bytes"])) for name, file in manifest["files"].items()},
    )


def _unreadable(folder: Path, why: str) -> InvalidInput:
    return InvalidInput(f"{folder} is no backup that can be read: {why}.", hint="Name the folder that `backup` printed.")


def refuse_name(name: str) -> None:
    """Raises: InvalidInput for any path but those of a backup (so none with `..`, none absolute)."""
    if not ALLOWED.fullmatch(name):
        raise InvalidInput(
            f"The backup names {name[:200]!r}, which no backup holds. Nothing was written.", hint="Use a backup that you made."
        )


def check_file(path: Path) -> tuple[str, int]:
    """(SHA-256, bytes) of a plain file. Raises: InvalidInput for a link or something missing."""
    _refuse_link(path)
    if not path.is_file():
        raise InvalidInput(f"The backup lacks {path.name}.", hint="Use another backup.")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return digest, file.tell()


def check_database(path: Path) -> tuple[dict[str, int], set[str]]:
    """(table → rows, ids of the stored media) of a copied database that nobody uses. Raises: DatabaseCorrupt."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
            fault = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
            if fault != "ok":
                raise DatabaseCorrupt(f"The database {path} is damaged: {fault}.", hint="Use another backup.")
            counts = {table: int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]) for table in COUNTED}  # noqa: S608
            ids = {str(row[0]) for row in connection.execute("SELECT media_id FROM media WHERE is_stored")}
    except sqlite3.DatabaseError as error:
        raise DatabaseCorrupt(f"The database {path} cannot be read: {error}.", hint="Use another backup.") from error
    return counts, ids


def copy_database(path: Path, into: Path) -> None:
    """A copy of one moment of a database that is in use, by SQLite's backup API. Raises: StoreError, DiskFull."""
    try:
        with (
            closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=30)) as source,
            closing(sqlite3.connect(into)) as copy,
        ):
            source.backup(copy, pages=4096)
            copy.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as error:
        if "full" in str(error):
            raise DiskFull(f"No room left for a copy of {path.name}.", hint="Free some disk; nothing half-made was left.") from error
        raise StoreError(
            f"{path} could not be copied: {error}.", hint="See that the workspace and the folder can be read and written."
        ) from error
    _sync(into)


def copy_stream(source: IO[bytes], into: Path) -> tuple[str, int]:
    """Copy bytes to a new file and return their (SHA-256, count)."""
    into.parent.mkdir(parents=True, exist_ok=True)
    digest, n_bytes = hashlib.sha256(), 0
    with into.open("xb") as target:
        while block := source.read(CHUNK_BYTES):
            digest.update(block)
            target.write(block)
            n_bytes += len(block)
        target.flush()
        os.fsync(target.fileno())
    return digest.hexdigest(), n_bytes


def in_use_by(database_path: Path) -> str:
    """Who uses this database, in words, or nothing. A worker counts while its lease runs."""
    if not database_path.exists():
        return ""
    try:
        with closing(sqlite3.connect(f"{database_path.absolute().as_uri()}?mode=rw", uri=True, timeout=0.2)) as connection:
            rows = connection.execute("SELECT host, pid, lease_until FROM workers WHERE stopped_at IS NULL").fetchall()
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        return "another program is writing to its database" if "locked" in str(error) else ""
    except sqlite3.DatabaseError:
        return ""  # damaged: that is what a restore is for
    alive = [(host, pid) for host, pid, lease in rows if as_utc(datetime.fromisoformat(lease)) > now() and _may_live(host, pid)]
    return f"worker process {alive[0][1]} on {alive[0][0]} is alive" if alive else ""


def _may_live(host: str, pid: int) -> bool:
    """Whether a worker can still be there: one of another machine by its lease, one of ours by its process."""
    import socket

    if host != socket.gethostname():
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's errors into ours. Raises: DiskFull, StoreError."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL_DISK:
            raise DiskFull(
                f"No room left in {path}.", hint="Free some disk; nothing was changed and nothing half-made was left."
            ) from error
        raise StoreError(f"{error.filename or path}: {error.strerror or error}.", hint="See that it can be read and written.") from error


@contextmanager
def unpacked(path: Path, home_path: Path) -> Iterator[Path]:
    """The backup's folder; an archive is checked by its names, sizes and kinds, then unpacked into a temporary one."""
    if path.is_dir():
        for entry in path.rglob("*"):
            _refuse_link(entry)
        yield path
        return
    if not path.is_file():
        raise InvalidInput(f"{path} is not there.", hint="Name the folder that `backup` printed.")
    home_path.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{part_name()}-", dir=home_path) as folder:
        _unpack(path, Path(folder))
        yield Path(folder)


def _unpack(path: Path, into: Path) -> None:
    members = _zip_members if zipfile.is_zipfile(path) else _tar_members if tarfile.is_tarfile(path) else None
    if members is None:
        raise InvalidInput(f"{path.name} is neither a folder nor a zip or tar archive.", hint="Name the folder that `backup` printed.")
    with members(path) as listed:
        for name, size, _ in listed:
            refuse_name(name)
            if name == MANIFEST and size > MAX_MANIFEST_BYTES:
                raise InvalidInput(f"The manifest of {path.name} is too large.", hint="Use another backup.")
        by_name = {name: read for name, _, read in listed}
        if MANIFEST not in by_name or len(by_name) != len(listed):
            raise InvalidInput(f"{path.name} has no manifest, or a name twice.", hint="Use another backup.")
        _write_capped(by_name[MANIFEST], into / MANIFEST, MAX_MANIFEST_BYTES)
        manifest = read_manifest(into)
        _refuse_without_room(sum(size for _, size in manifest.files.values()), into)
        for name, (_, size) in manifest.files.items():
            if name not in by_name:
                raise InvalidInput(f"{path.name} lacks {name}.", hint="Use another backup.")
            _write_capped(by_name[name], into / name, size)


Listed = list[tuple[str, int, Callable[[], IO[bytes]]]]


@contextmanager
def _zip_members(path: Path) -> Iterator[Listed]:
    with zipfile.ZipFile(path) as archive:
        listed: Listed = []
        for info in archive.infolist():
            if info.is_dir():
                continue
            if (info.external_attr >> 16) & 0o170000 not in (0, 0o100000):
                raise InvalidInput(f"The backup holds a link: {info.filename[:200]!r}. Nothing was written.", hint="Use another backup.")
            listed.append((info.filename, info.file_size, lambda info=info: archive.open(info)))  # type: ignore[misc]
        yield listed


@contextmanager
def _tar_members(path: Path) -> Iterator[Listed]:
    with tarfile.open(path) as archive:
        listed: Listed = []
        for member in archive:
            if member.isdir():
                continue
            if not member.isreg():
                raise InvalidInput(f"The backup holds a link or a device: {member.name[:200]!r}.", hint="Use another backup.")
            listed.append((member.name.removeprefix("./"), member.size, lambda member=member: archive.extractfile(member)))  # type: ignore[misc, arg-type]
        yield listed


def _write_capped(read: Callable[[], IO[bytes]], into: Path, limit_bytes: int) -> None:
    into.parent.mkdir(parents=True, exist_ok=True)
    left = limit_bytes
    with read() as source, into.open("xb") as target:
        while block := source.read(CHUNK_BYTES):
            left -= len(block)
            if left < 0:
                raise InvalidInput(f"{into.name} in the archive is larger than its manifest says.", hint="Use another backup.")
            target.write(block)


def _refuse_without_room(n_bytes: int, folder: Path) -> None:
    if shutil.disk_usage(folder).free < 2 * n_bytes:
        raise DiskFull(f"The backup needs {2 * n_bytes:,} bytes in {folder.parent}.", hint="Free some disk; nothing was changed.")


def _refuse_link(path: Path) -> None:
    if path.is_symlink():
        raise InvalidInput(f"The backup holds a link: {path.name[:200]!r}. Nothing was written.", hint="Use a backup that you made.")


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
