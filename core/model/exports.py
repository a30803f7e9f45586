"""Export: what is sent to a target, and what became of each item."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ItemStatus(StrEnum):
    """What became of one clip of a batch. `queued` → `sending` → one of the last five."""

    QUEUED = "queued"
    SENDING = "sending"
    CREATED = "created"
    UPDATED = "updated"
    EXISTED = "existed"
    SKIPPED = "skipped"
    """A rule held it back; the error says which. It is sent once the rule is satisfied."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class WordMapping:
    """One mapping of a payload, as CONTRACTS names its fields."""

    word: str
    learning_language: str
    relevance_score: float
    transcript_source: str
    """`audio` or `metadata`."""
    timestamp: float | None = None


@dataclass(frozen=True, slots=True)
class VideoItem:
    """One clip as it is sent. The bytes are read from `path` while sending, so that memory stays flat."""

    slug: str
    name: str
    """Unique to its content: slug and a hash of bytes and text."""
    format: str
    path: str
    size_bytes: int
    transcript: str
    audio_transcript: str
    audio_transcript_verified: bool
    whisper_metadata: dict[str, object]
    metadata: dict[str, object]
    word_mappings: tuple[WordMapping, ...]


@dataclass(frozen=True, slots=True)
class ItemResult:
    """What the target says of one item."""

    slug: str
    video_id: int | None
    status: ItemStatus
    mappings_created: int = 0
    mappings_skipped: int = 0
    error: str = ""
