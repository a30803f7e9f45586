"""The brushes of the demo's pictures: gradients, glows, shapes with smooth edges, rain, and people as silhouettes.

A picture is a float32 array `(HEIGHT_PX, WIDTH_PX, 3)`, 0 to 255, RGB. A layer adds an alpha of the same height and width, 0 to 1.
Shapes are drawn at twice the size and scaled down, which smooths their edges.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.ImageDraw import ImageDraw

    Picture = NDArray[np.float32]
    Scene = Callable[[float], Picture]
    """Draws the picture at a moment in seconds from the scene's start."""

WIDTH_PX, HEIGHT_PX = 640, 360
OVERSAMPLING = 2
MARGIN_PX = 40
"""Layers that move are this much wider on each side."""

Colour = tuple[int, int, int]
Point = tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """Colours already multiplied by their alpha, and what is left of the picture below (1 - alpha)."""

    colours: Picture
    rest: Picture
    first_row: int
    """Rows above it and below it are empty and not kept."""


@dataclass(frozen=True, slots=True, eq=False)
class Light:
    """Light to add, kept only where there is any."""

    values: Picture
    rows: slice
    columns: slice


def rgb(text: str) -> Colour:
    """`#1A2B3C` as numbers."""
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def gradient(*stops: tuple[float, str]) -> Picture:
    """From top to bottom: `(place 0 to 1, colour)`, in order."""
    import numpy as np

    rows = np.linspace(0, 1, HEIGHT_PX)
    places = [place for place, _ in stops]
    channels = [np.interp(rows, places, [rgb(colour)[channel] for _, colour in stops]) for channel in range(3)]
    column = np.stack(channels, axis=1).astype(np.float32)
    return cast("Picture", np.repeat(column[:, None, :], WIDTH_PX, axis=1))


def glow(x: float, y: float, radius_px: float, colour: str, strength: float = 1.0, *, flatness: float = 1.0) -> Picture:
    """Light to add: strongest at the point, a third at the radius. `flatness` above 1 makes it wider than high."""
    import numpy as np

    rows, columns = np.mgrid[0:HEIGHT_PX, 0:WIDTH_PX].astype(np.float32)
    distance = ((columns - x) / flatness) ** 2 + (rows - y) ** 2
    falloff = np.exp(-distance / (radius_px**2)) * strength
    picture: Picture = falloff[:, :, None] * np.array(rgb(colour), np.float32)
    return picture


def layer(paint: Callable[[Brush], None], *, blur_px: float = 0.0, margin_px: int = 0) -> Layer:
    """What `paint` draws, smooth-edged, perhaps out of focus; with `margin_px` more on the left and right."""
    import numpy as np
    from PIL import Image, ImageDraw, ImageFilter

    width = WIDTH_PX + 2 * margin_px
    image = Image.new("RGBA", (width * OVERSAMPLING, HEIGHT_PX * OVERSAMPLING), (0, 0, 0, 0))
    paint(Brush(ImageDraw.Draw(image), margin_px))
    small = image.convert("RGBa").resize((width, HEIGHT_PX), Image.Resampling.BOX)
    if blur_px:
        small = small.filter(ImageFilter.GaussianBlur(blur_px))
    values = np.asarray(small, np.float32)
    drawn = np.flatnonzero(values[:, :, 3].any(axis=1))
    first, end = (int(drawn[0]), int(drawn[-1]) + 1) if len(drawn) else (0, 0)
    return Layer(np.ascontiguousarray(values[first:end, :, :3]), np.ascontiguousarray(1 - values[first:end, :, 3:] / 255), first)


def over(picture: Picture, top: Layer) -> None:
    """Put the layer on the picture, in place."""
    part = picture[top.first_row : top.first_row + len(top.rest)]
    part *= top.rest
    part += top.colours


def over_shifted(picture: Picture, top: Layer, dx: float, dy: int = 0) -> None:
    """Put the layer on the picture in place, moved right by a fraction of a pixel and down by whole ones; it needs MARGIN_PX."""
    first = top.first_row + dy
    skipped, end = max(0, -first), min(len(top.rest), HEIGHT_PX - first)
    whole = math.floor(dx)
    share, start = dx - whole, MARGIN_PX - whole
    part = picture[first + skipped : first + end]
    rest, colours = top.rest[skipped:end], top.colours[skipped:end]
    here, left = slice(start, start + WIDTH_PX), slice(start - 1, start - 1 + WIDTH_PX)
    part *= rest[:, here] * (1 - share) + rest[:, left] * share
    part += colours[:, here] * (1 - share)
    part += colours[:, left] * share


