"""Discovery from choice to review on the real store and stages, with the fakes that ship behind the ports."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from core.adapters.source_fake import FakeClipSource
from core.errors import (
    BudgetReached,
    Conflict,
    DatabaseUnavailable,
    DiskFull,
    InvalidInput,
    KeyRefused,
    ModelMissing,
    NotFound,
    NotSent,
    ProviderUnavailable,
    QuotaReached,
    QuotaUsedUp,
    RateLimited,
    UnreadableMedia,
    WordreelError,
)
from core.model.clips import Clip, FilmFacts, Scores
from core.model.reviews import DecisionKind, DecisionRequest
from core.model.runs import RunSettings, RunStatus
from core.model.transcripts import TimedBy, WordTiming
from core.pipeline import steps
from core.pipeline.halting import LOOK_S
from core.ports import Recognition
from core.services.discovery import WordChoice, request_key, summary_json
from core.store.reviews import load_mapping
from core.store.tables import clips, jobs, proposals, run_clips, run_words, words
from core.timing import now
from tests.loopback.discovery_world import FILM, World, hit

KEYS = {
    "run_id", "status", "words", "failed", "clips", "mappings", "not_heard", "searches", "downloads", "paid_calls", "in_doubt",
    "repeated_calls", "cost_usd", "elapsed_s", "is_at_least", "reason", "notes", "plan",
}  # fmt: skip


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "home")
    yield made
    made.close()


def lines(word: str, n: int) -> list:
    return [hit(f"{word}-{place}", f"Line {place} says {word} aloud.") for place in range(n)]


# One clip, several words ---------------------------------------------------------------------------------------------


def test_a_clip_found_under_two_words_is_worked_on_once_and_mapped_to_both(world: World) -> None:
    both = hit("both", "Refer the matter to the committee.")
    world.source.hits = {"refer": [both], "committee": [both]}
    summary = world.discover("refer", "committee")
    assert world.mapped() == {("both", "refer"), ("both", "committee")}
    assert world.source.fetches == ["both"]
    assert len(world.judge.calls) == 2  # at the shortlist and at the score
    assert all(set(asked) == {"refer", "committee"} for _, asked in world.judge.calls)
    assert (summary.clips, summary.mappings, summary.searches, summary.words["done"]) == (1, 2, 2, 2)


def test_a_clip_is_scored_for_every_word_of_the_workspace(world: World) -> None:
    world.vocabulary.import_list(b"word\nmatter\ncommittee\n", exam="toefl")
    world.source.hits = {"refer": [hit("one", "Refer the matter to the committee.")]}
    world.discover("refer")
    assert world.mapped() == {("one", "refer"), ("one", "matter"), ("one", "committee")}


def test_inflections_count_and_substrings_do_not(world: World) -> None:
    world.vocabulary.import_list(b"word\nfer\nrefer\nform\n", exam="toefl")
    world.source.hits = {"refer": [hit("one", "They referred him to the platform.")]}
    world.discover("refer")
    assert world.mapped() == {("one", "refer")}


def test_at_most_five_good_words_a_clip(world: World) -> None:
    texts = ["harbour", "lantern", "keeper", "island", "winter", "silver", "market"]
    world.vocabulary.import_list("\n".join(["word", *texts]).encode(), exam="toefl")
    world.judge.script = {text: Scores(0.9, 0.9, 0.9 - place / 100) for place, text in enumerate(texts)}
    world.source.hits = {"harbour": [hit("crowd", " ".join(texts) + ".")]}
    world.discover("harbour")
    assert world.mapped() == {("crowd", text) for text in texts[:5]}
    with world.database.read() as connection:
        kept = connection.execute(select(func.count()).where(proposals.c.stage == "final", proposals.c.relevance.is_(None))).scalar_one()
    assert kept == 2  # negative answers are kept too


def test_the_same_line_of_the_same_film_is_one_clip(world: World) -> None:
    world.source.hits = {
        "refer": [
            hit("one", "I refer you to the manual."),
            hit("two", "I REFER you to the manual!"),
            hit("three", "I refer you to the manual.", film=FilmFacts(title="Another film")),
        ]
    }
    summary = world.discover("refer")
    assert world.mapped() == {("one", "refer"), ("three", "refer")}
    assert summary.clips == 2


# What costs, and what does not ---------------------------------------------------------------------------------------


def test_the_want_stops_the_fetching_and_the_best_are_fetched(world: World) -> None:
    world.source.hits = {"refer": [hit("weak", "refer now"), hit("good", "Refer, please."), hit("best", "I refer you to it.")]}
    by_slug = {"weak": 0.7, "good": 0.8, "best": 0.9}

    class Ranked(type(world.judge)):  # type: ignore[misc]
        def judge(self, clip, words):  # type: ignore[no-untyped-def]
            slug = next(one.slug for one in world.source.hits["refer"] if one.spoken == clip.text)
            self.script = {"refer": Scores(0.9, 0.9, by_slug[slug])}
            return super().judge(clip, words)

    world.bench._judges["fake"] = Ranked()  # type: ignore[index]
    world.discover("refer", want=2)
    assert set(world.source.fetches) == {"best", "good"}


def test_a_word_with_enough_costs_nothing(world: World) -> None:
    world.source.hits = {"refer": lines("refer", 5)}
    world.discover("refer", want=2)
    before = (list(world.source.searches), list(world.source.fetches), len(world.judge.calls))
    summary = world.discover("refer", want=2, max_videos=7)
    assert summary.words["done"] == 1
    assert (summary.searches, summary.clips) == (0, 0)
    assert (world.source.searches, world.source.fetches, len(world.judge.calls)) == before


def test_a_larger_want_later_searches_nothing_again_and_judges_only_what_is_new(world: World) -> None:
    world.source.hits = {"refer": lines("refer", 5)}
    world.discover("refer", want=2)
    n_judged = len(world.judge.calls)
    summary = world.discover("refer", want=4)
    assert world.source.searches == ["refer"]
    assert len(world.source.fetches) == len(set(world.source.fetches)) == 4
    assert len(world.judge.calls) == n_judged + 2  # the two new clips at the score; the shortlist is kept
    assert summary.searches == 0


def test_a_word_only_in_the_script_costs_no_fetch(world: World) -> None:
    world.source.hits = {"refer": [hit("silent", "", script="Keeper: [refers to his notes]"), hit("other", "He nods.", script="refer")]}
    summary = world.discover("refer")
    assert world.source.fetches == []
    assert world.judge.calls == []
    assert summary.words["none_found"] == 1
    assert summary.not_heard == 2
    assert world.mapped() == set()


def test_a_word_only_in_the_script_asks_nobody_twice_about_the_others(world: World) -> None:
    """What is not spoken is no part of the question, so the same line is judged once for all words that find it."""
    found = hit("one", "The committee meets.", script="refer and matter")
    world.source.hits = {"committee": [found], "refer": [found], "matter": [found]}
    world.discover("committee", "refer", "matter")
    assert world.judge.calls == [("The committee meets.", ("committee",))] * 2
    assert world.mapped() == {("one", "committee")}


def test_a_word_that_the_recogniser_does_not_hear_is_kept_as_not_heard(world: World) -> None:
    world.source.hits = {"refer": [hit("one", "I refer you to it.")]}
    said = tuple(WordTiming(text, 0.2 * at, 0.2 * at + 0.1, 0.9, TimedBy.RECOGNITION) for at, text in enumerate(["I", "prefer", "it"]))
    world.bench._transcribers["fake"] = _Says(said)  # type: ignore[index]
    summary = world.discover("refer")
    assert (summary.words["none_found"], summary.not_heard, summary.mappings) == (1, 1, 0)
    assert world.review.queue().total == 0
    from core.services.review import QueueFilter

    shown = world.review.queue(QueueFilter(with_all=True)).items
    assert [(item.row.word, str(item.row.evidence_state)) for item in shown] == [("refer", "not_heard")]


def test_another_recogniser_does_not_change_a_clip_that_a_person_approved(world: World) -> None:
    world.source.hits = {"refer": lines("refer", 2)}
    world.discover("refer")
    approved = world.mapping_id("refer-0", "refer")
    world.review.decide(DecisionRequest(approved, DecisionKind.APPROVE, "mina", "first"))
    with world.database.read() as connection:
        before = load_mapping(connection, approved)
    said = (WordTiming("Nothing", 0.2, 0.5, 0.9, TimedBy.RECOGNITION),)
    world.bench._transcribers["fake"] = _Says(said)  # type: ignore[index]
    world.discover("refer", want=5)
    with world.database.read() as connection:
        assert load_mapping(connection, approved) == replace(before, updated_at=load_mapping(connection, approved).updated_at)
        other = load_mapping(connection, world.mapping_id("refer-1", "refer"))
    assert (str(before.evidence_state), str(other.evidence_state)) == ("heard", "not_heard")


class _Says:
    engine, model = "fake", "says"

    def __init__(self, said: tuple[WordTiming, ...]) -> None:
        self.said = said

    def transcribe(self, media_path: Path, *, language: str, known_cues) -> Recognition:  # type: ignore[no-untyped-def]
        return Recognition("fake", "says", language, " ".join(word.text for word in self.said), (), self.said, True)


def test_max_videos_is_the_number_of_hits_considered(world: World) -> None:
    world.source.hits = {"refer": lines("refer", 9)}
    run_id = world.launch("refer", max_videos=2, want=5)
    world.drive(run_id)
    assert sorted(world.source.fetches) == ["refer-0", "refer-1"]
    assert world.discovery.words(run_id)[0].n_hits == 2


def test_min_score_applies_when_reading_and_repays_nothing(world: World) -> None:
    world.judge.otherwise = Scores(0.7, 0.7, 0.65)
    world.source.hits = {"refer": lines("refer", 2)}
    strict = world.launch("refer", min_score=0.9)
    world.drive(strict)
    assert world.word_states(strict) == {"refer": "none_found"}
    assert "0.65, under the rule 0.90" in world.discovery.words(strict)[0].reason
    assert world.review.queue().total == 0
    n_judged, n_fetched = len(world.judge.calls), len(world.source.fetches)
    lax = world.launch("refer", min_score=0.6)
    world.drive(lax)
    assert world.word_states(lax) == {"refer": "done"}
    assert world.review.queue().total == 2
    assert (len(world.judge.calls), len(world.source.fetches)) == (n_judged, n_fetched)


# Failures ------------------------------------------------------------------------------------------------------------


def test_one_clip_that_fails_leaves_the_others(world: World) -> None:
    world.source.hits = {"refer": lines("refer", 4)}
    world.source.failing_slugs["refer-0"] = UnreadableMedia("refer-0 does not decode.")
    summary = world.discover("refer", want=3)
    assert world.mapped() == {(f"refer-{place}", "refer") for place in (1, 2, 3)}
    assert (summary.words["done"], summary.clips) == (1, 3)


@pytest.mark.parametrize("error", [NotFound("gone"), InvalidInput("0 to 99 s is no range."), ProviderUnavailable("no answer")])
def test_any_error_about_one_clip_is_about_that_clip(world: World, error: Exception) -> None:
    world.source.hits = {"refer": lines("refer", 2)}
    world.source.failing_slugs["refer-0"] = error  # type: ignore[assignment]
    run_id = world.launch("refer", want=1)
    world.drive(run_id)
    assert world.mapped() == {("refer-1", "refer")}
    with world.database.read() as connection:
        failed = connection.execute(select(run_clips.c.reason).where(run_clips.c.outcome == "failed")).scalars().all()
    assert failed == [error.message]  # type: ignore[attr-defined]


def test_what_no_clip_can_pass_stops_the_word_at_once(world: World) -> None:
    world.source.hits = {"refer": lines("refer", 50)}
    for one in world.source.hits["refer"]:
        world.source.failing_slugs[one.slug] = ModelMissing("no such model")
    summary = world.discover("refer", want=3)
    assert len(world.source.fetches) == 1
    assert [(failure.stage, failure.reason) for failure in summary.failed] == [("fetch", "no such model")]


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (KeyRefused("revoked", hint="Enter another."), "key"),
        (QuotaUsedUp("The credit is used up."), "credit"),
        (RateLimited("Slow down.", retry_after_s=300.0), "provider"),
        (NotSent("It cannot be reached."), "provider"),
        (DiskFull("No room."), "disk"),
    ],
)
def test_what_no_word_can_pass_pauses_the_run_once_and_it_goes_on(world: World, error: WordreelError, cause: str) -> None:
    world.source.hits = {"refer": lines("refer", 2), "matter": lines("matter", 2)}
    for one in [*world.source.hits["refer"], *world.source.hits["matter"]]:
        world.source.failing_slugs[one.slug] = error
    run_id = world.launch("refer", "matter", want=1)
    summary = world.drive(run_id)
    run = world.discovery.run(run_id)
    assert (summary.status, run.stopped_for, run.reason) == ("paused", cause, f"{error.message} {error.hint}".strip())
    assert set(world.word_states(run_id).values()) <= {"queued", "working"} and not summary.failed
    world.source.failing_slugs.clear()
    world.discovery.resume(run_id)
    summary = world.drive(run_id)
    assert (summary.status, summary.words["done"], world.discovery.run(run_id).stopped_for) == ("succeeded", 2, "")


def test_a_database_that_was_away_for_a_moment_fails_no_word(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when PostgreSQL is restarted, or another program holds the file: the stage is done again. One that stays away fails the word."""
    monkeypatch.setattr(steps, "NO_ROOM_S", 0.0)
    world.source.hits = {"refer": lines("refer", 1), "matter": lines("matter", 1)}
    away = DatabaseUnavailable("The database app.db is locked by another program.", hint="Close that program; nothing was lost.")
    world.source.failing_slugs["matter-0"] = away
    fetch, n_left = FakeClipSource.fetch, [3]

    def fetch_when_it_is_back(source: FakeClipSource, clip: Clip, into: Path) -> Path:
        n_left[0] -= clip.slug == "refer-0"
        if clip.slug == "refer-0" and n_left[0] >= 0:
            raise away
        return fetch(source, clip, into)

    monkeypatch.setattr(FakeClipSource, "fetch", fetch_when_it_is_back)
    summary = world.discover("refer", "matter", want=1)
    assert world.word_states(summary.run_id) == {"refer": "done", "matter": "failed"}
    assert [failure.reason for failure in summary.failed] == [f"{away.message} {away.hint}"]


