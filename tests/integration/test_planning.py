"""Plans on a real store: every figure by hand, what is kept, who has a word already, and that a plan writes nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select, update

from core.errors import InvalidInput
from core.model.clips import Source
from core.model.reviews import DecisionKind, DecisionRequest
from core.model.runs import RunSettings, RunStatus, WordState
from core.rules.prices import ModelPrice
from core.rules.search_keys import search_key
from core.services.discovery import ChosenWords, WordChoice
from core.store.reviews import load_mapping
from core.store.tables import ledger, run_words, runs, searches, words
from core.timing import now
from tests.loopback.discovery_world import hit
from tests.loopback.plan_world import PlanWorld, open_world

LINE_CHARS = len("Line 0 says refer aloud.")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[PlanWorld]:
    made = open_world(tmp_path)
    yield made
    made.close()


def lines(word: str, n: int) -> list:
    return [remote_hit(f"{word}-{place}", f"Line {place} says {word} aloud.") for place in range(n)]


def remote_hit(slug: str, spoken: str, **given: object):  # type: ignore[no-untyped-def]
    return replace(hit(slug, spoken, **given), source=Source.CLIPCAFE)  # type: ignore[arg-type]


def said(plan) -> str:  # type: ignore[no-untyped-def]
    return " ".join(plan.basis)


# Requests ------------------------------------------------------------------------------------------------------------


def test_words_that_nobody_searched(world: PlanWorld) -> None:
    plan = world.plan("refer", "matter", "quiet")
    assert (plan.words, plan.already_covered, plan.searches, plan.searches_kept) == (3, 0, 3, 0)
    assert (plan.fresh_links, plan.downloads, plan.requests) == (0, 9, 12)  # links of new hits live
    assert plan.minimum_s == pytest.approx(60 * 1.003)  # 12 requests at 10 a minute: one whole window
    assert plan.quota == {"requests_this_month": None, "downloads_this_month": None}
    assert (plan.source, plan.judge, plan.transcriber) == ("clipcafe", "fake fake-1", "fake")
    assert {word.n_searches for word in world.words("refer", "matter").values()} == {1}


def test_a_word_that_has_enough_costs_nothing(world: PlanWorld) -> None:
    world.source.hits = {"refer": lines("refer", 3)}
    world.run("refer")
    plan = world.plan("refer", "matter")
    assert (plan.words, plan.already_covered, plan.searches, plan.searches_kept, plan.downloads) == (2, 1, 1, 0, 3)
    found = world.words("refer", "matter")
    assert (found["refer"].n_in_review, found["refer"].n_wanted, found["refer"].n_searches, found["refer"].n_hits_kept) == (3, 0, 0, 3)


def test_a_kept_search_is_free_and_its_downloads_need_fresh_links(world: PlanWorld) -> None:
    world.source.hits = {"refer": lines("refer", 5)}
    world.run("refer", want=1)
    plan = world.plan("refer", "matter", want=3)
    assert (plan.searches, plan.searches_kept, plan.fresh_links, plan.downloads, plan.requests) == (1, 1, 2, 5, 8)
    word = world.words("refer", want=3)["refer"]
    assert (word.n_wanted, word.n_searches, word.n_hits_kept, word.is_search_too_old) == (2, 0, 5, False)
    assert word.searched_at is not None
    assert now() - word.searched_at < timedelta(minutes=1)
    assert "Fresh links are for hits kept from before: a link lives 5 minutes from its search on." in plan.basis


def test_another_number_of_hits_is_another_search(world: PlanWorld) -> None:
    world.source.hits = {"refer": lines("refer", 2)}
    world.run("refer", want=1)
    assert world.plan("refer", want=2, max_videos=50).searches == 1


def test_a_search_that_is_too_old_is_made_anew(world: PlanWorld) -> None:
    world.source.hits = {"refer": lines("refer", 5)}
    world.run("refer", want=1)
    world.age_searches(89)
    assert world.plan("refer", want=2).searches == 0
    world.age_searches(91)
    plan, word = world.plan("refer", want=2), world.words("refer", want=2)["refer"]
    assert (plan.searches, plan.searches_kept, plan.fresh_links, plan.downloads) == (1, 0, 0, 1)
    assert (word.is_search_too_old, word.n_searches, word.n_hits_kept) == (True, 1, 5)
    world.settings.set("search_max_age_days", 120, actor="mina")
    assert world.plan("refer", want=2).searches == 0


def test_own_films_have_no_age(world: PlanWorld) -> None:
    world.source.hits = {"refer": lines("refer", 5)}
    world.run("refer", want=1, source=Source.LIBRARY)
    world.age_searches(1000)
    plan = world.plan("refer", want=2, source=Source.LIBRARY)
    assert (plan.searches, plan.searches_kept) == (0, 1)


def test_a_search_of_many_hits_takes_a_request_a_hundred(world: PlanWorld) -> None:
    world.run("refer", max_videos=300)
    with world.database.write() as connection:
        connection.execute(update(searches).values(hits=[{"slug": str(n)} for n in range(250)], created_at=now() - timedelta(days=100)))
        connection.execute(update(run_words).values(n_hits=None))
    assert world.words("refer", max_videos=300)["refer"].n_hits_kept == 250
    assert world.plan("refer", max_videos=300).searches == 3
    plan = world.plan("matter", max_videos=300)
    assert plan.searches == 1  # expected
    assert "takes up to 3" in said(plan)


def test_downloads_stop_at_the_runs_limit_and_at_what_the_month_has_left(world: PlanWorld) -> None:
    assert world.plan("refer", "matter", max_downloads=4).downloads == 4
    world.downloads, world.requests = 20, 40
    for _ in range(15):
        world.limits().downloads.take()
        world.limits().requests.take()
    plan = world.plan("refer", "matter")
    assert plan.quota == {"requests_this_month": 25, "downloads_this_month": 5}
    assert (plan.downloads, plan.requests) == (5, 7)
    assert "6 clips are wanted, and 5 downloads are allowed." in plan.basis
    world.requests = 20
    assert "This month's requests allow 5 of these 7; the rest waits for the next month." in world.plan("refer", "matter").basis


def test_fresh_links_are_never_more_than_the_downloads(world: PlanWorld) -> None:
    world.source.hits = {"refer": lines("refer", 5), "matter": lines("matter", 5)}
    world.run("refer", "matter", want=1)
    plan = world.plan("refer", "matter", max_downloads=3)
    assert (plan.fresh_links, plan.downloads, plan.requests) == (3, 3, 6)


def test_own_films_cost_no_request_no_link_and_no_download(world: PlanWorld) -> None:
    world.is_judge_paid = False
    plan = world.plan("refer", "matter", source=Source.LIBRARY)
    assert (plan.searches, plan.fresh_links, plan.downloads, plan.requests, plan.minimum_s) == (2, 0, 0, 0, 0.0)
    assert (plan.judge_calls, plan.tokens, plan.cost_usd) == (0, 0, 0.0)


# Other runs ----------------------------------------------------------------------------------------------------------


def test_words_of_an_unfinished_run_are_left_to_it(world: PlanWorld) -> None:
    run_id = world.launch("refer", "matter", source=Source.CLIPCAFE)
    plan = world.plan("refer", "quiet")
    assert (plan.words, plan.already_covered, plan.in_other_runs, plan.searches, plan.downloads) == (2, 1, 1, 1, 3)
    found = world.words("refer", "quiet")
    assert (found["refer"].in_run, found["refer"].n_wanted, found["refer"].n_searches, found["quiet"].in_run) == (1, 0, 0, None)
    world.discovery.pause(run_id)
    assert world.plan("refer", "quiet").in_other_runs == 1
    second = world.launch("refer", "quiet", source=Source.CLIPCAFE)
    assert [row.word for row in world.discovery.words(second)] == ["quiet"]
    assert "1 word is left to run 1, which has not ended." in world.discovery.run(second).notes
    world.discovery.cancel(run_id)
    assert world.plan("refer", want=2).in_other_runs == 0


def test_another_source_is_another_matter(world: PlanWorld) -> None:
    world.launch("refer", source=Source.LIBRARY)
    assert world.plan("refer").in_other_runs == 0


def test_the_plan_of_the_very_request_of_an_unfinished_run_is_what_is_left_of_it(world: PlanWorld) -> None:
    world.source.hits = {"refer": lines("refer", 3), "matter": lines("matter", 3)}
    run_id = world.launch("refer", "matter", source=Source.CLIPCAFE)
    while "refer" not in world.source.searches:
        world.drive(run_id, only_steps=1)
    plan = world.plan("refer", "matter")
    assert (plan.in_other_runs, plan.searches, plan.searches_kept) == (0, 1, 1)
    assert plan.basis[0] == "Run 1 is this very request and has not ended: it goes on."


def test_the_same_command_goes_on_with_a_run_that_waits_for_a_quota(world: PlanWorld) -> None:
    run_id = world.run("refer")
    with world.database.write() as connection:
        connection.execute(update(runs).values(status=RunStatus.WAITING_FOR_QUOTA))
        connection.execute(update(run_words).values(state=WordState.WAITING_FOR_QUOTA))
    assert world.launch("refer", source=Source.CLIPCAFE) == run_id
    assert world.discovery.run(run_id).status is RunStatus.RUNNING
    assert world.word_states(run_id) == {"refer": "queued"}


# Judge, tokens, money ------------------------------------------------------------------------------------------------


def test_without_a_past_every_assumption_is_said(world: PlanWorld) -> None:
    plan = world.plan("refer", "matter")
    assert plan.judge_calls == 2 * 20 + 6  # lines of both searches, and each clip a second time
    assert (plan.tokens_in, plan.tokens_out, plan.tokens) == (46 * (200 + 120), 46 * 150, 46 * 470)
    assert plan.cost_usd == pytest.approx((46 * 320 * 1.0 + 46 * 150 * 10.0) / 1e6)
    assert not plan.is_at_least
    told = said(plan)
    assert "20 new lines a search, an assumption: none was made yet." in told
    assert "Every fetched clip is judged a second time, an assumption: 0 recognised so far." in told
    assert "320 tokens in and 150 out a judge call, by rules of thumb for lines of 120 characters, an assumption" in told
    assert "no call of fake-1 with prompt 1 so far" in told


def test_kept_answers_are_counted_beside_the_calls_and_lines_a_search_are_learnt(world: PlanWorld) -> None:
    world.source.hits = {"refer": lines("refer", 5), "storm": [*lines("storm", 8), lines("refer", 1)[0]]}
    world.run("refer", "storm", want=1)  # 13 distinct lines from 2 searches
    plan = world.plan("refer", "quiet", want=2)
    assert plan.judge_calls_kept == 5
    assert plan.judge_calls == 7 + 3  # 6.5 lines for `quiet`, rounded up; 1 and 2 clips a second time
    assert "6.5 new lines a search, from 2 searches." in plan.basis
    assert f"lines of {LINE_CHARS} characters, n = 13" in said(plan)
    assert plan.tokens_in == 10 * (200 + LINE_CHARS)


def test_another_model_or_prompt_has_kept_nothing(world: PlanWorld) -> None:
    world.source.hits = {"refer": lines("refer", 4)}
    world.run("refer", want=1)
    world._freeze = None  # type: ignore[assignment]
    world.discovery._freeze = lambda settings: RunSettings(**{**asdict(settings), "judge": "fake", "judge_model": "fake-2"})
    plan = world.plan("refer", want=2)
    assert (plan.judge_calls_kept, plan.judge_calls) == (0, 4 + 1)


def test_lines_of_the_script_alone_are_never_judged(world: PlanWorld) -> None:
    world.source.hits = {"refer": [*lines("refer", 2), remote_hit("silent", "", script="They refer.")]}
    world.run("refer", want=1)
    assert world.plan("refer", want=2).judge_calls_kept == 2


def test_tokens_are_the_mean_of_at_least_five_past_calls_of_this_model_and_prompt(world: PlanWorld) -> None:
    world.add_calls(4)
    world.add_calls(9, model="fake-2")
    world.add_calls(9, prompt_version="0")
    assert world.plan("refer").tokens_in == 23 * 320
    world.add_calls(1, tokens_in=900, tokens_out=100)
    plan = world.plan("refer")
    assert (plan.tokens_in, plan.tokens_out) == (23 * 500, 23 * 60)
    assert "500 tokens in and 60 out a judge call, from 5 calls." in plan.basis


def test_only_clips_whose_text_changes_are_judged_twice(world: PlanWorld) -> None:
    world.source.hits = {"refer": lines("refer", 6)}
    world.run("refer", want=6)
    with world.database.read() as connection:
        from core.store.plan_rows import text_changes

        assert text_changes(connection, Source.CLIPCAFE, "fake") == (0, 6)
        assert text_changes(connection, Source.CLIPCAFE, "whisper") == (0, 0)
    plan = world.plan("matter")
    assert plan.judge_calls == 6  # six new lines from one search; the fake hears what the line says
    assert "0 of 6 recognised texts differed from the line, and were judged a second time." in plan.basis


def test_a_price_that_is_not_known_makes_the_sum_a_least(world: PlanWorld) -> None:
    world.prices = {}
    plan = world.plan("refer")
    assert (plan.cost_usd, plan.is_at_least, plan.judge_calls) == (0.0, True, 23)
    assert "The price of fake-1 is not known: the money is of the rest only." in plan.basis
    with pytest.raises(InvalidInput, match=r"price of fake-1 is not known.*\$1\.00") as caught:
        world.launch("refer", source=Source.CLIPCAFE, max_cost_usd=1.0)
    assert "Enter its price in Settings" in caught.value.hint
    assert world.discovery.runs() == []
    run_id = world.launch("refer", source=Source.CLIPCAFE)
    assert world.discovery.run(run_id).plan["is_at_least"] is True  # type: ignore[index]


def test_the_runs_limit_of_money_caps_what_will_be_spent(world: PlanWorld) -> None:
    whole = world.plan("refer")
    assert (whole.judge_calls, whole.cost_usd) == (23, pytest.approx(23 * (320 + 1500) / 1e6))
    capped = world.plan("refer", max_cost_usd=whole.cost_usd / 2)
    assert (capped.judge_calls, capped.tokens_in) == (11, 23 * 320 // 2)
    assert capped.cost_usd == pytest.approx(whole.cost_usd / 2, abs=1e-6)
    assert "the run stops at $0.02" in said(capped)
    assert world.plan("refer", max_cost_usd=1.0).judge_calls == 23


def test_minutes_of_sound_are_paid_where_the_recogniser_is(world: PlanWorld) -> None:
    world.is_judge_paid = False
    world.prices = {"whisper-1": ModelPrice("whisper-1", minute_usd=0.006)}
    plan = world.plan("refer", transcriber="openai")
    assert plan.cost_usd == pytest.approx(3 * 8 / 60 * 0.006)  # three clips of 8 s each
    assert (plan.judge_calls, plan.tokens) == (0, 0)
    assert "8.0 s a clip for whisper-1, an assumption: no clip is known yet." in plan.basis
    world.source.hits = {"matter": [remote_hit("matter-0", "They matter.", length_s=4.2)]}
    world.run("matter")
    plan = world.plan("refer", transcriber="openai")
    assert plan.cost_usd == pytest.approx(3 * 5 / 60 * 0.006, abs=1e-6)  # each begun second counts
    own = world.plan("refer", transcriber="openai", source=Source.LIBRARY)
    assert own.cost_usd > 0
    world.prices = {}
    assert world.plan("refer", transcriber="openai").is_at_least


def test_a_judge_that_costs_nothing_is_not_on_the_bill(world: PlanWorld) -> None:
    world.is_judge_paid = False
    plan = world.plan("refer")
    assert (plan.judge_calls, plan.judge_calls_kept, plan.tokens, plan.cost_usd, plan.is_at_least) == (0, 0, 0, 0.0, False)


# Expected ------------------------------------------------------------------------------------------------------------


def test_what_is_expected_without_a_past_is_a_prior(world: PlanWorld) -> None:
    found = world.plan("refer", "matter").expected
    assert found is not None
    assert (found.n, found.words_a_download, found.first_clip_s) == (0, 1.0, 60.0)
    assert found.approved_ratio == pytest.approx(0.65)  # a score of 0.8, alone in its clip
    assert found.n_clips_approved == 3  # 6 wanted, for 0.8 of the words something is found: 4.8 × 0.65
    assert found.n_words_gain == 2  # 2 × 0.8 × (1 − 0.35³)
    assert "prior" in found.says
    assert world.plan(bundle=empty_bundle(world)).expected is None


def empty_bundle(world: PlanWorld) -> str:
    world.vocabulary.import_list(b"word\nzebra\n", exam="toefl")
    world.source.hits = {"zebra": lines("zebra", 3)}
    world.run(bundle="toefl")
    return "toefl"


def test_what_is_expected_follows_decisions_and_what_was_found(world: PlanWorld) -> None:
    texts = [f"word{place}" for place in range(6)]
    world.source.hits = {text: lines(text, 2) for text in texts[:3]}
    world.run(*texts, want=2)  # six clips for three words; three words have none
    for place, text in enumerate(texts[:3]):
        for number in range(2):
            decide(world, f"{text}-{number}", text, DecisionKind.APPROVE if place < 2 else DecisionKind.REJECT)
    found = world.plan("refer", "matter").expected
    assert found is not None
    assert (found.n, found.words_a_download) == (6, 1.0)
    assert found.approved_ratio == pytest.approx(4 / 6, abs=1e-3)
    assert found.n_clips_approved == 2  # 6 wanted × 0.5 found × 4/6
    assert found.n_words_gain == 1  # 2 × 0.5 × (1 − (1/3)³)
    assert found.says == "From run 1: 1.0 words a download, 67 % approved, n = 6."
    assert found.first_clip_s < 60
    assert "3 of 6 words that were searched before had a clip." in world.plan("refer").basis


def test_a_word_whose_search_brought_nothing_is_not_expected_to_gain(world: PlanWorld) -> None:
    world.run("refer")
    found = world.plan("refer").expected
    assert found is not None
    assert (found.n_words_gain, found.n_clips_approved) == (0, 0)


def decide(world: PlanWorld, slug: str, word: str, kind: DecisionKind) -> None:
    mapping_id = world.mapping_id(slug, word)
    with world.database.read() as connection:
        mapping = load_mapping(connection, mapping_id)
    request = DecisionRequest(
        mapping_id=mapping_id, kind=kind, actor="mina", idempotency_key=f"{slug}-{word}", seen_version=mapping.version
    )
    world.review.decide(request)


# Plan and launch -----------------------------------------------------------------------------------------------------


def dump(world: PlanWorld) -> list[str]:
    with sqlite3.connect(world.home_path / "app.db") as connection:
        found = list(connection.iterdump())
    connection.close()
    return found


def test_a_plan_writes_nothing(world: PlanWorld) -> None:
    world.source.hits = {"refer": lines("refer", 5)}
    world.run("refer", want=1)
    before, files = dump(world), sorted(world.home_path.rglob("*"))
    data = (world.home_path / "app.db").read_bytes()
    world.plan("refer", "never seen before", want=3, max_downloads=2, max_cost_usd=0.001)
    world.words("refer", "never seen before")
    assert dump(world) == before
    assert (world.home_path / "app.db").read_bytes() == data
    assert sorted(world.home_path.rglob("*")) == files
    assert len(world.source.searches) == 1


def test_the_launch_keeps_its_plan_and_a_resume_keeps_it_too(world: PlanWorld) -> None:
    shown = world.plan("refer", "matter", max_downloads=4)
    run_id = world.launch("refer", "matter", source=Source.CLIPCAFE, max_downloads=4)
    kept = world.discovery.run(run_id).plan
    assert kept is not None
    assert {**kept, "basis": tuple(kept["basis"])} == asdict(shown)
    assert world.discovery.summary(run_id).plan == kept
    world.source.hits = {"refer": lines("refer", 1)}
    world.drive(run_id, only_steps=4)
    assert world.launch("refer", "matter", source=Source.CLIPCAFE, max_downloads=4) == run_id
    assert world.discovery.run(run_id).plan == kept


def test_what_was_spent_is_within_what_was_planned(world: PlanWorld) -> None:
    texts = [f"word{place}" for place in range(8)]
    world.source.hits = {text: lines(text, 4 + place % 3) for place, text in enumerate(texts)}
    world.run(*texts[:3], want=1)
    world.source.searches.clear()
    world.source.fetches.clear()
    world.judge.calls.clear()
    plan = world.plan(*texts)
    run_id = world.launch(*texts, source=Source.CLIPCAFE)
    world.drive(run_id)
    assert len(world.source.searches) == plan.searches == 5
    assert plan.searches_kept == 3
    assert len(world.source.fetches) <= plan.downloads == 3 * 2 + 5 * 3
    n_lines = sum(4 + place % 3 for place in range(3, 8))
    assert n_lines <= len(world.judge.calls) <= plan.judge_calls
    assert world.discovery.summary(run_id).words["done"] == 8


def test_clipcafe_without_a_key_is_refused_with_the_way_to_one(world: PlanWorld) -> None:
    world.has_key = False
    assert world.discovery.usual_source() is Source.LIBRARY
    with pytest.raises(InvalidInput, match="ClipCafe needs a key") as caught:
        world.launch("refer", source=Source.CLIPCAFE)
    assert "CLIPCAFE" in caught.value.hint
    assert "Settings" in caught.value.hint
    assert world.plan("refer").searches == 1  # what it would cost can be asked all the same
    world.has_key = True
    assert world.discovery.usual_source() is Source.CLIPCAFE


def test_demo_words_are_searched_in_the_demos_films_only(world: PlanWorld) -> None:
    assert world.discovery.usual_source(WordChoice(bundle="demo_toefl")) is Source.LIBRARY
    chosen = ChosenWords("demo", "demo", world.chosen("refer").words, is_demo=True)
    with pytest.raises(InvalidInput, match="demo's films only"):
        world.discovery.launch(chosen, RunSettings(source=Source.CLIPCAFE), actor="mina")


def test_a_plan_over_a_whole_exam_reads_little(world: PlanWorld) -> None:
    """5,000 words, of which half were searched before: no list of hits is read, and no condition is too long."""
    rows = [{"word_id": n, "text": f"w{n}", "key": f"w{n}", "language": "en", "created_at": now()} for n in range(1, 5001)]
    key = {n: search_key(Source.CLIPCAFE, f"w{n}", 100, is_demo=False) for n in range(1, 2501)}
    made = [
        {"search_key": key[n], "source": "clipcafe", "word_id": n, "hits": [], "run_id": "old", "created_at": now()} for n in range(1, 2501)
    ]
    with world.database.write() as connection:
        connection.execute(insert(words), rows)
        connection.execute(insert(searches), made)
    chosen = world.chosen(*[f"w{n}" for n in range(1, 5001)])
    plan = world.discovery.plan(chosen, RunSettings(source=Source.CLIPCAFE))
    assert (plan.words, plan.searches, plan.searches_kept, plan.downloads) == (5000, 2500, 2500, 15_000)
    with world.database.read() as connection:
        assert connection.execute(select(func.count()).select_from(ledger)).scalar_one() == 0
