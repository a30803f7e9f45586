"""Whether the server can be used, and what works behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from core.wiring import App

VERSION = "0.1.0"

Extra = Callable[[], Mapping[str, Any]]


def health_router(app: App, extra: Extra) -> APIRouter:
    """`extra` adds what only the server process knows: its worker's restarts, what failed while starting.

    `is_starting` in it is true until the demo was asked for, where there is to be one.
    """
    router = APIRouter(tags=["health"])

    @router.get("/health")
    def health() -> JSONResponse:
        """200 once migrations and lists are in, 503 before."""
        from core.pipeline.janitor import worker_health

        workers = worker_health(app.database)
        demo = app.demo.state()
        known = extra()
        is_in = not known.get("is_starting") and (demo.state != "making" or any(bundle.is_demo for bundle in app.vocabulary.bundles()))
        looked = [worker.janitor_at for worker in workers if worker.janitor_at is not None]
        document = {
            "ok": is_in,
            "version": VERSION,
            "workers": [
                {
                    "worker_id": worker.worker_id,
                    "host": worker.host,
                    "pid": worker.pid,
                    "queues": list(worker.queues),
                    "beat_at": worker.beat_at.isoformat(),
                    "is_live": worker.is_live,
                }
                for worker in workers
            ],
            "demo": {"state": demo.state, "detail": demo.detail, "clips": demo.n_clips},
            "janitor_at": max(looked).isoformat() if looked else None,
            **known,
        }
        return JSONResponse(document, status_code=200 if is_in else 503)

    return router
