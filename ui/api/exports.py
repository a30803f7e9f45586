"""Exports: what would be sent, sending it, and what became of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter

from core.wiring import App
from ui.api.review import Body


class ExportBody(Body):
    """What `export` takes. `confirmed` is `--yes`, for the first export to a host."""

    bundle: str = ""
    backend_url: str = ""
    dry_run: bool = False
    confirmed: bool = False
    allow_strong_language: bool = False
    only: list[int] | None = None


def exports_router(app: App, actor: Callable[[], str]) -> APIRouter:
    """The answers are those of `export`."""
    router = APIRouter(tags=["exports"])

    @router.get("/exports")
    def history() -> dict[str, Any]:
        """Batches, newest first."""
        return {
            "batches": [
                {
                    "batch_id": batch.batch_id,
                    "number": batch.number,
                    "target": batch.target,
                    "source_id": batch.source_id,
                    "created_at": batch.created_at,
                    "ended_at": batch.ended_at,
                    "items": batch.n_items,
                    "sent": batch.sent,
                    "failed": batch.failed,
                    "skipped": batch.skipped,
                }
                for batch in app.exports.history()
            ]
        }

    @router.get("/exports/{batch_id}")
    def show(batch_id: str) -> dict[str, Any]:
        """One batch with each clip's outcome, while it is sent and afterwards."""
        return app.exports.batch(batch_id).as_json()

    @router.post("/exports")
    def send(body: ExportBody) -> dict[str, Any]:
        """Begin to send what is approved, or go on with the target's unfinished batch (`notes` says so); a worker sends it."""
        if body.dry_run:
            return app.exports.preview(body.backend_url, body.bundle or None, body.allow_strong_language).as_json()
        notes: list[str] = []
        batch_id = app.exports.create_batch(
            body.backend_url,
            body.bundle or None,
            actor(),
            allow_strong_language=body.allow_strong_language,
            confirmed=body.confirmed,
            only=body.only,
            tell=notes.append,
        )
        return {**app.exports.batch(batch_id).as_json(), **({"notes": notes} if notes else {})}

    @router.post("/exports/{batch_id}/retry")
    def retry(batch_id: str) -> dict[str, Any]:
        """Send what failed again."""
        return app.exports.batch(app.exports.retry(batch_id)).as_json()

    @router.post("/exports/{batch_id}/verify")
    def verify(batch_id: str) -> dict[str, Any]:
        """Read everything that arrived back from the target."""
        return app.exports.verify(batch_id).as_json()

    return router
