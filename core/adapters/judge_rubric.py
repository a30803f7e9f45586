"""The judge that is always there: the deterministic teachability rubric (docs/rubric.md). Not a language model."""

from __future__ import annotations

from collections.abc import Sequence

from core.adapters.rubric_features import verdict
from core.adapters.rubric_reading import read_clip, read_tokens
from core.model.clips import Verdict
from core.model.vocabulary import VocabularyWord
from core.ports import CallCost, ClipText

MOST_WORDS_A_CLIP = 5


class RubricJudge:
    """Scores a clip by explained features. The same clip and words give the same verdicts; nothing is paid or sent."""

    name = "rubric"
    model = "rubric-1"
    prompt_version = "1"
    is_paid = False

    def judge(self, clip: ClipText, words: Sequence[VocabularyWord]) -> tuple[Sequence[Verdict], CallCost]:
        """Verdicts for the words that the clip teaches, best first, at most five.

        Left out are words that are not said in it, that are nearly all of it, or that are said only in a name.
        """
        tokens = read_tokens(clip)
        readings = [reading for word in words if (reading := read_clip(clip, tokens, word)) is not None]
        verdicts = [found for reading in readings if (found := verdict(reading)) is not None]
        verdicts.sort(key=lambda found: (-found.scores.relevance, -found.scores.context, found.word))
        return tuple(verdicts[:MOST_WORDS_A_CLIP]), CallCost()
