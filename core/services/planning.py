"""Planning: what a run would cost and bring, against what is left, before anything is spent. Reads only.

Own films cost no request, no link and no download; they cost money only where the judge or the recogniser is paid.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from core.model.clips import Source
from core.model.runs import Plan, RunSettings
from core.ports import ExportTarget
from core.rules.prices import ModelPrice, price_table
from core.rules.rates import fastest_s
from core.services.plan_bill import Bill, PaidJudge, add_hearing, add_judging, hold_to, unpriced_models
from core.services.plan_outlook import look_ahead
from core.services.plan_words import PAGE_SIZE, ChosenWords, Look, known_lines, look_at
from core.services.production import Production, ProductionAnswer
from core.store.database import Database
from core.store.rate_slots import MonthQuota, RateSlots


class SourceLimits(Protocol):
    """What a remote source's plan allows."""

    @property
    def slots(self) -> RateSlots: ...

    @property
    def requests(self) -> MonthQuota: ...

    @property
    def downloads(self) -> MonthQuota: ...


def _own_films(source: Source) -> bool:
    return source is Source.LIBRARY


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a plan asks of the outside, each when it is needed. As it stands here: own films, nothing paid, no limit, no backend."""

    is_set_up: Callable[[Source], bool] = _own_films
    limits: Callable[[], SourceLimits | None] = lambda: None
    """Of the remote source."""
    paid_judge: Callable[[RunSettings], PaidJudge | None] = lambda _settings: None
    """Of frozen settings; None for a judge that costs nothing."""
    prices: Callable[[], Mapping[str, ModelPrice]] = price_table
    target: Callable[[], ExportTarget | None] = lambda: None
    search_max_age_days: Callable[[], float] = lambda: 90.0


class Planner:
    """Counts what a run would cost. Writes nothing."""

    def __init__(self, database: Database, surroundings: Surroundings) -> None:
        self._database = database
        self._outside = surroundings
        self._production = Production(surroundings.target)

    def look(self, chosen: ChosenWords, settings: RunSettings, *, own_run: str = "") -> Look:
        """What each word has, who has it already, and what its search costs. `own_run`: the unfinished run of this very request."""
        production = ProductionAnswer()
        if chosen.is_whole_bundle and not chosen.is_demo:
            production = self._production.answer(chosen.bundle, [word.text for word in chosen.words])
        max_age_days = self._outside.search_max_age_days()
        with self._database.read() as connection:
            return look_at(connection, chosen, settings, production, max_age_days, own_run)

    def plan(self, look: Look, settings: RunSettings) -> Plan:
        """The figures, of frozen settings."""
        is_remote = settings.source is not Source.LIBRARY
        limits = self._outside.limits() if is_remote else None
        asked = _requests(look, settings, limits)
        bill = Bill(n_clips=asked.downloads if is_remote else asked.n_wanted)
        judge, prices = self._outside.paid_judge(settings), self._outside.prices()
        with self._database.read() as connection:
            lines = known_lines(connection, look, settings, judge.prompt_version if judge is not None else "")
            if judge is not None:
                add_judging(connection, look, lines, settings, judge, prices, bill)
            add_hearing(connection, settings, prices, bill)
            hold_to(settings.max_cost_usd, bill)
            rate = limits.slots.rate if limits is not None else None
            expected, says = look_ahead(connection, look, lines, settings, bill.n_clips, rate)
        return Plan(
            words=len(look.words),
            already_covered=len(look.words) - len(look.open),
            searches=asked.searches,
            fresh_links=asked.fresh_links,
            downloads=asked.downloads,
            judge_calls=bill.judge_calls,
            tokens=bill.tokens_in + bill.tokens_out,
            cost_usd=round(bill.cost_usd, 6),
            minimum_s=fastest_s(asked.total, rate) if rate is not None else 0.0,
            quota=dict(asked.left),
            requests=asked.total,
            searches_kept=sum(not word.n_searches for _, word in look.open),
            judge_calls_kept=bill.judge_calls_kept,
            production_has=sum(word.is_in_production for word in look.words),
            in_other_runs=sum(word.in_run is not None for word in look.words),
            tokens_in=bill.tokens_in,
            tokens_out=bill.tokens_out,
            is_at_least=bill.is_at_least,
            source=str(settings.source),
            judge=f"{settings.judge} {settings.judge_model}".strip(),
            transcriber=f"{settings.transcriber} {settings.transcriber_model}".strip(),
            expected=expected,
            basis=(*notes_of(look), *(_say_requests(look, settings, asked) if is_remote else ()), *bill.basis, *says),
        )

    def unpriced(self, settings: RunSettings) -> tuple[str, ...]:
        """Paid models of frozen settings whose price is not known."""
        return unpriced_models(settings, self._outside.paid_judge(settings), self._outside.prices())


@dataclass(frozen=True, slots=True)
class Asked:
    """What counts against the minute and the month; for own films only `searches`, which cost nothing, and `n_wanted`."""

    n_wanted: int
    searches: int
    fresh_links: int
    downloads: int
    total: int
    left: Mapping[str, int | None]
    """As `Plan.quota`."""


def _requests(look: Look, settings: RunSettings, limits: SourceLimits | None) -> Asked:
    words = [word for _, word in look.open]
    n_wanted, searches = sum(word.n_wanted for word in words), sum(word.n_searches for word in words)
    left: dict[str, int | None] = {"requests_this_month": None, "downloads_this_month": None}
    if settings.source is Source.LIBRARY:
        return Asked(n_wanted, searches, 0, 0, 0, left)
    if limits is not None:
        left = {"requests_this_month": limits.requests.state().n_left, "downloads_this_month": limits.downloads.state().n_left}
    bounds = [bound for bound in (settings.max_downloads, left["downloads_this_month"]) if bound is not None]
    downloads = min([n_wanted, *bounds])
    links = min(downloads, sum(word.n_wanted for word in words if not word.n_searches))
    return Asked(n_wanted, searches, links, downloads, searches + links + downloads, left)


def notes_of(look: Look) -> tuple[str, ...]:
    """What could not be done for these words, for people."""
    return (look.production.note,) if look.production.note else ()


def _say_requests(look: Look, settings: RunSettings, asked: Asked) -> list[str]:
    says = []
    n_pages = math.ceil(settings.max_videos / PAGE_SIZE)
    if n_pages > 1 and any(word.n_searches and word.searched_at is None for _, word in look.open):
        says.append(f"One request a search; a word with many hits takes up to {n_pages}, {PAGE_SIZE} hits each.")
    if asked.fresh_links:
        says.append("Fresh links are for hits kept from before: a link lives 5 minutes from its search on.")
    if asked.downloads < asked.n_wanted:
        says.append(f"{asked.n_wanted:,} clips are wanted, and {asked.downloads:,} downloads are allowed.")
    if asked.downloads:
        says.append("A clip that cannot be used is followed by the next best one, within the limits.")
    left = asked.left["requests_this_month"]
    if left is not None and asked.total > left:
        says.append(f"This month's requests allow {left:,} of these {asked.total:,}; the rest waits for the next month.")
    return says
