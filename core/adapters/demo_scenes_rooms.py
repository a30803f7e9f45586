"""Scenes of the demo: a laboratory, a study, a corridor, a stage, a court. Each returns what draws the picture at a moment in seconds."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from core.adapters.demo_paint import (
    HEIGHT_PX,
    WIDTH_PX,
    Brush,
    add_light,
    glow,
    gradient,
    layer,
    light,
    over,
    scattered,
    seated,
    smooth,
    standing,
    vignette,
)

if TYPE_CHECKING:
    from core.adapters.demo_paint import Picture, Scene


def laboratory() -> Scene:
    """A scientist before a curve on the wall; bubbles rise in the flasks."""
    wall = gradient((0, "#0C2B2C"), (0.6, "#1D5552"), (0.76, "#226560"), (0.77, "#0D2223"), (1, "#081516"))
    wall += glow(470, 110, 150, "#7FE0D0", 0.16, flatness=1.5)

    def furniture(brush: Brush) -> None:
        brush.box(384, 54, 180, 112, "#DDEBE6", radius=3)
        for index in range(5):
            brush.line([(398, 72 + index * 20), (550, 72 + index * 20)], "#B9CFC9", 1)
        for x in (70, 150, 230):
            brush.box(x, 60, 64, 6, "#123A39")
            for index, height in enumerate((22, 30, 18, 26)):
                brush.box(x + 4 + index * 15, 60 - height, 11, height, ("#2E7F78", "#C98C4A", "#3FA39A", "#8C4A3C")[index], radius=2)
        seated(brush, 330, 286, 168, "#0A1B1C", lean=-4)
        brush.curve([(304, 128), (326, 114), (350, 126), (350, 146), (302, 146)], "#061112")
        brush.box(0, 282, WIDTH_PX, 90, "#0A1A1B")
        brush.box(0, 282, WIDTH_PX, 5, "#2F7C75")

    def glass(brush: Brush) -> None:
        _flask(brush, 120, 284, 84, "#58E0C0")
        _flask(brush, 214, 284, 58, "#F0B45A")
        brush.box(520, 226, 20, 58, "#7FD8CC", 70, radius=8)
        brush.box(522, 252, 16, 30, "#E8705A", 210, radius=7)
        brush.box(552, 216, 20, 68, "#7FD8CC", 70, radius=8)
        brush.box(554, 238, 16, 44, "#6FA8F0", 210, radius=7)

    over(wall, layer(furniture))
    over(wall, layer(glass))
    shine = light(glow(120, 262, 46, "#50F0C8", 0.32) + glow(214, 268, 34, "#F0B45A", 0.28))
    dark, bubbles = vignette(0.4), scattered(91, 16, (98, 0), (142, 1))

    def moving(at_s: float) -> Picture:
        picture = wall.copy()
        points = [
            (400 + 150 * share, 150 - 78 * share**2 * min(1.0, at_s / 3) - 6 * math.sin(share * 9)) for share in (i / 24 for i in range(25))
        ]

        def paint(brush: Brush) -> None:
            shown = max(2, min(25, int(at_s * 9) + 2))
            brush.line(points[:shown], "#C4452F", 3)
            brush.disc(*points[shown - 1], 4, "#C4452F")
            for x, y, z in bubbles:
                brush.disc(120 + (x - 120) * 0.7, 280 - ((y + at_s * (0.2 + 0.3 * z)) % 1.0) * 36, 1 + 1.6 * z, "#D8FFF2", 190)

        over(picture, layer(paint))
        add_light(picture, shine, 1 + 0.12 * math.sin(at_s * 2.2))
        picture *= dark
        return picture

    return moving


def _flask(brush: Brush, x: float, foot_y: float, height: float, colour: str) -> None:
    half = height * 0.42
    brush.polygon(
        [
            (x - 7, foot_y - height),
            (x + 7, foot_y - height),
            (x + 7, foot_y - height * 0.6),
            (x + half, foot_y),
            (x - half, foot_y),
            (x - 7, foot_y - height * 0.6),
        ],
        "#9FE8DC",
        70,
    )
    brush.polygon(
        [(x - half * 0.62, foot_y - height * 0.3), (x + half * 0.62, foot_y - height * 0.3), (x + half, foot_y), (x - half, foot_y)],
        colour,
        215,
    )
    brush.box(x - 10, foot_y - height - 3, 20, 4, "#BFF2E8", 150, radius=2)


def desk() -> Scene:
    """Someone at a desk in the light that falls through blinds; dust hangs in it."""
    wall = gradient((0, "#3A2614"), (0.7, "#5E3C1C"), (0.78, "#2A1A0C"), (1, "#160D06"))

    def window(brush: Brush) -> None:
        brush.box(400, 36, 168, 164, "#F6D489")
        for index in range(17):
            brush.box(400, 36 + index * 10, 168, 5.4, "#8A5E28")
        brush.box(394, 30, 180, 8, "#22150A")
        brush.box(394, 198, 180, 8, "#22150A")

    def man(brush: Brush) -> None:
        seated(brush, 330, 268, 176, "#140B05", lean=6)
        brush.curve([(310, 110), (336, 92), (364, 106), (366, 124), (308, 122)], "#0E0703")
        brush.box(0, 266, WIDTH_PX, 100, "#1C1007")
        brush.box(0, 266, WIDTH_PX, 4, "#7A5226")
        for index in range(5):
            brush.box(96 + index * 2, 256 - index * 5, 74 - index * 3, 5, ("#8C6A40", "#6E4A28")[index % 2])
        brush.box(444, 244, 26, 24, "#2E1C0D", radius=3)
        brush.line([(226, 268), (214, 214), (248, 190)], "#0E0703", 4)
        brush.polygon([(236, 196), (262, 178), (276, 196), (258, 212)], "#2B4A2C")

    over(wall, layer(window))
    beams = layer(_beams, blur_px=3)
    front, dark = layer(man), vignette(0.42)
    lamp = light(glow(268, 226, 60, "#FFD58A", 0.36) + glow(484, 118, 120, "#F0B050", 0.16))
    dust = scattered(95, 46, (60, 50), (560, 250))

    def draw(at_s: float) -> Picture:
        picture = wall.copy()
        strength = 0.9 + 0.1 * math.sin(at_s * 0.7)
        part = picture[beams.first_row : beams.first_row + len(beams.colours)]
        part += beams.colours * strength
        over(picture, front)
        part += beams.colours * (0.35 * strength)
        add_light(picture, lamp, 1 + 0.02 * math.sin(at_s * 11))
        for x, y, z in dust:
            row, column = int(y + 10 * math.sin(at_s * 0.5 + x)) % HEIGHT_PX, int(x + at_s * 7 * (z - 0.3)) % (WIDTH_PX - 2)
            picture[row : row + 2, column : column + 2] += 20 + 44 * z * (0.6 + 0.4 * math.sin(at_s + x))
        picture *= dark
        return picture

    return draw


def _beams(brush: Brush) -> None:
    for index in range(0, 17, 2):
        y = 41 + index * 10
        brush.polygon([(400, y), (400, y + 6), (20, y + 130), (20, y + 112)], "#E0A24A", 34)


def corridor() -> Scene:
    """A long corridor with lamps; someone walks towards us out of the light."""
    import numpy as np

    base = gradient((0, "#0C1A18"), (1, "#0E1C1A"))

    def walls(brush: Brush) -> None:
        for index in range(9):
            near, far = 0.82**index, 0.82 ** (index + 1)
            shade = f"#{18 + index * 9:02X}{42 + index * 15:02X}{38 + index * 14:02X}"
            _ring(brush, near, far, shade)
        brush.box(320 - 54, 180 - 30, 108, 60, "#F2FFF8")

    over(base, layer(walls))
    base += glow(320, 176, 56, "#E8FFF4", 0.6) + glow(320, 180, 150, "#7FC8AE", 0.22)
    dark = vignette(0.45)
    flicker = light(np.asarray(glow(320, 40, 70, "#D8FFF0", 0.26, flatness=1.8), np.float32))

    def draw(at_s: float) -> Picture:
        picture = base.copy()
        is_dim = 0.9 < at_s % 2.7 < 1.0 or 1.1 < at_s % 2.7 < 1.16
        add_light(picture, flicker, 0.15 if is_dim else 1.0)
        height = 96 + 15 * at_s
        sway, lift = 2 * math.sin(at_s * 5), abs(2 * math.sin(at_s * 5))

        def paint(brush: Brush) -> None:
            foot_y = 214 + height * 0.16
            brush.disc(320, foot_y + 2, height * 0.22, "#06100E", 150, stretch=0.18)
            standing(brush, 320 + sway * 0.5, foot_y - lift, height, "#0A1412", stride=0.05 + 0.05 * abs(math.sin(at_s * 5)))

        over(picture, layer(paint))
        picture *= dark
        return picture

    return draw


def _ring(brush: Brush, near: float, far: float, shade: str) -> None:
    """One length of the corridor: floor, ceiling with a lamp, a wall with a door on each side."""
    x1, y1, x2, y2 = 400 * near, 226 * near, 400 * far, 226 * far
    floor, ceiling = f"#{shade[1:3]}{shade[3:5]}{shade[5:7]}", shade
    brush.polygon([(320 - x1, 180 + y1), (320 + x1, 180 + y1), (320 + x2, 180 + y2), (320 - x2, 180 + y2)], floor)
    brush.polygon([(320 - x1, 180 - y1), (320 + x1, 180 - y1), (320 + x2, 180 - y2), (320 - x2, 180 - y2)], ceiling)
    brush.polygon(
        [
            (320 - x1 * 0.3, 180 - y1 * 0.96),
            (320 + x1 * 0.3, 180 - y1 * 0.96),
            (320 + x2 * 0.3, 180 - y2 * 1.04),
            (320 - x2 * 0.3, 180 - y2 * 1.04),
        ],
        "#F0FFF8",
        235,
    )
    for side in (-1, 1):
        brush.polygon(
            [(320 + side * x1, 180 - y1), (320 + side * x1, 180 + y1), (320 + side * x2, 180 + y2), (320 + side * x2, 180 - y2)], shade
        )
        a, b = x1 * 0.94, x2 * 1.06
        brush.polygon(
            [
                (320 + side * a, 180 - y1 * 0.5),
                (320 + side * a, 180 + y1 * 0.93),
                (320 + side * b, 180 + y2 * 1.05),
                (320 + side * b, 180 - y2 * 0.56),
            ],
            "#0A1816",
            190,
        )


def stage() -> Scene:
    """An actor in a spotlight between red curtains; the first rows of heads before the stage."""
    back = gradient((0, "#1A0709"), (0.7, "#2A0C0F"), (0.71, "#3A2416"), (1, "#140B08"))

    def curtains(brush: Brush) -> None:
        for index in range(27):
            x = index * 24.0
            is_side = index < 7 or index > 19
            brush.box(x, 0, 13, 262 if is_side else 244, "#6A1419" if is_side else "#2E0A0E")
            brush.box(x + 13, 0, 11, 262 if is_side else 244, "#470D12" if is_side else "#22070A")
        for index in range(9):
            x = index * 80.0 - 20
            brush.curve([(x, -10), (x + 80, -10), (x + 74, 26), (x + 40, 44), (x + 6, 26)], "#7A181D")
            brush.line(smooth([(x + 4, 26), (x + 40, 46), (x + 76, 26)], is_closed=False), "#D8A24A", 2)

    def actor(brush: Brush) -> None:
        standing(brush, 320, 292, 128, "#0C0606", stride=0.07)
        brush.curve([(302, 190), (320, 182), (338, 190), (344, 252), (296, 252)], "#0C0606")

    def rows(brush: Brush) -> None:
        for row, (y, size) in enumerate(((330, 13), (352, 17))):
            for index in range(17):
                x = index * 42.0 + row * 20 - 16
                brush.disc(x, y, size, "#0A0505", stretch=1.15)
                brush.curve([(x - size * 1.7, y + 40), (x - size, y + size), (x + size, y + size), (x + size * 1.7, y + 40)], "#0A0505")

    over(back, layer(curtains))
    cone = layer(lambda brush: brush.polygon([(306, -10), (334, -10), (436, 296), (204, 296)], "#FFE9BE", 70), blur_px=7)
    pool = light(glow(320, 294, 40, "#FFE2AE", 0.62, flatness=2.9))
    figure, front, dark = layer(actor), layer(rows), vignette(0.5)
    motes = scattered(97, 40, (240, 10), (400, 280))

    def draw(at_s: float) -> Picture:
        picture = back.copy()
        part = picture[cone.first_row : cone.first_row + len(cone.colours)]
        part += cone.colours * (0.9 + 0.05 * math.sin(at_s * 3))
        add_light(picture, pool, 1 + 0.03 * math.sin(at_s * 3))
        over(picture, figure)
        part += cone.colours * 0.16
        for x, y, z in motes:
            row, column = int(y - at_s * 6 * z) % 280, int(x + 6 * math.sin(at_s * 0.8 + y))
            picture[row : row + 2, column : column + 2] += 14 + 34 * z
        over(picture, front)
        picture *= dark
        return picture

    return draw


def court() -> Scene:
    """A hall with three tall windows; light falls across the floor, someone stands before it."""
    wall = gradient((0, "#2B2A33"), (0.7, "#3A3842"), (0.75, "#211F27"), (1, "#15141A"))

    def hall(brush: Brush) -> None:
        for x in (110, 270, 430):
            brush.disc(x + 50, 96, 50, "#17161C")
            brush.box(x, 96, 100, 150, "#17161C")
            brush.disc(x + 50, 98, 44, "#DDE4EA")
            brush.box(x + 6, 98, 88, 142, "#DDE4EA")
            brush.line([(x + 50, 54), (x + 50, 240)], "#17161C", 3)
            for y in (98, 146, 194):
                brush.line([(x + 6, y), (x + 94, y)], "#17161C", 3)
        for x in (60, 220, 380, 540):
            brush.box(x, 30, 34, 232, "#46444F")
            brush.box(x + 24, 30, 10, 232, "#34323B")
            brush.box(x - 6, 22, 46, 10, "#54525E")
            brush.box(x - 6, 258, 46, 12, "#2A2831")

    def people(brush: Brush) -> None:
        brush.box(396, 250, 150, 70, "#120F12", radius=2)
        brush.box(388, 244, 166, 9, "#3A2A20", radius=2)
        seated(brush, 470, 246, 84, "#0E0C10")
        standing(brush, 226, 318, 128, "#0E0C10", stride=0.05)
        brush.curve([(208, 214), (226, 206), (244, 214), (250, 290), (202, 290)], "#0E0C10")

    shafts = layer(_shafts, blur_px=4)
    over(wall, layer(hall))
    front, dark = layer(people), vignette(0.45)
    dust = scattered(99, 50, (60, 60), (560, 300))

    def draw(at_s: float) -> Picture:
        picture = wall.copy()
        strength = 0.85 + 0.15 * math.sin(at_s * 0.5)
        over(picture, front)
        part = picture[shafts.first_row : shafts.first_row + len(shafts.colours)]
        part += shafts.colours * strength
        for x, y, z in dust:
            row, column = int(y + at_s * 4 * z) % 340, int(x + 8 * math.sin(at_s * 0.4 + y)) % (WIDTH_PX - 2)
            picture[row : row + 2, column : column + 2] += 10 + 26 * z
        picture *= dark
        return picture

    return draw


def _shafts(brush: Brush) -> None:
    for x in (116, 276, 436):
        brush.polygon([(x, 70), (x + 88, 70), (x - 10, 350), (x - 150, 350)], "#BFD0E0", 40)
