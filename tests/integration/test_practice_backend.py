"""The practice backend against its contract, on real SQLite."""

from __future__ import annotations

import base64
import json
import threading

import pytest

from core.adapters.practice.backend import PracticeBackend
from core.adapters.practice.tables import BUNDLES
from core.errors import DatabaseUnavailable, InvalidInput


@pytest.fixture
def backend(tmp_path):
    backend = PracticeBackend(tmp_path)
    yield backend
    backend.close()


def video(slug="a", data=b"film", **changes):
    mappings = [{"word": "refer", "learning_language": "en", "relevance_score": 0.9, "transcript_source": "audio", "timestamp": 1.2}]
    return {
        "slug": slug,
        "name": slug,
        "format": "mp4",
        "video_data_base64": base64.b64encode(data).decode(),
        "size_bytes": len(data),
        "transcript": "t",
        "audio_transcript": "I refer",
        "audio_transcript_verified": True,
        "whisper_metadata": {"words": []},
        "metadata": {"movie_year": 1936},
        "word_mappings": mappings,
        **changes,
    }


def body(*videos, **changes):
    return json.dumps({"source_id": "s", "videos": list(videos), **changes}).encode()


def test_a_batch_is_stored_and_told_by_item(backend):
    status, answer = backend.upload(body(video("a"), video("b", b"other")))
    assert status == 200
    assert list(answer) == ["success", "results", "total_videos", "total_mappings"]
    assert answer["results"] == [
        {"slug": "a", "video_id": 1, "status": "created", "mappings_created": 1, "mappings_skipped": 0},
        {"slug": "b", "video_id": 2, "status": "created", "mappings_created": 1, "mappings_skipped": 0},
    ]
    assert backend.video(2).data == b"other"
    assert backend.check_word("refer").body == {"word": "refer", "has_videos": True, "video_count": 2}
    assert backend.check_word("refer", "de").body["video_count"] == 0


def test_the_same_name_again_is_updated_with_new_bytes_and_keeps_mappings_that_were_not_sent(backend):
    backend.upload(body(video("a")))
    other = [{"word": "manual", "learning_language": "en", "relevance_score": 0.5, "transcript_source": "audio"}]
    _, answer = backend.upload(body(video("a", b"new", audio_transcript="new text", word_mappings=other)))
    assert answer["results"] == [{"slug": "a", "video_id": 1, "status": "updated", "mappings_created": 1, "mappings_skipped": 0}]
    assert backend.video(1).data == b"new"
    kept = backend.videos_of_word("refer").body["videos"][0]
    assert (kept["audio_transcript"], kept["relevance_score"]) == ("new text", 0.9)


def test_a_mapping_again_is_skipped_which_means_updated_and_loses_its_verification_without_audio(backend):
    backend.upload(body(video("a")))
    assert backend.videos_of_word("refer").body["videos"][0]["verified_at"]
    _, answer = backend.upload(body(video("a", word_mappings=[{"word": "refer", "relevance_score": 0.4}])))
    assert answer["results"][0]["mappings_skipped"] == 1
    again = backend.videos_of_word("refer").body["videos"][0]
    assert (again["verified_at"], again["relevance_score"], again["transcript_source"]) == (None, 0.4, "metadata")
    assert "timestamp" not in again


def test_the_clips_of_a_word_come_best_first(backend):
    def scored(score):
        return [{"word": "refer", "learning_language": "en", "relevance_score": score}]

    backend.upload(
        body(*(video(slug, word_mappings=scored(score)) for slug, score in [("low", 0.2), ("top", 0.95), ("gone", 0), ("mid", 0.5)]))
    )
    clips = backend.videos_of_word("refer").body["videos"]
    assert [clip["name"] for clip in clips] == ["top", "mid", "low", "gone"]
    assert clips[0]["url"] == "/backend/v3/videos/2"


@pytest.mark.parametrize("bad", [{}, {"videos": None}, {"videos": {}}, {"videos": "a"}, {"videos": []}, None])
def test_videos_missing_empty_or_no_list_is_400(backend, bad):
    status, answer = backend.upload(json.dumps(bad).encode())
    assert (status, list(answer)) == (400, ["error"])


