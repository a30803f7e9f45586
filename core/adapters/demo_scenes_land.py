"""Scenes of the demo: a train, a mountain, a forest, a desert. Each returns what draws the picture at a moment in seconds."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from core.adapters.demo_paint import (
    HEIGHT_PX,
    MARGIN_PX,
    WIDTH_PX,
    Brush,
    Layer,
    add_light,
    add_rolled,
    falling,
    glow,
    gradient,
    layer,
    light,
    over,
    over_shifted,
    profile,
    scattered,
    shoulders,
    smooth,
    standing,
    vignette,
)

if TYPE_CHECKING:
    from core.adapters.demo_paint import Picture, Scene


def train() -> Scene:
    """A woman at a train window; the sun is going down behind fields that pass by."""
    import numpy as np

    sky = gradient((0, "#3A2A52"), (0.3, "#8A4668"), (0.5, "#E0785A"), (0.64, "#F7B56B"), (0.65, "#5A3345"), (1, "#2A1B2C"))
    sky += glow(214, 208, 20, "#FFF3C4", 1.0) + glow(214, 208, 120, "#FFC27A", 0.45)
    hills = [
        _running_land(seed, y, rise, colour)
        for seed, y, rise, colour in ((2, 226, 12, "#6A3C50"), (5, 246, 9, "#4A2A3E"), (7, 270, 7, "#2F1B2C"))
    ]

    def cabin(brush: Brush) -> None:
        brush.box(0, 0, WIDTH_PX, 30, "#120C14")
        brush.box(0, 292, WIDTH_PX, 80, "#150E16")
        brush.box(0, 292, WIDTH_PX, 5, "#4A2B30")
        brush.box(0, 0, 40, 360, "#120C14")
        brush.box(560, 0, 90, 360, "#120C14")
        brush.box(40, 30, 520, 4, "#3A2430")
        brush.box(556, 30, 4, 262, "#5A3236")
        brush.box(40, 30, 4, 262, "#2A1A24")

    def woman(brush: Brush) -> None:
        brush.curve([(476, 380), (480, 240), (520, 150), (600, 128), (660, 140), (660, 380)], "#2A1820")
        shoulders(brush, 474, 262, 220, "#3A2230")
        brush.curve([(404, 278), (440, 262), (506, 262), (536, 278), (520, 290), (460, 284), (420, 290)], "#A8503E")
        profile(brush, 462, 186, 68, "#8A4E3C")
        hair = [
            (478, 116),
            (440, 112),
            (418, 132),
            (412, 152),
            (434, 148),
            (452, 166),
            (456, 206),
            (452, 250),
            (488, 292),
            (534, 280),
            (546, 214),
            (530, 150),
        ]
        brush.curve([(float(x), float(y)) for x, y in hair], "#1C1014")

    figure = layer(woman)
    edge = np.clip(np.roll(figure.rest, 2, axis=1) - figure.rest, 0, 1) * np.array((255, 176, 110), np.float32) * 0.8
    figure = Layer(figure.colours + edge, figure.rest, figure.first_row)
    inside, dark = layer(cabin), vignette(0.3)
    poles = layer(_pole, margin_px=MARGIN_PX)
    warm = light(glow(340, 230, 150, "#FF9A5A", 0.10))

    def draw(at_s: float) -> Picture:
        picture = sky.copy()
        for depth, hill in enumerate(hills):
            _over_running(picture, hill, at_s * (26, 70, 190)[depth])
        passed = (at_s * 1.1) % 1.6
        if passed < 0.55:
            x = int(700 - passed / 0.55 * 780)
            _over_pole(picture, poles, x)
        over(picture, inside)
        add_light(picture, warm)
        over(picture, figure)
        picture *= dark
        return picture

    return draw


def _pole(brush: Brush) -> None:
    brush.box(-MARGIN_PX, 40, 5, 260, "#20131F")
    brush.box(-MARGIN_PX, 64, 24, 3, "#20131F")


def _over_pole(picture: Picture, pole: Layer, x: int) -> None:
    """The pole's first columns, put at `x`."""
    low, high = max(0, x), min(WIDTH_PX, x + 26)
    if low < high:
        part = picture[pole.first_row : pole.first_row + len(pole.rest), low:high]
        part *= pole.rest[:, low - x : high - x]
        part += pole.colours[:, low - x : high - x]


def _running_land(seed: int, y: float, rise: float, colour: str) -> Layer:
    """Land that joins itself at both ends, with bushes; without a margin."""
    bushes = scattered(seed, 16, (20, 0), (620, 1))
    turn = 2 * math.pi / WIDTH_PX

    def paint(brush: Brush) -> None:
        crest = [
            (float(x), y + rise * (math.sin(x * turn * 2 + seed) + 0.5 * math.sin(x * turn * 5 + seed))) for x in range(0, WIDTH_PX + 4, 4)
        ]
        brush.polygon([*crest, (WIDTH_PX, 380), (0, 380)], colour)
        for x, _, z in bushes:
            ground = y + rise * (math.sin(x * turn * 2 + seed) + 0.5 * math.sin(x * turn * 5 + seed))
            brush.disc(x, ground, 5 + 10 * z, colour, stretch=0.8)

    return layer(paint)


