"""rate slots and quotas of a month"""

import sqlalchemy as sa
from alembic import op
import core.store.tables

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('month_quotas',
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('month', sa.String(length=7), nullable=False),
    sa.Column('n_used', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('name', 'month')
    )
    op.create_table('rate_limits',
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('blocked_until_s', sa.Float(), nullable=False),
    sa.Column('blocked_why', sa.Text(), nullable=False),
    sa.Column('clocks', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('name')
    )
    op.create_table('rate_slots',
    sa.Column('slot_id', core.store.tables.Key, nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('at_s', sa.Float(), nullable=False),
    sa.ForeignKeyConstraint(['name'], ['rate_limits.name'], ),
    sa.PrimaryKeyConstraint('slot_id')
    )
    with op.batch_alter_table('rate_slots', schema=None) as batch_op:
        batch_op.create_index('ix_rate_slots_name', ['name', 'at_s'], unique=False)
