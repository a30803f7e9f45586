"""The practice backend's tables: those of the production backend, with its lengths, keys and checks.

Source: the backend's contract (docs). `content_sha256` is the one column of our own: it makes the ETag.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Engine,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    UniqueConstraint,
    create_engine,
    false,
)
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from core.errors import DatabaseUnavailable
from core.store import dialects

metadata = MetaData()

BUNDLES = {
    "toefl_beginner": "is_toefl_beginner",
    "toefl_intermediate": "is_toefl_intermediate",
    "toefl_advanced": "is_toefl_advanced",
    "ielts_beginner": "is_ielts_beginner",
    "ielts_intermediate": "is_ielts_intermediate",
    "ielts_advanced": "is_ielts_advanced",
    "demo": "is_demo",
    "business_english": "business_english",
    "everyday_english": "everyday_english",
}
"""The nine bundles it knows → their columns."""

videos = Table(
    "videos",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(255), nullable=False),
    Column("format", String(10), nullable=False),
    Column("video_data", LargeBinary, nullable=False),
    Column("content_sha256", String(64), nullable=False),
    Column("transcript", Text),
    Column("audio_transcript", Text),
    Column("audio_transcript_verified", Boolean, nullable=False, default=False),
    Column("whisper_metadata", JSON(none_as_null=True)),
    Column("size_bytes", Integer),
    Column("source_id", String(100)),
    Column("metadata", JSON(none_as_null=True)),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    UniqueConstraint("name", "format"),
    CheckConstraint("length(name) <= 255", name="name_length"),
    CheckConstraint("length(format) <= 10", name="format_length"),
    CheckConstraint("length(source_id) <= 100", name="source_id_length"),
    sqlite_autoincrement=True,
)
"""Autoincrement: an id is never used twice, since served files are cached for a year by id."""

word_to_video = Table(
    "word_to_video",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("word", String(255), nullable=False),
    Column("learning_language", String(10), nullable=False),
    Column("video_id", ForeignKey("videos.id"), nullable=False),
    Column("relevance_score", Numeric(3, 2, asdecimal=False)),
    Column("transcript_source", String(20)),
    Column("verified_at", DateTime(timezone=True)),
    Column("source_id", String(100)),
    UniqueConstraint("word", "learning_language", "video_id"),
    CheckConstraint("length(word) <= 255", name="word_length"),
    CheckConstraint("length(learning_language) <= 10", name="language_length"),
    CheckConstraint("length(transcript_source) <= 20", name="transcript_source_length"),
    CheckConstraint("relevance_score >= 0 AND relevance_score <= 1", name="relevance_range"),
)

bundle_vocabularies = Table(
    "bundle_vocabularies",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("word", String(255), nullable=False),
    Column("language", String(10), nullable=False),
    *(Column(name, Boolean, nullable=False, server_default=false()) for name in BUNDLES.values()),
    UniqueConstraint("word", "language"),
)


def open_engine(path: Path) -> Engine:
    """The engine of the practice database, made on first use; later a missing file is an error, never a new one.

    Raises: DatabaseUnavailable.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"The folder {path.parent} cannot be written: {error.strerror}."
        raise DatabaseUnavailable(message, hint="Set WORDREEL_HOME to one that can.") from error
    dialects.refuse_network_file_system(path.parent)
    first = create_engine(dialects.sqlite_address(path, may_create=True), poolclass=NullPool)
    dialects.prepare_sqlite(first)
    try:
        with first.connect() as connection:
            connection = connection.execution_options(writes=True)
            with connection.begin():
                metadata.create_all(connection)
    except SQLAlchemyError as error:
        message = f"The practice database {path} cannot be opened: {getattr(error, 'orig', None) or error}."
        raise DatabaseUnavailable(message, hint="Move it away; it is made again, and the clips can be exported again.") from error
    engine = create_engine(dialects.sqlite_address(path, may_create=False), poolclass=NullPool)
    dialects.prepare_sqlite(engine)
    return engine
