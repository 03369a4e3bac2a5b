"""Which rule tables are in force."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from engine import database

revision = "20261122_2200"
down_revision = "20261122_2190"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; its rows are written with the lock."""
    op.create_table(
        "table_in_force",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_table_in_force")),
        sa.UniqueConstraint("name", name=op.f("uq_table_in_force_name")),
    )


def downgrade() -> None:
    """Take the table away."""
    op.drop_table("table_in_force")
