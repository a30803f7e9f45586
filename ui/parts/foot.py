"""What stands on every page: who and what is at work (sidebar), and what is in use (last line)."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from core.model.runs import RunStatus
from ui.cli.session import actor
from ui.parts.discover_limiter import limits_of
from ui.parts.redrawn import redrawn

if TYPE_CHECKING:
    from core.services.run_now import SourceLimits
    from core.wiring import App

EVERY_S = 2.0
ICONS = {"judge": "psychology", "transcriber": "hearing", "source": "movie", "settings": "error", "target": "cloud_upload"}


def draw_sidebar_foot(app: App) -> None:
    """The running run, workers alive, who you are, how far the demo is; read anew by itself."""
    redrawn(_draw_side, EVERY_S, app)


def _draw_side(app: App) -> None:
    from core.pipeline.janitor import live_workers

    lines = []
    run = next((run for run in app.discovery.runs(limit=20) if run.status is RunStatus.RUNNING), None)
    if run is not None:
        words = app.discovery.words(run.run_id)
        n_ended = len([word for word in words if word.state not in ("queued", "working")])
        share = 100 * n_ended / max(1, len(words))
        lines.append(f'<div class="row"><span>Run {run.number}</span><span>{n_ended} of {len(words)}</span></div>')
        lines.append(f'<div class="track"><i style="width:{share:.1f}%"></i></div>')
    n_workers = len(live_workers(app.database))
    lines.append(_line("memory", f"{n_workers or 'No'} worker{'' if n_workers == 1 else 's'} alive", is_bad=n_workers == 0))
    lines.append(_line("person", f"{actor()}, curator"))
    demo = app.demo.state()
    if demo.state == "making":
        lines.append(_line("progress_activity", demo.detail or "Making demo clips"))
    elif demo.state == "ready":
        lines.append(_line("experiment", f"{demo.n_clips} demo clips"))
    elif demo.state == "failed":
        lines.append(_line("error", f"The demo failed: {demo.detail}", is_bad=True))
    st.html(f'<div class="wordreel-side">{"".join(lines)}</div>')


def _line(icon: str, text: str, *, is_bad: bool = False) -> str:
    kind = "line bad" if is_bad else "line"
    return f'<div class="{kind}"><span class="wordreel-icon" aria-hidden="true">{icon}</span><span>{escape(text)}</span></div>'


def draw_page_foot(app: App) -> None:
    """The last line: judge, recogniser, source with what is left of its month, target; read anew by itself."""
    redrawn(_draw_foot, EVERY_S, app)


def _draw_foot(app: App) -> None:
    limits = limits_of(app)
    uses = {"source": source_line(limits)} if limits is not None else {}
    parts = "".join(
        _line(ICONS.get(provider.name, "info"), uses.get(provider.name, provider.uses), is_bad=not provider.is_ok)
        for provider in app.providers()
    )
    st.html(f'<div class="wordreel-foot">{parts}</div>')


def source_line(limits: SourceLimits) -> str:
    """`ClipCafe, 3,588 requests left this month`; the rate where no month's quota is known."""
    left = limits.requests.n_left
    if left is not None:
        return f"ClipCafe, {left:,} requests left this month"
    return f"ClipCafe, {limits.rate.limit:,} requests in {limits.rate.window_s:g} s, month’s requests not known"
