"""The seams: everything slow, remote or replaceable that the core needs. Each has a real adapter and a fake that ships.

A port's docstring is its contract; `tests/contract` runs it over every adapter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from core.errors import WordreelError
from core.model.calls import Answer, PaidCall
from core.model.clips import Clip, Hit, Verdict
from core.model.exports import ItemResult, VideoItem
from core.model.media import MediaFacts
from core.model.transcripts import Cue, Segment, WordTiming
from core.model.vocabulary import VocabularyWord


@dataclass(frozen=True, slots=True)
class Recognition:
    """What a transcriber returns: a transcript that has no identity yet. Times are seconds from the media's start."""

    engine: str
    model: str
    language: str
    text: str
    segments: tuple[Segment, ...]
    words: tuple[WordTiming, ...]
    is_verified_by_audio: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CallCost:
    """What one call to a provider cost; zero for what runs here."""

    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: float = 0.0
    request_id: str = ""


class CallLedger(Protocol):
    """Makes paid calls for whoever works on a run, each at most once; it decides what is repeated."""

    def call(self, call: PaidCall, perform: Callable[[], Answer]) -> Answer:
        """The answer to `call`: a kept one, or that of `perform`, which is called at most once, in this thread.

        `perform` says by its error what happened: ProviderUnavailable means that it may have been paid, every other
        ProviderError that it was not.
        Raises: what `perform` raises; ProviderUnavailable for a doubt that is not to be paid again.
        """
        ...


class ClipSource(Protocol):
    """Finds clips in which a word may be spoken, and fetches them."""

    name: str
    is_remote: bool
    """Whether its calls are counted and limited."""

    def search(self, word: VocabularyWord, *, max_hits: int, edition: str = "") -> Sequence[Hit]:
        """All hits for `word` and its inflections, in the source's order, at most `max_hits`; none found is empty.

        Another `edition` asks again what was answered for an earlier one.

        Raises: ProviderError.
        """
        ...

    def fetch(self, clip: Clip, into: Path) -> Path:
        """Write the clip's media as one new file in the folder `into`, playable in a browser (H.264 + AAC, faststart).

        Deterministic for `library`: the same clip gives the same bytes. Leaves nothing behind when it raises.
        Raises: MediaError, ProviderError, DiskFull.
        """
        ...

    def forget(self, slug: str) -> None:
        """The clip's media is stored: whatever the source kept, so that a crash repeats no download, can go."""
        ...


class Transcriber(Protocol):
    """Turns speech into words with times."""

    @property
    def engine(self) -> str: ...

    @property
    def model(self) -> str: ...

    def transcribe(self, media_path: Path, *, language: str, known_cues: Sequence[Cue]) -> Recognition:
        """Recognise one media file of any length.

        `known_cues` are captions, if any, with only what is spoken in them (`rules.cues.spoken_cues`): a hint to a recogniser, the
        whole truth to `captions`. Silence and music
        give no words and a note that says so.
        Raises: MediaError, ProviderError.
        """
        ...


class BatchTranscriber(Transcriber, Protocol):
    """A transcriber that does several short clips for little more than the cost of one."""

    def transcribe_many(self, media_paths: Sequence[Path], *, language: str) -> Sequence[Recognition | WordreelError]:
        """One outcome a clip, in order; each as `transcribe` would give or raise it, and noted where clips were done together."""
        ...


class Aligner(Protocol):
    """Finds when known words are said."""

    def align(self, media_path: Path, words: Sequence[WordTiming], *, language: str) -> tuple[WordTiming, ...]:
        """The same words in the same order, each with the better of its own and the aligned times.

        A word is moved only where the aligner's score and the sound's energy agree; `timed_by` says what each got.
        A word that the dictionary lacks is sounded out and marked. Never fewer words, never a raise for odd text.
        Raises: MediaError.
        """
        ...


