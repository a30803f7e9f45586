"""Strong language in what is spoken: such a clip is marked on the desk, and exported only with a tick.

The list is our own and short. It takes the words that Ofcom's "Attitudes to potentially offensive language and gestures"
(2016, quick reference guide) ranks medium, strong or strongest, and the best-known slurs; mild ones (`damn`, `bloody`) and
words that are mostly said in another sense (`cock`, `beaver`, `balls`) are left out. Whole words only, so that `Scunthorpe`
and `Dickens` are safe; `dick` counts in lower case alone, because it is also a name. A starred word (`f**k`) counts.
"""

from __future__ import annotations

import re

from core.rules.matching import tokenize
from core.rules.word_keys import plain_text, spoken_key

_STEMS: dict[str, str] = {
    "fuck": "s ed er ers in ing off face head up wit",
    "motherfuck": "er ers in ing",
    "shit": "s ty ting ted head heads hole storm ter show",
    "bullshit": "s ting ter",
    "horseshit": "",
    "cunt": "s",
    "bitch": "es y ing ed",
    "bastard": "s",
    "asshole": "s",
    "arsehole": "s",
    "ass": "es",
    "arse": "s",
    "jackass": "es",
    "dumbass": "es",
    "badass": "es",
    "dickhead": "s",
    "wank": "s er ers ing ed",
    "twat": "s",
    "bollocks": "",
    "piss": "ed es ing er",
    "whore": "s house",
    "slut": "s ty",
    "tits": "",
    "titties": "",
    "pussy": "",
    "pussies": "",
    "prick": "s",
    "cocksucker": "s",
    "cocksucking": "",
    "goddamn": "ed",
    "fag": "s got gots",
    "dyke": "s",
    "nigger": "s",
    "nigga": "s",
    "kike": "s",
    "spic": "s",
    "chink": "s",
    "gook": "s",
    "wetback": "s",
    "paki": "s",
    "tranny": "",
    "retard": "s ed",
    "shat": "",
    "douchebag": "s",
    "clusterfuck": "s",
    "bellend": "s",
    "minge": "",
    "shite": "s",
    "bugger": "s ed ing",
    "feck": "ing in",
}
"""Stem → the endings with which it is also said."""
_LOWER_CASE_ONLY = frozenset({"dick", "dicks"})
_FORMS = frozenset(stem + ending for stem, endings in _STEMS.items() for ending in ["", *endings.split()])
_STARRED = re.compile(r"(?<![\w*])[a-z]+(?:[*#@$%!]{2,}|\*)[a-z]*(?![\w*])", re.IGNORECASE)


def strong_words(text: str) -> tuple[str, ...]:
    """The strong words said in `text`, in lower case, each once, in the order in which they are first said."""
    plain = plain_text(text)
    found = {match.group().casefold(): match.start() for match in reversed(list(_STARRED.finditer(plain))) if "*" in match.group()}
    for token in tokenize(plain):
        for part in token.split("-"):
            key = spoken_key(part).strip("'").removesuffix("'s")
            if key in _FORMS or part.strip("'") in _LOWER_CASE_ONLY:
                found.setdefault(key, plain.find(part))
    return tuple(sorted(found, key=lambda word: found[word]))
