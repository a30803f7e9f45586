"""Export target: the practice backend, called directly, so that no server is needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from core.adapters.payload_stream import CHUNK_BYTES, check_files, payload_stream
from core.adapters.practice.backend import PracticeBackend
from core.errors import BadAnswer, ExportError, MediaError, NotFound, ProviderUnavailable
from core.model.exports import ItemResult, VideoItem
from core.rules.answers import plain_message, read_results


class PracticeTarget:
    """The same contract as over HTTP, on the practice database. The caller closes `backend`."""

    name = "practice"
    url = "/backend"
    is_production = False

    def __init__(self, backend: PracticeBackend) -> None:
        self._backend = backend

    def send(self, source_id: str, items: Sequence[VideoItem]) -> tuple[ItemResult, ...]:
        """See `core.ports.ExportTarget.send`."""
        try:
            check_files(items)
            answer = self._backend.upload(payload_stream(source_id, items))
        except (MediaError, ValueError) as error:
            raise ExportError(f"Nothing was sent: {error}", provider=self.name) from error
        if answer.status != 200:
            told = plain_message(str(answer.body["error"]))
            raise ExportError(f"The practice backend answered {answer.status}: {told}", provider=self.name)
        try:
            return read_results(answer.body, items)
        except BadAnswer as error:
            raise ProviderUnavailable(f"The practice backend's answer cannot be used. {error.message}", provider=self.name) from error

    def read_back(self, video_id: int) -> Iterator[bytes]:
        """See `core.ports.ExportTarget.read_back`."""
        found = self._backend.video(video_id)
        if found is None:
            raise NotFound(f"The practice backend has no video {video_id}.")
        for at in range(0, len(found.data), CHUNK_BYTES):
            yield found.data[at : at + CHUNK_BYTES]

    def words_with_videos(self, words: Iterable[str], language: str) -> dict[str, int] | None:
        """See `core.ports.ExportTarget.words_with_videos`."""
        return {word: self._backend.count_videos(word, language) for word in words}

    def words_needing_videos(self, bundle: str) -> frozenset[str] | None:
        """See `core.ports.ExportTarget.words_needing_videos`."""
        answer = self._backend.words_needing_videos(bundle)
        words = answer.body.get("words")
        return frozenset(words) if answer.status == 200 and isinstance(words, list) else None
