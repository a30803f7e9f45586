"""A run's limit of money: never passed by what is known before a call, whoever makes it."""

from __future__ import annotations

import threading
import wave
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from core.adapters.judge_openai import OpenAIJudge
from core.adapters.openai_server import OpenAIServer
from core.adapters.transcriber_openai import OpenAITranscriber
from core.errors import BadAnswer, BudgetReached, ProviderUnavailable, RateLimited
from core.model.calls import Answer, PaidCall
from core.model.vocabulary import VocabularyWord
from core.pipeline.janitor import Identity, register
from core.pipeline.ledger import DoubtPolicy, Ledger
from core.pipeline.run_ledger import RunLedger, paying_for
from core.ports import ClipText
from core.store.database import Database
from core.store.ledger_rows import spent_usd, totals
from core.store.tables import ledger
from core.timing import now
from tests.loopback.openai import KEY, LoopbackOpenAI, Misbehaviour
from tests.loopback.postgres import fresh_database, serve_postgres

REPEAT, KEEP = DoubtPolicy.REPEAT, DoubtPolicy.KEEP_IN_DOUBT


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path / "home")
    for worker_id in ("w1", "w2"):
        register(opened, Identity(worker_id, "h", 1, "x"), [])
    yield opened
    opened.close()


@pytest.fixture
def loopback() -> Iterator[LoopbackOpenAI]:
    with LoopbackOpenAI() as running:
        yield running


@pytest.fixture
def server(loopback: LoopbackOpenAI) -> Iterator[OpenAIServer]:
    made = OpenAIServer(KEY, loopback.url)
    yield made
    made.close()


def question(number: int, expected_usd: float = 0.3) -> PaidCall:
    return PaidCall("openai", "judge", "m", "1", f"clip {number}", expected_usd)


def costing(usd: float | None) -> Answer:
    return Answer({"ok": True}, 100, 10, usd)


def entries(database: Database) -> list:
    with database.read() as connection:
        return list(connection.execute(select(ledger).order_by(ledger.c.entry_id)))


def spent(database: Database, run_id: str = "r1") -> float:
    with database.read() as connection:
        return spent_usd(connection, run_id)


def until_the_limit(ask: Callable[[int], None]) -> int:
    """How many different questions could be asked."""
    for number in range(100):
        try:
            ask(number)
        except BudgetReached:
            return number
    pytest.fail("the limit never came")


def test_the_expected_price_is_no_part_of_what_is_asked() -> None:
    assert question(1, 0.1).key == question(1, 0.2).key


def test_a_call_that_might_pass_the_limit_is_not_made_and_leaves_nothing(database: Database) -> None:
    book, called = Ledger(database, "w1"), []

    def perform() -> Answer:
        called.append(1)
        return costing(0.33)

    for number in range(3):
        book.call(question(number), perform, run_id="r1", policy=REPEAT, budget_usd=1.0)
    with pytest.raises(BudgetReached) as caught:
        book.call(question(3), perform, run_id="r1", policy=REPEAT, budget_usd=1.0)
    assert caught.value.message == "The run's limit of $1.00 is reached: $0.99 are spent or being spent."
    assert caught.value.hint == "Launch it with a higher limit; what was judged is kept."
    assert len(called) == 3 == len(entries(database))
    assert [entry.expected_usd for entry in entries(database)] == [0.3] * 3
    book.call(question(0), perform, run_id="r1", policy=REPEAT, budget_usd=0.0)  # a kept answer is free
    book.call(question(3), perform, run_id="r2", policy=REPEAT, budget_usd=1.0)  # another run has its own limit
    book.call(question(4), perform, run_id="r1", policy=REPEAT, budget_usd=1.35)  # as after a launch with a higher one
    assert len(called) == 5


def test_the_last_cent_can_be_spent(database: Database) -> None:
    book = Ledger(database, "w1")
    for number in range(10):
        book.call(question(number, 0.1), lambda: costing(0.1), run_id="r1", policy=REPEAT, budget_usd=1.0)
    with pytest.raises(BudgetReached):
        book.call(question(10, 0.1), lambda: costing(0.1), run_id="r1", policy=REPEAT, budget_usd=1.0)


def test_doubts_count_what_they_may_have_cost_and_refusals_nothing(database: Database) -> None:
    book = Ledger(database, "w1")

    def fail(error: Exception) -> Answer:
        raise error

    for number, error in enumerate((RateLimited("Slow.", retry_after_s=1), ProviderUnavailable("No answer."), BadAnswer("Prose."))):
        with pytest.raises(type(error)):
            book.call(question(number), lambda error=error: fail(error), run_id="r1", policy=KEEP, budget_usd=1.0)
    book.call(question(3), lambda: costing(None), run_id="r1", policy=KEEP, budget_usd=1.0)
    assert spent(database) == pytest.approx(0.9)  # in doubt, paid without a price, answered without a price
    with pytest.raises(BudgetReached):
        book.call(question(4), lambda: costing(0.1), run_id="r1", policy=KEEP, budget_usd=1.0)
    with database.read() as connection:
        run = totals(connection, "r1")
    assert (run.cost_usd, run.in_doubt, run.is_at_least) == (pytest.approx(0.3), 1, True)


def test_a_call_without_a_known_price_goes_on_until_the_limit_is_passed(database: Database) -> None:
    book = Ledger(database, "w1")
    book.call(question(0, 0.0), lambda: costing(None), run_id="r1", policy=REPEAT, budget_usd=0.0)
    book.call(question(1, 0.0), lambda: costing(0.02), run_id="r1", policy=REPEAT, budget_usd=0.01)
    with pytest.raises(BudgetReached, match=r"limit of \$0\.01 is reached: \$0\.02"):
        book.call(question(2, 0.0), lambda: costing(None), run_id="r1", policy=REPEAT, budget_usd=0.01)


