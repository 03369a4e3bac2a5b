"""Amendments of purchase orders."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from engine import database

revision = "20261122_2000"
down_revision = "20261122_1840"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "purchase_order_amendment",
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column("order_id", database.IdType(), nullable=False),
        sa.Column("amend_no", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "CHANGE", "CANCELLATION", "REVERSAL", name="kind", native_enum=False, create_constraint=True, length=40
            ),
            nullable=False,
        ),
        sa.Column(
            "change_class",
            sa.Enum("C1", "C2", "C3", "C4", name="change_class", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column(
            "reason_code",
            sa.Enum(
                "DEMAND",
                "PRICE",
                "SCHEDULE",
                "TERMS",
                "CORRECTION",
                "COUNTER_OFFER",
                "SUPPLIER_REFUSED",
                "CANCELLATION",
                name="reason_code",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("reason", sa.String(length=4000), nullable=False),
        sa.Column("change_order_id", database.IdType(), nullable=True),
        sa.Column("reverts_id", database.IdType(), nullable=True),
        sa.Column("acknowledgement_id", database.IdType(), nullable=True),
        sa.Column(
            "status",
            sa.Enum(
                "DRAFT",
                "PENDING",
                "APPROVED",
                "SENT",
                "ACKED",
                "APPLIED",
                "REJECTED",
                "WITHDRAWN",
                "SUPPLIER_REFUSED",
                "REVERTED",
                name="status",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("hash_before", sa.String(length=64), nullable=False),
        sa.Column("hash_after", sa.String(length=64), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("total_before", database.Scaled(4), nullable=False),
        sa.Column("total_after", database.Scaled(4), nullable=False),
        sa.Column("money_delta", database.Scaled(4), nullable=False),
        sa.Column("increase", database.Scaled(4), nullable=False),
        sa.Column("increase_percent", database.Scaled(4), nullable=False),
        sa.Column(
            "plan",
            sa.Enum(
                "FULL",
                "LEAD",
                "BUYER",
                "BUYER_PLANNER",
                name="plan",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("plan_row", sa.Integer(), nullable=False),
        sa.Column("plan_words", sa.String(length=4000), nullable=False),
        sa.Column("judged_by", sa.String(length=64), nullable=False),
        sa.Column("impact", sa.String(length=20000), nullable=False),
        sa.Column("opened_by", sa.String(length=60), nullable=False),
        sa.Column("approved_at", database.InstantType(), nullable=True),
        sa.Column("sent_at", database.InstantType(), nullable=True),
        sa.Column("applied_at", database.InstantType(), nullable=True),
        sa.Column("ended_reason", sa.String(length=4000), nullable=True),
        sa.Column("cancellation_charge", database.Scaled(4), nullable=True),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(kind = 'REVERSAL') = (reverts_id IS NOT NULL)",
            name=op.f("ck_purchase_order_amendment_reversal_names_what_it_reverts"),
        ),
        sa.CheckConstraint(
            "change_class IN ('C1', 'C2') OR change_order_id IS NOT NULL",
            name=op.f("ck_purchase_order_amendment_technical_needs_a_change_order"),
        ),
        sa.CheckConstraint("amend_no > 0", name=op.f("ck_purchase_order_amendment_amend_no_from_one")),
        sa.CheckConstraint(
            "cancellation_charge IS NULL OR cancellation_charge >= 0",
            name=op.f("ck_purchase_order_amendment_charge_not_negative"),
        ),
        sa.CheckConstraint("revision > 0", name=op.f("ck_purchase_order_amendment_revision_from_one")),
        sa.ForeignKeyConstraint(
            ["acknowledgement_id"],
            ["supplier_acknowledgement.id"],
            name=op.f("fk_purchase_order_amendment_acknowledgement_id"),
        ),
        sa.ForeignKeyConstraint(["order_id"], ["purchase_order.id"], name=op.f("fk_purchase_order_amendment_order_id")),
        sa.ForeignKeyConstraint(
            ["reverts_id"], ["purchase_order_amendment.id"], name=op.f("fk_purchase_order_amendment_reverts_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_purchase_order_amendment")),
        sa.UniqueConstraint("order_id", "amend_no", name=op.f("uq_purchase_order_amendment_order_id_amend_no")),
    )
    with op.batch_alter_table("purchase_order_amendment", schema=None) as batch_op:
        batch_op.create_index("ix_purchase_order_amendment_acknowledgement_id", ["acknowledgement_id"], unique=False)
        batch_op.create_index("ix_purchase_order_amendment_order_id", ["order_id"], unique=False)
        batch_op.create_index("ix_purchase_order_amendment_reverts_id", ["reverts_id"], unique=False)
        batch_op.create_index(
            "uq_purchase_order_amendment_open",
            ["order_id"],
            unique=True,
            sqlite_where=sa.text("status IN ('DRAFT', 'PENDING', 'APPROVED', 'SENT', 'ACKED')"),
            postgresql_where=sa.text("status IN ('DRAFT', 'PENDING', 'APPROVED', 'SENT', 'ACKED')"),
        )

    op.create_table(
        "amendment_change",
        sa.Column("amendment_id", database.IdType(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("path", sa.String(length=200), nullable=False),
        sa.Column("table_name", sa.String(length=40), nullable=False),
        sa.Column("row_id", database.IdType(), nullable=False),
        sa.Column("column_name", sa.String(length=40), nullable=False),
        sa.Column(
            "operation",
            sa.Enum(
                "INSERT", "UPDATE", "DELETE", name="operation", native_enum=False, create_constraint=True, length=40
            ),
            nullable=False,
        ),
        sa.Column("old_text", sa.String(length=20000), nullable=True),
        sa.Column("new_text", sa.String(length=20000), nullable=True),
        sa.Column(
            "change_class",
            sa.Enum("C1", "C2", "C3", "C4", name="change_class", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("why", sa.String(length=4000), nullable=False),
        sa.Column("money_delta", database.Scaled(4), nullable=False),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("position > 0", name=op.f("ck_amendment_change_position_from_one")),
        sa.ForeignKeyConstraint(
            ["amendment_id"], ["purchase_order_amendment.id"], name=op.f("fk_amendment_change_amendment_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_amendment_change")),
        sa.UniqueConstraint("amendment_id", "path", name=op.f("uq_amendment_change_amendment_id_path")),
        sa.UniqueConstraint("amendment_id", "position", name=op.f("uq_amendment_change_amendment_id_position")),
    )
