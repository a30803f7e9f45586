"""The teachability rubric: how well a clip teaches a word, as a sum of features that can be read and checked.

GDEX (Kilgarriff et al. 2008) for clips that are heard. Each feature is 0–1, its weight counts within its score. The weights
are set by hand, not learnt; docs/rubric.md says what each feature is, why, and from which source.
"""

from __future__ import annotations

from collections.abc import Sequence

from core.adapters.rubric_reading import LEVEL_ORDER, Reading, is_harder
from core.model.clips import Feature, Scores, Verdict
from core.model.transcripts import TimedBy, WordTiming
from core.model.vocabulary import Level
from core.rules.closed_words import EXPLAINING, OPENING_JOINS, POINTING_BACK, RELATING
from core.rules.strong_language import strong_words

GOOD = 0.6
"""A feature of at least this value speaks for the clip."""
FEWEST_OTHER_WORDS = 5
"""A clip with fewer words beside the target, and none of them a content word, is only the word itself."""

EDUCATION = {"whole_sentence": 0.25, "sentence_length": 0.15, "easier_words": 0.30, "words_a_minute": 0.15, "clean_language": 0.15}
CONTEXT = {"context_words": 0.40, "meaning_cues": 0.20, "self_contained": 0.20, "target_position": 0.10, "few_names": 0.10}
RELEVANCE = {"target_clear": 0.50, "clip_length": 0.20, "exact_form": 0.15, "not_a_name": 0.15}
ESSENTIAL = ("whole_sentence", "easier_words", "clean_language", "context_words", "target_clear", "not_a_name")
"""The features that no other makes good: the worst of them in a score takes up to `ESSENTIAL_PART` of it away."""
ESSENTIAL_PART = 0.4
SURROUNDINGS = 0.75
"""The part of `relevance` that is the harmonic mean of education and context (easy words that explain nothing do not teach, nor
do hard ones that would); the features of RELEVANCE make up the rest."""
FOLLOWABLE, FOLLOWABLE_PART = 0.38, 0.51
"""A harmonic mean of 0.38 counts as 0.51, and what lies under and over it in proportion: the usual rule of 0.60 then lies between
lines that can be followed and lines that cannot. Set on the utterances and the poor lines of `tests/unit/test_rubric.py`."""


def verdict(reading: Reading) -> Verdict | None:
    """The rubric's verdict, or None when the clip cannot teach the word at all.

    That is so when the clip is hardly more than the word, or when the word is said only as part of a name. A poor clip is
    scored and not left out: what is too poor to show is a threshold, and thresholds are applied when reading.
    """
    others = reading.others
    is_only_the_word = len(others) < FEWEST_OTHER_WORDS and not any(token.is_content for token in others)
    if is_only_the_word or reading.n_names == len(reading.targets):
        return None
    features = _features(reading)
    education, context, own = (_weighted(features, weights) for weights in (EDUCATION, CONTEXT, RELEVANCE))
    relevance = SURROUNDINGS * _on_scale(2 * education * context / max(education + context, 1e-9)) + (1 - SURROUNDINGS) * own
    scores = Scores(education=round(education, 3), context=round(context, 3), relevance=round(relevance, 3))
    return Verdict(reading.word.text, scores, _reason(reading, features), _difficulty(reading, features), tuple(features.values()))


def _on_scale(mean: float) -> float:
    if mean <= FOLLOWABLE:
        return mean / FOLLOWABLE * FOLLOWABLE_PART
    return FOLLOWABLE_PART + (mean - FOLLOWABLE) / (1 - FOLLOWABLE) * (1 - FOLLOWABLE_PART)


def _features(reading: Reading) -> dict[str, Feature]:
    weights = EDUCATION | CONTEXT | RELEVANCE
    measured = {
        "whole_sentence": _whole_sentence(reading), "sentence_length": _sentence_length(reading), "easier_words": _easier_words(reading),
        "words_a_minute": _words_a_minute(reading), "clean_language": _clean_language(reading), "context_words": _context_words(reading),
        "meaning_cues": _meaning_cues(reading), "self_contained": _self_contained(reading), "target_position": _target_position(reading),
        "few_names": _few_names(reading), "target_clear": _target_clear(reading), "clip_length": _clip_length(reading),
        "exact_form": _exact_form(reading), "not_a_name": _not_a_name(reading),
    }  # fmt: skip
    return {
        name: Feature(name, label, round(value, 3), weights[name], value >= GOOD)
        for name, found in measured.items() if found is not None
        for value, label in [found]
    }  # fmt: skip


