"""The identity of a word, and the two ways of writing it down for comparison.

`word_key` decides whether two rows are the same vocabulary word: accents count. `spoken_key` decides whether a
spoken form is a form of a word: accents do not count, because recognisers and captions drop them.
"""

from __future__ import annotations

import re
import unicodedata

APOSTROPHES = "\u2018\u2019\u201b\u02bc\u02b9\u2032\uff07\u00b4\u0060"
"""Characters that stand for an apostrophe in real lists and captions."""
HYPHENS = "\u2010\u2011\u2043\ufe63\uff0d"
"""Characters that stand for a hyphen inside a word; dashes between words are not among them."""

_TRANSLATION = {ord(mark): "'" for mark in APOSTROPHES} | {ord(mark): "-" for mark in HYPHENS}
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]"
)
"""Zero-width characters, soft hyphens, variation selectors and bidirectional controls: they change no word."""
_SPACES = re.compile(r"\s+")


def plain_text(text: str) -> str:
    """`text` in NFC with one kind of apostrophe and hyphen, no invisible character, single spaces, trimmed."""
    if text.isascii():
        return _SPACES.sub(" ", text).strip().replace("`", "'")
    visible = _INVISIBLE.sub("", text)
    return _SPACES.sub(" ", unicodedata.normalize("NFC", visible).translate(_TRANSLATION)).strip()


def word_key(text: str) -> str:
    """The identity of a word: two texts with one key are one vocabulary word.

    NFC, case folded, apostrophes alike; accents and hyphens count, so `resume` and `résumé` are two words.
    """
    return unicodedata.normalize("NFC", plain_text(text).casefold())


def spoken_key(text: str) -> str:
    """What `text` is compared by in speech: `word_key` without accents, so that `blasé` and `blase` meet."""
    key = word_key(text)
    if key.isascii():
        return key
    return "".join(mark for mark in unicodedata.normalize("NFD", key) if not unicodedata.combining(mark))
