"""Start, pause, resume, cancel, retry: writes to our tables, followed by a word to the engine. Usable in every process."""

from __future__ import annotations

from sqlalchemy import Connection, Row, select, update

from core.errors import NotFound
from core.model.runs import RunStatus, Stage, StopCause, WordState
from core.pipeline.engine import ENDED, GIVEN_UP, WORKER_KILLER, EngineClient, job_workflow_id, run_workflow_id
from core.pipeline.steps import OPEN_WORD
from core.store.database import Database
from core.store.tables import clips, jobs, run_clips, run_words, runs
from core.timing import now

RESUMABLE = (RunStatus.PLANNED, RunStatus.PAUSED, RunStatus.WAITING_FOR_QUOTA, RunStatus.CANCELLED)
STOPPED_WORD = (WordState.CANCELLED, WordState.WAITING_FOR_QUOTA)
OPEN_JOB = ("queued", "running")


class RunControl:
    """What people do to runs and jobs. Each method may be repeated; each leaves the truth right even if the engine is away.

    All of them raise NotFound for an unknown id.
    """

    def __init__(self, database: Database, engine: EngineClient) -> None:
        self._database = database
        self._engine = engine

    def start(self, run_id: str) -> RunStatus:
        """Begin a planned run, or go on with one that does not run: its words that have not come to an end of their own.

        A run that is running is handed to the engine again, which changes nothing; one that succeeded or failed stays so.
        """
        with self._database.write() as connection:
            run = _run(connection, run_id)
            if run.status in RESUMABLE:
                _queue_again(connection, run_id, STOPPED_WORD)
                _set_running(connection, run_id, run.attempt + (run.status != RunStatus.PLANNED))
        return self._hand_over(run_id)

    resume = start

    def resume_if_stopped_for(self, run_id: str, cause: StopCause) -> bool:
        """Go on with a run that is still paused for this cause: what a person did with it meanwhile stands. Returns: whether it was."""
        with self._database.write() as connection:
            query = select(runs.c.status, runs.c.stopped_for, runs.c.attempt).where(runs.c.run_id == run_id)
            run = connection.execute(query).one()
            if (run.status, run.stopped_for) != (RunStatus.PAUSED, cause):
                return False
            _queue_again(connection, run_id, STOPPED_WORD)
            _set_running(connection, run_id, run.attempt + 1)
        self._hand_over(run_id)
        return True

    def pause(self, run_id: str) -> RunStatus:
        """Stop after the stages in hand. Words keep how far they came."""
        with self._database.write() as connection:
            run = _run(connection, run_id)
            if run.status == RunStatus.RUNNING:
                stopped = {"status": RunStatus.PAUSED, "stopped_for": StopCause.PERSON}
                connection.execute(update(runs).where(runs.c.run_id == run_id).values(**stopped))
                _queue_again(connection, run_id, (WordState.QUEUED,))
        return self._withdraw(run_id)

    def cancel(self, run_id: str) -> RunStatus:
        """Stop after the stages in hand, whose outcome no longer counts. Paid results are kept; the run can be resumed."""
        with self._database.write() as connection:
            run = _run(connection, run_id)
            if run.status in (RunStatus.PLANNED, RunStatus.RUNNING, RunStatus.PAUSED, RunStatus.WAITING_FOR_QUOTA):
                connection.execute(update(runs).where(runs.c.run_id == run_id).values(status=RunStatus.CANCELLED, ended_at=now()))
                ending = (*OPEN_WORD, WordState.WAITING_FOR_QUOTA)
                connection.execute(
                    update(run_words)
                    .where(run_words.c.run_id == run_id, run_words.c.state.in_(ending))
                    .values(state=WordState.CANCELLED, updated_at=now())
                )
        return self._withdraw(run_id)

    def retry(self, run_id: str) -> int:
        """Queue just the failed words again, each from the stage that failed, with their failed clips to be tried anew.

        Returns: how many words there were.
        """
        with self._database.write() as connection:
            run = _run(connection, run_id, is_held=True)
            _try_clips_again(connection, run_id)
            count = _queue_again(connection, run_id, (WordState.FAILED,))
            if count and run.status != RunStatus.RUNNING:
                _queue_again(connection, run_id, STOPPED_WORD if run.status == RunStatus.WAITING_FOR_QUOTA else ())
                _set_running(connection, run_id, run.attempt + 1)
        if count:
            self._hand_over(run_id)
        return count

    def start_job(self, job_id: str) -> None:
        """Hand a queued job to the engine."""
        with self._database.read() as connection:
            job = connection.execute(select(jobs.c.status, jobs.c.queue, jobs.c.attempt).where(jobs.c.job_id == job_id)).one_or_none()
        if job is None:
            raise NotFound(f"There is no job {job_id}.", hint="`python run.py queue status` lists them.")
        if job.status in OPEN_JOB:
            self._engine.start_job(job_id, job.attempt, job.queue)

    def retry_job(self, job_id: str) -> None:
        """Do a job again that failed or was cancelled; it goes on where it left off."""
        with self._database.write() as connection:
            connection.execute(
                update(jobs)
                .where(jobs.c.job_id == job_id, jobs.c.status.in_(("failed", "cancelled")))
                .values(status="queued", reason="", attempt=jobs.c.attempt + 1, updated_at=now())
            )
        self.start_job(job_id)

    def cancel_job(self, job_id: str) -> None:
        """Stop a job: at once if it waits, else when its function next looks at its row."""
        with self._database.write() as connection:
            connection.execute(
                update(jobs).where(jobs.c.job_id == job_id, jobs.c.status.in_(OPEN_JOB)).values(status="cancelled", updated_at=now())
            )

    def reconcile(self) -> int:
        """Make the engine do all that our tables say is unfinished, whatever its own database lost.

        Returns: how many runs and jobs had to be handed over again.
        """
        with self._database.read() as connection:
            open_runs = connection.execute(select(runs.c.run_id, runs.c.attempt).where(runs.c.status == RunStatus.RUNNING)).all()
            open_jobs = connection.execute(select(jobs.c.job_id, jobs.c.attempt, jobs.c.queue).where(jobs.c.status.in_(OPEN_JOB))).all()
        wanted = [run_workflow_id(row.run_id, row.attempt) for row in open_runs] + [
            job_workflow_id(row.job_id, row.attempt) for row in open_jobs
        ]
        status = self._engine.status(wanted)
        mended = 0
        for row in open_runs:
            found = status.get(run_workflow_id(row.run_id, row.attempt))
            if found is None or found in ENDED:
                mended += self._renew_run(row.run_id, row.attempt, is_known=found is not None)
        for job in open_jobs:
            found = status.get(job_workflow_id(job.job_id, job.attempt))
            if found is None or found in ENDED:
                mended += self._renew_job(job.job_id, job.attempt, job.queue, found)
        return mended

    def _renew_run(self, run_id: str, attempt: int, *, is_known: bool) -> int:
        renewed = attempt + is_known
        with self._database.write() as connection:
            mine = (runs.c.run_id == run_id, runs.c.attempt == attempt, runs.c.status == RunStatus.RUNNING)
            if connection.execute(update(runs).where(*mine).values(attempt=renewed)).rowcount == 0:
                return 0
        self._engine.start_run(run_id, renewed)
        return 1

    def _renew_job(self, job_id: str, attempt: int, queue: str, found: str | None) -> int:
        renewed = attempt + (found is not None)
        with self._database.write() as connection:
            mine = (jobs.c.job_id == job_id, jobs.c.attempt == attempt, jobs.c.status.in_(OPEN_JOB))
            if found == GIVEN_UP:
                connection.execute(update(jobs).where(*mine).values(status="failed", reason=WORKER_KILLER, updated_at=now()))
                return 0
            if connection.execute(update(jobs).where(*mine).values(attempt=renewed)).rowcount == 0:
                return 0
        self._engine.start_job(job_id, renewed, queue)
        return 1

    def _hand_over(self, run_id: str) -> RunStatus:
        with self._database.read() as connection:
            run = _run(connection, run_id)
        if run.status == RunStatus.RUNNING:
            self._engine.start_run(run_id, run.attempt)
            self._retry_refills(run_id)
        return RunStatus(run.status)

    def _retry_refills(self, run_id: str) -> None:
        """Refills that failed, as while the run was stopped, are done after all; one that is no longer needed does nothing."""
        failed = select(jobs.c.job_id, jobs.c.payload).where(jobs.c.kind == "refill", jobs.c.status == "failed")
        with self._database.read() as connection:
            again = [row.job_id for row in connection.execute(failed) if row.payload.get("run_id") == run_id]
        for job_id in again:
            self.retry_job(job_id)

    def _withdraw(self, run_id: str) -> RunStatus:
        self._engine.withdraw_words(run_id)
        with self._database.read() as connection:
            return RunStatus(_run(connection, run_id).status)