def _weighted(features: dict[str, Feature], weights: dict[str, float]) -> float:
    """The weighted mean of those features that could be measured, lowered by the worst essential one."""
    present = [(features[name].value, weight) for name, weight in weights.items() if name in features]
    mean = sum(value * weight for value, weight in present) / sum(weight for _, weight in present)
    worst = min((features[name].value for name in weights if name in ESSENTIAL and name in features), default=1.0)
    return mean * (1 - ESSENTIAL_PART * (1 - worst))


def _plateau(value: float, low: float, best_from: float, best_to: float, high: float) -> float:
    """1 in `[best_from, best_to]`, falling straight to 0 at `low` and `high`."""
    if value < best_from:
        return max(0.0, (value - low) / (best_from - low))
    return 1.0 if value <= best_to else max(0.0, (high - value) / (high - best_to))


def _count(n: int, one: str, many: str = "") -> str:
    return f"{n} {one if n == 1 else many or one + 's'}" if n else f"no {one}"


def _whole_sentence(reading: Reading) -> tuple[float, str] | None:
    if not any(token.is_sentence_end for token in reading.tokens):
        return None
    first, last = reading.sentence
    opening = next((token for token in reading.tokens[first:last] if token.key), reading.tokens[first])
    begins = opening.text.lstrip("\"'\u201c\u2018([-\u2014 ")[:1].isupper() or (first > 0)
    ends = reading.tokens[last - 1].is_sentence_end
    label = "Whole sentence" if begins and ends else "Sentence cut off at the end" if begins else "Sentence cut off at the start"
    return (begins + ends) / 2 if begins + ends < 2 else 1.0, label


def _n_in_sentence(reading: Reading) -> int:
    first, last = reading.sentence
    return sum(1 for token in reading.tokens[first:last] if token.key)


def _sentence_length(reading: Reading) -> tuple[float, str]:
    n_words = _n_in_sentence(reading)
    only = "Only " if n_words < 6 else ""
    return _plateau(n_words, 2, 6, 20, 35), f"{only}{_count(n_words, 'word')} in its sentence"


def _easier_words(reading: Reading) -> tuple[float, str]:
    others = {token.key: token for token in reading.others}
    n_harder = sum(is_harder(token, reading.level) for token in others.values())
    return max(0.0, 1 - n_harder / max(1, len(others)) / 0.25), f"{_count(n_harder, 'word')} above level"


def words_a_minute(words: Sequence[WordTiming], n_tokens: int, duration_s: float) -> float:
    """Speech rate: over the time that is spoken in where word times are known, else over the whole clip."""
    spoken_s = words[-1].end_s - words[0].start_s if words else duration_s
    return 60 * n_tokens / max(spoken_s, 0.5)


def _words_a_minute(reading: Reading) -> tuple[float, str]:
    rate = words_a_minute(reading.clip.words, sum(1 for token in reading.tokens if token.key), reading.clip.duration_s)
    return _plateau(rate, 50, 120, 180, 280), f"{'' if reading.clip.words else 'About '}{rate:.0f} words a minute"


def _clean_language(reading: Reading) -> tuple[float, str]:
    strong = strong_words(" ".join(token.text for token in reading.tokens))
    return (0.0, f"Strong language: {', '.join(strong[:3])}") if strong else (1.0, "No strong language")


def _context_words(reading: Reading) -> tuple[float, str]:
    """Distinct content words that a learner at the word's level knows: a hard word explains nothing."""
    n_words = sum(not is_harder(token, reading.level) for token in reading.context)
    value = min(1.0, n_words / 6)
    label = f"{_count(n_words, 'word')} of context"
    return value, label.capitalize() if value >= GOOD or not n_words else f"Only {label}"


def _meaning_cues(reading: Reading) -> tuple[float, str]:
    """An explaining word counts whole, a relating one for 0.6; none at all leaves 0.2, because most good examples have none."""
    text = f" {' '.join(token.key for token in reading.tokens if token.key and token.key not in reading.target_keys)} "
    for value, cues in ((1.0, EXPLAINING), (0.6, RELATING)):
        cue = min((cue for cue in cues if f" {cue} " in text), key=lambda cue: text.index(f" {cue} "), default="")
        if cue:
            return value, f"Cue to the meaning: {cue}"
    return 0.2, "No cue to the meaning"


