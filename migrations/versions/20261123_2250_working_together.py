"""Threads, mentions and followers; help with a task and who lent it; what looked at an attached file."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from engine import database

revision = "20261123_2250"
down_revision = "20261123_2240"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("comment") as batch:
        batch.add_column(sa.Column("reply_to_id", database.IdType(), nullable=True))
        batch.create_foreign_key(op.f("fk_comment_reply_to_id_comment"), "comment", ["reply_to_id"], ["id"])
        batch.create_index("ix_comment_reply_to_id", ["reply_to_id"])
    op.add_column("attachment", sa.Column("scanned_by", sa.String(length=200), nullable=True))
    op.add_column("task", sa.Column("lent_by", sa.String(length=60), nullable=True))
    _make_comment_mention()
    _make_follower()
    _make_task_help()


def _make_comment_mention() -> None:
    op.create_table(
        "comment_mention",
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("comment_id", database.IdType(), nullable=False),
        sa.Column("user_id", sa.String(length=60), nullable=False),
        sa.ForeignKeyConstraint(["comment_id"], ["comment.id"], name=op.f("fk_comment_mention_comment_id_comment")),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_comment_mention_user_id_user_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comment_mention")),
        sa.UniqueConstraint("comment_id", "user_id", name=op.f("uq_comment_mention_comment_id_user_id")),
    )
    op.create_index("ix_comment_mention_user_id", "comment_mention", ["user_id"])


def _make_follower() -> None:
    op.create_table(
        "follower",
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("record_type", sa.String(length=40), nullable=False),
        sa.Column("record_id", sa.String(length=60), nullable=False),
        sa.Column("user_id", sa.String(length=60), nullable=False),
        sa.Column("why", sa.String(length=40), nullable=False),
        sa.Column("since", database.InstantType(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_follower_user_id_user_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_follower")),
        sa.UniqueConstraint(
            "record_type", "record_id", "user_id", name=op.f("uq_follower_record_type_record_id_user_id")
        ),
    )
    op.create_index("ix_follower_user_id", "follower", ["user_id"])


def _make_task_help() -> None:
    op.create_table(
        "task_help",
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("task_id", database.IdType(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("asked_by", sa.String(length=60), nullable=False),
        sa.Column("asked", sa.String(length=60), nullable=False),
        sa.Column("question", sa.String(length=4000), nullable=False),
        sa.Column("asked_at", database.InstantType(), nullable=False),
        sa.Column("answer", sa.String(length=4000), nullable=False),
        sa.Column("answered_at", database.InstantType(), nullable=True),
        sa.Column("taken_back", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name=op.f("fk_task_help_task_id_task")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task_help")),
    )
    op.create_index("ix_task_help_task_id", "task_help", ["task_id"])
    op.create_index("ix_task_help_asked_answered_at", "task_help", ["asked", "answered_at"])


def downgrade() -> None:
    for table in ("task_help", "follower", "comment_mention"):
        op.drop_table(table)
    op.drop_column("task", "lent_by")
    op.drop_column("attachment", "scanned_by")
    with op.batch_alter_table("comment") as batch:
        batch.drop_index("ix_comment_reply_to_id")
        batch.drop_constraint(op.f("fk_comment_reply_to_id_comment"), type_="foreignkey")
        batch.drop_column("reply_to_id")
