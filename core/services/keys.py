"""Keys and addresses of providers: masked for the page, kept in `.env.secrets`, tested on request. No value is ever an event.

A variable of the environment, or of `.env`, is the operator's: it is shown locked, and not overwritten from here.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, urlsplit, urlunsplit

from core.config import SECRETS, VARIABLES, read_env_file
from core.errors import (
    ConfigError,
    Conflict,
    InvalidInput,
    KeyRefused,
    NotFound,
    NotSent,
    ProviderUnavailable,
    QuotaUsedUp,
    RateLimited,
    Refused,
    WordreelError,
)
from core.rules.answers import plain_message
from core.services.settings import Settings
from core.store.secrets_file import NAME, SecretsFile
from core.timing import now

DOTS = "••••••••••••"
LEAST_SHOWN = 12
"""A key of fewer characters shows none of them; of a longer one the last four are shown."""
MAX_VALUE_CHARS = 2_000
MAX_MODELS = 300


@dataclass(frozen=True, slots=True)
class KeyKind:
    """One variable that can be entered on the page."""

    variable: str
    label: str
    provider: str
    """Variables of one provider are tested together: a test holds until one of them changes."""
    test_costs: str
    usual: str = ""
    """What counts where nothing is set; empty where nothing does."""

    @property
    def is_secret(self) -> bool:
        return self.variable in SECRETS


KINDS = (
    KeyKind("CLIPCAFE", "ClipCafe key", "clipcafe", "1 request"),
    KeyKind("CLIPCAFE_BASE_URL", "ClipCafe address", "clipcafe", "1 request", "https://api.clip.cafe/"),
    KeyKind("OPENAI_API_KEY", "OpenAI key", "openai", "nothing"),
    KeyKind("OPENAI_BASE_URL", "OpenAI address", "openai", "nothing", "https://api.openai.com/v1"),
    KeyKind("BACKEND_URL", "Backend address", "backend", "nothing"),
    KeyKind("BACKEND_TOKEN", "Backend token", "backend", "nothing"),
)
BY_VARIABLE = {kind.variable: kind for kind in KINDS}


@dataclass(frozen=True, slots=True)
class Told:
    """What a test that worked brought."""

    says: str
    models: tuple[str, ...] = ()
    """The models that the key may use, where the provider lists them."""


Tester = Callable[[], "str | Told"]
"""Asks the provider with what is set now. Raises: ProviderError, whose message is shown."""


@dataclass(frozen=True, slots=True)
class KeyTest:
    """One test of one variable, as it is remembered."""

    is_ok: bool
    word: str
    """`works`, `refused`, `used up`, `no answer`, …"""
    says: str
    took_ms: int
    costs: str
    at: datetime
    models: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KeyRow:
    """One variable as the page shows it. Nothing here gives a secret away."""

    kind: KeyKind
    masked: str
    """A secret: dots, and its last four where it is long enough. An address: itself, without a sign-in. Empty where nothing is set."""
    origin: str
    """`environment`, `.env.secrets`, `.env`; empty where nothing is set."""
    mark: str
    """Changes with the value, and means nothing outside this process: for `save` and `remove`."""
    can_test: bool
    test: KeyTest | None
    """The newest test of what is set now; None: not tested yet."""

    @property
    def variable(self) -> str:
        return self.kind.variable

    @property
    def is_set(self) -> bool:
        return bool(self.origin)

    @property
    def is_locked(self) -> bool:
        return self.origin in ("environment", ".env")


class Keys:
    """Reads, changes and tests them. Everything is read anew on each call: another process may have changed it.

    Args:
        root_path: the folder of `run.py`. testers: variable → its test; a variable without one cannot be tested.
    """

    def __init__(
        self, root_path: Path, settings: Settings, testers: Mapping[str, Tester], environ: Mapping[str, str] | None = None
    ) -> None:
        self._root_path = root_path
        self._settings = settings
        self._testers = testers
        self._environ = os.environ if environ is None else environ
        self._file = SecretsFile(root_path)
        self._salt = secrets.token_bytes(16)

    def rows(self) -> list[KeyRow]:
        """One row a variable, in the page's order. Raises: ConfigError where a file cannot be read."""
        values = self._values()
        tests = self._settings.get("key_tests")
        return [self._row(kind, values, tests.get(kind.variable)) for kind in KINDS]

    def row(self, variable: str) -> KeyRow:
        """One of them. Raises: NotFound; ConfigError."""
        kind = _kind(variable)
        return self._row(kind, self._values(), self._settings.get("key_tests").get(variable))

    def save(self, variable: str, value: str, actor: str, *, seen: str | None = None) -> None:
        """Keep it in `.env.secrets`, and that it was entered (never what) in the history.

        Args:
            seen: the row's `mark` when it was typed; None is not compared.

        Raises: NotFound; InvalidInput; Refused where the environment sets it; Conflict; StoreError.
        """
        kind = _kind(variable)
        value = _checked(kind, value)
        was = self._changeable(kind, seen)
        self._file.set(variable, value)
        self._note(kind, "changed" if was.is_set else "entered", actor)

    def remove(self, variable: str, actor: str, *, seen: str | None = None) -> None:
        """Take its line out of `.env.secrets`. Raises: as `save`."""
        kind = _kind(variable)
        if self._changeable(kind, seen).is_set:
            self._file.remove(variable)
            self._note(kind, "removed", actor)

    def test(self, variable: str, actor: str) -> KeyTest:
        """Ask the provider now, and remember what it said. Raises: NotFound; ConfigError; nothing that the provider did."""
        kind = _kind(variable)
        values = self._values()
        tester = self._testers.get(variable)
        if tester is None:
            raise NotFound(f"The {kind.label} has no test.")
        if variable not in values:
            raise NotFound(f"There is nothing to test: no {kind.label} is set.", hint=f"Enter it, or set {variable}.")
        began_s = time.perf_counter()
        try:
            told = tester()
            found = told if isinstance(told, Told) else Told(told)
            is_ok, word, says, models = True, "works", found.says, found.models[:MAX_MODELS]
        except WordreelError as error:
            is_ok, word, says, models = False, _word(error), f"{error.message} {error.hint}".strip(), ()
        took_ms = round(1000 * (time.perf_counter() - began_s))
        hidden, salt = _secret_forms(values), secrets.token_hex(8)
        remembered = {
            "is_ok": is_ok,
            "word": word,
            "says": plain_message(says, hidden),
            "took_ms": took_ms,
            "at": now().isoformat(),
            "models": [plain_message(model, hidden) for model in models],
            "salt": salt,
            "of": _digest(salt, kind, values),
        }
        self._settings.amend("key_tests", lambda known: {**known, variable: remembered}, actor=actor)
        return _read_test(kind, remembered)

    def _values(self) -> dict[str, tuple[str, str]]:
        """Variable → (value, origin), as `load_config` weighs them; only what is set."""
        found: dict[str, tuple[str, str]] = {}
        for origin in (".env", NAME, "environment"):
            layer = self._environ if origin == "environment" else self._layer(origin)
            for variable in BY_VARIABLE:
                value = layer.get(variable, "").strip()
                if value:
                    found[variable] = (value, origin)
        return found

    def _layer(self, name: str) -> dict[str, str]:
        try:
            return read_env_file(self._root_path / name)
        except OSError as error:
            raise ConfigError(f"{self._root_path / name} cannot be read: {error.strerror}.", hint="Let this user read it.") from error
        except UnicodeDecodeError:
            # Not `from`: the error holds the file's bytes.
            raise ConfigError(f"{self._root_path / name} is not UTF-8 text.", hint="Save it as UTF-8.") from None

    def _row(self, kind: KeyKind, values: Mapping[str, tuple[str, str]], test: Mapping[str, Any] | None) -> KeyRow:
        value, origin = values.get(kind.variable, ("", ""))
        is_current = test is not None and hmac.compare_digest(test["of"], _digest(test["salt"], kind, values))
        return KeyRow(
            kind,
            masked(value) if kind.is_secret else _shown_address(value),
            origin,
            hmac.new(self._salt, value.encode(), hashlib.sha256).hexdigest()[:8],
            kind.variable in self._testers and bool(origin),
            _read_test(kind, test) if test is not None and is_current else None,
        )

    def _changeable(self, kind: KeyKind, seen: str | None) -> KeyRow:
        found = self._row(kind, self._values(), None)
        if found.is_locked:
            where = f"the environment sets {kind.variable}" if found.origin == "environment" else f".env sets {kind.variable}"
            raise Refused(
                f"The {kind.label} is not changed here: {where}, and that wins.", hint=f"Change it there, or unset {kind.variable}."
            )
        if seen is not None and seen != found.mark:
            raise Conflict(
                f"The {kind.label} was changed meanwhile; nothing of yours was saved.", hint="Look at it, and enter yours again to keep it."
            )
        return found

    def _note(self, kind: KeyKind, did: str, actor: str) -> None:
        self._settings.set("key_changes", {"variable": kind.variable, "did": did}, actor=actor)


