"""The words of a plan by what they need, as the page of a new run shows them. Reads only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.model.clips import Source
from core.rules.prices import dollars
from core.rules.word_keys import word_key
from core.services.discovery import ChosenWords, WordPlan
from core.store.database import Database
from core.store.vocabulary import levels_of_words


@dataclass(frozen=True, slots=True)
class PlanGroups:
    """Each word of a choice once: read − covered − in review − in another run − at production = to search."""

    chosen: ChosenWords
    source: Source
    to_search: tuple[WordPlan, ...]
    covered: tuple[WordPlan, ...]
    in_review: tuple[WordPlan, ...]
    """It reaches its want if all that waits is approved."""
    in_run: tuple[WordPlan, ...]
    in_production: tuple[WordPlan, ...]
    levels: Mapping[str, str]
    """Word key → its lowest level on any list."""

    @property
    def n_wanted(self) -> int:
        """Clips that the words to search want."""
        return sum(word.n_wanted for word in self.to_search)

    @property
    def run_numbers(self) -> tuple[int, ...]:
        """Of the unfinished runs that have the words of `in_run`."""
        return tuple(sorted({word.in_run for word in self.in_run if word.in_run is not None}))

    def searches_of(self, word: WordPlan) -> int | None:
        """Requests to search for the word; 0 is free, as own films always are. None for a word that is not searched."""
        if not word.n_wanted:
            return None
        return 0 if self.source is Source.LIBRARY else word.n_searches

    def level_of(self, word: WordPlan) -> str:
        """Empty for a word on no levelled list."""
        return self.levels.get(word_key(word.word), "")


def group_words(database: Database, chosen: ChosenWords, planned: Sequence[WordPlan], want: int, source: Source) -> PlanGroups:
    """Sort each word into the first group that holds for it."""
    groups: dict[str, list[WordPlan]] = {name: [] for name in ("to_search", "covered", "in_review", "in_run", "in_production")}
    for word in planned:
        groups[_group_of(word, want)].append(word)
    with database.read() as connection:
        levels = levels_of_words(connection, is_demo=chosen.is_demo)
    return PlanGroups(chosen, source, **{name: tuple(words) for name, words in groups.items()}, levels=levels)


def _group_of(word: WordPlan, want: int) -> str:
    if word.n_wanted:
        return "to_search"
    if word.n_approved >= want:
        return "covered"
    if word.n_approved + word.n_in_review >= want:
        return "in_review"
    return "in_run" if word.in_run is not None else "in_production"


def stops_at(want: int, max_downloads: int | None, max_cost_usd: float | None, source: Source) -> str:
    """`3 clips a word, 150 downloads or $1.00, whichever comes first`: where a run with these limits ends."""
    limits = [f"{want:,} {'clip' if want == 1 else 'clips'} a word"]
    if source is Source.CLIPCAFE and max_downloads is not None:
        limits.append(f"{max_downloads:,} {'download' if max_downloads == 1 else 'downloads'}")
    if max_cost_usd is not None:
        limits.append(dollars(max_cost_usd))
    if len(limits) == 1:
        return limits[0]
    return f"{', '.join(limits[:-1])} or {limits[-1]}, whichever comes first"
