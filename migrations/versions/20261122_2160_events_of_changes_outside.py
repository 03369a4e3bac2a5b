"""Stops of work at a supplier: what reached pieces that are away, and what becomes of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from engine import database

revision = "20261122_2160"
down_revision = "20261122_2140"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table of stops."""
    op.create_table(
        "outside_stop",
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column("link_id", database.IdType(), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("cause", _word("cause", "AMENDMENT", "CHANGE_ORDER", "RULE"), nullable=False),
        sa.Column("cause_key", sa.String(length=200), nullable=False),
        sa.Column("cause_text", sa.String(length=4000), nullable=False),
        sa.Column("change_order_id", database.IdType(), nullable=True),
        sa.Column("amendment_id", database.IdType(), nullable=True),
        sa.Column("quantity", database.Scaled(6), nullable=False),
        sa.Column("notified_at", database.InstantType(), nullable=False),
        sa.Column("status", _word("status", "STOPPED", "DECIDED", "CARRIED_OUT", "LAPSED"), nullable=False),
        sa.Column("confirmed_by", sa.String(length=200), nullable=False),
        sa.Column("confirmed_at", database.InstantType(), nullable=True),
        sa.Column("decision", _word("decision", "FINISH_AS_OLD", "RECALL", "CONTINUE_TO_NEW", "SCRAP"), nullable=True),
        sa.Column("reason", sa.String(length=4000), nullable=False),
        sa.Column("decided_by", sa.String(length=60), nullable=False),
        sa.Column("decided_at", database.InstantType(), nullable=True),
        sa.Column("decision_hash", sa.String(length=64), nullable=True),
        sa.Column("spec_rev", sa.String(length=40), nullable=True),
        sa.Column("quoted_price", database.Scaled(4), nullable=True),
        sa.Column("follow_up", _word("follow_up", "REDUCE", "REPLENISH"), nullable=True),
        sa.Column("addendum_id", database.IdType(), nullable=True),
        sa.Column("made_id", database.IdType(), nullable=True),
        sa.Column("made_ref", sa.String(length=4000), nullable=False),
        sa.Column("carried_out_at", database.InstantType(), nullable=True),
        *_kept(),
        sa.CheckConstraint("turn > 0", name=op.f("ck_outside_stop_turn_from_one")),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_outside_stop_quantity_positive")),
        sa.CheckConstraint("length(cause_text) > 0", name=op.f("ck_outside_stop_says_what_changed")),
        sa.CheckConstraint(
            "status NOT IN ('DECIDED', 'CARRIED_OUT') OR decision IS NOT NULL",
            name=op.f("ck_outside_stop_decided_says_what"),
        ),
        sa.CheckConstraint(
            "status <> 'CARRIED_OUT' OR carried_out_at IS NOT NULL", name=op.f("ck_outside_stop_carried_out_says_when")
        ),
        sa.ForeignKeyConstraint(["link_id"], ["outside_link.id"], name=op.f("fk_outside_stop_link_id")),
        sa.ForeignKeyConstraint(["change_order_id"], ["change_order.id"], name=op.f("fk_outside_stop_change_order_id")),
        sa.ForeignKeyConstraint(
            ["amendment_id"], ["purchase_order_amendment.id"], name=op.f("fk_outside_stop_amendment_id")
        ),
        sa.ForeignKeyConstraint(
            ["addendum_id"], ["change_order_addendum.id"], name=op.f("fk_outside_stop_addendum_id")
        ),
        sa.ForeignKeyConstraint(["made_id"], ["purchase_order_amendment.id"], name=op.f("fk_outside_stop_made_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outside_stop")),
        sa.UniqueConstraint("link_id", "cause_key", name=op.f("uq_outside_stop_link_id_cause_key")),
        sa.UniqueConstraint("link_id", "turn", name=op.f("uq_outside_stop_link_id_turn")),
    )
    op.create_index("ix_outside_stop_change_order_id", "outside_stop", ["change_order_id"])
    op.create_index("ix_outside_stop_status", "outside_stop", ["status"])


def downgrade() -> None:
    """Take the table away."""
    op.drop_table("outside_stop")


def _word(name: str, *allowed: str) -> sa.Enum:
    return sa.Enum(*allowed, name=name, native_enum=False, create_constraint=True, length=40)


def _kept() -> tuple[sa.Column[object], ...]:
    """Return the columns that every business record has; a column object belongs to one table, so each call makes new ones."""
    return (
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
    )
