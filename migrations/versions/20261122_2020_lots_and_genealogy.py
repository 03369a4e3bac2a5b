"""Lots and what they were made of."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from engine import database

revision = "20261122_2020"
down_revision = "20261122_2010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "lot",
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column("part_revision_id", database.IdType(), nullable=False),
        sa.Column("heat", sa.String(length=200), nullable=False),
        sa.Column(
            "source",
            sa.Enum(
                "RECEIPT",
                "WORK_ORDER",
                "ADJUSTMENT",
                name="source",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("source_type", sa.String(length=40), nullable=True),
        sa.Column("source_id", database.IdType(), nullable=True),
        sa.Column("source_note", sa.String(length=4000), nullable=False),
        sa.Column("quantity", database.Scaled(6), nullable=False),
        sa.Column("quantity_left", database.Scaled(6), nullable=False),
        sa.Column("uom", sa.String(length=40), nullable=False),
        sa.Column("is_serial", sa.Boolean(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "QUARANTINE",
                "AVAILABLE",
                "HOLD",
                "REJECTED",
                "CONSUMED",
                name="status",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("expires_on", sa.Date(), nullable=True),
        sa.Column("hold_reason", sa.String(length=4000), nullable=True),
        sa.Column("release_signature_id", database.IdType(), nullable=True),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("status <> 'AVAILABLE' OR quantity_left > 0", name=op.f("ck_lot_available_is_not_empty")),
        sa.CheckConstraint("status <> 'CONSUMED' OR quantity_left = 0", name=op.f("ck_lot_consumed_is_empty")),
        sa.CheckConstraint("status <> 'HOLD' OR hold_reason IS NOT NULL", name=op.f("ck_lot_hold_has_a_reason")),
        sa.CheckConstraint("(source_type IS NULL) = (source_id IS NULL)", name=op.f("ck_lot_source_has_type_and_id")),
        sa.CheckConstraint("length(number) > 0", name=op.f("ck_lot_has_a_number")),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_lot_quantity_positive")),
        sa.CheckConstraint("quantity_left >= 0 AND quantity_left <= quantity", name=op.f("ck_lot_never_negative")),
        sa.ForeignKeyConstraint(["part_revision_id"], ["part_revision.id"], name=op.f("fk_lot_part_revision_id")),
        sa.ForeignKeyConstraint(["release_signature_id"], ["signature.id"], name=op.f("fk_lot_release_signature_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lot")),
        sa.UniqueConstraint("part_revision_id", "number", name=op.f("uq_lot_part_revision_id_number")),
    )
    with op.batch_alter_table("lot", schema=None) as batch_op:
        batch_op.create_index("ix_lot_heat", ["heat"], unique=False)
        batch_op.create_index("ix_lot_number", ["number"], unique=False)
        batch_op.create_index("ix_lot_source_id", ["source_id"], unique=False)
        batch_op.create_index("ix_lot_status", ["status"], unique=False)

    op.create_table(
        "genealogy_edge",
        sa.Column(
            "kind",
            sa.Enum(
                "CONSUMED",
                "TRANSFORMED",
                "MADE",
                "WITHDRAWN",
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("parent_id", database.IdType(), nullable=True),
        sa.Column("child_id", database.IdType(), nullable=True),
        sa.Column("work_order_id", database.IdType(), nullable=True),
        sa.Column("operation_id", database.IdType(), nullable=True),
        sa.Column("from_node", database.IdType(), nullable=True),
        sa.Column("to_node", database.IdType(), nullable=True),
        sa.Column("part_revision_id", database.IdType(), nullable=True),
        sa.Column("quantity", database.Scaled(6), nullable=False),
        sa.Column("uom", sa.String(length=40), nullable=False),
        sa.Column("event_id", sa.String(length=200), nullable=False),
        sa.Column("source_system", sa.String(length=40), nullable=False),
        sa.Column("happened_at", database.InstantType(), nullable=False),
        sa.Column("performer", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.String(length=4000), nullable=False),
        sa.Column("reverses_id", database.IdType(), nullable=True),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "kind <> 'CONSUMED' OR (child_id IS NULL AND work_order_id IS NOT NULL AND to_node IS NOT NULL AND to_node = work_order_id)",
            name=op.f("ck_genealogy_edge_consumed_in_a_work_order"),
        ),
        sa.CheckConstraint(
            "kind <> 'MADE' OR (parent_id IS NULL AND child_id IS NOT NULL AND work_order_id IS NOT NULL AND from_node IS NOT NULL AND from_node = work_order_id AND to_node IS NOT NULL AND to_node = child_id)",
            name=op.f("ck_genealogy_edge_made_by_a_work_order"),
        ),
        sa.CheckConstraint(
            "kind <> 'TRANSFORMED' OR (parent_id IS NOT NULL AND child_id IS NOT NULL AND to_node IS NOT NULL AND to_node = child_id)",
            name=op.f("ck_genealogy_edge_transformed_from_lot_to_lot"),
        ),
        sa.CheckConstraint(
            "kind <> 'WITHDRAWN' OR (parent_id IS NOT NULL AND child_id IS NULL AND to_node IS NULL)",
            name=op.f("ck_genealogy_edge_withdrawn_from_a_lot"),
        ),
        sa.CheckConstraint(
            "kind = 'MADE' OR (parent_id IS NULL AND from_node IS NULL) OR (from_node IS NOT NULL AND from_node = parent_id)",
            name=op.f("ck_genealogy_edge_leaves_its_parent"),
        ),
        sa.CheckConstraint(
            "(reverses_id IS NULL) = (quantity > 0)", name=op.f("ck_genealogy_edge_only_a_reversal_is_negative")
        ),
        sa.CheckConstraint(
            "operation_id IS NULL OR work_order_id IS NOT NULL",
            name=op.f("ck_genealogy_edge_operation_of_a_work_order"),
        ),
        sa.CheckConstraint(
            "parent_id IS NULL OR child_id IS NULL OR parent_id <> child_id",
            name=op.f("ck_genealogy_edge_never_its_own_parent"),
        ),
        sa.CheckConstraint("quantity <> 0", name=op.f("ck_genealogy_edge_quantity_not_zero")),
        sa.ForeignKeyConstraint(["child_id"], ["lot.id"], name=op.f("fk_genealogy_edge_child_id")),
        sa.ForeignKeyConstraint(["parent_id"], ["lot.id"], name=op.f("fk_genealogy_edge_parent_id")),
        sa.ForeignKeyConstraint(
            ["part_revision_id"], ["part_revision.id"], name=op.f("fk_genealogy_edge_part_revision_id")
        ),
        sa.ForeignKeyConstraint(["reverses_id"], ["genealogy_edge.id"], name=op.f("fk_genealogy_edge_reverses_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_genealogy_edge")),
        sa.UniqueConstraint("event_id", name=op.f("uq_genealogy_edge_event_id")),
        sa.UniqueConstraint("reverses_id", name=op.f("uq_genealogy_edge_reverses_id")),
    )
    with op.batch_alter_table("genealogy_edge", schema=None) as batch_op:
        batch_op.create_index("ix_genealogy_edge_child_id", ["child_id"], unique=False)
        batch_op.create_index("ix_genealogy_edge_from_node", ["from_node"], unique=False)
        batch_op.create_index("ix_genealogy_edge_parent_id_work_order_id", ["parent_id", "work_order_id"], unique=False)
        batch_op.create_index("ix_genealogy_edge_to_node", ["to_node"], unique=False)
        batch_op.create_index("ix_genealogy_edge_work_order_id", ["work_order_id"], unique=False)
