"""The one style block: what the theme's settings cannot say."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

TOKENS = {
    "light": {
        "accent": "#2F5BEA", "accent-ink": "#2248C8", "accent-tint": "#EAEFFE", "focus": "#2F5BEA", "line": "#E3E6EA", "sunken": "#ECEEF1",
        "panel": "#F6F7F8", "ink": "#1A1D22", "ink-2": "#4F5662", "ink-3": "#626977", "ok": "#0F6B45", "bad": "#B3261E", "warn": "#8A5200",
    },
    "dark": {
        "accent": "#4469F0", "accent-ink": "#A3B6FF", "accent-tint": "#1F2A52", "focus": "#A3B6FF", "line": "#2A2E35", "sunken": "#262A31",
        "panel": "#111317", "ink": "#ECEEF1", "ink-2": "#B4BAC4", "ink-3": "#9097A3", "ok": "#6FD3A0", "bad": "#FF9389", "warn": "#F2B95C",
    },
}  # fmt: skip


def draw_style() -> None:
    """Write the tokens of the theme in use and the style block."""
    kind = "dark" if st.context.theme.type == "dark" else "light"
    tokens = "; ".join(f"--wordreel-{name}: {value}" for name, value in TOKENS[kind].items())
    css = Path(__file__).with_name("style.css").read_text(encoding="utf-8")
    st.html(f"<style>:root {{ {tokens} }}\n{css}</style>")
