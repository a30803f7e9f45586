"""What is sent to a backend for one clip: its name, its fields, its size, and what would make the backend refuse it."""

from __future__ import annotations

import hashlib
import json
import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from core.model.clips import Clip
from core.model.exports import VideoItem, WordMapping
from core.model.media import MediaFacts
from core.model.transcripts import Transcript, WordTiming

BODY_LIMIT_BYTES = 20 * 1024 * 1024
"""The backend refuses a longer body."""
BATCH_LIMIT_BYTES = BODY_LIMIT_BYTES - 256 * 1024
VISIBLE_LIMIT_BYTES = 5_242_880
"""Learners are not shown a clip above this size."""
MAX_SOURCE_ID_CHARS = 100
MAX_NAME_CHARS = 255
MAX_FORMAT_CHARS = 10
MAX_LANGUAGE_CHARS = 10
TRANSCRIPT_SOURCES = ("audio", "metadata")


def content_digest(text: str, words: Sequence[WordTiming]) -> str:
    """SHA-256 in hex of what learners read: the spoken text, and each word with its times to the millisecond."""
    timed = [(word.text, round(word.start_s * 1000), round(word.end_s * 1000)) for word in words]
    return hashlib.sha256(json.dumps([text, timed]).encode()).hexdigest()


def export_name(slug: str, media_id: str, digest: str) -> str:
    """A name that is unique to its content: the slug in safe letters, then 16 hex digits over slug, bytes and text.

    The backend keeps what it has under a name (or its caches do), so changed bytes or a corrected text need a new one.
    At most 255 characters of `a-z 0-9 - _`.
    """
    plain = unicodedata.normalize("NFKD", slug).encode("ascii", "ignore").decode().lower()
    safe = re.sub(r"[^a-z0-9_]+", "-", plain).strip("-_")[:200] or "clip"
    mark = hashlib.sha256(json.dumps([slug, media_id, digest]).encode()).hexdigest()[:16]
    return f"{safe}-{mark}"


def video_item(*, clip: Clip, facts: MediaFacts, path: Path, transcript: Transcript, mappings: Sequence[WordMapping]) -> VideoItem:
    """The item that is sent for `clip`: the probed facts of `path`, the text in force, all its mappings.

    `facts.size_bytes` and `facts.duration_s` are the file's; the source's own numbers are not used. The `timestamp` of a
    mapping is kept in `whisper_metadata`, since the backend drops it where it stands.
    """
    return VideoItem(
        slug=clip.slug,
        name=export_name(clip.slug, facts.media_id, content_digest(transcript.text, transcript.words)),
        format="mp4",
        path=str(path),
        size_bytes=facts.size_bytes,
        transcript=clip.spoken or transcript.text,
        audio_transcript=transcript.text,
        audio_transcript_verified=transcript.is_verified_by_audio,
        whisper_metadata=_whisper_metadata(transcript, facts.duration_s, mappings),
        metadata=_metadata(clip, facts),
        word_mappings=tuple(mappings),
    )


def _whisper_metadata(transcript: Transcript, duration_s: float, mappings: Sequence[WordMapping]) -> dict[str, object]:
    words: list[dict[str, object]] = []
    for word in transcript.words:
        entry: dict[str, object] = {"word": word.text, "start": round(word.start_s, 3), "end": round(word.end_s, 3)}
        if word.probability is not None:
            entry["confidence"] = round(word.probability, 4)
        words.append(entry)
    return {
        "words": words,
        "segments": [{"start": round(s.start_s, 3), "end": round(s.end_s, 3), "text": s.text} for s in transcript.segments],
        "text": transcript.text,
        "language": transcript.language,
        "duration": round(duration_s, 3),
        "engine": transcript.engine,
        "model": transcript.model,
        "word_timestamps": [
            {"word": mapping.word, "learning_language": mapping.learning_language, "timestamp": mapping.timestamp}
            for mapping in mappings
            if mapping.timestamp is not None
        ],
    }


def _metadata(clip: Clip, facts: MediaFacts) -> dict[str, object]:
    return {
        "clip_id": clip.clip_id,
        "slug": clip.slug,
        "title": clip.title,
        "source": clip.source.value,
        "duration_seconds": round(facts.duration_s, 3),
        "resolution": f"{facts.video.width_px}x{facts.video.height_px}" if facts.video else None,
        "movie_title": clip.film.title or None,
        "movie_year": clip.film.year,
        "movie_director": clip.film.director or None,
        "movie_rated": clip.film.rating or None,
        "movie_language": clip.film.language or None,
        "imdb": clip.film.imdb_id or None,
        "media_id": facts.media_id,
    }


def source_id_problems(source_id: str) -> tuple[str, ...]:
    """What the backend would refuse in a batch's `source_id`; empty is good."""
    return tuple(_text_problems("source_id", source_id, MAX_SOURCE_ID_CHARS))


def item_problems(item: VideoItem) -> tuple[str, ...]:
    """Why this item should not be sent, one sentence each; empty is good.

    Holds what the backend refuses (lengths, scores, NUL) and what it takes and learners then never see (too large, no
    spoken text), since that would count as covered and teach nobody.
    """
    return tuple(_problems(item))