@pytest.mark.parametrize("error", [QuotaReached("The month is used up.", resets_at=now()), BudgetReached("Its money is spent.")])
def test_a_limit_that_is_reached_leaves_the_word_waiting_with_its_place(world: World, error: WordreelError) -> None:
    world.source.hits = {"refer": lines("refer", 2), "matter": lines("matter", 1)}
    world.source.failing_slugs = {"refer-0": error, "refer-1": error}
    run_id = world.launch("refer", "matter", want=1)
    summary = world.drive(run_id)
    assert (summary.status, world.word_states(run_id)) == ("waiting_for_quota", {"refer": "waiting_for_quota", "matter": "done"})
    n_asked = len(world.judge.calls)
    world.source.failing_slugs.clear()
    world.discovery.resume(run_id)
    summary = world.drive(run_id)
    assert (summary.status, summary.words["done"]) == ("succeeded", 2)
    assert len(world.judge.calls) - n_asked == 1, "only the fetched clip is judged"


def test_a_failed_word_says_its_stage_and_reason_and_the_rest_is_done(world: World) -> None:
    world.source.hits = {"refer": lines("refer", 1), "matter": lines("matter", 1)}
    world.source.failing_words["committee"] = ProviderUnavailable("The source does not answer.", hint="Try again later.")
    world.source.failing_slugs["matter-0"] = UnreadableMedia("matter-0 is cut off.")
    run_id = world.launch("refer", "committee", "matter", "zebra")
    summary = world.drive(run_id)
    assert summary.status is RunStatus.SUCCEEDED
    assert world.word_states(run_id) == {"refer": "done", "committee": "failed", "matter": "failed", "zebra": "none_found"}
    assert {(failure.word, failure.stage) for failure in summary.failed} == {("committee", "search"), ("matter", "fetch")}
    assert {failure.word: failure.reason for failure in summary.failed} == {
        "committee": "The source does not answer. Try again later.",
        "matter": "matter-0 is cut off.",
    }


