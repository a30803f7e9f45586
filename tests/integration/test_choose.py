"""The choice of a run whose downloads are limited: real store, real stages and threads as in a worker, fakes behind the ports."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select

from core.adapters.source_fake import FakeClipSource
from core.errors import ProviderError, ProviderUnavailable, UnreadableMedia, WordreelError
from core.model.calls import Answer, PaidCall
from core.model.clips import Clip, FilmFacts, Scores, Source
from core.model.reviews import DecisionKind, DecisionRequest
from core.model.runs import RunStatus, RunSummary
from core.pipeline import choose, fetch, steps
from core.pipeline.bench import Pace
from core.pipeline.ledger import DoubtPolicy, Ledger
from core.rules.rates import RateLimit
from core.store.choice_tables import run_choices
from core.store.choices import choices_of_run, decided_pairs, load_approval_model, n_choices
from core.store.runs import set_run_clip, set_run_word
from core.store.tables import clips, ledger, run_clips
from core.store.tables import words as word_table
from tests.loopback.discovery_world import World, hit

DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)


class PaidSource(FakeClipSource):
    """Each fetch is a row of the ledger, as ClipCafe's are; it can take its time."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger: Ledger | None = None
        self.run_id = ""
        self.hold: dict[str, threading.Event] = {}
        self.gates: dict[str, threading.Event] = {}
        self._lock = threading.Lock()

    def search(self, word, *, max_hits, edition=""):  # type: ignore[no-untyped-def,override]
        if word.text in self.gates:
            assert self.gates[word.text].wait(30)
        return super().search(word, max_hits=max_hits, edition=edition)

    def fetch(self, clip: Clip, into: Path) -> Path:
        if clip.slug in self.hold:
            assert self.hold[clip.slug].wait(30)
        assert self.ledger is not None
        with self._lock:
            content = f"{clip.slug} {len(self.fetches)}"
        self.ledger.call(
            PaidCall("clipcafe", "download", "", "", content), lambda: self._paid(clip), run_id=self.run_id, policy=DoubtPolicy.REPEAT
        )
        into.mkdir(parents=True, exist_ok=True)
        path = into / "clip.mp4"
        path.write_bytes(f"cut {clip.start_s!r} {clip.end_s!r} {clip.slug}".encode())
        return path

    def _paid(self, clip: Clip) -> Answer:
        self.fetches.append(clip.slug)
        if clip.slug in self.failing_slugs:
            raise self.failing_slugs[clip.slug]
        return Answer({"size_bytes": 1}, cost_usd=0.0)