def masked(value: str) -> str:
    """What the page shows of a secret."""
    if not value:
        return ""
    return DOTS + value[-4:] if len(value) >= LEAST_SHOWN else DOTS


def _kind(variable: str) -> KeyKind:
    if variable not in BY_VARIABLE:
        raise NotFound(f"{variable!r} is not entered here.", hint=f"These are: {', '.join(BY_VARIABLE)}.")
    return BY_VARIABLE[variable]


def _checked(kind: KeyKind, value: str) -> str:
    """The value as it is kept. Raises: InvalidInput, without the value."""
    value = value.strip(" \t\r\n")
    if not value:
        raise InvalidInput(f"No {kind.label} was entered.", hint="Type or paste it; what was set before is kept.")
    if len(value) > MAX_VALUE_CHARS:
        raise InvalidInput(f"The {kind.label} is longer than {MAX_VALUE_CHARS:,} characters.", hint="Copy it again, the key alone.")
    if not re.fullmatch(r"[\x21-\x7e]+", value):
        raise InvalidInput(f"The {kind.label} holds a blank, a line break or a character that is not plain ASCII.", hint="Copy it again.")
    if not kind.is_secret:
        _check_address(kind, value)
    return value


def _check_address(kind: KeyKind, value: str) -> None:
    example = kind.usual or "https://lessons.example.org"
    try:
        VARIABLES[kind.variable][1](value)
        address = urlsplit(value)
        has_host, _ = bool(address.hostname), address.port
    except ValueError:
        has_host = False
    if not has_host:
        raise InvalidInput(f"The {kind.label} is not an http(s) address.", hint=f"It looks like {example}.")
    if address.username is not None or address.password is not None or address.query or address.fragment:
        raise InvalidInput(
            f"The {kind.label} holds a sign-in, a query or a fragment, which would be shown.", hint=f"It looks like {example}."
        )


