"""What stands behind each port, which model is chosen, and where clips can go."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from core.rules.prices import DEFAULT_PRICES
from ui.parts import page
from ui.parts.figures import moment
from ui.parts.markup import Markup, chip, div, el, icon, show, span, table
from ui.parts.settings_fields import BEST, RUBRIC, SPEECH, is_changed, origin_of

if TYPE_CHECKING:
    from core.wiring import App, Provider

NAMES = {"settings": "Settings", "source": "Clips", "transcriber": "Speech", "judge": "Judge"}
"""The rows, in their order; the target has its own list, the aligner belongs to the recogniser."""
NO_JUDGE = re.compile(r"embed|whisper|tts|dall-e|image|moderation|realtime|audio|transcribe|speech|sora|babbage|davinci|rerank|search")
"""Names of models that answer no chat."""
USUAL_MODELS = tuple(model for model in DEFAULT_PRICES if not NO_JUDGE.search(model))


def draw_providers(app: App) -> None:
    """A row for each: what is used, why, how to get the better one, and the choice where there is one."""
    page.section("Providers", "what is used now, and why")
    found = {provider.name: provider for provider in app.providers()}
    with st.container(key="wr-providers", gap=None):
        for name in NAMES:
            if name in found:
                with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"wr-provider-{name}"):
                    _draw_provider(app, found[name])


def _draw_provider(app: App, provider: Provider) -> None:
    label = NAMES[provider.name]
    mark = icon("check_circle", "ok", "works") if provider.is_ok else icon("error", "bad", "does not work")
    about = div(
        el("strong", provider.uses),
        _why(app, provider),
        el("small", provider.better, cls="better") if provider.better else None,
    )
    show(div(mark, span(label, "name"), about, cls="wr-provider"))
    if provider.name == "judge":
        _choose_judge(app)
    elif provider.name == "transcriber":
        _choose_speech(app)


def _why(app: App, provider: Provider) -> Markup:
    """Why it is in use: what is about to change, who chose it here, or what the provider itself says."""
    if is_changed(NAMES[provider.name]):
        return el("small", f"{st.session_state[f'rule_{provider.name}']} from the next run, once it is saved.", cls="accent")
    chosen = app.settings.newest().get(provider.name)
    if provider.is_ok and chosen is not None and chosen.value is not None and not origin_of(app, provider.name.upper()):
        return el("small", f"{chosen.actor} chose it on {moment(chosen.set_at)}.")
    return el("small", provider.why)


def _choose_judge(app: App) -> None:
    chosen, model = origin_of(app, "JUDGE"), origin_of(app, "JUDGE_MODEL")
    if model or (chosen and app.config.judge == "rubric"):
        show(_locked("JUDGE_MODEL" if model else "JUDGE"), width="content")
        return
    known = app.keys.row("OPENAI_API_KEY").test
    models = [name for name in known.models if not NO_JUDGE.search(name)] if known is not None and known.models else list(USUAL_MODELS)
    options = list(dict.fromkeys([*([] if chosen else [BEST, RUBRIC]), *_present("rule_judge", unless=(BEST, RUBRIC)), *models]))
    st.selectbox(
        "Judge",
        options,
        key="rule_judge",
        label_visibility="collapsed",
        width=150,
        accept_new_options=True,
        help="A model's name can be typed.",
    )


def _choose_speech(app: App) -> None:
    if origin_of(app, "TRANSCRIBER"):
        show(_locked("TRANSCRIBER"), width="content")
        return
    config = app.config
    names = [
        "captions",
        *(["whisper"] if config.whisper_model else []),
        *(["openai"] if config.openai_api_key or config.openai_base_url else []),
    ]
    if names == ["captions"] and st.session_state.get("rule_transcriber") == BEST:
        return  # there is nothing to choose
    options = list(dict.fromkeys([BEST, *_present("rule_transcriber"), *(SPEECH[name] for name in names)]))
    shown = {SPEECH["whisper"]: f"Whisper {Path(config.whisper_model).name}"} if config.whisper_model else {}
    st.selectbox(
        "Speech", options, key="rule_transcriber", label_visibility="collapsed", width=150, format_func=lambda name: shown.get(name, name)
    )


def _present(key: str, unless: tuple[str, ...] = ()) -> list[str]:
    """What the field holds now: it stays among the options."""
    held = st.session_state.get(key)
    return [held] if held and held not in unless else []


def _locked(variable: str) -> Markup:
    return el("span", icon("lock", "", "locked here"), span(f"from {variable}"), cls="wr-locked")


def draw_targets(app: App) -> None:
    """Where clips can go; the marked one is offered first."""
    page.section("Export targets", "the marked one is offered first")
    rows = []
    for place, target in enumerate(app.targets()):
        mark = icon("radio_button_checked", "accent", "offered first") if place == 0 else icon("radio_button_unchecked", "dim")
        name = "Production" if target.is_production else "Practice backend"
        where = target.name if target.is_production else "on this machine"
        state = chip("cloud", "Production", "accent") if target.is_production else chip("science", "Not production", "warn")
        rows.append([mark, name, where, state])
    heads = [("", ""), ("Target", "strong"), ("Where", ""), ("", "right")]
    show(table(heads, rows, label="Export targets", widths="26px 30% auto 128px"))
    if not app.config.backend_url:
        page.note("Enter the backend's address, and its token, under Keys to send to production.")
