"""The practice backend's engine: what the production backend does with a request, on an embedded database.

It behaves as the later of the two versions seen: the same name and format again is `updated` (bytes, texts and the
mappings that were sent; mappings that were not sent stay). It needs no server: the export target calls it directly, and
`/backend` puts HTTP around it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, RowMapping, delete, func, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from core import timing
from core.adapters.practice.reading import BODY_LIMIT_BYTES, MAX_INTEGER, SentMapping, SentVideo, Unusable, read_upload
from core.adapters.practice.tables import BUNDLES, bundle_vocabularies, open_engine, videos, word_to_video
from core.errors import DatabaseUnavailable, InvalidInput

LABEL_HEADER: Final = ("X-Wordreel-Practice", "not production")
"""On every answer of its HTTP door; the JSON is the contract's exactly, and so carries no label."""


SHOWN: Final = (
    "name", "format", "size_bytes", "transcript", "audio_transcript", "audio_transcript_verified", "whisper_metadata", "metadata",
)  # fmt: skip
"""What a clip of a word shows of its video."""


class Answer(NamedTuple):
    """What the backend answers: an HTTP status and a JSON object."""

    status: int
    body: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class StoredVideo:
    """A stored file, as it is served."""

    video_id: int
    name: str
    format: str
    sha256: str
    data: bytes