class LimitedWorld(World):
    """A world whose source counts: a rate, a link's life, a month's quota. Words are worked on by threads, as in a worker."""

    source: PaidSource

    def __init__(self, home_path: Path, database_url: str = "") -> None:
        super().__init__(home_path, source=PaidSource(), database_url=database_url)
        self.month_left: int | None = None
        self.rate, self.link_life_s = RateLimit(10, 60.0), 300.0
        self.source.ledger = Ledger(self.database, "the worker")
        self.bench._pace_of = lambda _source: Pace(
            self.rate, self.link_life_s, lambda: self.month_left, lambda: datetime(2026, 12, 1, tzinfo=UTC)
        )

    def run_threads(
        self, run_id: str, *, n_slots: int = 40, until: Callable[[], bool] = lambda: False, timeout_s: float = 60
    ) -> RunSummary:
        """Work on the run as a worker with `n_slots` does, to its end or until the condition holds."""
        run = self.discovery.run(run_id)
        self.source.run_id = run_id
        assert steps.begin_run(self.database, self.work, run_id, run.attempt)
        begun: set[tuple[int, int]] = set()
        deadline = time.monotonic() + timeout_s
        failures: list[BaseException] = []

        def work_on(word_id: int, attempt: int) -> None:
            try:
                while steps.take_step(self.database, self.work, run_id, word_id, attempt):
                    if self.discovery.run(run_id).status is not RunStatus.RUNNING:
                        return
            except BaseException as error:
                failures.append(error)
                raise

        with ThreadPoolExecutor(n_slots) as pool:
            while not until():
                assert time.monotonic() < deadline, f"it hangs: {self.seen(run_id)}"
                assert not failures
                open_words = steps.open_words(self.database, run_id, 500)
                if not open_words or self.discovery.run(run_id).status is not RunStatus.RUNNING:
                    break
                for word in open_words:
                    if (word.word_id, word.attempt) not in begun:
                        begun.add((word.word_id, word.attempt))
                        pool.submit(work_on, word.word_id, word.attempt)
                time.sleep(0.02)
        if not steps.open_words(self.database, run_id, 1):
            steps.end_run(self.database, self.work, run_id, run.attempt)
        return self.discovery.summary(run_id)

    def seen(self, run_id: str) -> list[tuple[str, str, str, str]]:
        return [(row.word, str(row.state), row.stage, row.detail) for row in self.discovery.words(run_id)]

    def choices(self, run_id: str):  # type: ignore[no-untyped-def]
        with self.database.read() as connection:
            return choices_of_run(connection, run_id, limit=500)

    def n_downloads(self) -> int:
        with self.database.read() as connection:
            return connection.execute(
                select(func.count()).where(ledger.c.operation == "download", ledger.c.state.in_(("intended", "done", "in_doubt")))
            ).scalar_one()

    def reasons(self, run_id: str) -> dict[str, str]:
        return {row.word: row.reason for row in self.discovery.words(run_id)}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LimitedWorld]:
    monkeypatch.setattr(choose, "POLL_S", 0.02)
    made = LimitedWorld(tmp_path / "home")
    yield made
    made.close()


NAMES = ["harbour", "lantern", "keeper", "island", "winter", "silver", "market", "castle", "forest", "garden", "window", "bridge"]


def single(world: LimitedWorld, words: list[str], n: int = 3) -> None:
    """Each word has `n` clips in which it is alone."""
    world.source.hits = {word: [hit(f"{word}-{place}", f"We saw the {word} {place} times.") for place in range(n)] for word in words}


def scored(world: LimitedWorld, scores: dict[str, float]) -> None:
    """The judge gives a line that has one of these texts in it that score, for all its words."""
    judge = world.judge.judge

    def judged(clip, words):  # type: ignore[no-untyped-def]
        for text, score in scores.items():
            if text in clip.text:
                world.judge.script = {word.text: Scores(0.9, 0.9, score) for word in words}
                break
        else:
            world.judge.script = {}
        return judge(clip, words)

    world.judge.judge = judged  # type: ignore[method-assign]


# Sharing and owners --------------------------------------------------------------------------------------------------


def test_a_clip_that_serves_several_words_is_preferred_and_fetched_by_one(world: LimitedWorld) -> None:
    crowd = hit("crowd", "The lantern in the harbour.")
    world.source.hits = {
        "harbour": [hit("harbour-0", "A quiet harbour."), crowd],
        "lantern": [hit("lantern-0", "A bright lantern."), crowd],
    }
    run_id = world.launch("harbour", "lantern", want=1)
    summary = world.run_threads(run_id)
    assert world.source.fetches == ["crowd"]
    assert world.mapped() == {("crowd", "harbour"), ("crowd", "lantern")}
    assert summary.words["done"] == 2
    (chosen,) = world.choices(run_id)
    assert {gain.word for gain in chosen.gains} == {"harbour", "lantern"}
    assert chosen.outcome == "ok"
    assert chosen.expected == pytest.approx(sum(gain.probability for gain in chosen.gains), abs=1e-3)


