"""Waiting for an OpenAI-compatible server: everybody waits as it asks, no call is lost, none is paid twice."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from sqlalchemy import select, update

from core.adapters.judge_openai import OpenAIJudge
from core.adapters.openai_calls import PatientCalls
from core.adapters.openai_server import OpenAIServer
from core.adapters.transcriber_openai import OpenAITranscriber
from core.errors import BudgetReached, KeyRefused, NotSent, ProviderError, ProviderUnavailable, QuotaUsedUp, RateLimited, WordreelError
from core.model.vocabulary import VocabularyWord
from core.pipeline.janitor import Identity, register
from core.pipeline.ledger import DoubtPolicy, Ledger
from core.pipeline.run_ledger import RunLedger, paying_for
from core.ports import ClipText
from core.store.database import Database
from core.store.rate_slots import RateSlots
from core.store.rate_tables import rate_limits
from core.store.tables import ledger
from tests.loopback.invariants import check_ledger
from tests.loopback.openai import KEY, LoopbackOpenAI, Misbehaviour, score_words
from tests.loopback.toy_work import wait_for

M = Misbehaviour
OPERATIONS = {"/chat/completions": "judge", "/audio/transcriptions": "transcribe"}
WORDS = [VocabularyWord(1, "abandon"), VocabularyWord(2, "ship")]


class World:
    """A database, a server that misbehaves, and judges that wait for it."""

    def __init__(self, tmp_path: Path, loopback: LoopbackOpenAI) -> None:
        self.loopback = loopback
        self.database = Database(tmp_path / "home")
        self.server = OpenAIServer(KEY, loopback.url, timeout_s=20.0, deadline_s=40.0)
        for worker_id in ("w1", "w2"):
            register(self.database, Identity(worker_id, "h", 1, "x"), [])

    def slots(self) -> RateSlots:
        return RateSlots(self.database, self.server.name, 1, 60.0)

    def calls(
        self, worker_id: str = "w1", on_wait: Callable[[float], None] | None = None, policy: DoubtPolicy = DoubtPolicy.REPEAT
    ) -> PatientCalls:
        book = RunLedger(Ledger(self.database, worker_id), policy)
        return PatientCalls(self.database, book, self.slots(), turn=self.server.turn, on_wait=on_wait, pause_s=0.1)

    def ask(self, calls: PatientCalls, number: int = 0, budget_usd: float | None = None) -> None:
        with paying_for("r1", budget_usd):
            assert OpenAIJudge(self.server, calls).judge(ClipText(f"Take {number}: abandon ship.", (), 3.0, "A film", {}, {}), WORDS)[0]

    def entries(self) -> list:
        with self.database.read() as connection:
            return list(connection.execute(select(ledger).order_by(ledger.c.entry_id)))

    def states(self) -> Counter[str]:
        return Counter(entry.state for entry in self.entries())

    def unblock(self) -> None:
        with self.database.write() as connection:
            connection.execute(update(rate_limits).values(blocked_until_s=0.0))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with LoopbackOpenAI(silence_s=30.0) as loopback:
        made = World(tmp_path, loopback)
        yield made
        check_ledger(made.database, Counter(OPERATIONS[seen.path] for seen in loopback.paid))
        made.server.close()
        made.database.close()


@pytest.mark.parametrize(
    ("header", "least_s", "most_s"),
    [("60", 45.0, 60.01), ("date", 60.0, 90.0), (None, 4.0, 10.01), ("-5", 4.0, 10.01), ("soon", 4.0, 10.01), ("315360000", 285.0, 300.01)],
)
def test_a_429_makes_everybody_wait_as_it_asks(world: World, header: str | None, least_s: float, most_s: float) -> None:
    world.loopback.retry_after = header
    if header == "date":
        world.loopback.retry_after = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    world.loopback.misbehaviours.append(M.RATE_429)
    told: list[float] = []
    threads = [threading.Thread(target=world.ask, args=(world.calls("w1", told.append),))]
    threads[0].start()
    wait_for(lambda: told)
    threads.append(threading.Thread(target=world.ask, args=(world.calls("w2", told.append), 1)))
    threads[1].start()
    assert least_s <= told[0] <= most_s
    time.sleep(0.3)
    assert len(world.loopback.seen) == 1, "somebody did not wait"
    world.unblock()
    for thread in threads:
        thread.join(30)
    assert world.states() == {"failed": 1, "done": 2}
    assert len(world.loopback.paid) == 2


def test_eight_threads_of_two_workers_share_one_block(world: World) -> None:
    world.loopback.retry_after = "120"
    calls = [world.calls("w1"), world.calls("w2")]
    world.loopback.misbehaviours.append(M.RATE_429)
    blocker = threading.Thread(target=world.ask, args=(calls[0], 99))
    blocker.start()
    wait_for(world.slots().blocked_s)
    threads = [threading.Thread(target=world.ask, args=(calls[number % 2], number)) for number in range(8)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    assert len(world.loopback.seen) == 1
    world.unblock()
    for thread in [blocker, *threads]:
        thread.join(30)
    assert world.states() == {"failed": 1, "done": 9}
    assert len(world.loopback.paid) == 9


def test_who_waits_for_a_place_among_the_calls_in_flight_waits_as_asked_too(world: World) -> None:
    """Twelve clips, two calls at once: when the first are refused, the ten behind them send nothing before the time is over."""
    world.server = OpenAIServer(KEY, world.loopback.url, max_in_flight=2, timeout_s=5.0)
    world.loopback.retry_after, world.loopback.latency_s = "120", 0.2
    world.loopback.misbehaviours.extend([M.RATE_429] * 2)
    told: list[float] = []
    calls = world.calls(on_wait=told.append)
    threads = [threading.Thread(target=world.ask, args=(calls, number)) for number in range(12)]
    for thread in threads:
        thread.start()
    wait_for(lambda: told)
    time.sleep(1.0)
    n_seen = len(world.loopback.seen)
    world.unblock()
    world.loopback.misbehaviours.clear()
    for thread in threads:
        thread.join(60)
    assert n_seen <= 2, "who waited for a place did not wait as asked"
    assert world.states()["done"] == 12 == len(world.loopback.paid)


def test_who_waits_for_a_place_can_be_told_to_stop_whatever_the_others_wait_for(world: World) -> None:
    """Another run has all places, or waits as it was asked: a run that is paused does not wait for it."""

    class Stop(Exception):
        pass

    def stop(_: float) -> None:
        raise Stop

    world.server = OpenAIServer(KEY, world.loopback.url, max_in_flight=1, timeout_s=30.0, deadline_s=60.0)
    may_answer = threading.Event()

    def slow(clip: str, asked: list[str]) -> list[dict[str, object]]:
        assert may_answer.wait(60)
        return score_words(clip, asked)

    world.loopback.judge = slow
    other = threading.Thread(target=world.ask, args=(world.calls("w1"), 1))
    other.start()
    wait_for(lambda: world.loopback.seen)
    with pytest.raises(Stop):
        world.ask(world.calls("w2", stop), 2)
    world.slots().block(300.0, "Slow down.")
    third = threading.Thread(target=world.ask, args=(world.calls("w1"), 3))
    third.start()
    may_answer.set()
    other.join(60)
    with pytest.raises(Stop):
        world.ask(world.calls("w2", stop), 2)
    world.unblock()
    third.join(60)
    assert world.states() == {"done": 2}


def test_a_call_that_waits_for_a_place_is_not_in_the_ledger_yet(world: World) -> None:
    """Else a kill would leave doubts of calls that never went out, and the run's money would be held back for them."""
    world.server = OpenAIServer(KEY, world.loopback.url, max_in_flight=1, timeout_s=30.0, deadline_s=60.0)
    may_answer = threading.Event()

    def slow(clip: str, asked: list[str]) -> list[dict[str, object]]:
        assert may_answer.wait(30)
        return score_words(clip, asked)

    world.loopback.judge = slow
    calls = world.calls()
    threads = [threading.Thread(target=world.ask, args=(calls, number)) for number in range(5)]
    for thread in threads:
        thread.start()
    wait_for(lambda: world.loopback.seen)
    time.sleep(0.5)
    states = world.states()
    may_answer.set()
    for thread in threads:
        thread.join(60)
    assert states == {"intended": 1}
    assert world.states() == {"done": 5}


