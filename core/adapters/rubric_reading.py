"""A clip read for one word: where it is said, in which sentence, among what."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from core.model.vocabulary import Level, VocabularyWord
from core.ports import ClipText
from core.rules.closed_words import FUNCTION_WORDS
from core.rules.matching import WordMatcher, tokenize
from core.rules.word_keys import plain_text, spoken_key, word_key

_SENTENCE_END = re.compile(r"[.!?\u2026][\"'\u201d\u2019)\]]*$")
_NO_END = re.compile(r"^(?:mr|mrs|ms|dr|st|prof|jr|sr|no|vs|etc)\.$|^(?:[^\W\d_]\.)+$", re.IGNORECASE)
LEVEL_ORDER = tuple(Level)
LONG_WORD_LETTERS = 10
"""A word on no list counts as hard from this length: the proxy for its frequency (Zipf: frequent words are short)."""


@dataclass(frozen=True, slots=True)
class Token:
    """One word of the clip as the transcript has it, punctuation attached."""

    text: str
    key: str
    """`spoken_key` of its first word, contractions by their host; empty for punctuation alone."""
    is_sentence_start: bool
    is_sentence_end: bool
    is_capital: bool
    """Capital first letter where no sentence begins, and not `I`."""
    is_content: bool
    level: Level | None

    @property
    def bare(self) -> str:
        return " ".join(tokenize(self.text))


@dataclass(frozen=True, slots=True)
class Reading:
    """A clip as the rubric sees it for one word."""

    word: VocabularyWord
    clip: ClipText
    tokens: tuple[Token, ...]
    targets: tuple[int, ...]
    """Indices into `tokens` at which a form of the word begins, the best sentence's first."""
    target_keys: frozenset[str]
    """Every key that belongs to a form of the word."""
    sentence: tuple[int, int]
    """`[first, last)` of the sentence of the first target, as indices into `tokens`."""
    level: Level
    """The word's own, or the guess."""
    n_names: int

    @property
    def others(self) -> tuple[Token, ...]:
        """Tokens that are not the word itself."""
        return tuple(token for token in self.tokens if token.key and token.key not in self.target_keys)

    @property
    def context(self) -> tuple[Token, ...]:
        """Distinct content words beside the word, names left out, in order."""
        seen = {token.key: token for token in reversed(self.others) if token.is_content and not token.is_capital}
        return tuple(sorted(seen.values(), key=self.tokens.index))


def read_tokens(clip: ClipText) -> tuple[Token, ...]:
    """The words of a clip: those of its transcript, or of its text while nothing is recognised yet."""
    texts = [word.text for word in clip.words] or plain_text(clip.text).split()
    levels = _levels(clip, texts)
    is_shouted = sum(text.isupper() for text in texts) * 2 > len(texts)
    tokens: list[Token] = []
    is_start = True
    for index, text in enumerate(texts):
        bare = tokenize(text)
        key = _host(bare[0]) if bare else ""
        is_end = bool(_SENTENCE_END.search(text.strip())) and not _NO_END.match(text.strip())
        is_capital = bool(bare) and bare[0][:1].isupper() and key != "i" and not is_start and not is_shouted
        is_content = bool(key) and key not in FUNCTION_WORDS and any(mark.isalpha() for mark in key) and len(key) > 1
        tokens.append(Token(text, key, is_start and bool(key), is_end, is_capital, is_content, levels.get(index)))
        is_start = is_end or (is_start and not key)
    return tuple(tokens)


def read_clip(clip: ClipText, tokens: tuple[Token, ...], word: VocabularyWord) -> Reading | None:
    """`clip` read for `word`; None when no form of it is said."""
    matches = WordMatcher([word]).find([token.text for token in tokens])
    given = clip.targets.get(word.text) or clip.targets.get(word_key(word.text)) or ()
    places = sorted({index for index in given if 0 <= index < len(tokens)} if clip.words and given else {m.first_index for m in matches})
    if not places:
        return None
    spans = {m.first_index: m.n_tokens for m in matches}
    keys = frozenset(tokens[index].key for place in places for index in range(place, min(len(tokens), place + spans.get(place, 1))))
    sentences = {place: _sentence(tokens, place) for place in places}
    best = max(places, key=lambda place: (min(20, sentences[place][1] - sentences[place][0]), -place))
    known = clip.levels.get(word_key(word.text))
    return Reading(
        word=word, clip=clip, tokens=tokens, targets=(best, *(place for place in places if place != best)), target_keys=keys,
        sentence=sentences[best], level=Level(known) if known in LEVEL_ORDER else guess_level(word.text),
        n_names=sum(is_name(tokens, place, word) for place in places),
    )  # fmt: skip


def is_name(tokens: Sequence[Token], place: int, word: VocabularyWord) -> bool:
    """Whether the word stands there as (part of) a name: `Mr Baker`; a sentence's first word only before a name."""
    if word.text[:1].isupper():
        return False
    token = tokens[place]
    has_name_after = place + 1 < len(tokens) and tokens[place + 1].is_capital and not token.is_sentence_end
    return token.is_capital or (token.is_sentence_start and token.text.lstrip("\"'\u201c\u2018([")[:1].isupper() and has_name_after)


def guess_level(text: str) -> Level:
    """The level of a word on no list, by its length: up to 5 letters beginner, up to 8 intermediate. A guess, and said so."""
    n_letters = sum(mark.isalpha() for mark in text)
    return LEVEL_ORDER[0 if n_letters <= 5 else 1 if n_letters <= 8 else 2]


def is_harder(token: Token, level: Level) -> bool:
    """Whether a word beside the target is above the target's level: by its list, or by its length where it is on none."""
    if token.level is not None:
        return LEVEL_ORDER.index(token.level) > LEVEL_ORDER.index(level)
    return token.is_content and not token.is_capital and len(token.key) >= LONG_WORD_LETTERS


def _sentence(tokens: Sequence[Token], place: int) -> tuple[int, int]:
    first = place
    while first > 0 and not tokens[first - 1].is_sentence_end:
        first -= 1
    last = place
    while last < len(tokens) - 1 and not tokens[last].is_sentence_end:
        last += 1
    return first, last + 1


def _levels(clip: ClipText, texts: Sequence[str]) -> dict[int, Level]:
    """Token index → the lowest level of the listed words of which it is a form."""
    listed = [(text, Level(level)) for text, level in clip.levels.items() if level in LEVEL_ORDER]
    matcher = WordMatcher(VocabularyWord(index, text) for index, (text, _) in enumerate(listed))
    levels: dict[int, Level] = {}
    for match in matcher.find(texts):
        if match.n_tokens == 1:
            level = listed[match.word_id][1]
            levels[match.first_index] = min(level, levels.get(match.first_index, level), key=LEVEL_ORDER.index)
    return levels


def _host(bare: str) -> str:
    key = spoken_key(bare).strip("'")
    return key.split("'")[0].removesuffix("n") if key.endswith("n't") else key.split("'")[0]
