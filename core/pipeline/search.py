"""Search: a word → its hits, kept in order by source, word and parameters."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any

from core.model.clips import Hit, Source
from core.model.runs import WordState
from core.pipeline.bench import Bench
from core.pipeline.progress import load_task, say
from core.pipeline.work import WordEnd
from core.rules.search_keys import search_key as key_of_search
from core.store import codecs
from core.store import runs as run_rows
from core.store.media_rows import list_films


def run_search(bench: Bench, run_id: str, word_id: int) -> WordEnd | None:
    """Asks the source once; a kept answer costs nothing, unless a remote source gave it too long ago. Ends the word without hits."""
    with bench.database.write() as connection:
        task = load_task(connection, run_id, word_id)
        settings = task.run.settings
        key = search_key(bench, settings.source, task.word.text, settings.max_videos, is_demo=task.run.is_demo)
        kept, is_too_old = run_rows.kept_search(connection, key), False
        if kept is not None and bench.source(settings).is_remote:
            is_too_old = run_rows.searched_at(connection, key) < task.run.created_at - timedelta(days=bench.search_max_age_days())
        say(connection, task, "Searching" if kept is None else "Searching anew" if is_too_old else "Kept from before")
    if kept is None or is_too_old:
        edition = run_id if is_too_old else ""  # the run's own, so that a crash asks nothing twice
        hits = bench.source(settings).search(task.word, max_hits=settings.max_videos, edition=edition)
        kept = [_to_json(hit) for hit in hits if hit.is_demo == task.run.is_demo]
        with bench.database.write() as connection:
            run_rows.keep_search(connection, key, source=settings.source, word_id=word_id, hits=kept, run_id=run_id)
    with bench.database.write() as connection:
        run_rows.set_run_word(connection, run_id, word_id, n_hits=len(kept))
        if not kept:
            return WordEnd(WordState.NONE_FOUND, reason="Nobody says it in what was searched", detail="No clip found")
    return None


def load_hits(bench: Bench, key: str) -> list[Hit]:
    """The kept hits of one search, in the source's order; never made is empty."""
    with bench.database.read() as connection:
        return [_from_json(row) for row in run_rows.kept_search(connection, key) or []]


def search_key(bench: Bench, source: Source, word: str, max_hits: int, *, is_demo: bool) -> str:
    """What makes two searches the same. For `library` also what the library holds: a new film is a new search."""
    holdings: list[tuple[str, str]] = []
    if source is Source.LIBRARY:
        with bench.database.read() as connection:
            holdings = sorted(
                (film.media_id, film.transcript_id or "") for film in list_films(connection, is_demo=is_demo) if film.state == "present"
            )
    return key_of_search(source, word, max_hits, is_demo=is_demo, holdings=holdings)


def _to_json(hit: Hit) -> dict[str, Any]:
    return asdict(hit)


def _from_json(row: dict[str, Any]) -> Hit:
    return Hit(
        **{
            **row,
            "source": Source(row["source"]),
            "film": codecs.read_film_facts(row["film"]),
            "cues": codecs.read_cues(row["cues"]),
        }
    )
