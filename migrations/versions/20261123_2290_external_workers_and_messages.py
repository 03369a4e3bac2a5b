"""External workers and messages."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from engine import database

revision = "20261123_2290"
down_revision = "20261123_2280"
branch_labels = None
depends_on = None

OPEN = sa.text("state IN ('WAITING', 'RUNNING', 'FAILED')")
STORED = sa.text("state = 'STORED'")


def upgrade() -> None:
    """Find open jobs by type and kept messages by age, keep who holds a job, and keep each signal once."""
    op.add_column("job", sa.Column("holder", sa.String(), nullable=True))
    op.create_index("ix_job_type_due_at_open", "job", ["type", "due_at"], sqlite_where=OPEN, postgresql_where=OPEN)
    op.create_index("ix_message_id_stored", "message", ["id"], sqlite_where=STORED, postgresql_where=STORED)
    op.create_index(
        "ix_message_expires_at_stored", "message", ["expires_at"], sqlite_where=STORED, postgresql_where=STORED
    )
    op.create_table(
        "signal",
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("variables", sa.LargeBinary(), nullable=False),
        sa.Column("sent_at", database.InstantType(), nullable=False),
        sa.Column("sent_by", sa.String(), nullable=False),
        sa.Column("hearers", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signal")),
    )


def downgrade() -> None:
    """Forget them again."""
    op.drop_table("signal")
    op.drop_index("ix_message_expires_at_stored", "message")
    op.drop_index("ix_message_id_stored", "message")
    op.drop_index("ix_job_type_due_at_open", "job")
    op.drop_column("job", "holder")