def _self_contained(reading: Reading) -> tuple[float, str]:
    keys = [token.key for token in reading.tokens if token.key]
    n_back = sum(key in POINTING_BACK for key in keys)
    opens_back = keys[0] in POINTING_BACK or keys[0] in OPENING_JOINS
    share = max(0.0, 1 - n_back / len(keys) / 0.3)
    if opens_back:
        return share * 0.4, f"Opens with “{keys[0]}”"
    return 0.4 + share * 0.6, f"{_count(n_back, 'word')} pointing back".capitalize()


def _target_position(reading: Reading) -> tuple[float, str]:
    """Three words before it to expect it by, one after it so that it is not cut (GDEX: the later half of the sentence)."""
    place = reading.targets[0]
    n_before = sum(1 for token in reading.tokens[:place] if token.key)
    n_after = sum(1 for token in reading.tokens[place + 1 :] if token.key)
    label = f"{_count(n_before, 'word')} before it, {_count(n_after, 'word')} after".capitalize()
    return min(1.0, 0.2 + n_before * 0.8 / 3) * (1.0 if n_after else 0.8), label


def _few_names(reading: Reading) -> tuple[float, str]:
    """Capitals next to each other are one name."""
    capitals = [token.is_capital and token.key not in reading.target_keys for token in reading.tokens]
    n_names = sum(is_name and not before for is_name, before in zip(capitals, [False, *capitals], strict=False))
    return max(0.0, 1 - n_names / 4), _count(n_names, "name").capitalize()


def _target_clear(reading: Reading) -> tuple[float, str] | None:
    """How surely the word is heard at its best place; absent while nothing is recognised yet."""
    if not reading.clip.words:
        return None
    return max(_clear_at(reading.clip.words[place]) for place in reading.targets)


def _clear_at(word: WordTiming) -> tuple[float, str]:
    if word.fault:
        return 0.1, "Check its timing"
    if word.probability is not None:
        return _plateau(word.probability, 0.3, 0.85, 1.0, 2.0), f"Heard, p {word.probability:.2f}"
    if word.timed_by == TimedBy.VOICE:
        return 1.0, "Spoken for certain"
    return (0.8, "Its sound fits its caption") if word.timed_by == TimedBy.ALIGNMENT else (0.4, "Time from the caption only")


def _clip_length(reading: Reading) -> tuple[float, str]:
    return _plateau(reading.clip.duration_s, 0.5, 2, 10, 18), f"{reading.clip.duration_s:.1f} s long"


def _exact_form(reading: Reading) -> tuple[float, str]:
    said = reading.tokens[reading.targets[0]].bare
    forms = {reading.tokens[place].bare.casefold() for place in reading.targets}
    is_exact = reading.word.text.casefold() in forms or " " in reading.word.text
    return (1.0, "Said in its base form") if is_exact else (0.6, f"Said as “{said}”")


def _not_a_name(reading: Reading) -> tuple[float, str]:
    return 1 - reading.n_names / len(reading.targets), "Also part of a name" if reading.n_names else "Not a name"


def _difficulty(reading: Reading, features: dict[str, Feature]) -> str:
    """The word's level; one higher where the clip around it is hard (words above level, or fast)."""
    is_fast = words_a_minute(reading.clip.words, len(reading.tokens), reading.clip.duration_s) > 220
    step = 1 if features["easier_words"].value < 0.2 or is_fast else 0
    level: Level = LEVEL_ORDER[min(len(LEVEL_ORDER) - 1, LEVEL_ORDER.index(reading.level) + step)]
    return level.value


def _reason(reading: Reading, features: dict[str, Feature]) -> str:
    """Two plain sentences for the card: how it is said and among what; then what speaks against it."""
    whole = features.get("whole_sentence")
    kind = "a sentence" if whole is None else "a whole sentence" if whole.value == 1 else "a cut-off sentence"
    nearest = sorted(reading.context, key=lambda token: abs(reading.tokens.index(token) - reading.targets[0]))[:3]
    shown = [token.bare.casefold() for token in sorted(nearest, key=reading.tokens.index)]
    among = f", beside {_listed(shown)}" if shown else ", with nothing beside it that shows the meaning"
    first = f"“{reading.tokens[reading.targets[0]].bare}” in {kind} of {_count(_n_in_sentence(reading), 'word')}{among}."
    weak = sorted((f for f in features.values() if not f.is_good), key=lambda f: f.weight * (f.value - 1))[:2]
    if not weak:
        return f"{first} Nothing speaks against it."
    labels = [feature.label[:1].lower() + feature.label[1:] for feature in weak]
    return f"{first} Against it: {_listed(labels)}."


def _listed(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
