"""What the Coverage page draws beside the counts: the way of a bundle's words to learners, and their scores. Reads only."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select

from core.model.clips import EvidenceState
from core.model.reviews import MappingState
from core.store.database import Database
from core.store.reviews import passes_rule
from core.store.tables import bundle_words, mappings, runs


@dataclass(frozen=True, slots=True)
class BundleReport:
    """Words of one bundle by how far any clip of theirs came; each step holds the next."""

    n_words: int
    proposed_ids: frozenset[int]
    """Words for which a machine proposed a clip in which they are spoken, the rule left aside."""
    n_sent: int
    """Words of which a clip passed the rule and came to a person, decided or not."""
    scores: tuple[float, ...]
    """Relevance of every proposal with a spoken word of the bundle, 0–1."""


def read_bundle_report(database: Database, bundle: str) -> BundleReport:
    """Read one bundle; an unknown one is empty."""
    members = select(bundle_words.c.word_id).where(bundle_words.c.bundle == bundle)
    is_spoken = (mappings.c.evidence_state != EvidenceState.NOT_HEARD) & mappings.c.relevance.is_not(None)
    is_decided = mappings.c.state.in_((MappingState.APPROVED, MappingState.REJECTED, MappingState.FLAGGED, MappingState.SKIPPED))
    query = (
        select(mappings.c.word_id, mappings.c.relevance, (passes_rule() | is_decided).label("is_sent"))
        .join(runs, runs.c.run_id == mappings.c.run_id, isouter=True)
        .where(mappings.c.word_id.in_(members), is_spoken)
    )
    with database.read() as connection:
        n_words = int(connection.execute(select(func.count()).select_from(members.subquery())).scalar_one())
        found = connection.execute(query).all()
    return BundleReport(
        n_words,
        frozenset(row.word_id for row in found),
        len({row.word_id for row in found if row.is_sent}),
        tuple(float(row.relevance) for row in found),
    )
