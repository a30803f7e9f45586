"""What the engine is given to do: the stages of a word, the jobs, and how a stage says that a word has ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from core.errors import InvalidInput
from core.model.runs import ENDED_WORD, WordState

QUEUES = ("ingest", "ai", "storage", "processing", "system")
"""`system` drives runs; `ai` does the words' stages, which mostly wait for providers (what computes takes its turn in the pool of
processes); `processing`, `ingest` and `storage` take jobs."""


class Halted(Exception):
    """The run was paused or cancelled while a stage waited; the stage is done again when the run goes on. Nothing is recorded."""


class LostPatience(Exception):
    """What was waited for would take longer than it is worth: there is other work to be done first. Nothing is recorded."""


@dataclass(frozen=True, slots=True)
class WordEnd:
    """The word has ended; the engine writes it to the run's row of the word."""

    state: WordState
    reason: str = ""
    detail: str = ""

    def __post_init__(self) -> None:
        if self.state not in ENDED_WORD:
            raise ValueError(f"A word cannot end as {self.state}.")


@dataclass(frozen=True, slots=True)
class WordStage:
    """One stage of a word's way.

    `run(run_id, word_id)` returns None to go on to the next stage, or how the word ended; after the last stage a None
    means `done`. It reads and writes our tables, but not the word's `state`, `stage` and `attempt`, which are the engine's. It
    must be idempotent: it runs again after a crash. Halted leaves the word where it is. A key that is refused, credit that is used
    up, a provider that does not let anybody through and a full disk pause the run, once; a quota or a limit that is reached ends the
    word as `waiting_for_quota`; any other WordreelError fails the word with its message; any other exception fails it as a bug, with
    the traceback in the log, and the run goes on.
    """

    name: str
    run: Callable[[str, int], WordEnd | None]
    then: str = ""
    """The stage to go on to when it is not the next of the list, as from `score` back to `choose`."""


def _nothing(_run_id: str) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Work:
    """All that a worker can do. The functions run in threads of the worker process."""

    stages: Sequence[WordStage]
    jobs: Mapping[str, Callable[[str], None]] = field(default_factory=dict)
    """kind → function of the job's id, idempotent and resumable; it writes `done`, `total`, `detail` and `result` itself."""
    begin_run: Callable[[str], None] = _nothing
    """Called before the first word of each attempt of a run."""
    end_run: Callable[[str], None] = _nothing
    """Called when every word has ended, before the run's last status is written."""

    def __post_init__(self) -> None:
        names = [stage.name for stage in self.stages]
        if len(set(names)) != len(names) or not names:
            raise ValueError(f"A word's stages need distinct names: {names}.")

    def stage_at(self, name: str) -> WordStage:
        """The stage to do for a word whose row says `name`; the first where it says nothing or a stage that is no more."""
        return next((stage for stage in self.stages if stage.name == name), self.stages[0])

    def stage_after(self, name: str) -> WordStage | None:
        """The stage that follows, or None after the last."""
        names = [stage.name for stage in self.stages]
        stage = self.stages[names.index(name)]
        if stage.then:
            return self.stages[names.index(stage.then)]
        place = names.index(name) + 1
        return self.stages[place] if place < len(names) else None

    def job(self, kind: str) -> Callable[[str], None]:
        """The function for a kind of job. Raises: InvalidInput."""
        if kind not in self.jobs:
            raise InvalidInput(f"No worker here knows jobs of the kind {kind!r}.", hint="Start a worker of this version.")
        return self.jobs[kind]
