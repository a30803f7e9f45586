"""Keys that are revoked, credit and quotas that run out, links that die, in the middle of a run: FAULTS.md 16 and 18."""

from __future__ import annotations

import pytest

from core.model.runs import StopCause
from tests.faults.conftest import Logged, Make
from tests.loopback import clipcafe, openai
from tests.loopback.clipcafe import LoopbackClipCafe
from tests.loopback.clipcafe import Misbehaviour as Cafe
from tests.loopback.fault_world import FaultWorld, all_good, one_line_each
from tests.loopback.openai import Misbehaviour as Model
from tests.loopback.paid_corpus import list_words

pytestmark = pytest.mark.timeout(200)

NEW_CAFE_KEY = "cc-brand-new-key-2718"
NEW_MODEL_KEY = "sk-brand-new-9876543210fedcba"


def n_pauses(heard: Logged) -> int:
    return sum("is paused" in record.message for record in heard.records)


def check_secretless(world: FaultWorld, heard: Logged, run_id: str) -> None:
    """I6 for keys that came later, and for what a person is told."""
    said = heard.text + repr(world.stop_of(run_id)) + repr(world.app.discovery.summary(run_id)) + repr(world.app.config)
    assert NEW_CAFE_KEY not in said and NEW_MODEL_KEY not in said
    from tests.loopback.invariants import check_no_secret

    check_no_secret(world.home, [NEW_CAFE_KEY, NEW_MODEL_KEY])
    world.check(said)


# 16: keys and credit -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_calls", [0, 5])
def test_a_revoked_model_key_pauses_once_and_a_new_one_in_the_file_goes_on(make: Make, heard: Logged, n_calls: int) -> None:
    """The worker lives on: it reads the new key by itself."""
    world = make(n_words=6)

    def judge(clip: str, asked: list[str]) -> list[dict[str, object]]:
        if len(world.openai.paid) + 1 >= n_calls:
            world.openai.keys = {NEW_MODEL_KEY}
        return all_good(clip, asked)

    world.openai.judge = judge
    if n_calls == 0:
        world.openai.keys = {NEW_MODEL_KEY}
    run_id = world.launch()
    world.drive(run_id)
    status, cause, reason = world.stop_of(run_id)
    assert (status, cause, n_pauses(heard)) == ("paused", StopCause.KEY, 1)
    assert "OPENAI_API_KEY" in reason
    paid = len(world.openai.paid)
    world.check(heard.text + reason)
    assert world.resume(run_id).status == "paused", "the same key is as bad as before"
    world.openai.judge = all_good
    world.point_to("OPENAI_API_KEY", NEW_MODEL_KEY)
    summary = world.resume(run_id)
    assert (summary.status, summary.in_doubt) == ("succeeded", 0)
    assert world.entries()["judge", "done"] == len(world.openai.paid) >= paid
    check_secretless(world, heard, run_id)


@pytest.mark.parametrize("operation", ["search", "link"])
@pytest.mark.parametrize("status", [Cafe.UNAUTHORIZED_401, Cafe.FORBIDDEN_403])
def test_a_revoked_source_key_pauses_once_and_a_new_one_in_the_file_goes_on(
    make: Make, heard: Logged, operation: str, status: Cafe
) -> None:
    words = list_words(5)
    world = make(words=words, corpus=one_line_each(words), judge=all_good, cafe=NoLinks if operation == "link" else LoopbackClipCafe)
    world.clipcafe.misbehave(operation, *[status] * 40)
    run_id = world.launch(want=1)
    world.drive(run_id)
    stopped, cause, reason = world.stop_of(run_id)
    assert (stopped, cause, n_pauses(heard)) == ("paused", StopCause.KEY, 1)
    assert "CLIPCAFE" in reason
    world.check(heard.text + reason)
    world.clipcafe._misbehaviours.clear()
    world.clipcafe.key = NEW_CAFE_KEY
    world.point_to("CLIPCAFE", NEW_CAFE_KEY)
    summary = world.resume(run_id)
    assert (summary.status, summary.words["done"]) == ("succeeded", 5)
    check_secretless(world, heard, run_id)


def test_a_key_that_is_taken_away_pauses_the_run_and_does_not_break_the_program(make: Make, heard: Logged) -> None:
    world = make(n_words=3)
    run_id = world.launch()
    world.point_to("OPENAI_API_KEY", "")
    world.openai.keys = {"another"}
    world.drive(run_id)
    assert world.stop_of(run_id)[:2] == ("paused", StopCause.KEY)
    world.openai.keys = {openai.KEY}
    world.point_to("OPENAI_API_KEY", openai.KEY)
    assert world.resume(run_id).status == "succeeded"
    world.check(heard.text)


