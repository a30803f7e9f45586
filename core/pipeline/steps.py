"""How runs, words and jobs move on in our tables. The engine calls these as its steps; each can be repeated at any time.

Every write names the attempt it belongs to, so that a step of an earlier attempt, or of a worker that was given up and came
back, changes nothing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, func, select, update

from core.errors import (
    BudgetReached,
    DatabaseUnavailable,
    DiskFull,
    KeyRefused,
    NotSent,
    QuotaReached,
    QuotaUsedUp,
    RateLimited,
    WordreelError,
)
from core.model.runs import ENDED_WORD, RunStatus, StopCause, WordState
from core.pipeline.work import Halted, WordEnd, Work
from core.store.database import Database
from core.store.tables import jobs, run_words, runs
from core.timing import now

log = logging.getLogger("wordreel.engine")

NO_ROOM_S = 2.0
"""How long a step waits where its own database cannot grow, or cannot be used."""
OUTAGE_TRIES = 45
"""A minute and a half of a database that is away; then the word fails with what it says."""
OPEN_WORD = (WordState.QUEUED, WordState.WORKING)

STOPS: tuple[tuple[type[WordreelError], StopCause], ...] = (
    (KeyRefused, StopCause.KEY),
    (QuotaUsedUp, StopCause.CREDIT),
    (RateLimited, StopCause.PROVIDER),
    (NotSent, StopCause.PROVIDER),
    (DiskFull, StopCause.DISK),
)
"""What no other word of the run could get past either: it pauses the run, with one message."""

STOPPED = "Its run was paused or cancelled; it is done when the run goes on."
"""Why a job did not end."""

BUG = "This is a bug in Wordreel ({kind}); the worker's log has the details."


@dataclass(frozen=True, slots=True)
class OpenWord:
    """A word of a run that has not ended."""

    word_id: int
    rank: int
    attempt: int


def take_step(database: Database, work: Work, run_id: str, word_id: int, attempt: int) -> bool:
    """Do the next stage of a word, if it is still this attempt's to do.

    Returns: whether there is more to do. All that goes wrong inside the stage is written to the word's row. Where there is no room
    even for that, or the database is away, it waits a little, and the stage is done again.
    """
    for n_tries_left in reversed(range(OUTAGE_TRIES)):
        try:
            return _take_step(database, work, run_id, word_id, attempt, may_wait=n_tries_left > 0)
        except DiskFull as error:
            log.warning("run %s, word %s waits for room: %s", run_id, word_id, error.message)
            time.sleep(NO_ROOM_S)
            return True
        except DatabaseUnavailable as error:
            if not n_tries_left:
                raise
            log.warning("run %s, word %s waits for the database: %s", run_id, word_id, error.message)
            time.sleep(NO_ROOM_S)
    return True


def _take_step(database: Database, work: Work, run_id: str, word_id: int, attempt: int, *, may_wait: bool) -> bool:
    name = _enter_stage(database, work, run_id, word_id, attempt)
    if name is None:
        return False
    stage = work.stage_at(name)
    try:
        end = stage.run(run_id, word_id)
    except Halted:
        return True
    except DatabaseUnavailable as error:
        if may_wait:
            raise
        end = WordEnd(WordState.FAILED, reason=_reason(error))
    except (QuotaReached, BudgetReached) as error:
        end = WordEnd(WordState.WAITING_FOR_QUOTA, reason=_reason(error), detail=error.message)
    except WordreelError as error:
        cause = next((cause for kind, cause in STOPS if isinstance(error, kind)), None)
        if cause is not None:
            stop_run(database, run_id, cause, _reason(error))
            return True
        log.info("run %s, word %s: %s failed: %s", run_id, word_id, name, error.message)
        end = WordEnd(WordState.FAILED, reason=_reason(error))
    except Exception as error:
        log.exception("run %s, word %s: a bug in %s", run_id, word_id, name)
        end = WordEnd(WordState.FAILED, reason=BUG.format(kind=type(error).__name__))
    following = work.stage_after(name)
    if end is None and following is None:
        end = WordEnd(WordState.DONE)
    with database.write() as connection:
        if end is not None:
            said = {"reason": end.reason, "detail": end.detail} if end.detail else {"reason": end.reason}
            _write_word(connection, run_id, word_id, attempt, None, state=end.state, **said)
            return False
        assert following is not None
        return _write_word(connection, run_id, word_id, attempt, state=WordState.WORKING, stage=following.name)


def _enter_stage(database: Database, work: Work, run_id: str, word_id: int, attempt: int) -> str | None:
    """The stage to do now, entered in the word's row; None if the word is not to be worked on."""
    query = (
        select(run_words.c.state, run_words.c.stage, run_words.c.attempt, runs.c.status)
        .join(runs, runs.c.run_id == run_words.c.run_id)
        .where(run_words.c.run_id == run_id, run_words.c.word_id == word_id)
    )
    with database.read() as connection:
        row = connection.execute(query).one_or_none()
    if row is None or row.attempt != attempt or row.state not in OPEN_WORD:
        return None
    stage = work.stage_at(row.stage)
    if row.status == RunStatus.RUNNING and row.state == WordState.WORKING and row.stage == stage.name:
        return stage.name
    with database.write() as connection:
        status = connection.execute(select(runs.c.status).where(runs.c.run_id == run_id)).scalar_one()
        if status == RunStatus.RUNNING:
            is_ours = _write_word(connection, run_id, word_id, attempt, state=WordState.WORKING, stage=stage.name, reason="")
            return stage.name if is_ours else None
        if status == RunStatus.PAUSED:
            _write_word(connection, run_id, word_id, attempt, state=WordState.QUEUED, attempt_to=attempt + 1)
        else:
            _write_word(connection, run_id, word_id, attempt, state=WordState.CANCELLED)
    return None


