"""Discovery at ClipCafe through the commands, as a user has it: planned, paid once, stopped by what is allowed, killed and resumed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.loopback.commands import ask, copy_program, wait_until
from tests.loopback.paid_world import SECRETS, PaidFilms, PaidWorld, paid_world

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

ENDED = ("succeeded", "waiting_for_quota", "failed", "cancelled", "paused")
Make = Callable[..., PaidWorld]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_program(tmp_path_factory.mktemp("program"))


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> PaidFilms:
    return PaidFilms(tmp_path_factory.mktemp("films"))


@pytest.fixture
def make(tmp_path: Path, program: Path, films: PaidFilms) -> Iterator[Make]:
    """A small world, checked by its test and ended here."""
    with ExitStack() as stack:
        yield lambda **named: stack.enter_context(paid_world(tmp_path, program=program, films=films, **named))


def discover(world: PaidWorld, *options: str, want: int = 2, bundle: str = "") -> dict:
    """The command's answer, without any key in it."""
    chosen = ("--bundle", bundle) if bundle else ("--words", ",".join(world.words))
    answer = world.cli.json("discover", *chosen, "--source", "clipcafe", "--want", str(want), *options)
    assert not any(secret in json.dumps(answer) for secret in SECRETS)
    return answer


def queue_words(world: PaidWorld) -> dict[str, int]:
    """word → how many clips wait for a person."""
    found = dict.fromkeys(world.words, 0)
    for item in world.cli.json("review", "queue")["items"]:
        found[item["word"]] += 1
    return found


def test_what_was_planned_is_spent_once_and_nothing_the_second_time(make):
    world = make()
    planned = discover(world, "--plan")
    assert world.counts() == (0, 0)
    assert (planned["words"], planned["searches"], planned["searches_kept"], planned["judge"]) == (4, 4, 0, "openai gpt-4o-mini")
    assert planned["downloads"] <= 8
    assert planned["judge_calls"] >= 1
    assert planned["cost_usd"] > 0
    assert planned["quota"] == {"requests_this_month": None, "downloads_this_month": None}

    summary = discover(world)
    assert (summary["status"], summary["words"]["done"], summary["failed"]) == ("succeeded", 4, [])
    spent = world.counts()
    assert summary["searches"] == world.clipcafe.answered["search"] == 4
    assert summary["downloads"] == world.clipcafe.answered["download"] <= 8
    assert summary["paid_calls"] == spent[1] == len(world.openai.paid)
    assert 0 < summary["cost_usd"] <= planned["cost_usd"] * 1.5
    waiting = queue_words(world)
    assert all(n >= 2 for n in waiting.values()), waiting
    assert sum(waiting.values()) == summary["mappings"]

    again = discover(world)
    assert (again["status"], again["words"]["done"], again["cost_usd"]) == ("succeeded", 4, 0.0)
    afterwards = discover(world, "--plan")
    assert (afterwards["already_covered"], afterwards["searches"], afterwards["downloads"], afterwards["cost_usd"]) == (4, 0, 0, 0.0)
    assert world.counts() == spent
    world.check()


def test_more_clips_of_the_same_words_repay_no_search_and_no_judgement(make):
    world = make()
    world.cli.json("vocab", "list")
    world.started_worker()
    discover(world, want=1)
    searched, judged = world.clipcafe.answered["search"], dict(world.entries())["judge"]
    planned = discover(world, "--plan", want=2)
    assert (planned["searches"], planned["searches_kept"]) == (0, planned["words"] - planned["already_covered"])
    assert discover(world, want=2)["status"] == "succeeded"
    assert (world.clipcafe.answered["search"], world.entries()["judge"]) == (searched, judged)
    world.stop_workers()
    world.check()


def test_a_run_stops_at_its_downloads_and_says_which_words_wait(make):
    world = make()
    summary = discover(world, "--max-downloads", "2")
    assert world.clipcafe.answered["download"] == summary["downloads"] == 2
    assert (summary["status"], summary["words"]["failed"]) == ("waiting_for_quota", 0)
    assert summary["words"]["waiting_for_quota"] >= 1
    assert summary["words"]["done"] + summary["words"]["waiting_for_quota"] == 4
    assert sum(queue_words(world).values()) >= 2
    world.check()


