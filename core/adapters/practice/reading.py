"""Reads an upload as the production backend does: what it refuses is refused here, with its status, and nothing else is.

Source: the backend's contract, as observed on its running code, including what it does not check.
"""

from __future__ import annotations

import base64
import json
import math
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

BODY_LIMIT_BYTES = 20 * 1024 * 1024
MAX_INTEGER = 2**31 - 1


class Unusable(ValueError):
    """A request that the backend answers with an error; `status` is 400 or 500."""

    def __init__(self, message: str, status: int = 500) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class SentMapping:
    """One mapping as received; its `timestamp` is dropped, as the backend does."""

    word: str
    learning_language: str
    relevance_score: float | None
    transcript_source: str


@dataclass(frozen=True, slots=True)
class SentVideo:
    """One clip as received."""

    slug: str
    name: str
    format: str
    data: bytes
    size_bytes: int | None
    """As stated by the sender; trusted."""
    transcript: str | None
    audio_transcript: str | None
    audio_transcript_verified: bool
    whisper_metadata: object
    metadata: object
    mappings: tuple[SentMapping, ...]


@dataclass(frozen=True, slots=True)
class Upload:
    """One request."""

    source_id: str | None
    videos: tuple[SentVideo, ...]


def read_upload(body: bytes, content_type: str) -> Upload:
    """Raises: Unusable, with the status that the backend answers."""
    if len(body) > BODY_LIMIT_BYTES:
        raise Unusable(f"413 Request Entity Too Large: more than {BODY_LIMIT_BYTES} bytes")
    kind = content_type.partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise Unusable("415 Unsupported Media Type: Content-Type was not 'application/json'")
    try:
        sent = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Unusable(f"400 Bad Request: the body is not JSON ({error})") from error
    if sent is None or (isinstance(sent, dict) and not isinstance(sent.get("videos"), list)):
        raise Unusable("videos array is required", 400)
    if not isinstance(sent, dict):
        raise Unusable(f"{type(sent).__name__!r} object has no attribute 'get'")
    if not sent["videos"]:
        raise Unusable("videos array is required", 400)
    _refuse_odd_text(sent)
    return Upload(_text(sent, "source_id", 100), tuple(_video(video) for video in sent["videos"]))


def _video(sent: object) -> SentVideo:
    if not isinstance(sent, dict):
        raise Unusable(f"{type(sent).__name__!r} object is not a video")
    mappings = sent.get("word_mappings") or []
    if not isinstance(mappings, list):
        raise Unusable("word_mappings is not a list")
    return SentVideo(
        slug=_needed(sent, "slug", None),
        name=_needed(sent, "name", 255),
        format=_needed(sent, "format", 10),
        data=base64.b64decode(_needed(sent, "video_data_base64", None)),
        size_bytes=_size(sent.get("size_bytes")),
        transcript=_text(sent, "transcript", None),
        audio_transcript=_text(sent, "audio_transcript", None),
        audio_transcript_verified=_flag(sent.get("audio_transcript_verified")),
        whisper_metadata=sent.get("whisper_metadata"),
        metadata=sent.get("metadata"),
        mappings=tuple(_mapping(mapping) for mapping in mappings),
    )


def _mapping(sent: object) -> SentMapping:
    if not isinstance(sent, dict):
        raise Unusable(f"{type(sent).__name__!r} object is not a mapping")
    return SentMapping(
        word=_needed(sent, "word", 255),
        learning_language=_text(sent, "learning_language", 10) or "en",
        relevance_score=_score(sent.get("relevance_score")),
        transcript_source=_text(sent, "transcript_source", 20) or "metadata",
    )


def _text(sent: dict[str, object], name: str, max_chars: int | None) -> str | None:
    value = sent.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise Unusable(f"column {name!r} is of type text but expression is of type {type(value).__name__}")
    if max_chars is not None and len(value) > max_chars:
        raise Unusable(f"value too long for type character varying({max_chars}): {name}")
    return value


def _needed(sent: dict[str, object], name: str, max_chars: int | None) -> str:
    value = _text(sent, name, max_chars)
    if value is None:
        raise Unusable(f"{name!r} is missing")
    return value


def _flag(value: object) -> bool:
    if value is not None and not isinstance(value, bool):
        raise Unusable("column 'audio_transcript_verified' is of type boolean")
    return bool(value)


def _size(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > MAX_INTEGER:
        raise Unusable("size_bytes is not an integer, or out of range")
    return value


def _score(value: object) -> float | None:
    """As `numeric(3,2)` with its check stores it: rounded half up to hundredths, then held to 0–1."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise Unusable("column 'relevance_score' is of type numeric")
    try:
        score = Decimal(str(value)).quantize(Decimal("0.01"), ROUND_HALF_UP)
    except InvalidOperation as error:
        raise Unusable(f"numeric field overflow: relevance_score {str(value)[:20]}") from error
    if not 0 <= score <= 1:
        raise Unusable(f"new row violates check constraint on relevance_score: {score}")
    return float(score)


def _refuse_odd_text(value: object) -> None:
    """NUL, half a surrogate pair, NaN and infinity have no place in the backend's columns. Raises: Unusable."""
    if isinstance(value, str):
        if "\x00" in value:
            raise Unusable("A string literal cannot contain NUL (0x00) characters.")
        if not value.isascii():
            value.encode()
    elif isinstance(value, float) and not math.isfinite(value):
        raise Unusable(f"invalid input: Token {value!r} is invalid")
    elif isinstance(value, dict):
        for key, inner in value.items():
            _refuse_odd_text(key)
            _refuse_odd_text(inner)
    elif isinstance(value, list):
        for inner in value:
            _refuse_odd_text(inner)
