"""what a run was to cost, why it stopped, and what it chose"""

import sqlalchemy as sa
from alembic import op
import core.store.tables

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('runs', schema=None) as batch_op:
        batch_op.add_column(sa.Column('plan', sa.JSON(), nullable=True))
        batch_op.add_column(sa.Column('notes', sa.JSON(), nullable=True))
        batch_op.add_column(sa.Column('stopped_for', sa.String(length=20), server_default='', nullable=False))
    with op.batch_alter_table('ledger', schema=None) as batch_op:
        batch_op.add_column(sa.Column('expected_usd', sa.Float(), server_default='0', nullable=False))
        batch_op.drop_index('ix_ledger_run')
        batch_op.create_index('ix_ledger_run', ['run_id', 'state', 'cost_usd', 'expected_usd', 'tokens_in', 'tokens_out'], unique=False)
    op.create_table('run_choices',
    sa.Column('choice_id', core.store.tables.Key, nullable=False),
    sa.Column('run_id', sa.String(length=40), nullable=False),
    sa.Column('window', sa.Integer(), nullable=False),
    sa.Column('clip_id', core.store.tables.Key, nullable=False),
    sa.Column('word_id', core.store.tables.Key, nullable=False),
    sa.Column('expected', sa.Float(), nullable=False),
    sa.Column('gains', sa.JSON(), nullable=False),
    sa.Column('basis', sa.JSON(), nullable=False),
    sa.Column('chosen_at', core.store.tables.Moment(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['clip_id'], ['clips.clip_id'], ),
    sa.ForeignKeyConstraint(['run_id'], ['runs.run_id'], ),
    sa.ForeignKeyConstraint(['word_id'], ['words.word_id'], ),
    sa.PrimaryKeyConstraint('choice_id'),
    sa.UniqueConstraint('run_id', 'clip_id')
    )
    with op.batch_alter_table('run_choices', schema=None) as batch_op:
        batch_op.create_index('ix_run_choices_window', ['run_id', 'window'], unique=False)
    with op.batch_alter_table('run_clips', schema=None) as batch_op:
        batch_op.create_index('ix_run_clips_word', ['run_id', 'word_id'], unique=False)
        batch_op.create_index('ix_run_clips_outcome', ['run_id', 'outcome'], unique=False)
