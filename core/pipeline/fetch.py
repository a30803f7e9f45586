"""Fetch: a chosen clip → its media, by content. A clip that is at hand is not fetched again."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from core.errors import KeyRefused, ModelMissing, NotSent, QuotaUsedUp, RateLimited, StoreError, WordreelError
from core.model.clips import Clip
from core.model.runs import Stage
from core.pipeline.bench import Bench
from core.pipeline.halting import patient_for
from core.pipeline.progress import WordTask, load_task, say
from core.pipeline.work import LostPatience, WordEnd
from core.store import runs as run_rows
from core.store.clips import load_clip, load_clips, set_clip

STOPPING = (StoreError, ModelMissing, KeyRefused, QuotaUsedUp, RateLimited, NotSent)
"""What no clip could get past: it is the word's or the run's, not this clip's."""

PATIENCE_S = 2.0
"""How long a word with a clip at hand waits for its next one before it works on that."""

ClipWork = Callable[[Bench, WordTask, Clip], None]


def run_fetch(bench: Bench, run_id: str, word_id: int) -> WordEnd | None:
    """Fetches what was chosen; a clip that fails keeps its reason and the others go on.

    Once a clip is here, the word goes on with it rather than wait for the next one's rate slot: somebody waits to judge it. The
    others stay chosen, and their turn comes with the next round.
    """
    each_clip(bench, run_id, word_id, Stage.FETCH, "Fetching", fetch_clip)
    return None


def each_clip(bench: Bench, run_id: str, word_id: int, stage: Stage, verb: str, work: ClipWork) -> None:
    """Do one stage's work for every chosen clip of the word; record each outcome.

    An error fails that clip with its message, and the others go on; `STOPPING` leaves the rest chosen, for when the word goes on.
    Between two clips a run that was paused or cancelled stops. After `fetch`, only clips that are here have work.
    """
    with bench.database.read() as connection:
        task = load_task(connection, run_id, word_id)
        chosen = [clip_id for clip_id, _, outcome, _ in run_rows.clips_of_word(connection, run_id, word_id) if outcome == "chosen"]
        here = [clip_id for clip_id, clip in load_clips(connection, chosen).items() if clip.media_id is not None]
    n_here = len(here)
    todo = chosen if stage is Stage.FETCH else [clip_id for clip_id in chosen if clip_id in here]
    for place, clip_id in enumerate(todo, 1):
        bench.pause_point(run_id)
        with bench.database.write() as connection:
            say(connection, task, f"{verb} clip {place} of {len(todo)}")
        try:
            with bench.clip_lock(clip_id), patient_for(PATIENCE_S if n_here and stage is Stage.FETCH else math.inf):
                n_here += _do(bench, task, clip_id, stage, work)
        except LostPatience:
            return


def _do(bench: Bench, task: WordTask, clip_id: int, stage: Stage, work: ClipWork) -> bool:
    """One clip's work, with its outcome; whether it went well."""
    with bench.database.read() as connection:
        clip = load_clip(connection, clip_id)
    try:
        work(bench, task, clip)
    except STOPPING:
        raise
    except WordreelError as error:
        reached = {"stage": stage, "outcome": "failed", "reason": error.message}
        with bench.database.write() as connection:
            set_clip(connection, clip_id, failure_stage=stage, failure=error.message)
            run_rows.set_run_clip(connection, task.run.run_id, task.word.word_id, clip_id, **reached)
        return False
    with bench.database.write() as connection:
        set_clip(connection, clip_id, failure_stage="", failure="")
    return True


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
