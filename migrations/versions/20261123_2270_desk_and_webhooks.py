"""Desk and webhooks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from engine import database
from records.columns import CodesType

revision = "20261123_2270"
down_revision = "20261123_2260"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _make_webhook()
    _make_delivery()
    op.create_table(
        "webhook_attempt",
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("delivery_id", database.IdType(), nullable=False),
        sa.Column("at", database.InstantType(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("milliseconds", sa.Integer(), nullable=False),
        sa.Column("error", sa.String(length=4000), nullable=True),
        sa.Column("answer", sa.String(length=500), nullable=False),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["webhook_delivery.id"], name=op.f("fk_webhook_attempt_delivery_id_webhook_delivery")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_attempt")),
    )
    op.create_index("ix_webhook_attempt_delivery_id", "webhook_attempt", ["delivery_id", "id"])


def _make_webhook() -> None:
    states = sa.Enum("ACTIVE", "PAUSED", "ENDED", name="state", native_enum=False, create_constraint=True, length=40)
    op.create_table(
        "webhook",
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("owner", sa.String(length=200), nullable=False),
        sa.Column("url", sa.String(length=2000), nullable=False),
        sa.Column("event_types", CodesType(), nullable=False),
        sa.Column("state", states, nullable=False),
        sa.Column("paused_because", sa.String(length=4000), nullable=True),
        sa.Column("secret", sa.String(length=200), nullable=False),
        sa.Column("former_secret", sa.String(length=200), nullable=True),
        sa.Column("former_until", database.InstantType(), nullable=True),
        sa.Column("failing_since", database.InstantType(), nullable=True),
        sa.Column("rest_until", database.InstantType(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("ended_at", database.InstantType(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("length(url) > 0", name=op.f("ck_webhook_goes_somewhere")),
        sa.CheckConstraint("failures >= 0", name=op.f("ck_webhook_failures_counted")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook")),
    )
    op.create_index("ix_webhook_owner", "webhook", ["owner"])
    op.create_index("ix_webhook_state", "webhook", ["state"])


def _make_delivery() -> None:
    states = sa.Enum(
        "PENDING",
        "DELIVERED",
        "FAILED",
        "CANCELLED",
        name="state",
        native_enum=False,
        create_constraint=True,
        length=40,
    )
    op.create_table(
        "webhook_delivery",
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("webhook_id", database.IdType(), nullable=False),
        sa.Column("event_type", sa.String(length=200), nullable=False),
        sa.Column("record_type", sa.String(length=40), nullable=False),
        sa.Column("record_id", sa.String(length=60), nullable=False),
        sa.Column("number", sa.String(length=200), nullable=True),
        sa.Column("body", sa.String(length=20000), nullable=False),
        sa.Column("state", states, nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("due_at", database.InstantType(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("error", sa.String(length=4000), nullable=True),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("finished_at", database.InstantType(), nullable=True),
        sa.ForeignKeyConstraint(["webhook_id"], ["webhook.id"], name=op.f("fk_webhook_delivery_webhook_id_webhook")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_delivery")),
    )
    op.create_index("ix_webhook_delivery_webhook_id_state", "webhook_delivery", ["webhook_id", "state", "id"])
    op.create_index("ix_webhook_delivery_webhook_id", "webhook_delivery", ["webhook_id", "id"])
    op.create_index(
        "ix_webhook_delivery_due_at_pending",
        "webhook_delivery",
        ["webhook_id", "due_at"],
        sqlite_where=sa.text("state = 'PENDING'"),
        postgresql_where=sa.text("state = 'PENDING'"),
    )
    op.create_index("ix_webhook_delivery_created_at", "webhook_delivery", ["created_at"])


def downgrade() -> None:
    op.drop_table("webhook_attempt")
    op.drop_table("webhook_delivery")
    op.drop_table("webhook")
