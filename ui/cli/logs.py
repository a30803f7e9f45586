"""The log: one line an event on stderr, without secrets."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Collection
from pathlib import Path

from core.config import ROOT_PATH, SECRETS, read_env_file

FILES = (".env", ".env.secrets")
HIDDEN = "(hidden)"
LEAST_SECRET = 6
"""Shorter values are words of their own; hiding them would garble every line."""


class SecretsOut(logging.Formatter):
    """Writes a record with every secret's value replaced, also in tracebacks; a key that was entered or replaced meanwhile too."""

    def __init__(self, root_path: Path = ROOT_PATH) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s", "%H:%M:%S")
        self._paths = tuple(root_path / name for name in FILES)
        self._root_path = root_path
        self._read_at: tuple[object, ...] = ()
        self._secrets: set[str] = set()
        self._look()

    def format(self, record: logging.LogRecord) -> str:
        self._look()
        return without_secrets(super().format(record), self._secrets)

    def _look(self) -> None:
        """Learn what the files hold now, if one of them was written; what was known stays hidden."""
        found = tuple(_stamp(path) for path in self._paths)
        if found != self._read_at:
            try:
                self._secrets |= secret_values(self._root_path)
            except (OSError, UnicodeDecodeError):  # the next line looks again; a log must not fail
                return
            self._read_at = found


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def without_secrets(text: str, secrets: Collection[str] | None = None) -> str:
    """The text with every secret's value replaced; `secrets`: those of this process, unless given."""
    for secret in _hideable(secret_values() if secrets is None else secrets):
        text = text.replace(secret, HIDDEN)
    return text


def _hideable(secrets: Collection[str]) -> list[str]:
    """Those long enough to be hidden, longest first."""
    return sorted((secret for secret in secrets if len(secret) >= LEAST_SECRET), key=len, reverse=True)


def set_up_logs(*, level: int = logging.INFO) -> None:
    """Write to stderr: our own lines from `level`, those of libraries from warnings on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(SecretsOut())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("wordreel").setLevel(level)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)


def secret_values(root_path: Path = ROOT_PATH) -> set[str]:
    """The values of every secret that this process was given, and the password inside DATABASE_URL."""
    layers = [*(read_env_file(root_path / name) for name in FILES), dict(os.environ)]
    found = {layer[name].strip() for layer in layers for name in SECRETS if layer.get(name, "").strip()}
    passwords = {value.rsplit("@", 1)[0].rsplit(":", 1)[-1] for value in found if "://" in value and "@" in value}
    return found | passwords