def _run(connection: Connection, run_id: str, *, is_held: bool = False) -> Row[str, int]:
    """`is_held`: it does not end before the unit of work has."""
    query = select(runs.c.status, runs.c.attempt).where(runs.c.run_id == run_id)
    row = connection.execute(query.with_for_update() if is_held else query).one_or_none()
    if row is None:
        raise NotFound(f"There is no run {run_id}.", hint="`python run.py runs list` lists them.")
    return row


def _set_running(connection: Connection, run_id: str, attempt: int) -> None:
    going = {"status": RunStatus.RUNNING, "attempt": attempt, "reason": "", "stopped_for": "", "ended_at": None}
    connection.execute(update(runs).where(runs.c.run_id == run_id).values(**going))


def _queue_again(connection: Connection, run_id: str, states: tuple[WordState, ...]) -> int:
    """Words in one of `states` become queued under a new attempt, keeping their stage. Returns: how many."""
    changed = connection.execute(
        update(run_words)
        .where(run_words.c.run_id == run_id, run_words.c.state.in_(states))
        .values(state=WordState.QUEUED, reason="", attempt=run_words.c.attempt + 1, updated_at=now())
    )
    return changed.rowcount


def _try_clips_again(connection: Connection, run_id: str) -> None:
    """The clips that failed for words that failed wait again, and are no longer marked as unusable; a line that was not judged is."""
    words = select(run_words.c.word_id).where(run_words.c.run_id == run_id, run_words.c.state == WordState.FAILED)
    failed = (run_clips.c.run_id == run_id, run_clips.c.outcome == "failed", run_clips.c.word_id.in_(words))
    unjudged = (*failed, run_clips.c.stage == Stage.SHORTLIST)
    again = list(connection.execute(select(run_clips.c.word_id).where(*unjudged).distinct()).scalars())
    connection.execute(update(run_clips).where(*unjudged).values(outcome="waiting", stage=Stage.MERGE, reason="", updated_at=now()))
    connection.execute(update(run_words).where(run_words.c.run_id == run_id, run_words.c.word_id.in_(again)).values(stage=Stage.SHORTLIST))
    connection.execute(
        update(clips).where(clips.c.clip_id.in_(select(run_clips.c.clip_id).where(*failed))).values(failure="", failure_stage="")
    )
    connection.execute(update(run_clips).where(*failed).values(outcome="waiting", stage=Stage.SHORTLIST, reason="", updated_at=now()))