def _write_word(connection: Connection, run_id: str, word_id: int, attempt: int, attempt_to: int | None = None, **values: str) -> bool:
    """Change the row of an open word of this attempt; False if it is no longer that."""
    changed = connection.execute(
        update(run_words)
        .where(
            run_words.c.run_id == run_id, run_words.c.word_id == word_id, run_words.c.attempt == attempt, run_words.c.state.in_(OPEN_WORD)
        )
        .values(updated_at=now(), attempt=attempt if attempt_to is None else attempt_to, **values)
    )
    return bool(changed.rowcount == 1)


def stop_run(database: Database, run_id: str, cause: StopCause, reason: str) -> None:
    """Pause a run that cannot go on, once, with why; its words keep how far they came."""
    with database.write() as connection:
        changed = connection.execute(
            update(runs)
            .where(runs.c.run_id == run_id, runs.c.status == RunStatus.RUNNING)
            .values(status=RunStatus.PAUSED, reason=reason, stopped_for=cause)
        )
        if changed.rowcount == 0:
            return
        connection.execute(
            update(run_words)
            .where(run_words.c.run_id == run_id, run_words.c.state == WordState.QUEUED)
            .values(attempt=run_words.c.attempt + 1, updated_at=now())
        )
    log.warning("run %s is paused (%s): %s", run_id, cause, reason)


def put_back(database: Database, run_id: str, word_id: int, attempt: int) -> bool:
    """An open word whose workflow is gone is queued again under a new attempt; False if it has ended after all."""
    with database.write() as connection:
        return _write_word(connection, run_id, word_id, attempt, state=WordState.QUEUED, attempt_to=attempt + 1)


def fail_word(database: Database, run_id: str, word_id: int, attempt: int, reason: str) -> None:
    """An open word that cannot be worked on fails with the reason."""
    with database.write() as connection:
        _write_word(connection, run_id, word_id, attempt, state=WordState.FAILED, reason=reason)


def begin_run(database: Database, work: Work, run_id: str, attempt: int) -> bool:
    """Stamp the start and call the work's hook; False if the run is not to be worked on (any more)."""
    with database.write() as connection:
        changed = connection.execute(
            update(runs).where(*_current(run_id, attempt)).values(started_at=func.coalesce(runs.c.started_at, now()), ended_at=None)
        )
        if changed.rowcount == 0:
            return False
    return _hook(database, work.begin_run, run_id, attempt)


def is_current(database: Database, run_id: str, attempt: int) -> bool:
    """Whether this attempt of the run is still to be worked on."""
    with database.read() as connection:
        return connection.execute(select(runs.c.run_id).where(*_current(run_id, attempt))).first() is not None