def test_a_run_stops_before_the_call_that_would_pass_its_money(make):
    world = make(clips_a_word=8)
    world.cli.json("vocab", "list")
    world.started_worker()
    limit_usd = 0.0003  # of two judgements, where four words need one each
    summary = discover(world, "--max-cost", str(limit_usd))
    paid_usd = ask(world.home, "SELECT sum(cost_usd) FROM ledger")[0][0]
    assert summary["cost_usd"] == pytest.approx(paid_usd)
    assert 0 < paid_usd <= limit_usd
    assert (summary["status"], summary["words"]["failed"]) == ("waiting_for_quota", 0)
    n_judged = len(world.openai.paid)
    assert discover(world)["status"] == "succeeded"
    assert len(world.openai.paid) > n_judged
    world.stop_workers()
    world.check()


def test_the_months_quota_ends_the_command_and_a_higher_one_lets_the_run_go_on(make):
    world = make()
    tight = world.cli.with_settings(CLIPCAFE_DOWNLOADS_PER_MONTH="2", CLIPCAFE_REQUESTS_PER_MONTH="50")
    words = ("discover", "--words", ",".join(world.words), "--source", "clipcafe", "--want", "2")
    planned = tight.json(*words, "--plan")
    assert planned["quota"] == {"requests_this_month": 50, "downloads_this_month": 2}
    summary = tight.json(*words)
    assert (summary["status"], summary["downloads"]) == ("waiting_for_quota", 2)
    assert world.clipcafe.answered["download"] == 2
    waiting = [word for word, state in world.states().items() if state == "waiting_for_quota"]
    assert len(waiting) == summary["words"]["waiting_for_quota"] >= 1
    assert tight.json(*words, "--plan")["quota"]["downloads_this_month"] == 0

    spent = world.counts()
    world.started_worker()
    world.cli.json("runs", "resume", summary["run_id"])
    wait_until(lambda: world.status() in ENDED and world.counts() != spent, "the run goes on")
    shown = world.cli.json("runs", "show", summary["run_id"])
    assert (shown["status"], shown["words"]["done"]) == ("succeeded", 4)
    assert world.clipcafe.answered["search"] == 4
    world.stop_workers()
    world.check()


def test_a_killed_worker_repeats_nothing_and_another_ends_the_run(make):
    world = make(n_words=5, clips_a_word=5, clipcafe_latency_s=0.15, judge_latency_s=0.15)
    list_path = world.folder / "words.csv"
    list_path.write_text("word,level\n" + "".join(f"{word},beginner\n" for word in world.words))
    world.cli.json("vocab", "import", str(list_path), "--exam", "toefl")
    world.started_worker()
    assert discover(world, "--detach", bundle="toefl_beginner")["status"] == "running"
    for n_least in (3, 9):
        wait_until(lambda n=n_least: sum(world.counts()) >= n, f"{n_least} calls")
        world.kill_worker()
        world.started_worker()
    wait_until(lambda: world.status() in ENDED, "the end of the run", within_s=150)
    summary = world.cli.json("runs", "show", world.run_id())
    assert (summary["status"], summary["words"]["done"], summary["failed"]) == ("succeeded", 5, [])
    assert summary["repeated_calls"] <= summary["in_doubt"]
    world.stop_workers()
    world.check()
    n_again = sum(world.clipcafe.answered_calls.values()) - len(world.clipcafe.answered_calls)
    assert n_again <= sum(world.entries("in_doubt").values())


def test_a_refused_key_pauses_the_run_once_and_a_new_one_resumes_it(make):
    world = make()
    wrong = world.cli.with_settings(OPENAI_API_KEY="sk-wrong-0123456789abcdef")
    words = ("discover", "--words", ",".join(world.words), "--source", "clipcafe", "--want", "1", "--json")
    done = wrong.run(*words)
    assert done.returncode in (0, 2, 3), done
    assert world.status() == "paused"
    assert "sk-wrong" not in done.stdout + done.stderr
    assert world.openai.paid == []
    searched = world.clipcafe.answered["search"]
    world.started_worker()
    world.cli.json("runs", "resume", world.run_id())
    wait_until(lambda: world.status() in ("succeeded", "failed"), "the end of the run")
    assert set(world.states().values()) == {"done"}
    assert searched <= world.clipcafe.answered["search"] == 4
    world.stop_workers()
    world.check()
