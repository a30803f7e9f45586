"""Probe: media → what a player and a person need to know of it: facts, a still, the sound's envelope."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from core.errors import UnsupportedMedia
from core.model.clips import Clip
from core.model.runs import Stage
from core.pipeline.bench import Bench
from core.pipeline.fetch import each_clip
from core.pipeline.progress import WordTask
from core.pipeline.work import WordEnd
from core.store.media_rows import load_facts, pictures_of, set_pictures

N_PEAKS = 400
"""Bars of the desk's waveform: one every 2 px at its widest."""
MAX_CLIP_S = 16.0
"""A clip is 1–15 s; whole frames and codec padding may add a little."""


def run_probe(bench: Bench, run_id: str, word_id: int) -> WordEnd | None:
    """Measures every chosen clip once a content."""
    each_clip(bench, run_id, word_id, Stage.PROBE, "Probing", probe_clip)
    return None


def probe_clip(bench: Bench, _task: WordTask, clip: Clip) -> None:
    """Refuse what cannot teach, and draw what the desk shows before it plays."""
    if clip.media_id is None:
        raise UnsupportedMedia(f"{clip.slug} was not fetched.")
    with bench.database.read() as connection:
        facts = load_facts(connection, clip.media_id)
        still_id, peaks = pictures_of(connection, [clip.media_id])[clip.media_id]
    if facts.audio is None:
        raise UnsupportedMedia(f"{clip.slug} has no sound, so no word can be heard in it.")
    if facts.duration_s > MAX_CLIP_S:
        raise UnsupportedMedia(f"{clip.slug} lasts {facts.duration_s:.1f} s; a clip has at most 15 s.")
    if still_id and peaks:
        return
    bench.scratch_path.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="probe-", dir=bench.scratch_path))
    try:
        path = bench.media_files.local_path(clip.media_id)
        peaks = list(bench.media_tools.peaks(path, N_PEAKS))
        still_id = bench.media_files.put(bench.media_tools.still(path, facts.duration_s / 3, folder)) if facts.video else None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    with bench.database.write() as connection:
        set_pictures(connection, clip.media_id, still_id=still_id, peaks=peaks)
