"""The rubric: good clips above poor ones, each feature for its reason, and reasons that name what is in this clip."""

from __future__ import annotations

import pytest

from core.adapters import rubric_features
from core.adapters.judge_rubric import RubricJudge
from core.model.clips import Feature, Verdict
from core.model.transcripts import TimedBy, WordTiming
from core.model.vocabulary import VocabularyWord
from core.ports import ClipText

LEVELS = {"abandon": "intermediate", "captain": "beginner", "storm": "beginner", "reluctant": "advanced"}


def timed(
    text: str, duration_s: float, probability: float | None, fault: str = "", timed_by: TimedBy = TimedBy.ALIGNMENT
) -> tuple[WordTiming, ...]:
    words = text.split()
    each_s = duration_s / len(words)
    return tuple(
        WordTiming(word, index * each_s, (index + 1) * each_s, probability, timed_by, fault=fault) for index, word in enumerate(words)
    )


def judge(
    word: str, text: str, *, duration_s: float | None = None, probability: float | None = 0.95, fault: str = "", is_recognised: bool = True
) -> Verdict | None:
    seconds = duration_s if duration_s is not None else len(text.split()) * 60 / 150
    words = timed(text, seconds, probability, fault) if is_recognised else ()
    verdicts, _ = RubricJudge().judge(ClipText(text, words, seconds, "Film", LEVELS, {}), [VocabularyWord(1, word)])
    return verdicts[0] if verdicts else None


def feature(verdict: Verdict | None, name: str) -> Feature:
    assert verdict is not None
    return next(found for found in verdict.features if found.name == name)


GOOD_CLIP = "The captain told the crew to abandon the ship because the storm had broken the engine."


def test_the_weights_of_each_score_add_up_to_one() -> None:
    for weights in (rubric_features.EDUCATION, rubric_features.CONTEXT, rubric_features.RELEVANCE):
        assert sum(weights.values()) == pytest.approx(1)


def test_a_clip_that_has_everything_reaches_the_strict_rule() -> None:
    verdict = judge("abandon", GOOD_CLIP)
    assert verdict is not None
    assert verdict.scores.education >= 0.9 and verdict.scores.context >= 0.9 and verdict.scores.relevance >= 0.9
    assert verdict.difficulty == "intermediate"
    assert "Nothing speaks against it." in verdict.reason


@pytest.mark.parametrize(
    "text",
    [
        "and then he abandon it so they them there",
        "But he abandoned her, and she abandoned him, so they",
        "f**k your abandoned stupid motherfucking bastard",
        "Interdepartmental administrative representatives unconstitutionally abandon multilateral disarmament stipulations.",
    ],
)
def test_a_poor_clip_stays_under_the_usual_threshold_and_far_under_a_good_one(text: str) -> None:
    poor, good = judge("abandon", text), judge("abandon", GOOD_CLIP)
    assert poor is not None and good is not None
    assert poor.scores.relevance < 0.6
    assert good.scores.relevance - poor.scores.relevance > 0.35


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("abandon", "Abandon!"), ("abandon", "They abandoned it."), ("mark", "I told Mark about the party yesterday."),
        ("grace", "Grace Kelly came to the big party."), ("abandon", "Nobody says the word here at all today."),
    ],
)  # fmt: skip
def test_what_cannot_teach_the_word_is_left_out(word: str, text: str) -> None:
    assert judge(word, text) is None


def test_a_capital_at_the_start_of_a_sentence_is_no_name() -> None:
    assert judge("mark", "Mark the right answer on the paper.") is not None
    assert judge("Internet", "We read the news on the Internet every morning.") is not None


