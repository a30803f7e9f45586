"""What became of a batch: progress while it goes out, each clip's outcome, its read-back, and what is still to be removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.errors import WordreelError
from core.model.export_reports import BatchItem, BatchSummary, ExportBatch, ReadBack
from core.model.exports import ItemStatus
from ui.cli.session import actor
from ui.parts import page
from ui.parts.figures import count, duration, moment, size
from ui.parts.markup import Markup, chip, div, el, facts, icon, link, meter, show, span, state, table
from ui.parts.redrawn import redrawn

if TYPE_CHECKING:
    from core.wiring import App

EVERY_S = 1.0
MAX_ROWS = 200
OUTCOMES = {
    ItemStatus.QUEUED: ("In line", "dim"), ItemStatus.SENDING: ("Sending", "accent"), ItemStatus.CREATED: ("Created", ""),
    ItemStatus.UPDATED: ("Updated", ""),
    ItemStatus.EXISTED: ("Was there", ""), ItemStatus.SKIPPED: ("Skipped", "warn"), ItemStatus.FAILED: ("Failed", "bad"),
}  # fmt: skip
READ_BACK = {
    ReadBack.VERIFIED: ("check_circle", "Bytes and words match", "ok"),
    ReadBack.BYTES_MATCH: ("check_circle", "Bytes match; the backend cannot list words", "ok"),
    ReadBack.WORDS_MISSING: ("help", "Bytes match, words are missing", "warn"),
    ReadBack.DIFFERS: ("error", "Other bytes are there", "bad"),
    ReadBack.MISSING: ("error", "It is not there", "bad"),
    ReadBack.UNREACHABLE: ("help", "Not verified: the backend did not answer", "warn"),
    ReadBack.IN_DOUBT: ("help", "No answer came; it may have arrived", "warn"),
}


def draw_batch(app: App, summary: BatchSummary, *, is_production: bool) -> None:
    """The newest batch; while it is open it is read anew every second."""
    is_open = summary.ended_at is None
    redrawn(_draw, EVERY_S if is_open else None, app, summary.batch_id, is_open, is_production)


def _draw(app: App, batch_id: str, was_open: bool, is_production: bool) -> None:
    batch = app.exports.batch(batch_id)
    found = batch.summary
    _batch_head(app, found)
    if found.ended_at is None:
        n_done = sum(item.status not in (ItemStatus.QUEUED, ItemStatus.SENDING) for item in batch.items)
        share = n_done / found.n_items if found.n_items else 0.0
        line = div(el("strong", f"Sending, {n_done} of {found.n_items}"), meter(share), style="flex:1")
        show(div(icon("cloud_upload"), line, cls="wr-line", role="status"))
    elif was_open:
        st.rerun()
    _played(batch)
    heads = [("Clip", "mono cut0"), ("Teaches", "cut"), ("Outcome", "nowrap"), ("Video id", "num"), ("Words", "num"), ("Read back", "cut")]
    rows = [_row(item, is_production=is_production) for item in _worst_first(batch)[:MAX_ROWS]]
    show(table(heads, rows, label=f"Clips of batch {found.number}", widths="26% 20% 90px 100px 64px auto"))
    if len(batch.items) > MAX_ROWS:
        page.note(f"{MAX_ROWS} of {len(batch.items):,} shown.")


def _worst_first(batch: ExportBatch) -> list[BatchItem]:
    return sorted(batch.items, key=lambda item: (item.status is not ItemStatus.FAILED, item.status is not ItemStatus.SKIPPED))


def _batch_head(app: App, found: BatchSummary) -> None:
    took = f", {duration((found.ended_at - found.created_at).total_seconds())}" if found.ended_at else ""
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="wr-batch"):
        page_head = el(
            "h2", f"Batch {found.number}, {moment(found.created_at)}",
            el("small", f"{count(found.n_items, 'clip')} to {found.target} by {found.actor or 'nobody named'}{took}"), cls="wr-section",
        )  # fmt: skip
        show(page_head, width="content")
        with st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center", gap="small"):
            show(
                div(
                    chip("check_circle", f"{found.sent} arrived, {size(found.n_bytes)}", "ok") if found.sent else None,
                    chip("help", f"{found.n_not_verified} not verified", "warn") if found.n_not_verified else None,
                    chip("shield", f"{found.skipped} skipped", "warn") if found.skipped else None,
                    chip("error", f"{found.failed} failed", "bad") if found.failed else None,
                    cls="wr-chips",
                ),
                width="content",
            )
            if found.ended_at is not None:
                _batch_actions(app, found)


def _batch_actions(app: App, found: BatchSummary) -> None:
    try:
        if found.failed and st.button(f"Retry {found.failed} failed", icon=":material/refresh:", key="retry_batch"):
            app.exports.retry(found.batch_id)
            st.rerun()
        if found.sent and st.button("Verify again", key="verify_batch"):
            read = app.exports.verify(found.batch_id).summary
            page.say_after_rerun(f"Read back: {read.n_verified} verified, {read.n_not_verified} not verified.")
            st.rerun()
    except WordreelError as error:
        page.error_box(error)


def _row(item: BatchItem, *, is_production: bool) -> list[object]:
    word, colour = OUTCOMES[item.status]
    if item.read_back is not None:
        said: Markup = state(*READ_BACK[item.read_back])
    elif item.error:
        said = el(
            "span",
            icon("error"),
            el("span", item.error, title=item.error),
            cls=f"wr-state {'bad' if item.status is ItemStatus.FAILED else 'warn'}",
        )
    else:
        said = span("not read yet" if item.video_id else "", "dim")
    video: object = "–" if item.video_id is None else f"{item.video_id}"
    if item.video_id is not None and not is_production:
        video = link(f"▸ {item.video_id}", "/export", play=item.video_id)
    slug = el("span", item.slug, title=item.name)
    return [
        slug,
        ", ".join(item.words),
        span("Retracted" if item.is_retraction and not colour else word, colour),
        video,
        item.mappings,
        said,
    ]


def _played(batch: ExportBatch) -> None:
    """The clip that was asked for, played from the practice backend itself."""
    asked = st.query_params.get("play", "")
    item = next((item for item in batch.items if str(item.video_id) == asked), None)
    if item is None:
        return
    with st.container(border=True, key="wr-played"):
        page.section(f"Played from the backend: {', '.join(item.words)}", f"/backend/v3/videos/{item.video_id}")
        left, right = st.columns([0.42, 0.58], gap="medium")
        with left:
            show(el("video", src=f"/backend/v3/videos/{item.video_id}", controls="controls", autoplay="autoplay", cls="wr-video"))
        with right:
            read = READ_BACK[item.read_back][1] if item.read_back else "not read yet"
            pairs = {"Name": item.name, "Words": ", ".join(item.words), "Size": size(item.size_bytes), "Outcome": OUTCOMES[item.status][0]}
            show(facts({**pairs, "Read back": read}))
            show(link("Close", "/export"))


def draw_history(app: App) -> None:
    """Every batch to every target, newest first."""
    batches = app.exports.history(None)
    if not batches:
        page.note("Nothing was sent yet.")
        return
    heads = [("Batch", "strong"), ("When", "nowrap"), ("Target", ""), ("By", ""), ("Arrived", "num"), ("Failed", "num"), ("Skipped", "num")]
    rows = [
        [found.number, moment(found.created_at), found.target, found.actor, found.sent, found.failed, found.skipped] for found in batches
    ]
    show(div(table(heads, rows, label="Batches"), style="min-width:560px"))


def draw_retractions(app: App, address: str) -> None:
    """What is live and should not be, with what the operator must run there."""
    pending = app.exports.pending_retractions(address)
    if not pending:
        return
    page.section("Pending retraction", f"{count(len(pending), 'mapping')} still at the backend, which cannot delete")
    rows = [
        [
            item.word,
            el("span", item.name, title=item.name),
            item.video_id or "–",
            state("undo", "sent at relevance 0" if item.is_sent else "the next send sets it to relevance 0", "warn"),
        ]
        for item in pending
    ]
    heads = [("Word", "strong"), ("Clip", "mono cut"), ("Video id", "num"), ("State", "cut")]
    show(table(heads, rows, label="Pending retractions", widths="18% 42% 90px auto"))
    with st.expander("What the operator runs at the backend"):
        st.code("\n".join(item.sql for item in pending), language="sql", wrap_lines=True)
        names = {item.mapping_id: f"{item.word}, {item.slug}" for item in pending}
        done = st.multiselect("Done at the backend", list(names), format_func=names.__getitem__, key="retracted")
        if st.button("Mark as done", disabled=not done, key="mark_retracted"):
            with page.shown_errors():
                for mapping_id in done:
                    app.exports.retract(mapping_id, address, actor())
                page.say_after_rerun(f"{count(len(done), 'mapping')} no longer counted as live.")
                st.rerun()
