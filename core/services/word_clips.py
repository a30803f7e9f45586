"""The clips of one word, as people play them on the word's page and as learners get them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from core.errors import NotFound
from core.model.reviews import MappingState
from core.rules.word_keys import word_key
from core.store import clips as clip_rows
from core.store import media_rows, reviews, vocabulary
from core.store.database import Database
from core.store.tables import mappings


@dataclass(frozen=True, slots=True)
class WordClip:
    """One clip of a word that was fetched, with what the machine and the person said of it."""

    mapping_id: int
    clip_id: int
    slug: str
    title: str
    """The film's."""
    year: int | None
    state: MappingState
    relevance: float | None
    """The judge's, 0–1."""
    score: float | None
    """The person's, 0–1."""
    actor: str
    """Who decided last; empty where nobody did."""
    evidence: str
    text: str
    """What is spoken, corrections included."""
    duration_s: float
    media_id: str
    still_id: str | None
    is_live: bool
    is_demo: bool

    @property
    def shown_score(self) -> float:
        """The person's where given, else the judge's: the order in which learners see a word's clips."""
        return self.score if self.score is not None else self.relevance or 0.0

    def as_json(self) -> dict[str, Any]:
        """One of the `videos` of `/api/words/{word}/videos`."""
        return {
            "mapping_id": self.mapping_id,
            "clip_id": self.clip_id,
            "slug": self.slug,
            "movie_title": self.title,
            "movie_year": self.year,
            "relevance_score": self.shown_score,
            "audio_transcript": self.text,
            "duration_s": self.duration_s,
            "url": f"/api/media/{self.media_id}",
            "still_url": f"/api/media/{self.still_id}" if self.still_id else None,
            "is_live": self.is_live,
            "is_demo": self.is_demo,
        }


def clips_of_word(database: Database, text: str, *, only_approved: bool = False) -> list[WordClip]:
    """The fetched clips of a word, approved ones first, best first. The demo's only where no real list has the word.

    Raises: NotFound for a word that is on no list.
    """
    with database.read() as connection:
        ids = [vocabulary.word_ids_by_key(connection, [text], is_demo=is_demo).get(word_key(text)) for is_demo in (False, True)]
        word_id = next((word_id for word_id in ids if word_id is not None), None)
        if word_id is None:
            raise NotFound(f"{text[:80]!r} is on no list.", hint="`python run.py vocab list` shows the bundles.")
        rows = reviews.mapping_rows(connection, mappings.c.word_id == word_id)
        clips = clip_rows.load_clips(connection, [row.clip_id for row in rows])
        media_ids = [clip.media_id for clip in clips.values() if clip.media_id]
        pictures = media_rows.pictures_of(connection, media_ids)
        transcripts = media_rows.load_transcripts(connection, [clip.transcript_id for clip in clips.values() if clip.transcript_id])
        live = reviews.live_mapping_ids(connection)
    found = []
    for row in rows:
        clip = clips[row.clip_id]
        if clip.media_id is None or (only_approved and row.state is not MappingState.APPROVED):
            continue
        spoken = transcripts[clip.transcript_id].text if clip.transcript_id in transcripts else clip.spoken
        found.append(
            WordClip(
                row.mapping_id,
                clip.clip_id,
                clip.slug,
                clip.film.title or clip.title,
                clip.film.year,
                row.state,
                row.relevance,
                row.score,
                row.actor,
                str(row.evidence_state),
                spoken,
                clip.duration_s,
                clip.media_id,
                pictures.get(clip.media_id, (None, ()))[0],
                row.mapping_id in live,
                clip.is_demo,
            )
        )
    return sorted(found, key=lambda item: (item.state is not MappingState.APPROVED, -item.shown_score, item.mapping_id))
