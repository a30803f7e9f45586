"""Vocabulary words, the lists they stand on, and bundles."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Level(StrEnum):
    """A word's level in one exam. Bundles are cumulative: `intermediate` holds `beginner`, `advanced` holds all."""

    BEGINNER = "beginner"
    INTERMEDIATE = "intermediate"
    ADVANCED = "advanced"


DEMO_PREFIX = "demo_"
"""An exam or bundle whose name starts so is demo: it never mixes with real ones."""


@dataclass(frozen=True, slots=True)
class VocabularyWord:
    """A word to be taught."""

    word_id: int
    text: str
    language: str = "en"
    pos: str = ""
    definition: str = ""


@dataclass(frozen=True, slots=True)
class ListedWord:
    """One accepted word of a word list, as read from its file."""

    text: str
    line: int
    levels: dict[str, Level] = field(default_factory=dict)
    """exam → level; empty when the list has no level."""
    bundles: tuple[str, ...] = ()
    """Own bundles (`business_english`) that a flag column puts it in."""
    pos: str = ""
    definition: str = ""


@dataclass(frozen=True, slots=True)
class ChangedRow:
    """A row that was read, but not as it stood."""

    line: int
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row that was not taken, and why."""

    line: int
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class ParsedList:
    """What a word list holds, row by row: `words` + `duplicates` + refused rows are all its rows."""

    words: tuple[ListedWord, ...]
    duplicates: int
    changed: tuple[ChangedRow, ...]
    refused: tuple[RefusedRow, ...]


@dataclass(frozen=True, slots=True)
class Bundle:
    """A named set of words to cover."""

    name: str
    n_words: int
    exam: str = ""
    level: str = ""
    is_demo: bool = False
