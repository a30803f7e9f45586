"""How likely a person approves a word in a clip, before the clip is fetched: a prior at first, learnt from decisions later.

p(score, crowding, film, level) = prior(score, crowding) × one ratio a factor. A ratio is what was approved among the decided
pairs of its kind, over what the rest of the model expected of them, drawn towards 1 while there are few:
(approved + m) / (expected + m). Source: indirect standardisation, as in standardised mortality ratios; the draw towards 1 is the
posterior mean of a Poisson rate under a gamma prior of mean 1. Every factor can be read alone, which a regression's weights cannot.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

BEST_RATIO = 0.85
"""Prior: how often a word with relevance 1 that is alone in its clip is approved."""
FALL_RATIO = 1.0
"""Prior: how much less often a full point of relevance below that."""
CROWD_RATIO = 0.10
"""Prior: what each further good word takes off the chance of every one.

All three are assumptions, not measurements; they stand until decisions tell. They say only that a better score is better, and that a
crowded clip teaches each word less (DESIGN.md, choose). Ten decisions already move them.
"""
LEAST, MOST = 0.02, 0.98
N_ROUNDS = 4
"""Rounds in which the ratios settle beside one another."""

FACTORS = ("all", "score", "crowding", "level", "film")
STRENGTH: Mapping[str, float] = {"all": 5.0, "score": 10.0, "crowding": 10.0, "level": 12.0, "film": 6.0}
"""m by factor: expected approvals that weigh as much as the prior's 1. The more a factor splits the pairs, the more it is held back."""


@dataclass(frozen=True, slots=True)
class DecidedPair:
    """A fetched clip and a word of it, shortlisted as good, of which it is known whether it led to an approval."""

    score: float
    """Relevance at the shortlist, 0–1."""
    n_words: int
    """Good words of the clip at the shortlist, this one included."""
    film: str
    level: str
    is_approved: bool


@dataclass(frozen=True, slots=True)
class Factor:
    """What one kind of pairs showed."""

    name: str
    """One of FACTORS."""
    kind: str
    """`0.8`, `3`, a level, a film's title."""
    ratio: float
    """Approved over expected, drawn towards 1."""
    n: int
    """Decided pairs of this kind."""


@dataclass(frozen=True, slots=True)
class ApprovalModel:
    """The prior with what decisions made of it. Without decisions it is the prior."""

    n: int = 0
    """Decided pairs."""
    n_approved: int = 0
    found: Mapping[tuple[str, str], Factor] = field(default_factory=dict)
    """By factor and kind; what is not there has ratio 1."""

    def probability(self, score: float, n_words: int, film: str, level: str) -> float:
        """The chance that a person approves the word in this clip once it is fetched."""
        chance = prior(score, n_words)
        for factor in self.factors(score, n_words, film, level):
            chance *= factor.ratio
        return _within(chance)

    def factors(self, score: float, n_words: int, film: str, level: str) -> tuple[Factor, ...]:
        """What takes part in the probability, beside the prior; empty where nothing is learnt."""
        kinds = _kinds(score, n_words, film, level)
        return tuple(self.found[name, kind] for name, kind in kinds if (name, kind) in self.found)

    @property
    def says(self) -> str:
        """What it rests on, for people."""
        if not self.n:
            return "An assumption: nothing of the kind was decided yet."
        return f"From {self.n} decided words of clips, {self.n_approved} of them approved."


def prior(score: float, n_words: int) -> float:
    """The chance before any decision."""
    return _within((BEST_RATIO - FALL_RATIO * (1 - score)) * (1 - CROWD_RATIO) ** max(0, n_words - 1))


def learn(pairs: Sequence[DecidedPair]) -> ApprovalModel:
    """The model of these decisions; without any the prior."""
    kinds = [_kinds(pair.score, pair.n_words, pair.film, pair.level) for pair in pairs]
    chances = [prior(pair.score, pair.n_words) for pair in pairs]
    ratios: dict[tuple[str, str], float] = defaultdict(lambda: 1.0)
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for each in kinds:
        for key in each:
            counts[key] += 1
    for _ in range(N_ROUNDS):
        for name in FACTORS:
            approved: dict[tuple[str, str], float] = defaultdict(float)
            expected: dict[tuple[str, str], float] = defaultdict(float)
            for pair, each, start in zip(pairs, kinds, chances, strict=True):
                own = next((key for key in each if key[0] == name), None)
                if own is None:
                    continue
                chance = start
                for key in each:
                    chance *= 1.0 if key == own else ratios[key]
                approved[own] += pair.is_approved
                expected[own] += _within(chance)
            for key, total in expected.items():
                ratios[key] = (approved[key] + STRENGTH[name]) / (total + STRENGTH[name])
    found = {key: Factor(key[0], key[1], ratio, counts[key]) for key, ratio in ratios.items() if counts[key]}
    return ApprovalModel(len(pairs), sum(pair.is_approved for pair in pairs), found)


def describe(factors: Sequence[Factor]) -> str:
    """What was learnt and matters, the strongest first, for people; empty where nothing differs by a tenth or more."""
    told: Mapping[str, Callable[[Factor], str]] = {
        "all": lambda one: "all words",
        "score": lambda one: f"scores about {one.kind}",
        "crowding": lambda one: "clips with one word" if one.kind == "1" else f"clips with {one.kind} words",
        "level": lambda one: f"{one.kind} words",
        "film": lambda one: one.kind,
    }
    strong = sorted((one for one in factors if abs(one.ratio - 1) >= 0.1), key=lambda one: -abs(one.ratio - 1))
    says = "; ".join(f"{told[one.name](one)}: approved {one.ratio:.2f} times as often as expected (n = {one.n})" for one in strong)
    return says[:1].upper() + says[1:]


def _kinds(score: float, n_words: int, film: str, level: str) -> tuple[tuple[str, str], ...]:
    kinds = [("all", ""), ("score", f"{min(int(score * 10), 9) / 10:.1f}"), ("crowding", str(max(1, min(n_words, 5))))]
    if level:
        kinds.append(("level", level))
    if film:
        kinds.append(("film", film))
    return tuple(kinds)


def _within(chance: float) -> float:
    return min(MOST, max(LEAST, chance))
