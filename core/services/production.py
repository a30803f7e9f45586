"""Which words the backend that learners use already has; asked once in a while, since plans are drawn again and again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.errors import WordreelError
from core.ports import ExportTarget
from core.rules.word_keys import word_key

KEEP_S = 60.0
"""An answer, also one that says nothing, holds for so long."""
N_CHECKED = 3
"""Words that the backend is said to have and of which it is asked how many clips it has."""


@dataclass(frozen=True, slots=True)
class ProductionAnswer:
    """What the backend said of one bundle."""

    target: str = ""
    """Whose answer it is; empty where nobody was asked."""
    needing: frozenset[str] | None = None
    """Keys of the bundle's words that want a clip there; None where it could not say, and then nothing is subtracted."""
    note: str = ""
    """Why it could not say, for people; empty where it did or was not asked."""

    def has(self, word: str) -> bool:
        """Whether it said that it needs no clip of this word of the bundle."""
        return self.needing is not None and word_key(word) not in self.needing


class Production:
    """Asks `target` which words of a bundle want clips. Safe to share between threads.

    Args:
        target: the target in use; one that is not production is not asked. counter_s: for tests.
    """

    def __init__(self, target: Callable[[], ExportTarget | None], *, counter_s: Callable[[], float] = time.monotonic) -> None:
        self._target = target
        self._counter_s = counter_s
        self._kept: dict[str, tuple[float, ProductionAnswer]] = {}
        self._lock = threading.Lock()

    def answer(self, bundle: str, words: Sequence[str]) -> ProductionAnswer:
        """What the backend says of a bundle of these words. Never raises: a backend that fails is a note."""
        if not bundle or not words:
            return ProductionAnswer()
        with self._lock:
            asked_s, known = self._kept.get(bundle, (0.0, None))
            if known is not None and self._counter_s() - asked_s < KEEP_S:
                return known
            found = self._ask(bundle, words)
            self._kept[bundle] = (self._counter_s(), found)
        return found

    def _ask(self, bundle: str, words: Sequence[str]) -> ProductionAnswer:
        try:
            target = self._target()
        except WordreelError as error:
            return ProductionAnswer("", None, f"The backend cannot be asked which words have clips: {error.message}")
        return ProductionAnswer() if target is None or not target.is_production else _ask(target, bundle, words)


def _ask(target: ExportTarget, bundle: str, words: Sequence[str]) -> ProductionAnswer:
    def silent(why: str) -> ProductionAnswer:
        return ProductionAnswer(target.name, None, f"{why} No word of {bundle} was subtracted for it.")

    try:
        needing = target.words_needing_videos(bundle)
        if needing is None:
            return silent(f"{target.name} cannot say which words of {bundle} have clips.")
        keys = frozenset(word_key(word) for word in needing)
        doubted = _doubted(target, [word for word in words if word_key(word) not in keys])
    except WordreelError as error:
        return silent(f"{target.name} did not say which words have clips: {error.message}")
    if doubted:
        return silent(f"{target.name} does not name {doubted!r} as wanting a clip, and has none of it.")
    return ProductionAnswer(target.name, keys)


def _doubted(target: ExportTarget, having: Sequence[str]) -> str:
    """A word that the backend did not name and has no clip of: it does not know the bundle as we do. Empty where all is well.

    Raises: ProviderError.
    """
    counts = target.words_with_videos([*having[:1], *having[1:][-(N_CHECKED - 1) :]], "en") or {}
    return next((word for word, n_videos in counts.items() if not n_videos), "")
