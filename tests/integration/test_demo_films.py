"""The demo's films: made here, playable, cut where a line begins, and telling the truth about their words."""

from __future__ import annotations

import json
import re
from pathlib import Path

import av
import numpy as np
import pytest

from core.adapters.demo_films import FPS, LEAD_S, make_demo_films, make_film
from core.adapters.demo_scenes import SCENES
from core.adapters.demo_script import DEMO_WORDS, STORIES
from core.adapters.isolated import IsolatedPool
from core.adapters.media_av import AvMediaTools
from core.adapters.media_probe import hash_of
from core.rules.playable import learner_problems
from core.rules.safe_names import safe_slug

LINES = [line for story in STORIES for line in story.lines]


def test_the_script_has_about_24_lines_for_about_30_words():
    assert 24 <= len(LINES) <= 28
    assert 28 <= len(DEMO_WORDS) <= 34
    assert {line.scene for line in LINES} == set(SCENES)


@pytest.mark.parametrize("line", LINES, ids=[line.text[:24] for line in LINES])
def test_every_line_says_the_words_that_it_teaches(line):
    said = re.findall(r"[a-z]+", line.text.lower())
    assert set(line.words) <= set(said)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory):
    with IsolatedPool(1) as pool:
        return pool.run(make_film, 2, tmp_path_factory.mktemp("demo"))


def test_a_film_plays_for_learners(film):
    facts = AvMediaTools().probe(film.path)
    assert learner_problems(facts) == ()
    assert facts.video is not None
    assert (facts.video.width_px, facts.video.height_px, facts.video.fps) == (640, 360, 24)
    assert 20 < facts.duration_s < 45
    assert facts.loudness_lufs is not None
    assert -26 < facts.loudness_lufs < -14


def test_a_new_line_is_a_new_shot(film):
    starts = [round((_seconds(stamp) - LEAD_S) * FPS) for stamp in re.findall(r"(\S+) -->", film.srt_path.read_text())]
    with av.open(str(film.path)) as opened:
        greys = [frame.to_ndarray(format="gray").astype(np.int16) for frame in opened.decode(video=0)]
    jumps = [float(np.abs(b - a).mean()) for a, b in zip(greys, greys[1:], strict=False)]
    cuts = {index + 1 for index, jump in enumerate(jumps) if jump > 8}
    assert cuts == set(starts[1:])
    assert float(np.median(jumps)) < 2


def test_the_words_are_where_the_sound_is(film):
    words = json.loads(film.words_path.read_text())["words"]
    assert [word["word"] for word in words] == [word for line in STORIES[2].lines for word in line.text.split()]
    with av.open(str(film.path)) as opened:
        samples = np.concatenate([frame.to_ndarray()[0] for frame in opened.decode(audio=0)])
    rate_hz = 44_100
    loud = [np.sqrt(np.mean(samples[int(w["start_s"] * rate_hz) : int(w["end_s"] * rate_hz)] ** 2)) for w in words]
    assert sum(level > 0.01 for level in loud) >= len(words) - 1
    spoken = np.zeros(len(samples), bool)
    for word in words:
        spoken[int((word["start_s"] - 0.15) * rate_hz) : int((word["end_s"] + 0.25) * rate_hz)] = True
    assert np.abs(samples[~spoken]).max() < 0.03


def test_the_captions_are_the_lines(film):
    text = film.srt_path.read_text()
    assert [block.split("\n", 2)[2].strip() for block in text.strip().split("\n\n")] == [line.text for line in STORIES[2].lines]


def test_the_same_film_again_is_left_alone_and_made_anew_is_the_same(film, tmp_path: Path):
    stamp = film.path.stat().st_mtime_ns
    assert make_film(2, film.path.parent) == film
    assert film.path.stat().st_mtime_ns == stamp
    with IsolatedPool(1) as pool:
        assert hash_of(pool.run(make_film, 2, tmp_path).path) == hash_of(film.path)


def _seconds(stamp: str) -> float:
    hours, minutes, seconds = stamp.replace(",", ".").split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def test_all_films_are_made_in_their_order_with_a_line_for_each(tmp_path: Path):
    said: list[str] = []
    for story in STORIES:  # made in no time: a film that is there is not made again
        stem = f"demo-{safe_slug(story.title)}-{story.year}"
        (tmp_path / f"{stem}.mp4").write_bytes(b"there")
        (tmp_path / f"{stem}.words.json").write_text('{"words": []}')
    films = make_demo_films(tmp_path, said.append)
    assert [film.title for film in films] == [story.title for story in STORIES]
    assert len(said) == len(STORIES)
    assert tuple(dict.fromkeys(word for film in films for word in film.taught)) == DEMO_WORDS
