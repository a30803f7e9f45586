"""`doctor` from the page: the same command in a process of its own, so that what it finds is what a terminal would say."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import streamlit as st

from core.config import ROOT_PATH
from ui.parts import page
from ui.parts.markup import Markup, el, icon, show, span, table

TIMEOUT_S = 60.0
STATE_KEY = "wr_doctor"
"""What doctor said, as its JSON, until the box is closed."""


def ask_doctor() -> None:
    """The button."""
    if st.button("Run doctor", icon=":material/stethoscope:", key="doctor"):
        with st.spinner("Looking at versions, models, disk and backups", show_time=True):
            st.session_state[STATE_KEY] = _answer()
        st.rerun()


def _answer() -> str:
    command = [sys.executable, "-m", "ui.cli", "doctor", "--json"]
    try:
        done = subprocess.run(command, cwd=ROOT_PATH, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return json.dumps(
            {"ok": False, "checks": [{"name": "doctor", "ok": False, "detail": f"No answer in {TIMEOUT_S:.0f} s.", "fix": ""}]}
        )
    return done.stdout or done.stderr


def draw_doctor() -> None:
    """What it said last, until it is closed."""
    said = st.session_state.get(STATE_KEY)
    if not said:
        return
    try:
        found = json.loads(said)
    except ValueError:
        found = {"ok": False, "checks": [{"name": "doctor", "ok": False, "detail": said[-500:], "fix": "Run it in a terminal."}]}
    with st.container(border=True, key="wr-doctor"):
        with st.container(horizontal=True, vertical_alignment="center"):
            page.section("Doctor", "everything is in order" if found.get("ok") else "something must be fixed")
            if st.button("Close", key="close_doctor", type="tertiary"):
                del st.session_state[STATE_KEY]
                st.rerun()
        show(_checks(found.get("checks", [])))


def _checks(checks: list[dict[str, Any]]) -> Markup:
    """What was found; what to do has a column where there is anything to do."""
    has_work = any(check.get("fix") for check in checks)
    rows = [
        [
            el("span", _mark(check["ok"]), span(check["name"].replace("_", " "), "ink"), cls="wr-state"),
            el("span", check["detail"], title=check["detail"]),
            *([check.get("fix", "")] if has_work else []),
        ]
        for check in checks
    ]
    heads = [("Check", "nowrap"), ("Found", "cut"), *([("What to do", "")] if has_work else [])]
    return table(heads, rows, label="Checks", widths="190px 50% auto" if has_work else "190px auto")


def _mark(is_ok: bool) -> Markup:
    return icon("check_circle", "ok", "in order") if is_ok else icon("error", "bad", "to be fixed")
