"""Which clips to download next: greedily, each time the one that is expected to bring most approved words on top of the others.

The value of a clip only falls as others are taken (a word's second approved clip counts a quarter of its first), so that the greedy
choice brings at least 1 − 1/e of what the best one of all would. Source: Nemhauser, Wolsey and Fisher, 1978; the lazy queue is
Minoux's, 1978.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

OUTSIDE_WEIGHT = 0.25
"""What the first approved clip of a word outside the run counts: it closes a gap of some bundle, perhaps one that nobody asks for.
An assumption."""
LEAST_WINDOW, MOST_WINDOW = 2, 24
"""A window holds several words, or there is nothing to choose between; and at most as many as can wait beside those at work."""
LINK_MARGIN_RATIO = 0.9
"""Of a link's life that is used, so that the last clip of a window still has a living one."""
SECOND_WORTH = 0.25
"""What a word's second approved clip is worth of its first: a learner is shown one clip (headline k = 1)."""
EARLY_RATIO = 0.3
"""Of its share of scarce downloads, what a window spends while other words are still searched: enough to judge meanwhile, and the rest is
spent better among the lines of all words. Measured by `benchmarks.choose`, two seeds: 1 brings 197 approved words, 0.3 brings 209, 0.15 no
more."""
PATIENCE_RATIO = 1 / 20
"""Of a link's life: a word that waits while nothing is fetched is not kept longer (15 s of five minutes), since there is time for a
download."""
MOST_PATIENCE_RATIO = 1 / 5
"""Nor longer than this in any case: its own links grow old."""


