"""Words that the backend has already: subtracted where it can say so, and only then. Against a loopback backend, also a bad one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert

from core.adapters.target_http import HttpTarget
from core.errors import ExportError
from core.model.clips import Source
from core.model.runs import RunSettings
from core.services.discovery import WordChoice
from core.services.production import Production
from core.store.tables import live_mappings
from core.timing import now
from tests.integration.test_planning import lines
from tests.loopback.backend import LoopbackBackend, Misbehaviour
from tests.loopback.items import make_item
from tests.loopback.plan_world import PlanWorld, open_world

BUNDLE = "toefl_beginner"
WORDS = ("refer", "matter", "quiet", "storm")
TOKEN = "secret-token"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LoopbackBackend]:
    with LoopbackBackend(tmp_path / "backend", silence_s=0.5) as running:
        running.backend.fill_bundle(BUNDLE, WORDS)
        yield running


@pytest.fixture
def target(server: LoopbackBackend) -> Iterator[HttpTarget]:
    made = HttpTarget(server.url, TOKEN, timeout_s=2, deadline_s=3)
    yield made
    made.close()


@pytest.fixture
def world(tmp_path: Path, target: HttpTarget) -> Iterator[PlanWorld]:
    made = open_world(tmp_path)
    made.target = target
    rows = "\n".join(["word,level", *(f"{word},beginner" for word in WORDS)])
    made.vocabulary.import_list(rows.encode(), exam="toefl")
    yield made
    made.close()


def teach(target: HttpTarget, folder: Path, *texts: str) -> None:
    """The backend gets a clip of each word from somebody else."""
    target.send("elsewhere", [make_item(folder, f"clip-{text}", word=text) for text in texts])


def notes(world: PlanWorld, run_id: str) -> str:
    return " ".join(world.discovery.run(run_id).notes)


def test_words_that_production_has_are_subtracted(world: PlanWorld, target: HttpTarget, server: LoopbackBackend, tmp_path: Path) -> None:
    teach(target, tmp_path, "refer", "storm")
    plan = world.plan(bundle=BUNDLE)
    assert (plan.words, plan.already_covered, plan.production_has, plan.searches, plan.downloads) == (4, 2, 2, 2, 6)
    found = world.words(bundle=BUNDLE)
    assert [word for word, row in found.items() if row.is_in_production] == ["refer", "storm"]
    assert (found["refer"].n_wanted, found["refer"].n_searches) == (0, 0)
    asked = [seen for seen in server.seen if "/bundles/" in seen.path]
    assert asked[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert len(asked) == 1  # the second look is of the same minute


def test_at_the_launch_they_end_at_once_and_are_never_searched(world: PlanWorld, target: HttpTarget, tmp_path: Path) -> None:
    teach(target, tmp_path, "refer")
    world.source.hits = {text: lines(text, 3) for text in WORDS}
    run_id = world.launch(bundle=BUNDLE, source=Source.CLIPCAFE)
    assert world.word_states(run_id) == {"refer": "done", "matter": "queued", "quiet": "queued", "storm": "queued"}
    assert world.discovery.words(run_id)[0].detail == "Production has it"
    assert "1 word has a clip at 127.0.0.1" in notes(world, run_id)
    world.drive(run_id, only_steps=2)
    world.discovery.pause(run_id)
    world.target = None  # a resumed run needs no second question
    world.discovery.resume(run_id)
    world.drive(run_id)
    assert sorted(world.source.searches) == ["matter", "quiet", "storm"]
    assert world.discovery.summary(run_id).words["done"] == 4


def test_the_gaps_of_a_bundle_are_asked_for_too_and_a_file_is_not(
    world: PlanWorld, target: HttpTarget, server: LoopbackBackend, tmp_path: Path
) -> None:
    teach(target, tmp_path, "refer")
    gaps = world.discovery.choose(WordChoice(gaps=BUNDLE), is_kept=False)
    assert world.discovery.plan(gaps, RunSettings(source=Source.CLIPCAFE)).production_has == 1
    n_asked = len(server.seen)
    assert world.plan("refer", "matter").production_has == 0
    listed = world.discovery.choose(WordChoice(file=("unit-12.csv", b"word\nrefer\n")), is_kept=False)
    assert world.discovery.plan(listed, RunSettings(source=Source.CLIPCAFE)).production_has == 0
    assert len(server.seen) == n_asked


def test_case_does_not_matter(world: PlanWorld, server: LoopbackBackend) -> None:
    server.bundles_body = json.dumps({"bundle": BUNDLE, "words": ["Matter", "QUIET", "storm", "refer"], "total_count": 4}).encode()
    assert world.plan(bundle=BUNDLE).production_has == 0


def test_a_word_of_which_our_own_clip_is_there_is_counted_by_its_clips(world: PlanWorld, target: HttpTarget, tmp_path: Path) -> None:
    """One approved and exported clip of three wanted: two more are still looked for."""
    teach(target, tmp_path, "refer", "storm")
    world.source.hits = {"refer": lines("refer", 1)}
    world.run("refer", want=1)
    mapping_id = world.mapping_id("refer-0", "refer")
    place = {"target": target.name, "name": "n", "word_id": world.chosen("refer").words[0].word_id, "mapping_id": mapping_id, "clip_id": 1}
    sent = {"relevance": 0.9, "digest": "d", "batch_id": "b", "sent_at": now()}
    with world.database.write() as connection:
        connection.execute(insert(live_mappings).values(**place, **sent))
    found = world.words(bundle=BUNDLE)
    assert (found["refer"].is_in_production, found["refer"].n_wanted) == (False, 2)
    assert found["storm"].is_in_production


BAD = [
    Misbehaviour.MISSING_404,
    Misbehaviour.ERROR_500,
    Misbehaviour.GATEWAY_502_AFTER,
    Misbehaviour.UNAVAILABLE_503,
    Misbehaviour.RATE_429,
    Misbehaviour.UNAUTHORIZED_401,
    Misbehaviour.HTML_200,
    Misbehaviour.EMPTY_200_AFTER,
    Misbehaviour.CUT_JSON_200_AFTER,
    Misbehaviour.CUT_BEFORE,
    Misbehaviour.CUT_AFTER,
    Misbehaviour.GZIP_AFTER,
    Misbehaviour.ENDLESS_AFTER,
    Misbehaviour.ONE_BYTE_AT_A_TIME_AFTER,
    Misbehaviour.REDIRECT,
]


@pytest.mark.parametrize("how", BAD)
def test_a_backend_that_fails_subtracts_nothing_and_the_plan_and_the_run_say_so(
    world: PlanWorld, target: HttpTarget, server: LoopbackBackend, tmp_path: Path, how: Misbehaviour
) -> None:
    teach(target, tmp_path, "refer")
    server.on_bundles = how
    plan = world.plan(bundle=BUNDLE)
    assert (plan.production_has, plan.searches) == (0, 4)
    assert plan.basis[0].startswith(target.name)
    assert f"No word of {BUNDLE} was subtracted for it." in plan.basis[0]
    assert TOKEN not in str(plan)
    run_id = world.launch(bundle=BUNDLE, source=Source.CLIPCAFE)
    assert f"No word of {BUNDLE} was subtracted" in notes(world, run_id)
    assert set(world.word_states(run_id).values()) == {"queued"}


ODD = [
    b"[]",
    b"null",
    b'"words"',
    b'{"bundle": "toefl_beginner"}',
    b'{"words": null}',
    b'{"words": {"refer": 1}}',
    b'{"words": ["matter", 7, null]}',
    b'{"words": [["matter"]]}',
    b'{"bundle": "ielts_beginner", "words": ["matter"], "total_count": 1}',
    b'{"bundle": "toefl_beginner", "words": ["matter"], "total_count": 3}',
    b'{"bundle": "toefl_beginner", "words": [], "total_count": 0}',  # of a bundle whose words have no clip there
    b"[" * 100_000,
]


@pytest.mark.parametrize("body", ODD, ids=range(len(ODD)))
def test_odd_answers_subtract_nothing(world: PlanWorld, server: LoopbackBackend, body: bytes) -> None:
    server.bundles_body = body
    plan = world.plan(bundle=BUNDLE)
    assert plan.production_has == 0
    assert "No word of" in plan.basis[0]


def test_words_in_objects_and_other_fields_are_understood(world: PlanWorld, target: HttpTarget, server: LoopbackBackend, tmp_path) -> None:  # type: ignore[no-untyped-def]
    teach(target, tmp_path, "refer", "matter")
    server.bundles_body = b'{"words": [{"word": "quiet", "level": 1}, {"word": "storm"}], "language": "en"}'
    assert world.plan(bundle=BUNDLE).production_has == 2


def test_an_older_backend_cannot_say(tmp_path: Path) -> None:
    with LoopbackBackend(tmp_path / "old", is_old=True) as server:
        target = HttpTarget(server.url)
        assert target.words_needing_videos(BUNDLE) is None
        found = Production(lambda: target).answer(BUNDLE, WORDS)
        assert found.needing is None
        assert "cannot say which words" in found.note
        target.close()


def test_a_backend_that_is_not_there_is_asked_once_a_minute(tmp_path: Path) -> None:
    with LoopbackBackend(tmp_path / "gone") as server:
        url = server.url
    target = HttpTarget(url, timeout_s=1)
    at_s = [0.0]
    asked: list[int] = []

    def told():  # type: ignore[no-untyped-def]
        asked.append(1)
        return target

    production = Production(told, counter_s=lambda: at_s[0])
    first = production.answer(BUNDLE, WORDS)
    assert "did not say" in first.note
    at_s[0] = 59.0
    assert production.answer(BUNDLE, WORDS) is first
    at_s[0] = 61.0
    assert production.answer(BUNDLE, WORDS) is not first
    target.close()


def test_a_practice_backend_and_demo_words_are_not_asked(world: PlanWorld, server: LoopbackBackend) -> None:
    from core.adapters.target_practice import PracticeTarget

    world.target = PracticeTarget(server.backend)
    assert world.plan(bundle=BUNDLE).production_has == 0
    assert world.plan(bundle=BUNDLE).basis[0].startswith("A clip that cannot")


def test_a_name_with_odd_characters_stays_one_part_of_the_address(target: HttpTarget, server: LoopbackBackend) -> None:
    server.on_bundles = Misbehaviour.ERROR_500
    for name in ("../../v3/videos/1", "x?y=1", "été 1", "a#b"):
        with pytest.raises(ExportError):
            target.words_needing_videos(name)
    assert [seen.path for seen in server.seen] == [
        f"/backend/v3/admin/bundles/{name}/words-needing-videos" for name in ("../../v3/videos/1", "x?y=1", "été 1", "a#b")
    ]


def test_a_backend_address_that_is_none_is_a_note(world: PlanWorld) -> None:
    def none():  # type: ignore[no-untyped-def]
        return HttpTarget("ftp://nowhere")

    assert "BACKEND_URL is not an http(s) address" in Production(none).answer(BUNDLE, WORDS).note
