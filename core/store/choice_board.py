"""How a run stands for the choice: which words want clips, which clips wait for them, and what is on its way.

A clip is *on its way* for every good word in it while it is `chosen` and the word that fetches it, its owner, is open.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, distinct, exists, func, select, update

from core.model.clips import EvidenceState, ProposalStage
from core.model.reviews import MappingState
from core.model.runs import RunStatus, Stage, WordState
from core.store.choice_tables import run_choices
from core.store.reviews import passes_rule
from core.store.runs import set_run_clip
from core.store.tables import clips, mappings, proposals, run_clips, run_words, runs, words
from core.timing import now

OPEN = (WordState.QUEUED, WordState.WORKING)
FROM_CHOOSE = (Stage.CHOOSE, Stage.FETCH, Stage.PROBE, Stage.TRANSCRIBE, Stage.SCORE)
SCORED = ("ok", "spare", "not_heard")
N_CONSIDERED, N_PAIRS = 50, 20_000
"""Clips a word among which is chosen, its best by score; fewer where a run has so many words that they would be more pairs."""
LEAVES_CHOOSE_S = 10.0
"""A word that was chosen for and is still at the choice after so long has lost its place: its worker ended."""
IN_REVIEW = (MappingState.IN_REVIEW, MappingState.SKIPPED, MappingState.FLAGGED)


@dataclass(frozen=True, slots=True)
class OnItsWay:
    """A chosen clip that an open word fetches."""

    clip_id: int
    owner: str
    moved_at: datetime
    """When the owner's row last changed."""
    is_stuck: bool
    """The owner has not begun, and may get no place on the queue while others wait for this clip."""


@dataclass(frozen=True, slots=True)
class StandingClip:
    """A mapping that waits for a person, for its part in what a word can expect."""

    word_id: int
    score: float
    n_words: int
    film: str


@dataclass(frozen=True, slots=True)
class RunWordStand:
    """Where one word of a run is."""

    word_id: int
    state: WordState
    stage: str

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    @property
    def is_upstream(self) -> bool:
        """It will come to the choice for the first time."""
        return self.is_open and self.stage not in FROM_CHOOSE

    @property
    def is_here(self) -> bool:
        return self.is_open and self.stage == Stage.CHOOSE

    @property
    def is_asleep(self) -> bool:
        """It ended for want of downloads, with clips that could be fetched."""
        return self.state is WordState.WAITING_FOR_QUOTA and self.stage in FROM_CHOOSE


def stands(connection: Connection, run_id: str) -> dict[int, RunWordStand]:
    """Every word of the run, by rank."""
    query = select(run_words.c.word_id, run_words.c.state, run_words.c.stage).where(run_words.c.run_id == run_id)
    return {
        row.word_id: RunWordStand(row.word_id, WordState(row.state), row.stage)
        for row in connection.execute(query.order_by(run_words.c.rank, run_words.c.word_id))
    }


def has_sleepers(connection: Connection, run_id: str) -> bool:
    """Whether some word of the run has ended for want of downloads."""
    query = select(run_words.c.word_id).where(run_words.c.run_id == run_id, run_words.c.state == WordState.WAITING_FOR_QUOTA)
    return connection.execute(query.where(run_words.c.stage.in_(FROM_CHOOSE)).limit(1)).first() is not None


def on_their_way(connection: Connection, run_id: str) -> list[OnItsWay]:
    """Every chosen clip of the run whose owner is open."""
    return [_read(row) for row in connection.execute(_on_their_way(run_id))]


def on_their_way_for(connection: Connection, run_id: str, word_id: int) -> list[OnItsWay]:
    """Those that other words fetch and that may serve this word: it is good in them, and nothing came of them for it yet."""
    good = exists().where(
        proposals.c.clip_id == run_clips.c.clip_id,
        proposals.c.word_id == word_id,
        proposals.c.stage == ProposalStage.SHORTLIST,
        proposals.c.relevance.is_not(None),
    )
    known = exists().where(mappings.c.clip_id == run_clips.c.clip_id, mappings.c.word_id == word_id)
    query = _on_their_way(run_id).where(run_clips.c.word_id != word_id, good, ~known)
    found = {row.clip_id: _read(row) for row in connection.execute(query)}
    own = select(run_clips.c.clip_id).where(run_clips.c.run_id == run_id, run_clips.c.word_id == word_id, run_clips.c.outcome != "waiting")
    settled = set(connection.execute(own).scalars())
    return [one for clip_id, one in found.items() if clip_id not in settled]


def _read(row: Row[Any]) -> OnItsWay:
    is_late = row.stage == Stage.CHOOSE and row.updated_at < now() - timedelta(seconds=LEAVES_CHOOSE_S)
    return OnItsWay(row.clip_id, row.text, row.updated_at, row.state == WordState.QUEUED or is_late)


