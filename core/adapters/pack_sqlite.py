"""Portable packs: approved clips as one SQLite file that opens in any SQLite tool, written with sqlite-utils.

Tables: `clips` (films as blobs), `words` (each spoken word with its times), `mappings` (clip ↔ vocabulary word), `pack` (what
it is). `clips` has a full-text index over its spoken text: `SELECT slug FROM clips WHERE rowid IN (SELECT rowid FROM
clips_fts WHERE clips_fts MATCH 'refer')`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core import timing
from core.adapters.payload_stream import check_files
from core.errors import InvalidInput
from core.model.exports import VideoItem


@dataclass(frozen=True, slots=True)
class PackSummary:
    """What a pack holds."""

    path: Path
    n_clips: int
    n_mappings: int
    size_bytes: int


def write_pack(items: Iterable[VideoItem], path: Path, *, title: str) -> PackSummary:
    """Write a new pack at `path`; the file is there whole or not at all, and one that is there is not touched.

    Raises: InvalidInput when `path` exists or a clip stands twice, UnreadableMedia when a clip's file is gone or changed.
    """
    import sqlite_utils

    if path.exists():
        raise InvalidInput(f"{path} exists already.", hint="Choose another name, or move it away.")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    temporary.unlink(missing_ok=True)
    database: Any = sqlite_utils.Database(temporary)
    try:
        n_clips, n_mappings = _fill(database, items)
        database["pack"].insert({"title": title, "created_at": timing.now().isoformat(), "n_clips": n_clips, "n_mappings": n_mappings})
        database["clips"].enable_fts(["audio_transcript", "movie_title"], tokenize="porter")
        database.vacuum()
        database.close()
        temporary.replace(path)
    finally:
        database.close()
        temporary.unlink(missing_ok=True)
    return PackSummary(path, n_clips, n_mappings, path.stat().st_size)


def _fill(database: Any, items: Iterable[VideoItem]) -> tuple[int, int]:
    clips = database["clips"]
    clips.create({**CLIP_COLUMNS, "film": bytes}, pk="clip_id")
    clips.create_index(["name", "format"], unique=True)
    database["words"].create(WORD_COLUMNS, pk=("clip_id", "position"), foreign_keys=[("clip_id", "clips", "clip_id")])
    database["mappings"].create(
        MAPPING_COLUMNS, pk=("word", "learning_language", "clip_id"), foreign_keys=[("clip_id", "clips", "clip_id")]
    )
    n_clips = n_mappings = 0
    seen: set[tuple[str, str]] = set()
    for n_clips, item in enumerate(items, start=1):
        if (item.name, item.format) in seen:
            raise InvalidInput(f"{item.name!r} stands twice in the pack.")
        seen.add((item.name, item.format))
        check_files([item])
        clips.insert(_clip(n_clips, item))
        database["words"].insert_all(_words(n_clips, item))
        database["mappings"].insert_all(_mappings(n_clips, item))
        n_mappings += len(item.word_mappings)
    return n_clips, n_mappings


CLIP_COLUMNS = {
    "clip_id": int,
    "slug": str,
    "name": str,
    "format": str,
    "size_bytes": int,
    "transcript": str,
    "audio_transcript": str,
    "audio_transcript_verified": int,
    "movie_title": str,
    "movie_year": int,
    "duration_seconds": float,
    "resolution": str,
    "metadata": str,
}
WORD_COLUMNS = {"clip_id": int, "position": int, "word": str, "start_s": float, "end_s": float, "confidence": float}
MAPPING_COLUMNS = {
    "clip_id": int,
    "word": str,
    "learning_language": str,
    "relevance_score": float,
    "transcript_source": str,
    "timestamp_s": float,
}


def _clip(clip_id: int, item: VideoItem) -> dict[str, object]:
    shown = {name: item.metadata.get(name) for name in ("movie_title", "movie_year", "duration_seconds", "resolution")}
    return {
        "clip_id": clip_id,
        "slug": item.slug,
        "name": item.name,
        "format": item.format,
        "size_bytes": item.size_bytes,
        "transcript": item.transcript,
        "audio_transcript": item.audio_transcript,
        "audio_transcript_verified": int(item.audio_transcript_verified),
        **shown,
        "metadata": json.dumps(item.metadata),
        "film": Path(item.path).read_bytes(),
    }


def _words(clip_id: int, item: VideoItem) -> Iterator[dict[str, object]]:
    words = item.whisper_metadata.get("words")
    for position, word in enumerate(words if isinstance(words, list) else []):
        yield {
            "clip_id": clip_id,
            "position": position,
            "word": word["word"],
            "start_s": word["start"],
            "end_s": word["end"],
            "confidence": word.get("confidence"),
        }


def _mappings(clip_id: int, item: VideoItem) -> Iterator[dict[str, object]]:
    for mapping in item.word_mappings:
        yield {
            "clip_id": clip_id,
            "word": mapping.word,
            "learning_language": mapping.learning_language,
            "relevance_score": mapping.relevance_score,
            "transcript_source": mapping.transcript_source,
            "timestamp_s": mapping.timestamp,
        }
