"""Coverage: how many words of a bundle have clips, and why the others have none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, case, func, literal, select
from sqlalchemy.sql.selectable import Subquery

from core.errors import NotFound
from core.model.clips import EvidenceState
from core.model.reviews import MappingState
from core.model.runs import WordState
from core.rules.word_keys import word_key
from core.store import vocabulary
from core.store.database import Database
from core.store.reviews import passes_rule
from core.store.tables import bundle_words, bundles, live_mappings, mappings, run_words, runs, word_levels, words

PRACTICE = "practice"
"""The target whose clips no learner is shown."""
REASONS = ("in_review", "not_searched", "none_found", "exhausted", "failed", "waiting_for_quota")
"""Why a word has no approved clip, one a word, in the order in which they are asked."""


@dataclass(frozen=True, slots=True)
class BundleCoverage:
    """The words of one bundle, by what they have. A word without an approved clip is counted once among the reasons."""

    bundle: str
    exam: str
    level: str
    is_demo: bool
    words: int
    approved: dict[int, int]
    """k → words with at least k approved clips."""
    live: int
    """Words with at least one clip at the target that learners can be shown."""
    reasons: dict[str, int]

    def as_json(self) -> dict[str, Any]:
        return {
            "bundle": self.bundle,
            "words": self.words,
            "approved": {str(k): n for k, n in self.approved.items()},
            "live": self.live,
            **self.reasons,
            "is_demo": self.is_demo,
        }


@dataclass(frozen=True, slots=True)
class WordCoverage:
    """One word of a bundle."""

    word_id: int
    word: str
    level: str
    rank: int
    n_approved: int
    n_in_review: int
    n_live: int
    n_rejected: int
    state: str
    """`live`, `approved` or one of REASONS."""
    why: str
    """A sentence for a word without an approved clip."""
    is_demo: bool = False


class Coverage:
    """Reads the projection; every decision shows at once."""

    def __init__(self, database: Database, *, is_practice_live: bool = True) -> None:
        """`is_practice_live`: whether what only the practice backend holds is live; not where there is another backend."""
        self._database = database
        self._is_practice_live = is_practice_live

    def _facts(self, target: str) -> Subquery:
        return _word_facts(target, without="" if self._is_practice_live or target else PRACTICE)

    def bundles(self, name: str = "", *, at_least: Sequence[int] = (1, 3), target: str = "") -> list[BundleCoverage]:
        """Coverage of one bundle or of all, real ones first.

        Args:
            at_least: the numbers k of approved clips to count for.
            target: whose live clips count; empty for any, the practice backend's own apart where there is another.

        Raises: NotFound for a bundle that does not exist.
        """
        with self._database.read() as connection:
            known = {bundle.name: bundle for bundle in vocabulary.list_bundles(connection)}
            if name and name not in known:
                raise NotFound(f"There is no bundle {name!r}.", hint=f"There are: {', '.join(known) or 'none yet; import a list first'}.")
            facts = self._facts(target)
            columns = [func.count().label("words")]
            columns += [func.sum(case((facts.c.n_approved >= k, 1), else_=0)).label(f"approved_{k}") for k in at_least]
            columns += [func.sum(case((facts.c.n_live > 0, 1), else_=0)).label("live")]
            columns += [func.sum(case((facts.c.state == reason, 1), else_=0)).label(reason) for reason in REASONS]
            query = (
                select(bundle_words.c.bundle, *columns)
                .join(facts, facts.c.word_id == bundle_words.c.word_id)
                .group_by(bundle_words.c.bundle)
            )
            if name:
                query = query.where(bundle_words.c.bundle == name)
            counted: dict[str, Mapping[str, Any]] = {row.bundle: dict(row._mapping) for row in connection.execute(query)}
        found = []
        for bundle in [known[name]] if name else known.values():
            row: Mapping[str, Any] = counted.get(bundle.name, {})
            found.append(
                BundleCoverage(
                    bundle.name,
                    bundle.exam,
                    bundle.level,
                    bundle.is_demo,
                    int(row.get("words", 0)),
                    {k: int(row.get(f"approved_{k}", 0)) for k in at_least},
                    int(row.get("live", 0)),
                    {reason: int(row.get(reason, 0)) for reason in REASONS},
                )
            )
        return found

    def words(self, bundle: str, *, target: str = "") -> list[WordCoverage]:
        """Every word of a bundle, most useful first. Raises: NotFound."""
        with self._database.read() as connection:
            exam = connection.execute(select(bundles.c.exam).where(bundles.c.name == bundle)).scalar_one_or_none()
            if exam is None:
                raise NotFound(f"There is no bundle {bundle!r}.", hint="`python run.py vocab list` shows them.")
            facts = self._facts(target)
            query = (
                select(facts, words.c.text, bundle_words.c.rank, word_levels.c.level)
                .join(bundle_words, bundle_words.c.word_id == facts.c.word_id)
                .join(words, words.c.word_id == facts.c.word_id)
                .join(word_levels, (word_levels.c.word_id == facts.c.word_id) & (word_levels.c.exam == literal(exam)), isouter=True)
                .where(bundle_words.c.bundle == bundle)
                .order_by(bundle_words.c.rank)
            )
            last = _last_words(connection)
            return [
                WordCoverage(
                    row.word_id,
                    row.text,
                    row.level or "",
                    row.rank,
                    row.n_approved,
                    row.n_in_review,
                    row.n_live,
                    row.n_rejected,
                    row.state,
                    _why(row.state, row.n_in_review, row.n_rejected, last.get(row.word_id, "")),
                )
                for row in connection.execute(query)
            ]

    def gaps(self, bundle: str, want: int) -> list[int]:
        """Words of a bundle whose clips, approved and waiting for a person, are under their want, most useful first."""
        return [word.word_id for word in self.words(bundle) if word.n_approved + word.n_in_review < want]

    def without_clip(self, bundle: str = "") -> int:
        """Words of a bundle with no clip that is approved or in review; of all real bundles (else of the demo's) when none is named."""
        facts = self._facts("")
        listed = select(bundle_words.c.word_id).join(bundles, bundles.c.name == bundle_words.c.bundle)
        with self._database.read() as connection:
            if not bundle:
                has_real = connection.execute(select(bundles.c.name).where(~bundles.c.is_demo).limit(1)).first() is not None
                listed = listed.where(bundles.c.is_demo != has_real)
            else:
                listed = listed.where(bundles.c.name == bundle)
            query = (
                select(func.count())
                .select_from(facts)
                .where(facts.c.word_id.in_(listed), facts.c.state.not_in(("live", "approved", "in_review")))
            )
            return int(connection.execute(query).scalar_one())

    def look_up(self, texts: Sequence[str]) -> list[tuple[str, WordCoverage | None]]:
        """For pasted words: each with what it has, a real word before the demo's; None for a word on no list."""
        with self._database.read() as connection:
            ids = {**vocabulary.word_ids_by_key(connection, texts, is_demo=True), **vocabulary.word_ids_by_key(connection, texts)}
            facts = self._facts("")
            query = (
                select(facts, words.c.text, words.c.is_demo)
                .join(words, words.c.word_id == facts.c.word_id)
                .where(facts.c.word_id.in_(list(ids.values())))
            )
            last = _last_words(connection)
            found = {
                row.word_id: WordCoverage(
                    row.word_id,
                    row.text,
                    "",
                    0,
                    row.n_approved,
                    row.n_in_review,
                    row.n_live,
                    row.n_rejected,
                    row.state,
                    _why(row.state, row.n_in_review, row.n_rejected, last.get(row.word_id, "")),
                    row.is_demo,
                )
                for row in connection.execute(query)
            }
        return [(text, found.get(ids.get(word_key(text), -1))) for text in texts]


def _word_facts(target: str, *, without: str) -> Subquery:
    """One row a word: its counts, and the one state that it is in. Live counts at `target`, else at all but `without`."""
    is_waiting = mappings.c.state.in_((MappingState.IN_REVIEW, MappingState.SKIPPED, MappingState.FLAGGED))
    judged = (
        select(
            mappings.c.word_id,
            func.sum(case((mappings.c.state == MappingState.APPROVED, 1), else_=0)).label("n_approved"),
            func.sum(case((is_waiting & passes_rule(), 1), else_=0)).label("n_in_review"),
            func.sum(
                case(((mappings.c.state == MappingState.REJECTED) & (mappings.c.evidence_state != EvidenceState.NOT_HEARD), 1), else_=0)
            ).label("n_rejected"),
        )
        .join(runs, runs.c.run_id == mappings.c.run_id, isouter=True)
        .group_by(mappings.c.word_id)
        .subquery()
    )
    is_there = live_mappings.c.target == target if target else live_mappings.c.target != without
    shown = select(live_mappings.c.word_id, func.count().label("n_live")).where(live_mappings.c.relevance > 0, is_there)
    live = shown.group_by(live_mappings.c.word_id).subquery()
    searched = (
        select(
            run_words.c.word_id,
            func.sum(case((run_words.c.state.in_((WordState.DONE, WordState.NONE_FOUND)), 1), else_=0)).label("n_ended"),
            func.sum(case((run_words.c.state == WordState.FAILED, 1), else_=0)).label("n_failed"),
            func.sum(case((run_words.c.state == WordState.WAITING_FOR_QUOTA, 1), else_=0)).label("n_quota"),
        )
        .group_by(run_words.c.word_id)
        .subquery()
    )
    counts = [func.coalesce(judged.c[name], 0) for name in ("n_approved", "n_in_review", "n_rejected")]
    n_approved, n_in_review, n_rejected = counts
    n_live = func.coalesce(live.c.n_live, 0)
    state = case(
        ((n_approved > 0) & (n_live > 0), "live"),
        (n_approved > 0, "approved"),
        (n_in_review > 0, "in_review"),
        (n_rejected > 0, "exhausted"),
        (func.coalesce(searched.c.n_quota, 0) > 0, "waiting_for_quota"),
        (func.coalesce(searched.c.n_ended, 0) > 0, "none_found"),
        (func.coalesce(searched.c.n_failed, 0) > 0, "failed"),
        else_="not_searched",
    )
    return (
        select(
            words.c.word_id,
            n_approved.label("n_approved"),
            n_in_review.label("n_in_review"),
            n_rejected.label("n_rejected"),
            n_live.label("n_live"),
            state.label("state"),
        )
        .join(judged, judged.c.word_id == words.c.word_id, isouter=True)
        .join(live, live.c.word_id == words.c.word_id, isouter=True)
        .join(searched, searched.c.word_id == words.c.word_id, isouter=True)
        .subquery()
    )


def _last_words(connection: Connection) -> dict[int, str]:
    """Word id → what its newest run said of it."""
    newest = select(run_words.c.word_id, func.max(runs.c.number).label("number")).join(runs, runs.c.run_id == run_words.c.run_id)
    latest = newest.group_by(run_words.c.word_id).subquery()
    query = (
        select(run_words.c.word_id, run_words.c.reason, run_words.c.detail)
        .join(runs, runs.c.run_id == run_words.c.run_id)
        .join(latest, (latest.c.word_id == run_words.c.word_id) & (latest.c.number == runs.c.number))
    )
    return {row.word_id: row.reason or row.detail for row in connection.execute(query)}


def _why(state: str, n_in_review: int, n_rejected: int, last: str) -> str:
    if state == "in_review":
        return f"{n_in_review} {'clip waits' if n_in_review == 1 else 'clips wait'} for a person"
    if state == "exhausted":
        return f"{n_rejected} rejected, none left"
    if state == "not_searched":
        return "Never searched"
    if state in ("none_found", "failed", "waiting_for_quota"):
        return last or "No clip found"
    return ""
