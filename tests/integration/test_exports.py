"""Exports: the difference, sending it, what became of it, and that the backend ends with exactly the approved set."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.adapters.target_fake import FakeTarget, Fault
from core.adapters.target_http import HttpTarget
from core.adapters.target_practice import PracticeTarget
from core.errors import Conflict, DiskFull, NotFound, Refused
from core.model.clips import EvidenceState
from core.model.export_reports import Change, ReadBack, Rule
from core.model.exports import ItemStatus
from core.model.reviews import DecisionKind, MappingState
from core.rules.payload import VISIBLE_LIMIT_BYTES
from core.store.clips import load_clip
from core.store.exports import export_mappings, live_rows
from core.store.media_rows import load_facts, load_transcript
from core.store.runs import load_job
from core.store.tables import jobs
from tests.integration.export_world import World, distinct_mp4
from tests.loopback.backend import LoopbackBackend, Misbehaviour


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.close()


class Killed(BaseException):
    """Stands for `kill -9`: nothing of ours catches it."""


def shown(target: FakeTarget) -> dict[tuple[str, str], tuple[str, str]]:
    """(slug, word) → (text, SHA-256 of the bytes) of everything that learners are shown."""
    return {
        (video.item.slug, word): (video.item.audio_transcript, hashlib.sha256(video.data).hexdigest())
        for video in target.videos.values()
        for (word, _), mapping in video.mappings.items()
        if mapping.relevance_score > 0
    }


def wanted(world: World) -> dict[tuple[str, str], tuple[str, str]]:
    """The same of the approved set."""
    found = {}
    with world.database.read() as connection:
        for mapping in export_mappings(connection, []):
            clip = load_clip(connection, mapping.clip_id)
            found[clip.slug, mapping.word] = (load_transcript(connection, clip.transcript_id or "").text, clip.media_id)
    return found


def scores(target: FakeTarget) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for video in target.videos.values():
        for (word, _), mapping in video.mappings.items():
            if mapping.relevance_score > 0:
                found.setdefault(word, []).append(mapping.relevance_score)
    return found


def test_an_approved_clip_arrives_with_text_words_and_score_and_a_second_export_sends_nothing(world):
    world.approved("night-desk", "we must agree on this", "agree", 0.83)
    batch_id = world.exports.create_batch(actor="mina")
    answer = world.exports.batch(batch_id).as_json()
    [item] = answer["items"]
    assert set(answer) == {"batch_id", "target", "source_id", "items", "sent", "failed", "skipped"}
    assert set(item) == {"slug", "name", "status", "video_id", "mappings", "error"}
    assert (item["slug"], item["status"], item["video_id"], item["mappings"], item["error"]) == ("night-desk", "created", 1, 1, "")
    assert (answer["sent"], answer["failed"], answer["skipped"]) == (1, 0, 0)
    assert len(answer["source_id"]) <= 100
    [video] = world.fake.videos.values()
    [mapping] = video.mappings.values()
    assert (mapping.relevance_score, mapping.transcript_source, mapping.learning_language) == (0.83, "audio", "en")
    assert video.item.audio_transcript == "we must agree on this"
    assert [word["word"] for word in video.item.whisper_metadata["words"]] == ["we", "must", "agree", "on", "this"]
    assert world.exports.batch(batch_id).items[0].read_back is ReadBack.VERIFIED
    json.dumps(answer)

    again = world.exports.batch(world.exports.create_batch()).as_json()
    assert again["items"] == [] and len(world.fake.requests) == 1
    assert world.exports.preview().counts[Change.UNCHANGED] == 1
    assert [batch.batch_id for batch in world.exports.history()] == [batch_id]


def test_a_second_word_sends_the_same_name_with_all_its_mappings(world):
    clip_id, _ = world.approved("rooftops", "agree to abandon it", "agree")
    world.exports.create_batch()
    world.decide(world.mapping(clip_id, "abandon"))
    [clip] = world.exports.preview().clips
    assert clip.change is Change.CHANGED and clip.will == "Add abandon."
    world.exports.create_batch()
    [video] = world.fake.videos.values()
    assert {word for word, _ in video.item.word_mappings and video.mappings} == {"agree", "abandon"}
    assert len(video.item.word_mappings) == 2


def test_the_persons_score_wins_and_clips_of_a_word_get_distinct_hundredths_that_stay(world):
    for slug in ("a", "b", "c"):
        world.approved(slug, f"agree {slug}", "agree", 0.8)
    world.exports.create_batch()
    first = sorted(scores(world.fake)["agree"])
    assert len(set(first)) == 3
    before = {video.item.slug: video.mappings["agree", "en"].relevance_score for video in world.fake.videos.values()}
    clip_id = world.clip("d", "agree d")
    world.decide(world.mapping(clip_id, "agree", 0.5), score=0.97)
    world.exports.create_batch()
    after = {video.item.slug: video.mappings["agree", "en"].relevance_score for video in world.fake.videos.values()}
    assert after == {**before, "d": 0.97}


def test_a_correction_goes_out_under_a_new_name_and_the_old_one_is_retracted_after_it(world):
    clip_id, mapping_id = world.approved("half-light", "under no circumstance", "circumstance")
    world.exports.create_batch()
    world.correct(clip_id, "under no circumstances")
    [clip] = world.exports.preview().clips
    assert clip.change is Change.CHANGED and clip.will == "New name, the old one retracted."
    world.exports.create_batch()
    old, new = sorted(world.fake.videos.values(), key=lambda video: video.video_id)
    assert old.item.name != new.item.name and old.item.slug == new.item.slug
    assert old.mappings["circumstance", "en"].relevance_score == 0
    assert old.item.audio_transcript == "under no circumstance"
    assert (new.mappings["circumstance", "en"].relevance_score, new.item.audio_transcript) == (0.8, "under no circumstances")
    [pending] = world.exports.pending_retractions()
    assert (pending.name, pending.is_sent, pending.mapping_id) == (old.item.name, True, mapping_id)
    assert world.exports.preview().counts[Change.UNCHANGED] == 1


def test_the_old_name_stays_while_the_new_one_does_not_arrive(world):
    clip_id, _ = world.approved("half-light", "under no circumstance", "circumstance")
    world.exports.create_batch()
    world.correct(clip_id, "under no circumstances")
    world.fake.refused.add("half-light")
    outcome = world.exports.batch(world.exports.create_batch())
    assert {(item.status, item.is_retraction) for item in outcome.items} == {(ItemStatus.FAILED, False), (ItemStatus.SKIPPED, True)}
    assert shown(world.fake)["half-light", "circumstance"][0] == "under no circumstance"
    world.fake.refused.clear()
    world.exports.create_batch()
    assert shown(world.fake) == wanted(world)


def test_an_undone_approval_goes_to_zero_and_waits_with_the_operators_sql(world):
    _, mapping_id = world.approved("permit", "the permit o'clock", "o'clock")
    world.exports.create_batch()
    world.decide(mapping_id, DecisionKind.UNDO)
    [pending] = world.exports.pending_retractions()
    assert not pending.is_sent
    assert pending.sql.splitlines() == [
        "DELETE FROM word_to_video WHERE word = 'o''clock' AND learning_language = 'en' AND video_id = 1;",
        "DELETE FROM review_questions WHERE word = 'o''clock';",
    ]
    [clip] = world.exports.preview().clips
    assert clip.change is Change.RETRACTION and clip.will == "Retract o'clock."
    world.exports.create_batch()
    assert shown(world.fake) == {}
    [pending] = world.exports.pending_retractions()
    assert pending.is_sent
    assert world.exports.batch(world.exports.create_batch()).items == ()
    assert len(world.exports.retract(mapping_id, actor="olu")) == 1
    assert world.exports.pending_retractions() == []
    with pytest.raises(NotFound):
        world.exports.retract(mapping_id)


def test_the_operator_cannot_retract_what_is_approved(world):
    _, mapping_id = world.approved("permit", "the permit", "permit")
    world.exports.create_batch()
    with pytest.raises(NotFound):
        world.exports.retract(mapping_id)
    with world.database.read() as connection:
        assert len(live_rows(connection, "fake")) == 1


def test_a_captioned_word_that_a_person_approved_counts_as_heard_by_that_person(world):
    clip_id = world.clip("caption", "please negotiate")
    world.decide(world.mapping(clip_id, "negotiate", 0.7, EvidenceState.CAPTIONED))
    world.exports.create_batch()
    assert next(iter(world.fake.videos.values())).mappings["negotiate", "en"].transcript_source == "audio"


def test_strong_language_waits_for_the_tick(world):
    world.approved("angry", "this fucking agreement", "agreement")
    world.approved("calm", "this agreement", "agreement")
    preview = world.exports.preview()
    assert [clip.rule for clip in preview.clips] == [Rule.STRONG_LANGUAGE, None]
    assert {held.rule: held.count for held in preview.held}[Rule.STRONG_LANGUAGE] == 1
    outcome = world.exports.batch(world.exports.create_batch())
    [angry] = [item for item in outcome.items if item.slug == "angry"]
    assert angry.status is ItemStatus.SKIPPED and "--allow-strong-language" in angry.error and "fucking" in angry.error
    assert (outcome.as_json()["sent"], outcome.as_json()["skipped"]) == (1, 1)
    world.exports.create_batch(allow_strong_language=True)
    assert shown(world.fake) == wanted(world)
    assert world.exports.preview().counts[Change.UNCHANGED] == 2


def test_demo_clips_go_to_the_practice_backend_only(world, tmp_path):
    world.approved("demo-one", "please agree", "agree", is_demo=True)
    with LoopbackBackend(tmp_path / "remote") as server:
        world.targets = {"": HttpTarget(server.url), "practice": PracticeTarget(world.backend)}
        outcome = world.exports.batch(world.exports.create_batch(confirmed=True))
        assert [item.status for item in outcome.items] == [ItemStatus.SKIPPED] and "practice backend" in outcome.items[0].error
        assert server.uploads == []
        assert world.exports.batch(world.exports.create_batch("practice")).as_json()["sent"] == 1
        assert world.backend.check_word("agree").body["video_count"] == 1


def test_the_first_export_to_a_new_host_is_refused_until_it_is_confirmed(world, tmp_path):
    world.approved("night-desk", "we agree", "agree")
    with LoopbackBackend(tmp_path / "remote") as server:
        target = HttpTarget(server.url)
        world.targets = {server.url: target}
        assert world.exports.preview(server.url).needs_confirmation
        with pytest.raises(Refused) as refused:
            world.exports.create_batch(server.url)
        size = f"{len(distinct_mp4('night-desk')):,} bytes"
        assert target.name in refused.value.message and "1 clips" in refused.value.message and size in refused.value.message
        assert "--yes" in refused.value.hint and server.seen == [] and world.exports.history() == []
        assert world.exports.batch(world.exports.create_batch(server.url, confirmed=True)).as_json()["sent"] == 1
        world.approved("second", "we agree again", "agree")
        assert world.exports.batch(world.exports.create_batch(server.url)).as_json()["sent"] == 1


def test_a_clip_that_is_too_large_is_made_smaller_once(world):
    large = distinct_mp4("large", VISIBLE_LIMIT_BYTES)
    clip_id, _ = world.approved("large", "abandon ship", "abandon", data=large)
    [clip] = world.exports.preview().clips
    assert clip.change is Change.TOO_LARGE and clip.is_sent
    outcome = world.exports.batch(world.exports.create_batch())
    assert outcome.as_json()["sent"] == 1
    [video] = world.fake.videos.values()
    assert len(video.data) <= VISIBLE_LIMIT_BYTES and video.item.size_bytes == len(video.data)
    assert hashlib.sha256(video.data).hexdigest() == video.item.metadata["media_id"]
    assert world.exports.preview().counts[Change.UNCHANGED] == 1
    with world.database.read() as connection:
        assert load_facts(connection, video.item.metadata["media_id"]).size_bytes == len(video.data)
    world.correct(clip_id, "abandon the ship")
    world.exports.create_batch()
    assert {text for text, _ in shown(world.fake).values()} == {"abandon the ship"}


def test_an_unplayable_clip_and_one_whose_file_is_gone_are_named_and_the_rest_goes(world):
    clip_id, _ = world.approved("odd", "reluctant hero", "reluctant")
    with world.database.write() as connection:
        from dataclasses import replace

        from core.store.codecs import to_json
        from core.store.tables import media

        facts = load_facts(connection, load_clip(connection, clip_id).media_id or "")
        spoilt = to_json(replace(facts, audio=replace(facts.audio, codec="mp3")))
        connection.execute(media.update().where(media.c.media_id == facts.media_id).values(facts=spoilt))
    gone_id, _ = world.approved("gone", "a reluctant yes", "reluctant")
    with world.database.read() as connection:
        world.files.delete(load_clip(connection, gone_id).media_id or "")
    world.approved("good", "so reluctant", "reluctant")
    assert world.exports.preview().counts[Change.UNPLAYABLE] == 1
    found = {item.slug: item for item in world.exports.batch(world.exports.create_batch()).items}
    assert found["odd"].status is ItemStatus.SKIPPED and "mp3" in found["odd"].error
    assert found["gone"].status is ItemStatus.FAILED and "media store" in found["gone"].error
    assert found["good"].status is ItemStatus.CREATED


def test_a_bundle_sends_the_clips_that_teach_its_words_with_all_their_words(world):
    clip_id, _ = world.approved("both", "agree to abandon", "agree")
    world.decide(world.mapping(clip_id, "abandon"))
    world.approved("other", "only abandon", "abandon")
    world.bundle("mine", "agree")
    world.exports.create_batch(bundle="mine")
    assert set(shown(world.fake)) == {("both", "agree"), ("both", "abandon")}
    with pytest.raises(NotFound, match="no bundle"):
        world.exports.preview(bundle="nobody")


def test_one_bad_item_never_holds_back_the_rest_and_retry_sends_just_it(world):
    for index in range(9):
        world.approved(f"clip-{index}", f"agree {index}", "agree", 0.5 + index / 100)
    world.fake.refused.add("clip-4")
    batch_id = world.exports.create_batch()
    outcome = world.exports.batch(batch_id).as_json()
    assert (outcome["sent"], outcome["failed"]) == (8, 1)
    [failed] = [item for item in outcome["items"] if item["status"] == "failed"]
    assert failed["slug"] == "clip-4" and "refused" in failed["error"]
    world.fake.refused.clear()
    n_requests = len(world.fake.requests)
    assert world.exports.retry(batch_id) == batch_id
    assert world.fake.requests[n_requests:] == [("clip-4",)]
    assert world.exports.batch(batch_id).as_json()["failed"] == 0
    assert shown(world.fake) == wanted(world)


def test_retry_does_not_bring_back_what_a_later_batch_replaced(world):
    clip_id, _ = world.approved("clip", "agree now", "agree")
    world.fake.refused.add("clip")
    first = world.exports.create_batch()
    world.fake.refused.clear()
    world.correct(clip_id, "we agree now")
    world.exports.create_batch()
    world.exports.retry(first)
    assert world.exports.batch(first).items[0].status is ItemStatus.SKIPPED
    assert shown(world.fake) == wanted(world)


def test_an_undo_before_the_request_leaves_is_heeded(world):
    _, mapping_id = world.approved("clip", "agree now", "agree")
    world.approved("other", "we agree", "agree")
    world.work.is_held = True
    batch_id = world.exports.create_batch()
    world.decide(mapping_id, DecisionKind.REJECT)
    world.work.is_held = False
    assert world.exports.create_batch() == batch_id
    found = {item.slug: item for item in world.exports.batch(batch_id).items}
    assert found["clip"].status is ItemStatus.SKIPPED and found["clip"].error == "No longer approved."
    assert shown(world.fake) == wanted(world)


def test_an_unfinished_batch_that_goes_on_says_what_is_not_applied(world):
    world.bundle("unit_1", "agree")
    world.bundle("unit_2", "abate")
    world.approved("one", "we agree", "agree")
    world.approved("two", "storms abate", "abate")
    told: list[str] = []
    world.work.is_held = True
    batch_id = world.exports.create_batch(bundle="unit_1", tell=told.append)
    assert told == []
    for options in ({"bundle": "unit_1"}, {"bundle": "unit_2", "allow_strong_language": True}, {}, {"bundle": "unit_1", "only": {1, 2}}):
        assert world.exports.create_batch(**options, tell=told.append) == batch_id
    same, other, everything, ticked = told
    assert all(note.startswith("Batch 1 to fake was not finished, so this goes on with it") for note in told)
    assert "not applied" not in same and "next export" in same
    assert "asked for bundle unit_1; what is asked now (bundle unit_2, with strong language) is not applied" in other
    assert "what is asked now (everything approved) is not applied" in everything
    assert "what is asked now (bundle unit_1, of that 2 ticked) is not applied" in ticked
    with pytest.raises(NotFound, match="unit_3"):
        world.exports.create_batch(bundle="unit_3")
    world.work.is_held = False
    world.exports.create_batch()
    assert [item.slug for item in world.exports.batch(batch_id).items] == ["one"]
    told.clear()
    world.exports.create_batch(tell=told.append)
    assert told == [] and shown(world.fake) == wanted(world)


def test_a_batch_of_a_program_that_kept_no_options_goes_on_and_says_so(world):
    world.approved("one", "we agree", "agree")
    world.work.is_held = True
    world.exports.create_batch()
    with world.database.write() as connection:
        connection.execute(jobs.update().values(payload={"address": "", "target": "fake"}))
    told: list[str] = []
    world.exports.create_batch(allow_strong_language=True, tell=told.append)
    assert "What is asked now (everything approved, with strong language) is not applied" in told[0]


def test_a_cancelled_batch_stops_before_the_next_request_and_the_same_command_resumes_it(world):
    for index in range(3):
        world.approved(f"clip-{index}", f"agree {index}", "agree")
    send = world.fake.send

    def cancel_first(source_id, items):
        world.work.set(world.work.started[-1][0], "cancelled")
        return send(source_id, items)

    world.fake.send = cancel_first
    world.work.is_held = True
    batch_id = world.exports.create_batch()
    world.work.set(world.work.started[-1][0], "cancelled")
    world.exports.send_batch(world.work.started[-1][0])
    assert world.fake.requests == [] and world.exports.history()[0].ended_at is None
    assert world.exports.preview().unfinished_batch_id == batch_id
    world.fake.send = send
    world.work.is_held = False
    assert world.exports.create_batch() == batch_id
    assert world.work.started[-1][1] == 2
    assert shown(world.fake) == wanted(world)


def test_a_lost_answer_is_in_doubt_and_an_undo_after_it_still_reaches_the_backend(world):
    _, mapping_id = world.approved("clip", "agree now", "agree")
    world.fake.faults.extend([Fault.LOST_AFTER, Fault.LOST_BEFORE, Fault.LOST_BEFORE, Fault.LOST_BEFORE])
    outcome = world.exports.batch(world.exports.create_batch())
    assert outcome.items[0].status is ItemStatus.FAILED and outcome.items[0].read_back is ReadBack.IN_DOUBT
    assert set(shown(world.fake)) == {("clip", "agree")}
    world.decide(mapping_id, DecisionKind.UNDO)
    world.exports.create_batch()
    assert shown(world.fake) == {}


def test_an_undo_between_a_kill_and_a_refused_second_try_still_reaches_the_backend(world):
    target = KillingTarget()
    world.targets[""] = target
    _, mapping_id = world.approved("clip", "agree now", "agree")
    target.kill = "after"
    _export(world)
    world.decide(mapping_id, DecisionKind.REJECT)
    target.refused.add("clip")
    world.exports.create_batch()
    assert set(shown(target)) == {("clip", "agree")}
    target.refused.clear()
    world.exports.create_batch()
    assert shown(target) == {}


def test_other_bytes_at_the_backend_are_found_and_the_clip_goes_out_under_another_name(world):
    world.approved("clip", "agree now", "agree")
    batch_id = world.exports.create_batch()
    [video] = world.fake.videos.values()
    video.data = b"something else"
    assert world.exports.verify(batch_id).items[0].read_back is ReadBack.DIFFERS
    [clip] = world.exports.preview().clips
    assert clip.change is Change.CONFLICT and clip.name != video.item.name
    world.exports.create_batch()
    assert shown(world.fake) == wanted(world) and len(world.fake.videos) == 2
    assert world.exports.preview().counts[Change.UNCHANGED] == 1


def test_what_is_missing_at_the_backend_is_sent_again(world):
    world.approved("clip", "agree now", "agree")
    batch_id = world.exports.create_batch()
    world.fake.videos.clear()
    assert world.exports.verify(batch_id).items[0].read_back is ReadBack.MISSING
    world.exports.create_batch()
    assert shown(world.fake) == wanted(world)


def test_retry_waits_for_the_open_batch(world):
    world.approved("clip", "agree now", "agree")
    world.fake.refused.add("clip")
    first = world.exports.create_batch()
    world.work.is_held = True
    world.approved("more", "agree then", "agree")
    world.exports.create_batch()
    with pytest.raises(Conflict):
        world.exports.retry(first)


@pytest.mark.parametrize(
    "how",
    [
        Misbehaviour.CUT_AFTER,
        Misbehaviour.CUT_BEFORE,
        Misbehaviour.HTML_200_AFTER,
        Misbehaviour.EMPTY_200_AFTER,
        Misbehaviour.CUT_JSON_200_AFTER,
        Misbehaviour.OTHER_SLUGS_AFTER,
        Misbehaviour.GATEWAY_502_AFTER,
        Misbehaviour.ERROR_500,
        Misbehaviour.RATE_429,
        Misbehaviour.UNAVAILABLE_503,
    ],
)
@pytest.mark.parametrize("is_old", [False, True])
def test_over_http_each_clip_ends_once_at_the_backend_whatever_goes_wrong(world, tmp_path, how, is_old):
    for index in range(4):
        world.approved(f"clip-{index}", f"we agree {index}", "agree", 0.6 + index / 50)
    with LoopbackBackend(tmp_path / "remote", is_old=is_old) as server:
        server.misbehaviours.extend([how, how])
        world.targets = {"": HttpTarget(server.url)}
        batch_id = world.exports.create_batch(confirmed=True)
        if world.exports.batch(batch_id).summary.failed:
            world.exports.retry(batch_id)
        outcome = world.exports.batch(batch_id)
        assert outcome.as_json()["sent"] == 4, outcome.as_json()
        rows = server.backend.videos_of_word("agree").body["videos"]
        assert sorted(row["slug"] for row in rows) == [f"clip-{index}" for index in range(4)]
        assert len({row["relevance_score"] for row in rows}) == 4
        read = ReadBack.BYTES_MATCH if is_old else ReadBack.VERIFIED
        assert {item.read_back for item in outcome.items} == {read}


def test_over_http_one_item_that_the_backend_refuses_is_isolated(world, tmp_path):
    for index in range(5):
        world.approved(f"clip-{index}", f"we agree {index}", "agree")
    with LoopbackBackend(tmp_path / "remote", refused={"clip-1"}) as server:
        world.targets = {"": HttpTarget(server.url, "secret-token")}
        outcome = world.exports.batch(world.exports.create_batch(confirmed=True)).as_json()
    assert (outcome["sent"], outcome["failed"]) == (4, 1)
    assert "bad item clip-1" in next(item["error"] for item in outcome["items"] if item["status"] == "failed")
    assert b"secret-token" not in world.database.path.read_bytes()


def test_a_full_disk_leaves_the_batch_open_and_it_goes_on_later(world, monkeypatch):
    for index in range(3):
        world.approved(f"clip-{index}", f"we agree {index}", "agree")
    from core.services import export_sending

    record, calls = export_sending.rows.record_outcome, []

    def full(*args, **kwargs):
        calls.append(1)
        if len(calls) == 2:
            raise DiskFull("No room left.", hint="Free some disk.")
        return record(*args, **kwargs)

    monkeypatch.setattr(export_sending.rows, "record_outcome", full)
    with pytest.raises(DiskFull):
        world.exports.create_batch()
    batch_id = world.exports.history()[0].batch_id
    world.work.set(world.work.started[-1][0], "failed")
    assert world.exports.create_batch() == batch_id
    assert world.exports.batch(batch_id).as_json()["sent"] == 3 and shown(world.fake) == wanted(world)


class KillingTarget(FakeTarget):
    """Dies before or after it took a request, when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.kill = ""

    def send(self, source_id, items):
        if self.kill == "before":
            self.kill = ""
            raise Killed
        results = super().send(source_id, items)
        if self.kill == "after":
            self.kill = ""
            raise Killed
        return results


