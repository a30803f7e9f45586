"""Rate slots and quotas of a month, shared by all workers: reserved in the database before a request goes out.

A slot that was reserved stays used, whatever becomes of the worker. Source: docs/architecture.md; the arithmetic is in
`core.rules.rates`.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from core.errors import QuotaReached
from core.rules.answers import MAX_WAIT_S
from core.rules.rates import ClockReading, RateLimit, Settled, month_of, next_month, next_slot_s, settle
from core.store.database import Database
from core.store.dialects import insert_new, server_now
from core.store.rate_tables import month_quotas, rate_limits, rate_slots

POLL_S = 1.0
"""A waiter looks again at least so often: a block may have come, and who waits may have been told to stop."""

Counter = Callable[[], float]
DatabaseClock = Callable[[Connection], datetime]


def machine_counter_s() -> float:
    """Seconds that never jump, the same for all processes of a machine, sleep counted where the system can."""
    boot = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))
    return time.monotonic() if boot is None else time.clock_gettime(boot)


def machine_name() -> str:
    """This start of this machine where the system tells them apart, else the machine."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return platform.node() or "machine"


@dataclass(frozen=True, slots=True)
class Slot:
    """The right to send one request."""

    slot_id: int
    at_s: float
    """By when it is counted at the latest, on the database's clock; with `slot_id` it names the row."""
    due_s: float
    """On the machine's counter: send then, not before. At most a second ahead, in which one can connect."""
    expires_s: float
    """A request that has not gone out by then needs another slot."""


@dataclass(frozen=True, slots=True)
class Wait:
    """No slot now."""

    wait_s: float
    """Ask again then; a window at the most, or until the provider's block ends."""


@dataclass(frozen=True, slots=True)
class RateState:
    """What the screen shows. Moments are on the database's clock."""

    name: str
    limit: int
    window_s: float
    ticks: tuple[datetime, ...]
    """Requests of the last window, in order."""
    next_at: datetime
    """When the next request may go out; now or earlier where one may."""
    blocked_until: datetime | None
    """The provider asked everyone to wait until then."""
    blocked_why: str


