"""The line before ClipCafe's rate slots: one asks for all, downloads first, and who leaves leaves nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from core.adapters.clipcafe_calls import CountedCalls
from core.adapters.clipcafe_line import Line, Opening
from core.rules.rates import RateLimit
from core.store.database import Database
from core.store.rate_slots import RateSlots, Slot, Wait
from core.store.rate_tables import rate_limits, rate_slots
from tests.integration.clipcafe_world import WORDS, RunLedger, World, corpus, make_world
from tests.loopback.clipcafe import LoopbackClipCafe
from tests.loopback.clipcafe import Misbehaviour as Wrong
from tests.loopback.invariants import check_rate
from tests.loopback.toy_work import wait_for

SLOT = Slot(1, 0.0, 0.0, 0.0)


class Stop(Exception):
    """Somebody paused the run."""


class Gatekeeper:
    """Gives slots when it is told to, and counts who asks."""

    def __init__(self, wait_s: float = 0.05) -> None:
        self.n_free, self.n_asked, self.wait_s, self._lock = 0, 0, wait_s, threading.Lock()

    def reserve(self) -> Slot | Wait:
        with self._lock:
            self.n_asked += 1
            if self.n_free == 0:
                return Wait(self.wait_s)
            self.n_free -= 1
            return SLOT


def stand(line: Line, gate: Gatekeeper, got: list[str], name: str, *, is_first: bool = False) -> threading.Thread:
    """Somebody new in the line, who says when they have a slot."""

    def work() -> None:
        line.wait(place, gate.reserve)
        got.append(name)

    n_waiting = line.n_waiting
    place = line.join(is_first=is_first)
    thread = threading.Thread(target=work)
    thread.start()
    wait_for(lambda: line.n_waiting == n_waiting + 1)
    return thread


def test_downloads_go_before_searches_and_each_kind_in_turn() -> None:
    line, gate, got = Line(), Gatekeeper(), list[str]()
    names = ["s1", "s2", "D1", "s3", "D2", "D3", "s4"]
    threads = [stand(line, gate, got, name, is_first=name.startswith("D")) for name in names]
    for n_got in range(1, 8):
        gate.n_free = 1
        wait_for(lambda n_got=n_got: len(got) == n_got)  # type: ignore[misc]
    assert got == ["D1", "D2", "D3", "s1", "s2", "s3", "s4"]
    for thread in threads:
        thread.join(5)


def test_only_the_head_asks_and_everybody_is_told() -> None:
    line, gate, told, lock = Line(), Gatekeeper(wait_s=60.0), dict[int, list[float]](), threading.Lock()
    is_over = threading.Event()

    def work(number: int) -> None:
        def on_wait(wait_s: float) -> None:
            with lock:
                told.setdefault(number, []).append(wait_s)
            if is_over.is_set():
                raise Stop

        with pytest.raises(Stop):
            line.wait(line.join(is_first=False), gate.reserve, on_wait, RateLimit(10, 60.0))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(30)]
    for thread in threads:
        thread.start()
    wait_for(lambda: len(told) == 30 and all(len(waits) >= 3 for waits in list(told.values())))
    with lock:
        assert gate.n_asked <= 1 + max(len(waits) for waits in told.values())  # as often as one is told, not thirty
        lasts = sorted(round(waits[-1]) for waits in told.values())
    assert lasts == [60 + 6 * place for place in range(30)]
    is_over.set()
    for thread in threads:
        thread.join(10)
    assert line.n_waiting == 0


def test_who_stands_first_and_gives_up_lets_the_next_one_through() -> None:
    line, gate, got = Line(), Gatekeeper(wait_s=0.5), list[str]()
    is_paused = threading.Event()

    def pause(_: float) -> None:
        if is_paused.is_set():
            raise Stop

    def give_up() -> None:
        with pytest.raises(Stop):
            line.wait(line.join(is_first=True), gate.reserve, pause)
        got.append("gave up")

    first = threading.Thread(target=give_up)
    first.start()
    wait_for(lambda: line.n_waiting == 1)
    second = stand(line, gate, got, "second")
    is_paused.set()
    first.join(5)
    gate.n_free = 1
    second.join(5)
    assert got == ["gave up", "second"]
    assert line.n_waiting == 0


def test_a_fault_of_the_database_holds_nobody_else_up() -> None:
    line, gate, got = Line(), Gatekeeper(), list[str]()

    def broken() -> Slot | Wait:
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        line.wait(line.join(is_first=False), broken)
    thread = stand(line, gate, got, "next")
    gate.n_free = 1
    thread.join(5)
    assert got == ["next"]


# With ClipCafe ---------------------------------------------------------------------------------------------------------


def note_sent(world: World) -> list[float]:
    """From now on the moments at which requests are let out."""
    sent: list[float] = []
    hold = world.limits.slots.hold

    def noted(slot: Slot) -> bool:
        is_let_out = hold(slot)
        sent.extend([time.monotonic()] * is_let_out)
        return is_let_out

    world.limits.slots.hold = noted  # type: ignore[method-assign]
    return sent


def test_downloads_and_links_overtake_waiting_searches(tmp_path: Path) -> None:
    with LoopbackClipCafe(corpus(), limit=None) as server:
        world = make_world(tmp_path, server, rate=(2, 4.0))
        sent = note_sent(world)
        hits = world.source.search(world.word("refer"), max_hits=100)
        server.kill_links()
        clips = [world.clip(hit) for hit in hits[:2]]
        tasks: list[Callable[[], object]] = [
            lambda text=text: world.source.search(world.word(text), max_hits=100)  # type: ignore[misc]
            for text in WORDS[1:]
        ]
        tasks += [lambda clip=clip: world.source.fetch(clip, tmp_path / "into") for clip in clips]  # type: ignore[misc]
        world.limits.slots.block(60.0)  # until all stand in line
        threads = [threading.Thread(target=task) for task in tasks]
        for thread in threads:
            thread.start()
        wait_for(lambda: world.source._calls._line.n_waiting == 6)
        with world.database.write() as connection:
            connection.execute(update(rate_limits).values(blocked_until_s=0.0))
        for thread in threads:
            thread.join(100)
        kinds = [kind for _, kind in sorted(server.arrivals)]
        assert kinds.count("search") == 5
        assert kinds.count("download") == 4  # each with a dead link, then with a fresh one
        # A search or two may slip in while a fresh link is asked for.
        assert max(place for place, kind in enumerate(kinds) if kind != "search") <= 8
        check_rate(sent, 2, 4.0)  # where they leave: how late a busy machine lets them arrive is not what is tested here
        world.database.close()


def test_a_search_that_is_told_to_stop_leaves_nothing(tmp_path: Path) -> None:
    with LoopbackClipCafe(corpus(), limit=None) as server:
        world = make_world(tmp_path, server, rate=(1, 60.0), requests=10, downloads=10)
        clip = world.clip(world.source.search(world.word("refer"), max_hits=100)[0])

        def stop(_: float) -> None:
            raise Stop

        world.source._calls._on_wait = stop
        for ask in (lambda: world.source.search(world.word("storm"), max_hits=10), lambda: world.source.fetch(clip, tmp_path / "into")):
            with pytest.raises(Stop):
                ask()
        assert server.n_arrived() == 1
        assert world.entries() == [("search", "done", 1)]
        assert (world.limits.requests.state().n_used, world.limits.downloads.state().n_used) == (1, 0)
        with world.database.read() as connection:
            assert connection.execute(select(func.count()).select_from(rate_slots)).scalar_one() == 1
        assert world.source._calls._line.n_waiting == 0
        world.database.close()


def test_a_request_that_is_tried_again_keeps_its_place(tmp_path: Path) -> None:
    with LoopbackClipCafe(corpus(), limit=None) as server:
        world = make_world(tmp_path, server, rate=(1, 2.5))
        server.retry_after = "8"
        server.misbehave("search", Wrong.RATE_429)
        order: list[str] = []
        line = world.source._calls._line

        def ask(text: str) -> None:
            world.source.search(world.word(text), max_hits=10)
            order.append(text)

        first = threading.Thread(target=ask, args=("refer",))
        first.start()
        wait_for(lambda: server.n_arrived() == 1 and line.n_waiting == 1)
        others = [threading.Thread(target=ask, args=(text,)) for text in ("storm", "quiet")]
        for n_waiting, thread in enumerate(others, 2):
            thread.start()
            wait_for(lambda n_waiting=n_waiting: line.n_waiting == n_waiting)  # type: ignore[misc]
        for thread in [first, *others]:
            thread.join(60)
        assert order == ["refer", "storm", "quiet"]
        world.database.close()


def test_new_limits_count_for_whoever_asks_next(tmp_path: Path) -> None:
    with LoopbackClipCafe(corpus(), limit=None) as server:
        world = make_world(tmp_path, server, rate=(1, 60.0))
        world.source.search(world.word("refer"), max_hits=10)
        calls = world.source._calls
        calls.limits = replace(calls.limits, slots=RateSlots(world.database, "clipcafe", 3, 60.0))
        started_s = time.monotonic()
        for text in ("storm", "quiet"):
            world.source.search(world.word(text), max_hits=10)
        assert time.monotonic() - started_s < 45.0  # where the old limit would make it wait for a minute
        world.database.close()


def test_two_sources_stand_in_one_line(tmp_path: Path) -> None:
    with LoopbackClipCafe(corpus(), limit=None) as server:
        worlds = [make_world(tmp_path, server, rate=(1, 1.0), worker_id=f"w{number}") for number in range(2)]
        line = Line()
        for number, world in enumerate(worlds, 3):
            world.source._calls = CountedCalls(world.database, RunLedger(world.database, f"w{number}"), world.limits, line=line)
        worlds[0].source.search(worlds[0].word("refer"), max_hits=10)
        threads = [threading.Thread(target=world.source.search, args=(world.word("storm"),), kwargs={"max_hits": 10}) for world in worlds]
        for thread in threads:
            thread.start()
        wait_for(lambda: line.n_waiting == 2)
        for thread in threads:
            thread.join(20)
        assert (server.answered["search"], line.n_waiting) == (2, 0)
        for world in worlds:
            world.database.close()


# Two limits on one host ------------------------------------------------------------------------------------------------


def test_two_limits_over_one_name_each_hold_what_they_know(tmp_path: Path) -> None:
    """While settings change, waiters under the old limit and the new one share the slots; on a clock that obeys."""
    database = Database(tmp_path / "home")
    now = [500.0]
    epoch = datetime(2026, 11, 20, tzinfo=UTC)

    def slots(limit: int) -> RateSlots:
        return RateSlots(
            database,
            "host",
            limit,
            60.0,
            clock=lambda _: epoch + timedelta(seconds=now[0]),
            counter=lambda: now[0],
            machine="m",
            sleep=lambda seconds: now.__setitem__(0, now[0] + seconds),
        )

    low, high = slots(5), slots(12)
    sent: list[float] = []
    for turn in range(300):
        book = (low, high, high)[turn % 3]
        before = [at for at in sent if at > now[0] - 60.0]
        found = book.reserve()
        if isinstance(found, Wait):
            now[0] += 0.9
            continue
        assert len(before) < book.rate.limit
        assert book.hold(found)
        sent.append(now[0])
        now[0] += 0.02
    assert len(sent) > 30
    check_rate(sent, 12, 60.0)
    database.close()


def test_the_first_window_keeps_room_for_the_first_download() -> None:
    rate, opening = RateLimit(10, 60.0), Opening()
    search, download = Line().join(is_first=False), Line().join(is_first=True)
    for second in range(7):
        assert opening.holds_s(search, rate, 100.0 + second) == 0.0
        opening.gave(search, 100.0 + second)
    assert opening.holds_s(search, rate, 107.0) == 8.0, "the rest is held for a quarter of the window from its beginning on"
    assert opening.holds_s(download, rate, 107.0) == 0.0
    opening.gave(download, 108.0)
    assert opening.holds_s(search, rate, 109.0) == 0.0, "the first clip is on its way: searches use what is left"


def test_what_is_held_back_is_used_when_no_download_comes() -> None:
    rate, opening = RateLimit(10, 60.0), Opening()
    search = Line().join(is_first=False)
    for _ in range(7):
        opening.holds_s(search, rate, 100.0)
        opening.gave(search, 100.0)
    assert opening.holds_s(search, rate, 115.0) == 0.0
    opening.gave(search, 115.0)
    assert opening.holds_s(search, rate, 160.0) == 0.0, "it was not idle: no second opening"
    assert opening.holds_s(search, rate, 500.0) == 0.0 and opening.n_searches == 0, "after an idle window it opens anew"
