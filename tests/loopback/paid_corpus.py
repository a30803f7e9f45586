"""Short clips that really say words of the shipped lists: what the made-up ClipCafe of `paid_world` holds.

Of every seven clips one names the searched word only in its script, and of every sixteen one is uploaded twice, as in the real one.
"""

from __future__ import annotations

import csv
import random
import re
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any

from tests.conftest import REPO_PATH
from tests.loopback.clipcafe_corpus import FIRST, LAST, SCRIPT_ONLY_RATIO, TWIN_RATIO, WRONG_DURATION_RATIO, CorpusClip

LISTS = ("demo_toefl.csv", "demo_ielts.csv")
RATE_WPM = 200
"""Of the voice: a line takes 2 to 4 seconds."""
TEMPLATES = {
    1: (
        "I really need {0} now, {name}.",
        "What does {0} mean to you, {name}?",
        "Nobody here wants {0}, {name}.",
        "It was about {0}, {name}.",
    ),
    2: (
        "I said {0}, not {1}, {name}.",
        "First {0} and then {1}, {name}.",
        "You want {0} without {1}, {name}.",
        "Is it {0} or {1}, {name}?",
    ),
    3: ("Between {0} and {1} stood {2}, {name}.", "Give me {0}, {1} or {2}, {name}.", "No {0}, no {1}, no {2}, {name}!"),
}
NAMES = (
    "Ada", "Bruno", "Clara", "Dora", "Esther", "Felix", "Greta", "Hugo", "Iris", "Jonas", "Karl", "Laura", "Martin", "Nora", "Oscar",
    "Paula", "Robert", "Simon", "Tina", "Victor", "Walter", "Anna", "Boris", "Daniel", "Emma", "Frank", "George", "Helen", "Ivan", "Julia",
)  # fmt: skip


def list_words(n_words: int) -> list[str]:
    """The first plain words of the shipped lists of which none begins another or stands in a template."""
    found: list[str] = []
    plain = {word.casefold() for lines in TEMPLATES.values() for line in lines for word in re.findall(r"\w+", line)}
    for name in LISTS:
        with (REPO_PATH / "data" / name).open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                word = row["word"].strip()
                is_alone = not any(word.startswith(other) or other.startswith(word) for other in found)
                if re.fullmatch("[a-z]{4,}", word) and word not in plain and is_alone:
                    found.append(word)
    assert len(found) >= n_words, f"the shipped lists have {len(found)} such words"
    return found[:n_words]


def short_corpus(words: Sequence[str], *, clips_a_word: int, n_films: int = 60, seed: int = 1) -> list[CorpusClip]:
    """At least `clips_a_word` hits for every word, one to three of the words in a clip; the same for the same seed."""
    chance = random.Random(seed)
    films = [(f"The {chance.choice(FIRST)} {chance.choice(LAST)} {n}", 1960 + n % 60) for n in range(n_films)]
    n_hits = dict.fromkeys(words, 0)
    clips: list[CorpusClip] = []
    for word in words:
        while n_hits[word] < clips_a_word:
            made = [_clip(chance, word, words, films, len(clips))]
            if chance.random() < TWIN_RATIO:
                views, slug = chance.randrange(10, 100_000), f"{made[0].slug}-again"
                made.append(replace(made[0], slug=slug, number=len(clips) + 1, views=views, twin_of=made[0].slug))
            clips += made
            for clip in made:
                for other in {word, *re.findall(r"\w+", clip.transcript)} & n_hits.keys():
                    n_hits[other] += 1
    return clips


def _clip(chance: random.Random, word: str, words: Sequence[str], films: Sequence[tuple[str, int]], number: int) -> CorpusClip:
    film, year = chance.choice(films)
    is_script_only = chance.random() < SCRIPT_ONLY_RATIO and len(words) > 3
    others = [other for other in words if other != word]
    n_words = min(chance.choice((1, 1, 2, 2, 3)), len(others) if is_script_only else len(words))
    chosen = chance.sample(others, n_words) if is_script_only else [word, *chance.sample(others, n_words - 1)]
    chance.shuffle(chosen)
    spoken = chance.choice(TEMPLATES[n_words]).format(*chosen, name=chance.choice(NAMES))
    duration_s = round(0.8 + len(spoken.split()) * 60 / RATE_WPM, 2)
    is_wrong = chance.random() < WRONG_DURATION_RATIO
    return CorpusClip(
        slug=f"{film.lower().replace(' ', '-')}-{number}",
        title=f"&quot;{spoken[:30]}&quot; &amp; more",
        film=film,
        year=year,
        script=f"Stranger: [looks at the {word}] ..." if is_script_only else f"Stranger: [turns away] {spoken}",
        spoken=spoken,
        duration_s=duration_s,
        stated_s=round(max(1.0, duration_s * chance.uniform(0.7, 1.4)), 2) if is_wrong else duration_s,
        stated_resolution="192x108",
        views=chance.randrange(10, 100_000),
        number=number,
    )


def judge_words(clip: str, words: list[str]) -> list[dict[str, Any]]:
    """What the world's judge says of a clip's words: six of seven are good, each as its clip and word have it, best first."""
    items = []
    for word in words:
        share = int(sha256(f"{clip}|{word}".encode()).hexdigest()[:6], 16) / 0xFFFFFF
        if share > 1 / 7:
            score = round(0.62 + 0.36 * share, 2)
            reason = f"The line shows what “{word}” means to the one who says it, and the picture helps."
            items.append(
                {"word": word, "education": score, "context": score, "relevance": score, "reason": reason, "difficulty": "intermediate"}
            )
    return sorted(items, key=lambda item: -item["relevance"])[:5]
