"""Clips, proposals and the mappings they lead to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, func, select

from core.errors import NotFound
from core.model.clips import Clip, Evidence, Hit, Proposal, ProposalStage, Scores, Source, Verdict
from core.model.reviews import MappingState
from core.store import codecs
from core.store.dialects import insert_new
from core.store.reviews import project
from core.store.tables import clips, mappings, proposals
from core.timing import now


@dataclass(frozen=True, slots=True)
class Judgement:
    """Who judged what: the identity of a proposal beside its clip and word."""

    stage: ProposalStage
    input_key: str
    judge: str
    model: str
    prompt_version: str
    run_id: str


def save_hit(connection: Connection, hit: Hit, line_key: str) -> Clip:
    """The clip of a hit: a new one, or the one that is known by its slug, or by the same line of the same film."""
    same_line = connection.execute(select(clips).where(clips.c.line_key == line_key).order_by(clips.c.clip_id)).first()
    if same_line is not None:
        return _clip(same_line)
    row = {
        "slug": hit.slug,
        "source": hit.source,
        "line_key": line_key,
        "title": hit.title,
        "film": codecs.to_json(hit.film),
        "film_title": hit.film.title,
        "film_media_id": hit.film_media_id,
        "start_s": hit.start_s,
        "end_s": hit.end_s if hit.end_s > hit.start_s else hit.start_s + hit.duration_s,
        "spoken": hit.spoken,
        "script": hit.script,
        "cues": codecs.to_json(hit.cues),
        "metadata": dict(hit.metadata),
        "is_demo": hit.is_demo,
        "created_at": now(),
    }
    insert_new(connection, clips, [row], on=("slug",))
    return _clip(connection.execute(select(clips).where(clips.c.slug == hit.slug)).one())


def load_clip(connection: Connection, clip_id: int) -> Clip:
    """Raises: NotFound."""
    row = connection.execute(select(clips).where(clips.c.clip_id == clip_id)).first()
    if row is None:
        raise NotFound(f"There is no clip {clip_id}.", hint="`python run.py review queue --all` shows those that there are.")
    return _clip(row)


def load_clips(connection: Connection, clip_ids: Iterable[int]) -> dict[int, Clip]:
    """Clip id → clip, for those that exist."""
    return {row.clip_id: _clip(row) for row in connection.execute(select(clips).where(clips.c.clip_id.in_(list(clip_ids))))}


def slug_of_media(connection: Connection, media_id: str) -> str:
    """Its source's own name of the first clip with these bytes; empty where no clip has them."""
    query = select(clips.c.slug).where(clips.c.media_id == media_id).order_by(clips.c.clip_id).limit(1)
    return connection.execute(query).scalar_one_or_none() or ""


def set_clip(connection: Connection, clip_id: int, **values: str | None) -> None:
    """Set `media_id`, `transcript_id`, `failure_stage` or `failure`."""
    connection.execute(clips.update().where(clips.c.clip_id == clip_id).values(**values))


def count_of_film(connection: Connection, clip: Clip) -> tuple[int, int]:
    """This clip's place among the fetched clips of its film, by time, and how many there are."""
    if not clip.film.title:
        return (1, 1)
    query = (
        select(clips.c.clip_id)
        .where(clips.c.film_title == clip.film.title, clips.c.media_id.is_not(None))
        .order_by(clips.c.start_s, clips.c.clip_id)
    )
    ids = list(connection.execute(query).scalars())
    return (ids.index(clip.clip_id) + 1 if clip.clip_id in ids else len(ids) + 1, max(len(ids), 1))


def known_proposals(connection: Connection, clip_id: int, judgement: Judgement) -> dict[int, Proposal]:
    """Word id → what was already proposed for the same question; empty when it was never asked."""
    query = select(proposals).where(
        proposals.c.clip_id == clip_id, proposals.c.stage == judgement.stage, proposals.c.input_key == judgement.input_key
    )
    return {row.word_id: _proposal(row) for row in connection.execute(query)}


