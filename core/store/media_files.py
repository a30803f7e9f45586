"""Media files by content: a folder, or any storage that fsspec knows. Written under a temporary name, checked, then moved."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import shutil
import time
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from core.config import Config
from core.errors import DiskFull, InvalidInput, NotFound, StoreError
from core.store.part_files import PART, is_left_over, part_name

COPY_BYTES = 1024 * 1024
FULL_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
ENDING = ".mp4"
MEDIA_ID = re.compile(r"[0-9a-f]{64}")


def hash_file(path: Path) -> str:
    """SHA-256 of the file's bytes, in hex: its media_id. Raises: NotFound."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise NotFound(f"{path} is not there.", hint="Check that the disk is mounted and the path is right.") from error


def media_files(config: Config) -> MediaFiles:
    """The store that the settings name: `MEDIA_URL`, else the folder `media` of the workspace."""
    return MediaFiles(config.media_url or str(config.home_path / "media"), config.home_path / "cache" / "media")


class MediaFiles:
    """Clips as `ab/abcdef….mp4`, named by nothing but their content.

    Args:
        url: a folder, or an fsspec URL such as `s3://bucket/clips` (its package must be installed).
        cache_path: where copies of remote media go that a decoder needs as local files.
    """

    def __init__(self, url: str, cache_path: Path) -> None:
        import fsspec

        try:
            self._files, self._root = fsspec.core.url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise StoreError(
                f"MEDIA_URL cannot be used: {error}.", hint="Give a folder, or install the package that fsspec names."
            ) from error
        protocol = self._files.protocol
        self.is_local = "file" in ((protocol,) if isinstance(protocol, str) else protocol)
        self._cache_path = cache_path

    def put(self, path: Path) -> str:
        """Copy the file in and return its media_id. Media that is there already is left as it is.

        The copy is hashed while it is made, checked in size, and only then gets its name.

        Raises:
            NotFound: there is no such file.
            DiskFull: nothing half-written is left.
            StoreError: the storage lost bytes.
        """
        temporary = f"{self._root}/{part_name()}"
        try:
            self._files.makedirs(self._root, exist_ok=True)
            media_id, n_bytes = self._copy_in(path, temporary)
            final = self._key(media_id)
            if self._size_of(final) == n_bytes:
                return media_id
            self._check_and_move(temporary, final, n_bytes, path)
            return media_id
        except OSError as error:
            raise _translated(error, path, self._root) from error
        finally:
            with contextlib.suppress(FileNotFoundError):
                self._files.rm_file(temporary)

    def open(self, media_id: str) -> IO[bytes]:
        """The media, opened for reading; the caller closes it. Raises: NotFound, InvalidInput."""
        try:
            return cast("IO[bytes]", self._files.open(self._key(media_id), "rb"))
        except FileNotFoundError as error:
            raise _missing(media_id) from error

    def size(self, media_id: str) -> int:
        """In bytes. Raises: NotFound, InvalidInput."""
        n_bytes = self._size_of(self._key(media_id))
        if n_bytes is None:
            raise _missing(media_id)
        return n_bytes

    def exists(self, media_id: str) -> bool:
        """Raises: InvalidInput when that is no media_id."""
        return self._size_of(self._key(media_id)) is not None

    def local_path(self, media_id: str) -> Path:
        """A local file with these bytes, for a decoder: the media itself, or a checked copy in the cache. Never change it.

        Raises:
            NotFound, InvalidInput, DiskFull.
        """
        key = self._key(media_id)
        if self.is_local:
            if not self.exists(media_id):
                raise _missing(media_id)
            return Path(key)
        cached = self._cache_path / media_id[:2] / f"{media_id}{ENDING}"
        if not cached.exists():
            self._fetch_into_cache(media_id, cached)
        return cached

    def delete(self, media_id: str) -> None:
        """Remove the media and its cached copy; one that is gone is no error. Raises: InvalidInput."""
        with contextlib.suppress(FileNotFoundError):
            self._files.rm_file(self._key(media_id))
        (self._cache_path / media_id[:2] / f"{media_id}{ENDING}").unlink(missing_ok=True)

    def ids(self) -> Iterator[str]:
        """Every media_id that is there, in no order."""
        for key, _ in self._entries():
            stem = PurePosixPath(key).name.removesuffix(ENDING)
            if MEDIA_ID.fullmatch(stem):
                yield stem

    def sweep(self, known_ids: Collection[str], older_than_s: float = 3600.0) -> tuple[str, ...]:
        """Remove what a crash left: halves whose process has ended, and, once they are `older_than_s` old, other halves and media
        that no row knows.

        Returns the names that were removed. Files that are not ours are left alone.
        """
        removed: list[str] = []
        for key, info in list(self._entries()):
            name = PurePosixPath(key).name
            stem = name.removesuffix(ENDING)
            is_orphan = bool(MEDIA_ID.fullmatch(stem)) and name != stem and stem not in known_ids
            if is_left_over(name) or ((name.startswith(PART) or is_orphan) and _age_s(info) >= older_than_s):
                with contextlib.suppress(FileNotFoundError):
                    self._files.rm_file(key)
                    removed.append(name)
        return tuple(removed)

    def sweep_halves(self) -> int:
        """Remove what processes of this host were writing when they ended; how many. For the start of a worker."""
        n_removed = 0
        self._files.invalidate_cache()
        for key in self._files.ls(self._root, detail=False) if self._files.exists(self._root) else ():
            if is_left_over(PurePosixPath(key).name):
                with contextlib.suppress(FileNotFoundError):
                    self._files.rm_file(key)
                    n_removed += 1
        return n_removed

    def _key(self, media_id: str) -> str:
        if not MEDIA_ID.fullmatch(media_id):
            raise InvalidInput(f"{media_id[:80]!r} is no media id.", hint="A media id is 64 hexadecimal figures.")
        return f"{self._root}/{media_id[:2]}/{media_id}{ENDING}"

    def _size_of(self, key: str) -> int | None:
        try:
            return int(self._files.info(key)["size"])
        except FileNotFoundError:
            return None

    def _entries(self) -> Iterator[tuple[str, dict[str, Any]]]:
        self._files.invalidate_cache()
        with contextlib.suppress(FileNotFoundError):
            yield from self._files.find(self._root, detail=True).items()

    def _copy_in(self, path: Path, temporary: str) -> tuple[str, int]:
        digest, n_bytes = hashlib.sha256(), 0
        with path.open("rb") as source, self._files.open(temporary, "wb") as target:
            while block := source.read(COPY_BYTES):
                digest.update(block)
                target.write(block)
                n_bytes += len(block)
            if self.is_local:
                target.flush()
                os.fsync(target.fileno())
        return digest.hexdigest(), n_bytes

    def _check_and_move(self, temporary: str, final: str, n_bytes: int, path: Path) -> None:
        arrived = self._size_of(temporary)
        if arrived != n_bytes:
            raise StoreError(
                f"{path.name}: {arrived} of {n_bytes} bytes arrived in the media store.", hint="Check the storage and try again."
            )
        self._files.makedirs(str(PurePosixPath(final).parent), exist_ok=True)
        if self.is_local:
            Path(temporary).replace(final)
            _sync_folder(Path(final).parent)
        else:
            self._files.mv(temporary, final)

    def _fetch_into_cache(self, media_id: str, cached: Path) -> None:
        cached.parent.mkdir(parents=True, exist_ok=True)
        name = cached.with_name(part_name())
        try:
            with self.open(media_id) as source, name.open("xb") as target:
                shutil.copyfileobj(source, target, COPY_BYTES)
            if hash_file(name) != media_id:
                raise StoreError(
                    f"Media {media_id[:12]} came back with other bytes.", hint="Check the storage; the media is damaged there."
                )
            name.replace(cached)
        except OSError as error:
            raise _translated(error, cached, str(self._cache_path)) from error
        finally:
            name.unlink(missing_ok=True)


def _missing(media_id: str) -> NotFound:
    return NotFound(f"Media {media_id[:12]} is not in the media store.", hint="Retry the clip, which fetches it again.")


def _translated(error: OSError, path: Path, root: str) -> Exception:
    if error.errno in FULL_DISK:
        return DiskFull(f"No room for {path.name} in {root}.", hint="Free some room and try again; nothing half-written was left.")
    if isinstance(error, FileNotFoundError):
        return NotFound(f"{path} is not there.", hint="Check that the disk is mounted and the path is right.")
    return StoreError(
        f"{path.name} could not be stored in {root}: {error.strerror or error}.", hint="Check the folder and its permissions."
    )


def _sync_folder(folder: Path) -> None:
    """Make the new name itself survive a power cut, where a folder can be synchronised."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _age_s(info: dict[str, Any]) -> float:
    stamp = info.get("mtime") or info.get("LastModified") or info.get("created")
    if stamp is None:
        return 0.0
    return time.time() - (stamp.timestamp() if hasattr(stamp, "timestamp") else float(stamp))