class PracticeBackend:
    """One practice database. Safe to share between threads, and between processes.

    Raises: DatabaseUnavailable, at opening and reading; an upload is answered 500 instead, as the backend does.
    """

    def __init__(self, home_path: Path) -> None:
        self.path = home_path / "practice.db"
        self._engine = open_engine(self.path)

    def upload(self, body: bytes | Iterable[bytes], *, content_type: str = "application/json") -> Answer:
        """One batch in one transaction: stored as a whole, or not at all."""
        try:
            sent = read_upload(_whole(body), content_type)
            with self._writing() as connection:
                results = [self._store(connection, video, sent.source_id) for video in sent.videos]
        except Unusable as error:
            return Answer(error.status, {"error": str(error)})
        except (SQLAlchemyError, ValueError, TypeError, OverflowError, RecursionError) as error:
            return Answer(500, {"error": _first_line(error)})
        total = sum(result.mappings_created for result in results)
        rows = [result._asdict() for result in results]
        return Answer(200, {"success": True, "results": rows, "total_videos": len(rows), "total_mappings": total})

    def video(self, video_id: int) -> StoredVideo | None:
        """The stored file, read in one piece, so that an upload meanwhile cannot mix two contents."""
        if not 0 < video_id <= MAX_INTEGER:
            return None
        columns = (videos.c.id, videos.c.name, videos.c.format, videos.c.content_sha256, videos.c.video_data)
        with self._reading() as connection:
            row = connection.execute(select(*columns).where(videos.c.id == video_id)).one_or_none()
        return None if row is None else StoredVideo(*row)

    def count_videos(self, word: str, language: str = "en") -> int:
        """How many videos are mapped to the word."""
        mapping = word_to_video.c
        with self._reading() as connection:
            return connection.execute(select(func.count()).where(mapping.word == word, mapping.learning_language == language)).scalar_one()

    def check_word(self, word: str, language: str = "en") -> Answer:
        """`{word, has_videos, video_count}`."""
        n_videos = self.count_videos(word, language)
        return Answer(200, {"word": word, "has_videos": n_videos > 0, "video_count": n_videos})

    def words_needing_videos(self, bundle: str) -> Answer:
        """`{bundle, words, total_count}`: the bundle's words that no video is mapped to, in alphabetical order."""
        if bundle not in BUNDLES:
            return Answer(500, {"error": f"Unknown bundle: {bundle[:100]}"})
        table, mapping = bundle_vocabularies.c, word_to_video.c
        mapped = select(mapping.id).where(mapping.word == table.word, mapping.learning_language == table.language)
        wanted = select(table.word).where(table[BUNDLES[bundle]], ~mapped.exists()).order_by(table.word)
        with self._reading() as connection:
            words = list(connection.execute(wanted).scalars())
        return Answer(200, {"bundle": bundle, "words": words, "total_count": len(words)})

    def videos_of_word(self, word: str) -> Answer:
        """`{word, videos}`: the word's clips as learners get them, the highest score first; retracted ones have 0."""
        wanted = select(word_to_video, *(videos.c[name] for name in SHOWN)).join(videos).where(word_to_video.c.word == word)
        wanted = wanted.order_by(word_to_video.c.relevance_score.desc(), word_to_video.c.video_id)
        with self._reading() as connection:
            rows = connection.execute(wanted).mappings().all()
        return Answer(200, {"word": word, "videos": [_clip_of_word(row) for row in rows]})

    def fill_bundle(self, name: str, words: Iterable[str], *, language: str = "en") -> None:
        """Make `words` the words of one of the nine bundles. Raises: InvalidInput for another name."""
        if name not in BUNDLES:
            raise InvalidInput(f"The practice backend has no bundle {name!r}.", hint=f"It has {', '.join(BUNDLES)}.")
        table, column = bundle_vocabularies, BUNDLES[name]
        with self._writing() as connection:
            known = set(connection.execute(select(table.c.word).where(table.c.language == language)).scalars())
            connection.execute(update(table).where(table.c.language == language).values({column: False}))
            distinct = dict.fromkeys(words)
            if new := [{"word": word, "language": language} for word in distinct if word not in known]:
                connection.execute(insert(table), new)
            for word in distinct:
                connection.execute(update(table).where(table.c.word == word, table.c.language == language).values({column: True}))
            connection.execute(delete(table).where(*(~table.c[flag] for flag in BUNDLES.values())))

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        """Raises: DatabaseUnavailable."""
        try:
            with self._engine.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            line = _first_line(error)
            raise DatabaseUnavailable(f"The practice database {self.path} cannot be read: {line}.", hint="See that it is there.") from error

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """One transaction, alone in the database."""
        with self._engine.connect() as connection:
            connection = connection.execution_options(writes=True)
            with connection.begin():
                yield connection

    def _store(self, connection: Connection, sent: SentVideo, source_id: str | None) -> _Stored:
        """Insert or overwrite one video, then its mappings."""
        same = select(videos.c.id).where(videos.c.name == sent.name, videos.c.format == sent.format)
        found = connection.execute(same).scalar_one_or_none()
        moment = timing.now()
        if found is None:
            values = {**self._values(sent, source_id), "name": sent.name, "format": sent.format, "created_at": moment, "updated_at": moment}
            video_id = connection.execute(insert(videos).returning(videos.c.id), values).scalar_one()
            status = "created"
        else:
            video_id, status = found, self._overwrite(connection, found, sent, source_id)
        created = sum(self._map(connection, mapping, video_id, source_id) for mapping in sent.mappings)
        return _Stored(sent.slug, video_id, status, created, len(sent.mappings) - created)

    def _overwrite(self, connection: Connection, video_id: int, sent: SentVideo, source_id: str | None) -> str:
        values = {**self._values(sent, source_id), "updated_at": timing.now()}
        connection.execute(update(videos).where(videos.c.id == video_id).values(values))
        return "updated"

    @staticmethod
    def _values(sent: SentVideo, source_id: str | None) -> dict[str, object]:
        return {
            "video_data": sent.data,
            "content_sha256": hashlib.sha256(sent.data).hexdigest(),
            "transcript": sent.transcript,
            "audio_transcript": sent.audio_transcript,
            "audio_transcript_verified": sent.audio_transcript_verified,
            "whisper_metadata": sent.whisper_metadata,
            "size_bytes": sent.size_bytes,
            "source_id": source_id,
            "metadata": sent.metadata,
        }

    @staticmethod
    def _map(connection: Connection, sent: SentMapping, video_id: int, source_id: str | None) -> bool:
        """Insert or overwrite one mapping; whether it is new. Without `audio` it loses its `verified_at`."""
        table = word_to_video
        values = {
            "relevance_score": sent.relevance_score,
            "transcript_source": sent.transcript_source,
            "verified_at": timing.now() if sent.transcript_source == "audio" else None,
            "source_id": source_id,
        }
        same = (table.c.word == sent.word, table.c.learning_language == sent.learning_language, table.c.video_id == video_id)
        if connection.execute(update(table).where(*same).values(values)).rowcount:
            return False
        connection.execute(insert(table), {"word": sent.word, "learning_language": sent.learning_language, "video_id": video_id, **values})
        return True


class _Stored(NamedTuple):
    """One row of `results`."""

    slug: str
    video_id: int
    status: str
    mappings_created: int
    mappings_skipped: int


def _whole(body: bytes | Iterable[bytes]) -> bytes:
    """The body in one piece, read no further than just past the limit."""
    if isinstance(body, bytes):
        return body
    whole = bytearray()
    for chunk in body:
        whole += chunk
        if len(whole) > BODY_LIMIT_BYTES:
            break
    return bytes(whole)


def _clip_of_word(row: RowMapping) -> dict[str, object]:
    facts: Any = row["metadata"]
    verified_at: datetime | None = row["verified_at"]
    slug = facts.get("slug") if isinstance(facts, dict) else None
    return {
        "video_id": row["video_id"],
        "slug": slug or row["name"],
        **{name: row[name] for name in SHOWN},
        "learning_language": row["learning_language"],
        "relevance_score": row["relevance_score"],
        "transcript_source": row["transcript_source"],
        "verified_at": timing.as_utc(verified_at).isoformat() if verified_at else None,
        "url": f"/backend/v3/videos/{row['video_id']}",
    }


def _first_line(error: Exception) -> str:
    inner = getattr(error, "orig", None) or error
    return str(inner).strip().partition("\n")[0][:300]
