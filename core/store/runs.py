"""Runs, their words and clips, searches, and jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Row, func, select

from core.errors import NotFound
from core.model.clips import Source
from core.model.runs import ENDED_RUN, RunSettings, RunStatus, RunSummary, Stage, WordFailure, WordState
from core.store.dialects import insert_new, upsert
from core.store.ledger_rows import totals
from core.store.tables import jobs, ledger, mappings, run_clips, run_words, runs, searches, words
from core.timing import now

SOURCE_CALLS = ("search", "download", "link", "test_key")
"""Of the ledger's operations, those that a source counts and nobody pays by the call."""


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run as stored."""

    run_id: str
    number: int
    name: str
    status: RunStatus
    settings: RunSettings
    reason: str
    attempt: int
    created_by: str
    is_demo: bool
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    worked_s: float
    """Time in which a worker drove it; pauses are left out."""
    plan: Mapping[str, Any] | None = None
    """`model.runs.Plan` as it stood at the launch."""
    notes: tuple[str, ...] = ()
    """What it could not do, a sentence each."""
    stopped_for: str = ""
    """`model.runs.StopCause` while it is paused; else empty."""


@dataclass(frozen=True, slots=True)
class RunWordRow:
    """One word of a run as stored."""

    word_id: int
    word: str
    state: WordState
    stage: str
    detail: str
    reason: str
    attempt: int
    n_hits: int | None
    n_kept: int | None
    n_fetched: int | None
    n_heard: int | None
    best: float | None


@dataclass(frozen=True, slots=True)
class JobRow:
    """One job as stored."""

    job_id: str
    kind: str
    queue: str
    payload: Mapping[str, Any]
    status: str
    detail: str
    done: int
    total: int
    result: Mapping[str, Any] | None
    reason: str
    attempt: int
    created_by: str


def create_run(
    connection: Connection,
    *,
    name: str,
    settings: RunSettings,
    word_ids: Sequence[int],
    request_key: str,
    actor: str,
    plan: Mapping[str, Any] | None = None,
    notes: Sequence[str] = (),
) -> str:
    """A planned run over the words, in their order."""
    run_id = uuid4().hex[:12]
    number = int(connection.execute(select(func.coalesce(func.max(runs.c.number), 0))).scalar_one()) + 1
    connection.execute(
        runs.insert().values(
            run_id=run_id,
            number=number,
            name=name,
            status=RunStatus.PLANNED,
            request_key=request_key,
            settings=asdict(settings),
            min_score=settings.min_score,
            created_by=actor,
            is_demo=settings.is_demo,
            created_at=now(),
            plan=dict(plan) if plan is not None else None,
            notes=list(notes),
        )
    )
    rows = [
        {"run_id": run_id, "word_id": word_id, "rank": rank, "state": WordState.QUEUED, "updated_at": now()}
        for rank, word_id in enumerate(dict.fromkeys(word_ids))
    ]
    if rows:
        connection.execute(run_words.insert(), rows)
    return run_id


def load_run(connection: Connection, run_id: str) -> RunRow:
    """A run by its id or its number. Raises: NotFound."""
    condition = (
        (runs.c.run_id == run_id) | (runs.c.number == int(run_id)) if run_id.isdigit() and len(run_id) < 10 else runs.c.run_id == run_id
    )
    row = connection.execute(select(runs).where(condition)).first()
    if row is None:
        raise NotFound(f"There is no run {run_id}.", hint="`python run.py runs list` shows them.")
    return _run(row)


def list_runs(connection: Connection, *, limit: int = 100) -> list[RunRow]:
    """Newest first."""
    return [_run(row) for row in connection.execute(select(runs).order_by(runs.c.number.desc()).limit(limit))]


def unfinished_run(connection: Connection, request_key: str) -> RunRow | None:
    """The run of the same request that has not ended, if any; one that waits for a quota goes on with the same command."""
    ended = ENDED_RUN - {RunStatus.WAITING_FOR_QUOTA}
    query = select(runs).where(runs.c.request_key == request_key, runs.c.status.not_in(ended)).order_by(runs.c.number.desc())
    row = connection.execute(query).first()
    return None if row is None else _run(row)


def set_run(connection: Connection, run_id: str, **values: Any) -> None:
    """Set columns of a run."""
    connection.execute(runs.update().where(runs.c.run_id == run_id).values(**values))


def add_note(connection: Connection, run_id: str, note: str) -> None:
    """Say on the run what it could not do; the same sentence once."""
    known = connection.execute(select(runs.c.notes).where(runs.c.run_id == run_id).with_for_update()).scalar_one() or []
    if note not in known:
        set_run(connection, run_id, notes=[*known, note])


def words_of_run(connection: Connection, run_id: str) -> list[RunWordRow]:
    """The run's words in their order."""
    query = select(run_words, words.c.text).join(words, words.c.word_id == run_words.c.word_id).where(run_words.c.run_id == run_id)
    return [_run_word(row) for row in connection.execute(query.order_by(run_words.c.rank))]


