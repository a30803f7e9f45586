"""Merge: hits → distinct lines. The same line of the same film under two slugs is one clip."""

from __future__ import annotations

from core.model.clips import Hit
from core.model.runs import Stage
from core.pipeline.bench import Bench, digest
from core.pipeline.progress import load_task, say
from core.pipeline.search import load_hits, search_key
from core.pipeline.work import WordEnd
from core.rules.matching import tokenize
from core.store import runs as run_rows
from core.store.clips import save_hit


def run_merge(bench: Bench, run_id: str, word_id: int) -> WordEnd | None:
    """Makes one clip a distinct line, in the source's order."""
    with bench.database.read() as connection:
        task = load_task(connection, run_id, word_id)
    settings = task.run.settings
    hits = load_hits(bench, search_key(bench, settings.source, task.word.text, settings.max_videos, is_demo=task.run.is_demo))
    with bench.database.write() as connection:
        say(connection, task, f"{len(hits)} {'hit' if len(hits) == 1 else 'hits'}")
        taken = {clip_id for clip_id, *_ in run_rows.clips_of_word(connection, run_id, word_id)}
        for hit in hits:
            clip = save_hit(connection, hit, line_key(hit))
            if clip.clip_id not in taken:
                taken.add(clip.clip_id)
                run_rows.set_run_clip(connection, run_id, word_id, clip.clip_id, stage=Stage.MERGE, outcome="waiting")
    return None


def line_key(hit: Hit) -> str:
    """The same for two hits with the same words of the same film. A hit without words is only like itself."""
    line = " ".join(token.casefold() for token in tokenize(hit.spoken))
    film = hit.film_media_id or f"{hit.film.title.casefold()}|{hit.film.year or ''}"
    return digest("line", hit.is_demo, film, line) if line else digest("slug", hit.slug)