def _shown_address(value: str) -> str:
    """An address without a sign-in, a query and a fragment; of what is no address, only that it is set."""
    try:
        address = urlsplit(value)
        return (
            urlunsplit((address.scheme, address.netloc.rpartition("@")[2], address.path, "", "")) if address.netloc else DOTS * bool(value)
        )
    except ValueError:
        return DOTS


def _secret_forms(values: Mapping[str, tuple[str, str]]) -> list[str]:
    """Every secret that is set as a stranger's message could repeat it, longest first."""
    found = [value for variable, (value, _) in values.items() if variable in SECRETS]
    return sorted({form for value in found for form in (value, quote(value, safe=""), quote_plus(value))}, key=len, reverse=True)


def _digest(salt: str, kind: KeyKind, values: Mapping[str, tuple[str, str]]) -> str:
    """Eight hex digits that change with any variable of the provider, and say nothing about them."""
    tested = "\0".join(values.get(other.variable, ("", ""))[0] for other in KINDS if other.provider == kind.provider)
    return hashlib.sha256(f"{salt}\0{tested}".encode()).hexdigest()[:8]


def _read_test(kind: KeyKind, kept: Mapping[str, Any]) -> KeyTest:
    at, models = datetime.fromisoformat(kept["at"]), tuple(kept["models"])
    return KeyTest(kept["is_ok"], kept["word"], kept["says"], kept["took_ms"], kind.test_costs, at, models)


def _word(error: WordreelError) -> str:
    """One word for the place beside the button; the whole message stands below."""
    words = ((KeyRefused, "refused"), (QuotaUsedUp, "used up"), (RateLimited, "asks to wait"), (NotSent, "not reached"))
    found = next((word for kind, word in words if isinstance(error, kind)), "")
    return found or ("no answer" if isinstance(error, ProviderUnavailable) else "failed")