def test_retry_repeats_just_what_failed(world: World) -> None:
    world.source.hits = {"refer": lines("refer", 1), "matter": lines("matter", 2), "committee": lines("committee", 1)}
    world.source.failing_words["committee"] = ProviderUnavailable("away")
    world.source.failing_slugs["matter-0"] = UnreadableMedia("cut off")
    run_id = world.launch("refer", "committee", "matter", want=2)
    world.drive(run_id)
    world.source.failing_words.clear()
    world.source.failing_slugs.clear()
    world.source.searches.clear()
    world.source.fetches.clear()
    assert world.discovery.retry(run_id).status is RunStatus.RUNNING
    summary = world.drive(run_id)
    assert summary.failed == ()
    assert world.source.searches == ["committee"]
    assert sorted(world.source.fetches) == ["committee-0", "matter-0"]
    assert world.mapped() == {("refer-0", "refer"), ("matter-0", "matter"), ("matter-1", "matter"), ("committee-0", "committee")}
    with world.database.read() as connection:
        assert set(connection.execute(select(clips.c.failure)).scalars()) == {""}


def test_retry_of_a_run_in_which_nothing_failed_does_nothing(world: World) -> None:
    world.source.hits = {"refer": lines("refer", 1)}
    run_id = world.launch("refer")
    before = world.drive(run_id)
    assert world.discovery.retry(run_id) == before