def test_a_file_that_cannot_be_read_changes_nothing_and_is_named(make: Make, heard: Logged, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make(n_words=2)
    run_id = world.launch()
    monkeypatch.delenv("CLIPCAFE_RATE")
    (world.app.config.root_path / ".env.secrets").write_text("CLIPCAFE_RATE=very often\nOPENAI_API_KEY=sk-half-typed\n")
    summary = world.drive(run_id)
    assert summary.status == "succeeded"
    assert any("CLIPCAFE_RATE" in row.why for row in world.app.providers())
    world.check(heard.text)


def test_credit_that_is_used_up_pauses_once_and_goes_on_when_there_is_some(make: Make, heard: Logged) -> None:
    world = make(n_words=6)
    world.openai.misbehaviours.extend([None, None, None, *[Model.QUOTA_429] * 40])  # type: ignore[list-item]
    summary = world.discover()
    status, cause, reason = world.stop_of(summary.run_id)
    assert (status, cause, n_pauses(heard)) == ("paused", StopCause.CREDIT, 1)
    assert "used up" in reason
    paid = len(world.openai.paid)
    assert paid >= 1
    world.check(heard.text)
    world.openai.misbehaviours.clear()
    summary = world.resume(summary.run_id)
    assert (summary.status, summary.in_doubt) == ("succeeded", 0)
    assert world.entries()["judge", "done"] == len(world.openai.paid)
    world.check(heard.text)


# 18: links and the month ---------------------------------------------------------------------------------------------


class NoLinks(LoopbackClipCafe):
    """Its searches give no links: each download needs a fresh one."""

    def answer_search(self, params: dict[str, str], *, has_links: bool = True) -> bytes:
        return super().answer_search(params, has_links="slug" in params)


DEAD = [Cafe.FORBIDDEN_403, Cafe.GONE_410, Cafe.MISSING_404, Cafe.ERROR_400, Cafe.UNAUTHORIZED_401]


def test_dead_links_get_a_fresh_one_and_one_that_stays_dead_fails_its_clip_alone(make: Make, heard: Logged) -> None:
    """Each of the first words' links is dead once; the last two words' first clips are dead for good, and another is taken."""
    words = list_words(len(DEAD) + 2)
    world = make(words=words, corpus=one_line_each(words, n_lines=2), judge=all_good)
    once = {("download", f"{word}-0"): [wrong] for word, wrong in zip(words, DEAD, strict=False)}
    for_good = {("download", f"{word}-0"): [Cafe.GONE_410] * 9 for word in words[len(DEAD) :]}
    world.clipcafe.wrong_for = once | for_good
    summary = world.discover(want=1)
    assert set(world.states(summary.run_id).values()) == {"done"}
    assert (world.stop_of(summary.run_id)[1], summary.in_doubt) == ("", 0)
    assert world.clipcafe.answered["link"] == len(DEAD) + 2
    assert {slug for slug, *_ in world.mapped()} == {f"{word}-{0 if word in words[: len(DEAD)] else 1}" for word in words}
    world.check(heard.text)


def test_links_that_outlived_their_life_are_asked_for_anew(make: Make, heard: Logged) -> None:
    """A clip is fetched long after its search, as after a pause over night."""
    words = list_words(3)
    world = make(words=words, corpus=one_line_each(words), judge=all_good)
    world.openai.keys = set()
    run_id = world.launch(want=1)
    world.drive(run_id)
    assert world.stop_of(run_id)[1] == StopCause.KEY
    world.clipcafe.kill_links()
    world.openai.keys = {openai.KEY}
    summary = world.resume(run_id)
    assert (summary.words["done"], world.clipcafe.answered["link"]) == (3, 3)
    world.check(heard.text)


def test_a_clip_that_was_taken_down_leaves_the_word_its_next_one(make: Make, heard: Logged) -> None:
    words = list_words(2)
    world = make(words=words, corpus=one_line_each(words, n_lines=2), judge=all_good)
    world.clipcafe.wrong_for = {("download", f"{words[0]}-0"): [Cafe.MISSING_404]}
    answer = world.clipcafe.answer_search

    def without(params: dict[str, str], *, has_links: bool = True) -> bytes:
        if params.get("slug") == f"{words[0]}-0":
            return b'{"hits": {"total": {"value": 0}, "hits": []}}'
        return answer(params, has_links=has_links)

    world.clipcafe.answer_search = without  # type: ignore[method-assign]
    summary = world.discover(want=1)
    assert (summary.status, summary.words["done"]) == ("succeeded", 2)
    world.check(heard.text)


def test_a_months_downloads_that_are_used_up_leave_the_words_waiting_and_said_so(make: Make, heard: Logged) -> None:
    words = list_words(6)
    world = make(words=words, corpus=one_line_each(words), judge=all_good, CLIPCAFE_DOWNLOADS_PER_MONTH="3")
    summary = world.discover(want=1)
    assert (summary.status, world.clipcafe.answered["download"]) == ("waiting_for_quota", 3)
    assert (summary.words["done"], summary.words["waiting_for_quota"], summary.words["failed"]) == (3, 3, 0)
    waiting = [row for row in world.app.discovery.words(summary.run_id) if row.state == "waiting_for_quota"]
    assert all("month" in row.reason for row in waiting), [row.reason for row in waiting]
    world.check(heard.text)
    world.point_to("CLIPCAFE_DOWNLOADS_PER_MONTH", "100")
    searched = world.clipcafe.answered["search"]
    summary = world.resume(summary.run_id)
    assert (summary.status, world.clipcafe.answered["download"], world.clipcafe.answered["search"]) == ("succeeded", 6, searched)
    world.check(heard.text)


def test_a_runs_downloads_are_not_passed_by_those_that_are_made_again(make: Make, heard: Logged) -> None:
    """A download that broke off may count: each try is one, whatever was chosen before it."""
    words = list_words(4)
    world = make(words=words, corpus=one_line_each(words, n_lines=3), judge=all_good)
    world.clipcafe.misbehave("download", *[Cafe.CUT] * 4)
    summary = world.discover(want=1, max_downloads=2)
    assert world.clipcafe.answered["download"] == summary.downloads == 2
    assert (summary.status, summary.words["failed"]) == ("waiting_for_quota", 0)
    waiting = [row for row in world.app.discovery.words(summary.run_id) if row.state == "waiting_for_quota"]
    assert any(row.reason == "The run's limit of 2 downloads is reached" for row in waiting)
    world.check(heard.text)
    assert world.resume(summary.run_id).downloads == 2, "resuming does not raise the limit"
    world.clipcafe._misbehaviours.clear()
    assert world.discover(want=1).words["done"] == 4
    world.check(heard.text)


def test_a_months_requests_that_are_used_up_leave_the_words_waiting(make: Make, heard: Logged) -> None:
    words = list_words(5)
    world = make(words=words, corpus=one_line_each(words), judge=all_good, CLIPCAFE_REQUESTS_PER_MONTH="4")
    summary = world.discover(want=1)
    assert (summary.status, summary.words["failed"]) == ("waiting_for_quota", 0)
    assert sum(world.clipcafe.answered.values()) <= 4
    world.check(heard.text)
    world.point_to("CLIPCAFE_REQUESTS_PER_MONTH", "100")
    assert world.resume(summary.run_id).words["done"] == 5
    world.check(heard.text)


def test_a_month_that_only_the_provider_counts_pauses_the_run_with_what_it_says(make: Make, heard: Logged) -> None:
    """The operator entered no quota: the provider answers 429 to every further request."""
    words = list_words(4)
    world = make(words=words, corpus=one_line_each(words), judge=all_good)
    world.clipcafe.retry_after = "0"
    world.clipcafe.downloads_a_month = 2
    summary = world.discover(want=1)
    status, cause, reason = world.stop_of(summary.run_id)
    assert (status, cause, n_pauses(heard)) == ("paused", StopCause.PROVIDER, 1)
    assert "429" in reason
    assert world.clipcafe.answered["download"] == 2
    world.check(heard.text)
    world.clipcafe.downloads_a_month = None
    assert world.resume(summary.run_id).words["done"] == 4
    world.check(heard.text)


def test_no_page_holds_a_key(make: Make, heard: Logged) -> None:
    """What Discover and Settings draw for a run that a refused key stopped."""
    from tests.ui.pages import draw

    world = make(n_words=2)
    world.openai.keys = {NEW_MODEL_KEY}
    summary = world.discover()
    drawn = [repr(draw(page, world.app, **query)) for page, query in (("discover", {"run": summary.run_id}), ("settings", {}))]
    assert all(len(text) > 500 for text in drawn)
    assert clipcafe.KEY not in "".join(drawn) and openai.KEY not in "".join(drawn)
    world.openai.keys = {openai.KEY}
    world.resume(summary.run_id)
    world.check(heard.text + "".join(drawn))
