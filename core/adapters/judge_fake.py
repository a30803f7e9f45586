"""A judge that says what it is told: for tests, and to try the desk without a model. It behaves as a paid one can."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from core.errors import ProviderError
from core.model.clips import Scores, Verdict
from core.model.vocabulary import Level, VocabularyWord
from core.ports import CallCost, ClipText
from core.rules.matching import WordMatcher
from core.rules.word_keys import word_key

MOST_WORDS_A_CLIP = 5


@dataclass
class FakeJudge:
    """Gives each word the scores that `script` has for it, and `otherwise` to the rest; None leaves a word out.

    A word of which no form is in the clip's text is left out, as by every judge. `failures` are raised first, one a call, in
    order. `calls` keeps what was asked, so that a test can count what would have been paid.
    """

    script: Mapping[str, Scores | None] = field(default_factory=dict)
    otherwise: Scores | None = field(default_factory=lambda: Scores(education=0.8, context=0.8, relevance=0.8))
    cost: CallCost = field(default_factory=CallCost)
    failures: list[ProviderError] = field(default_factory=list)
    name: str = "fake"
    model: str = "fake-1"
    prompt_version: str = "1"
    is_paid: bool = False
    calls: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)

    def judge(self, clip: ClipText, words: Sequence[VocabularyWord]) -> tuple[Sequence[Verdict], CallCost]:
        """The scripted verdicts, best first, at most five, and `cost`. Raises: the next of `failures`."""
        self.calls.append((clip.text, tuple(word.text for word in words)))
        if self.failures:
            raise self.failures.pop(0)
        spoken = {match.word_id for match in WordMatcher(words).find_in_text(clip.text)}
        verdicts = [self._verdict(clip, word) for word in words if word.word_id in spoken]
        kept = sorted((found for found in verdicts if found), key=lambda found: (-found.scores.relevance, found.word))
        return tuple(kept[:MOST_WORDS_A_CLIP]), self.cost

    def _verdict(self, clip: ClipText, word: VocabularyWord) -> Verdict | None:
        scores = self.script.get(word.text, self.otherwise)
        if scores is None:
            return None
        level = clip.levels.get(word_key(word.text), Level.INTERMEDIATE.value)
        return Verdict(word=word.text, scores=scores, reason=f"Scripted for “{word.text}”.", difficulty=level)
