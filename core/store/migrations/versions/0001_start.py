"""start"""

import sqlalchemy as sa
from alembic import op
import core.store.tables

revision = '0001'
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('bundles',
    sa.Column('name', sa.String(length=100), nullable=False),
    sa.Column('exam', sa.String(length=100), nullable=False),
    sa.Column('level', sa.String(length=20), nullable=False),
    sa.Column('is_demo', sa.Boolean(), nullable=False),
    sa.Column('created_at', core.store.tables.Moment(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('name')
    )
    op.create_table('export_batches',
    sa.Column('batch_id', sa.String(length=40), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('job_id', sa.String(length=40), nullable=False),
    sa.Column('target', sa.String(length=200), nullable=False),
    sa.Column('source_id', sa.String(length=100), nullable=False),
    sa.Column('actor', sa.String(length=100), nullable=False),
    sa.Column('created_at', core.store.tables.Moment(timezone=True), nullable=False),
    sa.Column('ended_at', core.store.tables.Moment(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('batch_id'),
    sa.UniqueConstraint('number')
    )
    op.create_table('jobs',
    sa.Column('job_id', sa.String(length=40), nullable=False),
    sa.Column('kind', sa.String(length=20), nullable=False),
    sa.Column('queue', sa.String(length=20), nullable=False),
    sa.Column('payload', sa.JSON(), nullable=False),
    sa.Column('status', sa.String(length=20), nullable=False),
    sa.Column('detail', sa.Text(), nullable=False),
    sa.Column('done', sa.Integer(), nullable=False),
    sa.Column('total', sa.Integer(), nullable=False),
    sa.Column('result', sa.JSON(), nullable=True),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('attempt', sa.Integer(), nullable=False),
    sa.Column('created_by', sa.String(length=100), nullable=False),
    sa.Column('created_at', core.store.tables.Moment(timezone=True), nullable=False),
    sa.Column('updated_at', core.store.tables.Moment(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('job_id')
    )
    with op.batch_alter_table('jobs', schema=None) as batch_op:
        batch_op.create_index('ix_jobs_status', ['status'], unique=False)

    op.create_table('ledger',
    sa.Column('entry_id', core.store.tables.Key, nullable=False),
    sa.Column('call_key', sa.String(length=64), nullable=False),
    sa.Column('attempt', sa.Integer(), nullable=False),
    sa.Column('provider', sa.String(length=40), nullable=False),
    sa.Column('operation', sa.String(length=40), nullable=False),
    sa.Column('model', sa.Text(), nullable=False),
    sa.Column('prompt_version', sa.String(length=20), nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('run_id', sa.String(length=40), nullable=False),
    sa.Column('worker_id', sa.String(length=100), nullable=False),
    sa.Column('tokens_in', sa.Integer(), nullable=False),
    sa.Column('tokens_out', sa.Integer(), nullable=False),
    sa.Column('cost_usd', sa.Float(), nullable=True),
    sa.Column('request_id', sa.String(length=200), nullable=False),
    sa.Column('answer', sa.JSON(), nullable=True),
    sa.Column('error', sa.Text(), nullable=False),
    sa.Column('intended_at', core.store.tables.Moment(timezone=True), nullable=False),
    sa.Column('finished_at', core.store.tables.Moment(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('entry_id'),
    sa.UniqueConstraint('call_key', 'attempt')
    )
    with op.batch_alter_table('ledger', schema=None) as batch_op:
        batch_op.create_index('ix_ledger_run', ['run_id'], unique=False)

    op.create_table('media',
    sa.Column('media_id', sa.String(length=64), nullable=False),
    sa.Column('size_bytes', sa.BigInteger(), nullable=False),
    sa.Column('container', sa.String(length=40), nullable=False),
    sa.Column('duration_s', sa.Float(), nullable=False),
    sa.Column('facts', sa.JSON(), nullable=False),
    sa.Column('is_stored', sa.Boolean(), nullable=False),
    sa.Column('still_id', sa.String(length=64), nullable=True),
    sa.Column('peaks', sa.JSON(), nullable=True),
    sa.Column('is_demo', sa.Boolean(), nullable=False),
    sa.Column('created_at', core.store.tables.Moment(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('media_id')
    )
    op.create_table('runs',
    sa.Column('run_id', sa.String(length=40), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('status', sa.String(length=20), nullable=False),
    sa.Column('request_key', sa.String(length=64), nullable=False),
    sa.Column('settings', sa.JSON(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('min_score', sa.Float(), nullable=True),
    sa.Column('attempt', sa.Integer(), nullable=False),
    sa.Column('created_by', sa.String(length=100), nullable=False),
    sa.Column('is_demo', sa.Boolean(), nullable=False),
    sa.Column('created_at', core.store.tables.Moment(timezone=True), nullable=False),
    sa.Column('started_at', core.store.tables.Moment(timezone=True), nullable=True),
    sa.Column('ended_at', core.store.tables.Moment(timezone=True), nullable=True),
    sa.Column('worked_s', sa.Float(), nullable=False),
    sa.PrimaryKeyConstraint('run_id'),
    sa.UniqueConstraint('number')
    )
    with op.batch_alter_table('runs', schema=None) as batch_op:
        batch_op.create_index('ix_runs_request', ['request_key'], unique=False)

    op.create_table('settings_events',
    sa.Column('event_id', core.store.tables.Key, nullable=False),
    sa.Column('name', sa.String(length=100), nullable=False),
    sa.Column('value', sa.JSON(), nullable=True),
    sa.Column('actor', sa.String(length=100), nullable=False),
    sa.Column('set_at', core.store.tables.Moment(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('event_id')
    )
    with op.batch_alter_table('settings_events', schema=None) as batch_op:
        batch_op.create_index('ix_settings_events_name', ['name', 'event_id'], unique=False)

    op.create_table('targets',
    sa.Column('target', sa.String(length=200), nullable=False),
    sa.Column('confirmed_by', sa.String(length=100), nullable=False),
    sa.Column('confirmed_at', core.store.tables.Moment(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('target')
    )
    op.create_table('words',
    sa.Column('word_id', core.store.tables.Key, nullable=False),
    sa.Column('text', sa.String(length=200), nullable=False),
    sa.Column('key', sa.String(length=200), nullable=False),
    sa.Column('language', sa.String(length=10), nullable=False),
    sa.Column('pos', sa.String(length=200), nullable=False),
    sa.Column('definition', sa.Text(), nullable=False),
    sa.Column('is_demo', sa.Boolean(), nullable=False),
    sa.Column('created_at', core.store.tables.Moment(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('word_id'),
    sa.UniqueConstraint('key', 'language', 'is_demo')
    )
    op.create_table('workers',
    sa.Column('worker_id', sa.String(length=100), nullable=False),
    sa.Column('host', sa.String(length=200), nullable=False),
    sa.Column('pid', sa.Integer(), nullable=False),
    sa.Column('pid_started', sa.String(length=40), nullable=False),
    sa.Column('queues', sa.JSON(), nullable=False),
    sa.Column('started_at', core.store.tables.Moment(timezone=True), nullable=False),
    sa.Column('beat_at', core.store.tables.Moment(timezone=True), nullable=False),
    sa.Column('lease_until', core.store.tables.Moment(timezone=True), nullable=False),
    sa.Column('janitor_at', core.store.tables.Moment(timezone=True), nullable=True),
    sa.Column('stopped_at', core.store.tables.Moment(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('worker_id')
    )
    op.create_table('bundle_words',
    sa.Column('bundle', sa.String(length=100), nullable=False),
    sa.Column('word_id', core.store.tables.Key, nullable=False),
    sa.Column('rank', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['bundle'], ['bundles.name'], ),
    sa.ForeignKeyConstraint(['word_id'], ['words.word_id'], ),
    sa.PrimaryKeyConstraint('bundle', 'word_id')
    )
    with op.batch_alter_table('bundle_words', schema=None) as batch_op:
        batch_op.create_index('ix_bundle_words_word', ['word_id'], unique=False)

    op.create_table('clips',
    sa.Column('clip_id', core.store.tables.Key, nullable=False),
    sa.Column('slug', sa.String(length=200), nullable=False),
    sa.Column('source', sa.String(length=20), nullable=False),
    sa.Column('line_key', sa.String(length=64), nullable=False),
    sa.Column('title', sa.Text(), nullable=False),
    sa.Column('film', sa.JSON(), nullable=False),
    sa.Column('film_title', sa.Text(), nullable=False),
    sa.Column('film_media_id', sa.String(length=64), nullable=True),
    sa.Column('start_s', sa.Float(), nullable=False),
    sa.Column('end_s', sa.Float(), nullable=False),
    sa.Column('spoken', sa.Text(), nullable=False),
    sa.Column('script', sa.Text(), nullable=False),
    sa.Column('cues', sa.JSON(), nullable=False),
    sa.Column('metadata', sa.JSON(), nullable=False),
    sa.Column('media_id', sa.String(length=64), nullable=True),
    sa.Column('transcript_id', sa.String(length=64), nullable=True),
    sa.Column('failure_stage', sa.String(length=20), nullable=False),
    sa.Column('failure', sa.Text(), nullable=False),
    sa.Column('is_demo', sa.Boolean(), nullable=False),
    sa.Column('created_at', core.store.tables.Moment(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['media_id'], ['media.media_id'], ),
    sa.PrimaryKeyConstraint('clip_id'),
    sa.UniqueConstraint('slug')
    )
    with op.batch_alter_table('clips', schema=None) as batch_op:
        batch_op.create_index('ix_clips_line', ['line_key'], unique=False)
        batch_op.create_index('ix_clips_media', ['media_id'], unique=False)

    op.create_table('films',
    sa.Column('film_id', core.store.tables.Key, nullable=False),
    sa.Column('path', sa.Text(), nullable=False),
    sa.Column('media_id', sa.String(length=64), nullable=False),
    sa.Column('title', sa.Text(), nullable=False),
    sa.Column('year', sa.Integer(), nullable=True),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('transcript_id', sa.String(length=64), nullable=True),
    sa.Column('is_demo', sa.Boolean(), nullable=False),
    sa.Column('added_at', core.store.tables.Moment(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['media_id'], ['media.media_id'], ),
    sa.PrimaryKeyConstraint('film_id'),
    sa.UniqueConstraint('path')
    )
    with op.batch_alter_table('films', schema=None) as batch_op:
        batch_op.create_index('ix_films_media', ['media_id'], unique=False)

    op.create_table('run_words',
    sa.Column('run_id', sa.String(length=40), nullable=False),
    sa.Column('word_id', core.store.tables.Key, nullable=False),
    sa.Column('rank', sa.Integer(), nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('stage', sa.String(length=20), nullable=False),
    sa.Column('detail', sa.Text(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('attempt', sa.Integer(), nullable=False),
    sa.Column('n_hits', sa.Integer(), nullable=True),
    sa.Column('n_kept', sa.Integer(), nullable=True),
    sa.Column('n_fetched', sa.Integer(), nullable=True),
    sa.Column('n_heard', sa.Integer(), nullable=True),
    sa.Column('best', sa.Float(), nullable=True),
    sa.Column('updated_at', core.store.tables.Moment(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['run_id'], ['runs.run_id'], ),
    sa.ForeignKeyConstraint(['word_id'], ['words.word_id'], ),
    sa.PrimaryKeyConstraint('run_id', 'word_id')
    )
    with op.batch_alter_table('run_words', schema=None) as batch_op:
        batch_op.create_index('ix_run_words_state', ['run_id', 'state'], unique=False)

    op.create_table('searches',
    sa.Column('search_key', sa.String(length=64), nullable=False),
    sa.Column('source', sa.String(length=20), nullable=False),
    sa.Column('word_id', core.store.tables.Key, nullable=False),
    sa.Column('hits', sa.JSON(), nullable=False),
    sa.Column('run_id', sa.String(length=40), nullable=False),
    sa.Column('created_at', core.store.tables.Moment(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['word_id'], ['words.word_id'], ),
    sa.PrimaryKeyConstraint('search_key')
    )
    with op.batch_alter_table('searches', schema=None) as batch_op:
        batch_op.create_index('ix_searches_word', ['word_id'], unique=False)

    op.create_table('transcripts',
    sa.Column('transcript_id', sa.String(length=64), nullable=False),
    sa.Column('media_id', sa.String(length=64), nullable=False),
    sa.Column('engine', sa.String(length=40), nullable=False),
    sa.Column('model', sa.Text(), nullable=False),
    sa.Column('language', sa.String(length=10), nullable=False),
    sa.Column('text', sa.Text(), nullable=False),
    sa.Column('segments', sa.JSON(), nullable=False),
    sa.Column('words', sa.JSON(), nullable=False),
    sa.Column('is_verified_by_audio', sa.Boolean(), nullable=False),
    sa.Column('parent_id', sa.String(length=64), nullable=True),
    sa.Column('notes', sa.JSON(), nullable=False),
    sa.Column('created_by', sa.String(length=100), nullable=False),
    sa.Column('created_at', core.store.tables.Moment(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['media_id'], ['media.media_id'], ),
    sa.PrimaryKeyConstraint('transcript_id')
    )
    with op.batch_alter_table('transcripts', schema=None) as batch_op:
        batch_op.create_index('ix_transcripts_media', ['media_id'], unique=False)

    op.create_table('word_levels',
    sa.Column('exam', sa.String(length=100), nullable=False),
    sa.Column('word_id', core.store.tables.Key, nullable=False),
    sa.Column('level', sa.String(length=20), nullable=False),
    sa.Column('rank', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['word_id'], ['words.word_id'], ),
    sa.PrimaryKeyConstraint('exam', 'word_id')
    )
    with op.batch_alter_table('word_levels', schema=None) as batch_op:
        batch_op.create_index('ix_word_levels_word', ['word_id'], unique=False)

    op.create_table('corrections',
    sa.Column('event_id', core.store.tables.Key, nullable=False),
    sa.Column('clip_id', core.store.tables.Key, nullable=False),
    sa.Column('actor', sa.String(length=100), nullable=False),
    sa.Column('idempotency_key', sa.String(length=200), nullable=False),
    sa.Column('before_transcript_id', sa.String(length=64), nullable=False),
    sa.Column('after_transcript_id', sa.String(length=64), nullable=False),
    sa.Column('corrected_at', core.store.tables.Moment(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['clip_id'], ['clips.clip_id'], ),
    sa.PrimaryKeyConstraint('event_id'),
    sa.UniqueConstraint('idempotency_key')
    )
    with op.batch_alter_table('corrections', schema=None) as batch_op:
        batch_op.create_index('ix_corrections_clip', ['clip_id'], unique=False)

    op.create_table('export_items',
    sa.Column('batch_id', sa.String(length=40), nullable=False),
    sa.Column('name', sa.String(length=255), nullable=False),
    sa.Column('clip_id', core.store.tables.Key, nullable=False),
    sa.Column('slug', sa.String(length=255), nullable=False),
    sa.Column('rank', sa.Integer(), nullable=False),
    sa.Column('payload', sa.JSON(), nullable=False),
    sa.Column('size_bytes', sa.BigInteger(), nullable=False),
    sa.Column('status', sa.String(length=20), nullable=False),
    sa.Column('video_id', sa.BigInteger(), nullable=True),
    sa.Column('n_mappings', sa.Integer(), nullable=False),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('error', sa.Text(), nullable=False),
    sa.Column('read_back', sa.String(length=20), nullable=False),
    sa.Column('updated_at', core.store.tables.Moment(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['batch_id'], ['export_batches.batch_id'], ),
    sa.ForeignKeyConstraint(['clip_id'], ['clips.clip_id'], ),
    sa.PrimaryKeyConstraint('batch_id', 'name')
    )
    with op.batch_alter_table('export_items', schema=None) as batch_op:
        batch_op.create_index('ix_export_items_clip', ['clip_id'], unique=False)

    op.create_table('proposals',
    sa.Column('proposal_id', core.store.tables.Key, nullable=False),
    sa.Column('clip_id', core.store.tables.Key, nullable=False),
    sa.Column('word_id', core.store.tables.Key, nullable=False),
    sa.Column('stage', sa.String(length=20), nullable=False),
    sa.Column('input_key', sa.String(length=64), nullable=False),
    sa.Column('judge', sa.String(length=40), nullable=False),
    sa.Column('model', sa.Text(), nullable=False),
    sa.Column('prompt_version', sa.String(length=20), nullable=False),
    sa.Column('education', sa.Float(), nullable=True),
    sa.Column('context', sa.Float(), nullable=True),
    sa.Column('relevance', sa.Float(), nullable=True),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('difficulty', sa.String(length=20), nullable=False),
    sa.Column('evidence_state', sa.String(length=20), nullable=False),
    sa.Column('evidence', sa.JSON(), nullable=False),
    sa.Column('features', sa.JSON(), nullable=False),
    sa.Column('tokens', sa.Integer(), nullable=False),
    sa.Column('cost_usd', sa.Float(), nullable=False),
    sa.Column('run_id', sa.String(length=40), nullable=False),
    sa.Column('created_at', core.store.tables.Moment(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['clip_id'], ['clips.clip_id'], ),
    sa.ForeignKeyConstraint(['word_id'], ['words.word_id'], ),
    sa.PrimaryKeyConstraint('proposal_id'),
    sa.UniqueConstraint('clip_id', 'word_id', 'stage', 'input_key')
    )
    with op.batch_alter_table('proposals', schema=None) as batch_op:
        batch_op.create_index('ix_proposals_word', ['word_id'], unique=False)

    op.create_table('run_clips',
    sa.Column('run_id', sa.String(length=40), nullable=False),
    sa.Column('clip_id', core.store.tables.Key, nullable=False),
    sa.Column('word_id', core.store.tables.Key, nullable=False),
    sa.Column('stage', sa.String(length=20), nullable=False),
    sa.Column('outcome', sa.String(length=20), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('updated_at', core.store.tables.Moment(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['clip_id'], ['clips.clip_id'], ),
    sa.ForeignKeyConstraint(['run_id'], ['runs.run_id'], ),
    sa.ForeignKeyConstraint(['word_id'], ['words.word_id'], ),
    sa.PrimaryKeyConstraint('run_id', 'clip_id', 'word_id')
    )
    op.create_table('mappings',
    sa.Column('mapping_id', core.store.tables.Key, nullable=False),
    sa.Column('clip_id', core.store.tables.Key, nullable=False),
    sa.Column('word_id', core.store.tables.Key, nullable=False),
    sa.Column('proposal_id', core.store.tables.Key, nullable=False),
    sa.Column('relevance', sa.Float(), nullable=True),
    sa.Column('evidence_state', sa.String(length=20), nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('score', sa.Float(), nullable=True),
    sa.Column('note', sa.Text(), nullable=False),
    sa.Column('reasons', sa.JSON(), nullable=False),
    sa.Column('is_vouched', sa.Boolean(), nullable=False),
    sa.Column('actor', sa.String(length=100), nullable=False),
    sa.Column('run_id', sa.String(length=40), nullable=False),
    sa.Column('is_demo', sa.Boolean(), nullable=False),
    sa.Column('created_at', core.store.tables.Moment(timezone=True), nullable=False),
    sa.Column('updated_at', core.store.tables.Moment(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['clip_id'], ['clips.clip_id'], ),
    sa.ForeignKeyConstraint(['proposal_id'], ['proposals.proposal_id'], ),
    sa.ForeignKeyConstraint(['word_id'], ['words.word_id'], ),
    sa.PrimaryKeyConstraint('mapping_id'),
    sa.UniqueConstraint('clip_id', 'word_id')
    )
    with op.batch_alter_table('mappings', schema=None) as batch_op:
        batch_op.create_index('ix_mappings_state', ['state'], unique=False)
        batch_op.create_index('ix_mappings_word_state', ['word_id', 'state'], unique=False)

    op.create_table('decisions',
    sa.Column('event_id', core.store.tables.Key, nullable=False),
    sa.Column('mapping_id', core.store.tables.Key, nullable=False),
    sa.Column('kind', sa.String(length=20), nullable=False),
    sa.Column('actor', sa.String(length=100), nullable=False),
    sa.Column('idempotency_key', sa.String(length=200), nullable=False),
    sa.Column('visit_id', sa.String(length=64), nullable=False),
    sa.Column('undoes_event_id', core.store.tables.Key, nullable=True),
    sa.Column('reasons', sa.JSON(), nullable=False),
    sa.Column('score', sa.Float(), nullable=True),
    sa.Column('note', sa.Text(), nullable=False),
    sa.Column('seen_version', sa.Integer(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('is_conflict', sa.Boolean(), nullable=False),
    sa.Column('proposal_id', core.store.tables.Key, nullable=True),
    sa.Column('transcript_id', sa.String(length=64), nullable=True),
    sa.Column('is_score_visible', sa.Boolean(), nullable=False),
    sa.Column('watched_s', sa.Float(), nullable=True),
    sa.Column('n_target_plays', sa.Integer(), nullable=True),
    sa.Column('decided_at', core.store.tables.Moment(timezone=True), nullable=False),
    sa.CheckConstraint('score IS NULL OR (score >= 0 AND score <= 1)', name='ck_decisions_score'),
    sa.ForeignKeyConstraint(['mapping_id'], ['mappings.mapping_id'], ),
    sa.PrimaryKeyConstraint('event_id'),
    sa.UniqueConstraint('idempotency_key')
    )
    with op.batch_alter_table('decisions', schema=None) as batch_op:
        batch_op.create_index('ix_decisions_actor', ['actor', 'event_id'], unique=False)
        batch_op.create_index('ix_decisions_mapping', ['mapping_id'], unique=False)

    op.create_table('live_mappings',
    sa.Column('target', sa.String(length=200), nullable=False),
    sa.Column('name', sa.String(length=255), nullable=False),
    sa.Column('word_id', core.store.tables.Key, nullable=False),
    sa.Column('mapping_id', core.store.tables.Key, nullable=False),
    sa.Column('clip_id', core.store.tables.Key, nullable=False),
    sa.Column('video_id', sa.BigInteger(), nullable=True),
    sa.Column('relevance', sa.Float(), nullable=False),
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('batch_id', sa.String(length=40), nullable=False),
    sa.Column('sent_at', core.store.tables.Moment(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['clip_id'], ['clips.clip_id'], ),
    sa.ForeignKeyConstraint(['mapping_id'], ['mappings.mapping_id'], ),
    sa.ForeignKeyConstraint(['word_id'], ['words.word_id'], ),
    sa.PrimaryKeyConstraint('target', 'name', 'word_id')
    )
    with op.batch_alter_table('live_mappings', schema=None) as batch_op:
        batch_op.create_index('ix_live_mappings_mapping', ['mapping_id'], unique=False)
        batch_op.create_index('ix_live_mappings_word', ['target', 'word_id'], unique=False)

