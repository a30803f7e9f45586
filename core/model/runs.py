"""Runs of discovery: their states, and what they count."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from core.model.clips import Source


class RunStatus(StrEnum):
    """planned → running ⇄ paused → succeeded, waiting_for_quota, cancelled or failed.

    `succeeded`: every word ended, failures included. `waiting_for_quota`: as that, and at least one word waits.
    `failed`: the run itself could not go on.
    """

    PLANNED = "planned"
    RUNNING = "running"
    PAUSED = "paused"
    WAITING_FOR_QUOTA = "waiting_for_quota"
    SUCCEEDED = "succeeded"
    CANCELLED = "cancelled"
    FAILED = "failed"


ENDED_RUN = frozenset({RunStatus.SUCCEEDED, RunStatus.WAITING_FOR_QUOTA, RunStatus.CANCELLED, RunStatus.FAILED})


class WordState(StrEnum):
    """A word of a run: `queued` → `working` → one of the five in which it ends."""

    QUEUED = "queued"
    WORKING = "working"
    DONE = "done"
    """Its clips are in review, or it has enough."""
    NONE_FOUND = "none_found"
    FAILED = "failed"
    WAITING_FOR_QUOTA = "waiting_for_quota"
    CANCELLED = "cancelled"


ENDED_WORD = frozenset(set(WordState) - {WordState.QUEUED, WordState.WORKING})


class Stage(StrEnum):
    """The way of a clip, in order."""

    PLAN = "plan"
    KNOWN = "known"
    SEARCH = "search"
    MERGE = "merge"
    SHORTLIST = "shortlist"
    CHOOSE = "choose"
    FETCH = "fetch"
    PROBE = "probe"
    TRANSCRIBE = "transcribe"
    SCORE = "score"
    REVIEW = "review"
    EXPORT = "export"


USUAL_MIN_SCORE = 0.6
"""The least relevance for the desk until the operator sets another. Source: DESIGN.md, Doors."""


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What a run was told; frozen when it starts."""

    source: Source = Source.LIBRARY
    bundle: str = ""
    want: int = 3
    """Good clips a word should end with; approved, in review and live count."""
    max_videos: int = 100
    """Hits a word that are considered, in the source's order."""
    max_downloads: int | None = None
    max_cost_usd: float | None = None
    min_score: float | None = None
    """Tests `relevance` when reading; it changes nothing that is stored. None: the workspace's rule, whatever it is then."""
    judge: str = ""
    judge_model: str = ""
    transcriber: str = ""
    transcriber_model: str = ""
    is_demo: bool = False


@dataclass(frozen=True, slots=True)
class WordFailure:
    """Why one word of a run failed."""

    word: str
    stage: str
    reason: str


@dataclass(frozen=True, slots=True)
class RunSummary:
    """The answer of `discover` and `runs show`; field by field as their JSON."""

    run_id: str
    status: RunStatus
    words: dict[str, int]
    failed: tuple[WordFailure, ...]
    clips: int
    mappings: int
    not_heard: int
    searches: int
    downloads: int
    paid_calls: int
    in_doubt: int
    repeated_calls: int
    cost_usd: float
    elapsed_s: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would cost; nothing is spent by making one. The answer of `discover --plan`."""

    words: int
    already_covered: int
    searches: int
    fresh_links: int
    downloads: int
    judge_calls: int
    tokens: int
    cost_usd: float
    minimum_s: float
    quota: dict[str, int | None] = field(default_factory=dict)
    """What is left; None where no limit is set."""
