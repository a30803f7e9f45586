"""Taking films in: what is said of those that no word can be found in."""

from __future__ import annotations

from pathlib import Path

from core.adapters.media_av import AvMediaTools
from core.adapters.transcriber_captions import CaptionsTranscriber
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
