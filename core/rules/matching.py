"""Finds vocabulary words in what is spoken: inflections included, substrings never, one pass for any number of words.

Every form of every word is laid out once in a dictionary; a text is then read once, one look-up a token and reading.
A hyphen counts as a space (`well-known` is `well known`) except after a bound prefix (`co-operate` holds no `operate`),
accents and case do not count, and a possessive or a contraction counts for its host (`emergency's`, `don't`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from core.model.vocabulary import VocabularyWord
from core.rules.morphology import inflections
from core.rules.word_keys import plain_text, spoken_key

_LETTERS = r"(?:[^\W_]|[\u0300-\u036f])+"
_WORD = re.compile(rf"(?:[^\W\d_]\.){{2,}}|'?{_LETTERS}(?:['-]{_LETTERS})*'?")
"""Initials with their dots (`a.m.`), or letters and digits with apostrophes and hyphens inside."""
_BREAK = re.compile(r"[.,;:!?\u2026\u2013\u2014\u3002\"\u201c\u201d()\[\]|]|--|(?:^|\s)-(?:\s|$)")
"""What a phrase does not reach over."""
_TRAILING_CLITIC = re.compile(r"'(?:s|m|d|re|ve|ll)$")
_NEGATED = {"can't": "can", "cannot": "can", "won't": "will", "shan't": "shall", "ain't": "be"}
_PREFIXES = (
    "anti bi co counter de dis e ex extra hyper in inter intra mega micro mid mini mis mono multi non over pan para post pre pro pseudo "
    "quasi re semi sub super tele trans tri ultra un under uni vice"
)
_BOUND_PREFIXES = frozenset(_PREFIXES.split())


@dataclass(frozen=True, slots=True)
class Match:
    """One place at which a form of a vocabulary word is said."""

    word_id: int
    form: str
    """As written there, without the punctuation round it: `referred`, `Looked after`."""
    first_index: int
    """Index into the tokens that were given."""
    n_tokens: int
    """How many of the given tokens it spans."""


@dataclass(frozen=True, slots=True)
class _Unit:
    """A stretch of letters without a hyphen, with the given token that it is from."""

    readings: tuple[str, ...]
    written: str
    """The whole word that it is from, as written: `well-known` for `well`."""
    start: int
    """Where that word begins; two units of one token with the same start are parts of one hyphenated word."""
    index: int
    is_after_break: bool
    is_after_prefix: bool


@dataclass(frozen=True, slots=True)
class _Phrase:
    word_id: int
    parts: tuple[frozenset[str], ...]


def tokenize(text: str) -> tuple[str, ...]:
    """The words of a text in order, without the punctuation round them; hyphens and apostrophes inside stay.

    The one tokenizer of Wordreel: transcripts, captions and word lists are all read with it. No words is empty.
    """
    return tuple(found.group() for found in _WORD.finditer(plain_text(text)))


class WordMatcher:
    """Finds any number of vocabulary words in one pass."""

    def __init__(self, words: Iterable[VocabularyWord]) -> None:
        """Lay out every form of `words`. A word without a letter or digit is never found."""
        self._single: dict[str, list[int]] = {}
        self._phrases: dict[str, list[_Phrase]] = {}
        for word in words:
            self._add(word)

    def find(self, tokens: Sequence[str]) -> tuple[Match, ...]:
        """Every match in `tokens`, by place, the longer first.

        `tokens` may come from `tokenize` or be the texts of a transcript's words with punctuation attached: indices are
        into what was given. A phrase does not reach over punctuation.
        """
        return self._find(_units(tokens))

    def find_in_text(self, text: str) -> tuple[Match, ...]:
        """As `find`, on a whole text; indices are into `tokenize(text)`."""
        plain = plain_text(text)
        units: list[_Unit] = []
        end = 0
        for index, found in enumerate(_WORD.finditer(plain)):
            units.extend(_units_of(found, index, is_after_break=_BREAK.search(plain, end, found.start()) is not None))
            end = found.end()
        return self._find(units)

    def _add(self, word: VocabularyWord) -> None:
        parts = [unit.readings[0] for unit in _units([word.text])]
        if not parts:
            return
        is_english = word.language == "en"
        forms = tuple(inflections(part) if is_english else frozenset({part}) for part in parts)
        if len(parts) == 1:
            self._add_forms(word.word_id, forms[0])
            return
        phrase = _Phrase(word.word_id, forms)
        for form in forms[0]:
            self._phrases.setdefault(form, []).append(phrase)
        if "-" in plain_text(word.text) and " " not in plain_text(word.text):
            joined = "".join(parts)
            self._add_forms(word.word_id, inflections(joined) if is_english else {joined})

    def _add_forms(self, word_id: int, forms: Iterable[str]) -> None:
        for form in forms:
            ids = self._single.setdefault(form, [])
            if word_id not in ids:
                ids.append(word_id)

    def _find(self, units: Sequence[_Unit]) -> tuple[Match, ...]:
        found: dict[tuple[int, int, int], Sequence[_Unit]] = {}
        for place in range(len(units)):
            for word_id, last in self._at(units, place):
                found.setdefault((units[place].index, -units[last].index, word_id), units[place : last + 1])
        return tuple(_match(word_id, found[first, last, word_id]) for first, last, word_id in sorted(found))

    def _at(self, units: Sequence[_Unit], place: int) -> Iterator[tuple[int, int]]:
        """(word, place of its last unit) for every word that begins at `place`."""
        unit = units[place]
        for reading in unit.readings:
            if not unit.is_after_prefix:
                for word_id in self._single.get(reading, ()):
                    yield word_id, place
            for phrase in self._phrases.get(reading, ()):
                if _follows(phrase, units, place):
                    yield phrase.word_id, place + len(phrase.parts) - 1
        joined, last = _joined(units, place)
        for word_id in self._single.get(joined, ()):
            yield word_id, last


def _match(word_id: int, units: Sequence[_Unit]) -> Match:
    words = {(unit.index, unit.start): unit.written.strip("'") or unit.written for unit in units}
    first = units[0].index
    return Match(word_id=word_id, form=" ".join(words.values()), first_index=first, n_tokens=units[-1].index - first + 1)


def _follows(phrase: _Phrase, units: Sequence[_Unit], place: int) -> bool:
    if place + len(phrase.parts) > len(units):
        return False
    for offset, forms in enumerate(phrase.parts):
        unit = units[place + offset]
        if (offset and unit.is_after_break) or forms.isdisjoint(unit.readings):
            return False
    return True


def _joined(units: Sequence[_Unit], place: int) -> tuple[str, int]:
    """A hyphenated word without its hyphens (`e-mail` as `email`) and its last place; empty where none begins.

    `re-` keeps its hyphen unless an e follows: `re-sign` is not `resign`.
    """
    unit = units[place]
    last = place
    while last + 1 < len(units) and (units[last + 1].index, units[last + 1].start) == (unit.index, unit.start):
        last += 1
    is_middle = place > 0 and (units[place - 1].index, units[place - 1].start) == (unit.index, unit.start)
    if last == place or is_middle:
        return "", place
    parts = [part.readings[0] for part in units[place : last + 1]]
    if parts[0] == "re" and not parts[1].startswith("e"):
        return "", place
    return "".join(parts), last


def _units(tokens: Sequence[str]) -> list[_Unit]:
    units: list[_Unit] = []
    is_after_break = False
    for index, token in enumerate(tokens):
        plain = plain_text(token)
        end = 0
        for found in _WORD.finditer(plain):
            is_after_break = is_after_break or _BREAK.search(plain, end, found.start()) is not None
            units.extend(_units_of(found, index, is_after_break=is_after_break))
            is_after_break = False
            end = found.end()
        is_after_break = is_after_break or _BREAK.search(plain, end) is not None
    return units


def _units_of(found: re.Match[str], index: int, *, is_after_break: bool) -> Iterator[_Unit]:
    written = found.group()
    parts = written.split("-")
    for number, part in enumerate(parts):
        yield _Unit(
            readings=_readings(spoken_key(part)),
            written=written,
            start=found.start(),
            index=index,
            is_after_break=is_after_break and number == 0,
            is_after_prefix=number > 0 and spoken_key(parts[number - 1]) in _BOUND_PREFIXES,
        )


@lru_cache(maxsize=65_536)
def _readings(key: str) -> tuple[str, ...]:
    """What one spoken token can stand for, itself first: `emergency's` and `emergency`, `goin'` and `going`."""
    bare = key.strip("'")
    readings = [bare or key]
    if key.startswith("'") and bare:
        readings.append("'" + bare)
    if "'" in bare:
        if bare in _NEGATED:
            readings.append(_NEGATED[bare])
        elif bare.endswith("n't"):
            readings.append(bare[:-3])
        elif (host := _TRAILING_CLITIC.sub("", bare)) != bare:
            readings.append(host)
    elif bare == "cannot":
        readings.append("can")
    elif key.endswith("in'"):
        readings.append(bare + "g")
    return tuple(readings)
