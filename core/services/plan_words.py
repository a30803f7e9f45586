"""The words of a plan: what each has, who has it already, and what its search costs. Reads only."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from core.model.clips import Source
from core.model.runs import RunSettings
from core.model.vocabulary import VocabularyWord
from core.rules.search_keys import search_key
from core.services.production import ProductionAnswer
from core.store import plan_rows
from core.store.media_rows import list_films
from core.store.plan_rows import KeptSearch, LineAnswers
from core.store.reviews import approved_counts, reviewable_counts
from core.timing import now

PAGE_SIZE = 100
"""Hits that one search brings at the most. Source: ClipCafe's contract."""


@dataclass(frozen=True, slots=True)
class ChosenWords:
    """The words of a choice, in order, with the bundle that they stand in."""

    bundle: str
    name: str
    """For people: `gaps of ielts_advanced`."""
    words: tuple[VocabularyWord, ...]
    """A word that is not in the database yet has a negative id."""
    is_demo: bool
    report: tuple[str, ...] = ()
    """What was changed or refused while reading, a line each."""
    request: str = ""
    """What was asked for, where the words that it means grow fewer as its run goes on; else empty."""
    is_whole_bundle: bool = False
    """The bundle itself was asked for, or its gaps: the backend may know it by its name."""


@dataclass(frozen=True, slots=True)
class WordPlan:
    """One word of a plan."""

    word: str
    n_approved: int
    n_in_review: int
    n_wanted: int
    """Clips that the run would look for; 0 when the word has enough, or is not this run's to search."""
    searched_at: datetime | None = None
    """When the source was last asked with these settings; None for never."""
    n_hits_kept: int | None = None
    """What that search brought; None where there was none."""
    is_search_too_old: bool = False
    """The source is asked anew."""
    n_searches: int = 1
    """Searches that the run would make for it; 0 is free."""
    in_run: int | None = None
    """The number of an unfinished run that has the word: this one leaves it out."""
    is_in_production: bool = False
    """The backend says that it needs no clip, and none of ours is there: this run leaves it out."""


@dataclass(frozen=True, slots=True)
class Look:
    """The chosen words as they stand now."""

    words: tuple[WordPlan, ...]
    """In the order of the choice."""
    word_ids: tuple[int, ...]
    searches: Mapping[int, KeptSearch]
    """Word id → its last search with these settings."""
    production: ProductionAnswer

    @property
    def open(self) -> list[tuple[int, WordPlan]]:
        """(word id, word) of those that the run would work on."""
        return [(word_id, word) for word_id, word in zip(self.word_ids, self.words, strict=True) if word.n_wanted]


@dataclass(frozen=True, slots=True)
class KnownLines:
    """The lines that earlier searches brought for the open words, and what was answered for them."""

    of_words: Mapping[int, set[int]]
    """Word id → clips in which something is spoken."""
    answers: LineAnswers

    @property
    def clip_ids(self) -> set[int]:
        """Each once, however many words it came for."""
        return {clip_id for clip_ids in self.of_words.values() for clip_id in clip_ids}


def known_lines(connection: Connection, look: Look, settings: RunSettings, prompt_version: str) -> KnownLines:
    """Of the judge that the settings froze."""
    of_words = plan_rows.spoken_lines(connection, [look.searches[word_id] for word_id, _ in look.open if word_id in look.searches])
    clip_ids = {clip_id for clip_ids in of_words.values() for clip_id in clip_ids}
    return KnownLines(of_words, plan_rows.line_answers(connection, clip_ids, settings.judge, settings.judge_model, prompt_version))


def look_at(
    connection: Connection, chosen: ChosenWords, settings: RunSettings, production: ProductionAnswer, max_age_days: float, own_run: str
) -> Look:
    """What each word has, who has it already, and what its search costs.

    Args:
        max_age_days: an older answer of a remote source is asked for anew. own_run: the unfinished run of this very request.
    """
    keys = _search_keys(connection, chosen, settings)
    kept = plan_rows.kept_searches(connection, settings.source, list(keys.values()))
    searched = {word_id: kept[key] for word_id, key in keys.items() if key in kept}
    ids = tuple(word.word_id for word in chosen.words)
    in_runs = plan_rows.words_in_runs(connection, settings.source, ids, without_run=own_run)
    ours = plan_rows.words_live_at(connection, production.target) if production.needing is not None else set()
    oldest = now() - timedelta(days=max_age_days) if settings.source is not Source.LIBRARY else None
    found = []
    for word, has in zip(chosen.words, has_now(connection, chosen, settings.want), strict=True):
        if has.n_wanted and word.word_id not in ours and production.has(word.text):
            has = replace(has, n_wanted=0, is_in_production=True)
        elif has.n_wanted and word.word_id in in_runs:
            has = replace(has, n_wanted=0, in_run=in_runs[word.word_id])
        found.append(_with_search(has, searched.get(word.word_id), oldest, settings.max_videos))
    return Look(tuple(found), ids, searched, production)


def has_now(connection: Connection, chosen: ChosenWords, want: int) -> list[WordPlan]:
    """What each word has towards the want, in the order of the choice."""
    approved, waiting = approved_counts(connection), reviewable_counts(connection)
    found = []
    for word in chosen.words:
        n_approved, n_waiting = approved.get(word.word_id, 0), waiting.get(word.word_id, 0)
        found.append(WordPlan(word.text, n_approved, n_waiting, max(0, want - n_approved - n_waiting)))
    return found


def _search_keys(connection: Connection, chosen: ChosenWords, settings: RunSettings) -> dict[int, str]:
    holdings: list[tuple[str, str]] = []
    if settings.source is Source.LIBRARY:
        films = list_films(connection, is_demo=chosen.is_demo)
        holdings = sorted((film.media_id, film.transcript_id or "") for film in films if film.state == "present")
    is_demo, n_hits = chosen.is_demo, settings.max_videos
    return {
        word.word_id: search_key(settings.source, word.text, n_hits, is_demo=is_demo, holdings=holdings)
        for word in chosen.words
        if word.word_id > 0
    }


def _with_search(word: WordPlan, last: KeptSearch | None, oldest: datetime | None, max_hits: int) -> WordPlan:
    """The word with what its last search means now: free, to be made anew, or to be made."""
    if last is None:
        return replace(word, n_searches=int(word.n_wanted > 0))
    is_old = oldest is not None and last.searched_at < oldest
    n_pages = math.ceil(min(max(last.n_hits, 1), max_hits) / PAGE_SIZE) if is_old and word.n_wanted else 0
    return replace(word, searched_at=last.searched_at, n_hits_kept=last.n_hits, is_search_too_old=is_old, n_searches=n_pages)
