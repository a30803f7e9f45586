"""The plan of a new run: the shortest possible time, what it would spend against what is left, what is expected, and Start."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from core.model.runs import Plan
from core.rules.prices import say_tokens
from core.services.plan_groups import stops_at
from core.services.run_now import month_note
from ui.parts import page
from ui.parts.discover_limiter import free_ticks, quota_bar, quota_left, window_name
from ui.parts.discover_spent import money
from ui.parts.figures import count, model_name, roughly, whole_figures
from ui.parts.markup import Markup, div, el, facts, icon, join, show, span

if TYPE_CHECKING:
    from core.model.runs import Expected, RunSettings
    from core.services.plan_groups import PlanGroups
    from core.services.run_now import SourceLimits

EMPTY = Plan(0, 0, 0, 0, 0, 0, 0, 0.0, 0.0)


def draw_plan(plan: Plan, groups: PlanGroups | None, settings: RunSettings, limits: SourceLimits | None) -> None:
    """All above the button. `groups` is None while no words are chosen."""
    show(div(el("strong", "Plan"), span("nothing is spent yet"), cls="wr-boxhead"))
    n_wanted = groups.n_wanted if groups else 0
    if plan.minimum_s > 0:
        show(div(roughly(plan.minimum_s), el("small", "shortest possible time"), cls="wr-big"))
    else:
        show(div(f"{n_wanted:,}", el("small", f"{'clip' if n_wanted == 1 else 'clips'} wanted"), cls="wr-big"))
    show(_costs(plan, settings, has_limits=limits is not None))
    if plan.is_at_least:
        page.note("At least: a price is not known, so its calls are left out. Prices are entered in Settings.", "help", "warn")
    if limits is not None:
        _quotas(plan, limits)
    if plan.expected is not None:
        _expected(plan.expected, len(groups.to_search) if groups else 0, n_wanted)
    if plan.basis:
        lines = [el("li", line) for line in plan.basis]
        show(el("details", el("summary", icon("expand_more"), "What these figures rest on"), el("ul", *lines), cls="wr-basis"))


def without_films(plan: Plan) -> Plan:
    """The plan where there is nothing to look in: its searches alone, which find no line to judge."""
    return replace(EMPTY, searches=plan.searches, judge=plan.judge)


def stops_note(settings: RunSettings) -> str:
    """The sentence under Start."""
    where = stops_at(settings.want, settings.max_downloads, settings.max_cost_usd, settings.source)
    return f"Stops at {where}. Settings are frozen at the start. Its clips reach the desk by the rules in Settings."


def _costs(plan: Plan, settings: RunSettings, *, has_limits: bool) -> Markup:
    """What each line would come to; the small words in the middle say what makes it so."""
    is_remote = has_limits or plan.requests > 0
    split = f"{say_tokens(plan.tokens_in)} in, {say_tokens(plan.tokens_out)} out" if plan.tokens else ""
    of_cost = f"of {money(settings.max_cost_usd)}" if settings.max_cost_usd is not None else ""
    judged = f"{plan.judge_calls_kept:,} kept, free" if plan.judge_calls_kept else model_name(plan.judge) or "the rubric runs here"
    searched = f"{plan.searches_kept:,} kept, free" if plan.searches_kept else "" if is_remote else "in your own films"
    lines = {"Searches": (searched, f"{plan.searches:,}")}
    if is_remote:
        lines["Fresh links"] = ("links live 5 min", f"{plan.fresh_links:,}")
    lines["Downloads"] = ("at most" if is_remote else "films are read in place", f"{plan.downloads:,}")
    lines["Judge calls"] = (judged, f"{plan.judge_calls:,}")
    if plan.tokens:
        lines["Tokens"] = (split, say_tokens(plan.tokens))
    lines["Money"] = (of_cost, money(plan.cost_usd, is_at_least=plan.is_at_least))
    rows = [div(span(name, "name"), span(about, "about", title=about), span(figure, "value")) for name, (about, figure) in lines.items()]
    return div(*rows, cls="wr-bill")


def _quotas(plan: Plan, limits: SourceLimits) -> None:
    minute = {f"This {window_name(limits.rate)}": el("span", free_ticks(limits.rate), cls="wr-minute")}
    parts = [el("h3", "Quotas", cls="wr-sub"), facts(minute, "plain wr-quota")]
    for name, quota, n_planned in (("Requests", limits.requests, plan.requests), ("Downloads", limits.downloads, plan.downloads)):
        parts += [facts({f"{name} this month": quota_left(quota)}, "plain wr-quota"), quota_bar(quota, n_planned) or join([])]
    show(div(*parts, cls="wr-planpart"))
    if note := month_note(limits):
        page.note(note, "event_upcoming", "warn")


def _expected(expected: Expected, n_words: int, n_wanted: int) -> None:
    rows = {
        "Words that gain a clip": join([f"{expected.n_words_gain:,} ", el("small", f"of {n_words:,}")]),
        "Clips approved": join([f"{expected.n_clips_approved:,} ", el("small", f"of {n_wanted:,} wanted")]),
        "First clip to review": f"about {roughly(expected.first_clip_s)}",
    }
    n = f"n = {expected.n:,}." if expected.n else "A prior, no decision yet."
    rests = div(whole_figures(expected.says or n), title=n, cls="wr-note wr-under")
    show(div(el("h3", "Expected", cls="wr-sub"), facts(rows, "plain wr-quota"), rests, cls="wr-planpart"))


def missing_note(n_to_search: int, *, is_ready: bool, has_words: bool) -> str:
    """Why Start cannot be pressed; empty where it can."""
    if not is_ready:
        return "ClipCafe has no key yet. Enter it in Settings."
    if not has_words:
        return "Choose words first."
    return "" if n_to_search else f"Nothing to search: {count(0, 'clip')} wanted."
