"""One cell of a word list → the word it holds, or why it holds none."""

from __future__ import annotations

import re
import unicodedata

from core.rules.word_keys import plain_text

LONGEST_WORD = 100
"""Characters; the longest entries of real lists, phrases included, stay under 60."""
LONGEST_DEFINITION = 2_000

_PLAIN = re.compile(r"[A-Za-z]+(?:[ '-][A-Za-z]+)*")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_ALTERNATIVE = re.compile(r"[^\W\d_][\w.' -]*")
_KEPT_SLASH = frozenset({"and/or", "either/or"})
_ABBREVIATIONS = frozenset({"approx", "dept", "dr", "etc", "inc", "jr", "ltd", "mr", "mrs", "ms", "no", "prof", "sr", "st", "vs"})


def clean_word(cell: str) -> str:
    """The word in `cell`, cleaned of what carries no meaning.

    NFC, apostrophes and spaces alike, no invisible characters, no quotation marks round it, no full stop after it that
    belongs to no abbreviation, and of alternatives (`a.m./A.M./am`) the first. A cell that begins with `= + - @` is a
    word like any other. Case and accents stay.
    """
    if _PLAIN.fullmatch(cell):
        return cell
    word = plain_text(cell).strip('"\u201c\u201d').strip()
    if "/" in word and word.casefold() not in _KEPT_SLASH:
        alternatives = [part.strip() for part in word.split("/")]
        if all(_ALTERNATIVE.fullmatch(part) for part in alternatives):
            word = alternatives[0]
    return _without_full_stop(word)


def _without_full_stop(word: str) -> str:
    bare = word.removesuffix(".")
    is_abbreviation = "." in bare or bare.casefold() in _ABBREVIATIONS
    return word if bare == word or is_abbreviation else bare.rstrip()


def fault_of_word(word: str) -> str:
    """Why a cleaned word cannot be taken; empty when it can."""
    if len(word) > LONGEST_WORD:
        return f"longer than {LONGEST_WORD} characters ({len(word):,})"
    if not any(unicodedata.category(mark).startswith("L") for mark in word):
        return "no letter in it"
    return ""


def fault_of_row(raw: str) -> str:
    """Why no cell of a row can be trusted; empty when they can."""
    if "\x00" in raw:
        return "a NUL character in it"
    if not raw.isascii() and _LONE_SURROGATE.search(raw):
        return "bytes or characters that are not valid UTF-8 (save the file as UTF-8)"
    if _CONTROL.search(raw):
        return "a control character in it"
    return ""


def shown(text: str) -> str:
    """`text` as a report shows it: at most 80 characters, and nothing that cannot be encoded."""
    short = text if len(text) <= 80 else text[:79] + "\u2026"
    return short.encode("utf-8", errors="replace").decode("utf-8")
