"""Opening the truth: new, old, newer, gone, replaced, read-only, locked, corrupt; and the unit of work."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import event, insert, inspect, select, text

from core.errors import DatabaseCorrupt, DatabaseNewer, DatabaseUnavailable, DiskFull
from core.store import dialects
from core.store.database import HEAD, MARKER_NAME, Database
from core.store.tables import metadata, settings_events, words
from core.timing import now
from tests.conftest import REPO_PATH
from tests.loopback.postgres import fresh_database, serve_postgres

MIGRATIONS = REPO_PATH / "core/store/migrations"


def put(database: Database, name: str = "want", value: object = 3) -> None:
    with database.write() as connection:
        connection.execute(insert(settings_events).values(name=name, value=value, actor="t", set_at=now()))


def count(database: Database) -> int:
    with database.read() as connection:
        return len(connection.execute(select(settings_events)).all())


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def database(home: Path) -> Iterator[Database]:
    made = Database(home)
    yield made
    made.close()


def impatient(database: Database) -> None:
    """Wait for a lock as long as a test can."""
    database.engine.dispose()
    event.listen(database.engine, "connect", lambda raw, _record: raw.execute("PRAGMA busy_timeout = 150"))
    count(database)  # a connection is there before the lock


# Schema --------------------------------------------------------------------------------------------------------------


def differences(database: Database) -> list[object]:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with database.read() as connection:
        options = {"compare_type": True, "target_metadata": metadata}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))


def test_the_migrations_make_the_tables_of_the_program(database: Database) -> None:
    assert differences(database) == []
    with database.read() as connection:
        for table in metadata.sorted_tables:
            found = {column["name"]: column["nullable"] for column in inspect(connection).get_columns(table.name)}
            assert found == {column.name: column.nullable for column in table.columns}, table.name


def test_the_newest_migration_is_the_one_that_the_program_knows() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    settings = Config()
    settings.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(settings).get_heads() == [HEAD]


def test_a_new_workspace_is_made_and_opened_again(home: Path) -> None:
    first = Database(home)
    put(first)
    first.close()
    again = Database(home)
    assert count(again) == 1
    assert (home / MARKER_NAME).exists()
    again.close()


def test_foreign_keys_and_the_safe_journal_are_in_force(database: Database) -> None:
    with database.read() as connection:
        assert connection.execute(text("PRAGMA foreign_keys")).scalar_one() == 1
        assert connection.execute(text("PRAGMA synchronous")).scalar_one() == 2
        journal = connection.execute(text("PRAGMA journal_mode")).scalar_one()
    assert journal == ("wal" if dialects.can_use_wal(sqlite3.sqlite_version_info) else "delete")


@pytest.mark.parametrize(
    ("version", "expected"),
    [((3, 40, 1), False), ((3, 44, 5), False), ((3, 44, 6), True), ((3, 45, 0), False), ((3, 50, 6), False), ((3, 50, 7), True),
     ((3, 51, 2), False), ((3, 51, 3), True), ((3, 52, 0), True)],
)  # fmt: skip
def test_which_builds_may_use_a_write_ahead_log(version: tuple[int, int, int], expected: bool) -> None:
    assert dialects.can_use_wal(version) is expected


# The unit of work ----------------------------------------------------------------------------------------------------


def test_a_unit_of_work_that_raises_leaves_nothing(database: Database) -> None:
    def work() -> None:
        with database.write() as connection:
            connection.execute(insert(settings_events).values(name="want", value=1, actor="t", set_at=now()))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert count(database) == 0


def test_a_reader_sees_one_state_and_never_a_half_written_one(database: Database) -> None:
    put(database)
    with database.read() as connection:
        before = len(connection.execute(select(settings_events)).all())
        assert before == 1
        assert len(connection.execute(select(settings_events)).all()) == before
    put(database)
    assert count(database) == 2


def test_a_violated_constraint_stays_a_bug(database: Database) -> None:
    from sqlalchemy.exc import IntegrityError

    row = {"text": "refer", "key": "refer", "language": "en", "created_at": now()}
    with database.write() as connection:
        connection.execute(insert(words).values(**row))
    with pytest.raises(IntegrityError), database.write() as connection:
        connection.execute(insert(words).values(**row))


# Gone, replaced, emptied ---------------------------------------------------------------------------------------------


def test_a_deleted_database_is_named_and_never_made_anew(home: Path) -> None:
    Database(home).close()
    (home / "app.db").unlink()
    with pytest.raises(DatabaseUnavailable, match=r"app\.db is missing") as refusal:
        Database(home)
    assert "restore" in refusal.value.hint
    assert not (home / "app.db").exists()


def test_an_emptied_database_is_not_taken_for_a_new_one(home: Path) -> None:
    first = Database(home)
    put(first)
    first.close()
    (home / "app.db").write_bytes(b"")
    with pytest.raises(DatabaseUnavailable, match="is empty"):
        Database(home)
    assert (home / "app.db").read_bytes() == b""


def test_a_first_start_that_was_cut_off_before_its_tables_is_done_again(home: Path) -> None:
    home.mkdir()
    (home / "app.db").touch()
    database = Database(home)
    put(database)
    assert count(database) == 1
    database.close()


def test_deleted_while_running(database: Database, home: Path) -> None:
    put(database)
    (home / "app.db").unlink()
    for use in (lambda: put(database), lambda: count(database)):
        with pytest.raises(DatabaseUnavailable, match="is missing"):
            use()
    assert not (home / "app.db").exists()


def test_deleted_in_the_middle_of_a_unit_of_work(database: Database, home: Path) -> None:
    """What was written through the old handle is nowhere, so it must not be said to be saved."""

    def work() -> None:
        with database.write() as connection:
            connection.execute(insert(settings_events).values(name="want", value=1, actor="t", set_at=now()))
            (home / "app.db").unlink()

    with pytest.raises(DatabaseUnavailable, match="is missing"):
        work()


def test_replaced_while_running(database: Database, home: Path, tmp_path: Path) -> None:
    put(database)
    shutil.copy(home / "app.db", tmp_path / "copy.db")
    (tmp_path / "copy.db").replace(home / "app.db")
    with pytest.raises(DatabaseUnavailable, match="was replaced") as refusal:
        put(database)
    assert "Restart" in refusal.value.hint
    with contextlib.closing(sqlite3.connect(home / "app.db")) as raw:
        assert raw.execute("SELECT count(*) FROM settings_events").fetchone() == (1,)


# Corrupt, newer, locked, read-only, full -----------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["head", "middle"])
def test_a_corrupt_database_is_refused_untouched_and_the_last_verified_backup_named(home: Path, where: str) -> None:
    database = Database(home)
    with database.write() as connection:
        rows = [{"text": f"w{n}", "key": f"w{n}", "language": "en", "created_at": now()} for n in range(2000)]
        connection.execute(insert(words), rows)
    database.close()
    for day in ("20261101", "20261119"):
        (home / "backups").mkdir(exist_ok=True)
        (home / "backups" / f"{day}.zip").touch()
        (home / "backups" / f"{day}.zip.verified").touch()
    (home / "backups" / "20261120.zip").touch()
    data = bytearray((home / "app.db").read_bytes())
    at = 0 if where == "head" else 4096 * 20
    data[at : at + 4096 * (1 if where == "head" else 20)] = b"\xa5" * (4096 * (1 if where == "head" else 20))
    (home / "app.db").write_bytes(data)
    with pytest.raises(DatabaseCorrupt, match=r"app\.db is damaged") as refusal:
        Database(home)
    assert "20261119.zip" in refusal.value.hint
    assert (home / "app.db").read_bytes() == bytes(data)


def test_without_a_verified_backup_it_says_so(home: Path) -> None:
    Database(home).close()
    (home / "app.db").write_bytes(b"not a database" * 1000)
    with pytest.raises(DatabaseCorrupt) as refusal:
        Database(home)
    assert "no verified backup" in refusal.value.hint


def test_a_newer_database_is_refused_untouched(home: Path) -> None:
    Database(home).close()
    with contextlib.closing(sqlite3.connect(home / "app.db")) as raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
        raw.commit()
    before = (home / "app.db").read_bytes()
    with pytest.raises(DatabaseNewer, match="schema 9999"):
        Database(home)
    assert (home / "app.db").read_bytes() == before


def test_locked_by_another_program(database: Database, home: Path) -> None:
    impatient(database)
    with contextlib.closing(sqlite3.connect(home / "app.db")) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(DatabaseUnavailable, match="locked by another program"):
            put(database)
        other.rollback()
    put(database)
    assert count(database) == 1


def test_threads_of_one_program_stand_in_line_and_none_is_told_that_it_is_locked(database: Database) -> None:
    """With SQLite's own lock alone, whoever comes while another is not quick enough gives up."""
    impatient(database)
    is_held = threading.Event()

    def hold() -> None:
        with database.write() as connection:
            connection.execute(insert(settings_events).values(name="want", value=1, actor="t", set_at=now()))
            is_held.set()
            time.sleep(0.5)

    with ThreadPoolExecutor() as pool:
        slow = pool.submit(hold)
        assert is_held.wait(10)
        for done in [pool.submit(put, database) for _ in range(3)]:
            done.result(20)
        slow.result(20)
    assert count(database) == 4


