"""Export: what would be sent, sending it, and what became of each clip."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from ui.parts import page
from ui.parts.demo_note import draw_demo_note
from ui.parts.export_batch import draw_batch, draw_history, draw_retractions
from ui.parts.export_clips import chosen_clips, draw_counts
from ui.parts.export_send import draw_held, draw_send
from ui.parts.markup import chip, show

if TYPE_CHECKING:
    from core.model.export_reports import BatchSummary
    from core.ports import ExportTarget
    from core.wiring import App


def render(app: App) -> None:
    """Draw the page."""
    page.begin()
    with page.shown_errors():
        target = _head(app)
        address = target.url if target.is_production else "practice"
        page.said()
        allow = bool(st.session_state.get("allow_strong_language"))
        preview = app.exports.preview(address, allow_strong_language=allow)
        batches = app.exports.history(address)
        if not preview.clips:
            _nothing_yet(app, batches)
        else:
            draw_counts(preview)
            left, right = st.columns([0.745, 0.255], gap="medium")
            with left:
                ticked = chosen_clips(app, preview)
            with right:
                draw_send(app, preview, address, ticked)
                draw_held(preview)
        draw_retractions(app, address)
        if batches:
            draw_batch(app, batches[0], is_production=target.is_production)


def _head(app: App) -> ExportTarget:
    targets = {target.name: target for target in app.targets()}
    with page.head("Export") as (beside, actions):
        with beside:
            name = st.selectbox(
                "Target",
                list(targets),
                format_func=lambda name: _label(targets[name]),
                key="target",
                label_visibility="collapsed",
                width=300,
            )
            target = targets[name]
            show(
                chip("science", "Not production", "warn") if not target.is_production else chip("cloud", "Production", "accent"),
                width="content",
            )
        with actions:
            with st.popover("History", icon=":material/history:"):
                draw_history(app)
            with st.popover("As a command", icon=":material/terminal:"):
                st.code("python run.py export" + (f" --backend-url {target.url}" if target.is_production else ""), language="bash")
    return target


def _label(target: ExportTarget) -> str:
    return f"Production, {target.name}" if target.is_production else "Practice backend"


def _nothing_yet(app: App, batches: list[BatchSummary]) -> None:
    draw_demo_note(app)
    if batches:
        page.empty("cloud_done", "Everything approved is at the backend.", "A clip that is approved, corrected or taken back shows here.")
    else:
        page.empty("cloud_upload", "Nothing is approved yet.", "Approve clips on Review; what is approved can be sent from here.")
