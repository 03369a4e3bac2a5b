"""The deviation that an emergency opens: which change order it belongs to, and when and how it was closed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from engine import database

revision = "20261122_2170"
down_revision = "20261122_2160"
branch_labels = None
depends_on = None

TABLE, INDEX = "deviation_authority", "ix_deviation_authority_change_order_id"


def upgrade() -> None:
    """Let a deviation name its emergency. Columns are added in place, which keeps the table's constraints on both databases."""
    op.add_column(TABLE, sa.Column("change_order_id", database.IdType(), nullable=True))
    op.add_column(TABLE, sa.Column("closed_at", database.InstantType(), nullable=True))
    op.add_column(TABLE, sa.Column("closed_reason", sa.String(length=4000), nullable=True))
    op.create_index(INDEX, TABLE, ["change_order_id"])


def downgrade() -> None:
    """Take the columns away again."""
    op.drop_index(INDEX, TABLE)
    for column in ("closed_reason", "closed_at", "change_order_id"):
        op.drop_column(TABLE, column)
