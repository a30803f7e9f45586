"""The six counts that filter, and the clips with what will happen to each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.model.export_reports import Change, ClipPreview, ExportPreview
from core.services.stills import read_stills
from ui.parts import page
from ui.parts.figures import count, size
from ui.parts.markup import Markup, div, el, icon, join, show, span, state, table
from ui.parts.markup import link as a_link
from ui.parts.ways import word_link

if TYPE_CHECKING:
    from core.wiring import App

COUNTS = {
    Change.NEW: ("add_circle", "New", "created at the backend", "accent"),
    Change.CHANGED: ("change_circle", "Changed", "score, words, text or bytes", "accent"),
    Change.CONFLICT: ("warning", "In conflict", "other bytes, same name", "warn"),
    Change.TOO_LARGE: ("compress", "Too large", "over 5 MiB", "warn"),
    Change.UNPLAYABLE: ("videocam_off", "Unplayable", "phones would refuse it", "bad"),
    Change.UNCHANGED: ("check_circle", "Unchanged", "already there", "ok"),
}
WORDS = {
    **{change: (name, word, colour) for change, (name, word, _, colour) in COUNTS.items()},
    Change.RETRACTION: ("undo", "Retraction", "warn"),
    Change.HELD: ("shield", "Held back", "warn"),
}
MAX_ROWS = 300


def draw_counts(preview: ExportPreview) -> None:
    """Six counts; each shows its clips alone, and again all."""
    counts = preview.counts
    shown = st.query_params.get("show", "")
    cells = []
    for change, (name, word, unit, colour) in COUNTS.items():
        is_on = shown == change.value or (not shown and change in (Change.NEW, Change.CHANGED) and counts[change])
        inside = join([span(join([icon(name, colour), " ", word]), "top2"), span(f"{counts[change]:,}", "n"), span(unit, "unit")])
        target = a_link(inside, "/export", cls="wr-cell", show="" if shown == change.value else change.value)
        cells.append(div(target, cls="on" if is_on else "", aria_current="true" if shown == change.value else None))
    show(div(*cells, cls="wr-strip cells"))


def chosen_clips(app: App, preview: ExportPreview) -> set[int]:
    """Draw the clips under the filter. Returns: the clips that may be sent and are ticked, those that are filtered out too."""
    shown = st.query_params.get("show", "")
    listed = [clip for clip in preview.clips if clip.change.value == shown or (not shown and clip.change is not Change.UNCHANGED)]
    sendable = [clip for clip in listed if clip.is_sent]
    others = [clip for clip in listed if not clip.is_sent]
    stills = read_stills(app.database, [clip.media_id for clip in listed if clip.media_id])
    ticked = {clip.clip_id for clip in preview.clips if clip.is_sent}
    if sendable:
        ticked -= _unticked(sendable, stills)
    elif not listed and shown:
        page.note("No clip here.")
    elif not sendable and not shown:
        page.empty("cloud_done", "Everything approved is at the backend.", "A clip that is approved, corrected or taken back shows here.")
    if others:
        show(_others(others[:MAX_ROWS], stills))
    if sendable:
        page.note(f"{count(len(listed), 'clip')}. New and changed clips are ticked; nothing leaves before you send.")
    return ticked


def _unticked(clips: list[ClipPreview], stills: dict[str, str]) -> set[int]:
    """The table with ticks. Returns: what was taken out."""
    import pandas as pd

    rows = pd.DataFrame(
        {
            "Send": [True] * len(clips),
            "Still": [f"/api/media/{stills[clip.media_id]}" if clip.media_id in stills else None for clip in clips],
            "Clip": [f"{clip.title} {clip.year or ''}".strip() for clip in clips],
            "Teaches": [", ".join(clip.words) for clip in clips],
            "Size": [size(clip.size_bytes) for clip in clips],
            "Change": [WORDS[clip.change][1] for clip in clips],
            "What will happen": [clip.will for clip in clips],
        }
    )
    config = {
        "Send": st.column_config.CheckboxColumn("Send", width=68),
        "Still": st.column_config.ImageColumn("", width=58),
        "Clip": st.column_config.TextColumn("Clip", width=150),
        "Teaches": st.column_config.TextColumn("Teaches", width=130),
        "Size": st.column_config.TextColumn("Size", width=70, alignment="right"),
        "Change": st.column_config.TextColumn("Change", width=84),
    }
    key = "ticks_" + "_".join(sorted({clip.change.value for clip in clips}))
    edited = st.data_editor(
        rows, column_config=config, hide_index=True, disabled=[name for name in rows if name != "Send"], key=key, row_height=34,
        height=min(460, 38 + 34 * len(rows)), alt="Clips that can be sent, with a tick each",
    )  # fmt: skip
    return {clip.clip_id for clip, is_ticked in zip(clips, edited["Send"], strict=True) if not is_ticked}


def _others(clips: list[ClipPreview], stills: dict[str, str]) -> Markup:
    heads = [("", ""), ("Clip", "cut"), ("Teaches", "strong"), ("Size", "num"), ("Change", "nowrap"), ("Why", "cut")]
    rows = []
    for clip in clips:
        still = el("img", src=f"/api/media/{stills[clip.media_id]}", alt="", cls="wr-still") if clip.media_id in stills else ""
        film = el("span", span(clip.title, "ink"), span(f" {clip.year}", "dim") if clip.year else None)
        words = join([word_link(word) if place == 0 else join([", ", word_link(word)]) for place, word in enumerate(clip.words[:3])])
        rows.append([still, film, words, size(clip.size_bytes), state(*WORDS[clip.change]), el("span", clip.will, title=clip.will)])
    return table(heads, rows, label="Clips that are not sent", widths="58px 22% 20% 76px 110px auto")
