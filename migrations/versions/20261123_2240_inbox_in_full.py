"""Inbox in full: projects and flows to sort and group by, words to filter by, snoozes, saved views."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from engine import database

revision = "20261123_2240"
down_revision = "20261123_2230"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _widen_tasks()
    _make_words()
    _make_snoozes()
    _make_views()


def _widen_tasks() -> None:
    op.add_column("task", sa.Column("project", sa.String(), nullable=True))
    op.drop_index("ix_instance_business_key", table_name="instance")
    for name, table, column in (
        ("ix_instance_business_key", "instance", "business_key"),
        ("ix_task_record_number", "task", "record_number"),
    ):
        op.create_index(name, table, [column], postgresql_ops={column: "varchar_pattern_ops"})
    op.add_column("task_candidate", sa.Column("project", sa.String(), nullable=False, server_default=""))
    op.add_column("task_candidate", sa.Column("flow", sa.String(), nullable=False, server_default=""))
    op.execute("UPDATE task_candidate SET flow = (SELECT task.flow FROM task WHERE task.id = task_candidate.task_id)")
    op.drop_index("ix_task_candidate_principal_party", table_name="task_candidate")
    for column in ("party", "project", "flow"):
        op.create_index(
            f"ix_task_candidate_principal_{column}", "task_candidate", ["principal", column, "due_at", "task_id"]
        )


def _make_words() -> None:
    op.create_table(
        "task_word",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("word", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "word", name=op.f("pk_task_word")),
    )
    op.execute(
        "INSERT INTO task_word (kind, word) SELECT DISTINCT 'party', party FROM task"
        " WHERE state = 'OPEN' AND party IS NOT NULL AND party <> ''"
    )


def _make_snoozes() -> None:
    op.create_table(
        "task_snooze",
        sa.Column("task_id", database.IdType(), nullable=False),
        sa.Column("user_id", sa.String(length=60), nullable=False),
        sa.Column("until_at", database.InstantType(), nullable=True),
        sa.Column("wakes_on", sa.String(), nullable=True),
        sa.Column("owed", sa.String(length=200), nullable=True),
        sa.Column("snoozed_at", database.InstantType(), nullable=False),
        sa.CheckConstraint("until_at IS NOT NULL OR wakes_on IS NOT NULL", name=op.f("ck_task_snooze_ends_some_time")),
        sa.CheckConstraint(
            "wakes_on IS NULL OR wakes_on IN ('COMMENT', 'CHANGE', 'DECISION', 'ANYTHING')",
            name=op.f("ck_task_snooze_wakes_on"),
        ),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name=op.f("fk_task_snooze_task_id_task")),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_task_snooze_user_id_user_account")),
        sa.PrimaryKeyConstraint("user_id", "task_id", name=op.f("pk_task_snooze")),
    )
    op.create_index("ix_task_snooze_until_at", "task_snooze", ["until_at"])


def _make_views() -> None:
    op.create_table(
        "inbox_view",
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("owner_id", sa.String(length=60), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("colour", sa.String(length=40), nullable=False),
        sa.Column("box", sa.String(length=40), nullable=False),
        sa.Column("query", sa.String(length=4000), nullable=False),
        sa.Column("sort", sa.String(length=200), nullable=False),
        sa.Column("grouping", sa.String(length=40), nullable=False),
        sa.Column("columns", sa.JSON(), nullable=False),
        sa.Column("shared_with", sa.String(length=60), nullable=True),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["user_account.id"], name=op.f("fk_inbox_view_owner_id_user_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbox_view")),
        sa.UniqueConstraint("owner_id", "name", name=op.f("uq_inbox_view_owner_id_name")),
    )
    op.create_index("ix_inbox_view_shared_with", "inbox_view", ["shared_with"])
