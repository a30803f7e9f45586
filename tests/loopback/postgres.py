"""A real PostgreSQL server for tests, in a folder of its own, on a free port of 127.0.0.1. It refuses to run as root."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path


def find_program(name: str) -> str:
    """Raises FileNotFoundError: these tests do not pass by being skipped."""
    places = [shutil.which(name), *map(str, sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True))]
    found = next((place for place in places if place), None)
    if found is None:
        raise FileNotFoundError(f"{name} is not installed; PostgreSQL is needed for these tests (Debian: postgresql).")
    return found


def _user() -> dict[str, object]:
    if os.getuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise RuntimeError("There is no user to run PostgreSQL as.")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def serve_postgres() -> Iterator[str]:
    """Yields the server's address, `postgresql://…/postgres`; everything is gone afterwards."""
    who = _user()
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    if who:
        os.chown(folder, int(str(who["user"])), int(str(who["group"])))
    data, port = folder / "data", _free_port()
    environ = {"PATH": os.environ["PATH"], "LC_ALL": "C", "HOME": str(folder)}
    run = {"cwd": folder, "env": environ, "check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.STDOUT, **who}
    subprocess.run([find_program("initdb"), "-D", str(data), "-U", "wordreel", "-A", "trust", "-N", "-E", "UTF8"], **run)
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off -c max_connections=100"
    subprocess.run([find_program("pg_ctl"), "-D", str(data), "-w", "-l", str(folder / "log"), "-o", options, "start"], **run)
    try:
        yield f"postgresql://wordreel@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run([find_program("pg_ctl"), "-D", str(data), "-w", "-m", "immediate", "stop"], **{**run, "check": False})
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def fresh_database(server: str, name: str) -> Iterator[str]:
    """An empty database on the server, for one test."""
    import psycopg

    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    yield server.rsplit("/", 1)[0] + f"/{name}"
