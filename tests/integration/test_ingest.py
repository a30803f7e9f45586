"""Taking films in: what is said of those that no word can be found in."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from core.adapters.media_av import AvMediaTools
from core.adapters.transcriber_captions import CaptionsTranscriber
from core.pipeline import ingest
from core.pipeline.ingest import Ingest
from tests.loopback.discovery_world import World


def test_a_film_without_sound_and_with_pictures_for_subtitles_is_known_the_second_time(media_path: Path, tmp_path: Path) -> None:
    world = World(tmp_path / "home")
    try:
        world.bench.media_tools = AvMediaTools()
        film = media_path / "video" / "popeye_T00-1.mkv"
        first, second = (Ingest(world.bench, CaptionsTranscriber()).take_in(film, is_demo=False) for _ in range(2))
    finally:
        world.close()
    assert (first.status, second.status) == ("ingested", "known")
    assert first.media_id == second.media_id and first.reason == second.reason
    assert "no sound and no captions" in first.reason and "subtitles are pictures" in first.reason


CAPTION = b"1\n00:00:01,000 --> 00:00:03,000\nIt was a coincidence.\n"


@pytest.mark.parametrize("n_more", [0, 1])
def test_captions_beside_a_film_are_read_up_to_a_size_and_refused_beyond_it(
    media_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_more: int
) -> None:
    monkeypatch.setattr(ingest, "MAX_CAPTION_BYTES", len(CAPTION))
    film = tmp_path / "film.mkv"
    film.symlink_to(media_path / "video" / "popeye_T00-1.mkv")
    film.with_suffix(".srt").write_bytes(CAPTION + b"\n" * n_more)
    world = World(tmp_path / "home")
    try:
        world.bench.media_tools = AvMediaTools()
        first, second = (Ingest(world.bench, CaptionsTranscriber()).take_in(film, is_demo=False) for _ in range(2))
    finally:
        world.close()
    is_refused = f"film.srt is larger than {len(CAPTION)} bytes" in first.reason and "no sound and no captions" in first.reason
    assert first.status == "ingested" and is_refused == bool(n_more)
    assert second.status == "known" and second.reason == first.reason


def test_captions_that_never_end_are_not_waited_for(media_path: Path, tmp_path: Path) -> None:
    film = tmp_path / "film.mkv"
    film.symlink_to(media_path / "video" / "popeye_T00-1.mkv")
    os.mkfifo(film.with_suffix(".srt"))
    film.with_suffix(".vtt").symlink_to("/dev/zero")
    world = World(tmp_path / "home")
    try:
        world.bench.media_tools = AvMediaTools()
        found = Ingest(world.bench, CaptionsTranscriber()).take_in(film, is_demo=False)
    finally:
        world.close()
    assert "film.srt is no plain file" in found.reason and "film.vtt is no plain file" in found.reason
