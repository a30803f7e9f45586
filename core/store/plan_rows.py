"""What a plan reads: searches, answers and clips that are kept, and what past runs used. Reads only."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, and_, func, select

from core.model.clips import EvidenceState, ProposalStage, Source
from core.model.runs import RunStatus, WordState
from core.store.tables import clips, ledger, live_mappings, mappings, proposals, run_clips, run_words, runs, searches, transcripts

AT_ONCE = 400
"""Values in one condition; SQLite allows some thousands."""
UNFINISHED = (RunStatus.PLANNED, RunStatus.RUNNING, RunStatus.PAUSED)
LAST_RUNS = 10
"""Runs from which the time to the first clip is learnt."""

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class KeptSearch:
    """One search that was made."""

    run_id: str
    word_id: int
    searched_at: datetime
    n_hits: int


@dataclass(frozen=True, slots=True)
class LineAnswers:
    """What judges said of lines."""

    judged: set[int]
    """Clips whose line the judge in question has answered for: another call would find the answer kept."""
    good: dict[int, dict[int, float]]
    """Clip id → (word id → newest relevance of a word that is good in it), for clips that any judge has read."""


@dataclass(frozen=True, slots=True)
class PastCalls:
    """Finished calls of one model and prompt version whose usage is known; means, 0 without calls."""

    n: int
    tokens_in: float
    tokens_out: float


@dataclass(frozen=True, slots=True)
class PastClips:
    """What the fetched clips of one source came to."""

    n_clips: int
    """Clips that were scored."""
    n_mappings: int
    """Words of their run that they were scored for; without those that only happen to stand on a list."""
    n_words: int
    """Words of runs that ended with or without a clip."""
    n_words_found: int
    n_runs: int
    first_run: int
    """Numbers of the first and the last of those runs; 0 without any."""
    last_run: int


def kept_searches(connection: Connection, source: Source, keys: Sequence[str]) -> dict[str, KeptSearch]:
    """Search key → that search, for those that were made."""
    counted = and_(run_words.c.run_id == searches.c.run_id, run_words.c.word_id == searches.c.word_id)
    n_hits = func.coalesce(run_words.c.n_hits, func.json_array_length(searches.c.hits))  # the count is at hand; else the answer is read
    query = select(searches.c.search_key, searches.c.run_id, searches.c.word_id, searches.c.created_at, n_hits.label("n_hits"))
    query = query.join(run_words, counted, isouter=True).where(searches.c.source == source)
    found: dict[str, KeptSearch] = {}
    for some in _in_parts(keys):
        for row in connection.execute(query.where(searches.c.search_key.in_(some))):
            found[row.search_key] = KeptSearch(row.run_id, row.word_id, row.created_at, row.n_hits)
    return found


def spoken_lines(connection: Connection, made: Collection[KeptSearch]) -> dict[int, set[int]]:
    """Word id → the clips that its search led to and in which something is spoken."""
    wanted = {(search.run_id, search.word_id) for search in made}
    found: dict[int, set[int]] = {search.word_id: set() for search in made}
    query = select(run_clips.c.run_id, run_clips.c.word_id, run_clips.c.clip_id).join(clips, clips.c.clip_id == run_clips.c.clip_id)
    for some in _in_parts(sorted({run_id for run_id, _ in wanted})):
        for row in connection.execute(query.where(run_clips.c.run_id.in_(some), clips.c.spoken != "")):
            if (row.run_id, row.word_id) in wanted:
                found[row.word_id].add(row.clip_id)
    return found


def lines_a_search(connection: Connection, source: Source) -> tuple[float, int]:
    """(mean of distinct spoken lines that one more search brought, searches that it was learnt from)."""
    mine = (clips.c.source == source, clips.c.spoken != "", ~clips.c.is_demo)
    n_lines = connection.execute(select(func.count()).select_from(clips).where(*mine)).scalar_one()
    n_searches = connection.execute(select(func.count()).select_from(searches).where(searches.c.source == source)).scalar_one()
    return (n_lines / n_searches if n_searches else 0.0), int(n_searches)


def line_answers(connection: Connection, clip_ids: Collection[int], judge: str, model: str, prompt_version: str) -> LineAnswers:
    """What was answered for the lines of these clips."""
    query = select(
        proposals.c.clip_id,
        proposals.c.word_id,
        proposals.c.relevance,
        (
            (proposals.c.judge == judge)
            & (proposals.c.model == model)
            & (proposals.c.prompt_version == prompt_version)
            & (proposals.c.evidence_state != EvidenceState.NOT_HEARD)
        ).label("is_kept"),
    ).where(proposals.c.stage == ProposalStage.SHORTLIST)
    found = LineAnswers(set(), {})
    for some in _in_parts(sorted(clip_ids)):
        for clip_id, word_id, relevance, is_kept in connection.execute(
            query.where(proposals.c.clip_id.in_(some)).order_by(proposals.c.proposal_id)
        ):
            good = found.good.setdefault(clip_id, {})
            if relevance is not None:
                good[word_id] = relevance
            else:
                good.pop(word_id, None)
            if is_kept:
                found.judged.add(clip_id)
    return found


def past_calls(connection: Connection, model: str, prompt_version: str) -> PastCalls:
    """What the judge's finished calls used, whose provider said so."""
    told = (ledger.c.operation == "judge", ledger.c.model == model, ledger.c.prompt_version == prompt_version, ledger.c.state == "done")
    columns = (func.count(), func.coalesce(func.avg(ledger.c.tokens_in), 0), func.coalesce(func.avg(ledger.c.tokens_out), 0))
    n, tokens_in, tokens_out = connection.execute(select(*columns).where(*told, ledger.c.tokens_in > 0)).one()
    return PastCalls(n, float(tokens_in), float(tokens_out))