STEP = st.tuples(
    st.sampled_from(
        ["approve", "undo", "reject", "score", "correct", "export", "killed_before", "killed_after", "lost", "refused", "retract"]
    ),
    st.integers(0, 5),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEP, max_size=14))
def test_after_any_sequence_the_backend_holds_exactly_the_approved_set(tmp_path_factory, steps):
    target = KillingTarget()
    world = World(Path(tmp_path_factory.mktemp("world")), {"": target})
    try:
        clips = [world.clip(f"clip-{index}", f"we agree to abandon {index}") for index in range(3)]
        mappings = [world.mapping(clip_id, word, 0.7) for clip_id in clips for word in ("agree", "abandon")]
        for number, (what, index) in enumerate(steps):
            _step(world, target, what, clips, mappings[index], index, number)
        for _ in range(3):
            target.kill, target.faults = "", type(target.faults)()
            target.refused.clear()
            _export(world)
        assert shown(target) == wanted(world)
        assert all(len(set(found)) == len(found) for found in scores(target).values())
        counts = world.exports.preview().counts
        assert sum(count for change, count in counts.items() if change is not Change.UNCHANGED) == 0
    finally:
        world.close()


def _step(world: World, target: KillingTarget, what: str, clips: list[int], mapping_id: int, index: int, number: int) -> None:
    with world.database.read() as connection:
        state = next((m.state for m in export_mappings(connection, [mapping_id]) if m.mapping_id == mapping_id), None)
    if what == "approve":
        world.decide(mapping_id)
    elif what == "score":
        world.decide(mapping_id, score=(number % 5 + 1) / 5)
    elif what == "reject" or (what == "undo" and state is MappingState.APPROVED):
        world.decide(mapping_id, DecisionKind.REJECT)
    elif what == "correct":
        world.correct(clips[index // 2], f"we shall agree to abandon {index // 2} {number % 2}")
    elif what == "retract":
        for item in [item for item in world.exports.pending_retractions() if item.is_sent][:1]:
            for video in target.videos.values():
                if video.item.name == item.name:
                    video.mappings.pop((item.word, item.language), None)
            rest = [other for other in world.exports.pending_retractions() if other.mapping_id == item.mapping_id]
            if all(other.is_sent for other in rest):
                for video in target.videos.values():
                    for other in rest:
                        if video.item.name == other.name:
                            video.mappings.pop((other.word, other.language), None)
                world.exports.retract(item.mapping_id)
    elif what.startswith("killed") or what in ("export", "lost", "refused"):
        target.kill = what.removeprefix("killed_") if what.startswith("killed") else ""
        if what == "lost":
            target.faults.extend([Fault.LOST_AFTER if index % 2 else Fault.LOST_BEFORE] * (index + 1))
        if what == "refused":
            target.refused = {f"clip-{index // 2}"}
        _export(world)
        target.refused.clear()


def _export(world: World) -> None:
    try:
        world.exports.create_batch()
    except Killed:
        with world.database.read() as connection:
            assert load_job(connection, world.work.started[-1][0]).status == "running"
