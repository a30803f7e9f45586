"""Asking a judge once for all vocabulary words that a clip speaks; used at the shortlist and at the score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.model.clips import Clip, Evidence, EvidenceState, Proposal, ProposalStage, Verdict
from core.model.transcripts import WordTiming
from core.model.vocabulary import VocabularyWord
from core.pipeline.bench import Bench, Vocabulary, digest
from core.ports import ClipText, Judge
from core.rules.matching import Match
from core.rules.orders import gives_orders, marked
from core.store.clips import Judgement, known_proposals, save_proposals

MAX_WORDS_A_CLIP = 5
"""A crowded clip teaches each word less. Source: DESIGN.md, shortlist."""


def judge_clip(
    bench: Bench,
    clip: Clip,
    stage: ProposalStage,
    run_id: str,
    judge: Judge,
    vocabulary: Vocabulary,
    text: str,
    words: tuple[WordTiming, ...],
    evidence: Mapping[int, Evidence],
    matches: Sequence[Match],
) -> dict[int, Proposal]:
    """Proposals for every word of `evidence`, asked once a question: kept answers, negative ones too, cost nothing.

    A word that is not spoken is not asked about, and changes nothing of the question: its proposal has no scores.
    """
    spoken = {word_id: found for word_id, found in evidence.items() if found.state is not EvidenceState.NOT_HEARD}
    absent = {word_id: found for word_id, found in evidence.items() if word_id not in spoken}

    def judgement(*question: object) -> Judgement:
        key = digest(digest("judge", stage, text, *question, judge.name), judge.model, judge.prompt_version)
        return Judgement(stage, key, judge.name, judge.model, judge.prompt_version, run_id)

    asked = judgement(sorted(spoken.items()), [vocabulary.words[word_id].text for word_id in sorted(spoken)])
    made: dict[int, Proposal] = {}
    if spoken:
        with bench.database.read() as connection:
            made = known_proposals(connection, clip.clip_id, asked)
        if not made:
            made = _ask(bench, clip, judge, vocabulary, text, words, spoken, matches, asked)
    if not absent:
        return made
    with bench.database.write() as connection:
        for word_id, found in absent.items():
            unasked = judgement("absent", vocabulary.words[word_id].text, found)
            made |= save_proposals(connection, clip.clip_id, unasked, [(word_id, None, found)], tokens=0, cost_usd=0.0)
    return made


def _ask(
    bench: Bench,
    clip: Clip,
    judge: Judge,
    vocabulary: Vocabulary,
    text: str,
    words: tuple[WordTiming, ...],
    spoken: Mapping[int, Evidence],
    matches: Sequence[Match],
    judgement: Judgement,
) -> dict[int, Proposal]:
    """One call to the judge, and its answer kept."""
    by_text = {vocabulary.words[word_id].text: word_id for word_id in spoken}
    given = ClipText(text, words, clip.duration_s, clip.film.title, dict(vocabulary.levels), _targets(matches, vocabulary.words))
    found, cost = judge.judge(given, [vocabulary.words[word_id] for word_id in spoken])
    if any(gives_orders(beside) for beside in (clip.title, clip.film.title, clip.script)):  # no judge read them; a person will
        found = [marked(verdict) for verdict in found]
    verdicts: dict[int, Verdict] = {by_text[verdict.word]: verdict for verdict in found[:MAX_WORDS_A_CLIP] if verdict.word in by_text}
    rows = [(word_id, verdicts.get(word_id), spoken[word_id]) for word_id in spoken]
    with bench.database.write() as connection:
        return save_proposals(connection, clip.clip_id, judgement, rows, tokens=cost.tokens_in + cost.tokens_out, cost_usd=cost.cost_usd)


def _targets(matches: Sequence[Match], words: Mapping[int, VocabularyWord]) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    for match in matches:
        if match.word_id in words:
            text = words[match.word_id].text
            found[text] = (*found.get(text, ()), match.first_index)
    return found
