"""Distinct scores for the clips of one word.

The backend keeps two decimals and shows learners the clip with the highest score, a random one of several that tie. So
the clips of a word are sent with distinct hundredths.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import TypeVar

from core.errors import InvalidInput

Key = TypeVar("Key", bound=Hashable)

TOP = 100
"""Hundredths from 0.01 to 1.00; 0.00 is what a retracted mapping is sent with."""


def distinct_hundredths(scores: Mapping[Key, float], fixed: Mapping[Key, float] | None = None) -> dict[Key, float]:
    """One score a clip, all distinct, best first, in hundredths from 0.01 to 1.

    Args:
        scores: clip → the score it should have, 0–1. Of equal scores the one that is live at the higher value comes
            first, then the order of the mapping.
        fixed: clip → the score at which it is live already and may stay (leave out a clip whose score was changed since).
            A clip that is only here competes with its live score. One at 0 is retracted: it takes no part.

    Order is kept always. After that as few live scores as possible move, and after that the scores are as near to what
    was asked as possible. Of more than 100 clips the best 99 are distinct and the rest share 0.01.
    Given back as `fixed`, a result is its own result. Raises: InvalidInput for a score outside 0–1.
    """
    live = {key: value for key, value in (fixed or {}).items() if value > 0}
    wanted = {**live, **scores}
    for key, value in (*wanted.items(), *live.items()):
        if not (math.isfinite(value) and 0 <= value <= 1):
            raise InvalidInput(f"The score {value} of {key} is not between 0 and 1.")
    ranked = sorted(wanted, key=lambda key: (-wanted[key], -live.get(key, 0.0)))
    placed = _place([(round(wanted[key] * 100), round(live[key] * 100) if key in live else None) for key in ranked[:TOP]])
    return {key: (placed[i] if i < TOP else 1) / 100 for i, key in enumerate(ranked)}


def _place(ranked: list[tuple[int, int | None]]) -> list[int]:
    """Strictly falling hundredths for `(wanted, live)` pairs, by dynamic programming over the 100 values.

    `best[i][v]` is the least cost (live scores moved, total distance) of the first `i + 1` with the last one at `v + 1`.
    """
    best: list[list[tuple[int, int]]] = []
    above: list[list[int]] = []
    impossible = (len(ranked) + 1, 0)
    for i, (wanted, live) in enumerate(ranked):
        row, chosen = [impossible] * TOP, [0] * TOP
        so_far, at = ((0, 0) if i == 0 else impossible), TOP
        for v in range(TOP - 1, -1, -1):
            if so_far < impossible:
                goal = live if live is not None else wanted
                row[v] = (so_far[0] + (live is not None and v + 1 != live), so_far[1] + abs(v + 1 - goal))
                chosen[v] = at
            if i > 0 and best[i - 1][v] < so_far:
                so_far, at = best[i - 1][v], v
        best.append(row)
        above.append(chosen)
    placed: list[int] = []
    v = min(range(TOP), key=lambda v: (best[-1][v], -v)) if best else 0
    for i in range(len(ranked) - 1, -1, -1):
        placed.append(v + 1)
        v = above[i][v]
    return placed[::-1]
