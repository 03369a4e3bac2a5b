"""Viewed marks bound to what a difference says, comments on lines that may block, and what somebody saw before last."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from engine import database

revision = "20261122_2130"
down_revision = "20261122_2120"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("comment", sa.Column("path", sa.String(length=200), nullable=True))
    op.add_column("comment", sa.Column("place", sa.String(length=200), nullable=True))
    op.add_column("comment", sa.Column("blocks_since", database.InstantType(), nullable=True))
    op.add_column("viewing", sa.Column("previous_version", sa.Integer(), nullable=True))
    op.add_column("viewing", sa.Column("previous_at", database.InstantType(), nullable=True))
    _make_comment_resolution()
    _make_viewed_mark()


def _make_comment_resolution() -> None:
    op.create_table(
        "comment_resolution",
        sa.Column("comment_id", database.IdType(), nullable=False),
        sa.Column("text", sa.String(length=4000), nullable=False),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["comment_id"], ["comment.id"], name=op.f("fk_comment_resolution_comment_id_comment")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comment_resolution")),
        sa.UniqueConstraint("comment_id", name=op.f("uq_comment_resolution_comment_id")),
    )


def _make_viewed_mark() -> None:
    op.create_table(
        "viewed_mark",
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("user_id", sa.String(length=60), nullable=False),
        sa.Column("record_type", sa.String(length=40), nullable=False),
        sa.Column("record_id", sa.String(length=60), nullable=False),
        sa.Column("path", sa.String(length=200), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("viewed_at", database.InstantType(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_viewed_mark_user_id_user_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_viewed_mark")),
        sa.UniqueConstraint(
            "user_id",
            "record_type",
            "record_id",
            "path",
            name=op.f("uq_viewed_mark_user_id_record_type_record_id_path"),
        ),
    )
