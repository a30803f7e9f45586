"""The still of a clip, for tables that show one. Reads only."""

from __future__ import annotations

from collections.abc import Iterable

from core.store.database import Database
from core.store.media_rows import pictures_of


def read_stills(database: Database, media_ids: Iterable[str]) -> dict[str, str]:
    """Media id → the id of its still; media without one are left out."""
    with database.read() as connection:
        return {media_id: still_id for media_id, (still_id, _) in pictures_of(connection, media_ids).items() if still_id}