def test_who_waits_for_a_shared_clip_says_so_and_takes_its_outcome(world: LimitedWorld) -> None:
    crowd = hit("crowd", "The lantern in the harbour.")
    world.source.hits = {"harbour": [crowd], "lantern": [crowd]}
    world.source.hold["crowd"] = threading.Event()
    run_id = world.launch("harbour", "lantern", want=1)
    said: list[str] = []

    def is_waited_for() -> bool:
        said.extend(row.detail for row in world.discovery.words(run_id) if "shared" in row.detail)
        if said:
            world.source.hold["crowd"].set()
        return False

    world.run_threads(run_id, until=is_waited_for)
    assert said[0] in ("Waits for a clip shared with harbour", "Waits for a clip shared with lantern")
    with world.database.read() as connection:
        outcomes = connection.execute(select(run_clips.c.stage, run_clips.c.outcome)).all()
    assert outcomes == [("score", "ok"), ("score", "ok")]
    assert [row.detail for row in world.discovery.words(run_id)] == ["1 clip to review"] * 2


def test_a_shared_clip_that_fails_frees_the_others_for_their_own(world: LimitedWorld) -> None:
    crowd = hit("crowd", "The lantern in the harbour.")
    world.source.hits = {
        "harbour": [crowd, hit("harbour-0", "A quiet harbour.")],
        "lantern": [crowd, hit("lantern-0", "A bright lantern.")],
    }
    world.source.failing_slugs["crowd"] = UnreadableMedia("crowd is cut off.")
    run_id = world.launch("harbour", "lantern", want=1)
    summary = world.run_threads(run_id)
    assert sorted(world.source.fetches) == ["crowd", "harbour-0", "lantern-0"]  # the crowd's once only
    assert summary.words["done"] == 2


def test_a_word_never_has_more_on_its_way_than_it_misses(world: LimitedWorld) -> None:
    both = [hit(f"both-{place}", f"The lantern in the harbour, {place} times.") for place in range(6)]
    world.source.hits = {"harbour": both, "lantern": [*both, hit("lantern-0", "A bright lantern.")]}
    run_id = world.launch("harbour", "lantern", want=2)
    world.run_threads(run_id)
    assert len(world.source.fetches) == 2
    assert world.word_states(run_id) == {"harbour": "done", "lantern": "done"}


def test_words_that_are_not_searched_yet_count_for_the_choice(world: LimitedWorld) -> None:
    world.source.hits = {
        "harbour": [hit("alone", "A quiet harbour."), hit("crowd", "The lantern in the harbour.")],
        "lantern": [hit("lantern-0", "A bright lantern.")],
    }
    run_id = world.launch("harbour", "lantern", want=1)
    world.run_threads(run_id, n_slots=1)  # `lantern` begins when `harbour` has ended
    assert world.source.fetches == ["crowd"]
    assert world.source.searches == ["harbour"]
    assert world.word_states(run_id) == {"harbour": "done", "lantern": "done"}


# Windows -------------------------------------------------------------------------------------------------------------


def in_turn(world: LimitedWorld, run_id: str, steps_of: list[tuple[Callable[[], bool], str]]) -> Callable[[], bool]:
    """For `until`: when a condition holds, the search of a word is let through, one after the other."""
    left = list(steps_of)
    for _, word in left:
        world.source.gates[word] = threading.Event()

    def look() -> bool:
        if left and left[0][0]():
            world.source.gates[left.pop(0)[1]].set()
        return False

    return look


def waits(world: LimitedWorld, run_id: str) -> set[str]:
    return {word for word, _, _, detail in world.seen(run_id) if "next choice" in detail}


