"""Outside work and work orders in full."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from engine import database

revision = "20261122_2090"
down_revision = "20261122_2080"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables of changed quantities, losses and rates by date; a work order knows what it continues and was converted under."""
    _make_work_order_change()
    _make_outside_loss()
    _make_outside_claim()
    _make_work_centre_rate()
    op.add_column("work_order", sa.Column("continues_parent", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("work_order", sa.Column("change_order_id", database.IdType(), nullable=True))


def _make_work_order_change() -> None:
    op.create_table(
        "work_order_change",
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column("work_order_id", database.IdType(), nullable=False),
        sa.Column("change_no", sa.Integer(), nullable=False),
        sa.Column("change_class", _word("change_class", "C1", "C2"), nullable=False),
        sa.Column("quantity_before", database.Scaled(6), nullable=False),
        sa.Column("quantity_after", database.Scaled(6), nullable=False),
        sa.Column("uom", sa.String(length=40), nullable=False),
        sa.Column("reason", sa.String(length=4000), nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("opened_by", sa.String(length=60), nullable=False),
        sa.Column("status", _word("status", "PROPOSED", "APPLIED", "WITHDRAWN", "REJECTED"), nullable=False),
        sa.Column("applied_at", database.InstantType(), nullable=True),
        sa.Column("ended_reason", sa.String(length=4000), nullable=True),
        *_kept(),
        sa.CheckConstraint("change_no > 0", name=op.f("ck_work_order_change_change_no_from_one")),
        sa.CheckConstraint(
            "quantity_before > 0 AND quantity_after > 0", name=op.f("ck_work_order_change_quantities_positive")
        ),
        sa.CheckConstraint("quantity_before <> quantity_after", name=op.f("ck_work_order_change_changes_something")),
        sa.CheckConstraint("length(reason) > 0", name=op.f("ck_work_order_change_says_why")),
        sa.CheckConstraint(
            "(status = 'APPLIED') = (applied_at IS NOT NULL)", name=op.f("ck_work_order_change_applied_says_when")
        ),
        sa.ForeignKeyConstraint(["work_order_id"], ["work_order.id"], name=op.f("fk_work_order_change_work_order_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_work_order_change")),
        sa.UniqueConstraint("work_order_id", "change_no", name=op.f("uq_work_order_change_work_order_id_change_no")),
    )
    open_only = sa.text("status = 'PROPOSED'")
    op.create_index(
        "uq_work_order_change_open", "work_order_change", ["work_order_id"], unique=True, sqlite_where=open_only,
        postgresql_where=open_only,
    )  # fmt: skip
    op.create_table(
        "work_order_change_share",
        sa.Column("change_id", database.IdType(), nullable=False),
        sa.Column("link_id", database.IdType(), nullable=False),
        sa.Column("allocated_before", database.Scaled(6), nullable=False),
        sa.Column("allocated_after", database.Scaled(6), nullable=False),
        sa.Column("amendment_id", database.IdType(), nullable=True),
        *_kept(),
        sa.CheckConstraint(
            "allocated_before >= 0 AND allocated_after > 0",
            name=op.f("ck_work_order_change_share_allocations_positive"),
        ),
        sa.ForeignKeyConstraint(
            ["change_id"], ["work_order_change.id"], name=op.f("fk_work_order_change_share_change_id")
        ),
        sa.ForeignKeyConstraint(["link_id"], ["outside_link.id"], name=op.f("fk_work_order_change_share_link_id")),
        sa.ForeignKeyConstraint(
            ["amendment_id"], ["purchase_order_amendment.id"], name=op.f("fk_work_order_change_share_amendment_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_work_order_change_share")),
        sa.UniqueConstraint("change_id", "link_id", name=op.f("uq_work_order_change_share_change_id_link_id")),
    )


def _make_work_centre_rate() -> None:
    op.create_table(
        "work_centre_rate",
        sa.Column("work_centre_id", database.IdType(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("labour_rate", database.Scaled(4), nullable=False),
        sa.Column("machine_rate", database.Scaled(4), nullable=False),
        *_kept(),
        sa.CheckConstraint(
            "labour_rate >= 0 AND machine_rate >= 0", name=op.f("ck_work_centre_rate_rates_not_negative")
        ),
        sa.ForeignKeyConstraint(
            ["work_centre_id"], ["work_centre.id"], name=op.f("fk_work_centre_rate_work_centre_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_work_centre_rate")),
        sa.UniqueConstraint("work_centre_id", "valid_from", name=op.f("uq_work_centre_rate_work_centre_id_valid_from")),
    )


def _make_outside_loss() -> None:
    op.create_table(
        "outside_loss",
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column("link_id", database.IdType(), nullable=False),
        sa.Column("movement_id", database.IdType(), nullable=False),
        sa.Column("work_order_id", database.IdType(), nullable=False),
        sa.Column("quantity", database.Scaled(6), nullable=False),
        sa.Column("uom", sa.String(length=40), nullable=False),
        sa.Column("statement", sa.String(length=4000), nullable=False),
        sa.Column("follow_up", _word("follow_up", "REDUCE", "REPLENISH"), nullable=False),
        sa.Column("quantity_before", database.Scaled(6), nullable=True),
        sa.Column("quantity_after", database.Scaled(6), nullable=True),
        sa.Column("declared_by", sa.String(length=60), nullable=False),
        sa.Column("approved_hash", sa.String(length=64), nullable=False),
        sa.Column("status", _word("status", "DECLARED", "SETTLED", "REPLACED"), nullable=False),
        sa.Column("replacement_id", database.IdType(), nullable=True),
        *_kept(),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_outside_loss_quantity_positive")),
        sa.CheckConstraint("length(statement) > 0", name=op.f("ck_outside_loss_with_a_statement")),
        sa.CheckConstraint(
            "(follow_up = 'REDUCE') = (quantity_after IS NOT NULL) AND (quantity_after IS NULL) = (quantity_before IS NULL)",
            name=op.f("ck_outside_loss_reduced_to_a_quantity"),
        ),
        sa.CheckConstraint(
            "quantity_after IS NULL OR quantity_after > 0", name=op.f("ck_outside_loss_something_is_left")
        ),
        sa.ForeignKeyConstraint(["link_id"], ["outside_link.id"], name=op.f("fk_outside_loss_link_id")),
        sa.ForeignKeyConstraint(["movement_id"], ["outside_movement.id"], name=op.f("fk_outside_loss_movement_id")),
        sa.ForeignKeyConstraint(["work_order_id"], ["work_order.id"], name=op.f("fk_outside_loss_work_order_id")),
        sa.ForeignKeyConstraint(["replacement_id"], ["work_order.id"], name=op.f("fk_outside_loss_replacement_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outside_loss")),
        sa.UniqueConstraint("number", name=op.f("uq_outside_loss_number")),
    )
    op.create_index("ix_outside_loss_link_id", "outside_loss", ["link_id"])


def _make_outside_claim() -> None:
    op.create_table(
        "outside_claim",
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column("link_id", database.IdType(), nullable=False),
        sa.Column("pieces", database.Scaled(6), nullable=False),
        sa.Column("amount", database.Scaled(4), nullable=False),
        sa.Column("currency", sa.String(length=40), nullable=False),
        sa.Column("decision", _word("decision", "CLAIMED", "WAIVED"), nullable=False),
        sa.Column("reference", sa.String(length=40), nullable=False),
        sa.Column("reason", sa.String(length=4000), nullable=False),
        sa.Column("decided_by", sa.String(length=60), nullable=False),
        *_kept(),
        sa.CheckConstraint("pieces > 0", name=op.f("ck_outside_claim_pieces_positive")),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_outside_claim_amount_not_negative")),
        sa.CheckConstraint(
            "decision <> 'WAIVED' OR length(reason) > 0", name=op.f("ck_outside_claim_waived_for_a_reason")
        ),
        sa.ForeignKeyConstraint(["link_id"], ["outside_link.id"], name=op.f("fk_outside_claim_link_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outside_claim")),
        sa.UniqueConstraint("number", name=op.f("uq_outside_claim_number")),
    )
    op.create_index("ix_outside_claim_link_id", "outside_claim", ["link_id"])


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
