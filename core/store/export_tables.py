"""What was sent where, batch by batch. Beside `core.store.tables`, in the same metadata."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Index, Integer, String, Table, Text

from core.store.tables import Key, Moment, metadata

export_batches = Table(
    "export_batches",
    metadata,
    Column("batch_id", String(40), primary_key=True),
    Column("number", Integer, nullable=False, unique=True),
    Column("job_id", String(40), nullable=False),
    Column("target", String(200), nullable=False),
    Column("source_id", String(100), nullable=False),
    Column("actor", String(100), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("ended_at", Moment),
)

export_items = Table(
    "export_items",
    metadata,
    Column("batch_id", String(40), ForeignKey("export_batches.batch_id"), primary_key=True),
    Column("name", String(255), primary_key=True),
    Column("clip_id", Key, ForeignKey("clips.clip_id"), nullable=False),
    Column("slug", String(255), nullable=False),
    Column("rank", Integer, nullable=False),
    Column("payload", JSON, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("status", String(20), nullable=False),
    Column("video_id", BigInteger),
    Column("n_mappings", Integer, nullable=False, default=0),
    Column("attempts", Integer, nullable=False, default=0),
    Column("error", Text, nullable=False, default=""),
    Column("read_back", String(20), nullable=False, default=""),
    Column("updated_at", Moment, nullable=False),
    Index("ix_export_items_clip", "clip_id"),
)
"""One clip of one batch. `payload` is the item without its bytes, frozen when the batch was made."""

targets = Table(
    "targets",
    metadata,
    Column("target", String(200), primary_key=True),
    Column("confirmed_by", String(100), nullable=False),
    Column("confirmed_at", Moment, nullable=False),
)
"""Hosts that somebody confirmed before the first export."""
