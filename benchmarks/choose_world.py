"""The clips and the curator of `benchmarks.choose`: how the texts are drawn, and who approves what.

How many list words a clip speaks is drawn as in real speech. `python -m benchmarks.choose --measure` counts it on the test media: 26
utterances of 435 words hold 1.69 words of the CEFR-J B1–B2 and Octanove C1–C2 lists (6,344 words) each, 0.101 a spoken word, with a
variance of 2.4. A clip lasts 1–15 s, uniformly, at 2.5 words a second, so that a clip found for a word holds on average two list words
more. *Which* words these are follows Zipf's law, 1 / (rank + 10), over the list, at random against the order of the run. Film, level
and the place of a word among the run's say nothing of its quality here.

A word in a clip has a true quality of N(0.72, 0.15); the judge sees it with an error of N(0, 0.1) and calls it good from 0.6 on, at most
five words a clip, as the shortlist does. The curator approves it with a chance of quality × fall ** (good words in the clip − 1).
These are assumptions about judge and curator: no such decisions are recorded yet.
"""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.model.vocabulary import VocabularyWord
from core.rules.matching import WordMatcher, tokenize

LIST_WORDS_A_SPOKEN_WORD = 0.101
SPREAD = 3.8
"""Shape of the gamma by which texts differ in how many list words they hold: mean² / (variance − mean)."""
WORDS_A_SECOND = 2.5
ZIPF_OFFSET = 10
LEAST_SCORE, MOST_WORDS = 0.6, 5
N_FILMS = 60


@dataclass(frozen=True, slots=True)
class DrawnWord:
    """A good word of a clip."""

    word: int
    score: float
    is_approved: bool
    """What the curator says if the clip is ever fetched."""


@dataclass(frozen=True, slots=True)
class DrawnClip:
    """One clip that a search for `found_for` brings, with its good words, best first."""

    number: int
    found_for: int
    film: str
    words: tuple[DrawnWord, ...]

    def word(self, number: int) -> DrawnWord | None:
        return next((one for one in self.words if one.word == number), None)


def draw_clips(seed: int, *, n_words: int, n_clips: int, n_listed: int, fall: float) -> list[DrawnClip]:
    """`n_clips` clips for each of the run's words 0 … n_words - 1; the lists hold `n_listed` words."""
    chance = random.Random(seed)
    ranks = list(range(n_listed))
    chance.shuffle(ranks)
    weights = [1 / (rank + ZIPF_OFFSET) for rank in ranks]
    clips = []
    for found_for in range(n_words):
        for _ in range(n_clips):
            expected = LIST_WORDS_A_SPOKEN_WORD * WORDS_A_SECOND * chance.uniform(1, 15)
            n_others = _poisson(chance, chance.gammavariate(SPREAD, expected / SPREAD))
            spoken = dict.fromkeys([found_for, *chance.choices(range(n_listed), weights, k=n_others)])
            film = f"Film {chance.randrange(N_FILMS)}"
            clips.append(DrawnClip(len(clips), found_for, film, _judged(chance, list(spoken), fall)))
    return clips


def _judged(chance: random.Random, spoken: Sequence[int], fall: float) -> tuple[DrawnWord, ...]:
    seen = []
    for word in spoken:
        quality = min(1.0, max(0.0, chance.gauss(0.72, 0.15)))
        seen.append((min(1.0, max(0.0, quality + chance.gauss(0, 0.1))), word, quality))
    good = sorted((one for one in seen if one[0] >= LEAST_SCORE), reverse=True)[:MOST_WORDS]
    return tuple(DrawnWord(word, score, chance.random() < quality * fall ** (len(good) - 1)) for score, word, quality in good)


def _poisson(chance: random.Random, mean: float) -> int:
    n, left = 0, chance.expovariate(1.0)
    while left < mean:
        n += 1
        left += chance.expovariate(1.0)
    return n


def best_in_turn(clips: Sequence[DrawnClip], n_words: int, quota: int) -> list[DrawnClip]:
    """The peer: each word's best-scored clip, then each word's second best …, until the quota is used; no clip twice."""
    by_word: dict[int, list[DrawnClip]] = {word: [] for word in range(n_words)}
    for clip in clips:
        if clip.word(clip.found_for) is not None:
            by_word[clip.found_for].append(clip)
    for found_for, some in by_word.items():
        some.sort(key=lambda clip: -(word.score if (word := clip.word(found_for)) else 0.0))
    turns = [some[place] for place in range(max(map(len, by_word.values()))) for some in by_word.values() if place < len(some)]
    return turns[:quota]


def measure(media_path: Path) -> str:
    """How many list words real utterances hold, as the module says."""
    levels: dict[str, str] = {}
    for path in sorted((media_path / "wordlists").glob("*.csv")):
        with path.open(encoding="utf-8-sig") as file:
            for row in csv.DictReader(file):
                word = row["headword"].split("/")[0].strip().lower()
                levels[word] = min(levels.get(word, "Z"), row["CEFR"])
    listed = [word for word, level in levels.items() if level >= "B1"]
    matcher = WordMatcher(VocabularyWord(number, word) for number, word in enumerate(listed))
    spoken: Mapping[str, list[dict[str, str]]] = json.loads((media_path / "speech.json").read_text())
    texts = [one["text"] for one in (spoken["utterances"] if isinstance(spoken, dict) else spoken)]
    counts = [len({match.word_id for match in matcher.find_in_text(text)}) for text in texts]
    n_spoken = sum(len(tokenize(text)) for text in texts)
    mean = sum(counts) / len(counts)
    variance = sum((count - mean) ** 2 for count in counts) / (len(counts) - 1)
    return (
        f"{len(texts)} utterances of {n_spoken} words hold {mean:.2f} of {len(listed):,} list words each (variance {variance:.2f}), "
        f"{sum(counts) / n_spoken:.3f} a spoken word"
    )
