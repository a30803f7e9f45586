"""The send box with the one filled button, and what rules hold back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.errors import WordreelError
from core.model.export_reports import ExportPreview, Rule
from ui.cli.session import actor
from ui.parts import page
from ui.parts.figures import count, duration, size
from ui.parts.markup import div, el, facts, icon, join, show, span

if TYPE_CHECKING:
    from collections.abc import Collection

    from core.wiring import App

ICONS = {Rule.HEARD: "hearing_disabled", Rule.STRONG_LANGUAGE: "shield", Rule.SIZE: "compress", Rule.PLAYABLE: "videocam_off"}


def draw_send(app: App, preview: ExportPreview, address: str, ticked: Collection[int]) -> None:
    """What one click sends. A new host is confirmed first; strong language needs its tick."""
    _strong_language(preview)
    if not preview.n_clips and not preview.unfinished_batch_id:
        show(
            div(
                div(span("Nothing to send"), cls="row"),
                div("Clips that are approved or changed on Review show here.", cls="wr-note"),
                cls="wr-box",
            )
        )
        return
    chosen = [clip for clip in preview.clips if clip.clip_id in ticked]
    is_all = len(chosen) == preview.n_clips
    n_words = preview.n_words if is_all else sum(len(clip.words) for clip in chosen)
    n_bytes = preview.n_bytes if is_all else sum(clip.size_bytes for clip in chosen)
    with st.container(border=True, key="wr-send"):
        show(div(el("strong", "This send"), span(preview.target), cls="wr-boxhead"))
        requests = (
            join([f"{preview.n_requests:,} ", el("small", "under 14.9 MiB each")]) if is_all else "at most " + f"{preview.n_requests:,}"
        )
        time = f"about {duration(preview.expected_s)}" if preview.expected_s is not None else "not known yet"
        show(
            facts(
                {"Clips": f"{len(chosen):,}", "Words taught": f"{n_words:,}", "Size": size(n_bytes), "Requests": requests, "Time": time},
                "plain",
            )
        )
        is_confirmed = True
        if preview.needs_confirmation and chosen:
            show(
                div(
                    icon("cloud"),
                    div(el("strong", f"First export to {preview.target}"), span(f"{count(len(chosen), 'clip')}, {n_bytes:,} bytes.")),
                    cls="wr-line",
                )
            )
            is_confirmed = st.checkbox(f"Send them to {preview.url}", key=f"confirm_{preview.target}")
        if preview.unfinished_batch_id:
            label = "Go on with the open batch"
        else:
            label = f"Send {count(len(chosen), 'clip')}"
        is_off = not is_confirmed or (not chosen and not preview.unfinished_batch_id)
        if st.button(label, type="primary", icon=":material/cloud_upload:", width="stretch", disabled=is_off, key="send"):
            _send(app, preview, address, None if is_all else set(ticked), is_confirmed=is_confirmed)
        page.note("Safe to repeat: a clip that has arrived is never sent twice.")


def _strong_language(preview: ExportPreview) -> None:
    """The tick without which clips with strong language stay here; shown where there are such clips."""
    n_strong = next((held.count for held in preview.held if held.rule is Rule.STRONG_LANGUAGE), 0)
    if n_strong or st.session_state.get("allow_strong_language"):
        st.checkbox("Send clips with strong language too", key="allow_strong_language", help=f"{n_strong:,} held back now")


def _send(app: App, preview: ExportPreview, address: str, only: set[int] | None, *, is_confirmed: bool) -> None:
    try:
        app.exports.create_batch(
            address,
            None,
            actor(),
            allow_strong_language=bool(st.session_state.get("allow_strong_language")),
            confirmed=is_confirmed,
            only=only,
            tell=page.say_after_rerun,
        )
    except WordreelError as error:
        page.error_box(error)
        return
    st.query_params.clear()
    st.rerun()


def draw_held(preview: ExportPreview) -> None:
    """Each rule with how much it holds back."""
    page.section("Held back by rules")
    rows = []
    for held in preview.held:
        if not held.count and held.rule in (Rule.MEDIA, Rule.FIELDS, Rule.TRANSCRIPT):
            continue
        mark = icon(ICONS.get(held.rule, "error"), "warn") if held.count else icon("check", "ok")
        rows.append(
            div(
                el("span", mark, span(held.label), cls="wr-state"),
                span(f"{held.count:,} held" if held.count else "0", "dim"),
                cls="wr-held",
            )
        )
    show(div(*rows))
