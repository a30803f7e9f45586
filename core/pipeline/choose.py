"""Choose: the clips that are worth fetching now, best first, until the word has what it wants."""

from __future__ import annotations

from sqlalchemy import Connection, select

from core.model.reviews import MappingState
from core.model.runs import Stage, WordState
from core.pipeline.bench import Bench
from core.pipeline.progress import WordTask, clips_had, load_task, say
from core.pipeline.work import WordEnd
from core.store import runs as run_rows
from core.store.reviews import least_score
from core.store.tables import clips, mappings, proposals

DONE_STAGES = (Stage.SCORE, Stage.REVIEW)


def run_choose(bench: Bench, run_id: str, word_id: int) -> WordEnd | None:
    """Marks the next clips to fetch, or ends the word: it has enough, or nothing is left to try."""
    with bench.database.write() as connection:
        task = load_task(connection, run_id, word_id)
        rows = run_rows.clips_of_word(connection, run_id, word_id)
        n_missing = task.run.settings.want - clips_had(connection, word_id)
        if any(outcome == "chosen" for _, _, outcome, _ in rows):
            return None
        waiting = _ranked(connection, run_id, word_id, [clip_id for clip_id, _, outcome, _ in rows if outcome == "waiting"])
        if n_missing <= 0 or not waiting:
            return _end(connection, task, rows, n_missing)
        for clip_id in waiting[:n_missing]:
            run_rows.set_run_clip(connection, run_id, word_id, clip_id, stage=Stage.CHOOSE, outcome="chosen")
        say(connection, task, f"{min(n_missing, len(waiting))} of {len(waiting)} chosen")
    return None


def _ranked(connection: Connection, run_id: str, word_id: int, clip_ids: list[int]) -> list[int]:
    """Clips already at hand first (they cost nothing), then by the shortlist's relevance."""
    query = (
        select(clips.c.clip_id, clips.c.media_id, proposals.c.relevance)
        .join(proposals, (proposals.c.clip_id == clips.c.clip_id) & (proposals.c.word_id == word_id) & (proposals.c.stage == "shortlist"))
        .where(clips.c.clip_id.in_(clip_ids))
        .order_by(proposals.c.proposal_id)
    )
    best = {row.clip_id: (row.media_id is None, -(row.relevance or 0.0), row.clip_id) for row in connection.execute(query)}
    return sorted(best, key=lambda clip_id: best[clip_id])


def _end(connection: Connection, task: WordTask, rows: list[tuple[int, str, str, str]], n_missing: int) -> WordEnd:
    """How the word ends when no more clips are fetched: spare ones stay for a refill."""
    run_id, word_id = task.run.run_id, task.word.word_id
    n_here = len([row for row in rows if row[2] == "ok"])
    failures = [reason for _, _, outcome, reason in rows if outcome == "failed"]
    query = select(mappings.c.relevance, mappings.c.state).where(
        mappings.c.word_id == word_id, mappings.c.clip_id.in_([row[0] for row in rows])
    )
    judged = [row for row in connection.execute(query) if row.relevance is not None]
    scores = [row.relevance for row in judged if row.state != MappingState.REJECTED]
    run_rows.set_run_word(connection, run_id, word_id, best=max(scores, default=None))
    if n_missing > 0 and failures:
        return WordEnd(WordState.FAILED, reason=failures[0], detail=f"{len(failures)} of {len(rows)} clips failed")
    rule = least_score(connection, run_id)
    if n_missing <= 0 or any(score >= rule for score in scores):
        return WordEnd(WordState.DONE, detail=f"{n_here} clips to review" if n_here != 1 else "1 clip to review")
    if judged and not scores:
        n_rejected = f"{len(judged)} clips were" if len(judged) != 1 else "The only clip was"
        return WordEnd(WordState.NONE_FOUND, reason=f"{n_rejected} rejected, and there is no other", detail="No other clip")
    if scores:
        best = f"The best of {len(scores)} clips has relevance {max(scores):.2f}, under the rule {rule:.2f}"
        return WordEnd(WordState.NONE_FOUND, reason=best, detail="None reaches the rule")
    return WordEnd(WordState.NONE_FOUND, reason=f"Not heard in any of {len(rows)} clips", detail=f"Not heard in any of {len(rows)} clips")
