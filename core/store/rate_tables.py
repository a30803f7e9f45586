"""The tables of rate slots and quotas. Beside `core.store.tables`, in the same metadata."""

from __future__ import annotations

from sqlalchemy import JSON, Column, Float, ForeignKey, Index, Integer, String, Table, Text

from core.store.tables import Key, metadata

rate_limits = Table(
    "rate_limits",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("blocked_until_s", Float, nullable=False, default=0.0),
    Column("blocked_why", Text, nullable=False, default=""),
    Column("clocks", JSON, nullable=False),
)
"""One row a host whose requests are limited; who reserves a slot holds it. `blocked_until_s`: on the database's clock, 0 for not.
`clocks`: machine → database's clock minus its counter, seconds, by which a jump of the clock is seen.
"""

rate_slots = Table(
    "rate_slots",
    metadata,
    Column("slot_id", Key, primary_key=True),
    Column("name", String(200), ForeignKey("rate_limits.name"), nullable=False),
    Column("at_s", Float, nullable=False),
    Index("ix_rate_slots_name", "name", "at_s"),
)
"""Requests that went out, or are about to. `at_s`: by when the provider has counted it, seconds since 1970 on the database's clock.
Kept for as long as it counts."""

month_quotas = Table(
    "month_quotas",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("month", String(7), primary_key=True),
    Column("n_used", Integer, nullable=False, default=0),
)
"""What a plan counts by the month (UTC, `2026-11`)."""
