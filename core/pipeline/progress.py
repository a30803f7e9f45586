"""Loading a word of a run, and saying how far it is."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from core.model.vocabulary import VocabularyWord
from core.store import runs as run_rows
from core.store.reviews import approved_counts, reviewable_counts
from core.store.runs import RunRow, RunWordRow
from core.store.vocabulary import load_words


@dataclass(frozen=True, slots=True)
class WordTask:
    """One word of one run, as a stage finds it."""

    run: RunRow
    row: RunWordRow
    word: VocabularyWord


def load_task(connection: Connection, run_id: str, word_id: int) -> WordTask:
    """Raises: NotFound."""
    return WordTask(
        run_rows.load_run(connection, run_id), run_rows.load_run_word(connection, run_id, word_id), load_words(connection, [word_id])[0]
    )


def say(connection: Connection, task: WordTask, detail: str) -> None:
    """Show what is being done for this word; its stage and state are the engine's to write."""
    run_rows.set_run_word(connection, task.run.run_id, task.word.word_id, detail=detail)


def clips_had(connection: Connection, word_id: int) -> int:
    """Good clips that a word has for its want: approved ones and those that wait for a person."""
    return approved_counts(connection, [word_id]).get(word_id, 0) + reviewable_counts(connection, [word_id]).get(word_id, 0)
