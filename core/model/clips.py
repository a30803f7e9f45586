"""Clips, hits, proposals and evidence."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from core.model.transcripts import Cue


class Source(StrEnum):
    """Where clips come from."""

    CLIPCAFE = "clipcafe"
    LIBRARY = "library"
    UPLOAD = "upload"


class EvidenceState(StrEnum):
    """What shows that the word is really spoken."""

    HEARD = "heard"
    CAPTIONED = "captioned"
    NOT_HEARD = "not_heard"


class ProposalStage(StrEnum):
    """When in its clip's way a proposal was made."""

    SHORTLIST = "shortlist"
    FINAL = "final"


@dataclass(frozen=True, slots=True)
class FilmFacts:
    """What is known of the film that a clip is from; unknown is empty or None, never guessed."""

    title: str = ""
    year: int | None = None
    rating: str = ""
    director: str = ""
    imdb_id: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class Hit:
    """One search result of a source, before anything is fetched."""

    source: Source
    slug: str
    """The source's own name of the clip, unique there."""
    title: str
    spoken: str
    """The spoken half of the text."""
    script: str
    """The part with speakers and stage directions; a word only here is `not_heard`."""
    duration_s: float
    film: FilmFacts
    cues: tuple[Cue, ...] = ()
    film_media_id: str | None = None
    """For `library`: the film that the clip is cut from, with its range in that film."""
    start_s: float = 0.0
    end_s: float = 0.0
    metadata: dict[str, str] = field(default_factory=dict)
    is_demo: bool = False


@dataclass(frozen=True, slots=True)
class Clip:
    """1–15 s that can teach a word."""

    clip_id: int
    slug: str
    source: Source
    title: str
    film: FilmFacts
    media_id: str | None
    """None until fetched."""
    film_media_id: str | None
    start_s: float
    end_s: float
    spoken: str
    script: str
    cues: tuple[Cue, ...]
    transcript_id: str | None
    """The transcript in force: a correction where there is one."""
    is_demo: bool

    @property
    def duration_s(self) -> float:
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One place in a clip where a form of the word is said."""

    form: str
    """As written there: `referred`."""
    word_index: int
    """First index into the transcript's words."""
    n_words: int
    start_s: float
    end_s: float
    probability: float | None
    timed_by: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What shows that the word is really spoken in this clip."""

    state: EvidenceState
    occurrences: tuple[Occurrence, ...] = ()
    transcript_id: str | None = None
    reasons: tuple[str, ...] = ()
    """Short sentences for the card: `Only in the script`, `Sound too weak at 3.4 s`."""


@dataclass(frozen=True, slots=True)
class Scores:
    """A judge's scores of one mapping, each 0–1."""

    education: float
    context: float
    relevance: float


@dataclass(frozen=True, slots=True)
class Feature:
    """One explained part of a rubric score."""

    name: str
    """`whole_sentence`, `words_a_minute`, …"""
    label: str
    """For the card: `128 words a minute`."""
    value: float
    """0–1, 1 is good."""
    weight: float
    is_good: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a judge says of one word in one clip."""

    word: str
    scores: Scores
    reason: str
    difficulty: str
    """`beginner`, `intermediate` or `advanced`."""
    features: tuple[Feature, ...] = ()


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a machine says of a mapping. Never changed afterwards."""

    proposal_id: int
    clip_id: int
    word_id: int
    stage: ProposalStage
    judge: str
    model: str
    prompt_version: str
    scores: Scores | None
    """None: the judge looked and found it not good, or the word is not spoken."""
    reason: str
    difficulty: str
    evidence: Evidence
    features: tuple[Feature, ...]
    tokens: int
    cost_usd: float
    run_id: str
