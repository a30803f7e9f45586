"""Packs the speech of several short clips into one window of a recogniser, and maps what was heard back to its clip.

Times are whole samples here, so that nothing is lost on the way there and back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Piece:
    """One stretch of one clip's sound, `[start, end)` in samples of the clip, laid at `at` in its window."""

    clip: int
    """Which of the clips that were given."""
    start: int
    end: int
    at: int

    @property
    def length(self) -> int:
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Window:
    """Pieces in order of `at`, none overlapping; each clip's pieces lie together in it, in their order."""

    pieces: tuple[Piece, ...]
    length: int
    margin: int = 0
    """At each clip's two ends, sound that most likely holds no speech."""

    @property
    def clips(self) -> tuple[int, ...]:
        """The clips in it, each once, in order."""
        return tuple(dict.fromkeys(piece.clip for piece in self.pieces))

    def locate(self, start: float, end: float) -> tuple[int, float, float] | None:
        """(clip, start, end) in samples of that clip, for a span of the window; None for one that belongs to no one clip.

        A span may reach into silence, and into the `margin` of a neighbour (a recogniser lets a word begin where the one before it
        ended); it is cut to its own clip's sound. One that reaches further into two clips, or lies in silence, belongs to none.
        """
        touched = [piece for piece in self.pieces if piece.at < end and piece.at + piece.length > start]
        if len({piece.clip for piece in touched}) > 1:
            touched = [piece for piece in touched if self._is_inside(piece, start, end)]
        if len({piece.clip for piece in touched}) != 1:
            return None
        low, high = touched[0], touched[-1]
        return low.clip, low.start + max(0.0, start - low.at), high.start + min(float(high.length), end - high.at)

    def _is_inside(self, piece: Piece, start: float, end: float) -> bool:
        """Whether a span reaches beyond the margin at its clip's two ends."""
        own = [one for one in self.pieces if one.clip == piece.clip]
        low = piece.at + (self.margin if piece is own[0] else 0)
        high = piece.at + piece.length - (self.margin if piece is own[-1] else 0)
        return start < high and end > low

    def nearest(self, start: float, end: float) -> tuple[int, ...]:
        """The clips whose sound a span reaches into or, in silence, the one before it and the one after."""
        before = [piece.clip for piece in self.pieces if piece.at < end]
        after = [piece.clip for piece in self.pieces if piece.at + piece.length > start]
        return tuple(sorted({*before[-1:], *after[:1]}))


def pack(spans: Sequence[Sequence[tuple[int, int]]], *, window: int, gap: int, margin: int = 0) -> tuple[Window, ...]:
    """Windows that hold every clip's spans, whole clips only, as few as first fit (longest first) finds.

    Args:
        spans: for each clip its speech, `[start, end)` in samples, ascending; a clip without any is in no window.
        window: the most samples of one window; a clip that is longer has a window of its own.
        gap: silence between two clips, in samples. Inside a clip its pieces lie side by side.
        margin: see `Window`.
    """
    lengths = [sum(end - start for start, end in clip) for clip in spans]
    bins: list[list[int]] = []
    filled: list[int] = []
    for clip in sorted((n for n, length in enumerate(lengths) if length), key=lambda n: (-lengths[n], n)):
        place = next((n for n, used in enumerate(filled) if used + gap + lengths[clip] <= window), None)
        if place is None:
            bins.append([clip])
            filled.append(lengths[clip])
        else:
            bins[place].append(clip)
            filled[place] += gap + lengths[clip]
    return tuple(_lay_out(sorted(clips), spans, gap, margin) for clips in bins)


def _lay_out(clips: Sequence[int], spans: Sequence[Sequence[tuple[int, int]]], gap: int, margin: int) -> Window:
    pieces: list[Piece] = []
    at = 0
    for clip in clips:
        at += gap if pieces else 0
        for start, end in spans[clip]:
            if end > start:
                pieces.append(Piece(clip, start, end, at))
                at += end - start
    return Window(tuple(pieces), at, margin)