def test_media_that_vanished_is_fetched_again_on_retry(world: World) -> None:
    world.source.hits = {"refer": lines("refer", 1)}
    run_id = world.launch("refer", want=1)
    world.drive(run_id, only_steps=7)  # known … probe
    for media_id in list(world.files.ids()):
        world.files.delete(media_id)
    assert world.drive(run_id).words["failed"] == 1
    world.discovery.retry(run_id)
    assert world.drive(run_id).words["done"] == 1
    assert world.source.fetches == ["refer-0", "refer-0"]


def test_a_bug_in_a_judge_fails_the_word_and_not_the_run(world: World) -> None:
    world.judge.failures = [ProviderUnavailable("busy")]
    world.source.hits = {"refer": lines("refer", 1), "matter": lines("matter", 1)}
    run_id = world.launch("refer", "matter")
    summary = world.drive(run_id)
    assert [failure.stage for failure in summary.failed] == ["shortlist"]
    world.discovery.retry(run_id)
    assert world.drive(run_id).words["done"] == 2


def test_a_retry_at_the_very_end_of_a_run_leaves_no_word_behind_in_it(world: World) -> None:
    """The last word has ended, the run is about to: failed words that are queued again then keep it open."""
    world.source.hits = {"refer": lines("refer", 1)}
    world.source.failing_slugs["refer-0"] = UnreadableMedia("cut off")
    run_id = world.launch("refer", want=1)

    def retried_meanwhile(_run_id: str) -> None:
        world.source.failing_slugs.clear()
        world.discovery.retry(run_id)

    world.work = replace(world.work, end_run=retried_meanwhile)
    world.drive(run_id)
    assert (world.discovery.run(run_id).status, world.word_states(run_id)) == ("running", {"refer": "queued"})
    assert world.drive(run_id).status == "succeeded"
    assert world.word_states(run_id) == {"refer": "done"}


