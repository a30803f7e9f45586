"""What a run's paid calls came to, counted from the ledger."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, and_, case, func, select

from core.store.tables import ledger

DOWNLOAD = "download"
"""The operation of which a run may have a limit."""


@dataclass(frozen=True, slots=True)
class LedgerTotals:
    """Of one run, over all its resumes and retries."""

    paid_calls: int
    """Finished calls."""
    in_doubt: int
    repeated_calls: int
    """Calls made again after a doubt."""
    cost_usd: float
    """Of finished calls, and what those in doubt were likely to cost."""
    is_at_least: bool
    """A price is not known, or a call is in doubt."""
    tokens_in: int
    tokens_out: int


def totals(connection: Connection, run_id: str) -> LedgerTotals:
    """What a run's calls came to. An answer that was already there counts for the run that paid it."""
    earlier = ledger.alias("earlier")
    mine = ledger.c.run_id == run_id
    is_done, is_doubt = ledger.c.state == "done", ledger.c.state == "in_doubt"
    cost = case((is_doubt, func.coalesce(ledger.c.cost_usd, ledger.c.expected_usd)), else_=ledger.c.cost_usd)
    n_done, n_doubt, n_unpriced, cost_usd, tokens_in, tokens_out = connection.execute(
        select(
            func.count().filter(is_done),
            func.count().filter(is_doubt),
            func.count().filter(and_(is_done, ledger.c.cost_usd.is_(None))),
            func.coalesce(func.sum(cost), 0.0),
            func.coalesce(func.sum(ledger.c.tokens_in), 0),
            func.coalesce(func.sum(ledger.c.tokens_out), 0),
        ).where(mine)
    ).one()
    follows = and_(earlier.c.call_key == ledger.c.call_key, earlier.c.attempt == ledger.c.attempt - 1, earlier.c.state == "in_doubt")
    repeated = select(func.count()).select_from(ledger.join(earlier, follows)).where(mine, ledger.c.attempt > 1)
    n_repeated = connection.execute(repeated).scalar_one()
    return LedgerTotals(n_done, n_doubt, n_repeated, float(cost_usd), bool(n_unpriced or n_doubt), int(tokens_in), int(tokens_out))


def spent_usd(connection: Connection, run_id: str) -> float:
    """What counts against a run's limit: its calls that are made, in doubt or under way; where the price is not told, the expected one."""
    counts = ledger.c.state.in_(("intended", "done", "in_doubt"))
    paid = func.coalesce(ledger.c.cost_usd, ledger.c.expected_usd)
    return float(connection.execute(select(func.coalesce(func.sum(paid), 0.0)).where(ledger.c.run_id == run_id, counts)).scalar_one())


def n_downloads(connection: Connection, run_id: str) -> int:
    """Downloads that the run has asked for, those in flight and in doubt included; a definite refusal was none."""
    counts = ledger.c.state.in_(("intended", "done", "in_doubt"))
    query = select(func.count()).where(ledger.c.run_id == run_id, ledger.c.operation == DOWNLOAD, counts)
    return int(connection.execute(query).scalar_one())


def is_answered(connection: Connection, call_key: str) -> bool:
    """Whether this call has a kept answer, so that it needs no rate slot."""
    return connection.execute(select(ledger.c.entry_id).where(ledger.c.call_key == call_key, ledger.c.state == "done")).first() is not None
