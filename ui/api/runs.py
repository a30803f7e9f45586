"""Runs of discovery: launching, following, switching."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field

from core.errors import InvalidInput
from core.model.clips import Source
from core.model.runs import RunSettings
from core.services.discovery import WordChoice, require_limits, summary_json
from core.wiring import App
from ui.api.review import Body


class RunBody(Body):
    """What `discover` takes: the words from exactly one of `bundle`, `words` and `gaps`."""

    bundle: str = ""
    words: Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=20000)] = []
    gaps: str = ""
    source: str = ""
    """Empty: clipcafe where its key is set, else library."""
    want: Annotated[int, Field(ge=1, le=20)] = 3
    max_videos: Annotated[int, Field(ge=1)] = 100
    max_downloads: Annotated[int, Field(ge=0)] | None = None
    max_cost: Annotated[float, Field(ge=0)] | None = None
    min_score: Annotated[float, Field(ge=0, le=1)] | None = None
    plan: bool = False


def runs_router(app: App, actor: Callable[[], str]) -> APIRouter:
    """The answers are those of `discover` and `runs`."""
    router = APIRouter(tags=["runs"])

    @router.get("/runs")
    def runs() -> dict[str, Any]:
        """Every run, newest first."""
        found = app.discovery.runs()
        return {"runs": [{"run_id": run.run_id, "number": run.number, "name": run.name, "status": str(run.status)} for run in found]}

    @router.get("/runs/{run_id}")
    def show(run_id: str) -> dict[str, Any]:
        """How a run goes, or ended."""
        return summary_json(app.discovery.summary(run_id))

    @router.post("/runs")
    def launch(body: RunBody) -> dict[str, Any]:
        """Start a run, or resume the unfinished one of the same request; a worker goes on with it. `plan`: only its cost."""
        from dataclasses import asdict

        if body.source not in ("", Source.CLIPCAFE, Source.LIBRARY):
            raise InvalidInput(f"{body.source!r} is no source.", hint="Use library or clipcafe.")
        choice = WordChoice(bundle=body.bundle, words=tuple(body.words), gaps=body.gaps)
        settings = RunSettings(
            source=Source(body.source) if body.source else app.discovery.usual_source(choice),
            want=body.want,
            max_videos=body.max_videos,
            max_downloads=body.max_downloads,
            max_cost_usd=body.max_cost,
            min_score=body.min_score,
        )
        require_limits(settings)
        if not body.plan:
            app.discovery.require_source(settings.source)
        chosen = app.discovery.choose(choice, want=body.want, is_kept=not body.plan)
        if body.plan:
            return {**asdict(app.discovery.plan(chosen, settings)), "report": list(chosen.report)}
        summary = app.discovery.summary(app.discovery.launch(chosen, settings, actor=actor()))
        return {**summary_json(summary), "report": list(chosen.report)}

    @router.post("/runs/{run_id}/pause")
    def pause(run_id: str) -> dict[str, Any]:
        """Stop at the next stage; nothing that was done is lost."""
        return summary_json(app.discovery.pause(run_id))

    @router.post("/runs/{run_id}/resume")
    def resume(run_id: str) -> dict[str, Any]:
        """Go on with a run that was paused, waits or was cancelled."""
        return summary_json(app.discovery.resume(run_id))

    @router.post("/runs/{run_id}/cancel")
    def cancel(run_id: str) -> dict[str, Any]:
        """End a run at the next stage; what was found stays."""
        return summary_json(app.discovery.cancel(run_id))

    @router.post("/runs/{run_id}/retry")
    def retry(run_id: str) -> dict[str, Any]:
        """Do again just what failed."""
        return summary_json(app.discovery.retry(run_id))

    return router
