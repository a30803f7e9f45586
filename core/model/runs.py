"""Runs of discovery: their states, and what they count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

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


class StopCause(StrEnum):
    """Why a run is paused; `reason` says it in words."""

    PERSON = "person"
    KEY = "key"
    """A provider refuses the key: resume after a new one."""
    CREDIT = "credit"
    """The credit at a provider is used up."""
    PROVIDER = "provider"
    """A provider asked to wait again and again, or cannot be reached."""
    DISK = "disk"
    """No room left: it goes on by itself when there is."""


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
    is_at_least: bool = False
    """A price is not known, or a call is in doubt: it cost that or more."""
    reason: str = ""
    """Why it is paused, or could not go on."""
    notes: tuple[str, ...] = ()
    """What it could not do, a sentence each."""
    plan: Mapping[str, Any] | None = None
    """`Plan` as it stood at the launch."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a run is expected to bring, and what that rests on."""

    n_words_gain: int
    """Words that gain an approved clip."""
    n_clips_approved: int
    words_a_download: float
    approved_ratio: float
    first_clip_s: float
    """From the launch to the first clip on the desk."""
    n: int
    """Decided clips that it was learnt from; 0: a prior."""
    says: str
    """For people: `From 396 decisions: …`."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would cost; nothing is spent by making one. The answer of `discover --plan`.

    Counts are of calls that would be made: kept answers cost nothing and are counted beside them.
    """

    words: int
    already_covered: int
    searches: int
    fresh_links: int
    downloads: int
    """At most."""
    judge_calls: int
    tokens: int
    cost_usd: float
    """Of what has a known price."""
    minimum_s: float
    """The shortest possible time under the source's rate limit."""
    quota: dict[str, int | None] = field(default_factory=dict)
    """What is left, `requests_this_month` and `downloads_this_month`; None where no limit is set."""
    requests: int = 0
    """Searches, fresh links and downloads: all that counts against the minute and the month."""
    searches_kept: int = 0
    judge_calls_kept: int = 0
    production_has: int = 0
    """Of `already_covered`, words that the backend says it has."""
    in_other_runs: int = 0
    """Of `already_covered`, words that an unfinished run has to do."""
    tokens_in: int = 0
    tokens_out: int = 0
    is_at_least: bool = False
    """A price is not known: the sum is of the others only."""
    source: str = ""
    judge: str = ""
    transcriber: str = ""
    expected: Expected | None = None
    basis: tuple[str, ...] = ()
    """Every assumption behind the figures, a sentence each."""