@dataclass(frozen=True, slots=True)
class GoodWord:
    """A word that a clip can teach, by the shortlist."""

    word_id: int
    probability: float
    """That a person approves it in this clip."""
    score: float
    level: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A shortlisted clip that would cost a download."""

    clip_id: int
    words: tuple[GoodWord, ...]
    owners: frozenset[int]
    """Words whose workflow can fetch it now."""


@dataclass(slots=True)
class WordNeed:
    """What a word still wants, and what may come of the clips that it has. It changes as clips are chosen."""

    word_id: int
    want: int
    n_approved: int
    n_free: int
    """Places that no clip in review, on its way or just chosen is meant for; at most so many clips more are chosen for it."""
    weight: float = 1.0
    n_approved_chances: list[float] = field(default_factory=lambda: [1.0])
    """Place k: the chance that exactly k of the clips in review or on their way are approved."""

    def expect(self, probability: float) -> None:
        """One clip more is in review or on its way."""
        old = self.n_approved_chances
        grown = [0.0] * (len(old) + 1)
        for k, chance in enumerate(old):
            grown[k] += chance * (1 - probability)
            grown[k + 1] += chance * probability
        self.n_approved_chances = grown

    @property
    def counts_for(self) -> float:
        """What one approved clip more is worth: 1 for the first, 1/4 for the second, 1/8 for the third …, nothing from the want on."""
        if self.n_free <= 0:
            return 0.0
        chances = enumerate(self.n_approved_chances, self.n_approved)
        return self.weight * sum(chance * _value_of_next(n_had) for n_had, chance in chances if n_had < self.want)


def _value_of_next(n_had: int) -> float:
    """Of one approved clip more for a word that has `n_had`."""
    return 1.0 if n_had == 0 else SECOND_WORTH / n_had


@dataclass(frozen=True, slots=True)
class Gain:
    """What one word gains from a chosen clip."""

    word: GoodWord
    counts_for: float

    @property
    def expected(self) -> float:
        return self.word.probability * self.counts_for


@dataclass(frozen=True, slots=True)
class Chosen:
    """A clip that is to be downloaded, by whom and what for."""

    candidate: Candidate
    owner: int
    gains: tuple[Gain, ...]

    @property
    def expected(self) -> float:
        """Approved words that it is expected to bring."""
        return sum(gain.expected for gain in self.gains)


def choose_clips(
    candidates: Sequence[Candidate],
    needs: Mapping[int, WordNeed],
    *,
    n: int | None,
    serving: Collection[int] = (),
    awake: Collection[int] = (),
) -> list[Chosen]:
    """The best clips, best first; `needs` is changed as they are taken.

    Args:
        n: at most so many. None: until each word of `serving` has its places filled, as far as there are clips for it; a clip that
            serves none of them is then left alone.
        awake: words whose workflow is waiting here; they are preferred as owners to ones that would have to be started again.
    """
    served = frozenset(serving)
    queue = [(-_worth(one, needs), one.clip_id, one) for one in candidates if one.owners]
    queue = [entry for entry in queue if entry[0] < 0]
    heapq.heapify(queue)
    chosen: list[Chosen] = []
    while queue and (n is None or len(chosen) < n):
        _, clip_id, candidate = heapq.heappop(queue)
        if n is None and not any(word.word_id in served and _is_free(needs, word.word_id) for word in candidate.words):
            continue
        worth = _worth(candidate, needs)
        if worth <= 0:
            continue
        if queue and (-worth, clip_id) > queue[0][:2]:
            heapq.heappush(queue, (-worth, clip_id, candidate))
            continue
        chosen.append(_take(candidate, needs, awake))
    return chosen


def _take(candidate: Candidate, needs: Mapping[int, WordNeed], awake: Collection[int]) -> Chosen:
    gains = tuple(
        Gain(word, needs[word.word_id].counts_for) for word in candidate.words if word.word_id in needs and _is_free(needs, word.word_id)
    )
    by_word = {gain.word.word_id: gain.expected for gain in gains}
    owner = max(candidate.owners, key=lambda word_id: (word_id in awake, by_word.get(word_id, 0.0), -word_id))
    for gain in gains:
        needs[gain.word.word_id].expect(gain.word.probability)
        needs[gain.word.word_id].n_free -= 1
    return Chosen(candidate, owner, tuple(sorted(gains, key=lambda gain: -gain.expected)))


def _worth(candidate: Candidate, needs: Mapping[int, WordNeed]) -> float:
    return sum(word.probability * needs[word.word_id].counts_for for word in candidate.words if word.word_id in needs)


def _is_free(needs: Mapping[int, WordNeed], word_id: int) -> bool:
    return word_id in needs and needs[word_id].n_free > 0


# Windows -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Waiting:
    """How a run stands, as a word sees it that waits to be chosen for."""

    n_waiting: int
    """Words that wait for the choice."""
    n_upstream: int
    """Words that have not come so far yet."""
    is_fetching: bool
    is_first: bool
    """Nothing was chosen yet in this run."""
    waited_s: float
    """By this word."""


def window_size(limit: int, window_s: float, link_life_s: float, mean_missing: float) -> int:
    """Words a window, so that what is chosen can begin before the links of its searches die.

    While a word is searched, others' clips are downloaded: a word takes one request, and one more for each clip that it misses. A larger
    window chooses better, a smaller one asks for fewer fresh links.
    """
    n_requests = link_life_s * LINK_MARGIN_RATIO * limit / window_s
    return max(LEAST_WINDOW, min(MOST_WINDOW, int(n_requests / (1 + max(0.0, mean_missing)))))


def is_ripe(waiting: Waiting, size: int, link_life_s: float) -> bool:
    """Whether the choice is made now: at once for the first clip, else when a window is full or waiting brings nothing more."""
    if waiting.is_first or waiting.n_upstream == 0 or waiting.n_waiting >= size:
        return True
    if waiting.waited_s > MOST_PATIENCE_RATIO * link_life_s:
        return True
    return waiting.waited_s > PATIENCE_RATIO * link_life_s and not waiting.is_fetching


def share_of_window(n_left: int | None, n_missing: int, n_window: int, n_upstream: int) -> int | None:
    """How many downloads a window may choose; None for as many as its words miss.

    Args:
        n_left: downloads that the run may still choose, None where nothing limits it.
        n_missing: clips that all words of the run still miss.
        n_window, n_upstream: words that still want clips, here and on their way here.
    """
    if n_left is None or n_missing <= n_left:
        return None
    if n_left <= 0:
        return 0
    if n_upstream == 0:
        return n_left
    return min(n_left, max(1, math.ceil(EARLY_RATIO * n_left * n_window / (n_window + n_upstream))))
