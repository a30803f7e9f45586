"""Fetch: a chosen clip → its media, by content. A clip that is at hand is not fetched again."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from core.errors import KeyRefused, ModelMissing, NotSent, QuotaUsedUp, RateLimited, StoreError, WordreelError
from core.model.clips import Clip
from core.model.runs import Stage
from core.pipeline.bench import Bench
from core.pipeline.progress import WordTask, load_task, say
from core.pipeline.work import WordEnd
from core.store import runs as run_rows
from core.store.clips import load_clip, set_clip

STOPPING = (StoreError, ModelMissing, KeyRefused, QuotaUsedUp, RateLimited, NotSent)
"""What no clip could get past: it is the word's or the run's, not this clip's."""

ClipWork = Callable[[Bench, WordTask, Clip], None]


def run_fetch(bench: Bench, run_id: str, word_id: int) -> WordEnd | None:
    """Fetches what was chosen; a clip that fails keeps its reason and the others go on."""
    each_clip(bench, run_id, word_id, Stage.FETCH, "Fetching", fetch_clip)
    return None


def each_clip(bench: Bench, run_id: str, word_id: int, stage: Stage, verb: str, work: ClipWork) -> None:
    """Do one stage's work for every chosen clip of the word; record each outcome.

    An error fails that clip with its message, and the others go on; `STOPPING` leaves the rest chosen, for when the word goes on.
    Between two clips a run that was paused or cancelled stops.
    """
    with bench.database.read() as connection:
        task = load_task(connection, run_id, word_id)
        chosen = [clip_id for clip_id, _, outcome, _ in run_rows.clips_of_word(connection, run_id, word_id) if outcome == "chosen"]
    for place, clip_id in enumerate(chosen, 1):
        bench.pause_point(run_id)
        with bench.database.write() as connection:
            say(connection, task, f"{verb} clip {place} of {len(chosen)}")
        with bench.clip_lock(clip_id):
            with bench.database.read() as connection:
                clip = load_clip(connection, clip_id)
            try:
                work(bench, task, clip)
            except STOPPING:
                raise
            except WordreelError as error:
                with bench.database.write() as connection:
                    set_clip(connection, clip_id, failure_stage=stage, failure=error.message)
                    run_rows.set_run_clip(connection, run_id, word_id, clip_id, stage=stage, outcome="failed", reason=error.message)
                continue
        with bench.database.write() as connection:
            set_clip(connection, clip_id, failure_stage="", failure="")


def fetch_clip(bench: Bench, task: WordTask, clip: Clip) -> None:
    """Bring the clip's bytes into the media store."""
    if clip.media_id is not None and bench.media_files.exists(clip.media_id):
        return
    bench.scratch_path.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="fetch-", dir=bench.scratch_path))
    try:
        source = bench.source(task.run.settings)
        store_media(bench, clip, source.fetch(clip, folder))
        source.forget(clip.slug)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def store_media(bench: Bench, clip: Clip, fetched: Path) -> None:
    """Check a fetched file, move it into the media store and name it in the clip's row."""
    from core.store.media_rows import save_media

    facts = bench.media_tools.probe(fetched)
    media_id = bench.media_files.put(fetched)
    with bench.database.write() as connection:
        save_media(connection, facts, is_stored=True, is_demo=clip.is_demo)
        set_clip(connection, clip.clip_id, media_id=media_id)
