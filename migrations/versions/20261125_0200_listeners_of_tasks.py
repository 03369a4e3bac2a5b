"""What listeners of tasks need: headers of jobs that outlive their token, and the change of a task that its listeners hear of."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261125_0200"
down_revision = "20261124_0310"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Jobs that wait have no headers of their own, and no task is being changed."""
    op.add_column("job", sa.Column("headers", sa.JSON(), nullable=False, server_default="{}"))
    op.add_column("task", sa.Column("transition", sa.JSON(), nullable=False, server_default="{}"))


def downgrade() -> None:
    """Forget it again."""
    op.drop_column("task", "transition")
    op.drop_column("job", "headers")