def load_run_word(connection: Connection, run_id: str, word_id: int) -> RunWordRow:
    query = select(run_words, words.c.text).join(words, words.c.word_id == run_words.c.word_id)
    row = connection.execute(query.where(run_words.c.run_id == run_id, run_words.c.word_id == word_id)).first()
    if row is None:
        raise NotFound(f"Run {run_id} has no word {word_id}.")
    return _run_word(row)


def set_run_word(connection: Connection, run_id: str, word_id: int, **values: Any) -> None:
    """Set columns of a word of a run."""
    connection.execute(
        run_words.update().where(run_words.c.run_id == run_id, run_words.c.word_id == word_id).values(updated_at=now(), **values)
    )


def set_run_clip(connection: Connection, run_id: str, word_id: int, clip_id: int, *, stage: str, outcome: str, reason: str = "") -> None:
    """Record how far a run took a clip for a word."""
    row = {
        "run_id": run_id,
        "clip_id": clip_id,
        "word_id": word_id,
        "stage": stage,
        "outcome": outcome,
        "reason": reason,
        "updated_at": now(),
    }
    upsert(connection, run_clips, [row], on=("run_id", "clip_id", "word_id"))


def clips_of_word(connection: Connection, run_id: str, word_id: int) -> list[tuple[int, str, str, str]]:
    """(clip id, stage, outcome, reason) of a word of a run."""
    query = select(run_clips).where(run_clips.c.run_id == run_id, run_clips.c.word_id == word_id).order_by(run_clips.c.clip_id)
    return [(row.clip_id, row.stage, row.outcome, row.reason) for row in connection.execute(query)]


def kept_search(connection: Connection, search_key: str) -> list[dict[str, Any]] | None:
    """The hits that this search brought before, or None when it was never made."""
    found = connection.execute(select(searches.c.hits).where(searches.c.search_key == search_key)).scalar_one_or_none()
    return None if found is None else list(found)


def searched_at(connection: Connection, search_key: str) -> datetime:
    """When the kept hits were asked for. Raises: NotFound."""
    query = select(searches.c.created_at).where(searches.c.search_key == search_key)
    found: datetime | None = connection.execute(query).scalar_one_or_none()
    if found is None:
        raise NotFound("This search was never made.")
    return found


def keep_search(
    connection: Connection, search_key: str, *, source: str, word_id: int, hits: Sequence[Mapping[str, Any]], run_id: str
) -> None:
    """Keep a search's hits, in place of older ones."""
    row = {"search_key": search_key, "source": source, "word_id": word_id, "hits": list(hits), "run_id": run_id, "created_at": now()}
    upsert(connection, searches, [row], on=("search_key",))


