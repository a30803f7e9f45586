"""`.env.secrets` beside `run.py`: one line a key, mode 0600, written whole or not at all.

`core.config.read_env_file` reads it. Other lines, comments and unknown names stay as they are, byte for byte.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from core.errors import DiskFull, InvalidInput, Refused, StoreError

NAME = ".env.secrets"
NEW = ".new"
"""What a half-written file's name ends with; one that a crash left behind is removed before the next is written."""
PLAIN = re.compile(r"[A-Za-z0-9_./:@%+,=~-]*")
"""A value that needs no quotes, for us and for a shell that reads the file."""
MAX_BYTES = 1024 * 1024

_lock = threading.Lock()


class SecretsFile:
    """Sets and removes the lines of one name each. Safe between threads, and between processes where the system has `flock`."""

    def __init__(self, root_path: Path) -> None:
        self.path = root_path / NAME

    def set(self, name: str, value: str) -> None:
        """One line `NAME=value` in place of all that name it, at the place of the first; else at the end.

        Raises: InvalidInput for a value that no line can hold; Refused; StoreError.
        """
        line = f"{name}={quoted(value)}"
        self._rewrite(lambda text: _with_line(text, name, line))

    def remove(self, name: str) -> None:
        """Take away every line that names it. Raises: Refused; StoreError."""
        if self.path.is_symlink() or self.path.exists():
            self._rewrite(lambda text: _with_line(text, name, None))

    def _rewrite(self, change: Callable[[str], str]) -> None:
        try:
            with _lock, _alone(self.path.parent):
                changed = change(self._read())
                for left in self.path.parent.glob(f"{NAME}.*{NEW}"):
                    left.unlink()
                self._replace(changed.encode("utf-8"))
        except OSError as error:
            kind = DiskFull if error.errno in (errno.ENOSPC, errno.EDQUOT) else StoreError
            hint = "Make the folder writable for this user, or set the variable in the environment."
            raise kind(f"{self.path} cannot be written: {error.strerror}.", hint=hint) from error

    def _read(self) -> str:
        """The whole file, empty where there is none. Raises: Refused for what is not a plain file of this user."""
        try:
            found = self.path.lstat()
        except FileNotFoundError:
            return ""
        if stat.S_ISLNK(found.st_mode):
            raise Refused(f"{self.path} is a symbolic link, which is not followed.", hint="Put a plain file in its place.")
        if not stat.S_ISREG(found.st_mode):
            raise Refused(f"{self.path} is not a plain file.", hint="Take it away; Wordreel writes a new one.")
        if hasattr(os, "getuid") and found.st_uid != os.getuid():
            raise Refused(f"{self.path} belongs to another user.", hint="Give it to the user that Wordreel runs as, or remove it.")
        if found.st_size > MAX_BYTES:
            raise Refused(f"{self.path} is larger than a list of keys can be.", hint="Look at what is in it.")
        descriptor = os.open(self.path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        with os.fdopen(descriptor, "rb") as file:
            content = file.read()
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError:
            # Not `from`: the error holds the file's bytes.
            raise Refused(f"{self.path} is not UTF-8 text.", hint="Save it as UTF-8, or remove it.") from None

    def _replace(self, content: bytes) -> None:
        new_path = self.path.with_name(f"{NAME}.{secrets.token_hex(8)}{NEW}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
        descriptor = os.open(new_path, flags, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            new_path.replace(self.path)
        except BaseException:
            new_path.unlink(missing_ok=True)
            raise
        if os.name != "nt":
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def quoted(value: str) -> str:
    """As `read_env_file` reads it back: in quotes where blanks, signs of the shell or quotes of its own need them.

    Raises: InvalidInput for anything but printable ASCII; the message does not repeat the value.
    """
    if not re.fullmatch(r"[\x20-\x7e]*", value):
        raise InvalidInput("The value holds a line break or a character that is not plain ASCII.", hint="Copy it again, the key alone.")
    if PLAIN.fullmatch(value):
        return value
    return f'"{value}"' if "'" in value else f"'{value}'"


def _with_line(text: str, name: str, line: str | None) -> str:
    """The text with this line in place of all lines that name it; None removes them."""
    mark, text = text[: text.startswith("\ufeff")], text.removeprefix("\ufeff")
    mine = re.compile(rf"\s*(?:export\s+)?{re.escape(name)}\s*=")
    lines = text.splitlines(keepends=True)
    places = [place for place, found in enumerate(lines) if mine.match(found)]
    kept = [found for place, found in enumerate(lines) if place not in places]
    end = "\r\n" if "\r\n" in text else "\n"
    if line is not None and places:
        kept.insert(places[0], line + end)
    elif line is not None:
        if kept and kept[-1].splitlines() == [kept[-1]]:  # the last line has no end
            kept[-1] += end
        kept.append(line + end)
    return mark + "".join(kept)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """No other process of ours changes the file meanwhile. The lock is the folder's own and ends with this process."""
    try:
        import fcntl
    except ImportError:  # Windows: one process writes at a time in practice
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
