"""What learners can play: every reason against a file, and none for a good one."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from core.model.media import AudioStream, MediaFacts, SubtitleStream, VideoStream
from core.rules.playable import MAX_LEARNER_BYTES, learner_problems

VIDEO = VideoStream("h264", 640, 360, 24.0, Fraction(1, 12288), "yuv420p")
AUDIO = AudioStream("aac", 48_000, 2, "LC")
GOOD = MediaFacts("0" * 64, 1_000_000, "mp4", 8.0, VIDEO, AUDIO, is_faststart=True)


def test_a_good_clip_has_no_problem():
    assert learner_problems(GOOD) == ()
    assert learner_problems(replace(GOOD, size_bytes=MAX_LEARNER_BYTES)) == ()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"container": "matroska"}, "not MP4"),
        ({"is_faststart": False}, "faststart"),
        ({"has_data_stream": True}, "data stream"),
        ({"subtitles": (SubtitleStream(2, "mov_text", "", is_text=True),)}, "subtitles"),
        ({"n_video_streams": 2}, "more than one picture"),
        ({"n_audio_streams": 2}, "more than one sound"),
        ({"size_bytes": MAX_LEARNER_BYTES + 1}, "5,242,880"),
        ({"video": None}, "no picture"),
        ({"audio": None}, "no sound"),
        ({"video": replace(VIDEO, codec="hevc")}, "hevc"),
        ({"video": replace(VIDEO, pixel_format="yuv420p10le")}, "yuv420p10le"),
        ({"video": replace(VIDEO, width_px=641)}, "odd"),
        ({"audio": replace(AUDIO, codec="mp3")}, "mp3"),
        ({"audio": replace(AUDIO, profile="HE-AAC")}, "HE-AAC"),
    ],
)
def test_each_fault_is_named_alone(change, named):
    (problem,) = learner_problems(replace(GOOD, **change))
    assert named in problem


def test_all_faults_are_named_at_once():
    assert len(learner_problems(replace(GOOD, container="avi", is_faststart=False, video=None, audio=None))) == 4