def summarize(connection: Connection, run: RunRow) -> RunSummary:
    """What `discover` and `runs show` answer, counted from the rows."""
    counted = select(run_words.c.state, func.count()).where(run_words.c.run_id == run.run_id).group_by(run_words.c.state)
    states: dict[str, int] = {row[0]: row[1] for row in connection.execute(counted)}
    outcomes = list(connection.execute(select(run_clips).where(run_clips.c.run_id == run.run_id)))
    broken = {row.word_id: row.stage for row in outcomes if row.outcome == "failed"}
    failed = [
        WordFailure(row.word, broken.get(row.word_id, row.stage), row.reason)
        for row in words_of_run(connection, run.run_id)
        if row.state is WordState.FAILED
    ]
    reached = {row.clip_id for row in outcomes if row.stage == Stage.SCORE and row.outcome in ("ok", "not_heard", "spare")}
    scored = select(func.count()).where(mappings.c.clip_id.in_(reached), mappings.c.relevance.is_not(None))
    made = select(ledger.c.operation, func.count().label("n")).where(
        ledger.c.run_id == run.run_id, ledger.c.state.in_(("done", "in_doubt"))
    )
    calls: dict[str, int] = {row.operation: row.n for row in connection.execute(made.group_by(ledger.c.operation))}
    counts = {
        state.value: int(states.get(state, 0))
        for state in (WordState.DONE, WordState.NONE_FOUND, WordState.FAILED, WordState.WAITING_FOR_QUOTA, WordState.CANCELLED)
    }
    own = select(func.count()).where(searches.c.run_id == run.run_id, searches.c.source == Source.LIBRARY)
    n_searches = int(connection.execute(own).scalar_one()) + calls.get("search", 0)
    answered = select(func.count()).where(ledger.c.run_id == run.run_id, ledger.c.state == "done", ledger.c.operation.not_in(SOURCE_CALLS))
    spent = totals(connection, run.run_id)
    return RunSummary(
        run_id=run.run_id,
        status=run.status,
        words={"total": sum(int(count) for count in states.values()), **counts},
        failed=tuple(failed),
        clips=len(reached),
        mappings=int(connection.execute(scored).scalar_one()),
        not_heard=len({(row.clip_id, row.word_id) for row in outcomes if row.outcome == "not_heard"}),
        searches=n_searches + calls.get("link", 0),
        downloads=calls.get("download", 0),
        paid_calls=int(connection.execute(answered).scalar_one()),
        in_doubt=spent.in_doubt,
        repeated_calls=spent.repeated_calls,
        cost_usd=spent.cost_usd,
        elapsed_s=round(run.worked_s, 3),
        is_at_least=spent.is_at_least,
        reason=run.reason,
        notes=run.notes,
        plan=run.plan,
    )


def create_job(
    connection: Connection, kind: str, queue: str, payload: Mapping[str, Any], *, actor: str, total: int = 0, job_id: str = ""
) -> str:
    """A queued job; the same `job_id` again is the same job."""
    job_id = job_id or uuid4().hex[:12]
    row = {
        "job_id": job_id,
        "kind": kind,
        "queue": queue,
        "payload": dict(payload),
        "status": "queued",
        "total": total,
        "created_by": actor,
        "created_at": now(),
        "updated_at": now(),
    }
    insert_new(connection, jobs, [row], on=("job_id",))
    return job_id


def load_job(connection: Connection, job_id: str) -> JobRow:
    """Raises: NotFound."""
    row = connection.execute(select(jobs).where(jobs.c.job_id == job_id)).first()
    if row is None:
        raise NotFound(f"There is no job {job_id}.", hint="`python run.py queue status` shows them.")
    return _job(row)


def list_jobs(connection: Connection, *, kind: str = "", limit: int = 50) -> list[JobRow]:
    """Newest first."""
    query = select(jobs).order_by(jobs.c.created_at.desc()).limit(limit)
    return [_job(row) for row in connection.execute(query.where(jobs.c.kind == kind) if kind else query)]


def set_job(connection: Connection, job_id: str, **values: Any) -> None:
    connection.execute(jobs.update().where(jobs.c.job_id == job_id).values(updated_at=now(), **values))


def _run(row: Row[Any]) -> RunRow:
    known = {field.name for field in fields(RunSettings)}
    settings = {name: value for name, value in row.settings.items() if name in known}
    return RunRow(
        run_id=row.run_id,
        number=row.number,
        name=row.name,
        status=RunStatus(row.status),
        settings=RunSettings(**{**settings, "source": Source(settings["source"])}),
        reason=row.reason,
        attempt=row.attempt,
        created_by=row.created_by,
        is_demo=row.is_demo,
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        worked_s=row.worked_s,
        plan=row.plan,
        notes=tuple(row.notes or ()),
        stopped_for=row.stopped_for,
    )


def _run_word(row: Row[Any]) -> RunWordRow:
    return RunWordRow(
        word_id=row.word_id,
        word=row.text,
        state=WordState(row.state),
        stage=row.stage,
        detail=row.detail,
        reason=row.reason,
        attempt=row.attempt,
        n_hits=row.n_hits,
        n_kept=row.n_kept,
        n_fetched=row.n_fetched,
        n_heard=row.n_heard,
        best=row.best,
    )


def _job(row: Row[Any]) -> JobRow:
    return JobRow(
        job_id=row.job_id,
        kind=row.kind,
        queue=row.queue,
        payload=row.payload,
        status=row.status,
        detail=row.detail,
        done=row.done,
        total=row.total,
        result=row.result,
        reason=row.reason,
        attempt=row.attempt,
        created_by=row.created_by,
    )
