"""How far a run is, stage by stage, for the strip on the Discover page. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, and_, func, select

from core.model.reviews import MappingState
from core.model.runs import RunStatus, Stage, StopCause, WordState
from core.model.vocabulary import Level
from core.store import runs as rows
from core.store.database import Database
from core.store.reviews import passes_rule
from core.store.runs import RunRow, RunWordRow
from core.store.tables import clips, mappings, media, run_clips, run_words, runs, word_levels

STRIP = (Stage.PLAN, Stage.SEARCH, Stage.SHORTLIST, Stage.CHOOSE, Stage.FETCH, Stage.PROBE, Stage.TRANSCRIBE, Stage.SCORE, Stage.REVIEW)
"""The nine stages that the page shows; `known` counts as search, `merge` as shortlist."""
SHOWN_AS = {Stage.KNOWN.value: Stage.SEARCH.value, Stage.MERGE.value: Stage.SHORTLIST.value}
WAITING = (MappingState.IN_REVIEW, MappingState.FLAGGED, MappingState.SKIPPED)
NOT_FETCHED = ("waiting", "chosen")
LEVELS = tuple(level.value for level in Level)


@dataclass(frozen=True, slots=True)
class StageCount:
    """One stage of the strip."""

    stage: Stage
    n_done: int
    n_all: int
    """What it counts in all; 0 while that is not known."""
    unit: str
    """For people: `of 24 words`."""
    n_working: int
    """Words that are in it now."""
    n_failed: int


@dataclass(frozen=True, slots=True)
class RunProgress:
    """A run as its page shows it."""

    run: RunRow
    words: tuple[RunWordRow, ...]
    stages: tuple[StageCount, ...]
    n_ended: int
    n_review_clips: int
    n_review_words: int
    n_gain_clips: int
    """Clips of this run that are in review or approved."""
    n_gain_words: int
    """Words that these serve, others than its own included."""
    n_kept_clips: int
    """Shortlisted clips of its words that wait for a quota."""
    levels: Mapping[int, str]
    """Word id → its lowest level on any list; a word without one is left out."""

    def words_in(self, *states: WordState) -> list[RunWordRow]:
        """The run's words in one of these states, in their order."""
        return [word for word in self.words if word.state in states]

    @property
    def is_moving(self) -> bool:
        """Whether its rows can still change by themselves."""
        goes_on = self.run.stopped_for == StopCause.DISK or bool(self.words_in(WordState.WORKING))
        is_finishing = self.run.status is RunStatus.PAUSED and goes_on
        return self.run.status in (RunStatus.PLANNED, RunStatus.RUNNING) or is_finishing


def read_progress(database: Database, run_id: str) -> RunProgress:
    """Count a run's rows. Raises: NotFound."""
    with database.read() as connection:
        run = rows.load_run(connection, run_id)
        words = tuple(rows.words_of_run(connection, run.run_id))
        chosen = _chosen_clips(connection, run.run_id)
        found = connection.execute(
            select(mappings.c.clip_id, mappings.c.word_id, mappings.c.state)
            .join(runs, runs.c.run_id == mappings.c.run_id)
            .where(mappings.c.run_id == run.run_id, mappings.c.state.in_((*WAITING, MappingState.APPROVED)), passes_rule())
        ).all()
        n_kept = _kept_clips(connection, run.run_id) if any(word.state is WordState.WAITING_FOR_QUOTA for word in words) else 0
        levels = _levels(connection, run.run_id)
    waiting = [row for row in found if row.state != MappingState.APPROVED]
    n_clips, n_words = len({row.clip_id for row in waiting}), len({row.word_id for row in waiting})
    counts = {stage: _count(stage, words, chosen) for stage in STRIP[:-1]}
    counts[Stage.REVIEW] = (n_clips, n_clips, f"{'clip' if n_clips == 1 else 'clips'}, {_plural(n_words, 'word')}")
    stages = tuple(StageCount(stage, *counts[stage], _working(stage, words), _failed(stage, words, chosen)) for stage in STRIP)
    n_ended = sum(word.state not in (WordState.QUEUED, WordState.WORKING) for word in words)
    n_gain_clips, n_gain_words = len({row.clip_id for row in found}), len({row.word_id for row in found})
    return RunProgress(run, words, stages, n_ended, n_clips, n_words, n_gain_clips, n_gain_words, n_kept, levels)


def _levels(connection: Connection, run_id: str) -> dict[int, str]:
    """Word id → its lowest level on any exam."""
    mine = select(run_words.c.word_id, word_levels.c.level).join(word_levels, word_levels.c.word_id == run_words.c.word_id)
    found: dict[int, str] = {}
    for word_id, level in connection.execute(mine.where(run_words.c.run_id == run_id, word_levels.c.level.in_(LEVELS))):
        found[word_id] = min(found.get(word_id, level), level, key=LEVELS.index)
    return found


