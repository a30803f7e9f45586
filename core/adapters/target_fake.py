"""Export target: a backend in memory that can be told to misbehave. For tests, and for trying the export without a disk."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from core.adapters.payload_stream import check_files
from core.errors import ExportError, MediaError, NotFound, ProviderUnavailable
from core.model.exports import ItemResult, ItemStatus, VideoItem, WordMapping
from core.rules.payload import item_problems, source_id_problems


class Fault(StrEnum):
    """How one request goes wrong."""

    UNREACHABLE = "unreachable"
    RATE_LIMITED = "rate_limited"
    KEY_REFUSED = "key_refused"
    LOST_BEFORE = "lost_before"
    """No answer, and nothing was stored."""
    LOST_AFTER = "lost_after"
    """No answer, and everything was stored."""


@dataclass(slots=True)
class FakeVideo:
    """What the fake has under one name."""

    video_id: int
    item: VideoItem
    data: bytes
    mappings: dict[tuple[str, str], WordMapping]
    n_times_sent: int = 1


class FakeTarget:
    """Keeps what it is sent. `faults` are used up one a request; a slug in `refused` makes its whole request fail."""

    name = "fake"
    url = "fake:"
    is_production = False

    def __init__(self, *, refused: Iterable[str] = (), faults: Iterable[Fault] = (), lost: Iterable[str] = ()) -> None:
        self.refused = set(refused)
        self.lost = set(lost)
        """A slug here makes its request end without an answer, every time, with nothing stored."""
        self.faults = deque(faults)
        self.videos: dict[tuple[str, str], FakeVideo] = {}
        self.bundles: dict[str, tuple[str, ...]] = {}
        """The bundles that it knows, with their words."""
        self.requests: list[tuple[str, ...]] = []
        """The slugs of each request, in order."""

    def send(self, source_id: str, items: Sequence[VideoItem]) -> tuple[ItemResult, ...]:
        """See `core.ports.ExportTarget.send`."""
        self.requests.append(tuple(item.slug for item in items))
        fault = self.faults.popleft() if self.faults else None
        if fault is Fault.LOST_BEFORE or any(item.slug in self.lost for item in items):
            raise ProviderUnavailable("The fake target gave no answer.", provider=self.name)
        if fault is not None and fault is not Fault.LOST_AFTER:
            is_retryable = fault is not Fault.KEY_REFUSED
            raise ExportError(f"The fake target is {fault.value}.", provider=self.name, is_retryable=is_retryable, is_about_items=False)
        self._refuse(source_id, items)
        results = tuple(self._store(item) for item in items)
        if fault is Fault.LOST_AFTER:
            raise ProviderUnavailable("The fake target's answer was lost.", provider=self.name)
        return results

    def read_back(self, video_id: int) -> Iterator[bytes]:
        """See `core.ports.ExportTarget.read_back`."""
        for video in self.videos.values():
            if video.video_id == video_id:
                yield video.data
                return
        raise NotFound(f"The fake target has no video {video_id}.")

    def words_with_videos(self, words: Iterable[str], language: str) -> dict[str, int] | None:
        """See `core.ports.ExportTarget.words_with_videos`."""
        return {word: sum((word, language) in video.mappings for video in self.videos.values()) for word in words}

    def words_needing_videos(self, bundle: str) -> frozenset[str] | None:
        """See `core.ports.ExportTarget.words_needing_videos`; of the bundles that it was given."""
        if bundle not in self.bundles:
            return None
        mapped = {word for video in self.videos.values() for word, _ in video.mappings}
        return frozenset(self.bundles[bundle]) - mapped

    def _refuse(self, source_id: str, items: Sequence[VideoItem]) -> None:
        try:
            check_files(items)
        except MediaError as error:
            raise ExportError(f"Nothing was sent: {error}", provider=self.name) from error
        problems = [*source_id_problems(source_id), *(problem for item in items for problem in item_problems(item))]
        problems += [f"{item.slug!r} is refused." for item in items if item.slug in self.refused]
        if not items:
            problems.append("videos array is required")
        if problems:
            raise ExportError(f"The fake target refused the request: {problems[0]}", provider=self.name)

    def _store(self, item: VideoItem) -> ItemResult:
        mappings = {(mapping.word, mapping.learning_language): mapping for mapping in item.word_mappings}
        data = Path(item.path).read_bytes()
        known = self.videos.get((item.name, item.format))
        if known is None:
            self.videos[item.name, item.format] = known = FakeVideo(len(self.videos) + 1, item, data, mappings)
            return ItemResult(item.slug, known.video_id, ItemStatus.CREATED, len(mappings), 0)
        n_known = len(mappings.keys() & known.mappings.keys())
        known.item, known.data, known.n_times_sent = item, data, known.n_times_sent + 1
        known.mappings.update(mappings)
        return ItemResult(item.slug, known.video_id, ItemStatus.UPDATED, len(mappings) - n_known, n_known)