def test_the_first_clip_is_chosen_at_once_and_the_others_in_one_window(world: LimitedWorld) -> None:
    """The second word waits, though nothing is fetched any more, because others have not come so far."""
    single(world, NAMES)
    run_id = world.launch(*NAMES, want=1)

    def has_first() -> bool:
        return len(world.source.fetches) == 1 and world.word_states(run_id)[NAMES[0]] == "done"

    def all_wait() -> bool:
        return waits(world, run_id) == set(NAMES[1:-1])

    gates = [(has_first, word) for word in NAMES[1:-1]] + [(all_wait, NAMES[-1])]
    summary = world.run_threads(run_id, until=in_turn(world, run_id, gates))
    with world.database.read() as connection:
        counted = select(func.count(run_choices.c.clip_id)).group_by(run_choices.c.window)
        sizes = connection.execute(counted.order_by(run_choices.c.window)).scalars().all()
        assert n_choices(connection, run_id)[:2] == (2, 12)
    assert sizes == [1, 11]
    assert summary.words["done"] == 12


def test_a_full_window_does_not_wait_for_the_rest(world: LimitedWorld) -> None:
    single(world, NAMES)
    world.rate = RateLimit(10, 600.0)  # 4 requests in a link's life: windows of two words
    run_id = world.launch(*NAMES[:5], want=1)

    def has(n: int) -> Callable[[], bool]:
        return lambda: len(world.source.fetches) >= n

    world.run_threads(
        run_id, until=in_turn(world, run_id, [(has(1), NAMES[1]), (has(1), NAMES[2]), (has(3), NAMES[3]), (has(3), NAMES[4])])
    )
    windows = Counter(row.window for row in world.choices(run_id))  # that it ended shows it: the last two are let go by what it fetched
    assert sum(windows.values()) == 5
    assert max(windows.values()) <= 2


def test_a_word_does_not_wait_longer_than_its_links_live(world: LimitedWorld) -> None:
    single(world, NAMES[:3])
    world.rate, world.link_life_s = RateLimit(1000, 1.0), 6.0
    run_id = world.launch(*NAMES[:3], want=1)
    gates = [(lambda: bool(world.source.fetches), NAMES[1]), (lambda: len(world.source.fetches) == 2, NAMES[2])]
    world.run_threads(run_id, until=in_turn(world, run_id, gates), timeout_s=25)
    assert [row.window for row in world.choices(run_id)] == [3, 2, 1]


def test_a_paused_run_lets_go_of_the_words_that_wait(world: LimitedWorld) -> None:
    single(world, NAMES[:3])
    run_id = world.launch(*NAMES[:3], want=1)
    look = in_turn(world, run_id, [(lambda: world.word_states(run_id)[NAMES[0]] == "done", NAMES[1]), (lambda: False, NAMES[2])])

    def pause_when_it_waits() -> bool:
        if waits(world, run_id):
            world.discovery.pause(run_id)
            world.source.gates[NAMES[2]].set()
            return True
        return look()

    world.run_threads(run_id, until=pause_when_it_waits)
    assert world.discovery.run(run_id).status is RunStatus.PAUSED
    assert len(world.source.fetches) == 1
    time.sleep(0.5)  # a pause is looked for twice a second
    world.discovery.resume(run_id)
    assert world.run_threads(run_id).words["done"] == 3
    assert sorted(world.source.searches) == sorted(NAMES[:3])


def test_nothing_hangs_with_two_slots_and_shared_clips_in_every_direction(world: LimitedWorld) -> None:
    """Every clip serves two neighbours in a ring, so that each word waits for another's; there are two places on the queue."""
    ring = [hit(f"ring-{at}", f"The {NAMES[at]} and the {NAMES[(at + 1) % 12]}.") for at in range(12)]
    world.source.hits = {NAMES[at]: [ring[at], ring[at - 1]] for at in range(12)}
    world.source.failing_slugs = {"ring-3": UnreadableMedia("cut"), "ring-8": UnreadableMedia("cut")}
    world.rate, world.link_life_s = RateLimit(1000, 1.0), 6.0
    run_id = world.launch(*NAMES, want=1)
    summary = world.run_threads(run_id, n_slots=2)
    assert summary.words["done"] == 12
    assert len(set(world.source.fetches)) == len(world.source.fetches)