def _over_running(picture: Picture, land: Layer, passed_px: float) -> None:
    """The land, run to the left by whole pixels and joined to itself."""
    start = int(passed_px) % WIDTH_PX
    rows = picture[land.first_row : land.first_row + len(land.rest)]
    for part, kept in ((rows[:, : WIDTH_PX - start], slice(start, WIDTH_PX)), (rows[:, WIDTH_PX - start :], slice(0, start))):
        part *= land.rest[:, kept]
        part += land.colours[:, kept]


def mountain() -> Scene:
    """Two climbers below a white summit; snow falls, clouds drift by."""
    sky = gradient((0, "#4F7FB0"), (0.45, "#9CC0DC"), (0.75, "#DCE9F0"), (1, "#EDF3F6"))
    snow = falling(51, 190, length_px=3, slant=0.4, alpha=230, width_px=2)

    def far(brush: Brush) -> None:
        brush.polygon(
            [
                (-20, 240),
                (80, 150),
                (150, 200),
                (240, 128),
                (300, 190),
                (380, 160),
                (470, 214),
                (560, 140),
                (680, 230),
                (680, 380),
                (-20, 380),
            ],
            "#9FBBD3",
        )

    def summit(brush: Brush) -> None:
        brush.polygon([(180, 330), (330, 66), (372, 108), (402, 94), (560, 330)], "#6E93B8")
        brush.polygon(
            [
                (330, 66),
                (372, 108),
                (402, 94),
                (438, 150),
                (404, 140),
                (384, 178),
                (352, 142),
                (334, 196),
                (308, 158),
                (282, 176),
                (270, 172),
            ],
            "#F4F8FB",
        )
        brush.polygon([(330, 66), (372, 108), (402, 94), (560, 330), (430, 330), (388, 214), (384, 178), (352, 142)], "#42688F", 120)

    def slope(brush: Brush) -> None:
        brush.polygon(smooth([(-20, 292), (120, 270), (300, 284), (470, 258), (680, 276), (680, 400), (-20, 400)]), "#DFEAF2")
        brush.polygon(smooth([(-20, 330), (160, 306), (330, 312), (520, 296), (680, 314), (680, 420), (-20, 420)]), "#F6FAFC")
        for index in range(12):
            brush.disc(330 + index * 22, 312 - 0.3 * index + 3 * math.sin(index * 1.7), 2.0, "#B9CBDA", stretch=0.6)
        _climber(brush, 300, 314, 62, "#C0402F")
        _climber(brush, 352, 313, 58, "#1F4E79")
        brush.line(smooth([(306, 284), (326, 294), (346, 286)], is_closed=False), "#35302E", 1)

    backdrop, front, dark = layer(far), layer(slope), vignette(0.18)
    over(sky, backdrop)
    over(sky, layer(summit))
    clouds = [_cloud(seed, y) for seed, y in ((61, 150), (62, 236))]

    def draw(at_s: float) -> Picture:
        picture = sky.copy()
        for depth, cloud in enumerate(clouds):
            over_shifted(picture, cloud, 30 * math.sin(at_s * 0.16 + depth * 2))
        over(picture, front)
        add_rolled(picture, snow, int(at_s * 62), 0.75)
        picture *= dark
        return picture

    return draw


def _cloud(seed: int, y: float) -> Layer:
    puffs = scattered(seed, 16, (-MARGIN_PX, y - 10), (WIDTH_PX + MARGIN_PX, y + 10))

    def paint(brush: Brush) -> None:
        for x, puff_y, z in puffs:
            brush.disc(x, puff_y, 34 + 34 * z, "#FFFFFF", 60, stretch=0.28)

    return layer(paint, blur_px=6, margin_px=MARGIN_PX)


def _climber(brush: Brush, x: float, foot_y: float, height: float, coat: str) -> None:
    standing(brush, x, foot_y, height, "#2A2A33", stride=0.11)
    top = foot_y - height
    brush.curve([(x - 8, top + 12), (x, top + 9), (x + 8, top + 12), (x + 8, top + 34), (x - 8, top + 34)], coat)
    brush.box(x - 13, top + 13, 8, 18, "#3A3128", radius=3)
    brush.line([(x + 10, top + 30), (x + 15, foot_y)], "#2A2A33", 1.5)


