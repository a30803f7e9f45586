"""What a run was planned to spend and what it has spent, counted from the ledger. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from sqlalchemy import and_, case, func, select

from core.model.clips import Source
from core.model.runs import Expected, Plan
from core.services.run_progress import RunProgress
from core.store.database import Database
from core.store.runs import RunRow
from core.store.tables import ledger

REQUESTS = ("search", "link", "download")
"""Operations that count against the source's minute and month."""
JUDGING = ("judge", "judge_repair")
COUNTED = ("done", "in_doubt")


class SpentUnit(StrEnum):
    """What a line of spending is counted in."""

    COUNT = "count"
    TOKENS = "tokens"
    USD = "usd"
    SECONDS = "seconds"


@dataclass(frozen=True, slots=True)
class SpentLine:
    """One figure of a run beside what was planned for it."""

    name: str
    unit: SpentUnit
    n_spent: float
    n_planned: float | None
    """None where nothing was planned for it."""
    is_at_least: bool = False
    """Something in it has no known price, or is in doubt."""
    about: str = ""
    """What the planned figure is, where it is none to be reached: `at least`."""

    @property
    def share(self) -> float:
        return self.n_spent / self.n_planned if self.n_planned else float(self.n_spent > 0)


@dataclass(frozen=True, slots=True)
class Spending:
    """What a run's calls came to, over all its resumes."""

    requests: int
    searches: int
    downloads: int
    judge_calls: int
    tokens_in: int
    tokens_out: int
    cost_usd: float
    """Of finished calls, and what those in doubt were likely to cost."""
    is_at_least: bool
    in_doubt: int
    plan: Plan | None
    """As it stood at the launch; None for a run that was launched without one."""
    words_a_download: float | None
    """None before the first download."""


def read_spending(database: Database, progress: RunProgress) -> Spending:
    """Count the ledger of a run in one query."""
    is_done, is_doubt = ledger.c.state == "done", ledger.c.state == "in_doubt"
    likely_usd = func.coalesce(ledger.c.cost_usd, ledger.c.expected_usd)
    paid_usd = case((is_doubt, likely_usd), else_=ledger.c.cost_usd)
    query = select(
        ledger.c.operation,
        func.count().label("n"),
        func.count().filter(is_doubt).label("n_doubt"),
        func.count().filter(and_(is_done, ledger.c.cost_usd.is_(None))).label("n_unpriced"),
        func.coalesce(func.sum(paid_usd), 0.0).label("cost_usd"),
        func.coalesce(func.sum(ledger.c.tokens_in), 0).label("tokens_in"),
        func.coalesce(func.sum(ledger.c.tokens_out), 0).label("tokens_out"),
    ).where(ledger.c.run_id == progress.run.run_id, ledger.c.state.in_(COUNTED))
    with database.read() as connection:
        rows = connection.execute(query.group_by(ledger.c.operation)).all()
    n_of = {row.operation: int(row.n) for row in rows}
    requests = sum(n_of.get(name, 0) for name in REQUESTS)
    downloads, judge_calls = n_of.get("download", 0), sum(n_of.get(name, 0) for name in JUDGING)
    tokens_in, tokens_out = (sum(int(getattr(row, name)) for row in rows) for name in ("tokens_in", "tokens_out"))
    cost_usd = sum(float(row.cost_usd) for row in rows)
    paid = [row for row in rows if row.operation not in REQUESTS]
    is_at_least = any(row.n_doubt or row.n_unpriced for row in paid)
    return Spending(
        requests=requests,
        searches=n_of.get("search", 0),
        downloads=downloads,
        judge_calls=judge_calls,
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        cost_usd=cost_usd,
        is_at_least=is_at_least,
        in_doubt=sum(int(row.n_doubt) for row in rows),
        plan=plan_of(progress.run),
        words_a_download=progress.n_gain_words / downloads if downloads else None,
    )


def plan_of(run: RunRow) -> Plan | None:
    """The plan that was shown at the launch; what a newer or older version called otherwise is left out."""
    if run.plan is None:
        return None
    expected = run.plan.get("expected")
    kept = {**_known(Plan, run.plan), "basis": tuple(run.plan.get("basis", ()))}
    kept["expected"] = Expected(**_known(Expected, expected)) if isinstance(expected, Mapping) else None
    try:
        return Plan(**kept)
    except TypeError:
        return None


def _known(kind: type[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in values.items() if name in names}


def spent_lines(progress: RunProgress, spent: Spending) -> tuple[SpentLine, ...]:
    """The figures that say something about this run: own films need no request and no download."""
    run, plan = progress.run, spent.plan
    time = SpentLine("Time", SpentUnit.SECONDS, run.worked_s, plan.minimum_s if plan and plan.minimum_s else None, about="at least")
    money = SpentLine("Money", SpentUnit.USD, spent.cost_usd, plan.cost_usd if plan else None, spent.is_at_least)
    judged = (
        SpentLine("Judge calls", SpentUnit.COUNT, spent.judge_calls, plan.judge_calls if plan else None),
        SpentLine("Tokens", SpentUnit.TOKENS, spent.tokens_in + spent.tokens_out, plan.tokens if plan else None),
    )
    if run.settings.source is Source.CLIPCAFE:
        return (
            SpentLine("Requests", SpentUnit.COUNT, spent.requests, plan.requests if plan else None),
            SpentLine("Downloads", SpentUnit.COUNT, spent.downloads, plan.downloads if plan else None),
            *judged,
            money,
            time,
        )
    is_paid = spent.judge_calls > 0 or (plan is not None and plan.judge_calls > 0)
    n_words, n_searched = len(progress.words), sum(word.n_hits is not None for word in progress.words)
    ended = SpentLine("Words ended", SpentUnit.COUNT, progress.n_ended, n_words)
    searched = SpentLine("Searches", SpentUnit.COUNT, n_searched, plan.searches if plan else n_words)
    return (ended, searched, *(judged if is_paid else ()), money, time)