def test_an_owner_that_never_moves_is_not_waited_for_for_ever(world: LimitedWorld) -> None:
    """As after a crash, when those who wait have all places on the queue and the owner of their clip has none."""
    crowd = hit("crowd", "The lantern in the harbour.")
    world.source.hits = {"harbour": [crowd], "lantern": [crowd, hit("lantern-0", "A bright lantern.")]}
    run_id = world.launch("harbour", "lantern", want=1)
    world.link_life_s = 2.0
    world.drive(run_id, only_steps=8)  # both have come to the choice
    with world.database.write() as connection:
        ids = {row.text: row.word_id for row in connection.execute(select(word_table.c.text, word_table.c.word_id))}
        clip_id = connection.execute(select(clips.c.clip_id).where(clips.c.slug == "crowd")).scalar_one()
        set_run_clip(connection, run_id, ids["harbour"], clip_id, stage="choose", outcome="chosen")
    began = time.monotonic()
    assert choose.run_choose(world.bench, run_id, ids["lantern"]) is None
    assert 2 < time.monotonic() - began < 20
    with world.database.read() as connection:
        rows = connection.execute(select(run_clips.c.word_id).where(run_clips.c.outcome == "chosen")).scalars().all()
    assert rows == [ids["lantern"]]


def test_a_clip_that_is_here_is_not_waited_for_beyond_a_links_life_when_its_owner_does_not_move(world: LimitedWorld) -> None:
    """Its owner fetched it and then stands still, as for a judge that asks everybody to wait: who waits neither hangs nor spins."""
    crowd = hit("crowd", "The lantern in the harbour.")
    world.source.hits = {"harbour": [crowd], "lantern": [crowd]}
    run_id = world.launch("harbour", "lantern", want=1)
    world.source.run_id = run_id
    world.link_life_s = 0.5
    world.drive(run_id, only_steps=8)  # both have come to the choice
    ids = {row.word: row.word_id for row in world.discovery.words(run_id)}
    with world.database.write() as connection:
        clip_id = connection.execute(select(clips.c.clip_id).where(clips.c.slug == "crowd")).scalar_one()
        set_run_clip(connection, run_id, ids["harbour"], clip_id, stage="choose", outcome="chosen")
        set_run_word(connection, run_id, ids["harbour"], stage="fetch")
    assert fetch.run_fetch(world.bench, run_id, ids["harbour"]) is None
    waiting = threading.Thread(target=choose.run_choose, args=(world.bench, run_id, ids["lantern"]), daemon=True)
    waiting.start()
    waiting.join(20)
    is_stuck = waiting.is_alive()
    with world.database.write() as connection:  # let it go in any case
        set_run_word(connection, run_id, ids["harbour"], state="failed")
    waiting.join(20)
    assert not is_stuck
    with world.database.read() as connection:
        taken = run_clips.c.word_id == ids["lantern"], run_clips.c.outcome == "chosen"
        assert connection.execute(select(run_clips.c.clip_id).where(*taken)).scalars().all() == [clip_id]
    assert world.source.fetches == ["crowd"]


def test_who_waits_takes_over_what_an_owner_without_a_place_on_the_queue_cannot_fetch(world: LimitedWorld) -> None:
    """As when words that had ended are given a clip after all, while all places are held by words that wait for those clips."""
    crowd = hit("crowd", "The lantern in the harbour.")
    world.source.hits = {"harbour": [crowd], "lantern": [hit("lantern-0", "A bright lantern.")]}  # its own search did not bring it
    run_id = world.launch("harbour", "lantern", want=1)
    world.drive(run_id, only_steps=8)  # both have come to the choice
    with world.database.write() as connection:
        ids = {row.text: row.word_id for row in connection.execute(select(word_table.c.text, word_table.c.word_id))}
        clip_id = connection.execute(select(clips.c.clip_id).where(clips.c.slug == "crowd")).scalar_one()
        set_run_clip(connection, run_id, ids["harbour"], clip_id, stage="choose", outcome="chosen")
        set_run_word(connection, run_id, ids["harbour"], state="queued")
    began = time.monotonic()
    assert choose.run_choose(world.bench, run_id, ids["lantern"]) is None
    assert time.monotonic() - began < 10
    with world.database.read() as connection:
        rows = connection.execute(select(run_clips.c.word_id).where(run_clips.c.outcome == "chosen")).scalars().all()
    assert rows == [ids["lantern"]]
    summary = world.run_threads(run_id, n_slots=1)
    assert summary.words["done"] == 2
    assert world.source.fetches == ["crowd"]


