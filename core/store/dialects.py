"""All that differs between SQLite and PostgreSQL, in one place."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Table, event, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Engine

from core.errors import DatabaseUnavailable

NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "afs", "ncpfs", "glusterfs", "fuse.glusterfs"}
)


def can_use_wal(version: tuple[int, int, int]) -> bool:
    """Whether this SQLite loses nothing when two processes checkpoint its write-ahead log at once.

    Source: DESIGN.md, The engine: 3.51.3 and later, and of the older lines 3.44.6 and 3.50.7.
    """
    return version >= (3, 51, 3) or (version[:2] == (3, 50) and version >= (3, 50, 7)) or (version[:2] == (3, 44) and version >= (3, 44, 6))


def insert_new(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], *, on: Sequence[str]) -> None:
    """Insert the rows whose columns `on` are not there yet; the others are left as they are."""
    if rows:
        connection.execute(_insert(connection, table).on_conflict_do_nothing(index_elements=list(on)), list(rows))


def upsert(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], *, on: Sequence[str]) -> None:
    """Insert the rows, or overwrite the other columns of those whose columns `on` are there already."""
    if not rows:
        return
    statement = _insert(connection, table)
    changed = {name: statement.excluded[name] for name in rows[0] if name not in on}
    connection.execute(statement.on_conflict_do_update(index_elements=list(on), set_=changed), list(rows))


def take_turns(connection: Connection, name: str) -> None:
    """Let one unit of work at a time go on under `name`, until it ends. SQLite's writers take turns anyway."""
    if connection.dialect.name != "sqlite":
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": name})


def _insert(connection: Connection, table: Table) -> Any:
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)


def prepare_sqlite(engine: Engine) -> None:
    """Set the journal, foreign keys and explicit transactions for every connection of a SQLite engine."""
    journal = "WAL" if can_use_wal(sqlite3.sqlite_version_info) else "DELETE"

    @event.listens_for(engine, "connect")
    def on_connect(raw: Any, _record: Any) -> None:
        raw.isolation_level = None
        cursor = raw.cursor()
        cursor.execute("PRAGMA busy_timeout = 30000")
        cursor.execute("PRAGMA foreign_keys = ON")
        if cursor.execute("PRAGMA journal_mode").fetchone()[0].upper() != journal:
            cursor.execute(f"PRAGMA journal_mode = {journal}")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.close()

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def sqlite_address(path: Path, *, may_create: bool) -> URL:
    """The address of a SQLite file; without `may_create` a missing file is an error and never a new empty database."""
    mode = "rwc" if may_create else "rw"
    return URL.create("sqlite", database=f"file:{quote(str(path))}", query={"mode": mode, "uri": "true"})


def integrity_fault(connection: Connection) -> str:
    """The first thing that SQLite's own check finds wrong, or nothing. PostgreSQL checks its pages itself."""
    if connection.dialect.name != "sqlite":
        return ""
    found = str(connection.execute(text("PRAGMA quick_check(1)")).scalar_one())
    return "" if found == "ok" else found


def server_now(connection: Connection) -> Any:
    """The moment on the database's clock, as an aware UTC datetime."""
    from datetime import UTC, datetime

    if connection.dialect.name == "sqlite":
        return datetime.fromtimestamp(float(connection.execute(text("SELECT (julianday('now') - 2440587.5) * 86400.0")).scalar_one()), UTC)
    return connection.execute(text("SELECT clock_timestamp()")).scalar_one()


def refuse_network_file_system(path: Path) -> None:
    """Raises DatabaseUnavailable where the folder lies on a network file system, whose locks SQLite cannot trust."""
    mounts = Path("/proc/mounts")
    if not mounts.exists():
        return
    best, kind = "", ""
    folder = os.path.realpath(path)
    for line in mounts.read_text(encoding="utf-8", errors="replace").splitlines():
        fields = line.split()
        mount_point = fields[1].replace("\\040", " ")
        if (folder == mount_point or folder.startswith(mount_point.rstrip("/") + "/")) and len(mount_point) >= len(best):
            best, kind = mount_point, fields[2]
    if kind in NETWORK_FILE_SYSTEMS:
        raise DatabaseUnavailable(
            f"{path} lies on a network file system ({kind}), where SQLite's locks cannot be trusted.",
            hint="Set WORDREEL_HOME to a local disk, or DATABASE_URL to a PostgreSQL server.",
        )
