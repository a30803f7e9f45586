"""Alembic's entry: runs on the connection that `core.store.database` hands over, inside its transaction."""

from __future__ import annotations

from alembic import context

import core.store.choice_tables
import core.store.export_tables
import core.store.rate_tables  # noqa: F401 (its tables join the metadata)
from core.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True, transactional_ddl=True
)
context.run_migrations()
