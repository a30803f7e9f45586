"""What people see of an export: before it is sent, while it goes out, and afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from core.model.exports import ItemStatus


class Change(StrEnum):
    """What the next export would do with one clip."""

    NEW = "new"
    CHANGED = "changed"
    """Score, words, text or bytes."""
    CONFLICT = "conflict"
    """The target serves other bytes under its name."""
    TOO_LARGE = "too_large"
    UNPLAYABLE = "unplayable"
    UNCHANGED = "unchanged"
    RETRACTION = "retraction"
    """No longer approved, and still live."""
    HELD = "held"
    """A rule holds it back."""


class Rule(StrEnum):
    """The rules that hold clips back."""

    APPROVED = "approved"
    HEARD = "heard"
    TRANSCRIPT = "transcript"
    STRONG_LANGUAGE = "strong_language"
    DEMO = "demo"
    MEDIA = "media"
    PLAYABLE = "playable"
    SIZE = "size"
    FIELDS = "fields"


RULE_LABELS: Mapping[Rule, str] = {
    Rule.APPROVED: "Approved by a person",
    Rule.HEARD: "Word heard or confirmed",
    Rule.TRANSCRIPT: "Transcript present",
    Rule.STRONG_LANGUAGE: "Strong language ticked",
    Rule.DEMO: "Demo clips stay in the practice backend",
    Rule.MEDIA: "Media present",
    Rule.PLAYABLE: "Plays on every phone",
    Rule.SIZE: "At most 5 MiB",
    Rule.FIELDS: "Fields that the backend takes",
}


class ReadBack(StrEnum):
    """What reading an item back from its target showed; empty text in the store means: not read yet."""

    VERIFIED = "verified"
    """Bytes and words match."""
    BYTES_MATCH = "bytes_match"
    """The target cannot list words."""
    WORDS_MISSING = "words_missing"
    DIFFERS = "differs"
    MISSING = "missing"
    UNREACHABLE = "unreachable"
    IN_DOUBT = "in_doubt"
    """It failed without an answer, so it may have arrived."""


ARRIVED = frozenset({ItemStatus.CREATED, ItemStatus.UPDATED, ItemStatus.EXISTED})


@dataclass(frozen=True, slots=True)
class ClipPreview:
    """One clip, and what the next export would do with it."""

    clip_id: int
    slug: str
    name: str
    title: str
    """The film's."""
    year: int | None
    media_id: str | None
    words: tuple[str, ...]
    size_bytes: int
    change: Change
    will: str
    """One sentence: what will happen, or why nothing does."""
    is_sent: bool
    """Whether the next export sends something for it."""
    rule: Rule | None = None


@dataclass(frozen=True, slots=True)
class HeldRule:
    """One rule and how much it holds back: mappings for `approved` and `heard`, else clips."""

    rule: Rule
    label: str
    count: int


@dataclass(frozen=True, slots=True)
class ExportPreview:
    """What an export to one target would do. Making it sends and stores nothing."""

    target: str
    url: str
    is_production: bool
    needs_confirmation: bool
    """Whether this is the first export to a host that nobody has confirmed."""
    unfinished_batch_id: str | None
    """A batch that the same command would resume before anything else is sent."""
    clips: tuple[ClipPreview, ...]
    held: tuple[HeldRule, ...]
    n_words: int
    """Mappings that would be sent, retractions left out."""
    n_bytes: int
    n_requests: int
    expected_s: float | None
    """By the throughput of the last batch to this target; None where there was none."""

    @property
    def n_clips(self) -> int:
        return sum(clip.is_sent for clip in self.clips)

    @property
    def counts(self) -> dict[Change, int]:
        """Change → clips, every change named."""
        return {change: sum(clip.change is change for clip in self.clips) for change in Change}

    def as_json(self) -> dict[str, object]:
        """The answer of `export --dry-run --json`: the keys of `export`, with each clip's change as its status."""
        listed = [clip for clip in self.clips if clip.change is not Change.UNCHANGED]
        return {
            "batch_id": None,
            "target": self.target,
            "source_id": None,
            "items": [
                {
                    "slug": clip.slug,
                    "name": clip.name,
                    "status": clip.change.value,
                    "video_id": None,
                    "mappings": len(clip.words),
                    "error": "" if clip.is_sent else clip.will,
                }
                for clip in listed
            ],
            "sent": 0,
            "failed": 0,
            "skipped": sum(not clip.is_sent for clip in listed),
            "would_send": {"clips": self.n_clips, "words": self.n_words, "bytes": self.n_bytes, "requests": self.n_requests},
        }


@dataclass(frozen=True, slots=True)
class BatchItem:
    """One clip of a batch with its outcome."""

    clip_id: int
    slug: str
    name: str
    words: tuple[str, ...]
    status: ItemStatus
    video_id: int | None
    mappings: int
    error: str
    read_back: ReadBack | None
    size_bytes: int
    is_retraction: bool


@dataclass(frozen=True, slots=True)
class BatchSummary:
    """One batch in the history."""

    batch_id: str
    number: int
    job_id: str
    target: str
    source_id: str
    actor: str
    created_at: datetime
    ended_at: datetime | None
    n_items: int
    sent: int
    failed: int
    skipped: int
    n_verified: int
    n_not_verified: int
    """Arrived, and not (yet) read back as it should be."""
    n_bytes: int


@dataclass(frozen=True, slots=True)
class ExportBatch:
    """One batch with all its items."""

    summary: BatchSummary
    items: tuple[BatchItem, ...]

    def as_json(self) -> dict[str, object]:
        """The answer of `export --json`."""
        return {
            "batch_id": self.summary.batch_id,
            "target": self.summary.target,
            "source_id": self.summary.source_id,
            "items": [
                {
                    "slug": item.slug,
                    "name": item.name,
                    "status": item.status.value,
                    "video_id": item.video_id,
                    "mappings": item.mappings,
                    "error": item.error,
                }
                for item in self.items
            ],
            "sent": self.summary.sent,
            "failed": self.summary.failed,
            "skipped": self.summary.skipped,
        }


@dataclass(frozen=True, slots=True)
class PendingRetraction:
    """A mapping that should be gone from a target that cannot delete: what the operator must run there."""

    mapping_id: int
    word: str
    language: str
    slug: str
    name: str
    video_id: int | None
    is_sent: bool
    """Whether the target already took it at relevance 0; else the next export does that."""
    sql: str
