"""The log: one line an event on stderr, without secrets."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Collection

from core.config import ROOT_PATH, SECRETS, read_env_file

HIDDEN = "(hidden)"
LEAST_SECRET = 6
"""Shorter values are words of their own; hiding them would garble every line."""


class SecretsOut(logging.Formatter):
    """Writes a record with every secret's value replaced, also in tracebacks."""

    def __init__(self, secrets: Collection[str]) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s", "%H:%M:%S")
        self._secrets = _hideable(secrets)

    def format(self, record: logging.LogRecord) -> str:
        return without_secrets(super().format(record), self._secrets)


def without_secrets(text: str, secrets: Collection[str] | None = None) -> str:
    """The text with every secret's value replaced; `secrets`: those of this process, unless given."""
    for secret in _hideable(secret_values()) if secrets is None else secrets:
        text = text.replace(secret, HIDDEN)
    return text


def _hideable(secrets: Collection[str]) -> list[str]:
    """Those long enough to be hidden, longest first."""
    return sorted((secret for secret in secrets if len(secret) >= LEAST_SECRET), key=len, reverse=True)


def set_up_logs(*, level: int = logging.INFO) -> None:
    """Write to stderr: our own lines from `level`, those of libraries from warnings on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(SecretsOut(secret_values()))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("wordreel").setLevel(level)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)


def secret_values() -> set[str]:
    """The values of every secret that this process was given, and the password inside DATABASE_URL."""
    layers = [read_env_file(ROOT_PATH / ".env"), read_env_file(ROOT_PATH / ".env.secrets"), dict(os.environ)]
    found = {layer[name].strip() for layer in layers for name in SECRETS if layer.get(name, "").strip()}
    passwords = {value.rsplit("@", 1)[0].rsplit(":", 1)[-1] for value in found if "://" in value and "@" in value}
    return found | passwords
