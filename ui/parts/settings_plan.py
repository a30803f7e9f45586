"""ClipCafe's plan: how many requests in how many seconds and a month, how many downloads, and what is left of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from ui.parts import page
from ui.parts.markup import Markup, div, el, icon, show, span
from ui.parts.settings_fields import origin_of

if TYPE_CHECKING:
    from core.store.rate_slots import QuotaState
    from core.wiring import App

ROWS = (
    ("Requests a month", "clipcafe_requests_per_month", "CLIPCAFE_REQUESTS_PER_MONTH"),
    ("Downloads a month", "clipcafe_downloads_per_month", "CLIPCAFE_DOWNLOADS_PER_MONTH"),
)


def draw_plan(app: App) -> None:
    """A row for each limit."""
    page.section("ClipCafe plan", "as its account page says")
    states = (app.limits.requests.state(), app.limits.downloads.state())
    with st.container(key="wr-plan", gap=None):
        _draw_rate(app)
        for (label, name, variable), quota in zip(ROWS, states, strict=True):
            with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"wr-plan-{name}"):
                is_locked = bool(origin_of(app, variable))
                show(div(label, el("small", _used(quota)), _from(variable) if is_locked else None, cls="wr-planname"))
                if is_locked:
                    show(_locked(_figure(getattr(app.config, name))), width=112)
                else:
                    st.number_input(
                        label,
                        0,
                        value=None,
                        step=1,
                        key=f"rule_{name}",
                        placeholder="not known",
                        label_visibility="collapsed",
                        width=112,
                    )
    if all(quota.limit is None for quota in states):
        page.note("What is not known holds nothing back; it is counted all the same.")


def _draw_rate(app: App) -> None:
    limit, window_s = app.config.clipcafe_rate
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="wr-plan-rate"):
        if origin_of(app, "CLIPCAFE_RATE"):
            name = f"Requests in any {window_s:g} s"
            show(div(name, el("small", "shared by all workers"), _from("CLIPCAFE_RATE"), cls="wr-planname"))
            show(_locked(_figure(limit)), width=112)
            return
        show(div("Requests in any", el("small", "shared by all workers"), cls="wr-planname"))
        st.number_input("Seconds", 1, 86_400, key="rule_rate_window_s", label_visibility="collapsed", width=64, step=1)
        show(span("s", "dim"), width="content")
        st.number_input("Requests", 1, 100_000, key="rule_rate_limit", label_visibility="collapsed", width=112, step=1)


def _used(quota: QuotaState) -> str:
    until = f"{quota.resets_at:%-d %B}"
    if quota.n_left is None:
        return f"{quota.n_used:,} used, counted until {until}"
    return f"{quota.n_used:,} used, {quota.n_left:,} left until {until}"


def _figure(value: int | None) -> str:
    return "not known" if value is None else f"{value:,}"


def _from(variable: str) -> Markup:
    return div(f"from {variable}", cls="wr-planfrom")


def _locked(value: str) -> Markup:
    return el("code", icon("lock", "", "locked here"), span(value), cls="wr-keybox figure")
