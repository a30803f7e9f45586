"""Items to export, with small files of their own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from core.model.exports import VideoItem, WordMapping


def make_item(folder: Path, slug: str, *, size_bytes: int = 1000, word: str = "refer", score: float = 0.9, **changes: object) -> VideoItem:
    """A good item whose file holds its slug over and over."""
    path = folder / f"{abs(hash(slug))}.mp4"
    path.write_bytes((slug.encode("utf-8", "replace") * (size_bytes // max(1, len(slug)) + 1))[:size_bytes])
    return replace(bare_item(slug, path=str(path), size_bytes=size_bytes, word=word, score=score), **changes)


def bare_item(slug: str, *, path: str = "", size_bytes: int = 1000, word: str = "refer", score: float = 0.9) -> VideoItem:
    """A good item whose file need not exist."""
    return VideoItem(
        slug=slug,
        name=f"{slug}-0123456789abcdef",
        format="mp4",
        path=path,
        size_bytes=size_bytes,
        transcript="I refer you to the manual.",
        audio_transcript="I refer you to the “manual”.",
        audio_transcript_verified=True,
        whisper_metadata={
            "words": [{"word": "I", "start": 0.1, "end": 0.2}, {"word": "refer", "start": 0.2, "end": 0.61, "confidence": 0.98}]
        },
        metadata={"clip_id": 7, "slug": slug, "duration_seconds": 3.2, "resolution": "640x360", "movie_title": "Café", "movie_year": 1936},
        word_mappings=(WordMapping(word, "en", score, "audio", 0.2),),
    )
