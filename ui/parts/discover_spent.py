"""Beside a run: what was planned and spent, what is left of the month, and the words that gained a clip."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from core.rules.prices import dollars, say_tokens
from core.services.run_spending import SpentLine, SpentUnit, read_spending, spent_lines
from ui.parts import page
from ui.parts.discover_limiter import quota_month
from ui.parts.figures import count, duration, model_name, roughly
from ui.parts.markup import Markup, div, el, join, meter, show, span

if TYPE_CHECKING:
    from core.services.run_now import SourceLimits
    from core.services.run_progress import RunProgress
    from core.services.run_spending import Spending
    from core.wiring import App


def draw_spent(app: App, progress: RunProgress, limits: SourceLimits | None) -> None:
    """The right column of a run."""
    spent = read_spending(app.database, progress)
    page.section("Plan and spent")
    show(_rows([_line(line) for line in spent_lines(progress, spent)]))
    if spent.in_doubt:
        page.note(
            f"{count(spent.in_doubt, 'call')} in doubt: the answer was not kept. What it is likely to cost is counted.", "help", "warn"
        )
    if limits is not None:
        page.section("Left this month")
        show(_rows([("Requests", *quota_month(limits.requests)), ("Downloads", *quota_month(limits.downloads))]))
    _gained(progress, spent)
    _frozen(progress)


def money(usd: float, *, is_at_least: bool = False) -> str:
    """`$0.28`, `at least $0.28`."""
    text = dollars(usd)
    return f"at least {text}" if is_at_least else text


FIGURES: dict[SpentUnit, Callable[[float], str]] = {
    SpentUnit.COUNT: "{:,.0f}".format,
    SpentUnit.TOKENS: say_tokens,
    SpentUnit.USD: money,
    SpentUnit.SECONDS: duration,
}


def _line(line: SpentLine) -> tuple[str, Markup | None, Markup]:
    """(name, bar, figures) of one row."""
    figure = FIGURES[line.unit]
    spent = join([el("small", "at least ") if line.is_at_least else None, figure(line.n_spent)])
    if line.n_planned is None:
        return line.name, None, spent
    aim = roughly(line.n_planned) if line.unit is SpentUnit.SECONDS else figure(line.n_planned)
    planned = el("small", f" of {aim}", title=f"{line.about} {aim}".strip())
    return line.name, meter(line.share), join([spent, planned])


def _rows(rows: Sequence[tuple[str, Markup | None, Markup]]) -> Markup:
    """Names, bars under one another, figures at the right."""
    return div(*[div(span(name, "name"), bar or span(""), span(figures, "value")) for name, bar, figures in rows], cls="wr-spent")


def _gained(progress: RunProgress, spent: Spending) -> None:
    """Words that have a clip of this run in review or approved, beside what the plan expected."""
    expected = spent.plan.expected if spent.plan else None
    n_aim = expected.n_words_gain if expected else len(progress.words)
    clips, words = progress.n_gain_clips, progress.n_gain_words
    serves = f"{count(clips, 'clip')} {'serves' if clips == 1 else 'serve'} {count(words, 'word')}"
    rate = f", {spent.words_a_download:.1f} words a download" if spent.words_a_download else ""
    waits = f"Waiting for a person: {count(progress.n_review_clips, 'clip')} for {count(progress.n_review_words, 'word')}."
    says = f"{f'{n_aim:,} expected. ' if expected else ''}{serves}{rate}. {waits}"
    show(
        div(
            div(span("Words that gain a clip"), span(f"{words:,}"), cls="row"),
            meter(words / n_aim if n_aim else 0.0),
            div(says, cls="wr-note wr-under"),
            cls="wr-box",
        )
    )


def _frozen(progress: RunProgress) -> None:
    run, settings = progress.run, progress.run.settings
    parts = [
        f"score ≥ {settings.min_score:.2f}" if settings.min_score is not None else "",
        f"{count(settings.want, 'clip')} a word",
        f"at most {settings.max_videos} hits",
        f"{settings.max_downloads:,} downloads" if settings.max_downloads is not None else "",
        money(settings.max_cost_usd) if settings.max_cost_usd is not None else "",
        "1–\u206015\u00a0s",
        f"judge {model_name(f'{settings.judge} {settings.judge_model}'.strip())}" if settings.judge else "",
        f"words by {model_name(f'{settings.transcriber} {settings.transcriber_model}'.strip())}" if settings.transcriber else "",
    ]
    page.note(f"Settings are frozen for this run: {', '.join(filter(None, parts))}. Started by {run.created_by}.", "lock")