def save_proposals(
    connection: Connection,
    clip_id: int,
    judgement: Judgement,
    found: Sequence[tuple[int, Verdict | None, Evidence]],
    *,
    tokens: int,
    cost_usd: float,
) -> dict[int, Proposal]:
    """Record a judge's answer: one row a word asked, a negative one where it left the word out. The first row carries the cost."""
    rows = []
    for place, (word_id, verdict, evidence) in enumerate(found):
        scores = verdict.scores if verdict else None
        rows.append(
            {
                "clip_id": clip_id,
                "word_id": word_id,
                "stage": judgement.stage,
                "input_key": judgement.input_key,
                "judge": judgement.judge,
                "model": judgement.model,
                "prompt_version": judgement.prompt_version,
                "education": scores.education if scores else None,
                "context": scores.context if scores else None,
                "relevance": scores.relevance if scores else None,
                "reason": verdict.reason if verdict else "",
                "difficulty": verdict.difficulty if verdict else "",
                "evidence_state": evidence.state,
                "evidence": codecs.to_json(evidence),
                "features": codecs.to_json(verdict.features) if verdict else [],
                "tokens": tokens if place == 0 else 0,
                "cost_usd": cost_usd if place == 0 else 0.0,
                "run_id": judgement.run_id,
                "created_at": now(),
            }
        )
    insert_new(connection, proposals, rows, on=("clip_id", "word_id", "stage", "input_key"))
    return known_proposals(connection, clip_id, judgement)


def load_proposals(connection: Connection, proposal_ids: Iterable[int]) -> dict[int, Proposal]:
    """Proposal id → proposal."""
    return {
        row.proposal_id: _proposal(row)
        for row in connection.execute(select(proposals).where(proposals.c.proposal_id.in_(list(proposal_ids))))
    }


def propose_mapping(connection: Connection, clip: Clip, proposal: Proposal, run_id: str) -> int:
    """The mapping of a final proposal: a new one in review, or the known one with its decisions and the newer proposal.

    `run_id` is the run whose reading rule holds: the one that looked last, even where it found the proposal kept.
    """
    seen = {
        "proposal_id": proposal.proposal_id,
        "relevance": proposal.scores.relevance if proposal.scores else None,
        "evidence_state": proposal.evidence.state,
        "run_id": run_id,
    }
    key = (mappings.c.clip_id == clip.clip_id) & (mappings.c.word_id == proposal.word_id)
    known = connection.execute(select(mappings.c.mapping_id).where(key)).scalar_one_or_none()
    if known is not None:
        connection.execute(mappings.update().where(mappings.c.mapping_id == known).values(**seen))
        project(connection, int(known))  # whether an approval vouches depends on the evidence
        return int(known)
    row: dict[str, Any] = {
        "clip_id": clip.clip_id,
        "word_id": proposal.word_id,
        "state": MappingState.IN_REVIEW,
        "version": 0,
        "reasons": [],
        "is_demo": clip.is_demo,
        "created_at": now(),
        "updated_at": now(),
        **seen,
    }
    return int(connection.execute(mappings.insert().values(**row)).inserted_primary_key[0])  # type: ignore[index]


def count_alike(connection: Connection, lines: Collection[str]) -> dict[str, int]:
    """Spoken line → how many fetched clips have it, in one look over them."""
    alike = (
        select(clips.c.spoken, func.count()).where(clips.c.spoken.in_(set(lines)), clips.c.media_id.is_not(None)).group_by(clips.c.spoken)
    )
    return {line: int(n) for line, n in connection.execute(alike)}


def _clip(row: Row[Any]) -> Clip:
    return Clip(
        clip_id=row.clip_id,
        slug=row.slug,
        source=Source(row.source),
        title=row.title,
        film=codecs.read_film_facts(row.film),
        media_id=row.media_id,
        film_media_id=row.film_media_id,
        start_s=row.start_s,
        end_s=row.end_s,
        spoken=row.spoken,
        script=row.script,
        cues=codecs.read_cues(row.cues),
        transcript_id=row.transcript_id,
        is_demo=row.is_demo,
    )


def _proposal(row: Row[Any]) -> Proposal:
    return Proposal(
        proposal_id=row.proposal_id,
        clip_id=row.clip_id,
        word_id=row.word_id,
        stage=ProposalStage(row.stage),
        judge=row.judge,
        model=row.model,
        prompt_version=row.prompt_version,
        scores=None if row.relevance is None else Scores(row.education, row.context, row.relevance),
        reason=row.reason,
        difficulty=row.difficulty,
        evidence=codecs.read_evidence(row.evidence),
        features=codecs.read_features(row.features),
        tokens=row.tokens,
        cost_usd=row.cost_usd,
        run_id=row.run_id,
    )