def forest() -> Scene:
    """Someone with a lantern between tall firs in the evening mist."""
    sky = gradient((0, "#0F2426"), (0.5, "#2C5150"), (0.8, "#5C7F73"), (1, "#2A4540"))
    far, middle = (
        layer(lambda brush: _firs(brush, 71, 22, 300, (120, 190), "#2F5450")),
        layer(lambda brush: _firs(brush, 72, 14, 322, (190, 270), "#1B3836")),
    )
    near = layer(lambda brush: _firs(brush, 73, 7, 372, (330, 420), "#0A1A19"), margin_px=MARGIN_PX)
    mist = [_mist(y) for y in (238, 282)]

    def keeper(brush: Brush) -> None:
        brush.polygon([(0, 322), (WIDTH_PX, 330), (WIDTH_PX, 360), (0, 360)], "#0A1614")
        standing(brush, 318, 332, 104, "#0B1211")
        brush.curve([(300, 260), (318, 236), (336, 260), (346, 318), (290, 318)], "#0B1211")
        brush.curve([(306, 236), (318, 218), (330, 236), (326, 250), (310, 250)], "#0B1211")
        brush.line([(334, 262), (362, 272)], "#0B1211", 6)
        brush.line([(362, 270), (362, 282)], "#0B1211", 1.5)
        brush.box(355, 282, 14, 20, "#2A1C10", radius=2)
        brush.box(357, 285, 10, 14, "#FFE2A0", radius=2)

    figure, dark = layer(keeper), vignette(0.45)
    lamp = light(glow(362, 292, 16, "#FFE0A0", 0.7) + glow(362, 296, 78, "#F0A850", 0.42))
    over(sky, far)

    def draw(at_s: float) -> Picture:
        picture = sky.copy()
        over_shifted(picture, mist[0], 24 * math.sin(at_s * 0.3))
        over(picture, middle)
        over_shifted(picture, mist[1], -26 * math.sin(at_s * 0.24 + 1))
        over(picture, figure)
        add_light(picture, lamp, 0.86 + 0.09 * math.sin(at_s * 7) + 0.05 * math.sin(at_s * 17))
        over_shifted(picture, near, 5 * math.sin(at_s * 0.4))
        picture *= dark
        return picture

    return draw


def _mist(y: float) -> Layer:
    outline: list[tuple[float, float]] = [
        (-80, y + 20),
        (120, y - 8),
        (330, y + 6),
        (560, y - 10),
        (760, y + 18),
        (560, y + 34),
        (160, y + 36),
    ]
    return layer(lambda brush: brush.curve(outline, "#A9C4B8", 70), blur_px=9, margin_px=MARGIN_PX)


def _firs(brush: Brush, seed: int, n: int, ground: float, heights: tuple[float, float], colour: str) -> None:
    for index, (_, _, z) in enumerate(scattered(seed, n, (0, 0), (1, 1))):
        x = (index + 0.3 + 0.4 * z) * (WIDTH_PX + 80) / n - 40
        if 250 < x < 420 and heights[1] > 300:
            continue
        height = heights[0] + (heights[1] - heights[0]) * z
        brush.box(x - height * 0.012, ground - height * 0.2, height * 0.024, height * 0.22, colour)
        for tier in range(6):
            top, half = ground - height * (1 - tier * 0.14), height * (0.045 + 0.024 * tier)
            brush.polygon(
                [(x, top - height * 0.02), (x + half, top + height * 0.2), (x, top + height * 0.17), (x - half, top + height * 0.2)], colour
            )


def desert() -> Scene:
    """Two travellers on a dune before a huge low sun; sand blows over the ridge."""
    sky = gradient((0, "#B5532E"), (0.4, "#E58A45"), (0.7, "#F7C27A"), (1, "#F3B566"))

    def sun(brush: Brush) -> None:
        brush.disc(400, 182, 74, "#FCE9B8")

    def dunes(brush: Brush) -> None:
        brush.polygon(smooth([(-20, 254), (120, 232), (260, 250), (420, 226), (680, 252), (680, 420), (-20, 420)]), "#C9703A")
        brush.polygon(smooth([(-20, 296), (150, 280), (330, 254), (470, 262), (680, 300), (680, 420), (-20, 420)]), "#9C4A26")
        brush.polygon([(330, 258), (470, 265), (680, 304), (680, 400), (500, 400), (420, 320)], "#7A3519")
        brush.polygon(smooth([(-20, 330), (180, 336), (420, 346), (680, 322), (680, 420), (-20, 420)]), "#5A2412")
        standing(brush, 352, 262, 66, "#2A1109", stride=0.12)
        standing(brush, 392, 264, 60, "#2A1109", stride=0.1)
        brush.curve([(334, 226), (352, 204), (366, 226), (370, 250), (338, 250)], "#2A1109")

    rise = light(glow(400, 182, 150, "#FFE0A0", 0.34))
    over(sky, layer(sun))
    front, dark = layer(dunes), vignette(0.25)
    grains = scattered(81, 70, (0, 236), (WIDTH_PX, 330))

    def draw(at_s: float) -> Picture:
        picture = sky.copy()
        add_light(picture, rise, 1 + 0.12 * math.sin(at_s * 1.3))
        over(picture, front)
        for x, y, z in grains:
            left, row = int((x + at_s * (90 + 90 * z)) % (WIDTH_PX - 30)), int(y + 4 * math.sin(at_s * 2 + x)) % HEIGHT_PX
            picture[row, left : left + int(10 + 16 * z)] += 26 + 20 * z
        picture *= dark
        return picture

    return draw
