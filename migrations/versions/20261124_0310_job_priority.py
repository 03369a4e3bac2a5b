"""The priority of jobs: which are taken up before others."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261124_0310"
down_revision = "20261124_0300"
branch_labels = None
depends_on = None

OPEN = sa.text("state IN ('WAITING', 'RUNNING', 'FAILED')")
BEFORE, AFTER = "ix_job_type_due_at_open", "ix_job_type_behind_due_at_open"


def upgrade() -> None:
    """Jobs that wait already have the priority 0, as those whose diagram says nothing."""
    op.add_column("job", sa.Column("behind", sa.Integer(), nullable=False, server_default="0"))
    op.drop_index(BEFORE, "job")
    op.create_index(AFTER, "job", ["type", "behind", "due_at"], sqlite_where=OPEN, postgresql_where=OPEN)


def downgrade() -> None:
    """Forget it again."""
    op.drop_index(AFTER, "job")
    op.create_index(BEFORE, "job", ["type", "due_at"], sqlite_where=OPEN, postgresql_where=OPEN)
    op.drop_column("job", "behind")