# Refill --------------------------------------------------------------------------------------------------------------


def reject(world: World, slug: str, word: str, key: str = "") -> None:
    world.review.decide(DecisionRequest(world.mapping_id(slug, word), DecisionKind.REJECT, "mina", key or f"reject {slug} {word}"))


def test_a_rejection_brings_the_next_clip_while_there_is_one(world: World) -> None:
    world.source.hits = {"refer": lines("refer", 3)}
    world.discover("refer", want=2)
    first = sorted(world.source.fetches)
    reject(world, first[0], "refer")
    assert world.do_refills() == 1
    assert sorted(world.source.fetches) == ["refer-0", "refer-1", "refer-2"]
    assert world.review.queue().total == 2
    assert world.source.searches == ["refer"]
    reject(world, first[1], "refer")
    assert world.do_refills() == 0  # none is left
    assert world.review.queue().total == 1


def test_a_refill_that_failed_half_way_is_taken_up_by_the_next_rejection(world: World) -> None:
    world.source.hits = {"refer": lines("refer", 3)}
    world.discover("refer", want=2)
    first = sorted(world.source.fetches)
    left = ({"refer-0", "refer-1", "refer-2"} - set(first)).pop()
    world.source.failing_slugs[left] = KeyRefused("revoked")
    reject(world, first[0], "refer")
    assert world.do_refills() == 1
    world.source.failing_slugs.clear()
    reject(world, first[1], "refer")
    assert world.do_refills() == 1
    assert (left, "refer") in world.mapped()


