"""What makes two searches the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from core.model.clips import Source


def search_key(source: Source, word: str, max_hits: int, *, is_demo: bool, holdings: Sequence[tuple[str, str]] = ()) -> str:
    """The key under which a search's hits are kept.

    `holdings`: for `library`, what it holds (media id, transcript id), in order, so that a new film is a new search.
    """
    parts = ("search", 1, source, word, max_hits, is_demo, list(holdings))
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=True).encode("ascii")).hexdigest()
