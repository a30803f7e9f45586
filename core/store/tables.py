"""Every table of the application's database, as the newest migration leaves it.

Rows of `decisions`, `settings_events`, `proposals` and `transcripts` are never changed or removed (demo data apart);
`mappings` is the projection of `decisions`, written in the same transaction and rebuildable by replay.
Moments are stored as aware UTC; ratios are 0–1; text ids are hex digests or UUIDs.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

from core.timing import as_utc

metadata = MetaData()


class Moment(TypeDecorator[datetime]):
    """An aware UTC moment; SQLite hands naive ones back."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else as_utc(value)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else as_utc(value)


Key = BigInteger().with_variant(Integer, "sqlite")
"""A surrogate key; SQLite numbers only `INTEGER` by itself."""

# Vocabulary ----------------------------------------------------------------------------------------------------------

words = Table(
    "words",
    metadata,
    Column("word_id", Key, primary_key=True),
    Column("text", String(200), nullable=False),
    Column("key", String(200), nullable=False),
    Column("language", String(10), nullable=False),
    Column("pos", String(200), nullable=False, default=""),
    Column("definition", Text, nullable=False, default=""),
    Column("is_demo", Boolean, nullable=False, default=False),
    Column("created_at", Moment, nullable=False),
    UniqueConstraint("key", "language", "is_demo"),
)

word_levels = Table(
    "word_levels",
    metadata,
    Column("exam", String(100), primary_key=True),
    Column("word_id", Key, ForeignKey("words.word_id"), primary_key=True),
    Column("level", String(20), nullable=False),
    Column("rank", Integer, nullable=False),
    Index("ix_word_levels_word", "word_id"),
)
"""A word of an exam's list; `level` is empty where the list gives none, `rank` is its place in the file (0 first)."""

bundles = Table(
    "bundles",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("exam", String(100), nullable=False, default=""),
    Column("level", String(20), nullable=False, default=""),
    Column("is_demo", Boolean, nullable=False, default=False),
    Column("created_at", Moment, nullable=False),
)

bundle_words = Table(
    "bundle_words",
    metadata,
    Column("bundle", String(100), ForeignKey("bundles.name"), primary_key=True),
    Column("word_id", Key, ForeignKey("words.word_id"), primary_key=True),
    Column("rank", Integer, nullable=False),
    Index("ix_bundle_words_word", "word_id"),
)
"""Members, most useful first. Level bundles are written from `word_levels`, cumulatively, in the import's transaction."""

# Media and transcripts -----------------------------------------------------------------------------------------------

media = Table(
    "media",
    metadata,
    Column("media_id", String(64), primary_key=True),
    Column("size_bytes", BigInteger, nullable=False),
    Column("container", String(40), nullable=False),
    Column("duration_s", Float, nullable=False),
    Column("facts", JSON, nullable=False),
    Column("is_stored", Boolean, nullable=False, default=False),
    Column("still_id", String(64)),
    Column("peaks", JSON),
    Column("is_demo", Boolean, nullable=False, default=False),
    Column("created_at", Moment, nullable=False),
)
"""One file by content. `is_stored`: its bytes lie in the media store; else it is a film read in place.
`still_id`: a JPEG of it in the media store; `peaks`: its sound's envelope, 0–1, equal spans.
"""

films = Table(
    "films",
    metadata,
    Column("film_id", Key, primary_key=True),
    Column("path", Text, nullable=False, unique=True),
    Column("media_id", String(64), ForeignKey("media.media_id"), nullable=False),
    Column("title", Text, nullable=False),
    Column("year", Integer),
    Column("state", String(20), nullable=False),
    Column("transcript_id", String(64)),
    Column("is_demo", Boolean, nullable=False, default=False),
    Column("added_at", Moment, nullable=False),
    Index("ix_films_media", "media_id"),
)

transcripts = Table(
    "transcripts",
    metadata,
    Column("transcript_id", String(64), primary_key=True),
    Column("media_id", String(64), ForeignKey("media.media_id"), nullable=False),
    Column("engine", String(40), nullable=False),
    Column("model", Text, nullable=False),
    Column("language", String(10), nullable=False),
    Column("text", Text, nullable=False),
    Column("segments", JSON, nullable=False),
    Column("words", JSON, nullable=False),
    Column("is_verified_by_audio", Boolean, nullable=False),
    Column("parent_id", String(64)),
    Column("notes", JSON, nullable=False),
    Column("created_by", String(100), nullable=False, default=""),
    Column("created_at", Moment, nullable=False),
    Index("ix_transcripts_media", "media_id"),
)

