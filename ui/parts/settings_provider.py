"""What stands behind each port, which keys are set, and where clips can go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.config import SECRETS
from ui.parts import page
from ui.parts.markup import chip, div, el, icon, show, span, table

if TYPE_CHECKING:
    from core.wiring import App

NAMES = {"judge": "Judge", "transcriber": "Speech", "source": "Clips", "target": "Target", "aligner": "Word times"}
KEYS = (
    ("WHISPER_MODEL", "Whisper model", "whisper_model"),
    ("BACKEND_URL", "Backend address", "backend_url"),
    ("BACKEND_TOKEN", "Backend token", "backend_token"),
    ("DATABASE_URL", "Database", "database_url"),
    ("MEDIA_URL", "Clips are kept at", "media_url"),
)
UNSET = {
    "WHISPER_MODEL": "not set: captions with forced alignment time the words",
    "BACKEND_URL": "not set: the practice backend takes the clips",
    "BACKEND_TOKEN": "not set",
    "DATABASE_URL": "not set: SQLite in the workspace",
    "MEDIA_URL": "not set: the workspace",
}


def draw_providers(app: App) -> None:
    """A row for each: what is used, why, and how to get the better one."""
    page.section("Providers", "what is used now, and why")
    rows = []
    for provider in app.providers():
        mark = icon("check_circle", "ok", "works") if provider.is_ok else icon("error", "bad", "does not work")
        about = div(
            el("strong", provider.uses), el("small", provider.why), el("small", provider.better, cls="better") if provider.better else None
        )
        rows.append(div(mark, span(NAMES.get(provider.name, provider.name.capitalize()), "name"), about, cls="wr-provider"))
    show(*rows)


def draw_keys(app: App) -> None:
    """Names of the environment, each with where it comes from. A secret is masked: nothing of it reaches the page."""
    page.section("Keys and addresses", "read at start from the environment, .env or .env.secrets")
    rows = []
    for variable, name, attribute in KEYS:
        value = str(getattr(app.config, attribute))
        if not value:
            rows.append(div(span(name, "name"), span(UNSET[variable], "dim"), span(variable, "mono dim"), cls="wr-key2"))
            continue
        shown = "••••••••••••" if variable in SECRETS else value
        origin = app.config.origins.get(variable, "")
        where = f"from {variable}" if origin == "environment" else f"from {origin}"
        rows.append(div(span(name, "name"), el("code", span(shown), span(where)), icon("lock", "dim", "locked here"), cls="wr-key2"))
    show(*rows)


def draw_targets(app: App) -> None:
    """Where clips can go; the marked one is offered first."""
    page.section("Export targets", "the marked one is offered first")
    rows = []
    for place, target in enumerate(app.targets()):
        mark = icon("radio_button_checked", "accent", "offered first") if place == 0 else icon("radio_button_unchecked", "dim")
        name = "Production" if target.is_production else "Practice backend"
        where = target.name if target.is_production else "on this machine"
        rows.append(
            [
                mark,
                name,
                where,
                chip("cloud", "Production", "accent") if target.is_production else chip("science", "Not production", "warn"),
            ]
        )
    heads = [("", ""), ("Target", "strong"), ("Where", ""), ("", "right")]
    show(table(heads, rows, label="Export targets", widths="26px 30% auto 128px"))
    if not app.config.backend_url:
        page.note("Set BACKEND_URL and BACKEND_TOKEN, and start again, to send to production.")
