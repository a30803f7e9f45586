"""Settings as the page's fields hold them: what is changed and not saved, what the operator locked, and what another tab changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from core.config import parse_rate
from core.errors import WordreelError
from core.services.settings import DEFAULTS
from ui.cli.session import actor
from ui.parts import page

if TYPE_CHECKING:
    from core.services.settings import SettingsChange
    from core.wiring import App

SEEN_KEY = "wr_settings_seen"
"""Field → the events that its widgets were filled from, and what they were filled with."""
BEST, RUBRIC = "Best available", "Teachability rubric"
SPEECH = {"captions": "Captions", "whisper": "Whisper", "openai": "OpenAI whisper-1"}
LOCKED_BY = ("environment", ".env.secrets", ".env")
Saved = Mapping[str, Any]
Held = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Field:
    """One setting, or some that only make sense together."""

    label: str
    names: tuple[str, ...]
    """Settings."""
    shown: Callable[[App, Saved], dict[str, Any]]
    """Setting → value, as saved → widget → what it holds."""
    kept: Callable[[Held], dict[str, Any]]
    """The other way round."""


def _plain(label: str, name: str) -> Field:
    return Field(label, (name,), lambda _, saved: {f"rule_{name}": saved[name]}, lambda held: {name: held[f"rule_{name}"]})


def _shown_rate(app: App, saved: Saved) -> dict[str, Any]:
    limit, window_s = parse_rate(saved["clipcafe_rate"]) if saved["clipcafe_rate"] else app.config.clipcafe_rate
    return {"rule_rate_limit": limit, "rule_rate_window_s": max(1, round(window_s))}


def _shown_judge(_: App, saved: Saved) -> dict[str, Any]:
    chosen = saved["judge_model"] or BEST if saved["judge"] == "openai" else RUBRIC if saved["judge"] == "rubric" else BEST
    return {"rule_judge": chosen}


def _kept_judge(held: Held) -> dict[str, Any]:
    chosen = (held["rule_judge"] or BEST).strip()
    if chosen == BEST:
        return {"judge": None, "judge_model": None}
    return {"judge": "rubric", "judge_model": None} if chosen == RUBRIC else {"judge": "openai", "judge_model": chosen}


def _kept_speech(held: Held) -> dict[str, Any]:
    names = {label: name for name, label in SPEECH.items()}
    return {"transcriber": names.get(held["rule_transcriber"])}


FIELDS = (
    _plain("Clips wanted a word", "want"),
    _plain("Least relevance for the desk", "min_score"),
    _plain("Strict legacy rule", "is_strict"),
    _plain("Clips judged at once", "judge_in_flight"),
    _plain("Days that a search counts", "search_max_age_days"),
    Field("Judge", ("judge", "judge_model"), _shown_judge, _kept_judge),
    Field("Speech", ("transcriber",), lambda _, saved: {"rule_transcriber": SPEECH.get(saved["transcriber"], BEST)}, _kept_speech),
    Field(
        "ClipCafe's rate",
        ("clipcafe_rate",),
        _shown_rate,
        lambda held: {"clipcafe_rate": f"{held['rule_rate_limit']}/{held['rule_rate_window_s']}s"},
    ),
    _plain("Requests a month", "clipcafe_requests_per_month"),
    _plain("Downloads a month", "clipcafe_downloads_per_month"),
)
LABELS = {name: field.label for field in FIELDS for name in field.names} | {
    "judge_model": "Judge's model",
    "demo_removed": "Demo removed",
    "library_paths": "Folders of films",
}


@dataclass(frozen=True, slots=True)
class Filled:
    """What a field's widgets were filled with."""

    events: dict[str, int]
    """Setting → the event that is shown; 0 for the default."""
    held: dict[str, Any]


