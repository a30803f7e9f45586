"""A source that finds what it was told to: for tests of everything behind a search."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from core.errors import WordreelError
from core.model.clips import Clip, Hit
from core.model.vocabulary import VocabularyWord
from core.rules.word_keys import word_key


@dataclass(slots=True)
class FakeClipSource:
    """`ports.ClipSource` by script; it counts what it is asked, as a remote one would.

    `hits` are by word; a word that is not there finds nothing. `failing_words` raise when searched, `failing_slugs` when fetched,
    each as often as it is asked until it is taken out.
    """

    hits: Mapping[str, Sequence[Hit]] = field(default_factory=dict)
    failing_words: dict[str, WordreelError] = field(default_factory=dict)
    failing_slugs: dict[str, WordreelError] = field(default_factory=dict)
    name: str = "fake"
    is_remote: bool = True
    searches: list[str] = field(default_factory=list)
    fetches: list[str] = field(default_factory=list)

    def search(self, word: VocabularyWord, *, max_hits: int, edition: str = "") -> Sequence[Hit]:
        """The scripted hits, in order, at most `max_hits`. Raises: what was scripted."""
        self.searches.append(word.text)
        if word.text in self.failing_words:
            raise self.failing_words[word.text]
        by_key = {word_key(text): found for text, found in self.hits.items()}
        return tuple(by_key.get(word_key(word.text), ()))[:max_hits]

    def fetch(self, clip: Clip, into: Path) -> Path:
        """A file for FakeMediaTools, of the clip's length: the same clip gives the same bytes. Raises: what was scripted."""
        self.fetches.append(clip.slug)
        if clip.slug in self.failing_slugs:
            raise self.failing_slugs[clip.slug]
        mark = hashlib.sha256(clip.slug.encode("utf-8", "surrogatepass")).hexdigest()
        into.mkdir(parents=True, exist_ok=True)
        path = into / f"fake-{mark[:12]}.mp4"
        path.write_bytes(f"cut {clip.start_s!r} {clip.end_s!r} {mark}".encode("ascii"))
        return path

    def forget(self, slug: str) -> None:
        """Nothing is kept."""
