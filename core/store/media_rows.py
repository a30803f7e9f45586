"""Media, films and transcripts in the store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, select

from core.errors import NotFound
from core.model.media import Film, MediaFacts
from core.model.transcripts import Transcript
from core.store import codecs
from core.store.dialects import insert_new
from core.store.tables import films, media, transcripts
from core.timing import now


def save_media(connection: Connection, facts: MediaFacts, *, is_stored: bool, is_demo: bool) -> None:
    """Record one file by content; the same content again only makes it stored, or the user's own."""
    row = {
        "media_id": facts.media_id,
        "size_bytes": facts.size_bytes,
        "container": facts.container,
        "duration_s": facts.duration_s,
        "facts": codecs.to_json(facts),
        "is_stored": is_stored,
        "is_demo": is_demo,
        "created_at": now(),
    }
    insert_new(connection, media, [row], on=("media_id",))
    gained = {"is_stored": True} if is_stored else {}
    if not is_demo:  # the user's own copy of a demo film stays when the demo goes
        gained["is_demo"] = False
    if gained:
        connection.execute(media.update().where(media.c.media_id == facts.media_id).values(**gained))


def load_facts(connection: Connection, media_id: str) -> MediaFacts:
    """Raises: NotFound."""
    row = connection.execute(select(media.c.facts).where(media.c.media_id == media_id)).scalar_one_or_none()
    if row is None:
        raise NotFound(f"There is no media {media_id[:12]}….")
    return codecs.read_facts(row)


def stored_media_ids(connection: Connection) -> set[str]:
    """Every file that the media store must hold: media and their stills."""
    rows = connection.execute(select(media.c.media_id, media.c.is_stored, media.c.still_id))
    return {media_id for row in rows for media_id in (row.media_id if row.is_stored else None, row.still_id) if media_id}


def set_pictures(connection: Connection, media_id: str, *, still_id: str | None, peaks: Sequence[float]) -> None:
    """Record the still and the envelope of one media."""
    connection.execute(media.update().where(media.c.media_id == media_id).values(still_id=still_id, peaks=list(peaks)))


def pictures_of(connection: Connection, media_ids: Iterable[str]) -> dict[str, tuple[str | None, list[float]]]:
    """Media id → (still id, peaks)."""
    query = select(media.c.media_id, media.c.still_id, media.c.peaks).where(media.c.media_id.in_(list(media_ids)))
    return {row.media_id: (row.still_id, row.peaks or []) for row in connection.execute(query)}


def find_transcript(connection: Connection, media_id: str, engine: str, model: str) -> str | None:
    """The recognition of this media by this engine and model, if it was made before."""
    query = select(transcripts.c.transcript_id).where(
        transcripts.c.media_id == media_id, transcripts.c.engine == engine, transcripts.c.model == model
    )
    return connection.execute(query.order_by(transcripts.c.created_at)).scalars().first()


def save_film(connection: Connection, path: Path, media_id: str, *, title: str, year: int | None, is_demo: bool) -> int:
    """Record a film at a path; the path with other content takes the new content."""
    values = {"media_id": media_id, "title": title, "year": year, "state": "present", "is_demo": is_demo}
    known = connection.execute(select(films.c.film_id).where(films.c.path == str(path))).scalar_one_or_none()
    if known is None:
        made = connection.execute(films.insert().values(path=str(path), added_at=now(), **values))
        return int(made.inserted_primary_key[0])  # type: ignore[index]
    connection.execute(films.update().where(films.c.film_id == known).values(**values))
    return int(known)


def set_film_transcript(connection: Connection, film_id: int, transcript_id: str | None) -> None:
    connection.execute(films.update().where(films.c.film_id == film_id).values(transcript_id=transcript_id))


def set_film_state(connection: Connection, film_id: int, state: str) -> None:
    connection.execute(films.update().where(films.c.film_id == film_id).values(state=state))


def _film(row: Row[Any]) -> Film:
    return Film(row.film_id, row.media_id, Path(row.path), row.title, row.year, row.duration_s, row.state, row.transcript_id, row.is_demo)


def list_films(connection: Connection, *, is_demo: bool | None = None) -> list[Film]:
    """Every film, in the order in which they came."""
    query = select(films, media.c.duration_s).join(media, media.c.media_id == films.c.media_id).order_by(films.c.film_id)
    if is_demo is not None:
        query = query.where(films.c.is_demo == is_demo)
    return [_film(row) for row in connection.execute(query)]


def film_of_media(connection: Connection, media_id: str) -> Film:
    """A film with this content, a present one first. Raises: NotFound."""
    query = (
        select(films, media.c.duration_s)
        .join(media, media.c.media_id == films.c.media_id)
        .where(films.c.media_id == media_id)
        .order_by(films.c.state.desc(), films.c.film_id)
    )
    row = connection.execute(query).first()
    if row is None:
        raise NotFound(
            f"No film of the library has the content {media_id[:12]}….", hint="Take it in again with `python run.py ingest PATH`."
        )
    return _film(row)


def save_transcript(connection: Connection, transcript: Transcript) -> None:
    """Record a transcript; the same id again changes nothing, for a transcript is never changed."""
    row = {
        "transcript_id": transcript.transcript_id,
        "media_id": transcript.media_id,
        "engine": transcript.engine,
        "model": transcript.model,
        "language": transcript.language,
        "text": transcript.text,
        "segments": codecs.to_json(transcript.segments),
        "words": codecs.to_json(transcript.words),
        "is_verified_by_audio": transcript.is_verified_by_audio,
        "parent_id": transcript.parent_id,
        "notes": list(transcript.notes),
        "created_by": transcript.created_by,
        "created_at": now(),
    }
    insert_new(connection, transcripts, [row], on=("transcript_id",))


def load_transcript(connection: Connection, transcript_id: str) -> Transcript:
    """Raises: NotFound."""
    found = load_transcripts(connection, [transcript_id])
    if not found:
        raise NotFound(f"There is no transcript {transcript_id[:12]}….")
    return found[transcript_id]


def load_transcripts(connection: Connection, transcript_ids: Iterable[str]) -> dict[str, Transcript]:
    """Transcript id → transcript, for those that exist."""
    query = select(transcripts).where(transcripts.c.transcript_id.in_(list(transcript_ids)))
    return {
        row.transcript_id: Transcript(
            transcript_id=row.transcript_id,
            media_id=row.media_id,
            engine=row.engine,
            model=row.model,
            language=row.language,
            text=row.text,
            segments=codecs.read_segments(row.segments),
            words=codecs.read_words(row.words),
            is_verified_by_audio=row.is_verified_by_audio,
            parent_id=row.parent_id,
            created_by=row.created_by,
            notes=tuple(row.notes),
        )
        for row in connection.execute(query)
    }
