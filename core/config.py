"""What the operator says: environment, `.env` and `.env.secrets` beside `run.py`. `services.live_config` follows changes of the files.

Source of the names: the README's table of settings. A variable of the environment wins over `.env.secrets`, which wins
over `.env`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from core.errors import ConfigError

ROOT_PATH = Path(__file__).resolve().parent.parent
"""The folder of `run.py`."""

SECRETS = frozenset({"CLIPCAFE", "OPENAI_API_KEY", "BACKEND_TOKEN", "DATABASE_URL"})
"""Never logged, shown, stored or exported. `DATABASE_URL` can hold a password."""

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})

JUDGES = ("openai", "rubric")
TRANSCRIBERS = ("whisper", "openai", "captions")


@dataclass(frozen=True, slots=True)
class Config:
    """Every setting, checked. Empty text and None mean unset."""

    home_path: Path
    host: str = "127.0.0.1"
    port: int = 8501
    database_url: str = field(default="", repr=False)
    media_url: str = ""
    clipcafe_key: str = field(default="", repr=False)
    clipcafe_base_url: str = "https://api.clip.cafe/"
    clipcafe_rate: tuple[int, float] = (10, 60.0)
    """At most so many requests in any so many seconds."""
    clipcafe_requests_per_month: int | None = None
    clipcafe_downloads_per_month: int | None = None
    openai_api_key: str = field(default="", repr=False)
    openai_base_url: str = ""
    judge: str = ""
    judge_model: str = "gpt-4o-mini"
    transcriber: str = ""
    whisper_model: str = ""
    clip_model: str = ""
    clip_pretrained: str = ""
    clap_model: str = ""
    text_model: str = ""
    tts_model: str = ""
    backend_url: str = ""
    backend_token: str = field(default="", repr=False)
    origins: Mapping[str, str] = field(default_factory=dict)
    """setting → `environment`, `.env.secrets` or `.env`; absent for a default."""
    root_path: Path = ROOT_PATH
    """The folder whose `.env` and `.env.secrets` were read."""

    @property
    def is_loopback(self) -> bool:
        return self.host in LOOPBACK_HOSTS


def read_env_file(path: Path) -> dict[str, str]:
    """`NAME=value` lines; `#` comments, `export `, and matching quotes are understood. A missing file is empty."""
    if not path.exists():
        return {}
    found: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8-sig").splitlines():
        match = re.match(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*$", line)
        if match is None:
            continue
        name, value = match.groups()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        found[name] = value
    return found


def parse_rate(text: str) -> tuple[int, float]:
    """`10/60s` → at most 10 in any 60 seconds. Raises ValueError."""
    match = re.fullmatch(r"\s*(\d+)\s*/\s*(\d+(?:\.\d+)?)\s*s?\s*", text)
    if match is None or int(match[1]) < 1 or float(match[2]) <= 0:
        raise ValueError(f"{text!r} is not a rate such as 10/60s")
    return int(match[1]), float(match[2])


def load_config(environ: Mapping[str, str] | None = None, *, root_path: Path = ROOT_PATH) -> Config:
    """Read and check every setting.

    Raises: ConfigError, which names every setting that cannot be used.
    """
    environ = os.environ if environ is None else environ
    layers = [
        (".env", read_env_file(root_path / ".env")),
        (".env.secrets", read_env_file(root_path / ".env.secrets")),
        ("environment", environ),
    ]
    values: dict[str, str] = {}
    origins: dict[str, str] = {}
    for origin, layer in layers:
        for name, value in layer.items():
            if name in VARIABLES and value.strip():
                values[name], origins[name] = value.strip(), origin
    faults: list[str] = []
    settings: dict[str, object] = {}
    for name, text in values.items():
        attribute, parse = VARIABLES[name]
        try:
            settings[attribute] = parse(text)
        except ValueError as error:
            shown = "(hidden)" if name in SECRETS else str(error)
            faults.append(f"{name}: {shown}")
    if faults:
        raise ConfigError(
            "Settings that cannot be used: " + "; ".join(sorted(faults)) + ".", hint="Mend them in the environment, .env or .env.secrets."
        )
    settings.setdefault("home_path", root_path / "data" / "workspace")
    return Config(origins=origins, root_path=root_path, **settings)  # type: ignore[arg-type]


def _one_of(*choices: str):  # type: ignore[no-untyped-def]
    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(f"{text!r} is none of {', '.join(choices)}")
        return text

    return parse


def _count(text: str) -> int:
    if not text.isdigit():
        raise ValueError(f"{text!r} is not a whole number")
    return int(text)


def _port(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise ValueError(f"{text!r} is not a port (1 to 65535)")
    return int(text)


def _address(text: str) -> str:
    if not re.match(r"https?://[^\s/]+", text):
        raise ValueError("not an http(s) address")
    return text


VARIABLES = {
    "WORDREEL_HOME": ("home_path", lambda text: Path(text).expanduser().resolve()),
    "HOST": ("host", str),
    "PORT": ("port", _port),
    "DATABASE_URL": ("database_url", str),
    "MEDIA_URL": ("media_url", str),
    "CLIPCAFE": ("clipcafe_key", str),
    "CLIPCAFE_BASE_URL": ("clipcafe_base_url", _address),
    "CLIPCAFE_RATE": ("clipcafe_rate", parse_rate),
    "CLIPCAFE_REQUESTS_PER_MONTH": ("clipcafe_requests_per_month", _count),
    "CLIPCAFE_DOWNLOADS_PER_MONTH": ("clipcafe_downloads_per_month", _count),
    "OPENAI_API_KEY": ("openai_api_key", str),
    "OPENAI_BASE_URL": ("openai_base_url", _address),
    "JUDGE": ("judge", _one_of(*JUDGES)),
    "JUDGE_MODEL": ("judge_model", str),
    "TRANSCRIBER": ("transcriber", _one_of(*TRANSCRIBERS)),
    "WHISPER_MODEL": ("whisper_model", str),
    "CLIP_MODEL": ("clip_model", str),
    "CLIP_PRETRAINED": ("clip_pretrained", str),
    "CLAP_MODEL": ("clap_model", str),
    "TEXT_MODEL": ("text_model", str),
    "TTS_MODEL": ("tts_model", str),
    "BACKEND_URL": ("backend_url", _address),
    "BACKEND_TOKEN": ("backend_token", str),
}
"""Environment variable → attribute of Config, and how its text is read."""

assert {attribute for attribute, _ in VARIABLES.values()} <= {f.name for f in fields(Config)}