@pytest.mark.parametrize(
    "bad",
    [
        {"name": "n" * 256},
        {"name": None},
        {"format": "f" * 11},
        {"audio_transcript": "a\x00b"},
        {"metadata": {"a": "\x00"}},
        {"whisper_metadata": {"a": float("nan")}},
        {"video_data_base64": "abc"},
        {"video_data_base64": None},
        {"video_data_base64": 5},
        {"word_mappings": [{"word": "w", "relevance_score": 1.01}]},
        {"word_mappings": [{"word": "w", "relevance_score": -0.01}]},
        {"word_mappings": [{"word": "w", "relevance_score": float("nan")}]},
        {"word_mappings": [{"word": "w", "relevance_score": True}]},
        {"word_mappings": [{"word": "w", "learning_language": "l" * 11}]},
        {"word_mappings": [{"word": "w", "transcript_source": "t" * 21}]},
        {"word_mappings": [{"relevance_score": 1}]},
        {"word_mappings": "w"},
        {"size_bytes": "big"},
        {"size_bytes": 2**31},
        {"transcript": "\ud800"},
        {"transcript": 5},
        {"slug": None},
    ],
)
def test_one_bad_item_is_500_and_undoes_all(backend, bad):
    status, answer = backend.upload(body(video("good"), video(**{"slug": "bad", **bad})))
    assert (status, list(answer)) == (500, ["error"])
    assert answer["error"]
    assert backend.video(1) is None
    assert backend.check_word("refer").body["video_count"] == 0


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b"[1]", b'"x"', b"[" * 100_000])
def test_what_is_no_json_object_is_500(backend, raw):
    assert backend.upload(raw).status == 500


def test_a_wrong_content_type_a_long_source_id_and_a_large_body_are_500(backend):
    assert backend.upload(body(video()), content_type="text/plain").status == 500
    assert backend.upload(body(video(), source_id="s" * 101)).status == 500
    assert backend.upload(body(video("a", b"x" * 15_800_000))).status == 500
    assert backend.upload(body(video("a", b"x" * 15_600_000))).status == 200


def test_an_endless_body_is_not_read_to_its_end(backend):
    n_read = 0

    def endless():
        nonlocal n_read
        while True:
            n_read += 1
            yield b" " * 1_000_000

    assert backend.upload(endless()).status == 500
    assert n_read < 25


def test_scores_are_kept_as_hundredths_and_rounded_half_up(backend):
    backend.upload(body(video(word_mappings=[{"word": "refer", "relevance_score": 0.995}, {"word": "low", "relevance_score": 0.0049}])))
    assert backend.videos_of_word("refer").body["videos"][0]["relevance_score"] == 1.0
    assert backend.videos_of_word("low").body["videos"][0]["relevance_score"] == 0.0


def test_it_believes_the_stated_size_and_takes_any_bytes(backend):
    assert backend.upload(body(video("a", b"<html>", size_bytes=7_000_000))).status == 200
    assert backend.upload(body(video("b", b"", size_bytes=None))).status == 200
    assert backend.video(2).data == b""


def test_nine_bundles_always_answer_and_fill(backend):
    assert len(BUNDLES) == 9
    for name in BUNDLES:
        assert backend.words_needing_videos(name).body == {"bundle": name, "words": [], "total_count": 0}
    assert backend.words_needing_videos("mine").status == 500
    backend.fill_bundle("toefl_beginner", ["refer", "manual", "manual"])
    backend.fill_bundle("toefl_intermediate", ["refer", "abate"])
    assert backend.words_needing_videos("toefl_beginner").body["words"] == ["manual", "refer"]
    backend.upload(body(video("a")))
    assert backend.words_needing_videos("toefl_beginner").body["words"] == ["manual"]
    assert backend.words_needing_videos("toefl_intermediate").body["words"] == ["abate"]
    backend.fill_bundle("toefl_intermediate", [])
    assert backend.words_needing_videos("toefl_intermediate").body["words"] == []
    assert backend.words_needing_videos("toefl_beginner").body["words"] == ["manual"]
    with pytest.raises(InvalidInput):
        backend.fill_bundle("mine", ["a"])


def test_two_uploads_of_one_name_at_once_leave_one_video(backend):
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(backend.upload(body(video("a"))))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.body["results"][0]["status"] for answer in answers) == ["created"] + ["updated"] * 5
    assert backend.check_word("refer").body["video_count"] == 1


def test_a_database_that_was_deleted_is_never_replaced_by_an_empty_one(backend):
    backend.upload(body(video("a")))
    backend.path.unlink()
    assert backend.upload(body(video("b"))).status == 500
    with pytest.raises(DatabaseUnavailable, match=r"practice\.db"):
        backend.check_word("refer")
    assert not backend.path.exists()


def test_it_is_there_again_after_a_restart(backend, tmp_path):
    backend.upload(body(video("a")))
    backend.close()
    again = PracticeBackend(tmp_path)
    assert again.video(1).data == b"film"
    assert again.video(2**70) is None
    again.close()


def test_a_file_that_is_no_database_is_named(tmp_path):
    (tmp_path / "practice.db").write_bytes(b"not a database" * 1000)
    with pytest.raises(DatabaseUnavailable, match=r"practice\.db"):
        PracticeBackend(tmp_path)
