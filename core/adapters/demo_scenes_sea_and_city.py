"""Scenes of the demo: the coast and the city, at night. Each returns what draws the picture at a moment in seconds."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from core.adapters.demo_paint import (
    HEIGHT_PX,
    MARGIN_PX,
    WIDTH_PX,
    Brush,
    Layer,
    Light,
    add_light,
    add_rolled,
    falling,
    full_picture,
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


def radio_room() -> Scene:
    """An operator with a headset at the window of a radio room; rain outside, a radar that sweeps."""
    import numpy as np

    outside = gradient((0, "#0B1A24"), (0.45, "#1D3A48"), (0.62, "#28505C"), (0.63, "#12303A"), (1, "#08161D"))
    outside += glow(508, 116, 26, "#FFF0C8", 0.9) + glow(508, 116, 90, "#C9B98A", 0.28)
    rain = falling(3, 150, length_px=24, slant=0.14, alpha=120)

    def room(brush: Brush) -> None:
        for x, width in ((0, 22), (196, 12), (618, 22)):
            brush.box(x, 0, width, 290, "#070C10")
        brush.box(0, 0, WIDTH_PX, 12, "#070C10")
        brush.polygon([(0, 272), (WIDTH_PX, 256), (WIDTH_PX, 360), (0, 360)], "#10181D")
        brush.polygon([(0, 272), (WIDTH_PX, 256), (WIDTH_PX, 262), (0, 279)], "#1F2C33")
        brush.line([(92, 230), (96, 168)], "#05080A", 7)
        brush.polygon([(66, 238), (128, 238), (112, 206), (82, 206)], "#241B12")
        brush.box(62, 237, 70, 5, "#F8E3B0", radius=2)
        for light_x, y, z in scattered(5, 46, (20, 296), (430, 352)):
            brush.disc(light_x, y, 1.0 + z, ("#E8B45C", "#6FC3A0", "#D86A4A")[int(z * 2.99)], 150)

    def operator(brush: Brush) -> None:
        shoulders(brush, 452, 246, 236, "#1B242B")
        brush.curve([(372, 262), (430, 246), (486, 246), (530, 262), (516, 274), (450, 266), (392, 274)], "#2B3942")
        profile(brush, 446, 168, 74, "#5A3A2B")
        hair = [
            (470, 90),
            (432, 88),
            (404, 104),
            (396, 130),
            (420, 124),
            (444, 138),
            (452, 166),
            (458, 204),
            (470, 240),
            (502, 236),
            (514, 196),
            (520, 150),
            (502, 106),
        ]
        brush.curve([(float(x), float(y)) for x, y in hair], "#14110F")
        brush.line(smooth([(392, 112), (424, 78), (474, 76), (504, 118)], is_closed=False), "#3B4A53", 5)
        brush.disc(462, 172, 21, "#0B1014", stretch=1.2)
        brush.disc(459, 170, 15, "#27353E", stretch=1.2)
        brush.line(smooth([(456, 190), (430, 216), (398, 214)], is_closed=False), "#55656E", 2.5)
        brush.disc(396, 213, 5, "#0B1014")

    def radar(brush: Brush) -> None:
        brush.disc(228, 306, 56, "#04120C", stretch=0.72)
        for radius, shade in ((53, "#0C4029"), (51, "#08301F")):
            brush.disc(228, 306, radius, shade, stretch=0.72)
        for radius in (17, 34, 51):
            points = [(228 + radius * math.cos(a / 16), 306 + radius * 0.72 * math.sin(a / 16)) for a in range(102)]
            brush.line(points, "#2E8F63", 1, 130)

    figure = layer(operator)
    edge = np.clip(np.roll(figure.rest, 2, axis=1) - figure.rest, 0, 1) * np.array((96, 150, 168), np.float32) * 0.55
    figure = Layer(figure.colours + edge, figure.rest, figure.first_row)
    front = [layer(room), layer(radar)]
    lamp = light(glow(97, 250, 58, "#E9A44B", 0.42, flatness=1.7))
    rows, columns = np.mgrid[264:348, 176:280].astype(np.float32)
    angle, distance = np.arctan2((rows - 306) / 0.72, columns - 228), np.hypot((rows - 306) / 0.72, columns - 228)
    green = np.array((70, 230, 150), np.float32) * (distance < 51)[:, :, None]
    dark = vignette(0.45)

    def draw(at_s: float) -> Picture:
        picture = outside.copy()
        add_rolled(picture, rain, int(at_s * 520), 0.5)
        for part in front:
            over(picture, part)
        behind = np.mod(at_s * 2.4 - angle, 2 * math.pi)
        picture[264:348, 176:280] += np.exp(-behind * 1.6)[:, :, None] * green * 0.55
        add_light(picture, lamp, 1 + 0.03 * math.sin(at_s * 9))
        over(picture, figure)
        picture *= dark
        return picture

    return draw


def boat() -> Scene:
    """A small boat on a rough sea; the waves run, the boat rolls, a light blinks."""
    sky = gradient((0, "#0A141D"), (0.4, "#223C4B"), (0.56, "#3C5C68"), (1, "#0C1C24"))
    sky += glow(470, 190, 120, "#6E8C94", 0.22, flatness=2.4)
    rain = falling(8, 120, length_px=20, slant=0.25, alpha=90)
    clouds = [_cloud_bank(seed, y, colour) for seed, y, colour in ((1, 40, "#13222C"), (2, 84, "#182B36"), (4, 128, "#1F3642"))]
    waves = [_wave_band(y, height, colour, phase) for y, height, colour, phase in WAVES]

    def hull(brush: Brush) -> None:
        brush.polygon([(268, 214), (392, 206), (374, 242), (290, 246)], "#0A0F13")
        brush.polygon([(268, 214), (392, 206), (390, 212), (270, 220)], "#8C3B2A")
        brush.polygon([(306, 212), (308, 178), (348, 175), (350, 209)], "#141D23")
        brush.box(314, 184, 11, 10, "#F2C879", radius=1)
        brush.box(330, 183, 11, 10, "#F2C879", radius=1)
        brush.line([(330, 178), (328, 132)], "#0A0F13", 2.5)
        brush.line([(329, 140), (282, 212)], "#0A0F13", 1)
        brush.line([(329, 140), (384, 206)], "#0A0F13", 1)

    ship, dark = layer(hull, margin_px=MARGIN_PX), vignette(0.4)
    beacon, lamps = light(glow(328, 130, 30, "#FFD9A0", 0.8)), light(glow(328, 190, 34, "#E8A04A", 0.3))

    def draw(at_s: float) -> Picture:
        picture = sky.copy()
        for depth, bank in enumerate(clouds):
            over_shifted(picture, bank, 14 * math.sin(at_s * 0.12 + depth) + at_s * (1.0 + depth))
        heave = round(6 * math.sin(at_s * 1.5))
        for depth, band in enumerate(waves):
            if depth == 2:
                over_shifted(picture, ship, 5 * math.sin(at_s * 0.8), heave)
                add_light(picture, beacon, 1.0 if at_s % 1.6 < 0.5 else 0.35, heave)
                add_light(picture, lamps, 1.0, heave)
            rise = round((2 + depth) * math.sin(at_s * (1.2 + 0.15 * depth) + depth * 1.3))
            over_shifted(picture, band, (18 + 3 * depth) * math.sin(at_s * (0.7 + 0.1 * depth) + depth * 2.1), rise)
        add_rolled(picture, rain, int(at_s * 560), 0.35)
        picture *= dark
        return picture

    return draw


WAVES = (
    (206, 7, "#1E3D49", 0.0),
    (222, 10, "#183441", 1.9),
    (240, 12, "#132B37", 3.7),
    (264, 15, "#0F232E", 0.8),
    (296, 19, "#0A1A23", 2.6),
)


def _cloud_bank(seed: int, y: float, colour: str) -> Layer:
    puffs = scattered(seed, 22, (-MARGIN_PX, y - 16), (WIDTH_PX + MARGIN_PX, y + 16))

    def paint(brush: Brush) -> None:
        for x, puff_y, z in puffs:
            brush.disc(x, puff_y, 46 + 44 * z, colour, 120, stretch=0.34)

    return layer(paint, blur_px=7, margin_px=MARGIN_PX)


def _wave_band(y: float, height: float, colour: str, phase: float) -> Layer:
    def paint(brush: Brush) -> None:
        crest = [
            (float(x), y + height * (0.6 * math.sin(x / (height * 3.4) + phase) + 0.4 * math.sin(x / (height * 7.3) + phase * 2)))
            for x in range(-MARGIN_PX, WIDTH_PX + MARGIN_PX + 4, 4)
        ]
        brush.polygon([*crest, (WIDTH_PX + MARGIN_PX, 420), (-MARGIN_PX, 420)], colour)
        brush.line(crest, "#5E8791", 1.2, 110)

    return layer(paint, margin_px=MARGIN_PX)


def rooftops() -> Scene:
    """Two people on a roof above a city whose windows go on and off; a violet dusk."""
    sky = gradient((0, "#171431"), (0.4, "#3A2A57"), (0.7, "#8A4A6A"), (0.86, "#D77F5F"), (1, "#E9A56B"))
    sky += glow(452, 246, 150, "#FFB27A", 0.30, flatness=1.8)
    far, middle, near = (_skyline(seed, base, low, high, colour) for seed, base, low, high, colour in SKYLINES)
    lights = [_windows(seed, share) for seed, share in ((21, 0.62), (22, 0.5), (23, 0.4))]

    def roof(brush: Brush) -> None:
        brush.polygon([(0, 318), (WIDTH_PX, 306), (WIDTH_PX, 360), (0, 360)], "#0B0914")
        brush.polygon([(0, 318), (WIDTH_PX, 306), (WIDTH_PX, 310), (0, 323)], "#2A2038")
        brush.box(60, 262, 54, 58, "#0B0914")
        brush.polygon([(54, 264), (87, 244), (120, 264)], "#0B0914")
        for x in (66, 106):
            brush.line([(x, 320), (x, 262)], "#0B0914", 4)
        brush.line([(560, 308), (560, 214)], "#0B0914", 2)
        for y in (222, 232, 242):
            brush.line([(538, y), (582, y - 2)], "#0B0914", 1.5)
        standing(brush, 300, 315, 92, "#0B0914")
        standing(brush, 348, 314, 84, "#0B0914", stride=0.04)

    top, dark = layer(roof), vignette(0.35)
    over(sky, far)
    over(sky, middle)
    lamp = light(glow(560, 213, 7, "#FF5040", 1.0))

    def draw(at_s: float) -> Picture:
        picture = sky.copy()
        for index, panes in enumerate(lights):
            add_light(picture, panes, 0.75 + 0.25 * math.sin(at_s * (0.9 + 0.5 * index) + index * 2))
        over(picture, near)
        over(picture, top)
        add_light(picture, lamp, 1.0 if at_s % 2.0 < 1.0 else 0.15)
        picture *= dark
        return picture

    return draw


SKYLINES = ((11, 330, 60, 140, "#43305C"), (12, 340, 80, 190, "#241C3D"), (13, 350, 20, 60, "#120E22"))


def _skyline(seed: int, base: float, low: float, high: float, colour: str) -> Layer:
    blocks = scattered(seed, 26, (0, low), (1, high))

    def paint(brush: Brush) -> None:
        for index, (_, height, z) in enumerate(blocks):
            x = index * 26 - 10
            brush.box(x, base - height, 22 + 10 * z, height + 60, colour)
            if z > 0.7:
                brush.line([(x + 12, base - height), (x + 12, base - height - 16)], colour, 2)

    return layer(paint)


def _windows(seed: int, share: float) -> Light:
    panes = scattered(seed, 150, (0, 0), (1, 1))

    def paint(brush: Brush) -> None:
        for x, y, z in panes:
            if z < share:
                brush.box(round(x * 106) * 6.0, 196 + round(y * 17) * 7.0, 3, 4, "#FFD08A" if z < 0.4 else "#BFD8FF", 190)

    return light(full_picture(layer(paint)))


def diner() -> Scene:
    """A lit diner at the corner of a wet street; its sign flickers, its light lies on the road."""
    import numpy as np

    night = gradient((0, "#0B0E1A"), (0.6, "#182033"), (0.74, "#1B2233"), (0.75, "#10141F"), (1, "#0A0C13"))
    rain = falling(31, 130, length_px=18, slant=0.1, alpha=90)

    def house(brush: Brush) -> None:
        brush.box(96, 128, 448, 142, "#1A1420")
        brush.box(86, 116, 468, 18, "#2C1F2B", radius=3)
        for x in (118, 214, 424):
            brush.box(x, 158, 86, 78, "#F0C27A", radius=2)
            brush.box(x, 158, 86, 22, "#F8DDA2", radius=2)
        brush.box(330, 158, 68, 112, "#C98F52", radius=2)
        brush.box(338, 166, 52, 66, "#F3CF8D", radius=2)
        for x, lean in ((146, 3.0), (258, -3.0), (468, 4.0)):
            _guest(brush, x, lean)
        for x in (118, 214, 424):
            brush.box(x - 2, 232, 90, 6, "#120D16")
            brush.line([(x + 43, 158), (x + 43, 234)], "#3A2A22", 2)
        standing(brush, 366, 266, 82, "#1B1216", stride=0.05)
        brush.box(96, 266, 448, 6, "#0C0910")

    def sign(brush: Brush) -> None:
        brush.box(236, 72, 168, 40, "#160F1A", radius=6)
        for index, strokes in enumerate(NEON):
            for stroke in strokes:
                brush.line([(256 + index * 27 + x * 15, 82 + y * 20) for x, y in stroke], "#FF7A6A", 2.6)

    dark = vignette(0.45)
    over(night, layer(house))
    over(night, layer(sign))
    sign_light = light(glow(320, 92, 60, "#FF5A4A", 0.36, flatness=1.9))
    wet = np.add.reduce([glow(x, 306, 34, "#F0B060", 0.34) for x in (160, 256, 364, 466)])[272:]
    rows = np.arange(272, HEIGHT_PX, dtype=np.float32)

    def draw(at_s: float) -> Picture:
        picture = night.copy()
        is_dim = at_s % 3.1 > 2.9 or 1.20 < at_s % 3.1 < 1.26
        add_light(picture, sign_light, 0.35 if is_dim else 1.0)
        picture[272:] += wet * (1 + 0.35 * np.sin(rows * 0.9 + at_s * 5))[:, None, None]
        add_rolled(picture, rain, int(at_s * 480), 0.4)
        picture *= dark
        return picture

    return draw


NEON = (
    (((0, 0), (0.6, 0.1), (0.8, 0.5), (0.6, 0.9), (0, 1), (0, 0)),),
    (((0.4, 0), (0.4, 1)),),
    (((0, 1), (0, 0), (0.8, 1), (0.8, 0)),),
    (((0.8, 0), (0, 0), (0, 1), (0.8, 1)), ((0, 0.5), (0.6, 0.5))),
    (((0, 1), (0, 0), (0.7, 0.05), (0.7, 0.48), (0, 0.5), (0.8, 1)),),
)
"""The letters D, I, N, E, R as strokes in a unit square."""


def _guest(brush: Brush, x: float, lean: float) -> None:
    brush.disc(x + lean, 200, 9, "#2A1A16", stretch=1.15)
    brush.curve([(x - 17, 236), (x - 13, 218), (x + lean, 212), (x + 13, 218), (x + 17, 236)], "#2A1A16")


def night_road() -> Scene:
    """The road ahead through a windscreen at night; the white line runs towards us, far lights drift."""
    sky = gradient((0, "#070A14"), (0.5, "#121B2E"), (0.535, "#24304A"), (0.54, "#0B0E13"), (1, "#15181D"))
    road_light = light(glow(320, 330, 120, "#C7BFA6", 0.34, flatness=1.5))
    far = scattered(41, 34, (60, 172), (580, 190))

    def town(brush: Brush) -> None:
        for x, y, z in far:
            brush.disc(x, y, 2.2 + 3.4 * z, ("#F3B35C", "#F0E2B8", "#D9573E", "#9FC0E8")[int(z * 3.99)], 130)

    def car(brush: Brush) -> None:
        brush.polygon([(0, 0), (70, 0), (16, 262), (0, 270)], "#05060A")
        brush.polygon([(640, 0), (570, 0), (624, 262), (640, 270)], "#05060A")
        brush.curve([(-40, 400), (-40, 286), (120, 262), (330, 268), (520, 262), (680, 286), (680, 400)], "#07080C")
        points = [(168 + 104 * math.cos(a / 20), 352 + 92 * math.sin(a / 20)) for a in range(63, 126)]
        brush.line(points, "#1A1D24", 13)
        brush.line(points, "#31353E", 2)
        brush.box(272, 14, 104, 26, "#0B0D12", radius=6)
        brush.box(277, 18, 94, 18, "#1B2437", radius=4)
        for x in (404, 430, 456):
            brush.disc(x, 300, 8, "#10202A")
            brush.disc(x, 300, 5, "#2E6C86", 170)

    lamps, inside, dark = layer(town, blur_px=1.2, margin_px=MARGIN_PX), layer(car), vignette(0.4)
    snow = scattered(43, 60, (-1, -1), (1, 1))

    def moving(at_s: float) -> Callable[[Brush], None]:
        def paint(brush: Brush) -> None:
            for index in range(9):
                near, end = ((index + at_s * 2.2) % 9 / 9) ** 2.6, ((index + 0.45 + at_s * 2.2) % 9 / 9) ** 2.6
                if end > near:
                    y1, y2 = 194 + near * 170, 194 + end * 170
                    brush.polygon(
                        [(320 - near * 12, y1), (320 + near * 12, y1), (320 + end * 12, y2), (320 - end * 12, y2)], "#E6E0C6", 215
                    )
            for side in (-1, 1):
                brush.line([(320 + side * 6, 194), (320 + side * 330, 372)], "#8F9290", 2, 150)
            for x, y, z in snow:
                depth = ((z + at_s * 0.55) % 1.0) ** 2
                brush.disc(320 + x * 420 * depth, 180 + y * 230 * depth, 0.6 + 2.0 * depth, "#DCE6F0", int(170 * depth))

        return paint

    def draw(at_s: float) -> Picture:
        picture = sky.copy()
        over_shifted(picture, lamps, 16 * math.sin(at_s * 0.35))
        add_light(picture, road_light)
        over(picture, layer(moving(at_s)))
        over(picture, inside)
        picture *= dark
        return picture

    return draw