@pytest.mark.parametrize("stop", ["pause", "cancel"])
def test_a_rejection_while_the_run_is_stopped_brings_the_next_clip_when_it_goes_on(world: World, stop: str) -> None:
    """A person decides while a run waits, as for a new key: no download is made for a stopped run, and none is forgotten."""
    world.source.hits = {"refer": lines("refer", 3), "matter": lines("matter", 2)}
    run_id = world.launch("refer", "matter", want=2)
    while world.word_states(run_id)["refer"] != "done":
        world.drive(run_id, only_steps=1)
    first = sorted(world.source.fetches)
    {"pause": world.discovery.pause, "cancel": world.discovery.cancel}[stop](run_id)
    time.sleep(2 * LOOK_S)
    reject(world, first[0], "refer")
    assert world.do_refills() == 1
    assert sorted(world.source.fetches) == first
    with world.database.read() as connection:
        job_id, status, reason = connection.execute(select(jobs.c.job_id, jobs.c.status, jobs.c.reason)).one()
    assert (status, "bug" in reason) == ("failed", False)
    world.discovery.resume(run_id)
    assert world.engine.jobs == [job_id]
    assert world.do_refills() == 1  # at once, though it was seen to be stopped a moment ago
    world.drive(run_id)
    assert world.word_states(run_id) == {"refer": "done", "matter": "done"}
    assert world.review.queue().total == 4


def test_a_refill_leaves_a_word_alone_that_goes_on_by_itself(world: World) -> None:
    """As when its run was resumed before the job's turn came."""
    world.source.hits = {"refer": lines("refer", 3)}
    summary = world.discover("refer", want=2)
    reject(world, sorted(world.source.fetches)[0], "refer")
    world.source.fetches.clear()
    with world.database.write() as connection:
        connection.execute(update(run_words).values(state="working", stage="choose"))
    assert world.do_refills() == 1
    assert world.source.fetches == []
    assert world.word_states(summary.run_id) == {"refer": "working"}


def test_a_word_whose_clips_were_all_rejected_is_not_done(world: World) -> None:
    world.source.hits = {"refer": lines("refer", 2), "matter": lines("matter", 1)}
    world.discover("refer", "matter")
    for slug, word in (("refer-0", "refer"), ("refer-1", "refer"), ("matter-0", "matter")):
        reject(world, slug, word)
    again = world.launch("refer", "matter")
    world.drive(again)
    assert world.word_states(again) == {"refer": "none_found", "matter": "none_found"}
    assert {row.reason for row in world.discovery.words(again)} == {
        "2 clips were rejected, and there is no other",
        "The only clip was rejected, and there is no other",
    }


# Choosing and launching ----------------------------------------------------------------------------------------------


def test_the_same_request_on_an_unfinished_run_resumes_it(world: World) -> None:
    world.source.hits = {"refer": lines("refer", 2), "matter": lines("matter", 1)}
    run_id = world.launch("refer", "matter")
    world.drive(run_id, only_steps=3)
    assert world.launch("matter", "refer") == run_id
    with pytest.raises(InvalidInput, match="run 1 has not ended"):  # its words are not searched twice
        world.launch("matter", "refer", want=2)
    world.discovery.pause(run_id)
    assert world.discovery.run(run_id).status is RunStatus.PAUSED
    assert world.launch("refer", "matter") == run_id
    assert world.discovery.run(run_id).status is RunStatus.RUNNING
    world.drive(run_id)
    assert world.source.searches.count("refer") == 1
    assert world.launch("refer", "matter") != run_id  # it has ended


def test_pause_cancel_and_resume_keep_what_was_done(world: World) -> None:
    world.source.hits = {"refer": lines("refer", 2), "matter": lines("matter", 1)}
    run_id = world.launch("refer", "matter")
    world.drive(run_id, only_steps=9)
    assert world.discovery.cancel(run_id).status is RunStatus.CANCELLED
    assert world.discovery.cancel(run_id).status is RunStatus.CANCELLED
    assert set(world.word_states(run_id).values()) == {"cancelled"}
    assert world.discovery.resume(run_id).status is RunStatus.RUNNING
    summary = world.drive(run_id)
    assert (summary.words["done"], summary.words["cancelled"]) == (2, 0)
    assert (sorted(world.source.searches), len(world.source.fetches)) == (["matter", "refer"], 3)
    with pytest.raises(Conflict):
        world.discovery.pause(run_id)
    with pytest.raises(Conflict):
        world.discovery.resume(run_id)


