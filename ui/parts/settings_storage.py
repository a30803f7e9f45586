"""What is stored where, how much room it takes and how to free some; backups; the demo."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import streamlit as st

from core.errors import WordreelError
from ui.cli.session import actor
from ui.parts import page
from ui.parts.figures import count, moment, size
from ui.parts.markup import div, el, icon, join, show, span, state, table

if TYPE_CHECKING:
    from core.services.backups import BackupReport
    from core.services.storage import StorageUse
    from core.wiring import App

COLOURS = ("c1", "c2", "c3", "c4", "c5", "c6", "none-edge", "proposed")
N_SHOWN = 8
"""Backups that the table lists; one that is damaged is always listed too."""


def draw_disk(app: App) -> None:
    """One bar of what the workspace holds, and a button that frees what can be made or fetched again."""
    uses = [use for use in app.storage.uses() if use.size_bytes]
    total = sum(use.size_bytes for use in uses)
    free = shutil.disk_usage(app.config.home_path).free
    freeable = [use for use in uses if use.can_free]
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        page.section("Disk", f"{size(total)} used by Wordreel, {size(free)} free")
        n_bytes = sum(use.size_bytes for use in freeable)
        if st.button(f"Free {size(n_bytes)}", icon=":material/delete_sweep:", disabled=not n_bytes, key="free"):
            _free(app, freeable)
    parts = [
        el("b", style=f"width:{100 * use.size_bytes / total:.2f}%;background:var(--wordreel-{COLOURS[place % 8]})", title=use.label)
        for place, use in enumerate(uses)
    ]
    show(div(*parts, cls="wr-disk", role="img", aria_label=f"{size(total)} used"))
    rows = [
        [
            el("span", el("b", style=f"background:var(--wordreel-{COLOURS[place % 8]})"), use.label, cls="wr-key"),
            size(use.size_bytes),
            f"{use.n_files:,}",
            el("span", use.where, title=use.where),
        ]
        for place, use in enumerate(uses)
    ]
    heads = [("What", "ink nowrap"), ("Size", "num"), ("Files", "num"), ("Where", "mono cut")]
    show(table(heads, rows, label="What is stored where", widths="36% 76px 56px auto"))
    page.note("Frees rejected clips and temporary files. A rejected clip is cut again if it is wanted. Your own films are never touched.")


def _free(app: App, uses: list[StorageUse]) -> None:
    try:
        reports = [app.storage.free(use.kind) for use in uses]
    except WordreelError as error:
        page.error_box(error)
        return
    n_files, n_bytes = sum(report.n_files for report in reports), sum(report.size_bytes for report in reports)
    page.say_after_rerun(f"Freed {size(n_bytes)} in {count(n_files, 'file')}.")
    st.rerun()


def draw_backups(app: App) -> None:
    """The backups in the workspace, and one more."""
    found = app.backups.list()
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        page.section("Backup", "daily while it runs, seven kept; databases alone, clips with the button")
        if st.button("Back up now", key="backup"):
            try:
                report = app.backups.backup()
            except WordreelError as error:
                page.error_box(error)
            else:
                page.say_after_rerun(f"Backed up to {report.path}: {size(report.size_bytes)}, read back.")
                st.rerun()
    if not found:
        page.note("No backup yet.")
        return
    sound = [report for report in found if not report.fault]
    shown = [report for report in found if report.fault or report in sound[:N_SHOWN]]
    heads = [("When", "ink nowrap"), ("Size", "num"), ("State", "cut"), ("Holds", "nowrap"), ("Folder", "mono nowrap")]
    show(table(heads, [_backup_cells(report) for report in shown], label="Backups", widths="110px 76px auto 90px 150px"))
    for report in found:
        if report.fault:
            page.note(f"{report.fault} It is not restored and never deleted by itself.", "error", "bad")
    if len(sound) > N_SHOWN:
        page.note(f"{count(len(sound) - N_SHOWN, 'older backup')} in {sound[0].path.parent}.")
    if sound:
        restore = el("code", f"python run.py restore {sound[0].path} --overwrite")
        page.note(join(["To bring one back: stop Wordreel, then ", restore, ". What is there now is kept aside."]))


def _backup_cells(report: BackupReport) -> list[object]:
    if report.fault:
        return [moment(report.made_at), "", state("error", "Damaged", "bad"), "", report.path.name]
    decisions = count(report.counts.get("decisions", 0), "decision")
    said = state("check_circle", f"Read back, {decisions}", "ok") if report.is_verified else state("help", "Not verified", "warn")
    return [moment(report.made_at), size(report.size_bytes), said, "with clips" if report.has_media else "databases", report.path.name]


def draw_demo(app: App) -> None:
    """How far the demo is, and one click that removes it."""
    demo = app.demo.state()
    if demo.state == "removed":
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        page.section(
            "Demo", {"none": "not made", "making": demo.detail, "ready": count(demo.n_clips, "clip"), "failed": demo.detail}[demo.state]
        )
        if demo.state in ("ready", "failed") and st.button("Remove the demo", icon=":material/science:", key="remove_demo"):
            try:
                app.demo.remove(actor=actor())
            except WordreelError as error:
                page.error_box(error)
            else:
                page.say_after_rerun("The demo is gone. Nothing of your own was touched.")
                st.rerun()
    show(div(icon("science"), span("Demo clips are marked as demo everywhere and are never exported to production."), cls="wr-demo"))