class RateSlots:
    """The requests to one host under one limit, of all workers and all kinds. Safe to share between threads and processes.

    Args:
        name: the host. limit, window_s: at most so many requests in any so many seconds, counted at the provider.
        clock, counter, machine: for tests; a clock and a counter that run apart.
    """

    def __init__(
        self,
        database: Database,
        name: str,
        limit: int,
        window_s: float,
        *,
        clock: DatabaseClock = server_now,
        counter: Counter = machine_counter_s,
        machine: str = "",
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name = name[:200]
        self.rate = RateLimit(limit, window_s)
        self._database = database
        self._clock = clock
        self._counter = counter
        self._machine = machine or machine_name()
        self._sleep = sleep

    def take(self, on_wait: Callable[[float], None] | None = None) -> Slot:
        """Wait for a slot, and for its moment; then send at once."""
        slot = self.grant(on_wait)
        while not self.hold(slot):
            found = self.reserve(instead_of=slot)
            slot = found if isinstance(found, Slot) else self.grant(on_wait)
        return slot

    def grant(self, on_wait: Callable[[float], None] | None = None) -> Slot:
        """Wait until there is a slot, but not for its moment: connect, then `hold`.

        `on_wait` is told every second or so for how long it will still be, and may raise to give up.
        """
        while isinstance(found := self.reserve(), Wait):
            if on_wait is not None:
                on_wait(found.wait_s)
            self._sleep(min(found.wait_s, POLL_S))
        return found

    def hold(self, slot: Slot) -> bool:
        """Sleep until the slot's moment; whether to send. False where it is too late, or the provider asked to wait meanwhile."""
        wait_s = slot.due_s - self._counter()
        if wait_s > 0:
            self._sleep(wait_s)
            if self._is_blocked():
                return False
        return self._counter() <= slot.expires_s

    def reserve(self, instead_of: Slot | None = None) -> Slot | Wait:
        """One look: a slot that is ours now, or how long until there is one. Nothing is reserved by a `Wait`.

        `instead_of` is given back in the same moment: a slot of our own whose request certainly never went out.
        """
        with self._database.write() as connection:
            row = self._locked(connection)
            if instead_of is not None:
                self._remove(connection, instead_of)
            reading, settled = self._settled(connection, row)
            at_s = next_slot_s(settled.slots, self.rate, reading.now_s, settled.blocked_until_s)
            wait_s = at_s - reading.now_s
            if wait_s > self.rate.horizon_s:
                return Wait(wait_s - self.rate.horizon_s)
            counted_s = at_s + self.rate.late_s
            inserted = connection.execute(insert(rate_slots).values(name=self.name, at_s=counted_s)).inserted_primary_key
            assert inserted is not None
            self._forget(connection, reading.now_s)
        return Slot(int(inserted[0]), counted_s, reading.counter_s + wait_s, reading.asked_s + wait_s + self.rate.grace_s)

    def answered(self, slot: Slot) -> None:
        """Its answer begins to come: it was counted by now, and the next one may go out that much sooner."""
        counted_s = slot.at_s - self.rate.late_s + max(0.0, self._counter() - slot.due_s)
        if counted_s < slot.at_s:
            mine = (rate_slots.c.slot_id == slot.slot_id, rate_slots.c.at_s == slot.at_s)
            with self._database.write() as connection:
                self._locked(connection)
                connection.execute(update(rate_slots).where(*mine).values(at_s=counted_s))

    def give_back(self, slot: Slot) -> None:
        """Somebody else may have it: its request certainly never went out."""
        with self._database.write() as connection:
            self._locked(connection)
            self._remove(connection, slot)

    def block(self, wait_s: float, why: str = "") -> None:
        """The provider asked to wait: nobody sends before `wait_s` (at most 300 s) have passed. A longer block stays."""
        with self._database.write() as connection:
            row = self._locked(connection)
            reading, settled = self._settled(connection, row)
            until_s = reading.now_s + max(0.0, min(wait_s, MAX_WAIT_S))
            if until_s > settled.blocked_until_s:
                mine = rate_limits.c.name == self.name
                connection.execute(update(rate_limits).where(mine).values(blocked_until_s=until_s, blocked_why=why[:300]))

    def blocked_s(self) -> float:
        """For how long the provider still wants everybody to wait; 0 for not. Needs no slots.

        Writes only where the clock was set back since the block was made: else it would be at its longest until the clock is there again.
        """
        with self._database.read() as connection:
            row = connection.execute(select(rate_limits).where(rate_limits.c.name == self.name)).one_or_none()
            if row is None or not row.blocked_until_s:
                return 0.0
            reading = self._read_clock(connection)
        settled = settle((), row.blocked_until_s, self.rate, reading, row.clocks.get(self._machine), MAX_WAIT_S)
        if settled.blocked_until_s < row.blocked_until_s:
            with self._database.write() as connection:
                reading, settled = self._settled(connection, self._locked(connection))
        return max(0.0, settled.blocked_until_s - reading.now_s)

    def state(self) -> RateState:
        """What went out in the last window and when the next may; changes nothing."""
        with self._database.read() as connection:
            row = connection.execute(select(rate_limits).where(rate_limits.c.name == self.name)).one_or_none()
            slots = self._slots(connection)
            reading = self._read_clock(connection)
        reference_s = None if row is None else row.clocks.get(self._machine)
        blocked_s = 0.0 if row is None else row.blocked_until_s
        settled = settle(slots, blocked_s, self.rate, reading, reference_s, MAX_WAIT_S)
        is_blocked = settled.blocked_until_s > reading.now_s
        return RateState(
            self.name,
            self.rate.limit,
            self.rate.window_s,
            tuple(_moment(min(at_s, reading.now_s)) for at_s in settled.slots if at_s > reading.now_s - self.rate.window_s),
            _moment(next_slot_s(settled.slots, self.rate, reading.now_s, settled.blocked_until_s)),
            _moment(settled.blocked_until_s) if is_blocked else None,
            row.blocked_why if row is not None and is_blocked else "",
        )

    def _locked(self, connection: Connection) -> Any:
        """The host's row, held until the unit of work ends. SQLite's writers hold the whole database."""
        query = select(rate_limits).where(rate_limits.c.name == self.name).with_for_update()
        row = connection.execute(query).one_or_none()
        if row is None:
            new = {"name": self.name, "blocked_until_s": 0.0, "blocked_why": "", "clocks": {}}
            insert_new(connection, rate_limits, [new], on=("name",))
            row = connection.execute(query).one()
        return row

    def _remove(self, connection: Connection, slot: Slot) -> None:
        """The moment is compared too: SQLite hands out a number again. After a jump of the clock none matches, and it stays used."""
        connection.execute(delete(rate_slots).where(rate_slots.c.slot_id == slot.slot_id, rate_slots.c.at_s == slot.at_s))

    def _settled(self, connection: Connection, row: Any) -> tuple[ClockReading, Settled]:
        """Read the clock and put right what a jump of it would spoil."""
        slots = self._slots(connection)
        reading = self._read_clock(connection)
        settled = settle(slots, row.blocked_until_s, self.rate, reading, row.clocks.get(self._machine), MAX_WAIT_S)
        if settled.is_changed:
            others = {machine: reference_s - settled.behind_s for machine, reference_s in row.clocks.items()}
            clocks = {**others, self._machine: settled.reference_s}
            mine = rate_limits.c.name == self.name
            connection.execute(update(rate_limits).where(mine).values(blocked_until_s=settled.blocked_until_s, clocks=clocks))
            if settled.slots != tuple(slots):
                connection.execute(delete(rate_slots).where(rate_slots.c.name == self.name))
                connection.execute(insert(rate_slots), [{"name": self.name, "at_s": at_s} for at_s in settled.slots])
        return reading, settled

    def _read_clock(self, connection: Connection) -> ClockReading:
        """The counter is read last: a slow answer makes the clock look late, which is taken as no jump."""
        asked_s = self._counter()
        now_s = self._clock(connection).timestamp()
        counter_s = self._counter()
        return ClockReading(now_s, counter_s, asked_s, self._machine, now_s - counter_s if self._database.is_embedded else None)

    def _slots(self, connection: Connection) -> Sequence[float]:
        query = select(rate_slots.c.at_s).where(rate_slots.c.name == self.name).order_by(rate_slots.c.at_s)
        return connection.execute(query).scalars().all()

    def _forget(self, connection: Connection, now_s: float) -> None:
        """Slots that no window can hold any more, whatever the clock did: all but the newest `limit`, and those long past."""
        keep = select(rate_slots.c.slot_id).where(rate_slots.c.name == self.name).order_by(rate_slots.c.at_s.desc()).limit(self.rate.limit)
        old = rate_slots.c.at_s < now_s - 2 * self.rate.window_s
        connection.execute(delete(rate_slots).where(rate_slots.c.name == self.name, old, rate_slots.c.slot_id.not_in(keep)))

    def _is_blocked(self) -> bool:
        with self._database.read() as connection:
            query = select(rate_limits.c.blocked_until_s).where(rate_limits.c.name == self.name)
            until_s = connection.execute(query).scalar_one_or_none() or 0.0
            return bool(until_s > self._clock(connection).timestamp())


@dataclass(frozen=True, slots=True)
class QuotaState:
    """What is left of a plan this month."""

    name: str
    limit: int | None
    """None: the operator named none; shown as unknown, and nothing is held back."""
    n_used: int
    resets_at: datetime

    @property
    def n_left(self) -> int | None:
        return None if self.limit is None else max(0, self.limit - self.n_used)


class MonthQuota:
    """What a plan allows in a month, counted here by all workers; begins anew on the first, 00:00 UTC.

    Args:
        name: `api.clip.cafe requests`. limit: None for unlimited; it is counted all the same.
    """

    def __init__(self, database: Database, name: str, limit: int | None, *, clock: DatabaseClock = server_now) -> None:
        self.name = name[:200]
        self.limit = limit
        self._database = database
        self._clock = clock

    def state(self) -> QuotaState:
        """What was used, and when it begins anew."""
        with self._database.read() as connection:
            now = self._clock(connection)
            return QuotaState(self.name, self.limit, self._n_used(connection, month_of(now)), next_month(now))

    def check(self) -> None:
        """Raises: QuotaReached when nothing is left."""
        state = self.state()
        if state.n_left == 0:
            raise self._reached(state.resets_at)

    def take(self) -> str:
        """Count one, before the request goes out; the month that it was counted in. Raises: QuotaReached, and counts nothing."""
        with self._database.write() as connection:
            now = self._clock(connection)
            month = month_of(now)
            insert_new(connection, month_quotas, [{"name": self.name, "month": month, "n_used": 0}], on=("name", "month"))
            mine = [month_quotas.c.name == self.name, month_quotas.c.month == month]
            if self.limit is not None:
                mine.append(month_quotas.c.n_used < self.limit)
            if connection.execute(update(month_quotas).where(*mine).values(n_used=month_quotas.c.n_used + 1)).rowcount == 0:
                raise self._reached(next_month(now))
        return month

    def give_back(self, month: str) -> None:
        """Uncount one whose request certainly never went out."""
        mine = (month_quotas.c.name == self.name, month_quotas.c.month == month, month_quotas.c.n_used > 0)
        with self._database.write() as connection:
            connection.execute(update(month_quotas).where(*mine).values(n_used=month_quotas.c.n_used - 1))

    def _n_used(self, connection: Connection, month: str) -> int:
        query = select(func.coalesce(func.sum(month_quotas.c.n_used), 0))
        return int(connection.execute(query.where(month_quotas.c.name == self.name, month_quotas.c.month == month)).scalar_one())

    def _reached(self, resets_at: datetime) -> QuotaReached:
        return QuotaReached(
            f"This month's quota of {self.name} is used up: {self.limit}.",
            resets_at=resets_at,
            hint=f"It begins anew on {resets_at:%-d %B %Y}. A higher plan is entered in the settings.",
            provider=self.name.partition(" ")[0],
        )


def _moment(at_s: float) -> datetime:
    return datetime.fromtimestamp(at_s, UTC)