def test_a_lost_workers_call_is_repeated_only_within_the_limit(database: Database) -> None:
    call = question(0, 0.6)
    with database.write() as connection:
        row = {"call_key": call.key, "attempt": 1, "provider": "openai", "operation": "judge", "model": "m", "prompt_version": "1"}
        connection.execute(
            insert(ledger).values(**row, expected_usd=0.6, run_id="r1", state="intended", worker_id="gone", intended_at=now())
        )
    book = Ledger(database, "w1")
    with pytest.raises(BudgetReached):
        book.call(call, lambda: costing(0.6), run_id="r1", policy=REPEAT, budget_usd=1.0)
    book.call(call, lambda: costing(0.6), run_id="r1", policy=REPEAT, budget_usd=1.2)
    assert [entry.state for entry in entries(database)] == ["in_doubt", "done"]


@pytest.fixture(params=["sqlite", "postgresql"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database of either kind, with sixteen workers."""
    with ExitStack() as opened:
        url = ""
        if request.param == "postgresql":
            url = opened.enter_context(fresh_database(opened.enter_context(serve_postgres()), "budget"))
        database = Database(tmp_path / "shared", url)
        opened.callback(database.close)
        for number in range(16):
            register(database, Identity(f"w{number}", "h", 1, "x"), [])
        yield database


@pytest.mark.parametrize("n_workers", [2, 16])
def test_workers_and_their_sixteen_threads_never_pass_it_together(shared: Database, n_workers: int) -> None:
    database = shared
    books = [Ledger(database, f"w{number}") for number in range(n_workers)]
    most, outcomes, lock = [0.0], Counter[str](), threading.Lock()
    all_ready = threading.Barrier(16)

    def perform() -> Answer:
        held = spent(database)
        with lock:
            most[0] = max(most[0], held)
        return costing(0.1)

    def work(place: int) -> None:
        all_ready.wait(30)
        for turn in range(3):
            try:
                call = question(place * 3 + turn, 0.1)
                books[place % n_workers].call(call, perform, run_id="r1", policy=REPEAT, budget_usd=2.0)
                outcome = "made"
            except BudgetReached:
                outcome = "refused"
            with lock:
                outcomes[outcome] += 1

    threads = [threading.Thread(target=work, args=(place,)) for place in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert outcomes == {"made": 20, "refused": 28}
    assert most[0] <= 2.0 + 1e-9
    assert spent(database) == pytest.approx(2.0)


# Who asks ------------------------------------------------------------------------------------------------------------


def test_a_judge_stops_before_the_limit(server: OpenAIServer, loopback: LoopbackOpenAI, database: Database) -> None:
    judge = OpenAIJudge(server, RunLedger(Ledger(database, "w1")))
    word = VocabularyWord(1, "abandon")

    def ask(number: int) -> None:
        judge.judge(ClipText(f"Take {number}: abandon ship.", (), 3.0, "A film", {}, {}), [word])

    with paying_for("r1"):
        ask(0)
    first = entries(database)[0]
    assert first.expected_usd == pytest.approx(first.cost_usd, rel=0.5)
    with paying_for("r1", 6.5 * (first.cost_usd or 0.0)):
        made = until_the_limit(ask)
    assert made in (5, 6) and len(loopback.paid) == made
    assert spent(database) <= 6.5 * (first.cost_usd or 0.0)
    assert {entry.state for entry in entries(database)} == {"done"}


def test_a_repair_is_held_to_the_limit_too(server: OpenAIServer, loopback: LoopbackOpenAI, database: Database) -> None:
    loopback.misbehaviours.append(Misbehaviour.PROSE_AFTER)
    judge = OpenAIJudge(server, RunLedger(Ledger(database, "w1")))
    with paying_for("r1", 0.00013), pytest.raises(BudgetReached):
        judge.judge(ClipText("Abandon ship.", (), 3.0, "A film", {}, {}), [VocabularyWord(1, "abandon")])
    assert len(loopback.paid) == 1


def test_a_recogniser_expects_the_length_that_the_file_states(server: OpenAIServer, database: Database, tmp_path: Path) -> None:
    heard = OpenAITranscriber(server, RunLedger(Ledger(database, "w1")))
    sound_path, odd_path, film_path = tmp_path / "s.wav", tmp_path / "odd.mp4", tmp_path / "film.mp4"
    with wave.open(str(sound_path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(b"\0\0" * 8000 * 10)
    odd_path.write_bytes(b"\0\0\0\x18ftypmp42" + b"without a header" * 10)
    header = b"\0\0\0\x6cmvhd" + b"\0" * 12 + (1000).to_bytes(4, "big") + (5500).to_bytes(4, "big") + b"\0" * 80
    film_path.write_bytes(b"\0\0\0\x18ftypmp42" + b"\0" * 12 + header)
    with paying_for("r1"):
        for path in (sound_path, odd_path, film_path):
            heard.transcribe(path, language="en", known_cues=())
    wanted = [usd * 0.006 / 60 for usd in (10, 15, 6)]
    assert [entry.expected_usd for entry in entries(database)] == pytest.approx(wanted)

    def hear_another(_: int) -> None:
        film_path.write_bytes(film_path.read_bytes() + b"more")
        heard.transcribe(film_path, language="en", known_cues=())

    with paying_for("r1", 0.003):
        until_the_limit(hear_another)
    assert 0.002 < spent(database) <= 0.003