def add_light(picture: Picture, light: Light, strength: float = 1.0, dy: int = 0) -> None:
    """Add light to the picture in place, moved down by whole pixels."""
    rows, columns = light.rows, light.columns
    low, high = max(0, rows.start + dy), min(HEIGHT_PX, rows.stop + dy)
    values = light.values[low - rows.start - dy : high - rows.start - dy]
    picture[low:high, columns] += values * strength


def add_rolled(picture: Picture, tile: Picture, by_rows: int, strength: float) -> None:
    """Add a tile that has run down by so many rows and comes in again at the top, in place."""
    by_rows %= HEIGHT_PX
    picture[by_rows:] += tile[: HEIGHT_PX - by_rows] * strength
    picture[:by_rows] += tile[HEIGHT_PX - by_rows :] * strength


def light(whole: Picture) -> Light:
    """The part of a picture of light that can be seen."""
    import numpy as np

    seen = whole.max(axis=2) > 0.4
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    row, column = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
    return Light(np.ascontiguousarray(whole[row, column]), row, column)


@functools.cache
def vignette(strength: float = 0.35) -> Picture:
    """Factors that darken the corners."""
    import numpy as np

    rows, columns = np.mgrid[-1 : 1 : HEIGHT_PX * 1j, -1 : 1 : WIDTH_PX * 1j].astype(np.float32)
    distance = (rows**2 * 0.9 + columns**2 * 0.8) / 1.7
    return cast("Picture", (1 - strength * np.clip(distance, 0, 1) ** 1.3)[:, :, None].astype(np.float32))


def scattered(seed: int, n: int, low: Point, high: Point) -> list[tuple[float, float, float]]:
    """`n` points in a box, each with a third number 0 to 1; the same for the same seed."""
    import numpy as np

    values = np.random.default_rng(seed).random((n, 3))
    return [(low[0] + x * (high[0] - low[0]), low[1] + y * (high[1] - low[1]), float(z)) for x, y, z in values]


def falling(seed: int, n: int, *, length_px: float, slant: float, alpha: int, width_px: float = 1.0) -> Picture:
    """Rain or snow as one tile to add; it repeats when rolled down."""
    streaks = scattered(seed, n, (-20, 0), (WIDTH_PX + 20, HEIGHT_PX))

    def paint(brush: Brush) -> None:
        for x, y, z in streaks:
            reach = length_px * (0.5 + z)
            shade = int(alpha * (0.4 + 0.6 * z))
            for wrap in (-HEIGHT_PX, 0, HEIGHT_PX):
                brush.line([(x, y + wrap), (x - slant * reach, y + reach + wrap)], "#CFE0EE", width_px, shade)

    return full_picture(layer(paint))


def full_picture(part: Layer) -> Picture:
    """The layer's colours on black, in full height."""
    import numpy as np

    picture = np.zeros((HEIGHT_PX, WIDTH_PX, 3), np.float32)
    picture[part.first_row : part.first_row + len(part.colours)] = part.colours
    return picture


@dataclass(frozen=True, slots=True, eq=False)
class Brush:
    """Pillow's drawing in the picture's own coordinates."""

    draw: ImageDraw
    margin_px: int

    def _at(self, points: list[Point]) -> list[Point]:
        return [((x + self.margin_px) * OVERSAMPLING, y * OVERSAMPLING) for x, y in points]

    def polygon(self, points: list[Point], colour: str, alpha: int = 255) -> None:
        """A filled shape."""
        self.draw.polygon(self._at(points), (*rgb(colour), alpha))

    def box(self, x: float, y: float, width: float, height: float, colour: str, alpha: int = 255, *, radius: float = 0.0) -> None:
        """A filled box, perhaps with round corners."""
        (left, top), (right, bottom) = self._at([(x, y), (x + width, y + height)])
        self.draw.rounded_rectangle((left, top, right, bottom), radius * OVERSAMPLING, (*rgb(colour), alpha))

    def disc(self, x: float, y: float, radius: float, colour: str, alpha: int = 255, *, stretch: float = 1.0) -> None:
        """A filled circle, `stretch` times as high as wide."""
        (left, top), (right, bottom) = self._at([(x - radius, y - radius * stretch), (x + radius, y + radius * stretch)])
        self.draw.ellipse((left, top, right, bottom), (*rgb(colour), alpha))

    def line(self, points: list[Point], colour: str, width: float = 1.0, alpha: int = 255) -> None:
        """A line with round joints."""
        self.draw.line(self._at(points), (*rgb(colour), alpha), max(1, round(width * OVERSAMPLING)), joint="curve")

    def curve(self, points: list[Point], colour: str, alpha: int = 255) -> None:
        """A filled shape with a smooth closed outline through the points (Catmull-Rom)."""
        self.polygon(smooth(points), colour, alpha)