def test_a_full_disk_leaves_what_was_there(database: Database) -> None:
    put(database)
    with database.read() as connection:
        pages = connection.execute(text("PRAGMA page_count")).scalar_one()
    database.engine.dispose()
    event.listen(database.engine, "connect", lambda raw, _record: raw.execute(f"PRAGMA max_page_count = {pages}"))
    with pytest.raises(DiskFull, match="No room left"):
        put(database, value="x" * 100_000)
    assert count(database) == 1


READ_ONLY = """
    import os, sys
    from pathlib import Path
    from core.errors import StoreError
    from core.store.database import Database
    from sqlalchemy import text
    home = Path(sys.argv[1])
    if sys.argv[2] != "-":
        os.setgroups([])
        os.setgid(int(sys.argv[2]))
        os.setuid(int(sys.argv[2]))
    try:
        database = Database(home)
        with database.write() as connection:
            connection.execute(text("INSERT INTO settings_events (name, value, actor, set_at) VALUES ('want', '1', 't', '2026-01-01')"))
    except StoreError as error:
        print(type(error).__name__, error.message)
    else:
        print("written")
"""


def as_somebody(home: Path) -> str:
    """Open and write as a user who owns nothing here; root may write everything."""
    who = "65534" if os.getuid() == 0 else "-"
    command = [sys.executable, "-c", textwrap.dedent(READ_ONLY), str(home), who]
    done = subprocess.run(command, cwd=REPO_PATH, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout.strip() or done.stderr


@pytest.fixture
def reachable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder that any user can enter."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder) / "home"


def test_a_read_only_file_is_named(reachable: Path) -> None:
    Database(reachable).close()
    os.chmod(reachable / "app.db", 0o444)
    os.chmod(reachable / MARKER_NAME, 0o666)
    os.chmod(reachable, 0o777)
    said = as_somebody(reachable)
    os.chmod(reachable, 0o755)
    assert said.startswith("DatabaseUnavailable"), said
    assert f"{reachable / 'app.db'} is read-only" in said


def test_a_read_only_folder_is_named(reachable: Path) -> None:
    Database(reachable).close()
    for path in reachable.iterdir():
        os.chmod(path, 0o444)
    os.chmod(reachable, 0o555)
    said = as_somebody(reachable)
    os.chmod(reachable, 0o755)
    assert said.startswith("DatabaseUnavailable"), said
    assert str(reachable) in said


def test_a_file_where_the_workspace_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(DatabaseUnavailable, match="cannot be written"):
        Database(tmp_path / "file")


def test_odd_names_of_folders_are_only_names(tmp_path: Path) -> None:
    home = tmp_path / "a b%20?c#d'é"
    database = Database(home)
    put(database)
    assert (home / "app.db").stat().st_size > 0
    assert [path.name for path in tmp_path.iterdir()] == [home.name]
    database.close()


def test_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = frozenset(line.split()[2] for line in Path("/proc/mounts").read_text().splitlines())
    monkeypatch.setattr(dialects, "NETWORK_FILE_SYSTEMS", kinds)
    with pytest.raises(DatabaseUnavailable, match="network file system"):
        Database(tmp_path / "home")
    assert not (tmp_path / "home" / "app.db").exists()


# Several processes ---------------------------------------------------------------------------------------------------

OPENING = """
    import sys, time
    from pathlib import Path
    from core.store.database import Database
    from sqlalchemy import insert
    from core.store.tables import settings_events
    from core.timing import now
    while time.time() < float(sys.argv[2]):
        pass
    database = Database(Path(sys.argv[1]), sys.argv[3])
    for place in range(10):
        with database.write() as connection:
            connection.execute(insert(settings_events).values(name="want", value=place, actor="t", set_at=now()))
"""


def open_at_once(home: Path, database_url: str = "", n: int = 3) -> None:
    import time

    command = [sys.executable, "-c", textwrap.dedent(OPENING), str(home), str(time.time() + 1.5), database_url]
    started = [subprocess.Popen(command, cwd=REPO_PATH, stderr=subprocess.PIPE, text=True) for _ in range(n)]
    faults = [process.communicate(timeout=90)[1] for process in started]
    assert [process.returncode for process in started] == [0] * n, faults


def test_programs_that_open_a_new_workspace_at_once_take_turns(home: Path) -> None:
    open_at_once(home)
    database = Database(home)
    assert count(database) == 30
    database.close()


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with serve_postgres() as address:
        yield address


def test_postgresql_gets_the_same_schema(server: str, home: Path) -> None:
    with fresh_database(server, "schema") as address:
        database = Database(home, address)
        assert differences(database) == []
        put(database)
        assert count(database) == 1
        with database.read() as connection:
            assert "words" in inspect(connection).get_table_names(schema="wordreel")
            assert inspect(connection).get_table_names(schema="public") == []
        database.close()
        again = Database(home, address)
        assert count(again) == 1
        again.close()


def test_programs_that_open_a_new_postgresql_database_at_once_take_turns(server: str, home: Path) -> None:
    with fresh_database(server, "at_once") as address:
        open_at_once(home, address)
        database = Database(home, address)
        assert count(database) == 30
        database.close()


def test_a_newer_postgresql_database_is_refused(server: str, home: Path) -> None:
    with fresh_database(server, "newer") as address:
        database = Database(home, address)
        with database.write() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        database.close()
        with pytest.raises(DatabaseNewer):
            Database(home, address)


def test_a_postgresql_server_that_is_away_is_named_without_its_password(home: Path) -> None:
    with pytest.raises(DatabaseUnavailable) as refusal:
        Database(home, "postgresql://mina:geheim@127.0.0.1:1/wordreel")
    assert "127.0.0.1" in refusal.value.message
    assert "geheim" not in refusal.value.message + refusal.value.hint


def test_two_curators_on_postgresql_one_wins(server: str, home: Path) -> None:
    """The rule of SQLite's single writer holds where writers run side by side, by a lock on the mapping's row."""
    import threading

    from core.errors import Conflict
    from core.model.reviews import DecisionKind, DecisionRequest
    from core.services.review import Review
    from core.services.settings import Settings
    from tests.loopback.decided_world import Shelf

    shelf = Shelf(home)
    local = shelf.database
    with fresh_database(server, "curators") as address:
        shelf.database = Database(home, address)
        shelf.settings = Settings(shelf.database)
        shelf.review = Review(shelf.database, shelf.settings, lambda _word_id: None)
        made = [shelf.shown(f"clip-{place}", "refer") for place in range(8)]
        ready = threading.Barrier(2)
        conflicts: list[str] = []

        def decide(actor: str) -> None:
            for mapping_id in made:
                ready.wait()
                try:
                    shelf.review.decide(DecisionRequest(mapping_id, DecisionKind.APPROVE, actor, f"{actor}{mapping_id}", seen_version=0))
                except Conflict:
                    conflicts.append(actor)

        people = [threading.Thread(target=decide, args=(actor,)) for actor in ("mina", "tom")]
        for person in people:
            person.start()
        for person in people:
            person.join()
        assert len(conflicts) == len(made)
        shelf.database.close()
    local.close()