# Scarce downloads ----------------------------------------------------------------------------------------------------


def test_a_limit_of_downloads_goes_to_the_clips_that_bring_most(world: LimitedWorld) -> None:
    single(world, NAMES[:8])
    world.source.hits["harbour"] = [*world.source.hits["harbour"], hit("crowd", "The harbour, the lantern and the keeper.")]  # type: ignore[index]
    run_id = world.launch(*NAMES[:8], want=1, max_downloads=3)
    summary = world.run_threads(run_id, until=in_turn(world, run_id, [(lambda: bool(world.choices(run_id)), word) for word in NAMES[1:8]]))
    assert len(world.source.fetches) == 3
    assert "crowd" in world.source.fetches
    assert summary.status is RunStatus.WAITING_FOR_QUOTA
    assert (summary.words["done"], summary.words["waiting_for_quota"]) == (5, 3)
    reasons = {reason for reason in world.reasons(run_id).values() if reason}
    assert all(reason.startswith(("Other words gain more", "The run's limit of 3 downloads is reached")) for reason in reasons)


@pytest.mark.parametrize(
    "error", [ProviderUnavailable("the line went dead"), ProviderError("gone"), UnreadableMedia("no film")], ids=["doubt", "refused", "bad"]
)
def test_a_limit_of_downloads_is_never_passed_though_downloads_fail(world: LimitedWorld, error: WordreelError) -> None:
    single(world, NAMES[:6], n=4)
    world.source.failing_slugs = {f"{word}-{place}": error for word in NAMES[:6:2] for place in range(3)}
    run_id = world.launch(*NAMES[:6], want=2, max_downloads=5)
    summary = world.run_threads(run_id)
    assert world.n_downloads() <= 5
    if not isinstance(error, ProviderError) or isinstance(error, ProviderUnavailable):
        assert len(world.source.fetches) == 5  # all that the limit allows, and nothing is kept back for ever
    assert sum(summary.words.values()) == 12
    assert summary.words["waiting_for_quota"] > 0


def test_a_refused_download_gives_its_place_to_a_word_that_had_ended(world: LimitedWorld) -> None:
    single(world, NAMES[:4], n=1)
    scored(world, {"harbour": 0.95, "lantern": 0.9, "keeper": 0.7, "island": 0.65})
    world.source.failing_slugs = {"harbour-0": ProviderError("gone"), "lantern-0": ProviderError("gone")}
    world.source.hold = {"harbour-0": threading.Event(), "lantern-0": threading.Event()}
    run_id = world.launch(*NAMES[:4], want=1, max_downloads=2)
    slept: set[str] = set()

    def has_chosen(n: int) -> Callable[[], bool]:
        return lambda: len(world.choices(run_id)) >= n

    gates = [(has_chosen(1), word) for word in NAMES[1:4]]
    look = in_turn(world, run_id, gates)

    def release() -> bool:
        slept.update(word for word, state in world.word_states(run_id).items() if state == "waiting_for_quota")
        if len(slept) >= 2:
            for event in world.source.hold.values():
                event.set()
        return look()

    summary = world.run_threads(run_id, until=release)
    assert slept == {"keeper", "island"}
    assert world.word_states(run_id) == {"harbour": "failed", "lantern": "failed", "keeper": "done", "island": "done"}
    assert world.n_downloads() == 2
    assert summary.status is RunStatus.SUCCEEDED
    attempts = {row.word: row.attempt for row in world.discovery.words(run_id)}
    assert attempts["keeper"] == attempts["island"] == 2