# Clips, proposals, decisions -----------------------------------------------------------------------------------------

clips = Table(
    "clips",
    metadata,
    Column("clip_id", Key, primary_key=True),
    Column("slug", String(200), nullable=False, unique=True),
    Column("source", String(20), nullable=False),
    Column("line_key", String(64), nullable=False),
    Column("title", Text, nullable=False),
    Column("film", JSON, nullable=False),
    Column("film_title", Text, nullable=False, default=""),
    Column("film_media_id", String(64)),
    Column("start_s", Float, nullable=False),
    Column("end_s", Float, nullable=False),
    Column("spoken", Text, nullable=False),
    Column("script", Text, nullable=False),
    Column("cues", JSON, nullable=False),
    Column("metadata", JSON, nullable=False),
    Column("media_id", String(64), ForeignKey("media.media_id")),
    Column("transcript_id", String(64)),
    Column("failure_stage", String(20), nullable=False, default=""),
    Column("failure", Text, nullable=False, default=""),
    Column("is_demo", Boolean, nullable=False, default=False),
    Column("created_at", Moment, nullable=False),
    Index("ix_clips_line", "line_key"),
    Index("ix_clips_media", "media_id"),
)
"""`line_key`: the same line of the same film under two slugs shares it. `failure`: why it cannot be used, until retried."""

proposals = Table(
    "proposals",
    metadata,
    Column("proposal_id", Key, primary_key=True),
    Column("clip_id", Key, ForeignKey("clips.clip_id"), nullable=False),
    Column("word_id", Key, ForeignKey("words.word_id"), nullable=False),
    Column("stage", String(20), nullable=False),
    Column("input_key", String(64), nullable=False),
    Column("judge", String(40), nullable=False),
    Column("model", Text, nullable=False),
    Column("prompt_version", String(20), nullable=False),
    Column("education", Float),
    Column("context", Float),
    Column("relevance", Float),
    Column("reason", Text, nullable=False),
    Column("difficulty", String(20), nullable=False),
    Column("evidence_state", String(20), nullable=False),
    Column("evidence", JSON, nullable=False),
    Column("features", JSON, nullable=False),
    Column("tokens", Integer, nullable=False),
    Column("cost_usd", Float, nullable=False),
    Column("run_id", String(40), nullable=False),
    Column("created_at", Moment, nullable=False),
    UniqueConstraint("clip_id", "word_id", "stage", "input_key"),
    Index("ix_proposals_word", "word_id"),
)
"""What a machine says. Null scores: the judge looked and found it not good, or the word is not spoken: kept too.

`input_key` digests what was judged (text, words, judge, model, prompt version), so that the same question is asked once.
"""