def take_over(connection: Connection, run_id: str, word_id: int, clips_taken: Iterable[OnItsWay]) -> None:
    """This word fetches these clips in place of their owners, who then wait for what comes of them."""
    for one in clips_taken:
        mine = (run_clips.c.run_id == run_id, run_clips.c.clip_id == one.clip_id)
        waits = {"outcome": "waiting", "stage": Stage.SHORTLIST, "updated_at": now()}
        connection.execute(update(run_clips).where(*mine, run_clips.c.outcome == "chosen").values(**waits))
        set_run_clip(connection, run_id, word_id, one.clip_id, stage=Stage.CHOOSE, outcome="chosen")
        of_clip = (run_choices.c.run_id == run_id, run_choices.c.clip_id == one.clip_id)
        connection.execute(update(run_choices).where(*of_clip).values(word_id=word_id))


def words_with_chosen(connection: Connection, run_id: str) -> set[int]:
    """Words that have a clip to fetch."""
    query = select(run_clips.c.word_id).where(run_clips.c.run_id == run_id, run_clips.c.outcome == "chosen").distinct()
    return set(connection.execute(query).scalars())


def _on_their_way(run_id: str) -> Select[tuple[int, datetime, str, str, str]]:
    owner = (run_words.c.run_id == run_clips.c.run_id) & (run_words.c.word_id == run_clips.c.word_id)
    return (
        select(run_clips.c.clip_id, run_words.c.updated_at, words.c.text, run_words.c.state, run_words.c.stage)
        .join(run_words, owner)
        .join(words, words.c.word_id == run_clips.c.word_id)
        .where(run_clips.c.run_id == run_id, run_clips.c.outcome == "chosen", run_words.c.state.in_(OPEN))
    )


def n_chosen_unfetched(connection: Connection, run_id: str | None = None) -> int:
    """Clips that are to be downloaded and are not here yet: of one run, or of all that are running."""
    query = select(func.count(distinct(run_clips.c.clip_id))).join(clips, clips.c.clip_id == run_clips.c.clip_id)
    query = query.where(run_clips.c.outcome == "chosen", clips.c.media_id.is_(None))
    if run_id is not None:
        return int(connection.execute(query.where(run_clips.c.run_id == run_id)).scalar_one())
    running = select(runs.c.run_id).where(runs.c.status == RunStatus.RUNNING)
    return int(connection.execute(query.where(run_clips.c.run_id.in_(running))).scalar_one())


def n_waiting_clips(connection: Connection, run_id: str) -> int:
    """Shortlisted clips of the run that nobody has fetched."""
    query = select(func.count(distinct(run_clips.c.clip_id))).join(clips, clips.c.clip_id == run_clips.c.clip_id)
    query = query.where(run_clips.c.run_id == run_id, run_clips.c.outcome == "waiting", clips.c.media_id.is_(None))
    return int(connection.execute(query).scalar_one())