@pytest.mark.parametrize(
    ("name", "better", "worse"),
    [
        ("whole_sentence", GOOD_CLIP, "captain told the crew to abandon the ship. Then the storm"),
        ("sentence_length", GOOD_CLIP, "Abandon ship, captain!"),
        ("easier_words", GOOD_CLIP, "The reluctant captain told the reluctant crew to abandon it."),
        ("clean_language", GOOD_CLIP, "The bastard told the crew to abandon the ship."),
        ("context_words", GOOD_CLIP, "We will not abandon it here, captain."),
        ("meaning_cues", GOOD_CLIP, "The captain told the crew to abandon the ship."),
        ("self_contained", GOOD_CLIP, "They told them to abandon that to those, captain."),
        ("target_position", GOOD_CLIP, "Abandon the ship now, said the captain."),
        ("few_names", GOOD_CLIP, "The captain told Anna, Peter and Maria to abandon the ship."),
        ("exact_form", GOOD_CLIP, "The captain and the crew abandoned the ship."),
    ],
)
def test_each_feature_tells_better_from_worse(name: str, better: str, worse: str) -> None:
    good, poor = feature(judge("abandon", better), name), feature(judge("abandon", worse), name)
    assert good.value > poor.value
    assert good.is_good


@pytest.mark.parametrize(("rate", "is_good"), [(150, True), (128, True), (60, False), (260, False)])
def test_speech_rate(rate: int, is_good: bool) -> None:
    found = feature(judge("abandon", GOOD_CLIP, duration_s=len(GOOD_CLIP.split()) * 60 / rate), "words_a_minute")
    assert (found.is_good, found.label) == (is_good, f"{rate} words a minute")


def test_a_word_that_is_hardly_heard_or_badly_timed_counts_less() -> None:
    sure = feature(judge("abandon", GOOD_CLIP), "target_clear")
    unsure = feature(judge("abandon", GOOD_CLIP, probability=0.41), "target_clear")
    unknown = feature(judge("abandon", GOOD_CLIP, probability=None), "target_clear")
    faulty = feature(judge("abandon", GOOD_CLIP, fault="no_sound"), "target_clear")
    assert sure.value > unknown.value > unsure.value > faulty.value
    assert unsure.label == "Heard, p 0.41"
    assert faulty.label == "Check its timing"


def test_before_recognition_the_sound_is_not_judged() -> None:
    verdict = judge("abandon", GOOD_CLIP, is_recognised=False)
    assert verdict is not None
    assert "target_clear" not in {found.name for found in verdict.features}
    assert feature(verdict, "words_a_minute").label.startswith("About ")


def test_text_without_any_punctuation_is_not_called_cut_off() -> None:
    verdict = judge("abandon", GOOD_CLIP.lower().rstrip("."))
    assert verdict is not None
    assert "whole_sentence" not in {found.name for found in verdict.features}
    assert "cut-off" not in verdict.reason


def test_the_reason_names_what_is_in_the_clip() -> None:
    verdict = judge("abandon", "They will abandon the old ship tonight.", duration_s=1.2)
    assert verdict is not None
    assert "“abandon” in a whole sentence of 7 words, beside" in verdict.reason
    assert "ship" in verdict.reason
    assert verdict.reason.count(".") <= 3
    assert "Against it: " in verdict.reason


def test_the_level_of_the_word_is_its_difficulty_and_a_hard_clip_raises_it() -> None:
    easy, fast = judge("abandon", GOOD_CLIP), judge("abandon", GOOD_CLIP, duration_s=3.0)
    assert easy is not None and fast is not None
    assert (easy.difficulty, fast.difficulty) == ("intermediate", "advanced")
    unlisted = judge("cat", "The black cat sleeps on the warm roof every night.")
    assert unlisted is not None and unlisted.difficulty == "beginner"


def test_given_places_are_believed() -> None:
    text = "We can mark the box. Then Mark opens the big red box."
    clip = ClipText(text, timed(text, 5.0, 0.9), 5.0, "Film", {}, {"mark": (6,)})
    verdicts, _ = RubricJudge().judge(clip, [VocabularyWord(1, "mark")])
    assert verdicts == ()
