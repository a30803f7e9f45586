"""The demo's scenes by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from core.adapters import demo_scenes_land, demo_scenes_rooms, demo_scenes_sea_and_city

if TYPE_CHECKING:
    from core.adapters.demo_paint import Scene

SCENES: dict[str, Callable[[], Scene]] = {
    "radio_room": demo_scenes_sea_and_city.radio_room,
    "boat": demo_scenes_sea_and_city.boat,
    "rooftops": demo_scenes_sea_and_city.rooftops,
    "diner": demo_scenes_sea_and_city.diner,
    "night_road": demo_scenes_sea_and_city.night_road,
    "train": demo_scenes_land.train,
    "mountain": demo_scenes_land.mountain,
    "forest": demo_scenes_land.forest,
    "desert": demo_scenes_land.desert,
    "laboratory": demo_scenes_rooms.laboratory,
    "desk": demo_scenes_rooms.desk,
    "corridor": demo_scenes_rooms.corridor,
    "stage": demo_scenes_rooms.stage,
    "court": demo_scenes_rooms.court,
}
"""Name → what prepares the scene. Preparing takes about 0.1 s, a picture 2 to 12 ms."""