mappings = Table(
    "mappings",
    metadata,
    Column("mapping_id", Key, primary_key=True),
    Column("clip_id", Key, ForeignKey("clips.clip_id"), nullable=False),
    Column("word_id", Key, ForeignKey("words.word_id"), nullable=False),
    Column("proposal_id", Key, ForeignKey("proposals.proposal_id"), nullable=False),
    Column("relevance", Float),
    Column("evidence_state", String(20), nullable=False),
    Column("state", String(20), nullable=False),
    Column("version", Integer, nullable=False),
    Column("score", Float),
    Column("note", Text, nullable=False, default=""),
    Column("reasons", JSON, nullable=False),
    Column("is_vouched", Boolean, nullable=False, default=False),
    Column("actor", String(100), nullable=False, default=""),
    Column("run_id", String(40), nullable=False, default=""),
    Column("is_demo", Boolean, nullable=False, default=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    UniqueConstraint("clip_id", "word_id"),
    Index("ix_mappings_word_state", "word_id", "state"),
    Index("ix_mappings_state", "state"),
)
"""Clip ↔ word, as its decisions leave it. `proposal_id` is the newest final one; `relevance` and `evidence_state` are its,
kept here so that the queue is one indexed query. `is_vouched`: the approval of a captioned word is that person's word for it."""

decisions = Table(
    "decisions",
    metadata,
    Column("event_id", Key, primary_key=True),
    Column("mapping_id", Key, ForeignKey("mappings.mapping_id"), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("actor", String(100), nullable=False),
    Column("idempotency_key", String(200), nullable=False, unique=True),
    Column("visit_id", String(64), nullable=False, default=""),
    Column("undoes_event_id", Key),
    Column("reasons", JSON, nullable=False),
    Column("score", Float),
    Column("note", Text, nullable=False, default=""),
    Column("seen_version", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("is_conflict", Boolean, nullable=False, default=False),
    Column("proposal_id", Key),
    Column("transcript_id", String(64)),
    Column("is_score_visible", Boolean, nullable=False),
    Column("watched_s", Float),
    Column("n_target_plays", Integer),
    Column("decided_at", Moment, nullable=False),
    Index("ix_decisions_mapping", "mapping_id"),
    Index("ix_decisions_actor", "actor", "event_id"),
    CheckConstraint("score IS NULL OR (score >= 0 AND score <= 1)", name="ck_decisions_score"),
)
"""Events, append-only. `is_conflict`: it came after somebody else's; kept in the history, without effect on the state."""

corrections = Table(
    "corrections",
    metadata,
    Column("event_id", Key, primary_key=True),
    Column("clip_id", Key, ForeignKey("clips.clip_id"), nullable=False),
    Column("actor", String(100), nullable=False),
    Column("idempotency_key", String(200), nullable=False, unique=True),
    Column("before_transcript_id", String(64), nullable=False),
    Column("after_transcript_id", String(64), nullable=False),
    Column("corrected_at", Moment, nullable=False),
    Index("ix_corrections_clip", "clip_id"),
)
"""A person's corrections of what is spoken, append-only; both transcripts stay."""

# Runs and the ledger -------------------------------------------------------------------------------------------------

runs = Table(
    "runs",
    metadata,
    Column("run_id", String(40), primary_key=True),
    Column("number", Integer, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("status", String(20), nullable=False),
    Column("request_key", String(64), nullable=False),
    Column("settings", JSON, nullable=False),
    Column("reason", Text, nullable=False, default=""),
    Column("min_score", Float),
    Column("attempt", Integer, nullable=False, default=1),
    Column("created_by", String(100), nullable=False),
    Column("is_demo", Boolean, nullable=False, default=False),
    Column("created_at", Moment, nullable=False),
    Column("started_at", Moment),
    Column("ended_at", Moment),
    Column("worked_s", Float, nullable=False, default=0.0),
    Column("plan", JSON),
    Column("notes", JSON),
    Column("stopped_for", String(20), nullable=False, default="", server_default=""),
    Index("ix_runs_request", "request_key"),
)
"""`request_key` digests words and settings: the same command on an unfinished run resumes it. `attempt` counts (re)starts.
`min_score` is the run's own reading rule: its mappings reach the desk with at least this `relevance`; null: the workspace's rule.
`plan`: what it was to cost when it was launched; `notes`: what it could not do, a sentence each. `stopped_for`: `StopCause`, while paused.
"""

run_words = Table(
    "run_words",
    metadata,
    Column("run_id", String(40), ForeignKey("runs.run_id"), primary_key=True),
    Column("word_id", Key, ForeignKey("words.word_id"), primary_key=True),
    Column("rank", Integer, nullable=False),
    Column("state", String(20), nullable=False),
    Column("stage", String(20), nullable=False, default=""),
    Column("detail", Text, nullable=False, default=""),
    Column("reason", Text, nullable=False, default=""),
    Column("attempt", Integer, nullable=False, default=1),
    Column("n_hits", Integer),
    Column("n_kept", Integer),
    Column("n_fetched", Integer),
    Column("n_heard", Integer),
    Column("best", Float),
    Column("updated_at", Moment, nullable=False),
    Index("ix_run_words_state", "run_id", "state"),
)
"""A word's way through a run; counts are null until their stage is reached. `attempt` numbers its workflow."""

run_clips = Table(
    "run_clips",
    metadata,
    Column("run_id", String(40), ForeignKey("runs.run_id"), primary_key=True),
    Column("clip_id", Key, ForeignKey("clips.clip_id"), primary_key=True),
    Column("word_id", Key, ForeignKey("words.word_id"), primary_key=True),
    Column("stage", String(20), nullable=False),
    Column("outcome", String(20), nullable=False),
    Column("reason", Text, nullable=False, default=""),
    Column("updated_at", Moment, nullable=False),
    Index("ix_run_clips_word", "run_id", "word_id"),
    Index("ix_run_clips_outcome", "run_id", "outcome"),
)
"""How far a run took a clip for a word. `outcome`: `waiting`, `chosen`, `ok`, `failed`, `not_heard`, `spare` (not needed),
`unjudged`."""

searches = Table(
    "searches",
    metadata,
    Column("search_key", String(64), primary_key=True),
    Column("source", String(20), nullable=False),
    Column("word_id", Key, ForeignKey("words.word_id"), nullable=False),
    Column("hits", JSON, nullable=False),
    Column("run_id", String(40), nullable=False),
    Column("created_at", Moment, nullable=False),
    Index("ix_searches_word", "word_id"),
)
"""Answers of a source, all hits in order, secrets stripped. The key digests source, word and parameters."""

ledger = Table(
    "ledger",
    metadata,
    Column("entry_id", Key, primary_key=True),
    Column("call_key", String(64), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("provider", String(40), nullable=False),
    Column("operation", String(40), nullable=False),
    Column("model", Text, nullable=False),
    Column("prompt_version", String(20), nullable=False),
    Column("state", String(20), nullable=False),
    Column("run_id", String(40), nullable=False),
    Column("worker_id", String(100), nullable=False),
    Column("tokens_in", Integer, nullable=False, default=0),
    Column("tokens_out", Integer, nullable=False, default=0),
    Column("cost_usd", Float),
    Column("expected_usd", Float, nullable=False, default=0.0, server_default="0"),
    Column("request_id", String(200), nullable=False, default=""),
    Column("answer", JSON),
    Column("error", Text, nullable=False, default=""),
    Column("intended_at", Moment, nullable=False),
    Column("finished_at", Moment),
    UniqueConstraint("call_key", "attempt"),
    Index("ix_ledger_run", "run_id", "state", "cost_usd", "expected_usd", "tokens_in", "tokens_out"),  # all that is summed
)
"""Every paid call: intent committed before, outcome after. `state`: `intended`, `done`, `failed` (definitely not paid),
`in_doubt`. A `done` key is never called again; `cost_usd` null means the price is not known (sums say "at least").
"""

workers = Table(
    "workers",
    metadata,
    Column("worker_id", String(100), primary_key=True),
    Column("host", String(200), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("pid_started", String(40), nullable=False),
    Column("queues", JSON, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("beat_at", Moment, nullable=False),
    Column("lease_until", Moment, nullable=False),
    Column("janitor_at", Moment),
    Column("stopped_at", Moment),
)
"""One row a worker's start; `lease_until` is on the database's clock. `pid_started` tells a reused pid from the same one."""

jobs = Table(
    "jobs",
    metadata,
    Column("job_id", String(40), primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("queue", String(20), nullable=False),
    Column("payload", JSON, nullable=False),
    Column("status", String(20), nullable=False),
    Column("detail", Text, nullable=False, default=""),
    Column("done", Integer, nullable=False, default=0),
    Column("total", Integer, nullable=False, default=0),
    Column("result", JSON),
    Column("reason", Text, nullable=False, default=""),
    Column("attempt", Integer, nullable=False, default=1),
    Column("created_by", String(100), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Index("ix_jobs_status", "status"),
)
"""Long work that is no run: `ingest`, `export`, `demo`. `status`: `queued`, `running`, `succeeded`, `failed`, `cancelled`."""

# Export and settings -------------------------------------------------------------------------------------------------

live_mappings = Table(
    "live_mappings",
    metadata,
    Column("target", String(200), primary_key=True),
    Column("name", String(255), primary_key=True),
    Column("word_id", Key, ForeignKey("words.word_id"), primary_key=True),
    Column("mapping_id", Key, ForeignKey("mappings.mapping_id"), nullable=False),
    Column("clip_id", Key, ForeignKey("clips.clip_id"), nullable=False),
    Column("video_id", BigInteger),
    Column("relevance", Float, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("batch_id", String(40), nullable=False),
    Column("sent_at", Moment, nullable=False),
    Index("ix_live_mappings_mapping", "mapping_id"),
    Index("ix_live_mappings_word", "target", "word_id"),
)
"""What a target holds as far as its answers say; `relevance` 0 is a retraction that it took. `digest`: of the item sent."""

settings_events = Table(
    "settings_events",
    metadata,
    Column("event_id", Key, primary_key=True),
    Column("name", String(100), nullable=False),
    Column("value", JSON),
    Column("actor", String(100), nullable=False),
    Column("set_at", Moment, nullable=False),
    Index("ix_settings_events_name", "name", "event_id"),
)
"""Changes of settings, append-only; the newest of a name holds. Never a secret."""
