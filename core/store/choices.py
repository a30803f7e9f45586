"""What a run chose to download and why, and the decided pairs that the choice learns from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select

from core.model.clips import ProposalStage
from core.model.reviews import MappingState
from core.rules.approval import ApprovalModel, DecidedPair, learn
from core.store.choice_tables import run_choices
from core.store.dialects import upsert
from core.store.reviews import passes_rule
from core.store.tables import clips, mappings, proposals, run_clips, runs, word_levels, words
from core.store.vocabulary import LEVELS
from core.timing import now


@dataclass(frozen=True, slots=True)
class ChoiceGain:
    """What one word gains from a download."""

    word: str
    probability: float
    """That a person approves the word in this clip."""
    counts_for: float
    """What an approval is worth: 1 for the word's first approved clip, 1/2 for its second, and less for a word out of the run."""
    score: float
    """Relevance at the shortlist."""
    level: str

    @property
    def expected(self) -> float:
        return self.probability * self.counts_for


@dataclass(frozen=True, slots=True)
class ChoiceRow:
    """One clip that a run chose to download, explained."""

    window: int
    """Counts from 1."""
    clip_id: int
    slug: str
    film: str
    spoken: str
    owner: str
    """The word whose workflow fetches it."""
    expected: float
    """Approved words that the download was expected to bring when it was chosen."""
    gains: tuple[ChoiceGain, ...]
    """Largest first."""
    outcome: str
    """As in `run_clips`: `chosen` while it is worked on, `ok`, `failed`, `not_heard`, `spare`, `waiting`."""
    says: str
    """Why, for people."""
    chosen_at: datetime


@dataclass(frozen=True, slots=True)
class NewChoice:
    """One choice to be recorded; `gains` and `basis` as in `run_choices`."""

    clip_id: int
    word_id: int
    expected: float
    gains: Sequence[Mapping[str, Any]]
    basis: Mapping[str, Any]


def choices_of_run(connection: Connection, run_id: str, *, limit: int = 50) -> list[ChoiceRow]:
    """What the run chose, newest window first, and in each the clip with the most expected words first."""
    query = (
        select(run_choices, clips.c.slug, clips.c.film_title, clips.c.spoken, run_clips.c.outcome)
        .join(clips, clips.c.clip_id == run_choices.c.clip_id)
        .outerjoin(
            run_clips,
            (run_clips.c.run_id == run_choices.c.run_id)
            & (run_clips.c.clip_id == run_choices.c.clip_id)
            & (run_clips.c.word_id == run_choices.c.word_id),
        )
        .where(run_choices.c.run_id == run_id)
        .order_by(run_choices.c.window.desc(), run_choices.c.expected.desc(), run_choices.c.choice_id)
        .limit(limit)
    )
    rows = list(connection.execute(query))
    texts = _texts(connection, {row.word_id for row in rows} | {gain["word_id"] for row in rows for gain in row.gains})
    return [_choice(row, texts) for row in rows]


def n_choices(connection: Connection, run_id: str) -> tuple[int, int, float]:
    """(windows, clips chosen, approved words expected of them) of a run."""
    counted = select(func.max(run_choices.c.window), func.count(), func.sum(run_choices.c.expected))
    n_windows, n_clips, expected = connection.execute(counted.where(run_choices.c.run_id == run_id)).one()
    return int(n_windows or 0), int(n_clips), float(expected or 0.0)


def save_choices(connection: Connection, run_id: str, window: int, chosen: Sequence[NewChoice]) -> None:
    """Record a window's choices. A clip that is chosen again (its first owner ended) keeps the newer reason."""
    rows = [
        {
            "run_id": run_id,
            "window": window,
            "clip_id": one.clip_id,
            "word_id": one.word_id,
            "expected": one.expected,
            "gains": [dict(gain) for gain in one.gains],
            "basis": dict(one.basis),
            "chosen_at": now(),
        }
        for one in chosen
    ]
    if rows:
        upsert(connection, run_choices, rows, on=("run_id", "clip_id"))


def load_approval_model(connection: Connection) -> ApprovalModel:
    """What all decisions so far say; the prior where there are none."""
    return learn(decided_pairs(connection))