def sync(app: App) -> None:
    """Fill the widgets with what is saved; one that was changed here keeps what it holds, and meets a conflict when it is saved."""
    newest = app.settings.newest()
    seen: dict[str, Filled] = st.session_state.setdefault(SEEN_KEY, {})
    for field in FIELDS:
        now = _filled(app, field, newest)
        before = seen.get(field.label)
        held = _held(now)
        is_mine = before is not None and None is not held and held not in (before.held, now.held)
        if not is_mine:
            st.session_state.update({key: value for key, value in now.held.items() if held is None or held[key] != value})
            seen[field.label] = now


def changed(app: App) -> list[Field]:
    """The fields whose widgets hold something else than what they were filled with."""
    seen: dict[str, Filled] = st.session_state.get(SEEN_KEY, {})
    return [field for field in FIELDS if field.label in seen and _held(seen[field.label]) not in (None, seen[field.label].held)]


def is_changed(label: str) -> bool:
    """Whether this one is changed and not saved."""
    filled = st.session_state.get(SEEN_KEY, {}).get(label)
    return filled is not None and _held(filled) not in (None, filled.held)


def origin_of(app: App, variable: str) -> str:
    """Where the operator set it, which wins over what is saved here; empty where it is free."""
    origin = app.config.origins.get(variable, "")
    return origin if origin in LOCKED_BY else ""


def draw_marks(app: App) -> None:
    """The accent edge of fields that are changed and not saved."""
    keys = [key for field in changed(app) for key in st.session_state[SEEN_KEY][field.label].held]
    edges = ", ".join(f".st-key-{key} :is([data-testid=stNumberInputContainer], [role=group])" for key in keys)
    inside = ", ".join(f".st-key-{key} :is(input, button, [role=group], [data-testid=stNumberInputContainer])" for key in keys)
    tint = "background-color: var(--wordreel-accent-tint) !important; color: var(--wordreel-accent-ink) !important;"
    rules = f"{edges} {{ border-color: var(--wordreel-accent) !important; }} {inside} {{ {tint} }}" if keys else ""
    st.html(f"<style>{rules}/**/</style>")


def draw_save(app: App) -> None:
    """The one filled button; it says how many changes it saves."""
    fields = changed(app)
    n = len(fields)
    label = f"Save {n} {'change' if n == 1 else 'changes'}" if n else "Saved"
    if st.button(label, type="primary", disabled=not n, key="save"):
        try:
            values = _save(app, fields)
        except WordreelError as error:
            page.error_box(error)
            return
        told = ", ".join(f"{LABELS[name].lower()} {said(value)}" for name, value in values.items())
        page.say_after_rerun(f"Saved: {told}." if told else "It is already saved so.")
        st.rerun()


def said(value: Any) -> str:
    """A setting's value in words."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return "as usual" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def _save(app: App, fields: list[Field]) -> dict[str, Any]:
    """What was saved, all of it or nothing. Raises: InvalidInput; Conflict, after which a second click saves."""
    seen: dict[str, Filled] = st.session_state[SEEN_KEY]
    values: dict[str, Any] = {}
    events: dict[str, int] = {}
    saved = app.settings.newest()
    for field in fields:
        kept = field.kept(_held(seen[field.label]) or {})
        events |= {name: seen[field.label].events[name] for name in kept}
        values |= {name: value for name, value in kept.items() if value != _value(saved, name)}
    try:
        app.settings.change(values, actor=actor(), seen=events)
    finally:  # a second click after a conflict knows what the other one saved
        for field in fields:
            seen[field.label] = _filled(app, field, app.settings.newest())
    return values


def _value(saved: Mapping[str, SettingsChange], name: str) -> Any:
    return saved[name].value if name in saved else DEFAULTS[name]


def _filled(app: App, field: Field, newest: Mapping[str, SettingsChange]) -> Filled:
    events = {name: newest[name].event_id if name in newest else 0 for name in field.names}
    return Filled(events, field.shown(app, {name: _value(newest, name) for name in field.names}))


def _held(filled: Filled) -> dict[str, Any] | None:
    """What the widgets of a field hold now; None before they were drawn."""
    if any(key not in st.session_state for key in filled.held):
        return None
    return {key: st.session_state[key] for key in filled.held}
