"""`queue`: long work, and who does it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ui.cli.options import LARGEST, Json
from ui.cli.output import OUT
from ui.cli.session import opened
from ui.parts.figures import count

if TYPE_CHECKING:
    from core.store.runs import JobRow
    from core.wiring import App

commands = typer.Typer(help="Long work: jobs and runs, and who does it.", no_args_is_help=True)
Id = Annotated[str, typer.Argument(metavar="ID", help="A job's id, or a run's id or number.")]


def add_to(app: typer.Typer) -> None:
    """Hang the commands into the tree."""
    app.add_typer(commands, name="queue")


@commands.command()
def status(limit: Annotated[int, typer.Option(help="At most so many of each.", min=1, max=LARGEST)] = 50, json: Json = False) -> None:
    """Jobs and runs, newest first."""
    from core.store.runs import list_jobs

    with opened() as app:
        with app.database.read() as connection:
            jobs = [_job_json(job) for job in list_jobs(connection, limit=limit)]
        runs = [
            {"id": run.run_id, "kind": "run", "status": str(run.status), "detail": run.name, "reason": run.reason}
            for run in app.discovery.runs(limit=limit)
        ]
    at_work = ("queued", "running")
    told = [row["reason"] or (row["detail"] if row["status"] in at_work or row["kind"] == "run" else "") for row in [*jobs, *runs]]
    rows = [(row["id"], row["kind"], row["status"], text) for row, text in zip([*jobs, *runs], told, strict=True)]
    OUT.table({"jobs": jobs, "runs": runs}, ("Id", "Kind", "Status", "Detail"), rows, empty="No work was ever queued.")


@commands.command(name="file-status")
def file_status(path: Annotated[Path, typer.Argument(metavar="PATH", help="A film.")], json: Json = False) -> None:
    """What became of one film: in which jobs it was, and whether it is in the library."""
    from core.errors import NotFound
    from core.store.runs import list_jobs

    wanted = str(path.expanduser().resolve())
    with opened() as app:
        with app.database.read() as connection:
            jobs = [job for job in list_jobs(connection, kind="ingest", limit=1000) if wanted in job.payload.get("paths", ())]
        film = next((card.film for card in app.library.films() if str(card.film.path) == wanted), None)
    if film is None and not jobs:
        raise NotFound(f"{wanted} was never taken in.", hint="`python run.py ingest PATH` does that.")
    outcomes = [file for job in jobs for file in (job.result or {}).get("files", []) if file["path"] == wanted]
    found = {
        "path": wanted,
        "media_id": film.media_id if film else None,
        "state": film.state if film else (outcomes[0]["status"] if outcomes else jobs[0].status),
        "reason": outcomes[0]["reason"] if outcomes else "",
        "jobs": [_job_json(job) for job in jobs],
    }
    OUT.answer(found, f"{wanted}: {found['state']}{', ' + str(found['reason']) if found['reason'] else ''}")


@commands.command()
def cancel(work_id: Id, json: Json = False) -> None:
    """Stop a job or a run at its next step; what was done stays."""
    with opened() as app:
        if _is_job(app, work_id):
            app.runs.cancel_job(work_id)
            _answer(app, work_id)
        else:
            _answer_run(app.discovery.cancel(work_id))


@commands.command()
def retry(work_id: Id, json: Json = False) -> None:
    """Do again what failed; a worker goes on with it."""
    with opened() as app:
        if _is_job(app, work_id):
            app.runs.retry_job(work_id)
            _answer(app, work_id)
        else:
            _answer_run(app.discovery.retry(work_id))


@commands.command()
def healthchecks(json: Json = False) -> None:
    """Who is alive, and what waits. Exit 2 where something waits and nobody is alive."""
    from core.model.runs import RunStatus
    from core.pipeline.janitor import worker_health
    from core.store.runs import list_jobs

    with opened() as app:
        workers = worker_health(app.database)
        with app.database.read() as connection:
            waiting = [job for job in list_jobs(connection, limit=1000) if job.status in ("queued", "running")]
        n_runs = sum(run.status in (RunStatus.PLANNED, RunStatus.RUNNING) for run in app.discovery.runs(limit=1000))
    live = [worker for worker in workers if worker.is_live]
    document = {
        "ok": bool(live) or not (waiting or n_runs),
        "workers": [
            {"worker_id": w.worker_id, "is_live": w.is_live, "beat_at": w.beat_at.isoformat(), "queues": list(w.queues)} for w in workers
        ],
        "waiting": len(waiting),
        "runs": n_runs,
    }
    work = f"{count(len(waiting), 'job')} and {count(n_runs, 'run')}"
    says = f"{len(live)} of {count(len(workers), 'worker')} alive; {work} to do."
    OUT.answer(document, says, *([] if document["ok"] else ["`python run.py` starts a worker; so does `python run.py worker`."]))
    if not document["ok"]:
        raise typer.Exit(2)


def _is_job(app: App, work_id: str) -> bool:
    """Whether it is a job; else it is a run. Raises: NotFound, where it is neither."""
    from core.errors import NotFound

    try:
        app.library.job(work_id)
    except NotFound:
        try:
            app.discovery.run(work_id)
        except NotFound:
            raise NotFound(f"There is no job and no run {work_id!r}.", hint="`python run.py queue status` shows them.") from None
        return False
    return True


def _answer(app: App, job_id: str) -> None:
    found = _job_json(app.library.job(job_id))
    OUT.answer(found, f"{found['kind']} {found['id']}: {found['status']}")


def _answer_run(summary: Any) -> None:
    from core.services.discovery import summary_json

    OUT.answer(summary_json(summary), f"run {summary.run_id}: {summary.status}")


def _job_json(job: JobRow) -> dict[str, Any]:
    return {
        "id": job.job_id,
        "kind": job.kind,
        "status": job.status,
        "queue": job.queue,
        "done": job.done,
        "total": job.total,
        "detail": job.detail,
        "reason": job.reason,
        "attempt": job.attempt,
    }
