"""The source's minute and month in pictures: ticks of the last window, bars of a quota."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from core.model.clips import Source
from core.services.run_now import SourceLimits
from ui.parts.figures import count
from ui.parts.markup import Markup, div, el, icon, join, link, meter, span

if TYPE_CHECKING:
    from core.store.rate_slots import QuotaState, RateState
    from core.wiring import App

MARK_PERCENT = 3.3
"""Of the axis: a mark with the gap beside it."""
MAX_TICKS = 24
"""Above so many a minute single ticks say nothing: a filled bar stands for them."""


def limits_of(app: App, source: Source = Source.CLIPCAFE) -> SourceLimits | None:
    """The minute and the month of a source as they stand; None for one that has no limits or is not set up."""
    if source is not Source.CLIPCAFE or not app.is_set_up(source):
        return None
    limits = app.limits
    return SourceLimits(limits.slots.state(), limits.requests.state(), limits.downloads.state())


def window_name(rate: RateState) -> str:
    """`minute`, else `60 s` as the plan says it."""
    return "minute" if rate.window_s == 60 else f"{rate.window_s:g} s"


def limiter(rate: RateState) -> Markup:
    """The requests of the last window where they lie in it; the one that must end before the next can go out is dashed."""
    at = datetime.now(UTC)
    label = f"{len(rate.ticks)} of {rate.limit} calls in the last {rate.window_s:g} s"
    ends = div(span(f"{rate.window_s:g} s ago"), span("now"), cls="ends")
    if rate.limit > MAX_TICKS:
        share = len(rate.ticks) / rate.limit
        ends = div(span(f"{len(rate.ticks):,} of {rate.limit:,}"), span(f"in {rate.window_s:g} s"), cls="ends")
        return div(meter(share), ends, cls="wr-limiter many", role="img", aria_label=label)
    oldest = rate.ticks[-rate.limit] if len(rate.ticks) >= rate.limit else None
    places = _apart([100 - min(100.0, _age_s(tick, at) / rate.window_s * 100) for tick in rate.ticks])
    marks = [
        el("b", cls="next" if tick == oldest else None, style=f"left:{place:.1f}%") for tick, place in zip(rate.ticks, places, strict=True)
    ]
    return div(div(*marks, cls="axis"), ends, cls="wr-limiter", role="img", aria_label=label)


def free_ticks(rate: RateState) -> Markup:
    """What is free of this window: hollow marks for free ones, filled for used, the figure beside them."""
    n_free = max(0, rate.limit - len(rate.ticks))
    if rate.limit > MAX_TICKS:
        return join([meter(1 - n_free / rate.limit), span(f"{n_free:,} free")])
    marks = [el("b", cls="used" if place < len(rate.ticks) else None) for place in range(rate.limit)]
    return join([el("span", *marks, cls="wr-free", aria_hidden="true"), span(f"{n_free:,} free")])


def quota_left(quota: QuotaState) -> Markup:
    """`618 left of 1,000`; without a limit it is not known, with the way to set it."""
    if quota.limit is None or quota.n_left is None:
        return join([el("span", icon("help"), "not known", cls="wr-unknown"), link("Set it", "/settings")])
    return join([f"{quota.n_left:,} left ", el("small", f"of {quota.limit:,}")])


def quota_bar(quota: QuotaState, n_planned: int) -> Markup | None:
    """Used, this run, left; None where no limit is known."""
    if not quota.limit:
        return None
    n_run = min(n_planned, quota.n_left or 0)
    shares = [el("b", cls=name, style=f"width:{n / quota.limit * 100:.2f}%") for name, n in (("used", quota.n_used), ("run", n_run))]
    key = [
        el("span", el("b", cls="used"), f"used {quota.n_used:,}"),
        el("span", el("b", cls="run"), f"this run {n_planned:,}"),
        el("em", f"then {quota.n_left - n_run:,} left" if quota.n_left is not None else ""),
    ]
    says = f"{count(quota.n_used, 'is', 'are')} used, {n_planned:,} more by this run, of {quota.limit:,}"
    return div(div(*shares, cls="bar", role="img", aria_label=says), div(*key, cls="key"), cls="wr-stack")


def quota_month(quota: QuotaState) -> tuple[Markup | None, Markup]:
    """For the column beside a run: a bar of what is left, and the figures."""
    if quota.limit is None or quota.n_left is None:
        return None, quota_left(quota)
    return meter(quota.n_left / quota.limit if quota.limit else 0), join([f"{quota.n_left:,} ", el("small", f"of {quota.limit:,}")])


def _apart(places: list[float]) -> list[float]:
    """Marks of one moment stand side by side: each at least a mark's width from the next, the newest where they are."""
    found: list[float] = []
    for place in reversed(places):
        found.append(min(place, found[-1] - MARK_PERCENT) if found else place)
    pushed_out = max(0.0, -found[-1]) if found else 0.0
    return [place + pushed_out for place in reversed(found)]


def _age_s(tick: datetime, at: datetime) -> float:
    return max(0.0, (at - tick).total_seconds())
