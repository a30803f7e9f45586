"""Paid calls: never twice for one answer, every doubt visible."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import event, insert, select, update

from core.errors import BadAnswer, DatabaseUnavailable, DiskFull, KeyRefused, ProviderUnavailable, RateLimited
from core.pipeline.janitor import Identity, WorkerLost, give_up, register
from core.pipeline.ledger import Answer, DoubtPolicy, Ledger, PaidCall
from core.store.database import Database
from core.store.ledger_rows import totals
from core.store.tables import ledger
from core.timing import now
from tests.loopback.invariants import check_ledger, check_rate
from tests.loopback.toy_work import wait_for

CALL = PaidCall("openai", "judge", "m", "3", "is this good?")
REPEAT, KEEP = DoubtPolicy.REPEAT, DoubtPolicy.KEEP_IN_DOUBT


class Provider:
    """Counts, and answers or raises what it is told, in turn."""

    def __init__(self, *outcomes: BaseException | Answer) -> None:
        self.outcomes = list(outcomes)
        self.n_calls = 0

    def __call__(self) -> Answer:
        self.n_calls += 1
        outcome = self.outcomes.pop(0) if self.outcomes else Answer({"ok": True}, 100, 10, 0.02, "req-1")
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path)
    for worker_id in ("w1", "w2"):
        register(opened, Identity(worker_id, "h", 1, "x"), [])
    yield opened
    opened.close()


def states(database: Database) -> list[str]:
    with database.read() as connection:
        return list(connection.execute(select(ledger.c.state).order_by(ledger.c.entry_id)).scalars())


def of_run(database: Database, run_id: str = "r1"):
    with database.read() as connection:
        return totals(connection, run_id)


def test_an_answer_is_paid_once_for_all_runs(database: Database) -> None:
    provider = Provider()
    first = Ledger(database, "w1").call(CALL, provider, run_id="r1", policy=REPEAT)
    again = Ledger(database, "w2").call(CALL, provider, run_id="r2", policy=REPEAT)
    assert first == again == Answer({"ok": True}, 100, 10, 0.02, "req-1")
    assert provider.n_calls == 1
    assert (of_run(database).paid_calls, of_run(database, "r2").paid_calls) == (1, 0)
    for other in (PaidCall("openai", "judge", "m", "4", "is this good?"), PaidCall("openai", "judge", "m", "3", "is this better?")):
        Ledger(database, "w1").call(other, provider, run_id="r1", policy=REPEAT)
    assert provider.n_calls == 3
    run = of_run(database)
    assert (run.paid_calls, run.tokens_in, run.tokens_out, run.is_at_least) == (3, 300, 30, False)
    assert run.cost_usd == pytest.approx(0.06)


def test_the_intent_is_there_while_the_call_is_made(database: Database) -> None:
    seen: list[list[str]] = []

    def perform() -> Answer:
        seen.append(states(database))
        return Answer(None)

    Ledger(database, "w1").call(CALL, perform, run_id="r1", policy=REPEAT)
    assert seen == [["intended"]]
    assert of_run(database).is_at_least  # done, but the price is not known


def test_a_definite_refusal_costs_nothing_and_is_tried_anew(database: Database) -> None:
    provider = Provider(RateLimited("Slow down.", retry_after_s=1), KeyRefused("No."))
    book = Ledger(database, "w1")
    for kind in (RateLimited, KeyRefused):
        with pytest.raises(kind):
            book.call(CALL, provider, run_id="r1", policy=KEEP)
    book.call(CALL, provider, run_id="r1", policy=KEEP)
    assert states(database) == ["failed", "failed", "done"]
    run = of_run(database)
    assert (run.paid_calls, run.in_doubt, run.repeated_calls, run.is_at_least) == (1, 0, 0, False)


@pytest.mark.parametrize("fault", [ProviderUnavailable("No answer in 60 s."), RuntimeError("sk-secret in a header"), KeyboardInterrupt()])
def test_a_doubt_is_kept_or_repeated_once_by_the_policy(database: Database, fault: BaseException) -> None:
    provider = Provider(fault)
    book = Ledger(database, "w1")
    with pytest.raises(type(fault)):
        book.call(CALL, provider, run_id="r1", policy=KEEP)
    with pytest.raises(ProviderUnavailable, match="may have been paid"):
        book.call(CALL, provider, run_id="r1", policy=KEEP)
    assert (provider.n_calls, states(database)) == (1, ["in_doubt"])
    book.call(CALL, provider, run_id="r1", policy=REPEAT)
    book.call(CALL, provider, run_id="r1", policy=REPEAT)
    assert (provider.n_calls, states(database)) == (2, ["in_doubt", "done"])
    run = of_run(database)
    assert (run.paid_calls, run.in_doubt, run.repeated_calls, run.is_at_least) == (1, 1, 1, True)
    with database.read() as connection:
        assert "sk-secret" not in str(connection.execute(select(ledger)).all())


def test_an_answer_that_finds_no_room_is_kept_by_its_worker_and_not_paid_again(database: Database) -> None:
    long = Answer({"text": "x" * 200_000}, 100, 10, 0.02, "req-1")
    provider = Provider(long)
    book = Ledger(database, "w1")
    room = [0]

    def limit(raw, *_):  # type: ignore[no-untyped-def]
        raw.execute(f"PRAGMA max_page_count = {room[0] or raw.execute('PRAGMA page_count').fetchone()[0] + 4}")

    event.listen(database.engine, "checkout", limit)
    for _ in range(2):  # the second one finds no room either
        with pytest.raises(DiskFull):
            book.call(CALL, provider, run_id="r1", policy=REPEAT)
    assert (provider.n_calls, states(database)) == (1, ["intended"])
    room[0] = 1_000_000
    assert book.call(CALL, provider, run_id="r1", policy=REPEAT) == long
    assert (provider.n_calls, states(database)) == (1, ["done"])


def test_an_answer_that_the_database_does_not_take_is_kept_by_its_worker_and_not_paid_again(database: Database) -> None:
    """As when it is locked by another program, read-only, or away for a minute while the call is made."""
    provider, book = Provider(), Ledger(database, "w1")
    is_away = [False]

    def refuse_writes(raw, *_):  # type: ignore[no-untyped-def]
        raw.execute(f"PRAGMA query_only = {int(is_away[0])}")

    event.listen(database.engine, "checkout", refuse_writes)

    def perform() -> Answer:
        is_away[0] = True
        return provider()

    with pytest.raises(DatabaseUnavailable):
        book.call(CALL, perform, run_id="r1", policy=REPEAT)
    is_away[0] = False
    assert book.call(CALL, perform, run_id="r1", policy=REPEAT).cost_usd == 0.02
    assert (provider.n_calls, states(database)) == (1, ["done"])


def test_a_bad_answer_was_paid_and_is_not_asked_again(database: Database) -> None:
    provider = Provider(BadAnswer("Prose instead of scores.", request_id="req-9"))
    book = Ledger(database, "w1")
    for _ in range(2):
        with pytest.raises(BadAnswer, match="Prose"):
            book.call(CALL, provider, run_id="r1", policy=REPEAT)
    assert provider.n_calls == 1
    assert of_run(database).paid_calls == 1


def leave_intent(database: Database, worker_id: str, call: PaidCall = CALL) -> None:
    with database.write() as connection:
        row = {"call_key": call.key, "attempt": 1, "provider": "openai", "operation": "judge", "model": "m", "prompt_version": "3"}
        connection.execute(insert(ledger).values(**row, run_id="r1", state="intended", worker_id=worker_id, intended_at=now()))


@pytest.mark.parametrize("ender", ["declared dead", "unknown", "ourselves, before"])
def test_a_call_whose_worker_is_gone_is_in_doubt(database: Database, ender: str) -> None:
    leave_intent(database, {"declared dead": "w2", "unknown": "w9", "ourselves, before": "w1"}[ender])
    if ender == "declared dead":
        with database.write() as connection:
            give_up(connection, "w2")
    provider = Provider()
    Ledger(database, "w1").call(CALL, provider, run_id="r1", policy=REPEAT)
    assert (provider.n_calls, states(database)) == (1, ["in_doubt", "done"])
    assert of_run(database).repeated_calls == 1


def test_a_call_that_a_live_worker_makes_is_waited_for(database: Database) -> None:
    may_answer, answers, provider = threading.Event(), [], Provider()

    def slow() -> Answer:
        assert may_answer.wait(10)
        return provider()

    def ask(book: Ledger) -> None:
        answers.append(book.call(CALL, slow, run_id="r1", policy=REPEAT))

    books = [Ledger(database, "w1"), Ledger(database, "w2")]
    threads = [threading.Thread(target=ask, args=(books[place % 2],)) for place in range(6)]
    for thread in threads:
        thread.start()
    wait_for(lambda: states(database) == ["intended"])
    may_answer.set()
    for thread in threads:
        thread.join(10)
    assert (provider.n_calls, len(answers), len(set(map(str, answers)))) == (1, 6, 1)
    assert states(database) == ["done"]


def test_an_answer_that_comes_after_the_worker_was_given_up_stays_in_doubt(database: Database) -> None:
    provider = Provider()

    def perform() -> Answer:
        with database.write() as connection:
            give_up(connection, "w1")
        Ledger(database, "w2").call(CALL, provider, run_id="r1", policy=REPEAT)
        return Answer({"ok": "from the grave"})

    with pytest.raises(WorkerLost):
        Ledger(database, "w1").call(CALL, perform, run_id="r1", policy=REPEAT)
    assert states(database) == ["in_doubt", "done"]
    with database.read() as connection:
        assert "grave" not in str(connection.execute(select(ledger.c.answer)).all())


def test_the_ledger_is_checked_against_what_the_provider_counted(database: Database) -> None:
    """The check itself: it passes what may be, and fails what must not."""
    book, provider = Ledger(database, "w1"), Provider(Answer(None), ProviderUnavailable("Gone."))
    book.call(CALL, provider, run_id="r1", policy=KEEP)
    other = PaidCall("openai", "judge", "m", "3", "another")
    with pytest.raises(ProviderUnavailable):
        book.call(other, provider, run_id="r1", policy=KEEP)
    for n_answered in (1, 2):  # the one in doubt was carried out, or not
        check_ledger(database, {"judge": n_answered})
    for wrong in ({"judge": 0}, {"judge": 3}, {"judge": 1, "search": 1}, {}):
        with pytest.raises(AssertionError):
            check_ledger(database, wrong)
    check_ledger(database, {}, provider="clipcafe")
    leave_intent(database, "w2", PaidCall("openai", "judge", "m", "3", "a third"))
    with pytest.raises(AssertionError, match="still intended"):
        check_ledger(database, {"judge": 1})
    check_ledger(database, {"judge": 3}, may_be_under_way=True)
    with database.write() as connection:
        connection.execute(update(ledger).values(state="done", call_key="the same", attempt=ledger.c.entry_id))
    with pytest.raises(AssertionError, match="twice"):
        check_ledger(database, {"judge": 3})


def test_the_rate_is_checked_at_the_provider() -> None:
    check_rate([0.0, 1.0, 2.0, 10.0, 11.0], 3, 10.0)
    check_rate([], 3, 10.0)
    with pytest.raises(AssertionError, match=r"4 requests came within 9\.9"):
        check_rate([9.9, 0.0, 1.0, 2.0], 3, 10.0)


def test_equal_text_in_another_field_is_another_call() -> None:
    assert PaidCall("a", "b", "c", "d", "e").key != PaidCall("a", "b", "c", "de", "").key
    assert PaidCall("a", "b", "c", "d", "e\ud800").key  # a lone surrogate does no harm
