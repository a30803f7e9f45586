"""Where a new run looks for clips, with the state of the key, and the limits at which it stops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from core.model.clips import Source
from core.model.runs import RunSettings
from core.timing import now
from ui.parts import page
from ui.parts.discover_limiter import limits_of
from ui.parts.figures import ago, count
from ui.parts.markup import div, show, span
from ui.parts.ways import way_button

if TYPE_CHECKING:
    from core.services.run_now import SourceLimits
    from core.wiring import App

NAMES = {Source.CLIPCAFE: "ClipCafe", Source.LIBRARY: "Own films"}
USUAL_HITS = 100


@dataclass(frozen=True, slots=True)
class Given:
    """What the source and limits on the page say."""

    settings: RunSettings
    limits: SourceLimits | None
    """The minute and month of the source, where it has them."""
    is_ready: bool
    """The source can be asked."""


def draw_source_and_limits(app: App) -> Given:
    """The two sections under the words."""
    left, right = st.columns(2, gap="large")
    with left:
        source = _source(app)
    limits = limits_of(app, source)
    with right:
        settings = _limits(app, source, limits)
    return Given(settings, limits, app.is_set_up(source))


def _source(app: App) -> Source:
    page.section("Source")
    about = {Source.CLIPCAFE: _about_clipcafe(app), Source.LIBRARY: _about_films(app)}
    with st.container(key="wr-source"):
        chosen = st.radio(
            "Source", list(NAMES), 0 if app.is_set_up(Source.CLIPCAFE) else 1, format_func=NAMES.__getitem__,
            captions=[about[source] for source in NAMES], key="source", label_visibility="collapsed",
        )  # fmt: skip
    if not app.is_set_up(chosen):
        way_button("Enter the key in Settings", "/settings", icon_name="key")
    return chosen


def _about_clipcafe(app: App) -> str:
    if not app.is_set_up(Source.CLIPCAFE):
        return "Clips of real films. No key yet. Enter it in Settings."
    test = app.keys.row("CLIPCAFE").test
    if test is None:
        return "Clips of real films. The key is set, and not tested yet."
    says = "The key works" if test.is_ok else f"The key’s last test: {test.word}"
    return f"Clips of real films. {says}, tested {ago(now() - test.at)}."


def _about_films(app: App) -> str:
    cards = app.library.films()
    n_own = sum(not card.film.is_demo for card in cards)
    if n_own:
        return f"{count(n_own, 'film')}. Costs no request, no download."
    if cards:
        return f"{count(len(cards), 'demo film')}, for demo bundles only. Add your own on the Library page."
    return "None yet. Add a folder on the Library page."


def _limits(app: App, source: Source, limits: SourceLimits | None) -> RunSettings:
    page.section("Limits")
    with st.container(key="wr-limits", gap="small"):
        with _named("Clips wanted a word", "approved, in review or live"):
            want = st.number_input("Clips wanted a word", 1, 20, int(app.settings.get("want")), key="want", label_visibility="collapsed")
        downloads = None
        if source is Source.CLIPCAFE:
            left = limits.downloads.n_left if limits is not None else None
            about = f"{left:,} left this month" if left is not None else "this month’s quota is not known"
            with _named("Downloads at most", about):
                downloads = st.number_input(
                    "Downloads at most", 0, 1_000_000, None, step=10, key="max_downloads", label_visibility="collapsed", placeholder="none"
                )
        cost = None
        if app.is_paid:
            with _named("Cost at most, $", "stops before the call beyond it"):
                cost = st.number_input(
                    "Cost at most, $", 0.0, 100_000.0, None, step=0.5, format="%.2f", key="max_cost", label_visibility="collapsed",
                    placeholder="none",
                )  # fmt: skip
        with _named("Hits a word at most", "in the source’s order"):
            hits = st.number_input("Hits a word at most", 1, 1000, USUAL_HITS, step=10, key="max_videos", label_visibility="collapsed")
    return RunSettings(
        source=source,
        want=int(want),
        max_videos=int(hits),
        max_downloads=None if downloads is None else int(downloads),
        max_cost_usd=None if cost is None else float(cost),
    )


def _named(name: str, about: str) -> st.delta_generator.DeltaGenerator:
    """A row of the limits: what it is at the left; yields the place of the field."""
    left, right = st.columns([0.62, 0.38], vertical_alignment="center", gap="small")
    with left:
        show(div(span(name, "name"), span(about, "wr-note"), cls="wr-limit"))
    return right