class Judge(Protocol):
    """Scores how well a clip teaches words that are spoken in it."""

    name: str
    model: str
    prompt_version: str
    is_paid: bool

    def judge(self, clip: ClipText, words: Sequence[VocabularyWord]) -> tuple[Sequence[Verdict], CallCost]:
        """Verdicts for those of `words` that the clip teaches, best first, at most five. A word left out is not good.

        Raises: ProviderError.
        """
        ...


@runtime_checkable
class ChoosesModel(Protocol):
    """A judge that has several models."""

    def with_model(self, model: str) -> Judge:
        """The same judge, asking `model`."""
        ...


@dataclass(frozen=True, slots=True)
class ClipText:
    """What a judge reads of a clip."""

    text: str
    words: tuple[WordTiming, ...]
    """Empty at the shortlist, before anything was recognised."""
    duration_s: float
    film_title: str
    levels: dict[str, str]
    """word text (casefolded) → level, for every word of the text that stands on a list."""
    targets: dict[str, tuple[int, ...]]
    """word text → indices into `words` at which a form of it is said."""


class MediaTools(Protocol):
    """Reads and cuts media. Decoders only ever see local files."""

    def probe(self, path: Path) -> MediaFacts:
        """Raises: UnreadableMedia (names the file and the decoder's line), UnsupportedMedia."""
        ...

    def cut(self, path: Path, start_s: float, end_s: float, into: Path) -> Path:
        """`[start_s, end_s)` of `path` as a new H.264 + AAC MP4 (yuv420p, even, faststart, no data stream) in `into`."""
        ...

    def still(self, path: Path, at_s: float, into: Path, *, width_px: int = 480) -> Path:
        """One frame as JPEG."""
        ...

    def peaks(self, path: Path, n_peaks: int) -> tuple[float, ...]:
        """The sound's envelope: `n_peaks` numbers 0–1, equal spans of the whole file; all 0 without sound."""
        ...

    def shrink(self, path: Path, into: Path, *, max_bytes: int) -> Path:
        """A copy of a whole clip of at most `max_bytes`, speech kept, as one new file in `into`. Raises: UnsupportedMedia if too long."""
        ...

    def embedded_captions(self, path: Path) -> tuple[Cue, ...]:
        """The first text subtitle stream, or nothing."""
        ...


class WorkStarter(Protocol):
    """Puts long work on the durable engine. It only names rows; what is to be done stands in our tables."""

    def start_run(self, run_id: str, attempt: int) -> None:
        """Begin (or begin again) a run; the same attempt twice is one."""
        ...

    def start_job(self, job_id: str, attempt: int, queue: str) -> None:
        """Begin a job; the same attempt twice is one."""
        ...


class RunSwitches(Protocol):
    """What people do to runs. Each may be repeated; each leaves the truth right even if the engine is away."""

    def start(self, run_id: str) -> object:
        """Begin a planned run, or go on with one that is paused, waits or was cancelled."""
        ...

    def pause(self, run_id: str) -> object: ...

    def cancel(self, run_id: str) -> object: ...

    def retry(self, run_id: str) -> int:
        """Queue the failed words again; how many there were."""
        ...


class ExportTarget(Protocol):
    """Takes approved clips."""

    name: str
    """For people and for rows: `practice`, or the host."""
    url: str
    is_production: bool

    def send(self, source_id: str, items: Sequence[VideoItem]) -> tuple[ItemResult, ...]:
        """Send the items as one request; one result an item, in order. All or nothing: a refusal undoes all of them.

        Raises: ExportError (definite: nothing arrived; `is_retryable` says if the same again can work),
        ProviderUnavailable (in doubt: it may have arrived; sending the same again is safe).
        """
        ...

    def read_back(self, video_id: int) -> Iterator[bytes]:
        """The bytes that the target serves for this video. Raises: NotFound, ProviderError."""
        ...

    def words_with_videos(self, words: Iterable[str], language: str) -> dict[str, int] | None:
        """Word → number of videos there, or None when the target cannot say."""
        ...

    def words_needing_videos(self, bundle: str) -> frozenset[str] | None:
        """The words of a bundle, by its name there, that no video is mapped to; None when the target cannot say.

        Raises: ProviderError.
        """
        ...
