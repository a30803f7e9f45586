"""The environment in `.venv`: where it is, and what is installed in it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from pathlib import Path

ROOT_PATH = Path(__file__).resolve().parent.parent
"""The folder of `run.py`."""
REQUIREMENTS = {"desk": "requirements-desk.txt", "all": "requirements.txt", "dev": "requirements-dev.txt"}
"""Tier → the file that pins it."""
STAMP = "wordreel-setup.json"
"""Inside the environment: tier → hash of the pins that are installed."""
BEGUN = "wordreel-setup-begun"
"""Inside the environment while pip works in it, so one that is found at a start tells of an interruption. Its text is
`fresh` where the environment itself was being made, else `added`."""


def venv_path() -> Path:
    """`.venv` beside `run.py`, or WORDREEL_VENV."""
    elsewhere = os.environ.get("WORDREEL_VENV")
    return Path(elsewhere).expanduser().absolute() if elsewhere else ROOT_PATH / ".venv"


def python_path(venv: Path) -> Path:
    """The interpreter inside the environment."""
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def site_packages_path(venv: Path) -> Path:
    """The folder that pip installs into, for an environment made by this Python."""
    return venv / ("Lib/site-packages" if os.name == "nt" else f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages")


def fingerprint(tier: str) -> str:
    """The hash of a tier's pins, those of the files that it includes with it."""
    digest = hashlib.sha256()
    pending, seen = [REQUIREMENTS[tier]], set[str]()
    while pending:
        name = pending.pop()
        if name in seen:
            continue
        seen.add(name)
        text = (ROOT_PATH / name).read_text(encoding="utf-8")
        digest.update(f"{name}\0{text}".encode())
        pending += re.findall(r"^-r\s+(\S+)", text, re.MULTILINE)
    return digest.hexdigest()


def read_stamp(venv: Path) -> dict[str, str]:
    """Tier → fingerprint of what is installed. Empty where nothing is, or where installing it was interrupted."""
    return {} if (venv / BEGUN).exists() or not python_path(venv).exists() else read_last_stamp(venv)


def read_last_stamp(venv: Path) -> dict[str, str]:
    """As `read_stamp`, but what held before an interruption."""
    try:
        return dict(json.loads((venv / STAMP).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def is_set_up() -> bool:
    """Whether the commands can be started, even where a pin has changed since."""
    return "desk" in read_stamp(venv_path())


def missing_tiers(venv: Path, wanted: list[str]) -> list[str]:
    """What must be installed: the wanted tiers, and those already there whose pins have changed."""
    stamp = read_stamp(venv)
    return [tier for tier in REQUIREMENTS if (tier in wanted or tier in stamp) and stamp.get(tier) != fingerprint(tier)]


def count_pins(tiers: list[str]) -> int:
    """How many packages these tiers name, those of the desk with them."""
    texts = [(ROOT_PATH / REQUIREMENTS[tier]).read_text(encoding="utf-8") for tier in {"desk", *tiers}]
    return len({name.lower() for text in texts for name in re.findall(r"^([A-Za-z0-9._-]+)==", text, re.MULTILINE)})
