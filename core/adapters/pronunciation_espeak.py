"""How a word sounds: the aligner's dictionary first, else espeak-ng's phonemes written as ARPABET."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from core.adapters.espeak_library import load_espeak

ARPABET = {
    "tʃ": "CH", "dʒ": "JH", "aɪ": "AY", "aʊ": "AW", "eɪ": "EY", "oʊ": "OW", "əʊ": "OW", "ɔɪ": "OY", "ɪə": "IH R",
    "eə": "EH R", "ʊə": "UH R", "ɪɹ": "IH R", "ɛɹ": "EH R", "ʊɹ": "UH R", "ɑɹ": "AA R", "ɔɹ": "AO R", "oɹ": "AO R",
    "ɜ": "ER", "ɚ": "ER", "ɝ": "ER", "əl": "AH L", "ən": "AH N", "p": "P", "b": "B", "t": "T", "d": "D", "k": "K", "ɡ": "G",
    "g": "G", "f": "F", "v": "V", "θ": "TH", "ð": "DH", "s": "S", "z": "Z", "ʃ": "SH", "ʒ": "ZH", "h": "HH", "m": "M",
    "n": "N", "ŋ": "NG", "l": "L", "ɫ": "L", "ɹ": "R", "r": "R", "ɾ": "T", "ʔ": "T", "w": "W", "ʍ": "W", "j": "Y", "i": "IY",
    "ɪ": "IH", "ɨ": "IH", "ᵻ": "IH", "e": "EY", "ɛ": "EH", "æ": "AE", "a": "AE", "ɑ": "AA", "ɒ": "AA", "ɐ": "AH", "ʌ": "AH",
    "ə": "AH", "ɔ": "AO", "o": "OW", "ʊ": "UH", "u": "UW", "y": "UW", "ø": "ER", "œ": "ER", "x": "K", "ç": "HH", "χ": "K",
    "ɣ": "G", "β": "V", "ʁ": "R", "ɲ": "N Y", "ʎ": "L Y", "ɬ": "L", "c": "K", "q": "K", "ɟ": "JH", "ʂ": "SH", "ʐ": "ZH",
    "ɕ": "SH", "ʑ": "ZH", "ɭ": "L",
}  # fmt: skip
"""IPA as espeak-ng writes it for English and the foreign sounds of names → ARPABET of the CMU dictionary; longest match first."""

_STRESS = re.compile(r"[ˈˌːˑ̩̃ʲ|'_\u0361\u200d]")
_YEAR = re.compile(r"^(1[1-9]|20)([1-9]\d)(?!\d)")
"""1994 is said as nineteen ninety-four; espeak-ng would say nineteen hundred."""
_LONGEST = max(map(len, ARPABET))
_BLANKS = "‐‑‒–—-/_"
MAX_PHONES = 60
"""A token with more sounds than this is not a word; it keeps its own time."""


@dataclass(frozen=True, slots=True)
class SoundedPart:
    """One piece of a word as the aligner gets it: a dictionary word, or a guess with its own name."""

    name: str
    phones: str
    """ARPABET, separated by spaces; empty for a word that the dictionary has."""

    @property
    def is_guessed(self) -> bool:
        return bool(self.phones)


def sound_out(text: str, is_known: Callable[[str], bool], *, voice: str = "en-us") -> tuple[SoundedPart, ...]:
    """The parts of a written word, in order; empty when there is nothing to say or nobody knows how.

    Hyphens and dashes split. Never raises for odd text.

    Args:
        text: one word as written, punctuation attached.
        is_known: whether the aligner's dictionary has this (lower-case) word.
        voice: the espeak-ng voice that sounds out what the dictionary lacks.
    """
    text = unicodedata.normalize("NFC", text).replace("’", "'").replace("‘", "'").casefold()
    if not any(map(str.isdigit, text)):
        pieces = re.split(f"[{re.escape(_BLANKS)}]+", text)
    else:
        pieces = text.split()
    parts = [part for piece in pieces if (part := _sound_piece(piece, is_known, voice)) is not None]
    return tuple(parts)


def _sound_piece(piece: str, is_known: Callable[[str], bool], voice: str) -> SoundedPart | None:
    bare = re.sub(r"^[^\w$£€']+|[^\w'%.]+$", "", piece)
    if not re.search(r"[a-z0-9]", unicodedata.normalize("NFKD", bare)):
        return None
    for form in dict.fromkeys((bare, bare.rstrip("."), bare.strip("'."))):
        if re.fullmatch(r"[a-z'.]+", form) and is_known(form):
            return SoundedPart(form, "")
    phones = spell_sounds(_YEAR.sub(r"\1 \2", bare), voice=voice)
    return SoundedPart("~" + phones.replace(" ", "-"), phones) if phones else None


def spell_sounds(text: str, *, voice: str = "en-us") -> str:
    """ARPABET phones of `text` as espeak-ng says it, separated by spaces; empty when it says nothing or too much."""
    ipa = load_espeak().phonemes(text, voice=voice)
    ipa = re.sub(r"\([a-z-]+\)", "", ipa)
    phones: list[str] = []
    for chunk in re.split(r"[_\s]+", unicodedata.normalize("NFC", ipa)):
        chunk, at = _STRESS.sub("", chunk), 0
        while at < len(chunk):
            for length in range(_LONGEST, 0, -1):
                if (known := ARPABET.get(chunk[at : at + length])) is not None and len(chunk[at : at + length]) == length:
                    phones += known.split()
                    at += length
                    break
            else:
                at += 1
    return " ".join(phones) if len(phones) <= MAX_PHONES else ""
