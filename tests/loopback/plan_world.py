"""A workspace in which plans are made: a remote source and a paid judge that are fakes, with the real store, slots and quotas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from sqlalchemy import insert, update

from core.adapters.clipcafe_calls import Limits
from core.model.calls import Usage
from core.model.clips import Source
from core.model.runs import Plan, RunSettings
from core.ports import ExportTarget
from core.rules.prices import ModelPrice
from core.services.discovery import ChosenWords, Discovery, WordChoice, WordPlan
from core.services.plan_bill import PaidJudge
from core.services.planning import Surroundings
from core.store.rate_slots import MonthQuota, RateSlots
from core.store.tables import ledger, searches
from core.timing import now
from tests.loopback.discovery_world import World

PRICE = ModelPrice("fake-1", in_usd=1.0, out_usd=10.0)
TOKENS_OUT = 30


def usage(chars: int, n_words: int) -> Usage:
    """200 tokens and one a character in; for five words 150 out."""
    return Usage(200 + chars, TOKENS_OUT * n_words)


@dataclass
class PlanWorld(World):
    """`clipcafe` is the fake source. Plans ask what the fields say at that moment."""

    rate: tuple[int, float] = (10, 60.0)
    requests: int | None = None
    downloads: int | None = None
    prices: Mapping[str, ModelPrice] = field(default_factory=lambda: {"fake-1": PRICE})
    is_judge_paid: bool = True
    has_key: bool = True
    target: ExportTarget | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.bench.sources = {Source.LIBRARY: self.source, Source.CLIPCAFE: self.source}
        outside = Surroundings(
            is_set_up=lambda source: source is Source.LIBRARY or self.has_key,
            limits=self.limits,
            paid_judge=lambda settings: PaidJudge("1", usage) if self.is_judge_paid and settings.judge == "fake" else None,
            prices=lambda: self.prices,
            target=lambda: self.target,
            search_max_age_days=lambda: float(self.settings.get("search_max_age_days")),
        )
        self.discovery = Discovery(self.database, self.vocabulary, self.coverage, self.control, self._freeze, outside)

    def limits(self) -> Limits:
        return Limits(
            RateSlots(self.database, "clipcafe", *self.rate),
            MonthQuota(self.database, "clipcafe requests", self.requests),
            MonthQuota(self.database, "clipcafe downloads", self.downloads),
        )

    def chosen(self, *texts: str, bundle: str = "", gaps: str = "") -> ChosenWords:
        """As a plan chooses: nothing is written."""
        choice = WordChoice(words=texts, bundle=bundle, gaps=gaps)
        return self.discovery.choose(choice, is_kept=False)

    def plan(self, *texts: str, bundle: str = "", **settings: object) -> Plan:
        return self.discovery.plan(self.chosen(*texts, bundle=bundle), remote(**settings))

    def words(self, *texts: str, bundle: str = "", **settings: object) -> dict[str, WordPlan]:
        asked = remote(**settings)
        return {word.word: word for word in self.discovery.plan_words(self.chosen(*texts, bundle=bundle), asked.want, asked)}

    def run(self, *texts: str, bundle: str = "", **settings: object) -> str:
        """Launched and driven to its end."""
        run_id = self.launch(*texts, bundle=bundle, **({"source": Source.CLIPCAFE} | settings))
        self.drive(run_id)
        return run_id

    def age_searches(self, days: float) -> None:
        with self.database.write() as connection:
            connection.execute(update(searches).values(created_at=now() - timedelta(days=days)))

    def add_calls(self, n: int, *, tokens_in: int = 400, tokens_out: int = 50, model: str = "fake-1", prompt_version: str = "1") -> None:
        """Finished calls of a judge, as earlier runs left them."""
        row = {"provider": "host", "operation": "judge", "model": model, "prompt_version": prompt_version, "state": "done", "run_id": "old"}
        usage = {"tokens_in": tokens_in, "tokens_out": tokens_out, "worker_id": "w", "intended_at": now(), "attempt": 1}
        rows = [{**row, **usage, "call_key": f"{model} {prompt_version} {tokens_in} {place}"} for place in range(n)]
        with self.database.write() as connection:
            connection.execute(insert(ledger), rows)


def remote(**settings: object) -> RunSettings:
    return RunSettings(**({"source": Source.CLIPCAFE} | settings))  # type: ignore[arg-type]


def open_world(tmp_path: Path) -> PlanWorld:
    return PlanWorld(tmp_path / "home")