def clip_means(connection: Connection, source: Source) -> tuple[float, float, int]:
    """(mean characters spoken, mean length in seconds, clips) of what a source brought so far."""
    columns = (func.avg(func.length(clips.c.spoken)), func.avg(clips.c.end_s - clips.c.start_s), func.count())
    chars, length_s, n = connection.execute(select(*columns).where(clips.c.source == source, clips.c.spoken != "")).one()
    return float(chars or 0), float(length_s or 0), int(n)


def text_changes(connection: Connection, source: Source, transcriber: str) -> tuple[int, int]:
    """(clips whose recognised text is not that of the line, clips): only a new text is judged a second time.

    Of clips that were scored in runs with this transcriber and whose text no person has corrected.
    """
    told = connection.execute(select(runs.c.run_id, runs.c.settings))
    mine = [row.run_id for row in told if row.settings.get("transcriber") == transcriber]
    query = (
        select(clips.c.clip_id, clips.c.spoken, transcripts.c.text)
        .join(transcripts, transcripts.c.transcript_id == clips.c.transcript_id)
        .join(proposals, and_(proposals.c.clip_id == clips.c.clip_id, proposals.c.stage == ProposalStage.FINAL))
        .where(clips.c.source == source, transcripts.c.parent_id.is_(None))
        .distinct()
    )
    texts: dict[int, tuple[str, str]] = {}
    for some in _in_parts(mine):
        texts |= {row.clip_id: (row.spoken, row.text) for row in connection.execute(query.where(proposals.c.run_id.in_(some)))}
    return sum(before.split() != after.split() for before, after in texts.values()), len(texts)


def words_in_runs(connection: Connection, source: Source, word_ids: Collection[int], *, without_run: str = "") -> dict[int, int]:
    """Word id → number of the newest unfinished run of this source that still has it to do, the named run apart."""
    query = (
        select(run_words.c.word_id, runs.c.number, runs.c.settings)
        .join(runs, runs.c.run_id == run_words.c.run_id)
        .where(runs.c.status.in_(UNFINISHED), run_words.c.state.in_((WordState.QUEUED, WordState.WORKING)), runs.c.run_id != without_run)
        .order_by(runs.c.number)
    )
    wanted = set(word_ids)
    return {row.word_id: row.number for row in connection.execute(query) if row.word_id in wanted and row.settings["source"] == source}


def words_live_at(connection: Connection, target: str) -> set[int]:
    """Words of which this workspace itself has a clip at the target that learners are shown."""
    live = select(live_mappings.c.word_id).where(live_mappings.c.target == target, live_mappings.c.relevance > 0)
    return set(connection.execute(live.distinct()).scalars())


def past_clips(connection: Connection, source: Source) -> PastClips:
    """What runs over a source brought; the demo's and those that never scored a clip apart."""
    mine = _runs_of(connection, source)
    if not mine:
        return PastClips(0, 0, 0, 0, 0, 0, 0)
    at = mappings.c.run_id.in_(mine)
    same = and_(run_words.c.run_id == mappings.c.run_id, run_words.c.word_id == mappings.c.word_id)
    n_mappings = connection.execute(select(func.count()).select_from(mappings.join(run_words, same)).where(at)).scalar_one()
    n_clips = connection.execute(select(func.count(mappings.c.clip_id.distinct())).where(at)).scalar_one()
    ended = select(run_words.c.state, func.count()).where(run_words.c.run_id.in_(mine), run_words.c.n_hits.is_not(None))
    states: Mapping[str, int] = {row[0]: row[1] for row in connection.execute(ended.group_by(run_words.c.state))}
    n_found, n_none = states.get(WordState.DONE, 0), states.get(WordState.NONE_FOUND, 0)
    numbers = list(mine.values())
    return PastClips(n_clips, n_mappings, n_found + n_none, n_found, len(mine), min(numbers), max(numbers))


def first_clip_times(connection: Connection, source: Source) -> list[float]:
    """Seconds from the start to the first clip of the last runs over a source that brought one."""
    mine = list(_runs_of(connection, source))[:LAST_RUNS]
    query = (
        select(runs.c.started_at, func.min(mappings.c.created_at).label("first_at"))
        .join(mappings, mappings.c.run_id == runs.c.run_id)
        .where(runs.c.run_id.in_(mine), runs.c.started_at.is_not(None))
        .group_by(runs.c.run_id, runs.c.started_at)
    )
    waited = [(row.first_at - row.started_at).total_seconds() for row in connection.execute(query) if row.first_at is not None]
    return [wait_s for wait_s in waited if wait_s >= 0]


def _runs_of(connection: Connection, source: Source) -> dict[str, int]:
    """Run id → number of real runs over a source from which a clip came to the desk, newest first."""
    brought = select(mappings.c.run_id).where(mappings.c.run_id == runs.c.run_id).exists()
    conditions: list[ColumnElement[bool]] = [brought, ~runs.c.is_demo]
    query: Any = select(runs.c.run_id, runs.c.number, runs.c.settings).where(*conditions).order_by(runs.c.number.desc()).limit(AT_ONCE)
    return {row.run_id: row.number for row in connection.execute(query) if row.settings["source"] == source}


def _in_parts(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for at in range(0, len(items), AT_ONCE):
        yield items[at : at + AT_ONCE]