def test_demo_words_and_real_words_never_meet(world: World) -> None:
    world.vocabulary.import_list(b"word\nrefer\nmanual\n", exam="demo_toefl")
    world.vocabulary.import_list(b"word\nrefer\nyou\n", exam="toefl")
    world.source.hits = {"refer": [hit("real", "I refer you to the manual."), hit("shown", "I refer you to the manual.", is_demo=True)]}
    world.drive(world.launch(bundle="toefl"))
    assert world.mapped() == {("real", "refer"), ("real", "you")}
    world.drive(world.launch(bundle="demo_toefl"))
    assert world.mapped() == {("real", "refer"), ("real", "you"), ("shown", "refer"), ("shown", "manual")}
    with world.database.read() as connection:
        rows = connection.execute(
            select(clips.c.is_demo, words.c.is_demo).select_from(
                run_clips.join(clips, clips.c.clip_id == run_clips.c.clip_id).join(words, words.c.word_id == run_clips.c.word_id)
            )
        ).all()
    assert all(of_clip == of_word for of_clip, of_word in rows)


def test_words_come_from_exactly_one_place(world: World) -> None:
    for choice in (WordChoice(), WordChoice(bundle="a", words=("b",))):
        with pytest.raises(InvalidInput):
            world.discovery.choose(choice)
    with pytest.raises(NotFound):
        world.discovery.choose(WordChoice(bundle="nothing"))
    with pytest.raises(InvalidInput):
        world.discovery.choose(WordChoice(file=("empty.csv", b"\n\n")))


def test_typed_words_are_words_even_where_a_list_would_have_them_as_its_head(world: World) -> None:
    chosen = world.discovery.choose(WordChoice(words=("term", " Vocabulary ", "level,", "")))
    assert [word.text.lower() for word in chosen.words] == ["term", "vocabulary", "level"]
    assert [word.text.lower() for word in world.vocabulary.bundle_words("typed")] == ["term", "vocabulary", "level"]


def test_a_file_joins_a_bundle_of_its_name_and_a_plan_writes_nothing(world: World) -> None:
    choice = WordChoice(file=("Unit 12 words.csv", b"word\nrefer\nmatter\n"))
    planned = world.discovery.choose(choice, is_kept=False)
    plan = world.discovery.plan(planned, RunSettings())
    assert (plan.words, plan.already_covered, plan.searches, plan.downloads, plan.cost_usd) == (2, 0, 2, 0, 0.0)
    assert world.vocabulary.bundles() == []
    chosen = world.discovery.choose(choice)
    assert (chosen.bundle, [word.text for word in chosen.words]) == ("unit_12_words", ["refer", "matter"])
    assert [(bundle.name, bundle.n_words) for bundle in world.vocabulary.bundles()] == [("unit_12_words", 2)]


@pytest.mark.parametrize("name", ["demo_words.csv", "Demo words.txt", "demo.csv"])
def test_a_file_of_a_persons_own_is_never_demo(world: World, name: str) -> None:
    with pytest.raises(InvalidInput, match="demo's own"):
        world.discovery.choose(WordChoice(file=(name, b"word\nrefer\n")))
    assert world.vocabulary.bundles() == []


def test_gaps_are_the_words_under_their_want(world: World) -> None:
    world.source.hits = {"refer": lines("refer", 3), "matter": lines("matter", 1)}
    world.vocabulary.import_list(b"word\nrefer\nmatter\nzebra\n", exam="toefl")
    world.drive(world.launch(bundle="toefl", want=3))
    gaps = world.discovery.choose(WordChoice(gaps="toefl"), want=3)
    assert [word.text for word in gaps.words] == ["matter", "zebra"]  # three clips of `refer` wait for a person
    assert gaps.name == "gaps of toefl"


