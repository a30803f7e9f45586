"""The inflections of an English word.

From LemmInflect, which carries the NIH SPECIALIST lexicon (see docs/decisions/0002-morphology.md). Its neural model for
unknown words is not used: it is a pickle, and wants a part of speech. A word that the lexicon lacks is inflected by the
regular spelling rules. Derived words (`emergent`, `emergency`) are never forms of each other.
"""

from __future__ import annotations

from functools import lru_cache

from core.rules.word_keys import spoken_key, word_key

GRAMMAR_FORMS = {
    "am": "be", "is": "be", "are": "be", "was": "be", "were": "be", "been": "be", "has": "have", "had": "have", "does": "do",
    "did": "do", "could": "can", "would": "will", "might": "may", "should": "shall", "its": "it", "his": "he", "us": "we", "as": "as",
    "less": "little", "more": "much", "most": "much",
}  # fmt: skip
"""Forms so common that they count for one word alone: `does` is never the plural of `doe`."""

_MISSING = {
    "program": ("programmed", "programming"), "mimic": ("mimicked", "mimicking"), "lie": ("lain",),
    "traffic": ("trafficked", "trafficking"), "little": ("less", "least"), "many": ("more", "most"),
    "may": ("might",), "will": ("would",), "shall": ("should",),
}  # fmt: skip
"""Forms that the lexicon lacks or spells wrongly."""

_OWN_FORMS_OF_MANY = {"more": ("much", "many"), "most": ("much", "many"), "might": ("may",)}
_VOWELS = frozenset("aeiou")
_LONGEST = 45
"""Letters of the longest word in English dictionaries; anything longer is not inflected."""


@lru_cache(maxsize=65_536)
def inflections(text: str) -> frozenset[str]:
    """Every form of one English word, itself included, as `spoken_key`s. `text` is one word without spaces.

    The part of speech is not asked for: films turn nouns into verbs, and a person judges each clip.
    Source: LemmInflect 0.2.3, `getAllInflections`.
    """
    key = word_key(text)
    forms = {key}
    if key.isalpha() and len(key) <= _LONGEST:
        forms |= _lexicon_forms(key) or _lexicon_forms(spoken_key(key)) or _regular_forms(key)
        forms.update(_MISSING.get(key, ()))
        forms |= _other_spellings(key)
    return frozenset(spoken_key(form) for form in forms if _belongs(form, key))


def _belongs(form: str, key: str) -> bool:
    if form == key or form not in GRAMMAR_FORMS:
        return True
    return key == GRAMMAR_FORMS[form] or key in _OWN_FORMS_OF_MANY.get(form, ())


def _lexicon_forms(key: str) -> set[str]:
    import lemminflect

    tagged: dict[str, tuple[str, ...]] = lemminflect.getAllInflections(key)
    return {form.casefold() for forms in tagged.values() for form in forms}


def _is_known(key: str) -> bool:
    import lemminflect

    return bool(lemminflect.getAllLemmas(key))


def _regular_forms(key: str) -> set[str]:
    """Regular noun and verb endings for a word that the lexicon lacks as a base form.

    An adverb in -ly, a participle or a plural that stands on a list as such has no further forms.
    """
    if len(key) < 2 or key.endswith(("ly", "ing", "ed")) or _is_known(key) or not spoken_key(key).isascii():
        return set()
    return {_plural(key), _past(key), _participle(key)}


def _plural(key: str) -> str:
    if key.endswith("y") and key[-2] not in _VOWELS:
        return key[:-1] + "ies"
    return key + ("es" if key.endswith(("s", "x", "z", "ch", "sh")) else "s")


def _past(key: str) -> str:
    if key.endswith("e"):
        return key + "d"
    return key[:-1] + "ied" if key.endswith("y") and key[-2] not in _VOWELS else key + "ed"


def _participle(key: str) -> str:
    return (key[:-1] if key.endswith("e") and not key.endswith(("ee", "oe", "ye")) else key) + "ing"


_SPELLINGS = (("ize", "ise"), ("yze", "yse"), ("ization", "isation"), ("or", "our"), ("ter", "tre"), ("ber", "bre"))
"""American and British endings, tried both ways where the lexicon knows the other word."""
_DIFFERENT_WORDS = frozenset({"prize", "prise", "size", "contor", "tor", "for", "hor", "dor", "por", "sor", "vise", "raise"})


def _other_spellings(key: str) -> set[str]:
    """The forms of the same word in the other spelling: lists say `color`, captions say `colours`."""
    found: set[str] = set()
    if len(key) < 5 or key in _DIFFERENT_WORDS:
        return found
    for american, british in _SPELLINGS:
        for ours, theirs in ((american, british), (british, american)):
            other = key.removesuffix(ours) + theirs
            if key.endswith(ours) and other != key and other not in _DIFFERENT_WORDS and _is_known(other):
                found |= {other} | _lexicon_forms(other)
    return found