def test_a_word_whose_clips_came_with_others_does_not_wait_for_a_quota(world: LimitedWorld) -> None:
    """`lantern` ends for want of downloads, or waits, while the one download of `harbour` that serves it too is on its way."""
    single(world, NAMES[:3], n=2)
    world.source.hits["harbour"] = [hit("crowd", "The harbour, the lantern.")]  # type: ignore[index]
    run_id = world.launch(*NAMES[:3], want=1, max_downloads=1)
    world.run_threads(run_id, until=in_turn(world, run_id, [(lambda: bool(world.choices(run_id)), word) for word in NAMES[1:3]]))
    assert world.source.fetches == ["crowd"]
    assert world.word_states(run_id) == {"harbour": "done", "lantern": "done", "keeper": "waiting_for_quota"}


def test_no_download_left_this_month_keeps_every_place_and_says_until_when(world: LimitedWorld) -> None:
    single(world, NAMES[:3])
    world.month_left = 0
    run_id = world.launch(*NAMES[:3], want=1)
    summary = world.run_threads(run_id)
    assert summary.status is RunStatus.WAITING_FOR_QUOTA
    assert summary.words["waiting_for_quota"] == 3
    assert world.source.fetches == []
    reasons = set(world.reasons(run_id).values())
    assert "This month's downloads are used up; 9 clips wait, with their place kept, until 1 December" in reasons
    n_searches, n_judged = len(world.source.searches), len(world.judge.calls)
    world.month_left = 50
    world.discovery.resume(run_id)
    summary = world.run_threads(run_id)
    assert summary.words["done"] == 3
    assert (len(world.source.searches), len([1 for text, _ in world.judge.calls[:n_judged]])) == (n_searches, n_judged)
    assert len(world.judge.calls) == n_judged + 3  # only what was fetched is judged again
    assert len(world.source.fetches) == 3


def test_a_word_with_fewer_clips_than_it_wants_waits_for_the_quota_too(world: LimitedWorld) -> None:
    single(world, NAMES[:2])
    run_id = world.launch(*NAMES[:2], want=3, max_downloads=2)
    world.run_threads(run_id)
    assert set(world.word_states(run_id).values()) == {"waiting_for_quota"}
    assert sorted(slug.partition("-")[0] for slug in world.source.fetches) == ["harbour", "lantern"]  # a first clip is worth most
    details = {row.detail for row in world.discovery.words(run_id)}
    assert details == {"Waits for downloads with 1 of 3 clips"}


# What is here costs nothing ------------------------------------------------------------------------------------------


def test_clips_that_are_here_are_taken_without_a_download_and_without_waiting(world: LimitedWorld) -> None:
    single(world, NAMES[:2], n=2)
    first = world.launch("harbour", want=2)
    world.run_threads(first)
    for slug in ("harbour-0", "harbour-1"):
        world.review.decide(DecisionRequest(world.mapping_id(slug, "harbour"), DecisionKind.APPROVE, "mina", f"yes {slug}", note="ok"))
    world.source.hits["winter"] = [hit("harbour-0", "We saw the harbour 0 times.")]  # type: ignore[index]
    world.source.fetches.clear()
    world.month_left = 0
    again = world.launch("harbour", "lantern", want=2)
    world.run_threads(again)
    assert world.source.fetches == []
    assert world.word_states(again) == {"harbour": "done", "lantern": "waiting_for_quota"}


def test_own_films_are_chosen_word_by_word_as_before(world: LimitedWorld) -> None:
    world.bench._pace_of = lambda _source: None
    both = hit("both", "The lantern in the harbour.")
    world.source.hits = {"harbour": [both, hit("harbour-0", "A quiet harbour.")], "lantern": [both]}
    world.month_left = 0
    run_id = world.launch("harbour", "lantern", want=2, max_downloads=1)
    world.source.run_id = run_id
    world.drive(run_id)
    assert set(world.source.fetches) == {"both", "harbour-0"}
    assert world.choices(run_id) == []


