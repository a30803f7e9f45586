"""One server a workspace: a lock that ends with the process that holds it, however it ends."""

from __future__ import annotations

import json
import os
from pathlib import Path

from core.errors import DatabaseUnavailable, Refused

NAME = "serve.lock"


class ServerLock:
    """Holds the workspace for this server. Windows locks a byte far beyond the text, so that the text stays readable."""

    def __init__(self, home_path: Path, url: str) -> None:
        """Raises: Refused, with the address of the server that runs; DatabaseUnavailable where the workspace cannot be written."""
        self._path = home_path / NAME
        try:
            home_path.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("a+", encoding="utf-8")
        except OSError as error:
            raise DatabaseUnavailable(
                f"The workspace {home_path} cannot be written: {error.strerror}.",
                hint="Give this user the right to write it, or set WORDREEL_HOME.",
            ) from error
        try:
            _take(self._file.fileno())
        except OSError as error:
            where = self._running()
            self._file.close()
            message = f"Wordreel already serves this workspace at {where}."
            raise Refused(message, hint="Open that address, or stop that one first.") from error
        self._file.seek(0)
        self._file.truncate()
        json.dump({"pid": os.getpid(), "url": url}, self._file)
        self._file.flush()

    def release(self) -> None:
        """Let another server have the workspace."""
        self._file.close()

    def _running(self) -> str:
        self._file.seek(0)
        try:
            known = json.loads(self._file.read())
            return f"{known['url']} (process {known['pid']})"
        except (ValueError, KeyError, TypeError):
            return "another address"


def _take(descriptor: int) -> None:
    """Raises: OSError when another process has it."""
    if os.name == "nt":
        import msvcrt

        os.lseek(descriptor, 2**30, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        return
    import fcntl

    fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # unlike flock, it is not inherited by a forked child that outlives us
