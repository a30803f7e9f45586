"""What a whole run makes of providers that misbehave: FAULTS.md 13, 14, 15 and 17. Each alone; `test_all_together` mixes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from sqlalchemy import select

from core.model.runs import StopCause
from core.store.tables import ledger
from tests.faults.conftest import Logged, Make
from tests.loopback.clipcafe import Misbehaviour as Cafe
from tests.loopback.fault_world import FaultWorld, all_good, line_clip, one_line_each
from tests.loopback.openai import Misbehaviour as Model
from tests.loopback.paid_corpus import list_words

pytestmark = pytest.mark.timeout(150)


def lonely(make: Make, n_words: int) -> FaultWorld:
    """One clip a word, that says no other."""
    words = list_words(n_words)
    return make(words=words, corpus=one_line_each(words), judge=all_good)


def check_whole(world: FaultWorld, run_id: str, heard: Logged) -> None:
    """Nothing was lost: every word has what it wants."""
    assert set(world.states(run_id).values()) == {"done"}, world.states(run_id)
    world.check(heard.text)


# 13: too many requests -----------------------------------------------------------------------------------------------


def date_in(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


HEADERS = {"seconds": "1", "date": "date", "absent": None, "negative": "-5", "nonsense": "soon"}


@pytest.mark.parametrize("form", HEADERS)
def test_a_429_loses_no_call_whatever_it_says(make: Make, heard: Logged, form: str) -> None:
    world = make(n_words=2)
    header = date_in(2) if form == "date" else HEADERS[form]
    world.clipcafe.retry_after = world.openai.retry_after = header
    world.clipcafe.misbehave("search", Cafe.RATE_429)
    world.clipcafe.misbehave("download", Cafe.RATE_429)
    world.openai.misbehaviours.extend([Model.RATE_429] * 3)
    summary = world.discover()
    assert (summary.status, summary.in_doubt) == ("succeeded", 0)
    assert {key: n for key, n in world.entries().items() if key[1] == "failed"} == {
        ("search", "failed"): 1, ("download", "failed"): 1, ("judge", "failed"): 3,
    }  # fmt: skip
    check_whole(world, summary.run_id, heard)


@pytest.mark.parametrize("provider", ["source", "judge"])
def test_ten_years_are_capped_shown_and_can_be_waited_for_or_left(make: Make, heard: Logged, provider: str) -> None:
    """Nobody waits ten years: the wait is capped, is to be seen, and a run that waits can be paused."""
    world = make(n_words=2)
    if provider == "source":
        world.clipcafe.retry_after = str(10 * 365 * 86_400)
        world.clipcafe.misbehave("search", Cafe.RATE_429)
    else:
        world.openai.retry_after = str(10 * 365 * 86_400)
        world.openai.misbehaviours.append(Model.RATE_429)
    run_id = world.launch()
    with world.meanwhile(run_id):
        world.wait_until(lambda: world.blocked_s(provider) > 60)
        assert world.blocked_s(provider) <= 300
        who = "ClipCafe" if provider == "source" else world.openai.host
        world.wait_until(lambda: world.now_of(run_id).says.startswith(f"{who} asked everyone to wait: "))
        assert "429" in world.now_of(run_id).about
        world.app.runs.pause(run_id)
    assert world.stop_of(run_id)[:2] == ("paused", StopCause.PERSON)
    world.unblock(provider)
    summary = world.resume(run_id)
    assert summary.in_doubt == 0
    check_whole(world, run_id, heard)


def test_a_source_that_never_lets_anybody_through_pauses_the_run_once(make: Make, heard: Logged) -> None:
    world = make(n_words=3)
    world.clipcafe.retry_after = "0"
    world.clipcafe.misbehave("search", *[Cafe.RATE_429] * 40)
    summary = world.discover()
    status, cause, reason = world.stop_of(summary.run_id)
    assert (status, cause) == ("paused", StopCause.PROVIDER)
    assert "429" in reason
    assert [record for record in heard.records if "is paused" in record.message][1:] == []
    world.clipcafe._misbehaviours.clear()
    assert world.resume(summary.run_id).status == "succeeded"
    check_whole(world, summary.run_id, heard)


# 14: answers that are none -------------------------------------------------------------------------------------------

SOURCE_DOUBTS = [
    Cafe.CUT, Cafe.CUT_BEFORE, Cafe.SILENT, Cafe.GZIP_BOMB, Cafe.HUGE, Cafe.ENDLESS, Cafe.HTML_200, Cafe.EMPTY_200, Cafe.CUT_JSON,
    Cafe.OTHER_JSON, Cafe.NO_HITS_KEY, Cafe.ERROR_500, Cafe.GATEWAY_502, Cafe.ONE_BYTE,
]  # fmt: skip


def test_a_broken_search_is_in_doubt_and_never_no_results(make: Make, heard: Logged) -> None:
    """One word for each way in which an answer can be broken."""
    world = lonely(make, len(SOURCE_DOUBTS))
    world.clipcafe.wrong_for = {("search", word): [wrong] for word, wrong in zip(world.words, SOURCE_DOUBTS, strict=True)}
    summary = world.discover(want=1)
    assert (world.entries()["search", "in_doubt"], world.entries()["search", "done"]) == (len(SOURCE_DOUBTS), len(SOURCE_DOUBTS))
    assert summary.in_doubt == summary.repeated_calls == len(SOURCE_DOUBTS)
    check_whole(world, summary.run_id, heard)


def test_searches_that_stay_broken_fail_just_their_words_with_the_reason_and_retry_mends_them(make: Make, heard: Logged) -> None:
    world = lonely(make, 6)
    lasting = (Cafe.ERROR_500, Cafe.HTML_200, Cafe.SILENT)
    refused = (Cafe.ERROR_400, Cafe.MISSING_404)
    wrongs = [[wrong] * 3 for wrong in lasting] + [[wrong] for wrong in refused]
    world.clipcafe.wrong_for = {("search", word): list(wrong) for word, wrong in zip(world.words, wrongs, strict=False)}
    summary = world.discover(want=1)
    assert list(world.states(summary.run_id).values()) == ["failed"] * 5 + ["done"]
    assert all(failure.stage == "search" and "ClipCafe" in failure.reason for failure in summary.failed)
    assert (summary.in_doubt, world.entries()["search", "failed"]) == (9, 2)
    world.check(heard.text)
    assert world.retry(summary.run_id).words["done"] == 6
    check_whole(world, summary.run_id, heard)


DOWNLOAD_DOUBTS = [
    Cafe.CUT, Cafe.CUT_BEFORE, Cafe.SILENT, Cafe.GZIP_BOMB, Cafe.HTML_200, Cafe.EMPTY_200, Cafe.ERROR_500, Cafe.GATEWAY_502,
]  # fmt: skip


def test_a_broken_download_is_in_doubt_and_made_again(make: Make, heard: Logged) -> None:
    world = lonely(make, len(DOWNLOAD_DOUBTS))
    world.clipcafe.wrong_for = {("download", f"{word}-0"): [wrong] for word, wrong in zip(world.words, DOWNLOAD_DOUBTS, strict=True)}
    summary = world.discover(want=1)
    assert world.entries()["download", "in_doubt"] == len(DOWNLOAD_DOUBTS)
    check_whole(world, summary.run_id, heard)


MODEL_DOUBTS = [
    Model.EMPTY_200, Model.HTML_200, Model.ERROR_200, Model.ERROR_500, Model.GATEWAY_503, Model.CUT_BEFORE, Model.CUT_BODY_AFTER,
    Model.SILENT_AFTER, Model.ONE_BYTE_AT_A_TIME_AFTER, Model.ENDLESS_AFTER, Model.GZIP_BOMB_AFTER,
]  # fmt: skip


def test_a_broken_judgement_is_in_doubt_and_made_again(make: Make, heard: Logged) -> None:
    world = lonely(make, len(MODEL_DOUBTS))
    world.openai.wrong_for = {f"wanted {word} at": [wrong] for word, wrong in zip(world.words, MODEL_DOUBTS, strict=True)}
    summary = world.discover(want=1)
    assert world.entries()["judge", "in_doubt"] == len(MODEL_DOUBTS)
    assert summary.in_doubt == summary.repeated_calls == len(MODEL_DOUBTS)
    assert world.spending(summary.run_id).is_at_least
    check_whole(world, summary.run_id, heard)


def test_one_line_that_is_refused_for_good_fails_alone(make: Make, heard: Logged) -> None:
    world = lonely(make, 4)
    refused = (Model.BAD_400, Model.MISSING_404, Model.REDIRECT_307)
    world.openai.wrong_for = {f"wanted {word} at": [wrong] for word, wrong in zip(world.words, refused, strict=False)}
    summary = world.discover(want=1)
    assert list(world.states(summary.run_id).values()) == ["failed"] * 3 + ["done"]
    assert (world.entries()["judge", "failed"], summary.in_doubt) == (3, 0)
    world.check(heard.text)
    world.retry(summary.run_id)
    check_whole(world, summary.run_id, heard)


def test_a_judge_that_is_down_for_good_fails_words_with_the_reason_and_keeps_what_was_paid(make: Make, heard: Logged) -> None:
    world = make(n_words=2)
    world.openai.always = Model.ERROR_500
    summary = world.discover()
    assert set(world.states(summary.run_id).values()) == {"failed"}
    assert all("500" in failure.reason and failure.stage == "shortlist" for failure in summary.failed)
    world.check(heard.text)
    searched = world.clipcafe.answered["search"]
    world.openai.always = None
    world.retry(summary.run_id)
    assert world.clipcafe.answered["search"] == searched
    check_whole(world, summary.run_id, heard)


@pytest.mark.parametrize("away", ["source", "judge"])
def test_a_provider_that_is_not_there_pauses_the_run_once_with_nothing_counted(
    make: Make, heard: Logged, monkeypatch: pytest.MonkeyPatch, away: str
) -> None:
    world = make(n_words=3)
    there = {"CLIPCAFE_BASE_URL": world.clipcafe.url, "OPENAI_BASE_URL": world.openai.url}
    name = "CLIPCAFE_BASE_URL" if away == "source" else "OPENAI_BASE_URL"
    world.point_to(name, "http://127.0.0.1:9/v1" if away == "judge" else "http://127.0.0.1:9/")
    summary = world.discover()
    assert world.stop_of(summary.run_id)[:2] == ("paused", StopCause.PROVIDER)
    assert not [key for key, n in world.entries().items() if key[1] == "in_doubt" and n]
    assert len([record for record in heard.records if "is paused" in record.message]) == 1
    world.point_to(name, there[name])
    assert world.resume(summary.run_id).status == "succeeded"
    check_whole(world, summary.run_id, heard)


# 15: what a judge says -----------------------------------------------------------------------------------------------

PARTLY_VALID = [Model.NAN_AFTER, Model.OTHER_WORD_AFTER, Model.SCORE_OVER_AFTER, Model.TWICE_AFTER, Model.CUT_JSON_AFTER]
UNUSABLE = [
    Model.PROSE_AFTER, Model.CUT_AT_ONCE_AFTER, Model.REFUSAL_AFTER, Model.ALL_INVALID_AFTER, Model.DEEP_AFTER, Model.NO_CHOICES_AFTER,
]  # fmt: skip


def test_valid_items_are_kept_whatever_stands_beside_them(make: Make, heard: Logged) -> None:
    """Three words a line, of which the answer to each line spoils one or two in its own way."""
    words = list_words(3 * len(PARTLY_VALID))
    lines = list(zip(words[::3], words[1::3], words[2::3], strict=True))
    corpus = [line_clip(n, f"Not {one} but {two} or {three}, they said.") for n, (one, two, three) in enumerate(lines)]
    world = make(words=words, corpus=corpus, judge=all_good)
    world.openai.wrong_for = {f"Not {line[0]} but": [wrong] * 2 for line, wrong in zip(lines, PARTLY_VALID, strict=True)}
    summary = world.discover(want=1)
    assert summary.status == "succeeded"
    assert {("judge", "done")} == {key for key in world.entries() if key[0].startswith("judge")}, "a valid item needs no repair"
    for line, wrong in zip(lines, PARTLY_VALID, strict=True):
        kept = {word: relevance for slug, word, relevance, *_ in world.mapped() if word in line}
        assert kept and set(kept.values()) <= {0.8, None}, (wrong, kept)
    assert {word for _, word, *_ in world.mapped()} <= set(words)
    world.check(heard.text)


def test_an_unusable_answer_is_repaired_once(make: Make, heard: Logged) -> None:
    world = lonely(make, len(UNUSABLE))
    world.openai.wrong_for = {f"wanted {word} at": [wrong] for word, wrong in zip(world.words, UNUSABLE, strict=True)}
    summary = world.discover(want=1)
    assert world.entries()["judge_repair", "done"] == len(UNUSABLE)
    check_whole(world, summary.run_id, heard)


def test_a_judge_that_never_makes_sense_is_asked_twice_and_its_answers_are_kept(make: Make, heard: Logged) -> None:
    world = lonely(make, len(UNUSABLE) + 1)
    world.openai.wrong_for = {f"wanted {word} at": [wrong] * 2 for word, wrong in zip(world.words, UNUSABLE, strict=False)}
    summary = world.discover(want=1)
    assert list(world.states(summary.run_id).values()) == ["failed"] * len(UNUSABLE) + ["done"]
    assert all(failure.reason and failure.stage == "shortlist" for failure in summary.failed)
    assert world.entries()["judge_repair", "done"] == len(UNUSABLE)
    with world.database.read() as connection:
        kept = connection.execute(select(ledger.c.answer).where(ledger.c.operation.startswith("judge"))).scalars().all()
    assert len(kept) == len(world.openai.paid) and all(answer is not None for answer in kept)
    world.check(heard.text)
    paid = len(world.openai.paid)
    world.retry(summary.run_id)
    assert len(world.openai.paid) == paid, "what was paid and cannot be used was paid again"


# 17: what it costs ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [Model.NO_USAGE_AFTER, Model.ODD_USAGE_AFTER])
def test_missing_usage_is_at_least(make: Make, heard: Logged, wrong: Model) -> None:
    world = make(n_words=2, clips_a_word=2)
    world.openai.misbehaviours.append(wrong)
    summary = world.discover()
    assert world.spending(summary.run_id).is_at_least
    check_whole(world, summary.run_id, heard)


def test_a_model_without_a_price_is_at_least_and_a_limit_of_money_is_refused(make: Make, heard: Logged) -> None:
    from core.errors import InvalidInput

    world = make(n_words=2, JUDGE_MODEL="my-own-model")
    with pytest.raises(InvalidInput, match="my-own-model") as caught:
        world.launch(max_cost_usd=1.0)
    world.told.append(f"{caught.value.message} {caught.value.hint}")
    summary = world.discover()
    spent = world.spending(summary.run_id)
    assert (spent.is_at_least, spent.cost_usd) == (True, 0.0)
    check_whole(world, summary.run_id, heard)


def test_a_budget_is_never_passed_not_even_by_doubts_and_what_waits_goes_on_with_a_higher_one(make: Make, heard: Logged) -> None:
    world = make(n_words=6, clips_a_word=6)
    world.openai.misbehaviours.extend([Model.SILENT_AFTER, Model.CUT_BODY_AFTER])
    summary = world.discover(max_cost_usd=0.0015)
    assert summary.status == "waiting_for_quota"
    with world.database.read() as connection:
        rows = connection.execute(
            select(ledger.c.state, ledger.c.cost_usd, ledger.c.expected_usd).where(ledger.c.operation == "judge")
        ).all()
    worst_usd = sum((row.cost_usd if row.state == "done" else row.expected_usd) or 0.0 for row in rows)
    assert 0 < worst_usd <= 0.0015
    waiting = [row for row in world.app.discovery.words(summary.run_id) if row.state == "waiting_for_quota"]
    assert waiting and all("limit" in row.reason for row in waiting)
    world.check(heard.text)
    paid = len(world.openai.paid)
    again = world.discover()
    assert again.status == "succeeded"
    assert len(world.openai.paid) > paid
    world.check(heard.text)
