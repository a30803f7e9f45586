"""What the Discover page reads of a run: its stages, what it waits for, what it spent beside its plan, what it chose and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, select, update

from core.model.clips import FilmFacts, Hit, Source
from core.model.runs import Expected, Plan, RunSettings, RunStatus, Stage, StopCause, WordState
from core.services.discovery import ChosenWords, WordPlan
from core.services.plan_groups import group_words, stops_at
from core.services.run_choices import count_choices, outcome_of, read_choices
from core.services.run_now import NowKind, ServerAsks, SourceLimits, month_note, span_of, times_in_line, what_now
from core.services.run_progress import RunProgress, read_progress
from core.services.run_spending import SpentUnit, plan_of, read_spending, spent_lines
from core.services.vocabulary import Vocabulary
from core.store import runs as rows
from core.store.choices import NewChoice, save_choices
from core.store.clips import save_hit
from core.store.database import Database
from core.store.ledger_rows import totals
from core.store.rate_slots import QuotaState, RateState
from core.store.tables import ledger, mappings, proposals, runs

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
LIST = b"word,level\nabandon,beginner\nrescue,beginner\ndelay,advanced\nemergency,advanced\n"
RESETS = datetime(2026, 12, 1, tzinfo=UTC)
EXPECTED = Expected(3, 5, 1.4, 0.82, 60.0, 396, "From 396 decisions: 1.4 words a download.")
PLAN = Plan(
    words=4, already_covered=0, searches=4, fresh_links=1, downloads=5, judge_calls=40, tokens=30_000, cost_usd=0.5, minimum_s=60.0,
    requests=10, tokens_in=25_000, tokens_out=5_000, expected=EXPECTED, basis=("At most 10 requests in any 60 s.",),
)  # fmt: skip


def limits(*, n_ticks: int = 0, next_s: float = 0.0, blocked_s: float = 0.0, downloads: QuotaState | None = None) -> SourceLimits:
    """The minute with so many requests, 4 s apart and the oldest 50 s ago, and the month."""
    ticks = tuple(AT - timedelta(seconds=50 - 4 * place) for place in range(n_ticks))
    blocked = AT + timedelta(seconds=blocked_s) if blocked_s else None
    rate = RateState("h", 10, 60.0, ticks, AT + timedelta(seconds=next_s), blocked, "It asked to wait." if blocked_s else "")
    return SourceLimits(rate, QuotaState("r", None, 0, RESETS), downloads or QuotaState("d", 1000, 382, RESETS))


@dataclass
class World:
    """A run at ClipCafe over four words."""

    database: Database
    run_id: str
    word_ids: dict[str, int]

    def word(self, word: str, state: WordState, stage: str = "", **values: object) -> None:
        with self.database.write() as connection:
            rows.set_run_word(connection, self.run_id, self.word_ids[word], state=state, stage=stage, **values)

    def run(self, **values: object) -> None:
        with self.database.write() as connection:
            rows.set_run(connection, self.run_id, **values)

    def paid_by(self, name: str) -> None:
        """Judge and recogniser of the run."""
        with self.database.write() as connection:
            frozen = connection.execute(select(runs.c.settings)).scalar_one()
            connection.execute(update(runs).values(settings={**frozen, "judge": name, "transcriber": name}))

    def clip(self, slug: str, word: str, *, stage: Stage = Stage.CHOOSE, outcome: str = "chosen") -> int:
        with self.database.write() as connection:
            clip = save_hit(connection, Hit(Source.CLIPCAFE, slug, "", f"Say {word}.", "", 5.0, FilmFacts("Charade")), slug)
            rows.set_run_clip(connection, self.run_id, self.word_ids[word], clip.clip_id, stage=stage, outcome=outcome)
        return clip.clip_id

    def mapping(self, clip_id: int, word: str, state: str) -> None:
        known = {"clip_id": clip_id, "word_id": self.word_ids[word], "relevance": 0.9, "evidence_state": "heard", "run_id": self.run_id}
        with self.database.write() as connection:
            made = connection.execute(insert(proposals).values(
                **known, stage="final", input_key=f"{clip_id}", judge="j", model="m", prompt_version="1", reason="", difficulty="",
                evidence=[], features={}, tokens=0, cost_usd=0.0, created_at=AT,
            )).inserted_primary_key  # fmt: skip
            row = {"proposal_id": made[0], "state": state, "version": 1, "reasons": [], "created_at": AT, "updated_at": AT}
            connection.execute(insert(mappings).values(**known, **row))

    def call(
        self,
        number: int,
        operation: str,
        *,
        state: str = "done",
        cost_usd: float | None = 0.0,
        tokens: tuple[int, int] = (0, 0),
        expected_usd: float = 0.0,
    ) -> None:
        with self.database.write() as connection:
            connection.execute(insert(ledger).values(
                call_key=f"k{number}", attempt=1, provider="p", operation=operation, model="", prompt_version="", state=state,
                run_id=self.run_id, worker_id="w", tokens_in=tokens[0], tokens_out=tokens[1], cost_usd=cost_usd, expected_usd=expected_usd,
                intended_at=AT,
            ))  # fmt: skip

    def progress(self) -> RunProgress:
        return read_progress(self.database, self.run_id)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    database = Database(tmp_path / "home")
    vocabulary = Vocabulary(database)
    vocabulary.import_list(LIST, exam="toefl", file_name="toefl.csv")
    words = vocabulary.bundle_words("toefl_advanced")
    settings = RunSettings(source=Source.CLIPCAFE, bundle="toefl_advanced")
    with database.write() as connection:
        run_id = rows.create_run(
            connection, name="toefl_advanced", settings=settings, word_ids=[word.word_id for word in words], request_key="k", actor="mina",
            plan=asdict(PLAN),
        )  # fmt: skip
        rows.set_run(connection, run_id, status=RunStatus.RUNNING, worked_s=30.0)
    yield World(database, run_id, {word.text: word.word_id for word in words})
    database.close()


# What it waits for ---------------------------------------------------------------------------------------------------


def test_a_full_minute_is_named_with_the_moment_of_the_next_search_and_what_goes_on(world: World) -> None:
    world.word("abandon", WordState.WORKING, Stage.TRANSCRIBE)
    world.word("rescue", WordState.WORKING, Stage.SCORE)
    now = what_now(world.progress(), limits(n_ticks=10, next_s=3.2), n_workers=2, at=AT)
    assert (now.kind, now.stage) == (NowKind.RATE, Stage.SEARCH)
    assert now.says == "Waiting for ClipCafe’s rate limit. Next search in 4 s."
    assert now.about == "10 of 10 calls in the last 60 s, shared by 2 workers. Transcribing and scoring go on."


def test_once_all_is_searched_the_next_request_is_a_download(world: World) -> None:
    for word in ("abandon", "rescue", "delay", "emergency"):
        world.word(word, WordState.WORKING, Stage.FETCH)
    now = what_now(world.progress(), limits(n_ticks=10, next_s=3.2), n_workers=1, at=AT)
    assert now.says.endswith("Next download in 4 s.") and now.stage is Stage.FETCH
    assert "workers" not in now.about


def test_a_full_minute_holds_nobody_up_when_no_word_needs_a_request(world: World) -> None:
    for word in ("abandon", "rescue", "delay", "emergency"):
        world.word(word, WordState.WORKING, Stage.SCORE, detail="Scoring")
    now = what_now(world.progress(), limits(n_ticks=10, next_s=30), n_workers=1, at=AT)
    assert (now.kind, now.says) == (NowKind.WORKING, "Scoring, for abandon.")


def test_a_wait_of_a_moment_is_no_line(world: World) -> None:
    world.word("abandon", WordState.WORKING, Stage.SEARCH, detail="Searching")
    assert what_now(world.progress(), limits(n_ticks=4, next_s=0.6), n_workers=1, at=AT).kind is NowKind.WORKING


def test_a_month_that_is_used_up_is_said_before_a_launch() -> None:
    assert month_note(limits()) == ""
    used_up = limits(downloads=QuotaState("d", 12, 12, RESETS))
    assert month_note(used_up) == "This month’s downloads are used up: what needs one waits, with its place kept, until 1 December."


def test_a_block_by_the_provider_is_its_own_line(world: World) -> None:
    now = what_now(world.progress(), limits(n_ticks=3, next_s=170, blocked_s=170), n_workers=1, at=AT)
    assert (now.kind, now.says) == (NowKind.BLOCKED, "ClipCafe asked everyone to wait: 3 min left.")
    assert now.about.startswith("It asked to wait.")


def asks(seconds: float) -> ServerAsks:
    return ServerAsks("api.openai.com", AT + timedelta(seconds=seconds), "api.openai.com answered 429.")


@pytest.mark.parametrize(
    ("stage", "is_asked"), [(Stage.SHORTLIST, True), (Stage.SCORE, True), (Stage.TRANSCRIBE, True), (Stage.FETCH, False)]
)
def test_a_judge_or_recogniser_that_asks_to_wait_is_named_where_a_word_waits_for_it(world: World, stage: Stage, is_asked: bool) -> None:
    world.word("abandon", WordState.WORKING, stage)
    world.paid_by("openai")
    now = what_now(world.progress(), limits(), n_workers=1, at=AT, asks=asks(170))
    assert (now.kind is NowKind.ASKED) == is_asked
    if is_asked:
        assert (now.says, now.about) == ("api.openai.com asked everyone to wait: 3 min left.", "api.openai.com answered 429.")
        assert (now.stage, now.until) == (stage, asks(170).until)


def test_the_server_s_wait_says_nothing_to_a_run_that_does_not_ask_it_or_when_it_is_over(world: World) -> None:
    world.word("abandon", WordState.WORKING, Stage.SHORTLIST)
    assert what_now(world.progress(), limits(), n_workers=1, at=AT, asks=asks(170)).kind is NowKind.WORKING
    world.paid_by("openai")
    assert what_now(world.progress(), limits(), n_workers=1, at=AT, asks=asks(0.5)).kind is NowKind.WORKING
    assert what_now(world.progress(), None, n_workers=1, at=AT, asks=asks(9)).kind is NowKind.ASKED, "own films are judged too"


def test_where_source_and_server_ask_to_wait_the_source_is_named_and_nothing_goes_on(world: World) -> None:
    world.word("abandon", WordState.WORKING, Stage.SHORTLIST)
    world.paid_by("openai")
    blocked = what_now(world.progress(), limits(next_s=170, blocked_s=170), n_workers=1, at=AT, asks=asks(60))
    assert (blocked.kind, blocked.about) == (NowKind.BLOCKED, "It asked to wait.")
    full = limits(n_ticks=10, next_s=9)
    assert what_now(world.progress(), full, n_workers=1, at=AT, asks=asks(60)).kind is NowKind.ASKED


def test_without_a_worker_nothing_else_is_said(world: World) -> None:
    assert what_now(world.progress(), limits(n_ticks=10, next_s=9), n_workers=0, at=AT).kind is NowKind.NO_WORKER


@pytest.mark.parametrize("cause", [StopCause.KEY, StopCause.CREDIT, StopCause.PROVIDER, StopCause.DISK])
def test_a_stop_says_why_once_and_what_to_do(world: World, cause: StopCause) -> None:
    world.run(status=RunStatus.PAUSED, stopped_for=cause, reason="api.clip.cafe refused the key.")
    now = what_now(world.progress(), limits(), n_workers=1, at=AT)
    assert (now.kind, now.says, now.has_remedy) == (NowKind.STOPPED, "Paused: api.clip.cafe refused the key.", True)
    assert now.about


def test_a_person_s_pause_needs_no_remedy(world: World) -> None:
    world.run(status=RunStatus.PAUSED, stopped_for=StopCause.PERSON)
    now = what_now(world.progress(), limits(), n_workers=1, at=AT)
    assert (now.kind, now.says, now.has_remedy) == (NowKind.PAUSED, "Paused. 4 words keep their place.", False)


def test_a_run_that_waits_for_room_on_the_disk_is_still_looked_at(world: World) -> None:
    world.run(status=RunStatus.PAUSED, stopped_for=StopCause.DISK)
    assert world.progress().is_moving
    world.run(stopped_for=StopCause.KEY)
    assert not world.progress().is_moving


def waiting_for_quota(world: World, reason: str) -> None:
    for word in ("abandon", "rescue", "delay", "emergency"):
        world.word(word, WordState.WAITING_FOR_QUOTA, Stage.FETCH, reason=reason)
    world.clip("a", "abandon", outcome="chosen")
    world.clip("b", "abandon", stage=Stage.SHORTLIST, outcome="waiting")
    world.clip("c", "rescue", stage=Stage.SCORE, outcome="ok")
    world.run(status=RunStatus.WAITING_FOR_QUOTA)


def test_a_used_up_month_says_how_many_clips_wait_and_until_when(world: World) -> None:
    waiting_for_quota(world, "This month's quota is used up: 1000.")
    used_up = limits(downloads=QuotaState("d", 1000, 1000, RESETS))
    now = what_now(world.progress(), used_up, n_workers=1, at=AT)
    assert now.says == "Month’s downloads are used up. 2 clips wait, with their place kept, until 1 December."
    assert now.kind is NowKind.QUOTA and now.has_remedy


def test_the_run_s_own_limit_is_told_from_the_month_s(world: World) -> None:
    waiting_for_quota(world, "The run's limit of $1.00 is reached.")
    now = what_now(world.progress(), limits(), n_workers=1, at=AT)
    assert now.says == "The run's limit of $1.00 is reached. 2 clips wait, with their place kept."


def test_words_in_line_know_when_they_can_be_searched_at_the_earliest(world: World) -> None:
    world.word("abandon", WordState.WORKING, Stage.SEARCH)
    found = times_in_line(world.progress(), limits(n_ticks=10, next_s=10), at=AT)
    assert found == {world.word_ids["rescue"]: 14.0, world.word_ids["delay"]: 18.0, world.word_ids["emergency"]: 22.0}
    assert times_in_line(world.progress(), None, at=AT) == {}


def test_more_words_than_a_minute_allows_wait_another_window(world: World) -> None:
    narrow = SourceLimits(RateState("h", 2, 60.0, (), AT, None, ""), QuotaState("r", None, 0, RESETS), QuotaState("d", None, 0, RESETS))
    assert list(times_in_line(world.progress(), narrow, at=AT).values()) == [0.0, 0.0, 60.0, 60.0]


def test_a_wait_is_rounded_up() -> None:
    assert [span_of(seconds) for seconds in (0.1, 4.0, 4.2, 99, 100.5, 170)] == ["1 s", "4 s", "5 s", "99 s", "2 min", "3 min"]


# What it spent -------------------------------------------------------------------------------------------------------


def test_spending_counts_requests_downloads_judge_calls_and_tokens_beside_the_plan(world: World) -> None:
    for number, operation in enumerate(("search", "search", "link", "download")):
        world.call(number, operation)
    world.call(10, "judge", cost_usd=0.02, tokens=(400, 60))
    world.call(11, "judge_repair", cost_usd=0.01, tokens=(500, 70))
    world.call(12, "judge", state="failed", cost_usd=None)
    spent = read_spending(world.database, world.progress())
    assert (spent.requests, spent.searches, spent.downloads, spent.judge_calls) == (4, 2, 1, 2)
    assert (spent.tokens_in, spent.tokens_out, round(spent.cost_usd, 6), spent.is_at_least, spent.in_doubt) == (900, 130, 0.03, False, 0)
    lines = {line.name: (line.n_spent, line.n_planned) for line in spent_lines(world.progress(), spent)}
    assert lines == {
        "Requests": (4, 10), "Downloads": (1, 5), "Judge calls": (2, 40), "Tokens": (1030, 30_000), "Money": (spent.cost_usd, 0.5),
        "Time": (30.0, 60.0),
    }  # fmt: skip


def test_a_call_in_doubt_and_an_unknown_price_make_it_at_least(world: World) -> None:
    world.call(1, "search", cost_usd=None)
    assert not read_spending(world.database, world.progress()).is_at_least  # a search has no price of its own
    world.call(2, "judge", cost_usd=None)
    assert read_spending(world.database, world.progress()).is_at_least
    world.call(3, "judge", state="in_doubt", cost_usd=None, expected_usd=0.02)
    spent = read_spending(world.database, world.progress())
    assert (spent.in_doubt, spent.judge_calls, spent.cost_usd) == (1, 2, 0.02)
    with world.database.read() as connection:
        assert totals(connection, world.run_id).cost_usd == spent.cost_usd
    money = next(line for line in spent_lines(world.progress(), spent) if line.unit is SpentUnit.USD)
    assert money.is_at_least


def test_a_plan_comes_back_as_it_was_launched(world: World) -> None:
    assert plan_of(world.progress().run) == PLAN
    world.run(plan={**asdict(PLAN), "of_a_newer_version": 1})
    assert plan_of(world.progress().run) == PLAN
    world.run(plan=None)
    assert plan_of(world.progress().run) is None


def test_words_that_gain_count_approved_and_waiting_clips_and_words_a_download(world: World) -> None:
    one, two = world.clip("a", "abandon", outcome="ok"), world.clip("b", "rescue", outcome="ok")
    world.mapping(one, "abandon", "approved")
    world.mapping(one, "delay", "in_review")
    world.mapping(two, "rescue", "rejected")
    world.call(1, "download")
    world.call(2, "download")
    progress = world.progress()
    assert (progress.n_gain_clips, progress.n_gain_words, progress.n_review_clips, progress.n_review_words) == (1, 2, 1, 1)
    assert read_spending(world.database, progress).words_a_download == 1.0


def test_the_levels_are_the_lowest_of_any_list(world: World) -> None:
    Vocabulary(world.database).import_list(b"word,level\ndelay,beginner\n", exam="ielts", file_name="ielts.csv")
    levels = world.progress().levels
    assert (levels[world.word_ids["delay"]], levels[world.word_ids["emergency"]]) == ("beginner", "advanced")


# What it chose -------------------------------------------------------------------------------------------------------


def test_choices_come_window_by_window_newest_first_with_what_became_of_them(world: World) -> None:
    first, second, third = (world.clip(slug, "abandon") for slug in ("a", "b", "c"))
    gains = [{"word_id": world.word_ids["abandon"], "probability": 0.8, "counts_for": 1.0, "score": 0.9, "level": "beginner"}]
    basis = {"n_words": 1, "film": "Charade", "n_decided": 41}
    with world.database.write() as connection:
        save_choices(connection, world.run_id, 1, [NewChoice(first, world.word_ids["abandon"], 0.8, gains, basis)])
        save_choices(
            connection, world.run_id, 2, [NewChoice(clip_id, world.word_ids["abandon"], 0.4, gains, basis) for clip_id in (second, third)]
        )
        rows.set_run_clip(connection, world.run_id, world.word_ids["abandon"], first, stage=Stage.SCORE, outcome="ok")
    windows = read_choices(world.database, world.run_id, limit=50)
    assert [(window.number, len(window.choices), round(window.expected, 6)) for window in windows] == [(2, 2, 0.8), (1, 1, 0.8)]
    assert "n = 41" in windows[1].choices[0].says
    count = count_choices(world.database, world.run_id)
    assert (count.n_windows, count.n_clips) == (2, 3)
    progress = world.progress()
    assert [outcome_of(window.choices[0], progress) for window in windows] == ["Being fetched", "On the desk"]
    world.run(status=RunStatus.PAUSED)
    assert outcome_of(windows[0].choices[0], world.progress()) == "Not fetched yet"


# A plan's words ------------------------------------------------------------------------------------------------------


def test_every_word_of_a_plan_stands_in_one_group(world: World) -> None:
    planned = [
        WordPlan("abandon", 3, 0, 0),
        WordPlan("rescue", 1, 2, 0),
        WordPlan("delay", 0, 0, 3),
        WordPlan("emergency", 0, 0, 0, in_run=12),
        WordPlan("harbour", 0, 0, 0, is_in_production=True),
        WordPlan("storm", 2, 0, 1, n_searches=0),
    ]
    chosen = ChosenWords("toefl_advanced", "toefl_advanced", (), is_demo=False)
    groups = group_words(world.database, chosen, planned, 3, Source.CLIPCAFE)
    found = [
        [word.word for word in group] for group in (groups.covered, groups.in_review, groups.to_search, groups.in_run, groups.in_production)
    ]
    assert found == [["abandon"], ["rescue"], ["delay", "storm"], ["emergency"], ["harbour"]]
    assert (groups.n_wanted, groups.run_numbers, groups.level_of(planned[2])) == (4, (12,), "advanced")
    assert [groups.searches_of(word) for word in groups.to_search] == [1, 0]
    assert groups.searches_of(planned[0]) is None
    own = group_words(world.database, chosen, planned, 3, Source.LIBRARY)
    assert [own.searches_of(word) for word in own.to_search] == [0, 0]


def test_where_a_run_stops_is_one_sentence() -> None:
    assert stops_at(3, 150, 1.0, Source.CLIPCAFE) == "3 clips a word, 150 downloads or $1.00, whichever comes first"
    assert stops_at(1, 150, None, Source.LIBRARY) == "1 clip a word"