def _problems(item: VideoItem) -> Iterator[str]:
    yield from _text_problems("slug", item.slug, MAX_NAME_CHARS)
    yield from _text_problems("name", item.name, MAX_NAME_CHARS)
    yield from _text_problems("format", item.format, MAX_FORMAT_CHARS)
    if not item.audio_transcript.strip():
        yield "It has no spoken text, so learners would not be shown it."
    if item.size_bytes <= 0:
        yield "Its file is empty."
    if item.size_bytes > VISIBLE_LIMIT_BYTES:
        yield f"Its {item.size_bytes} bytes are more than {VISIBLE_LIMIT_BYTES}: learners would not be shown it. Encode it smaller."
    for label, value in (("transcript", item.transcript), ("audio_transcript", item.audio_transcript)):
        yield from _value_problems(label, value)
    yield from _value_problems("whisper_metadata", item.whisper_metadata)
    yield from _value_problems("metadata", item.metadata)
    year = item.metadata.get("movie_year")
    if year is not None and (isinstance(year, bool) or not isinstance(year, int)):
        yield f"movie_year is {year!r}; it must be a whole number or null."
    if not item.word_mappings:
        yield "It teaches no word."
    if len({(m.word, m.learning_language) for m in item.word_mappings}) < len(item.word_mappings):
        yield "A word stands twice in its mappings."
    for mapping in item.word_mappings:
        yield from _mapping_problems(mapping)


def _mapping_problems(mapping: WordMapping) -> Iterator[str]:
    yield from _text_problems("word", mapping.word, MAX_NAME_CHARS)
    yield from _text_problems(f"learning_language of {mapping.word!r}", mapping.learning_language, MAX_LANGUAGE_CHARS)
    if not (math.isfinite(mapping.relevance_score) and 0 <= mapping.relevance_score <= 1):
        yield f"relevance_score of {mapping.word!r} is {mapping.relevance_score}; it must be between 0 and 1."
    if mapping.transcript_source not in TRANSCRIPT_SOURCES:
        yield f"transcript_source of {mapping.word!r} is {mapping.transcript_source!r}; it must be audio or metadata."
    if mapping.timestamp is not None and not math.isfinite(mapping.timestamp):
        yield f"timestamp of {mapping.word!r} is {mapping.timestamp}."


def _text_problems(label: str, text: str, max_chars: int) -> Iterator[str]:
    if not text.strip():
        yield f"{label} is empty."
    if len(text) > max_chars:
        yield f"{label} has {len(text)} characters; at most {max_chars} are taken."
    yield from _value_problems(label, text)


def _value_problems(label: str, value: object) -> Iterator[str]:
    """Text and numbers anywhere inside `value` that a backend cannot store."""
    if isinstance(value, str):
        if "\x00" in value:
            yield f"{label} holds a NUL character."
        if any("\ud800" <= char <= "\udfff" for char in value):
            yield f"{label} holds half of a Unicode pair."
    elif isinstance(value, float) and not math.isfinite(value):
        yield f"{label} holds {value}, which JSON cannot carry."
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _value_problems(label, key)
            yield from _value_problems(f"{label}.{key}", inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _value_problems(label, inner)


HEAD_END = b',"video_data_base64":"'
TAIL = b'"}'
SEPARATOR = b","
PAYLOAD_TAIL = b"]}"


def item_head(item: VideoItem) -> bytes:
    """The JSON of an item up to where the base64 of its file begins; `TAIL` closes it. ASCII.

    Raises: ValueError for a number that JSON cannot carry.
    """
    fields = {
        "slug": item.slug,
        "name": item.name,
        "format": item.format,
        "size_bytes": item.size_bytes,
        "transcript": item.transcript,
        "audio_transcript": item.audio_transcript,
        "audio_transcript_verified": item.audio_transcript_verified,
        "whisper_metadata": item.whisper_metadata,
        "metadata": item.metadata,
        "word_mappings": [
            {
                "word": mapping.word,
                "learning_language": mapping.learning_language,
                "relevance_score": mapping.relevance_score,
                "transcript_source": mapping.transcript_source,
                "timestamp": mapping.timestamp,
            }
            for mapping in item.word_mappings
        ],
    }
    return json.dumps(fields, allow_nan=False, separators=(",", ":")).encode()[:-1] + HEAD_END


def payload_head(source_id: str) -> bytes:
    """The JSON of a request up to its first item."""
    return b'{"source_id":' + json.dumps(source_id).encode() + b',"videos":['


def base64_size(n_bytes: int) -> int:
    """How many characters the base64 of `n_bytes` has."""
    return (n_bytes + 2) // 3 * 4


def encoded_size(item: VideoItem) -> int:
    """How many bytes the item takes in a request, exactly."""
    return len(item_head(item)) + base64_size(item.size_bytes) + len(TAIL)


def payload_size(source_id: str, items: Sequence[VideoItem]) -> int:
    """How many bytes a request with these items has, exactly: its Content-Length."""
    commas = max(0, len(items) - 1) * len(SEPARATOR)
    return len(payload_head(source_id)) + sum(map(encoded_size, items)) + commas + len(PAYLOAD_TAIL)


def split_batches(items: Iterable[VideoItem], *, limit_bytes: int = BATCH_LIMIT_BYTES) -> Iterator[tuple[VideoItem, ...]]:
    """The items in order, in batches of at most `limit_bytes` each. An item above the limit is a batch of its own."""
    batch: list[VideoItem] = []
    size = 0
    for item in items:
        added = encoded_size(item) + len(SEPARATOR)
        if batch and size + added > limit_bytes:
            yield tuple(batch)
            batch, size = [], 0
        batch.append(item)
        size += added
    if batch:
        yield tuple(batch)