def open_words(database: Database, run_id: str, limit: int) -> Sequence[OpenWord]:
    """The first `limit` words that have not ended, by rank."""
    query = (
        select(run_words.c.word_id, run_words.c.rank, run_words.c.attempt)
        .where(run_words.c.run_id == run_id, run_words.c.state.in_(OPEN_WORD))
        .order_by(run_words.c.rank, run_words.c.word_id)
        .limit(limit)
    )
    with database.read() as connection:
        return [OpenWord(row.word_id, row.rank, row.attempt) for row in connection.execute(query)]


def add_worked(database: Database, run_id: str, worked_s: float) -> None:
    """Count the time that a run was worked on, from a clock that never jumps."""
    with database.write() as connection:
        connection.execute(update(runs).where(runs.c.run_id == run_id).values(worked_s=runs.c.worked_s + worked_s))


def end_run(database: Database, work: Work, run_id: str, attempt: int) -> bool:
    """Every word has ended: call the hook, then write how the run ended. False: words were queued again meanwhile, and it goes on."""
    if not _hook(database, work.end_run, run_id, attempt):
        return True
    of_run = select(run_words.c.word_id).where(run_words.c.run_id == run_id).limit(1)
    with database.write() as connection:
        connection.execute(select(runs.c.run_id).where(runs.c.run_id == run_id).with_for_update())
        if connection.execute(of_run.where(run_words.c.state.in_(OPEN_WORD))).first() is not None:
            return False
        is_waiting = connection.execute(of_run.where(run_words.c.state == WordState.WAITING_FOR_QUOTA)).first() is not None
        _end(connection, run_id, attempt, RunStatus.WAITING_FOR_QUOTA if is_waiting else RunStatus.SUCCEEDED, "")
        return True


def fail_run(database: Database, run_id: str, attempt: int, reason: str) -> None:
    """The run itself cannot go on; its open words fail with it, so that none is left without an end."""
    with database.write() as connection:
        if _end(connection, run_id, attempt, RunStatus.FAILED, reason):
            connection.execute(
                update(run_words)
                .where(run_words.c.run_id == run_id, run_words.c.state.not_in(ENDED_WORD))
                .values(state=WordState.FAILED, reason=reason, updated_at=now())
            )


def run_job(database: Database, work: Work, job_id: str, attempt: int) -> None:
    """Do one job to its end, which is written to its row. A job that was cancelled or is another attempt's is left alone."""
    mine = (jobs.c.job_id == job_id, jobs.c.attempt == attempt, jobs.c.status.in_(("queued", "running")))
    with database.write() as connection:
        kind = connection.execute(select(jobs.c.kind).where(*mine)).scalar_one_or_none()
        if kind is None:
            return
        connection.execute(update(jobs).where(*mine).values(status="running", reason="", updated_at=now()))
    status, reason = "succeeded", ""
    try:
        work.job(kind)(job_id)
    except Halted:
        status, reason = "failed", STOPPED
    except WordreelError as error:
        log.info("job %s (%s) failed: %s", job_id, kind, error.message)
        status, reason = "failed", _reason(error)
    except Exception as error:
        log.exception("job %s (%s): a bug", job_id, kind)
        status, reason = "failed", BUG.format(kind=type(error).__name__)
    with database.write() as connection:
        connection.execute(update(jobs).where(*mine).values(status=status, reason=reason, updated_at=now()))


def _hook(database: Database, hook: Callable[[str], None], run_id: str, attempt: int) -> bool:
    try:
        hook(run_id)
    except WordreelError as error:
        reason = _reason(error)
    except Exception as error:
        log.exception("run %s: a bug", run_id)
        reason = BUG.format(kind=type(error).__name__)
    else:
        return True
    fail_run(database, run_id, attempt, reason)
    return False


def _current(run_id: str, attempt: int) -> tuple[ColumnElement[bool], ...]:
    return (runs.c.run_id == run_id, runs.c.attempt == attempt, runs.c.status == RunStatus.RUNNING)


def _end(connection: Connection, run_id: str, attempt: int, status: RunStatus, reason: str) -> bool:
    changed = connection.execute(update(runs).where(*_current(run_id, attempt)).values(status=status, reason=reason, ended_at=now()))
    return bool(changed.rowcount == 1)


def _reason(error: WordreelError) -> str:
    return f"{error.message} {error.hint}".strip()
