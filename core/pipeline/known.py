"""Known: a word that has its clips costs nothing."""

from __future__ import annotations

from core.model.runs import WordState
from core.pipeline.bench import Bench
from core.pipeline.progress import clips_had, load_task, say
from core.pipeline.work import WordEnd


def run_known(bench: Bench, run_id: str, word_id: int) -> WordEnd | None:
    """Ends the word when approved and reviewable clips reach its want."""
    with bench.database.write() as connection:
        task = load_task(connection, run_id, word_id)
        say(connection, task, "")
        n_had = clips_had(connection, word_id)
        if n_had >= task.run.settings.want:
            return WordEnd(WordState.DONE, detail=f"Has {n_had} already")
    return None
