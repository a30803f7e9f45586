"""What all media tools hold to: libav, libav in a process of its own, and the fake."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.adapters.isolated import IsolatedMediaTools, IsolatedPool
from core.adapters.media_av import AvMediaTools
from core.adapters.media_fake import FakeMediaTools
from core.errors import InvalidInput, NotFound, UnreadableMedia
from core.ports import MediaTools
from core.rules.playable import learner_problems
from tests.loopback.made_films import make_film


@pytest.fixture(scope="module")
def pool() -> Iterator[IsolatedPool]:
    with IsolatedPool(1) as made:
        yield made


@pytest.fixture(params=["libav", "isolated", "fake"])
def tools(request: pytest.FixtureRequest) -> MediaTools:
    if request.param == "isolated":
        return IsolatedMediaTools(request.getfixturevalue("pool"), AvMediaTools())
    return AvMediaTools() if request.param == "libav" else FakeMediaTools()


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_film(tmp_path_factory.mktemp("film") / "ten seconds.mp4", duration_s=10.0)


def test_the_probe_names_the_file_by_its_content(tools: MediaTools, film: Path):
    facts = tools.probe(film)
    assert facts.media_id == hashlib.sha256(film.read_bytes()).hexdigest()
    assert facts.size_bytes == film.stat().st_size
    assert facts.duration_s == pytest.approx(10.0, abs=0.03)
    assert facts.video is not None
    assert facts.audio is not None


def test_a_cut_is_a_new_file_of_the_range_that_learners_can_play(tools: MediaTools, film: Path, tmp_path: Path):
    before = film.read_bytes()
    made = tools.cut(film, 2.0, 5.5, tmp_path / "new folder")
    facts = tools.probe(made)
    assert made.parent == tmp_path / "new folder"
    assert made.suffix == ".mp4"
    assert facts.duration_s == pytest.approx(3.5, abs=0.002)
    assert learner_problems(facts) == ()
    assert film.read_bytes() == before


def test_the_same_cut_is_the_same_bytes_and_another_is_another_file(tools: MediaTools, film: Path, tmp_path: Path):
    one, again = tools.cut(film, 2.0, 4.0, tmp_path / "one"), tools.cut(film, 2.0, 4.0, tmp_path / "again")
    other = tools.cut(film, 2.0, 4.5, tmp_path / "one")
    assert one.read_bytes() == again.read_bytes()
    assert one.name == again.name
    assert other != one
    assert sorted(tmp_path.joinpath("one").iterdir()) == sorted([one, other])


def test_a_cut_past_the_end_stops_there(tools: MediaTools, film: Path, tmp_path: Path):
    assert tools.probe(tools.cut(film, 8.0, 60.0, tmp_path)).duration_s == pytest.approx(2.0, abs=0.05)


@pytest.mark.parametrize(("start_s", "end_s"), [(5.0, 5.0), (6.0, 4.0), (-1.0, 3.0), (10.5, 12.0), (float("nan"), 3.0)])
def test_a_range_that_is_none_is_refused_and_leaves_nothing(tools: MediaTools, film: Path, tmp_path: Path, start_s: float, end_s: float):
    with pytest.raises(InvalidInput):
        tools.cut(film, start_s, end_s, tmp_path / "into")
    assert not tmp_path.joinpath("into").exists() or not list(tmp_path.joinpath("into").iterdir())


def test_a_smaller_copy_fits_and_the_file_stays(tools: MediaTools, film: Path, tmp_path: Path):
    before = film.read_bytes()
    limit_bytes = 5_000_000
    made = tools.shrink(film, tmp_path, max_bytes=limit_bytes)
    facts = tools.probe(made)
    assert facts.size_bytes <= limit_bytes
    assert learner_problems(facts) == ()
    assert list(tmp_path.iterdir()) == [made]
    assert film.read_bytes() == before


def test_a_still_is_one_jpeg(tools: MediaTools, film: Path, tmp_path: Path):
    still = tools.still(film, 3.0, tmp_path, width_px=96)
    assert still.read_bytes().startswith(b"\xff\xd8\xff") or isinstance(tools, FakeMediaTools)
    assert still.suffix == ".jpg"
    assert list(tmp_path.iterdir()) == [still]


@pytest.mark.parametrize("n_peaks", [1, 7, 1000])
def test_peaks_are_as_many_as_asked_for_between_0_and_1(tools: MediaTools, film: Path, n_peaks: int):
    peaks = tools.peaks(film, n_peaks)
    assert len(peaks) == n_peaks
    assert all(0.0 <= peak <= 1.0 for peak in peaks)


def test_captions_of_a_film_without_any_are_nothing(tools: MediaTools, film: Path):
    assert tools.embedded_captions(film) == ()


CALLS: list[Callable[[MediaTools, Path, Path], object]] = [
    lambda tools, path, into: tools.probe(path),
    lambda tools, path, into: tools.cut(path, 0.0, 1.0, into),
    lambda tools, path, into: tools.still(path, 0.0, into),
    lambda tools, path, into: tools.peaks(path, 10),
    lambda tools, path, into: tools.embedded_captions(path),
]


@pytest.mark.parametrize("call", CALLS, ids=["probe", "cut", "still", "peaks", "captions"])
@pytest.mark.parametrize(("content", "said"), [(b"", "is empty"), (b"<!DOCTYPE html><html><body>404</body>", "is a web page, not a video")])
def test_what_is_no_film_is_named_and_leaves_nothing(tools: MediaTools, tmp_path: Path, call, content: bytes, said: str):
    path, into = tmp_path / "clip.mp4", tmp_path / "into"
    path.write_bytes(content)
    with pytest.raises(UnreadableMedia, match=f"clip.mp4 {said}") as caught:
        call(tools, path, into)
    assert caught.value.hint
    assert not into.exists() or not list(into.iterdir())


@pytest.mark.parametrize("call", CALLS, ids=["probe", "cut", "still", "peaks", "captions"])
def test_a_file_that_is_gone_is_not_found(tools: MediaTools, tmp_path: Path, call):
    with pytest.raises(NotFound, match=r"gone\.mp4"):
        call(tools, tmp_path / "gone.mp4", tmp_path / "into")
