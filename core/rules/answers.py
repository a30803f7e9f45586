"""Reads what a backend answers, without trusting any of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime

from core.errors import BadAnswer
from core.model.exports import ItemResult, ItemStatus, VideoItem
from core.timing import as_utc

MAX_WAIT_S = 300.0
"""No `Retry-After` makes anybody wait longer."""
MAX_MESSAGE_CHARS = 300
STATUSES = {"created": ItemStatus.CREATED, "updated": ItemStatus.UPDATED, "existed": ItemStatus.EXISTED}


def read_results(answer: object, items: Sequence[VideoItem]) -> tuple[ItemResult, ...]:
    """One result an item, in the items' order.

    Raises: BadAnswer unless the answer says success and names exactly these slugs in this order, each with an id.
    """
    if not isinstance(answer, dict) or answer.get("success") is not True:
        raise BadAnswer("It does not say that the upload succeeded.")
    rows = answer.get("results")
    if not isinstance(rows, list) or len(rows) != len(items):
        raise BadAnswer(f"It does not hold one result for each of the {len(items)} clips.")
    return tuple(_read_result(row, item) for row, item in zip(rows, items, strict=True))


def _read_result(row: object, item: VideoItem) -> ItemResult:
    if not isinstance(row, dict) or row.get("slug") != item.slug:
        raise BadAnswer(f"It has no result for {item.slug!r} where that one should stand.")
    status, video_id = row.get("status"), row.get("video_id")
    if not isinstance(status, str) or status not in STATUSES:
        raise BadAnswer(f"Its result for {item.slug!r} has no status that is known.")
    if not isinstance(video_id, int) or isinstance(video_id, bool):
        raise BadAnswer(f"Its result for {item.slug!r} has no video_id.")
    return ItemResult(item.slug, video_id, STATUSES[status], _count(row.get("mappings_created")), _count(row.get("mappings_skipped")))


def _count(value: object) -> int:
    """A number that is only shown; 0 where none is given."""
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def plain_message(text: str, secrets: Sequence[str] = ()) -> str:
    """One short line of a stranger's message: no secrets, no control characters, at most 300 characters."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    line = re.sub(r"[\s\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]+", " ", text).strip()
    return line if len(line) <= MAX_MESSAGE_CHARS else line[: MAX_MESSAGE_CHARS - 1] + "…"


def retry_after_s(header: str | None, now: datetime) -> float:
    """How long a `Retry-After` asks to wait, 0 to 300 s; 0 where it is absent, negative, past or not readable.

    Source: RFC 9110, section 10.2.3 (seconds, or an HTTP date).
    """
    text = (header or "").strip()
    if re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,6})?", text):
        return min(float(text), MAX_WAIT_S)
    try:
        asked_s = (as_utc(parsedate_to_datetime(text)) - now).total_seconds()
    except (ValueError, TypeError, IndexError, OverflowError):
        return 0.0
    return max(0.0, min(asked_s, MAX_WAIT_S))
