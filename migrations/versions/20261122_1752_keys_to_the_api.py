"""Keys to the API, and the answers kept for requests that are sent twice."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from engine import database

revision = "20261122_1752"
down_revision = "20261122_1735"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "api_answer",
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("owner", sa.String(length=200), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("request_hash", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=20000), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("etag", sa.String(length=200), nullable=True),
        sa.Column("body", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_answer")),
        sa.UniqueConstraint("owner", "key", name=op.f("uq_api_answer_owner_key")),
    )
    with op.batch_alter_table("api_answer", schema=None) as batch_op:
        batch_op.create_index("ix_api_answer_created_at", ["created_at"], unique=False)

    op.create_table(
        "api_key",
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("owner", sa.String(length=200), nullable=False),
        sa.Column("user_id", sa.String(length=60), nullable=True),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.Column("expires_at", database.InstantType(), nullable=True),
        sa.Column("revoked_at", database.InstantType(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_api_key_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_key")),
        sa.UniqueConstraint("digest", name=op.f("uq_api_key_digest")),
    )
    with op.batch_alter_table("api_key", schema=None) as batch_op:
        batch_op.create_index("ix_api_key_owner", ["owner"], unique=False)