def decided_pairs(connection: Connection) -> list[DecidedPair]:
    """Every fetched clip × word that was shortlisted as good and of which it is known what became of it. Demo ones are left out.

    Approved counts 1. Rejected, not heard, refused by the final judge or under the rule, and every word of a clip that could not be
    used count 0, since the download was spent. What still waits for a person is left out.
    """
    good = _good_of_fetched(connection)
    n_words: dict[int, int] = {}
    for clip_id, _ in good:
        n_words[clip_id] = n_words.get(clip_id, 0) + 1
    ends = _ends(connection)
    scored = {clip_id for clip_id, _ in ends}
    levels = levels_by_id(connection)
    pairs = []
    for (clip_id, word_id), row in good.items():
        is_approved = False if row.failure else ends.get((clip_id, word_id), False if clip_id in scored else None)
        if is_approved is not None:
            pairs.append(DecidedPair(row.relevance, n_words[clip_id], row.film_title, levels.get(word_id, ""), is_approved))
    return pairs


def levels_by_id(connection: Connection) -> dict[int, str]:
    """Word id → its lowest level on any exam; a word without one is left out."""
    order = {level.value: place for place, level in enumerate(LEVELS)}
    found: dict[int, str] = {}
    for word_id, level in connection.execute(select(word_levels.c.word_id, word_levels.c.level)):
        if level and (word_id not in found or order[level] < order[found[word_id]]):
            found[word_id] = level
    return found


def _good_of_fetched(connection: Connection) -> dict[tuple[int, int], Any]:
    """By clip and word the newest good proposal of the shortlist, for clips that a download was spent on."""
    query = (
        select(proposals.c.clip_id, proposals.c.word_id, proposals.c.relevance, clips.c.film_title, clips.c.failure)
        .join(clips, clips.c.clip_id == proposals.c.clip_id)
        .where(
            proposals.c.stage == ProposalStage.SHORTLIST,
            proposals.c.relevance.is_not(None),
            clips.c.is_demo.is_(False),
            clips.c.media_id.is_not(None) | (clips.c.failure != ""),
        )
        .order_by(proposals.c.proposal_id)
    )
    return {(row.clip_id, row.word_id): row for row in connection.execute(query)}


def _ends(connection: Connection) -> dict[tuple[int, int], bool | None]:
    """By clip and word whether it was approved; None while a person has not decided. Not scored: left out."""
    final = select(proposals.c.clip_id, proposals.c.word_id).where(proposals.c.stage == ProposalStage.FINAL)
    ends: dict[tuple[int, int], bool | None] = {(row.clip_id, row.word_id): False for row in connection.execute(final)}
    query = select(mappings.c.clip_id, mappings.c.word_id, mappings.c.state, passes_rule().label("passes")).join(
        runs, runs.c.run_id == mappings.c.run_id, isouter=True
    )
    for row in connection.execute(query.where(mappings.c.is_demo.is_(False))):
        if row.state == MappingState.APPROVED:
            ends[row.clip_id, row.word_id] = True
        elif row.state == MappingState.REJECTED or not row.passes:
            ends[row.clip_id, row.word_id] = False
        else:
            ends[row.clip_id, row.word_id] = None
    return ends


def _texts(connection: Connection, word_ids: set[int]) -> dict[int, str]:
    query = select(words.c.word_id, words.c.text).where(words.c.word_id.in_(word_ids))
    return {row.word_id: row.text for row in connection.execute(query)}


def _choice(row: Row[Any], texts: Mapping[int, str]) -> ChoiceRow:
    gains = sorted(
        (
            ChoiceGain(texts.get(gain["word_id"], "?"), gain["probability"], gain["counts_for"], gain["score"], gain["level"])
            for gain in row.gains
        ),
        key=lambda gain: -gain.expected,
    )
    owner = texts.get(row.word_id, "?")
    return ChoiceRow(
        row.window,
        row.clip_id,
        row.slug,
        row.film_title,
        row.spoken,
        owner,
        row.expected,
        tuple(gains),
        row.outcome or "waiting",
        explain(row.expected, gains, row.basis),
        row.chosen_at,
    )


def explain(expected: float, gains: Sequence[ChoiceGain], basis: Mapping[str, Any]) -> str:
    """`0.94 approved words expected: reluctant 0.62 (score 0.85, 3 words in the clip, n = 41), hypothesis 0.32 (…)`."""
    told = []
    for place, gain in enumerate(gains):
        notes = [f"score {gain.score:.2f}"]
        if place == 0:
            n_words, n = basis["n_words"], basis["n_decided"]
            notes.append(f"{n_words} words in the clip" if n_words != 1 else "the clip's only word")
            notes.append(f"n = {n}" if n else "an assumption, nothing is decided yet")
        if gain.counts_for < 0.995:
            notes.append(f"an approval counts {gain.counts_for:.2f}")
        told.append(f"{gain.word} {gain.expected:.2f} ({', '.join(notes)})")
    learnt = f". {basis['learnt']}" if basis.get("learnt") else ""
    return f"{expected:.2f} approved words expected: {', '.join(told)}{learnt}"
