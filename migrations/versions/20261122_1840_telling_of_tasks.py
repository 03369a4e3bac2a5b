"""Whether people wish mail, and which tasks they were told of."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from engine import database

revision = "20261122_1840"
down_revision = "20261122_1752"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # In one statement on either database: SQLite adds no constraint to a table that is there, but a column with one.
    op.execute(
        "ALTER TABLE user_account ADD COLUMN mail_wish VARCHAR(40) NOT NULL DEFAULT 'AT_ONCE'"
        " CONSTRAINT ck_user_account_mail_wish CHECK (mail_wish IN ('AT_ONCE', 'NEVER'))"
    )
    op.create_table(
        "task_announcement",
        sa.Column("task_id", database.IdType(), nullable=False),
        sa.Column("announced_at", database.InstantType(), nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name=op.f("fk_task_announcement_task_id")),
        sa.PrimaryKeyConstraint("task_id", name=op.f("pk_task_announcement")),
    )
    # Whoever works here already knows what waits: only what opens from now on is told of.
    op.execute(
        "INSERT INTO task_announcement (task_id, announced_at) SELECT id, created_at FROM task WHERE state = 'OPEN'"
    )
