"""One window of the choice: the downloads that the run may make now, given to the clips that are expected to bring most."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, update

from core.model.runs import Stage, WordState
from core.pipeline.ledger import limit_is_reached
from core.rules.approval import ApprovalModel, describe
from core.rules.choosing import OUTSIDE_WEIGHT, Candidate, Chosen, GoodWord, WordNeed, choose_clips, share_of_window
from core.store import choice_board as board
from core.store import choices as choice_rows
from core.store import runs as run_rows
from core.store.choice_board import RunWordStand
from core.store.dialects import take_turns
from core.store.ledger_rows import n_downloads
from core.store.reviews import approved_counts, reviewable_counts
from core.store.runs import RunRow
from core.store.tables import run_clips, run_words
from core.timing import now


@dataclass(frozen=True, slots=True)
class MonthLeft:
    """What the source's plan leaves, read before the window's transaction."""

    n_left: int | None
    resets_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class DownloadsLeft:
    """How many downloads may still be chosen, and what limits them."""

    n: int | None
    """None where nothing does."""
    says: str
    """For people, where it is 0."""
    whose: str = "in this run"
    """What limits them, for people."""


def take_turn(connection: Connection, run_id: str) -> None:
    """One choice of a run at a time; the others see what it chose."""
    take_turns(connection, f"choose {run_id}")


def downloads_left(connection: Connection, run: RunRow, month: MonthLeft) -> DownloadsLeft:
    """Counted so that no failure makes the run pass its limit: what is chosen counts until it is here, and so does every call made."""
    most = run.settings.max_downloads
    of_run, of_month = None, None
    if most is not None:
        of_run = max(0, most - n_downloads(connection, run.run_id) - board.n_chosen_unfetched(connection, run.run_id))
    if month.n_left is not None:
        of_month = max(0, month.n_left - board.n_chosen_unfetched(connection))
    if of_month is not None and (of_run is None or of_month < of_run):
        says = _month_says(board.n_waiting_clips(connection, run.run_id), month) if of_month == 0 else ""
        return DownloadsLeft(of_month, says, "this month")
    return DownloadsLeft(of_run, limit_is_reached(most or 0) if of_run == 0 else "")


def _month_says(n_clips: int, month: MonthLeft) -> str:
    until = f", until {month.resets_at.day} {month.resets_at:%B}" if month.resets_at else ""
    clips = f"{n_clips} clips wait, with their place kept" if n_clips != 1 else "1 clip waits, with its place kept"
    return f"This month's downloads are used up; {clips}{until}"


class Window:
    """The choice for all words of a run that are here, made inside one transaction that holds the run's turn.

    Args:
        trusted_since: an owner whose row did not change since then is not counted on any more. lone: the word of a refill, for which
            alone is chosen; its row has ended and stays so.
    """

    def __init__(
        self,
        connection: Connection,
        run: RunRow,
        model: ApprovalModel,
        month: MonthLeft,
        *,
        trusted_since: datetime | None = None,
        lone: int | None = None,
    ) -> None:
        self._connection = connection
        self._run = run
        self._model = model
        self._levels: dict[int, str] = {}
        self._approved = approved_counts(connection)
        self._reviewable = reviewable_counts(connection)
        self._stands = board.stands(connection, run.run_id)
        self._lone = lone
        on_their_way = board.on_their_way(connection, run.run_id)
        self._on_their_way = [one for one in on_their_way if trusted_since is None or one.moved_at >= trusted_since]
        self._left = downloads_left(connection, run, month)
        self._expected_of: dict[int, list[float]] = {}
        self._n_on_their_way: dict[int, int] = {}

    def decide(self) -> list[Chosen]:
        """Choose, record, wake the words that got something after all, and end those that got nothing for want of downloads."""
        self.finish_sleepers()
        self._levels = choice_rows.levels_by_id(self._connection)
        self._expect()
        here = self._wanting(lambda stand: stand.is_here)
        asleep = self._wanting(lambda stand: stand.is_asleep)
        if self._lone is not None:
            here, asleep = [self._lone], []
        owners = board.waiting_clips(self._connection, self._run.run_id, [*here, *asleep], [one.clip_id for one in self._on_their_way])
        candidates = self._candidates(owners)
        can_own = {word_id for one in candidates for word_id in one.owners}
        window = [word_id for word_id in here if word_id in can_own]
        needs = self._needs({word.word_id for one in candidates for word in one.words})
        share = self._share(window)
        chosen = choose_clips(candidates, needs, n=share, serving=[*window, *asleep], awake=here)
        self._record(chosen)
        if share is not None and self._lone is None:
            served = {gain.word.word_id for one in chosen for gain in one.gains} | {one.owner for one in chosen}
            served |= board.words_with_chosen(self._connection, self._run.run_id)
            self._put_to_sleep([word_id for word_id in window if word_id not in served and not self._n_on_their_way.get(word_id)])
        return chosen

    @property
    def left(self) -> DownloadsLeft:
        """As it was before the choice."""
        return self._left

    def _n_missing(self, word_id: int) -> int:
        had = self._approved.get(word_id, 0) + self._reviewable.get(word_id, 0)
        return max(0, self._run.settings.want - had)

    def _n_free(self, word_id: int) -> int:
        return max(0, self._n_missing(word_id) - self._n_on_their_way.get(word_id, 0))

    def _wanting(self, is_meant: Callable[[RunWordStand], bool]) -> list[int]:
        return [word_id for word_id, stand in self._stands.items() if is_meant(stand) and self._n_free(word_id) > 0]

    def _share(self, window: Collection[int]) -> int | None:
        if self._lone is not None:
            n_missing = self._n_free(self._lone)
            return None if self._left.n is None or n_missing <= self._left.n else self._left.n
        still = [word_id for word_id, stand in self._stands.items() if stand.is_open or stand.is_asleep]
        n_upstream = sum(1 for stand in self._stands.values() if stand.is_upstream and self._n_free(stand.word_id) > 0)
        return share_of_window(self._left.n, sum(self._n_free(word_id) for word_id in still), len(window), n_upstream)

    def _expect(self) -> None:
        """What clips in review and on their way are expected to bring each word."""
        for standing in board.in_review(self._connection):
            level = self._levels.get(standing.word_id, "")
            chance = self._model.probability(standing.score, standing.n_words, standing.film, level)
            self._expected_of.setdefault(standing.word_id, []).append(chance)
        clip_ids = {one.clip_id for one in self._on_their_way}
        known = board.mapped_pairs(self._connection, clip_ids)
        for clip_id, words in self._read(clip_ids).items():
            for word in words:
                if (clip_id, word.word_id) not in known:
                    self._expected_of.setdefault(word.word_id, []).append(word.probability)
                    self._n_on_their_way[word.word_id] = self._n_on_their_way.get(word.word_id, 0) + 1

    def _read(self, clip_ids: Collection[int]) -> dict[int, list[GoodWord]]:
        """The good words of these clips, with the chance of each."""
        films = board.films_of(self._connection, clip_ids)
        found = {}
        for clip_id, scores in board.good_words(self._connection, clip_ids).items():
            film = films[clip_id]
            found[clip_id] = [
                GoodWord(word_id, self._model.probability(score, len(scores), film, level), score, level)
                for word_id, score in scores.items()
                for level in (self._levels.get(word_id, ""),)
            ]
        return found

    def _candidates(self, owners: Mapping[int, set[int]]) -> list[Candidate]:
        """The clips with their words. Where a newer look at the shortlist found that a clip does not teach its word, it is none for it."""
        found = []
        words_of = self._read(owners)
        for clip_id in sorted(owners):
            words = words_of.get(clip_id, [])
            good = {word.word_id for word in words}
            for word_id in owners[clip_id] - good:
                reason = "The judge found that it does not teach the word"
                run_rows.set_run_clip(
                    self._connection, self._run.run_id, word_id, clip_id, stage=Stage.SHORTLIST, outcome="spare", reason=reason
                )
            if owners[clip_id] & good:
                found.append(Candidate(clip_id, tuple(sorted(words, key=lambda word: word.word_id)), frozenset(owners[clip_id] & good)))
        return found

    def _needs(self, word_ids: Collection[int]) -> dict[int, WordNeed]:
        """Words of the run up to their want; others only up to their first approved clip."""
        needs = {}
        for word_id in word_ids:
            n_approved = self._approved.get(word_id, 0)
            if word_id in self._stands:
                need = WordNeed(word_id, self._run.settings.want, n_approved, self._n_free(word_id))
            else:
                need = WordNeed(word_id, 1, n_approved, int(n_approved == 0), OUTSIDE_WEIGHT)
            for chance in self._expected_of.get(word_id, []):
                need.expect(chance)
            needs[word_id] = need
        return needs

    def _record(self, chosen: Collection[Chosen]) -> None:
        run_id = self._run.run_id
        for one in chosen:
            clip_id = one.candidate.clip_id
            self._connection.execute(  # an owner that ended without fetching it has lost it
                update(run_clips)
                .where(run_clips.c.run_id == run_id, run_clips.c.clip_id == clip_id, run_clips.c.outcome == "chosen")
                .values(outcome="waiting", stage=Stage.SHORTLIST, updated_at=now())
            )
            run_rows.set_run_clip(self._connection, run_id, one.owner, clip_id, stage=Stage.CHOOSE, outcome="chosen")
            run_rows.set_run_word(self._connection, run_id, one.owner)  # its row has changed: it begins now
        if chosen:
            window = choice_rows.n_choices(self._connection, run_id)[0] + 1
            films = board.films_of(self._connection, [one.candidate.clip_id for one in chosen])
            rows = [self._row(one, films[one.candidate.clip_id]) for one in chosen]
            choice_rows.save_choices(self._connection, run_id, window, rows)
        if self._lone is None:
            self._wake({one.owner for one in chosen})

    def _row(self, one: Chosen, film: str) -> choice_rows.NewChoice:
        n_words = len(one.candidate.words)
        first = one.gains[0].word if one.gains else None
        factors = self._model.factors(first.score, n_words, film, first.level) if first is not None else ()
        gains = [
            {
                "word_id": gain.word.word_id,
                "probability": round(gain.word.probability, 4),
                "counts_for": round(gain.counts_for, 4),
                "score": gain.word.score,
                "level": gain.word.level,
            }
            for gain in one.gains
        ]
        basis = {"n_words": n_words, "film": film, "n_decided": self._model.n, "learnt": describe(factors)}
        return choice_rows.NewChoice(one.candidate.clip_id, one.owner, round(one.expected, 4), gains, basis)

    def _wake(self, word_ids: Collection[int]) -> None:
        """Words that had ended for want of downloads go on from the choice; the run's driver finds them open."""
        self._connection.execute(
            update(run_words)
            .where(
                run_words.c.run_id == self._run.run_id,
                run_words.c.word_id.in_(word_ids),
                run_words.c.state == WordState.WAITING_FOR_QUOTA,
            )
            .values(state=WordState.QUEUED, stage=Stage.CHOOSE, reason="", detail="", attempt=run_words.c.attempt + 1, updated_at=now())
        )

    def _put_to_sleep(self, word_ids: Collection[int]) -> None:
        n = self._left.n or 0
        reason = self._left.says or (
            f"Other words gain more from the only download that is left {self._left.whose}"
            if n == 1
            else f"Other words gain more from the {n} downloads that are left {self._left.whose}"
        )
        for word_id in word_ids:
            want = self._run.settings.want
            detail = f"Waits for downloads with {want - self._n_missing(word_id)} of {want} clips"
            self._end(word_id, WordState.WAITING_FOR_QUOTA, reason, detail)

    def finish_sleepers(self) -> None:
        """Words that waited for downloads and got their clips with those of other words."""
        for word_id, stand in self._stands.items():
            if stand.is_asleep and self._n_missing(word_id) == 0:
                self._end(word_id, WordState.DONE, "", "Its clips came with those of other words")
                self._stands[word_id] = RunWordStand(word_id, WordState.DONE, stand.stage)

    def _end(self, word_id: int, state: WordState, reason: str, detail: str) -> None:
        self._connection.execute(
            update(run_words)
            .where(run_words.c.run_id == self._run.run_id, run_words.c.word_id == word_id)
            .values(state=state, reason=reason, detail=detail, updated_at=now())
        )
