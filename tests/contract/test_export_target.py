"""What every export target does alike: over HTTP to a loopback backend, straight to the practice backend, a folder, and the fake."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from core.adapters.payload_stream import payload_stream
from core.adapters.practice.backend import PracticeBackend
from core.adapters.target_fake import FakeTarget
from core.adapters.target_folder import FolderTarget
from core.adapters.target_http import HttpTarget
from core.adapters.target_practice import PracticeTarget
from core.errors import ExportError, NotFound, ProviderError
from core.model.exports import ItemStatus, WordMapping
from core.ports import ExportTarget
from core.rules.payload import payload_size
from core.rules.sending import send_isolating
from tests.loopback.backend import LoopbackBackend
from tests.loopback.items import make_item


@pytest.fixture
def server(tmp_path):
    with LoopbackBackend(tmp_path) as running:
        yield running


@pytest.fixture
def backend(server):
    return server.backend


@pytest.fixture(params=["http", "practice", "folder", "fake"])
def target(request, tmp_path):
    if request.param == "fake":
        yield FakeTarget()
    elif request.param == "folder":
        yield FolderTarget(tmp_path / "out")
    elif request.param == "practice":
        backend = PracticeBackend(tmp_path)
        yield PracticeTarget(backend)
        backend.close()
    else:
        target = HttpTarget(request.getfixturevalue("server").url)
        yield target
        target.close()


def fill(request, target, words) -> bool:
    """Whether the target knows bundles, with one filled."""
    if isinstance(target, FakeTarget):
        target.bundles["toefl_beginner"] = tuple(words)
    elif isinstance(target, PracticeTarget):
        target._backend.fill_bundle("toefl_beginner", words)
    elif isinstance(target, HttpTarget):
        request.getfixturevalue("backend").fill_bundle("toefl_beginner", words)
    return not isinstance(target, FolderTarget)


def test_it_is_an_export_target(target: ExportTarget):
    assert target.name
    assert target.url
    assert isinstance(target.is_production, bool)


def test_sent_items_are_there_byte_for_byte(target, tmp_path):
    items = [make_item(tmp_path, f"clip-{n}", size_bytes=n) for n in (1, 2, 3, 1000, 786_432, 786_433, 2_000_000)]
    results = target.send("source", items)
    assert [result.slug for result in results] == [item.slug for item in items]
    assert {result.status for result in results} == {ItemStatus.CREATED}
    assert {result.mappings_created for result in results} == {1}
    for item, result in zip(items, results, strict=True):
        assert b"".join(target.read_back(result.video_id)) == Path(item.path).read_bytes()


def test_the_same_again_is_updated_and_there_once(target, tmp_path):
    item = make_item(tmp_path, "a")
    first = target.send("s", [item])[0]
    second = target.send("s", [replace(item, word_mappings=(*item.word_mappings, WordMapping("manual", "en", 0.5, "audio")))])[0]
    assert (second.status, second.video_id) == (ItemStatus.UPDATED, first.video_id)
    assert (second.mappings_created, second.mappings_skipped) == (1, 1)
    assert target.words_with_videos(["refer", "manual", "absent"], "en") == {"refer": 1, "manual": 1, "absent": 0}
    assert target.words_with_videos(["refer"], "de") == {"refer": 0}


def test_the_words_of_a_bundle_that_want_videos(target, tmp_path, request):
    words = ["refer", "manual", "o'clock", "café"]
    has_bundles = fill(request, target, words)
    assert target.words_needing_videos("toefl_beginner") == (frozenset(words) if has_bundles else None)
    target.send("s", [make_item(tmp_path, "a")])
    assert target.words_needing_videos("toefl_beginner") == (frozenset(words) - {"refer"} if has_bundles else None)


def test_a_bundle_that_is_not_there_has_no_answer(target):
    for name in ("unit-12", "../../x", "a b?c#d"):
        try:
            found = target.words_needing_videos(name)
        except ProviderError:
            continue
        assert found is None


@pytest.mark.parametrize(
    "bad",
    [
        {"name": "n" * 256},
        {"format": "f" * 11},
        {"audio_transcript": "a\x00b"},
        {"metadata": {"a": float("nan")}},
        {"word_mappings": (WordMapping("w", "en", 1.2, "audio"),)},
        {"path": "/nowhere/at/all.mp4"},
        {"path": "nul\x00"},
        {"size_bytes": 999},
    ],
)
def test_one_bad_item_is_a_definite_error_and_nothing_arrived(target, tmp_path, bad):
    good, other = make_item(tmp_path, "good"), make_item(tmp_path, "bad")
    with pytest.raises(ExportError) as caught:
        target.send("s", [good, replace(other, **bad)])
    assert not caught.value.is_retryable
    assert caught.value.is_about_items
    assert target.words_with_videos(["refer"], "en") == {"refer": 0}


def test_an_empty_request_and_a_long_source_id_are_refused(target, tmp_path):
    with pytest.raises(ExportError):
        target.send("s", [])
    with pytest.raises(ExportError):
        target.send("s" * 101, [make_item(tmp_path, "a")])


def test_a_video_that_is_not_there(target):
    with pytest.raises(NotFound):
        list(target.read_back(999))


def test_odd_text_travels_unharmed(target, tmp_path):
    slug = "tiếng <b> \u202e ' \" \\ 🎬"
    item = make_item(tmp_path, slug, audio_transcript="“blasé”\n\tRe: \U0001f3ac")
    assert target.send("s", [item])[0].slug == slug
    assert target.words_with_videos(["refer"], "en") == {"refer": 1}


def test_bad_items_are_isolated_and_the_rest_arrives_once(target, tmp_path):
    items = [make_item(tmp_path, f"clip-{i}", word=f"word{i}") for i in range(12)]
    items[4] = replace(items[4], name="n" * 256)
    items[9] = replace(items[9], path=str(tmp_path / "gone.mp4"))
    results = [result for _, result in send_isolating(target, "s", items, wait=lambda _: None)]
    assert [i for i, result in enumerate(results) if result.status is ItemStatus.FAILED] == [4, 9]
    assert all(result.error for result in (results[4], results[9]))
    found = target.words_with_videos([f"word{i}" for i in range(12)], "en")
    assert found == {f"word{i}": int(i not in (4, 9)) for i in range(12)}


def test_the_body_is_exactly_as_long_as_was_said(tmp_path):
    items = [make_item(tmp_path, f"clip “{n}”", size_bytes=n) for n in (1, 2, 3, 786_431, 786_433)]
    body = b"".join(payload_stream("só", items))
    assert len(body) == payload_size("só", items)
    assert [video["slug"] for video in json.loads(body)["videos"]] == [item.slug for item in items]


def test_a_folder_holds_two_files_a_clip_and_no_leftovers(tmp_path):
    target = FolderTarget(tmp_path / "out")
    target.send("s", [make_item(tmp_path, "../../a\\b:c")])
    with pytest.raises(ExportError):
        target.send("s", [make_item(tmp_path, "good"), replace(make_item(tmp_path, "b"), size_bytes=5)])
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert len(names) == 2
    facts = json.loads((tmp_path / "out" / names[0]).read_text())
    assert (facts["file"], facts["slug"], facts["source_id"]) == (names[1], "../../a\\b:c", "s")
    assert "video_data_base64" not in facts
