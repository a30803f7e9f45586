"""Names for files and addresses that no title, slug or word can bend. The original stays data; the name is only a name."""

from __future__ import annotations

import hashlib
import re
import unicodedata

MAX_SLUG_CHARS = 80
HASH_CHARS = 12
DEVICES = frozenset({"con", "prn", "aux", "nul", *(f"com{n}" for n in range(10)), *(f"lpt{n}" for n in range(10))})
"""Names that Windows keeps for devices, with any ending."""


def safe_slug(text: str, fallback: str = "clip") -> str:
    """At most 80 of `a-z`, `0-9` and `-`, beginning and ending with a letter or figure; `fallback` when nothing is left.

    Different texts can give the same slug: where two must not meet, use `unique_slug`.
    """
    decomposed = unicodedata.normalize("NFKD", text[: MAX_SLUG_CHARS * 8])
    plain = decomposed.encode("ascii", "ignore").decode("ascii").lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:MAX_SLUG_CHARS].rstrip("-")
    if not slug:
        return fallback
    return f"{fallback}-{slug}"[:MAX_SLUG_CHARS] if slug in DEVICES else slug


def unique_slug(text: str, fallback: str = "clip") -> str:
    """A safe slug of at most 80 characters that ends in a hash of the exact text, so that twins stay apart."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:HASH_CHARS]
    return f"{safe_slug(text, fallback)[: MAX_SLUG_CHARS - HASH_CHARS - 1].rstrip('-')}-{digest}"