# Refill --------------------------------------------------------------------------------------------------------------


def test_a_rejection_brings_the_next_clip_within_the_limits(world: LimitedWorld) -> None:
    single(world, ["harbour"], n=3)
    run_id = world.launch("harbour", want=1, max_downloads=2)
    world.run_threads(run_id)
    (first,) = world.source.fetches
    world.review.decide(DecisionRequest(world.mapping_id(first, "harbour"), DecisionKind.REJECT, "mina", "no 1"))
    assert world.do_refills() == 1
    assert len(world.source.fetches) == 2
    assert world.word_states(run_id) == {"harbour": "done"}
    world.review.decide(DecisionRequest(world.mapping_id(world.source.fetches[1], "harbour"), DecisionKind.REJECT, "mina", "no 2"))
    assert world.do_refills() == 1
    assert len(world.source.fetches) == 2
    assert world.word_states(run_id) == {"harbour": "waiting_for_quota"}
    assert world.reasons(run_id) == {"harbour": "The run's limit of 2 downloads is reached"}


# What it learns, and what it says ------------------------------------------------------------------------------------


def test_it_learns_from_decisions_failures_and_what_is_not_heard(world: LimitedWorld) -> None:
    film = FilmFacts(title="Mumbling")
    world.source.hits = {
        "harbour": [hit("good", "A quiet harbour.")],
        "lantern": [hit("bad", "A bright lantern.", film=film)],
        "keeper": [hit("broken", "The keeper.")],
        "island": [hit("open", "An island.")],
    }
    world.source.failing_slugs["broken"] = UnreadableMedia("cut off")
    run_id = world.launch(*NAMES[:4], want=1)
    world.run_threads(run_id)
    world.review.decide(DecisionRequest(world.mapping_id("good", "harbour"), DecisionKind.APPROVE, "mina", "1", note="ok"))
    world.review.decide(DecisionRequest(world.mapping_id("bad", "lantern"), DecisionKind.REJECT, "mina", "2"))
    with world.database.read() as connection:
        pairs = {(pair.film, pair.is_approved) for pair in decided_pairs(connection)}
        model = load_approval_model(connection)
    assert pairs == {("The Lantern Keeper", True), ("Mumbling", False), ("The Lantern Keeper", False)}
    assert (model.n, model.n_approved) == (3, 1)
    assert model.probability(0.9, 1, "Mumbling", "") < model.probability(0.9, 1, "", "")


def test_a_choice_says_what_it_rests_on(world: LimitedWorld) -> None:
    world.vocabulary.import_list(b"word,level\nharbour,beginner\nlantern,advanced\nkeeper,advanced\n", exam="toefl")
    world.source.hits = {"harbour": [hit("crowd", "The harbour, the lantern and the keeper.")]}
    run_id = world.launch("harbour", "lantern", want=1)
    world.run_threads(run_id)
    (row,) = world.choices(run_id)
    assert (row.window, row.slug, row.film, row.owner) == (1, "crowd", "The Lantern Keeper", "harbour")
    assert [gain.level for gain in row.gains] == ["beginner", "advanced", "advanced"]
    assert row.says.startswith(f"{row.expected:.2f} approved words expected: harbour 0.")
    assert "3 words in the clip, an assumption, nothing is decided yet" in row.says
    assert "keeper 0." in row.says and "an approval counts 0.25" in row.says  # noqa: PT018
    with world.database.read() as connection:
        assert n_choices(connection, run_id) == (1, 1, pytest.approx(row.expected))


def test_the_source_is_asked_under_its_own_name(world: LimitedWorld) -> None:
    assert world.bench.pace(world.discovery.run(world.launch("harbour")).settings) is not None
    assert Source.LIBRARY in world.bench.sources
