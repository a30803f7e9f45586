"""The HTTP API: every action that the screens have, the answers those of the commands."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter, FastAPI
from fastapi_offline import FastAPIOffline

from core.wiring import App
from ui.api.backend import backend_router
from ui.api.coverage import coverage_router
from ui.api.errors import add_error_answers
from ui.api.exports import exports_router
from ui.api.health import VERSION, Extra, health_router
from ui.api.media import media_router
from ui.api.review import review_router
from ui.api.runs import runs_router
from ui.cli.session import actor as local_actor

TOPS = ("/api", "/backend", "/health", "/words", "/studio")
"""What this application answers, with all that is below. `/studio` is not there yet, and says so."""


def build_api(app: App, *, actor: Callable[[], str] = local_actor, extra: Extra = dict) -> FastAPI:
    """The API with its documentation under `/api`, the practice backend under `/backend`, and the old addresses at the root."""
    api = FastAPIOffline(
        title="Wordreel",
        version=VERSION,
        docs_url="/api/docs",
        redoc_url=None,
        static_url="/api/docs-static",
        swagger_ui_oauth2_redirect_url="/api/docs/oauth2-redirect",
        openapi_url="/api/openapi.json",
        redirect_slashes=False,
    )
    add_error_answers(api)
    under = APIRouter(prefix="/api")
    under.include_router(health_router(app, extra))
    under.include_router(review_router(app, actor))
    under.include_router(coverage_router(app))
    under.include_router(runs_router(app, actor))
    under.include_router(exports_router(app, actor))
    under.include_router(media_router(app))
    api.include_router(under)
    api.include_router(health_router(app, extra), include_in_schema=False)
    api.include_router(coverage_router(app), include_in_schema=False)
    api.include_router(backend_router(lambda: app.practice))
    return api


def is_for_api(method: str, path: str, accept: str) -> bool:
    """Whether a request is the API's and not a page's. `/coverage` is both: a browser that asks for a page gets the page."""
    if path == "/coverage":
        return method not in ("GET", "HEAD") or "text/html" not in accept
    return any(path == top or path.startswith(top + "/") for top in TOPS)