def test_a_server_with_a_limit_gets_all_calls_answered_once(world: World) -> None:
    world.loopback.limit, world.loopback.retry_after = (3, 1.0), "1"
    calls = [world.calls("w1"), world.calls("w2")]
    threads = [threading.Thread(target=world.ask, args=(calls[number % 2], number)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert world.states()["done"] == 8 == len(world.loopback.paid)
    assert world.states()["in_doubt"] == world.states()["intended"] == 0


def test_a_kept_answer_waits_for_nobody(world: World) -> None:
    world.ask(world.calls())
    world.slots().block(300.0, "Slow down.")

    def complain(_: float) -> None:
        raise AssertionError("it waits")

    world.ask(world.calls(on_wait=complain))
    assert len(world.loopback.seen) == 1


def test_who_waits_can_be_told_to_stop_and_leaves_nothing(world: World) -> None:
    class Stop(Exception):
        pass

    told: list[float] = []

    def stop(wait_s: float) -> None:
        told.append(wait_s)
        if len(told) == 3:
            raise Stop

    world.slots().block(300.0, "Slow down.")
    with pytest.raises(Stop):
        world.ask(world.calls(on_wait=stop))
    assert told[0] - told[2] > 1.5  # about a second apart
    assert not world.entries()
    assert not world.loopback.seen


def test_a_429_that_never_ends_is_given_up(world: World) -> None:
    world.loopback.always, world.loopback.retry_after = M.RATE_429, "0.01"
    with pytest.raises(RateLimited):
        world.ask(world.calls())
    assert world.states() == {"failed": 8}


@pytest.mark.parametrize("how", [M.ERROR_500, M.HTML_200, M.EMPTY_200, M.CUT_BODY_AFTER, M.SILENT_AFTER])
def test_a_call_without_an_answer_is_tried_again(world: World, how: Misbehaviour) -> None:
    if how is M.SILENT_AFTER:
        world.server = OpenAIServer(KEY, world.loopback.url, timeout_s=2.0, deadline_s=20.0)
    world.loopback.misbehaviours.extend([how, how])
    world.ask(world.calls())
    assert world.states() == {"in_doubt": 2, "done": 1}
    assert 1 <= len(world.loopback.paid) <= 3


def test_three_times_at_the_most(world: World) -> None:
    world.loopback.always = M.ERROR_500
    with pytest.raises(ProviderUnavailable):
        world.ask(world.calls())
    assert world.states() == {"in_doubt": 3}


def test_a_server_that_is_away(world: World) -> None:
    world.server = OpenAIServer(KEY, "http://127.0.0.1:1/v1")
    told: list[float] = []
    with pytest.raises(NotSent):
        world.ask(world.calls(on_wait=told.append))
    assert world.states() == {"failed": 3}
    assert told
    assert max(told) <= 0.2


@pytest.mark.parametrize(
    ("how", "kind"), [(M.KEY_401, KeyRefused), (M.QUOTA_429, QuotaUsedUp), (M.BAD_400, ProviderError), (M.MISSING_404, ProviderError)]
)
def test_a_definite_refusal_is_raised_at_once(world: World, how: Misbehaviour, kind: type[WordreelError]) -> None:
    world.loopback.misbehaviours.append(how)
    with pytest.raises(kind):
        world.ask(world.calls())
    assert world.states() == {"failed": 1}
    assert not world.slots().blocked_s()


def test_the_runs_limit_is_raised_at_once(world: World) -> None:
    with pytest.raises(BudgetReached):
        world.ask(world.calls(), budget_usd=0.0)
    assert not world.loopback.seen


def test_a_doubt_that_is_left_to_a_person_is_not_paid_again(world: World) -> None:
    calls = world.calls(policy=DoubtPolicy.KEEP_IN_DOUBT)
    world.loopback.misbehaviours.append(M.CUT_BODY_AFTER)
    for _ in range(2):
        with pytest.raises(ProviderUnavailable, match="may have been paid"):
            world.ask(calls)
    assert len(world.loopback.seen) == 1


def test_a_recogniser_is_as_patient(world: World, tmp_path: Path) -> None:
    film_path = tmp_path / "film.mp4"
    film_path.write_bytes(b"\0\0\0\x18ftypmp42" + b"not really a film" * 10)
    world.loopback.retry_after = "1"
    world.loopback.misbehaviours.extend([M.RATE_429, M.ERROR_500])
    with paying_for("r1"):
        heard = OpenAITranscriber(world.server, world.calls()).transcribe(film_path, language="en", known_cues=())
    assert heard.words
    assert world.states() == {"failed": 1, "in_doubt": 1, "done": 1}
