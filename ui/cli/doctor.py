"""`doctor`: what is installed, what is in use, and what to fix."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import typer

from ui.cli.options import Json
from ui.cli.output import OUT

if TYPE_CHECKING:
    from core.config import Config
    from core.wiring import App

Subject = TypeVar("Subject")

LEAST_FREE_BYTES = 2 * 1024**3
OLDEST_BACKUP = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    ok: bool
    detail: str
    fix: str = ""
    """What to do; empty where nothing is to be done."""


def add_to(app: typer.Typer) -> None:
    """Hang the command into the tree."""
    app.command(name="doctor")(doctor)


def doctor(json: Json = False) -> None:
    """Versions, providers, models, disk, and what to fix. Exit 2 when something must be fixed."""
    from core.config import load_config

    config = load_config()
    checks = [check for look in (_python, _libraries, _secrets, _workspace) for check in _safely(look, config)]
    providers: dict[str, object] = {}
    if all(check.ok for check in checks if check.name == "workspace"):
        checks += _safely(_database, config)
    if all(check.ok for check in checks if check.name in ("workspace", "database")):
        providers, more = _with_app(config)
        checks += more
    is_ok = all(check.ok for check in checks)
    lines = [f"{'ok ' if check.ok else 'FIX'}  {check.name}: {check.detail}{'  → ' + check.fix if check.fix else ''}" for check in checks]
    lines += [f"     {name}: {found['uses']}. {found['why']}" for name, found in providers.items() if isinstance(found, dict)]
    document = {"ok": is_ok, "providers": providers, "checks": [asdict(check) for check in checks]}
    OUT.answer(document, *lines, "Everything is in order." if is_ok else "Something must be fixed.")
    if not is_ok:
        raise typer.Exit(2)


def _safely(look: Callable[[Subject], Iterator[Check]], subject: Subject) -> list[Check]:
    """A check that cannot be made is itself a finding, and the others go on."""
    from core.errors import WordreelError

    found: list[Check] = []
    name = look.__name__.strip("_").replace("_", " ")
    try:
        found.extend(look(subject))
    except WordreelError as error:
        found.append(Check(name, ok=False, detail=error.message, fix=error.hint))
    except Exception as error:  # noqa: BLE001 - whatever a broken library raises is the finding
        found.append(Check(name, ok=False, detail=f"{type(error).__name__}: {error}", fix="Run `python run.py setup`."))
    return found


def _python(_: Config) -> Iterator[Check]:
    import sqlite3

    from core.store.dialects import can_use_wal

    version = ".".join(str(part) for part in sys.version_info[:3])
    yield Check("python", sys.version_info >= (3, 11), version, "" if sys.version_info >= (3, 11) else "Install Python 3.11 or later.")
    journal = "write-ahead log" if can_use_wal(sqlite3.sqlite_version_info) else "rollback journal, synchronous=FULL"
    yield Check("sqlite", ok=True, detail=f"{sqlite3.sqlite_version}, {journal}")


def _libraries(_: Config) -> Iterator[Check]:
    import av
    import espeakng_loader
    import pocketsphinx

    has_h264 = "libx264" in av.codecs_available or "h264" in av.codecs_available
    versions = ", ".join(f"{name} {'.'.join(map(str, number))}" for name, number in sorted(av.library_versions.items()))
    yield Check("ffmpeg", ok=True, detail=f"PyAV {av.__version__}: {versions}")
    detail, fix = ("libx264 can encode", "") if has_h264 else ("no H.264 encoder", "Reinstall PyAV: `python run.py setup`.")
    yield Check("h264", has_h264, detail, fix)
    model = Path(pocketsphinx.get_model_path()) / "en-us"
    is_there = model.exists()
    detail, fix = (str(model), "") if is_there else ("its acoustic model is missing", "Run `python run.py setup`.")
    yield Check("pocketsphinx", is_there, detail, fix)
    library = Path(espeakng_loader.get_library_path())
    yield Check("espeak-ng", library.exists(), str(library), "" if library.exists() else "Run `python run.py setup`.")


def _secrets(config: Config) -> Iterator[Check]:
    """Whether the keys' file is its owner's alone."""
    import os
    import stat

    path = config.root_path / ".env.secrets"
    if os.name == "nt" or not path.is_file():
        return
    mode = stat.S_IMODE(path.stat().st_mode)
    is_own = not mode & 0o077
    yield Check(".env.secrets", is_own, f"mode {mode:04o}", "" if is_own else f"Others can read your keys: chmod 600 {path}")


def _workspace(config: Config) -> Iterator[Check]:
    import tempfile

    try:
        config.home_path.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=config.home_path, prefix=".doctor-"):
            pass
    except OSError as error:
        yield Check("workspace", ok=False, detail=f"{config.home_path}: {error.strerror}", fix="Make it writable, or set WORDREEL_HOME.")
        return
    yield Check("workspace", ok=True, detail=str(config.home_path))
    free = shutil.disk_usage(config.home_path).free
    is_enough = free >= LEAST_FREE_BYTES
    yield Check("disk", is_enough, f"{free / 1e9:.1f} GB free", "" if is_enough else "Free some disk, or set WORDREEL_HOME to another one.")


def _database(config: Config) -> Iterator[Check]:
    from core.store.database import HEAD, Database

    database = Database(config.home_path, config.database_url)  # checks its integrity, and migrates
    try:
        where = str(database.path) if database.is_embedded else "PostgreSQL"
        yield Check("database", ok=True, detail=f"{where}, schema {HEAD}, integrity checked")
    finally:
        database.close()


def _with_app(config: Config) -> tuple[dict[str, object], list[Check]]:
    from core.wiring import build_app

    app = build_app(config)
    try:
        listed = app.providers()
        providers = {found.name: {"uses": found.uses, "why": found.why, "better": found.better, "ok": found.is_ok} for found in listed}
        checks = [Check(found.name, found.is_ok, found.uses, "" if found.is_ok else found.better) for found in listed]
        for look in (_clipcafe, _openai, _whisper, _backups, _workers, _backend, _port):
            checks += _safely(look, app)
        return dict(providers), checks
    finally:
        app.close()


def _clipcafe(app: App) -> Iterator[Check]:
    """What is set and what is left; nothing is asked of ClipCafe."""
    limit, window_s = app.config.clipcafe_rate
    months = [(what, quota.state()) for what, quota in (("requests", app.limits.requests), ("downloads", app.limits.downloads))]
    plan = [
        f"{what} a month not known, {state.n_used:,} used"
        if state.limit is None
        else f"{state.n_left:,} of {state.limit:,} {what} left this month"
        for what, state in months
    ]
    is_set = bool(app.config.clipcafe_key)
    server = _server(app.config.clipcafe_base_url)
    elsewhere = [server] if server != "api.clip.cafe" else []
    detail = "; ".join([_key(app, "CLIPCAFE"), *elsewhere, f"at most {limit:,} requests in any {window_s:g} s", *plan])
    fix = "" if is_set else "Own films need none. Enter a key in Settings, or set CLIPCAFE, to find clips of other films."
    if is_set and any(state.limit is None for _, state in months):
        fix = "Enter in Settings what your plan allows a month."
    yield Check("clipcafe", ok=True, detail=detail, fix=fix)


def _openai(app: App) -> Iterator[Check]:
    """What is set; nothing is asked of the server."""
    from core.rules.prices import find_price

    config = app.config
    server = _server(config.openai_base_url) or "api.openai.com"
    if not (config.openai_api_key or config.openai_base_url):
        fix = "The rubric needs none. Enter a key in Settings, or set OPENAI_API_KEY, to have a model judge."
        yield Check("openai", ok=True, detail=_key(app, "OPENAI_API_KEY"), fix=fix)
        return
    is_priced = find_price(config.judge_model, app.prices()) is not None
    detail = f"{_key(app, 'OPENAI_API_KEY')}; {server}; judge's model {config.judge_model}, price {'known' if is_priced else 'not known'}"
    yield Check("openai", ok=True, detail=detail, fix="" if is_priced else "Enter its price in Settings; until then sums are “at least”.")


def _server(address: str) -> str:
    """Host and port, without what an address may hold beside them."""
    from urllib.parse import urlsplit

    return urlsplit(address).netloc.rpartition("@")[2]


def _key(app: App, variable: str) -> str:
    """Whether a key is set, and where; never the key."""
    origin = app.config.origins.get(variable)
    return "no key" if origin is None else f"a key is set in {'the environment' if origin == 'environment' else origin}"


def _whisper(app: App) -> Iterator[Check]:
    name = app.config.whisper_model
    if not name:
        return
    from core.adapters.transcriber_whisper import find_model

    yield Check("whisper model", ok=True, detail=str(find_model(name)))


def _backups(app: App) -> Iterator[Check]:
    from core.timing import now

    if not app.database.is_embedded:
        return
    found = app.backups.list()
    for damaged in (backup for backup in found if backup.fault):
        fix = "It is not restored and never deleted by itself; delete its folder once nothing is to be saved from it."
        yield Check("damaged backup", ok=True, detail=damaged.fault, fix=fix)
    verified = [backup for backup in found if backup.is_verified]
    if not verified:
        yield Check("backup", ok=True, detail="none yet; a running app makes one a day", fix="`python run.py backup` makes one now.")
        return
    age = now() - verified[0].made_at
    fix = "" if age < OLDEST_BACKUP else "`python run.py backup` makes one now."
    yield Check("backup", ok=True, detail=f"{verified[0].path}, {age.total_seconds() / 3600:.0f} h old", fix=fix)


def _workers(app: App) -> Iterator[Check]:
    from core.pipeline.janitor import live_workers

    n_live = len(live_workers(app.database))
    fix = "" if n_live else "`python run.py` starts one; commands that wait start their own."
    yield Check("workers", ok=True, detail=f"{n_live} alive", fix=fix)


def _backend(app: App) -> Iterator[Check]:
    import httpx

    if not app.config.backend_url:
        return
    target = app.target()
    try:
        status = httpx.get(target.url, timeout=5, follow_redirects=False).status_code
    except httpx.HTTPError as error:
        detail = f"{target.name} does not answer ({type(error).__name__})"
        yield Check("backend", ok=False, detail=detail, fix="Check BACKEND_URL and the network.")
        return
    yield Check("backend", ok=True, detail=f"{target.name} answers ({status})")


def _port(app: App) -> Iterator[Check]:
    from core.errors import UserError
    from ui.cli.address import require_free

    host, port = app.config.host, app.config.port
    try:
        require_free(host, port)
    except UserError as error:
        yield Check("port", ok=True, detail=f"{error.message} {error.hint}")
        return
    yield Check("port", ok=True, detail=f"{host}:{port} is free")