def waiting_clips(connection: Connection, run_id: str, word_ids: Collection[int], taken: Collection[int]) -> dict[int, set[int]]:
    """Clip id → the words of `word_ids` whose workflow can fetch it: shortlisted, not here, not `taken`, not failed in this run."""
    if not word_ids:
        return {}
    wanted, skipped = set(word_ids), set(taken)
    failed = select(run_clips.c.clip_id).join(clips, clips.c.clip_id == run_clips.c.clip_id)
    failed = failed.where(run_clips.c.run_id == run_id, run_clips.c.outcome == "failed", clips.c.failure != "")
    skipped.update(connection.execute(failed).scalars())
    score = func.max(proposals.c.relevance)
    query = (
        select(run_clips.c.clip_id, run_clips.c.word_id, score.label("score"))
        .join(clips, clips.c.clip_id == run_clips.c.clip_id)
        .join(proposals, (proposals.c.clip_id == run_clips.c.clip_id) & (proposals.c.word_id == run_clips.c.word_id))
        .where(
            run_clips.c.run_id == run_id,
            run_clips.c.outcome == "waiting",
            clips.c.media_id.is_(None),
            proposals.c.stage == ProposalStage.SHORTLIST,
            proposals.c.relevance.is_not(None),
        )
        .group_by(run_clips.c.clip_id, run_clips.c.word_id)
        .order_by(score.desc(), run_clips.c.clip_id)
    )
    if len(wanted) < 500:
        query = query.where(run_clips.c.word_id.in_(wanted))
    most = min(N_CONSIDERED, max(3, N_PAIRS // len(wanted)))
    owners: dict[int, set[int]] = {}
    counts: dict[int, int] = {}
    for row in connection.execute(query):
        if row.word_id not in wanted or row.clip_id in skipped or counts.get(row.word_id, 0) >= most:
            continue
        counts[row.word_id] = counts.get(row.word_id, 0) + 1
        owners.setdefault(row.clip_id, set()).add(row.word_id)
    return owners


def good_words(connection: Connection, clip_ids: Iterable[int]) -> dict[int, dict[int, float]]:
    """Clip id → its good words by the newest look at the shortlist, with their relevance."""
    found: dict[int, dict[int, float]] = {}
    for some in _by_500(clip_ids):
        query = select(proposals.c.clip_id, proposals.c.word_id, proposals.c.relevance)
        query = query.where(proposals.c.clip_id.in_(some), proposals.c.stage == ProposalStage.SHORTLIST)
        for row in connection.execute(query.order_by(proposals.c.proposal_id)):
            found.setdefault(row.clip_id, {})[row.word_id] = -1.0 if row.relevance is None else row.relevance
    return {clip_id: {word_id: score for word_id, score in each.items() if score >= 0} for clip_id, each in found.items()}


def films_of(connection: Connection, clip_ids: Iterable[int]) -> dict[int, str]:
    """Clip id → its film's title."""
    found: dict[int, str] = {}
    for some in _by_500(clip_ids):
        query = select(clips.c.clip_id, clips.c.film_title).where(clips.c.clip_id.in_(some))
        found |= {row.clip_id: row.film_title for row in connection.execute(query)}
    return found


def mapped_pairs(connection: Connection, clip_ids: Iterable[int]) -> set[tuple[int, int]]:
    """(clip, word) of these clips that have a mapping: what came of them is known."""
    query = select(mappings.c.clip_id, mappings.c.word_id).where(mappings.c.clip_id.in_(list(clip_ids)))
    return {(row.clip_id, row.word_id) for row in connection.execute(query)}


def in_review(connection: Connection) -> list[StandingClip]:
    """Every mapping that waits for a person and passes its run's rule."""
    query = (
        select(mappings.c.word_id, mappings.c.clip_id, mappings.c.relevance, clips.c.film_title)
        .join(clips, clips.c.clip_id == mappings.c.clip_id)
        .join(runs, runs.c.run_id == mappings.c.run_id, isouter=True)
        .where(mappings.c.state.in_(IN_REVIEW), mappings.c.is_demo.is_(False), passes_rule())
    )
    rows = list(connection.execute(query))
    n_words: dict[int, int] = {}
    for row in rows:
        n_words[row.clip_id] = n_words.get(row.clip_id, 0) + 1
    return [StandingClip(row.word_id, row.relevance, n_words[row.clip_id], row.film_title) for row in rows]


def news_of(connection: Connection, run_id: str, word_id: int, waiting: Sequence[int]) -> Mapping[int, tuple[str, str, str]]:
    """What became, under other words, of clips that this word waits for: clip id → (stage, outcome, reason) for its own row."""
    if not waiting:
        return {}
    theirs = select(run_clips, clips.c.failure).join(clips, clips.c.clip_id == run_clips.c.clip_id)
    theirs = theirs.where(run_clips.c.run_id == run_id, run_clips.c.clip_id.in_(waiting), run_clips.c.word_id != word_id)
    news: dict[int, tuple[str, str, str]] = {}
    for row in connection.execute(theirs.where(run_clips.c.outcome.in_((*SCORED, "failed")))):
        if row.outcome == "failed" and row.failure:
            news[row.clip_id] = (row.stage, "failed", row.reason)
        elif row.outcome != "failed" and row.stage == Stage.SCORE:
            news[row.clip_id] = (Stage.SCORE, "not_heard", "Not heard in this clip")
    final = select(proposals.c.clip_id, proposals.c.relevance, proposals.c.evidence_state).where(
        proposals.c.clip_id.in_(waiting), proposals.c.word_id == word_id, proposals.c.stage == ProposalStage.FINAL
    )
    for row in connection.execute(final.order_by(proposals.c.proposal_id)):
        if row.clip_id in news and news[row.clip_id][1] != "failed" and row.evidence_state != EvidenceState.NOT_HEARD:
            is_good = row.relevance is not None
            reason = "" if is_good else "The judge found that it does not teach the word"
            news[row.clip_id] = (Stage.SCORE, "ok" if is_good else "spare", reason)
    known = select(mappings.c.clip_id).where(
        mappings.c.clip_id.in_(waiting), mappings.c.word_id == word_id, mappings.c.relevance.is_not(None)
    )
    for clip_id in connection.execute(known).scalars():
        news.setdefault(clip_id, (Stage.CHOOSE, "spare", "It was in review before this run"))
    return news


def _by_500(clip_ids: Iterable[int]) -> Iterator[list[int]]:
    ordered = sorted(set(clip_ids))
    for start in range(0, len(ordered), 500):
        yield ordered[start : start + 500]
