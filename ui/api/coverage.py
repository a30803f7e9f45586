"""Coverage of bundles, and the clips of one word."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from core.services.word_clips import clips_of_word
from core.wiring import App


def coverage_router(app: App) -> APIRouter:
    """Mounted under `/api` and at the root: the addresses that the systems we replace answered to."""
    router = APIRouter(tags=["coverage"])

    @router.get("/coverage")
    def coverage(bundle: str = "", at_least: Annotated[int, Query(ge=1, le=20)] = 3) -> dict[str, Any]:
        """How many words of each bundle have approved clips, are live, and why the others have none."""
        found = app.coverage.bundles(bundle, at_least=sorted({1, 3, at_least}))
        return {"bundles": [row.as_json() for row in found]}

    @router.get("/words/{word}/videos")
    def videos(word: str) -> dict[str, Any]:
        """The approved clips of a word, in the order in which learners see them."""
        return {"word": word, "videos": [clip.as_json() for clip in clips_of_word(app.database, word, only_approved=True)]}

    return router
