"""A plan and what a run spent, as lines for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from core.rules.prices import dollars, say_tokens
from ui.parts.figures import count, duration, model_name

if TYPE_CHECKING:
    from core.model.runs import Plan, RunSettings
    from core.services.run_spending import SpentLine


def full_lines(plan: Plan, name: str, settings: RunSettings) -> list[str]:
    """Every figure with what explains it, and what the figures rest on."""
    rows = [*_figures(plan, settings), *_expected(plan)]
    return [
        _words(plan, name),
        *_aligned([row for row in rows if row[1]]),
        *([f"Expected: {plan.expected.says}"] if plan.expected is not None else []),
        *(["These figures rest on:", *(f"  {sentence}" for sentence in plan.basis)] if plan.basis else []),
        "Nothing was spent.",
    ]


def short_line(plan: Plan, settings: RunSettings) -> str:
    """`Plan: 97 searches, 88 fresh links, 150 downloads, 1,310 judge calls, $0.28 of $1.00; 33 min at the least.`"""
    parts = [count(plan.searches, "search").replace("searchs", "searches")]
    if plan.requests:
        parts += [count(plan.fresh_links, "fresh link"), f"at most {count(plan.downloads, 'download')}"]
    parts += [count(plan.judge_calls, "judge call"), f"{_money(plan)}{_of_limit(settings)}"]
    return f"Plan: {', '.join(parts)}" + (f"; {duration(plan.minimum_s)} at the least." if plan.minimum_s else ".")


def spent_line(line: SpentLine) -> str:
    """`Downloads: 12 of 150`."""
    from core.services.run_spending import SpentUnit

    figures = {SpentUnit.USD: dollars, SpentUnit.SECONDS: duration, SpentUnit.TOKENS: say_tokens, SpentUnit.COUNT: "{:,.0f}".format}
    figure = figures[line.unit]
    spent = f"at least {figure(line.n_spent)}" if line.is_at_least else figure(line.n_spent)
    planned = "" if line.n_planned is None else f" of {f'{line.about} ' if line.about else ''}{figure(line.n_planned)} planned"
    return f"{line.name}: {spent}{planned}"


def _words(plan: Plan, name: str) -> str:
    n_open = plan.words - plan.already_covered
    n_enough = plan.already_covered - plan.in_other_runs - plan.production_has
    parts = [f"{n_enough:,} with what they want"]
    if plan.production_has:
        parts.append(f"{plan.production_has:,} that production has")
    if plan.in_other_runs:
        parts.append(f"{plan.in_other_runs:,} in a run that has not ended")
    source = {"clipcafe": "at ClipCafe", "library": "in your own films"}.get(plan.source, plan.source)
    return f"{count(plan.words, 'word')} of {name}: {', '.join(parts)}, {n_open:,} to search {source}."


def _figures(plan: Plan, settings: RunSettings) -> list[tuple[str, str, str]]:
    """(name, figure, explanation) of what it costs; an empty figure is left out."""
    kept = f"{plan.searches_kept:,} kept, free" if plan.searches_kept else ""
    is_remote = plan.source != "library"
    judged = [f"{plan.judge_calls_kept:,} kept, free"] if plan.judge_calls_kept else []
    return [
        ("Searches", f"{plan.searches:,}", kept),
        ("Fresh links", f"{plan.fresh_links:,}" if is_remote else "", "links live 5 min"),
        (
            "Downloads",
            f"{plan.downloads:,}",
            _left(plan, "downloads_this_month", plan.downloads) if is_remote else "films are read in place",
        ),
        ("Requests", f"{plan.requests:,}" if is_remote else "", _left(plan, "requests_this_month", plan.requests)),
        ("Judge calls", f"{plan.judge_calls:,}", ", ".join([*judged, model_name(plan.judge)])),
        ("Tokens", say_tokens(plan.tokens) if plan.tokens else "", f"{say_tokens(plan.tokens_in)} in, {say_tokens(plan.tokens_out)} out"),
        ("Money", _money(plan), _of_limit(settings).strip()),
        ("Shortest time", duration(plan.minimum_s) if is_remote else "", "under the rate limit"),
    ]


def _expected(plan: Plan) -> list[tuple[str, str, str]]:
    found = plan.expected
    if found is None:
        return []
    return [
        ("Words that gain a clip", f"{found.n_words_gain:,}", f"of {plan.words - plan.already_covered:,}"),
        ("Clips approved", f"{found.n_clips_approved:,}", ""),
        ("First clip to review", f"about {duration(found.first_clip_s)}", ""),
    ]


def _left(plan: Plan, name: str, n: int) -> str:
    """`at most; 618 left this month, then 468`."""
    left = plan.quota.get(name)
    most = "at most" if name.startswith("downloads") else ""
    month = "this month’s quota is not known" if left is None else f"{left:,} left this month, then {max(0, left - n):,}"
    return "; ".join(part for part in (most, month) if part)


def _money(plan: Plan) -> str:
    return f"at least {dollars(plan.cost_usd)}" if plan.is_at_least else dollars(plan.cost_usd)


def _of_limit(settings: RunSettings) -> str:
    return "" if settings.max_cost_usd is None else f" of {dollars(settings.max_cost_usd)}"


def _aligned(rows: Sequence[tuple[str, str, str]]) -> list[str]:
    names, figures = max(len(row[0]) for row in rows), max(len(row[1]) for row in rows)
    return [f"{name.ljust(names)}  {figure.rjust(figures)}  {about}".rstrip() for name, figure, about in rows]
