"""What was chosen for a download, and why. Beside `core.store.tables`, in the same metadata."""

from __future__ import annotations

from sqlalchemy import JSON, Column, Float, ForeignKey, Index, Integer, String, Table, UniqueConstraint

from core.store.tables import Key, Moment, metadata

run_choices = Table(
    "run_choices",
    metadata,
    Column("choice_id", Key, primary_key=True),
    Column("run_id", String(40), ForeignKey("runs.run_id"), nullable=False),
    Column("window", Integer, nullable=False),
    Column("clip_id", Key, ForeignKey("clips.clip_id"), nullable=False),
    Column("word_id", Key, ForeignKey("words.word_id"), nullable=False),
    Column("expected", Float, nullable=False),
    Column("gains", JSON, nullable=False),
    Column("basis", JSON, nullable=False),
    Column("chosen_at", Moment, nullable=False),
    UniqueConstraint("run_id", "clip_id"),
    Index("ix_run_choices_window", "run_id", "window"),
)
"""One row a clip that a run chose to fetch. `window` counts from 1; `word_id`: the word whose workflow fetches it.

`expected`: approved words that the download was expected to bring when it was chosen. `gains`: one object a word that it serves
(`word_id`, `probability`, `counts_for`, `score`, `level`); `basis`: what the expectation rests on (`n_words`, `film`, `n_decided`,
factors).
"""
