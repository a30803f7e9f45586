"""Export target: a folder with one MP4 and one JSON a clip, for a system that reads files. Not a backend: nobody learns from it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from core.adapters.payload_stream import CHUNK_BYTES, check_files
from core.errors import ExportError, MediaError, NotFound, StoreError
from core.model.exports import ItemResult, ItemStatus, VideoItem
from core.rules.payload import HEAD_END, export_name, item_head, item_problems, source_id_problems


class FolderTarget:
    """Writes into `path`, which it makes. A clip's JSON is a request's item without its bytes, plus `file`, `video_id`, `source_id`.

    The same name again overwrites bytes and texts; mappings that are not sent again stay, as at a backend.
    """

    name = "folder"
    is_production = False

    def __init__(self, path: Path) -> None:
        self._path = path
        self.url = path.absolute().as_uri()

    def send(self, source_id: str, items: Sequence[VideoItem]) -> tuple[ItemResult, ...]:
        """See `core.ports.ExportTarget.send`. Every file is whole under a temporary name before the first gets its own."""
        problems = [*source_id_problems(source_id), *(problem for item in items for problem in item_problems(item))]
        if problems or not items:
            raise ExportError(f"The folder takes no such clip: {problems[0] if problems else 'there is none.'}", provider=self.name)
        prepared: list[tuple[Path, Path]] = []
        try:
            check_files(items)
            self._path.mkdir(parents=True, exist_ok=True)
            results = tuple(self._prepare(source_id, item, prepared) for item in items)
            for temporary, final in prepared:
                temporary.replace(final)
        except MediaError as error:
            raise ExportError(f"Nothing was sent: {error}", provider=self.name) from error
        except StoreError as error:
            raise ExportError(error.message, hint=error.hint, provider=self.name, is_about_items=False) from error
        except OSError as error:
            message = f"The folder {self._path} cannot be written: {error.strerror}."
            raise ExportError(
                message, hint="Free some disk, or choose another folder.", provider=self.name, is_about_items=False
            ) from error
        finally:
            for temporary, _ in prepared:
                temporary.unlink(missing_ok=True)
        return results

    def read_back(self, video_id: int) -> Iterator[bytes]:
        """See `core.ports.ExportTarget.read_back`."""
        for clip in self._clips():
            if clip["video_id"] == video_id:
                with (self._path / clip["file"]).open("rb") as file:
                    while chunk := file.read(CHUNK_BYTES):
                        yield chunk
                return
        raise NotFound(f"The folder {self._path} has no video {video_id}.")

    def words_with_videos(self, words: Iterable[str], language: str) -> dict[str, int] | None:
        """See `core.ports.ExportTarget.words_with_videos`."""
        mapped = [(mapping["word"], mapping["learning_language"]) for clip in self._clips() for mapping in clip["word_mappings"]]
        return {word: mapped.count((word, language)) for word in words}

    def words_needing_videos(self, bundle: str) -> frozenset[str] | None:
        """See `core.ports.ExportTarget.words_needing_videos`: a folder knows no bundles."""
        return None

    def _prepare(self, source_id: str, item: VideoItem, prepared: list[tuple[Path, Path]]) -> ItemResult:
        """Write the clip's two files under temporary names and note them in `prepared`, the film first."""
        stem = export_name(item.name, item.format, "")
        film_path, facts_path = self._path / f"{stem}.{'mp4' if item.format == 'mp4' else 'bin'}", self._path / f"{stem}.json"
        known = _read(facts_path) if facts_path.exists() else None
        clip: dict[str, Any] = json.loads(item_head(item)[: -len(HEAD_END)] + b"}")
        sent = {(mapping["word"], mapping["learning_language"]): mapping for mapping in clip["word_mappings"]}
        kept = {(mapping["word"], mapping["learning_language"]): mapping for mapping in (known["word_mappings"] if known else [])}
        clip |= {"file": film_path.name, "source_id": source_id, "video_id": _video_id(item), "word_mappings": list((kept | sent).values())}
        for final, write in ((film_path, lambda path: shutil.copyfile(item.path, path)), (facts_path, lambda path: _write(path, clip))):
            temporary = final.with_name(f".{final.name}.{os.getpid()}.part")
            prepared.append((temporary, final))
            write(temporary)
        n_known = len(sent.keys() & kept.keys())
        status = ItemStatus.UPDATED if known else ItemStatus.CREATED
        return ItemResult(item.slug, clip["video_id"], status, len(sent) - n_known, n_known)

    def _clips(self) -> Iterator[dict[str, Any]]:
        for path in sorted(self._path.glob("*.json")):
            yield _read(path)


def _video_id(item: VideoItem) -> int:
    """48 bits of a hash of name and format: the same clip has the same number in every folder."""
    return int.from_bytes(hashlib.sha256(json.dumps([item.name, item.format]).encode()).digest()[:6], "big")


def _write(path: Path, clip: dict[str, Any]) -> None:
    path.write_text(json.dumps(clip, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _read(path: Path) -> dict[str, Any]:
    """Raises: StoreError for a file that is not one of ours."""
    try:
        clip = json.loads(path.read_bytes())
    except ValueError:
        clip = None
    if not isinstance(clip, dict) or not {"video_id", "file", "word_mappings"} <= clip.keys():
        raise StoreError(f"{path} was not written by this export.", hint="Choose an empty folder.")
    return clip