def test_the_same_gaps_on_an_unfinished_run_resume_it_though_some_are_filled(world: World) -> None:
    world.source.hits = {"refer": lines("refer", 3), "matter": lines("matter", 3)}
    world.vocabulary.import_list(b"word\nrefer\nmatter\n", exam="toefl")
    gaps = WordChoice(gaps="toefl")
    run_id = world.discovery.launch(world.discovery.choose(gaps), RunSettings(), actor="mina")
    while len(world.discovery.choose(gaps).words) == 2:
        world.drive(run_id, only_steps=1)
    assert world.discovery.run(run_id).status is RunStatus.RUNNING
    assert world.discovery.launch(world.discovery.choose(gaps), RunSettings(), actor="mina") == run_id
    assert world.drive(run_id).words["done"] == 2
    with pytest.raises(InvalidInput, match="No word of gaps"):
        world.discovery.launch(world.discovery.choose(gaps), RunSettings(), actor="mina")


def test_a_request_is_the_same_whatever_the_order_of_its_words(world: World) -> None:
    words_there = world.discovery.choose(WordChoice(words=("refer", "matter"))).words
    assert request_key(words_there, RunSettings()) == request_key(words_there[::-1], RunSettings())
    assert request_key(words_there, RunSettings()) != request_key(words_there, RunSettings(min_score=0.5))


def test_a_summary_has_the_keys_that_were_promised(world: World) -> None:
    world.source.hits = {"refer": lines("refer", 1)}
    found = summary_json(world.discover("refer", "zebra"))
    assert set(found) == KEYS
    assert found["words"] == {"total": 2, "done": 1, "none_found": 1, "failed": 0, "waiting_for_quota": 0, "cancelled": 0}
    assert found["status"] == "succeeded"


def test_titles_and_words_from_hell_change_nothing_but_themselves(world: World) -> None:
    odd = FilmFacts(title="../../\u202e" + "x" * 300)
    world.source.hits = {
        "refer": [hit("../../etc/passwd", "I refer <script>alert(1)</script>.", film=odd), hit("con", "Refer!", film=FILM)]
    }
    summary = world.discover("refer")
    assert summary.words["done"] == 1
    assert {slug for slug, _ in world.mapped()} == {"../../etc/passwd", "con"}
    stored = list(world.home_path.rglob("*.mp4"))
    assert stored
    assert all(path.is_relative_to(world.home_path / "media") for path in stored)


def test_a_sweep_at_start_leaves_clips_and_their_pictures(world: World) -> None:
    import os

    from core.services.storage import Storage
    from tests.loopback.invariants import check_files

    world.source.hits = {"refer": lines("refer", 1)}
    world.discover("refer")
    kept = sorted((world.home_path / "media").rglob("*.mp4"))
    assert len(kept) == 2  # the clip and its still
    for path in kept:
        os.utime(path, (1, 1))
    Storage(world.database, world.files, world.home_path).sweep()
    assert sorted((world.home_path / "media").rglob("*.mp4")) == kept
    check_files(world.database, world.files)


def test_money_that_is_reached_among_the_lines_leaves_the_rest_unjudged_and_says_so(world: World) -> None:
    world.judge.is_paid = True
    world.judge.failures = [BudgetReached("The run's limit of $0.10 is reached.")]
    world.source.hits = {"refer": lines("refer", 3)}
    run_id = world.launch("refer", want=1, max_cost_usd=0.1)
    summary = world.drive(run_id)
    assert (summary.status, summary.words["done"], len(summary.notes)) == ("succeeded", 1, 1)
    assert "85% of $0.10" in summary.notes[0]
    with world.database.read() as connection:
        unjudged = connection.execute(select(run_clips.c.reason).where(run_clips.c.reason.startswith("Not judged"))).scalars().all()
    assert len(unjudged) == 1


def test_money_that_is_reached_before_any_line_leaves_the_word_waiting(world: World) -> None:
    world.judge.is_paid = True
    world.judge.failures = [BudgetReached("The run's limit of $0.10 is reached.", hint="Launch it with a higher limit.")] * 2
    world.source.hits = {"refer": lines("refer", 2)}
    run_id = world.launch("refer", want=1, max_cost_usd=0.1)
    assert (world.drive(run_id).status, world.word_states(run_id)) == ("waiting_for_quota", {"refer": "waiting_for_quota"})
    world.discovery.resume(run_id)
    assert world.drive(run_id).status == "succeeded", "the lines are read when it goes on"