def _kept_clips(connection: Connection, run_id: str) -> int:
    """Clips that were shortlisted for words that wait for a quota, and were not fetched."""
    theirs = and_(run_words.c.run_id == run_clips.c.run_id, run_words.c.word_id == run_clips.c.word_id)
    query = select(func.count(run_clips.c.clip_id.distinct())).select_from(run_clips.join(run_words, theirs))
    state = run_words.c.state == WordState.WAITING_FOR_QUOTA
    return int(connection.execute(query.where(run_clips.c.run_id == run_id, run_clips.c.outcome.in_(NOT_FETCHED), state)).scalar_one())


def _chosen_clips(connection: Connection, run_id: str) -> dict[str, int]:
    """Distinct clips that a run chose to fetch, by how far they came; `failed_<stage>` counts those that failed there."""
    query = (
        select(
            run_clips.c.clip_id,
            run_clips.c.stage,
            run_clips.c.outcome,
            clips.c.media_id,
            clips.c.transcript_id,
            media.c.peaks.is_not(None).label("is_probed"),
        )
        .join(clips, clips.c.clip_id == run_clips.c.clip_id)
        .join(media, media.c.media_id == clips.c.media_id, isouter=True)
        .where(run_clips.c.run_id == run_id, run_clips.c.stage.in_((Stage.CHOOSE, Stage.FETCH, Stage.PROBE, Stage.TRANSCRIBE, Stage.SCORE)))
    )
    found: dict[str, set[int]] = {name: set() for name in ("choose", "fetch", "probe", "transcribe", "score")}
    for row in connection.execute(query):
        is_scored = row.stage == Stage.SCORE and row.outcome != "failed"
        found["choose"].add(row.clip_id)
        reached = {
            "fetch": row.media_id is not None,
            "probe": is_scored or bool(row.is_probed),
            "transcribe": is_scored or row.transcript_id is not None,
            "score": is_scored,
        }
        for name, is_there in reached.items():
            if is_there:
                found[name].add(row.clip_id)
        if row.outcome == "failed":
            found.setdefault(f"failed_{row.stage}", set()).add(row.clip_id)
    return {name: len(ids) for name, ids in found.items()}


def _count(stage: Stage, words: tuple[RunWordRow, ...], chosen: dict[str, int]) -> tuple[int, int, str]:
    """(done, all, unit) of one stage before review."""
    n_words = len(words)
    if stage is Stage.PLAN:
        return n_words, n_words, "word" if n_words == 1 else "words"
    if stage is Stage.SEARCH:
        n_searched = sum(word.n_hits is not None or (word.state is WordState.DONE) for word in words)
        return n_searched, n_words, f"of {_plural(n_words, 'word')}"
    if stage is Stage.SHORTLIST:
        n_hits = sum(word.n_hits or 0 for word in words)
        return sum(word.n_kept or 0 for word in words), n_hits, f"of {_plural(n_hits, 'hit')}"
    if stage is Stage.CHOOSE:
        n_for = sum(bool(word.n_kept) for word in words)
        return chosen["choose"], chosen["choose"], f"{'clip' if chosen['choose'] == 1 else 'clips'}, {_plural(n_for, 'word')}"
    before = {Stage.FETCH: "choose", Stage.PROBE: "fetch", Stage.TRANSCRIBE: "probe", Stage.SCORE: "transcribe"}[stage]
    n_failed = chosen.get(f"failed_{stage}", 0)
    return chosen[stage.value], chosen[before], f"{n_failed} refused" if n_failed else f"of {chosen[before]:,}"


def _working(stage: Stage, words: tuple[RunWordRow, ...]) -> int:
    return sum(word.state is WordState.WORKING and _shown(word.stage) == stage for word in words)


def _failed(stage: Stage, words: tuple[RunWordRow, ...], chosen: dict[str, int]) -> int:
    return chosen.get(f"failed_{stage}", 0) or sum(word.state is WordState.FAILED and _shown(word.stage) == stage for word in words)


def _shown(stage: str) -> str:
    return SHOWN_AS.get(stage, stage)


def n_stages_done(word: RunWordRow) -> int:
    """How many of the seven stages between plan and review a word has behind it."""
    track = [stage.value for stage in STRIP[1:-1]]
    if word.state is WordState.DONE:
        return len(track)
    shown = _shown(word.stage)
    return track.index(shown) + (word.state is WordState.NONE_FOUND) if shown in track else 0


def _plural(n: int, noun: str) -> str:
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"
