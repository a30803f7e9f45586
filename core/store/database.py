"""The application's database: opening, checking, and the unit of work."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from sqlalchemy import Connection, create_engine, event, inspect, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import QueuePool

from core.errors import DatabaseCorrupt, DatabaseNewer, DatabaseUnavailable, DiskFull, StoreError
from core.store import dialects

HEAD = "0003"
"""The newest migration that this program knows. A test holds it against the migrations' folder."""

MARKER_NAME = "workspace"
"""A file that says: a database was made here, and has its tables. With it, a missing database is an error and never a new one."""


class Database:
    """Opens the truth and hands out units of work. One a process; safe to share between threads.

    Raises (at opening): DatabaseUnavailable, DatabaseCorrupt, DatabaseNewer, DiskFull.
    """

    def __init__(self, home_path: Path, database_url: str = "") -> None:
        self.home_path = home_path
        self.is_embedded = not database_url
        self.path = home_path / "app.db"
        self._inode: int | None = None
        self._is_known = False
        self._turn: AbstractContextManager[object] = threading.RLock() if self.is_embedded else nullcontext()
        """SQLite has one writer at a time. Threads that stood in line at its own lock would sleep, look again and starve one another."""
        if self.is_embedded:
            self._open_embedded()
        else:
            address = database_url.replace("postgresql://", "postgresql+psycopg://", 1).replace("postgres://", "postgresql+psycopg://", 1)
            self.engine = create_engine(
                address, pool_pre_ping=True, pool_size=20, max_overflow=20, connect_args={"options": "-c search_path=wordreel,public"}
            )
        try:
            self._check_and_migrate()
            if self.is_embedded:
                (home_path / MARKER_NAME).touch()
        except DBAPIError as error:
            self.close()
            raise self._translated(error) from error
        except OSError as error:
            self.close()
            raise _folder_fault(home_path, error) from error
        except StoreError:
            self.close()
            raise

    def _open_embedded(self) -> None:
        marker_path = self.home_path / MARKER_NAME
        try:
            self.home_path.mkdir(parents=True, exist_ok=True)
            dialects.refuse_network_file_system(self.home_path)
            self._is_known = marker_path.exists()
            if not self._is_known:
                self.path.touch()
        except OSError as error:
            raise _folder_fault(self.home_path, error) from error
        if not self.path.exists():
            raise self._gone()
        self.engine = create_engine(
            dialects.sqlite_address(self.path, may_create=False),
            poolclass=QueuePool,
            pool_size=32,
            max_overflow=32,
            connect_args={"check_same_thread": False},
        )
        dialects.prepare_sqlite(self.engine)
        self._inode = self.path.stat().st_ino
        event.listen(self.engine, "checkout", self._refuse_if_replaced)

    def _refuse_if_replaced(self, *_: object) -> None:
        """A database that was deleted or swapped under us must not be written through an old handle."""
        try:
            inode = self.path.stat().st_ino
        except OSError as error:
            raise self._gone() from error
        if inode != self._inode:
            raise DatabaseUnavailable(f"{self.path} was replaced while Wordreel was running.", hint="Restart Wordreel.")

    def _gone(self, what: str = "is missing") -> DatabaseUnavailable:
        return DatabaseUnavailable(
            f"The database {self.path} {what}, though this workspace had one.",
            hint=f"Put it back, run `python run.py restore`, or remove {self.home_path / MARKER_NAME} to begin anew.",
        )

    def _check_and_migrate(self) -> None:
        with self.engine.connect() as connection:
            fault = dialects.integrity_fault(connection)
            if fault:
                raise DatabaseCorrupt(f"The database {self.path} is damaged: {fault}.", hint=_backup_hint(self.home_path))
            version = _version(connection)
        if version == HEAD:
            return
        if version is None and self._is_known:
            raise self._gone("is empty")
        if version is not None and version > HEAD:
            raise DatabaseNewer(
                f"The database was written by a newer Wordreel (schema {version}, this program knows {HEAD}). It was not touched.",
                hint="Start the newer program, or restore a backup made by this one.",
            )
        _migrate(self)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection in one reading transaction: all its queries see the same state."""
        try:
            with self.engine.connect() as connection, connection.begin():
                yield connection
        except DBAPIError as error:
            raise self._translated(error) from error

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One unit of work: committed when the block ends, rolled back when it raises or when the file is no longer there.

        Raises: DatabaseUnavailable, DiskFull, DatabaseCorrupt; every other error of the block as it is.
        """
        try:
            with self._turn, self.engine.connect() as connection:
                connection = connection.execution_options(writes=True)
                with connection.begin():
                    yield connection
                    if self.is_embedded:
                        self._refuse_if_replaced()
        except DBAPIError as error:
            raise self._translated(error) from error

    def close(self) -> None:
        self.engine.dispose()

    def _translated(self, error: DBAPIError) -> Exception:
        """Ours for what the operator can mend; a violated constraint stays what it is: a bug."""
        if self.is_embedded and not self.path.exists():
            return self._gone()
        line = str(error.orig).strip().splitlines()[0] if error.orig else str(error)
        lower = line.lower()
        if "disk is full" in lower or "no space left" in lower:
            return DiskFull(f"No room left for the database {self.path}.", hint="Free some disk; nothing was half-written.")
        if "readonly" in lower or "read-only" in lower:
            return DatabaseUnavailable(
                f"The database {self.path} is read-only.", hint="Give this user the right to write it and its folder."
            )
        if "locked" in lower:
            return DatabaseUnavailable(
                f"The database {self.path} is locked by another program.", hint="Close that program; nothing was lost."
            )
        if "malformed" in lower or "not a database" in lower:
            return DatabaseCorrupt(f"The database {self.path} is damaged: {line}.", hint=_backup_hint(self.home_path))
        if isinstance(error, OperationalError):
            where = str(self.path) if self.is_embedded else self.engine.url.render_as_string(hide_password=True)
            return DatabaseUnavailable(f"The database {where} cannot be used: {line}.", hint="See that it is there and can be written.")
        return error


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def _migrate(database: Database) -> None:
    """Run the missing migrations in one transaction each; two programs that start at once take turns."""
    from alembic import command
    from alembic.config import Config as AlembicConfig

    settings = AlembicConfig()
    settings.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    if not database.is_embedded:
        with database.write() as connection:
            connection.execute(text("CREATE SCHEMA IF NOT EXISTS wordreel"))
    with database.write() as connection:
        if not database.is_embedded:
            connection.execute(text("SELECT pg_advisory_xact_lock(20261120)"))
        settings.attributes["connection"] = connection
        command.upgrade(settings, HEAD)


def _folder_fault(path: Path, error: OSError) -> StoreError:
    import errno

    if error.errno == errno.ENOSPC:
        return DiskFull(f"No room left in {path}.", hint="Free some disk, or set WORDREEL_HOME to another one.")
    return DatabaseUnavailable(
        f"The workspace {path} cannot be written: {error.strerror}.", hint="Give this user the right to write it, or set WORDREEL_HOME."
    )


def _backup_hint(home_path: Path) -> str:
    """Names the last backup that was read back, if there is one."""
    found = sorted((home_path / "backups").glob("*.verified"))
    if not found:
        return "There is no verified backup in this workspace; restore one with `python run.py restore PATH`."
    return f"The last verified backup is {found[-1].with_suffix('')}: `python run.py restore {found[-1].with_suffix('')}`."
