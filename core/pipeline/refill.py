"""Refill: after a rejection, the next best clip of the word, while there is more."""

from __future__ import annotations

import time
from collections.abc import Sequence

from sqlalchemy import func, select

from core.model.runs import ENDED_WORD
from core.pipeline.bench import Bench
from core.pipeline.choose import choose_for_refill
from core.pipeline.halting import LOOK_S, STOPPED
from core.pipeline.progress import clips_had
from core.pipeline.work import Halted, WordEnd, WordStage
from core.store import runs as run_rows
from core.store.database import Database
from core.store.tables import decisions, mappings, run_clips, run_words, runs

ROUND_FROM = "choose"


def queue_refill(database: Database, word_id: int) -> str | None:
    """A job that brings the word nearer to its want, or None when it has enough or no clip is left."""
    with database.write() as connection:
        query = (
            select(runs.c.run_id, runs.c.settings, run_words.c.state)
            .join(run_words, run_words.c.run_id == runs.c.run_id)
            .join(run_clips, (run_clips.c.run_id == runs.c.run_id) & (run_clips.c.word_id == word_id))
            .where(run_words.c.word_id == word_id, run_clips.c.outcome.in_(("waiting", "chosen")))
            .order_by(runs.c.number.desc())
        )
        row = connection.execute(query).first()
        if row is None or row.state not in ENDED_WORD or clips_had(connection, word_id) >= row.settings["want"]:
            return None
        rejected = select(func.count()).select_from(decisions).join(mappings, mappings.c.mapping_id == decisions.c.mapping_id)
        n_events = connection.execute(rejected.where(mappings.c.word_id == word_id)).scalar_one()
        payload = {"run_id": row.run_id, "word_id": word_id}
        return run_rows.create_job(
            connection, "refill", "processing", payload, actor="wordreel", job_id=f"refill-{row.run_id}-{word_id}-{n_events}"
        )


class Refill:
    """Takes one word of an ended run round again, from the choice on."""

    def __init__(self, bench: Bench, stages: Sequence[WordStage]) -> None:
        self._bench = bench
        names = [stage.name for stage in stages]
        self._after_choice = list(stages)[names.index(ROUND_FROM) + 1 :]

    def run_job(self, job_id: str) -> None:
        """Idempotent: each stage finds what was done. A word that is open again, since its run went on, is left to its own workflow.

        Raises: Halted where the run is paused or cancelled; `RunControl` hands the job over again when it goes on.
        """
        with self._bench.database.read() as connection:
            payload = run_rows.load_job(connection, job_id).payload
            run_id, word_id = str(payload["run_id"]), int(payload["word_id"])
            if run_rows.load_run_word(connection, run_id, word_id).state not in ENDED_WORD:
                return
        while (end := self._try_round(run_id, word_id)) is None:
            pass
        with self._bench.database.write() as connection:
            if run_rows.load_run_word(connection, run_id, word_id).state in ENDED_WORD:
                run_rows.set_run_word(connection, run_id, word_id, state=end.state, reason=end.reason, detail=end.detail)

    def _try_round(self, run_id: str, word_id: int) -> WordEnd | None:
        """A round, unless the run is stopped now; that it was a moment ago is forgotten."""
        try:
            return self._go_round(run_id, word_id)
        except Halted:
            with self._bench.database.read() as connection:
                if run_rows.load_run(connection, run_id).status in STOPPED:
                    raise
            time.sleep(LOOK_S)
            return None

    def _go_round(self, run_id: str, word_id: int) -> WordEnd | None:
        self._bench.pause_point(run_id)
        end = choose_for_refill(self._bench, run_id, word_id)
        for stage in self._after_choice:
            end = end or stage.run(run_id, word_id)
        return end