def smooth(points: list[Point], n_between: int = 8, *, is_closed: bool = True) -> list[Point]:
    """Points of a Catmull-Rom curve through `points`."""
    n = len(points)
    result: list[Point] = []
    for index in range(n if is_closed else n - 1):
        around = [points[(index + offset) % n] if is_closed else points[min(max(index + offset, 0), n - 1)] for offset in (-1, 0, 1, 2)]
        result.extend(_catmull_rom(around, step / n_between) for step in range(n_between))
    return result if is_closed else [*result, points[-1]]


def _catmull_rom(around: list[Point], t: float) -> Point:
    def axis(a: float, b: float, c: float, d: float) -> float:
        return 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t * t + (3 * b - a - 3 * c + d) * t**3)

    (ax, ay), (bx, by), (cx, cy), (dx, dy) = around
    return axis(ax, bx, cx, dx), axis(ay, by, cy, dy)


HEAD_IN_PROFILE: tuple[Point, ...] = (
    (0.30, -1.00),
    (-0.10, -1.02),
    (-0.46, -0.86),
    (-0.62, -0.56),
    (-0.64, -0.32),
    (-0.66, -0.16),
    (-0.84, 0.08),
    (-0.80, 0.16),
    (-0.68, 0.18),
    (-0.72, 0.30),
    (-0.66, 0.38),
    (-0.70, 0.48),
    (-0.60, 0.58),
    (-0.60, 0.74),
    (-0.46, 0.84),
    (-0.16, 0.78),
    (-0.04, 0.98),
    (-0.06, 1.40),
    (0.62, 1.40),
    (0.58, 0.92),
    (0.72, 0.40),
    (0.86, 0.00),
    (0.84, -0.46),
    (0.62, -0.84),
)
"""A head that looks left, one unit from the middle to the top."""


def profile(brush: Brush, x: float, y: float, size: float, skin: str, *, is_right: bool = False) -> None:
    """Head and neck in profile, looking left unless `is_right`."""
    side = -1 if is_right else 1
    brush.curve([(x + side * px * size, y + py * size) for px, py in HEAD_IN_PROFILE], skin)


def shoulders(brush: Brush, x: float, y: float, width: float, colour: str) -> None:
    """Back and shoulders that go down to the picture's edge."""
    half = width / 2
    outline = [(x - half * 1.1, 380.0), (x - half, y + half * 0.55), (x - half * 0.55, y + half * 0.12), (x - half * 0.2, y)]
    outline += [(2 * x - px, py) for px, py in reversed(outline)]
    brush.polygon(smooth(outline, is_closed=False), colour)


def standing(brush: Brush, x: float, foot_y: float, height: float, colour: str, *, stride: float = 0.08) -> None:
    """A small figure that stands on `foot_y`."""
    head = height * 0.075
    brush.disc(x, foot_y - height + head, head, colour, stretch=1.15)
    hip_y, shoulder_y = foot_y - height * 0.48, foot_y - height * 0.82
    half = height * 0.12
    brush.curve(
        [(x - half, shoulder_y), (x, shoulder_y - height * 0.03), (x + half, shoulder_y), (x + half * 0.8, hip_y), (x - half * 0.8, hip_y)],
        colour,
    )
    for side in (-1, 1):
        leg = height * 0.055
        foot = x + side * height * stride
        top = x + side * half * 0.4
        brush.polygon([(top - leg, hip_y - 2), (top + leg, hip_y - 2), (foot + leg * 0.8, foot_y), (foot - leg * 0.8, foot_y)], colour)
        brush.line([(x + side * half * 0.9, shoulder_y + 2), (x + side * half * 1.3, hip_y + height * 0.02)], colour, height * 0.055)


def seated(brush: Brush, x: float, table_y: float, size: float, colour: str, *, lean: float = 0.0) -> None:
    """Head and shoulders of someone behind a table, `size` from table to crown."""
    head = size * 0.19
    brush.disc(x + lean, table_y - size + head, head, colour, stretch=1.2)
    brush.box(x + lean * 0.8 - head * 0.45, table_y - size + head * 1.6, head * 0.9, head * 1.4, colour)
    half = size * 0.5
    brush.polygon(
        smooth(
            [
                (x - half, table_y + 4),
                (x - half * 0.92, table_y - size * 0.36),
                (x - half * 0.3 + lean, table_y - size * 0.53),
                (x + half * 0.3 + lean, table_y - size * 0.53),
                (x + half * 0.92, table_y - size * 0.36),
                (x + half, table_y + 4),
            ],
            is_closed=False,
        ),
        colour,
    )
