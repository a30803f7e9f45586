"""Time a text against the number of vocabulary words: `python -m benchmarks.match [WORDLIST.csv …] [--texts 200]`.

One pass (`WordMatcher`) beside the two usual ways: one regular expression a word, searched one after the other; and all
words in one alternation. The peers search the same inflected forms, so that all three find the same words; the table's
last column says how many (text, word) pairs each found.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from core.model.vocabulary import VocabularyWord
from core.rules.matching import WordMatcher
from core.rules.morphology import inflections
from core.rules.word_lists import parse_word_list

MEDIA = Path(os.environ.get("WORDREEL_TEST_MEDIA") or Path(__file__).resolve().parents[2] / "shared" / "media")
SIZES = (500, 2_000, 8_000)
TEXT_WORDS = 25
"""Words a text: what is spoken in a clip of ten seconds."""


def read_words(paths: Sequence[Path]) -> list[str]:
    """The single words of the lists, in a fixed random order."""
    words: dict[str, None] = {}
    for path in paths:
        parsed = parse_word_list(path.read_bytes(), exam="cefr", level=None, file_name=path.name)
        words.update((word.text.casefold(), None) for word in parsed.words if word.text.isascii() and word.text.isalpha())
    shuffled = list(words)
    random.Random(8).shuffle(shuffled)
    return shuffled


def make_texts(words: Sequence[str], n_texts: int) -> list[str]:
    """Texts of the length of a clip: frequent short words with a form of a list word among every few of them."""
    chance = random.Random(9)
    filler = ("the", "a", "of", "to", "and", "in", "is", "it", "you", "that", "he", "was", "for", "on", "with", "as", "his", "at", "but")
    texts = []
    for _ in range(n_texts):
        forms = [sorted(inflections(chance.choice(words))) for _ in range(TEXT_WORDS // 3)]
        spoken = [chance.choice(form) for form in forms] + chance.choices(filler, k=TEXT_WORDS - len(forms))
        chance.shuffle(spoken)
        texts.append(" ".join(spoken).capitalize() + ".")
    return texts


def median_ms(find: Callable[[str], object], texts: Sequence[str], repeats: int) -> float:
    """Median over `repeats` of the mean time a text, in milliseconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        for text in texts:
            find(text)
        times.append((time.perf_counter() - start) / len(texts) * 1000)
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lists", nargs="*", type=Path, help="word lists; without any, the two of the test media")
    parser.add_argument("--texts", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    paths = arguments.lists or sorted((MEDIA / "wordlists").glob("*.csv"))
    if not paths:
        sys.exit(f"No word lists at {MEDIA / 'wordlists'}: name them, or set WORDREEL_TEST_MEDIA to the test media.")
    words = read_words(paths)
    texts = make_texts(words, arguments.texts)
    inflections("warm")
    print(f"{len(texts)} texts of {TEXT_WORDS} words, median of {arguments.repeats} passes, milliseconds a text")
    print(f"{'words':>6} {'lay out':>10} {'one pass':>10} {'regex a word':>14} {'ratio':>8} {'alternation':>13} {'ratio':>8}   pairs found")
    for size in sorted({min(size, len(words)) for size in SIZES}):
        print(measure(words[:size], texts, arguments.repeats))


def measure(words: Sequence[str], texts: Sequence[str], repeats: int) -> str:
    """One row of the table."""
    inflections.cache_clear()
    start = time.perf_counter()
    matcher = WordMatcher(VocabularyWord(index, word) for index, word in enumerate(words))
    layout_ms = (time.perf_counter() - start) * 1000
    forms = [sorted(inflections(word)) for word in words]
    singles = [re.compile(rf"\b(?:{'|'.join(map(re.escape, each))})\b", re.IGNORECASE) for each in forms]
    flat = sorted({form for each in forms for form in each}, key=len, reverse=True)
    alternation = re.compile(rf"\b(?:{'|'.join(map(re.escape, flat))})\b", re.IGNORECASE)
    owners: dict[str, list[int]] = {}
    for index, each in enumerate(forms):
        for form in each:
            owners.setdefault(form, []).append(index)

    def one_by_one(text: str) -> set[int]:
        return {index for index, pattern in enumerate(singles) if pattern.search(text)}

    def by_alternation(text: str) -> set[int]:
        return {index for found in alternation.findall(text) for index in owners[found.lower()]}

    def in_one_pass(text: str) -> set[int]:
        return {match.word_id for match in matcher.find_in_text(text)}

    few = texts[: max(5, len(texts) // 10)]
    ours, slow, wide = (
        median_ms(in_one_pass, texts, repeats),
        median_ms(one_by_one, few, min(3, repeats)),
        median_ms(by_alternation, few, repeats),
    )
    pairs = [sum(len(find(text)) for text in few) for find in (in_one_pass, one_by_one, by_alternation)]
    return (
        f"{len(words):>6,} {layout_ms:>8.0f}ms {ours:>10.3f} {slow:>14.2f} {slow / ours:>7.0f}x {wide:>13.2f} {wide / ours:>7.0f}x"
        f"   {pairs[0]} · {pairs[1]} · {pairs[2]}"
    )


if __name__ == "__main__":
    main()
