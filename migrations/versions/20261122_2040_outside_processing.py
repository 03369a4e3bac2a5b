"""Links between operations and order lines, and what moved."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from engine import database

revision = "20261122_2040"
down_revision = "20261122_2030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "outside_link",
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column("site_id", database.IdType(), nullable=False),
        sa.Column("operation_id", database.IdType(), nullable=False),
        sa.Column("order_line_id", database.IdType(), nullable=False),
        sa.Column(
            "role",
            sa.Enum(
                "OSP", "MATERIAL", "TOOL", "SERVICE", name="role", native_enum=False, create_constraint=True, length=40
            ),
            nullable=False,
        ),
        sa.Column("part_revision_id", database.IdType(), nullable=True),
        sa.Column("process_code", sa.String(length=40), nullable=True),
        sa.Column("spec", sa.String(length=40), nullable=True),
        sa.Column("spec_rev", sa.String(length=40), nullable=True),
        sa.Column("is_special", sa.Boolean(), nullable=False),
        sa.Column("allocated_quantity", database.Scaled(6), nullable=False),
        sa.Column("uom", sa.String(length=40), nullable=False),
        sa.Column("conversion_factor", database.Scaled(6), nullable=False),
        sa.Column("need_by", sa.Date(), nullable=True),
        sa.Column("return_by", sa.Date(), nullable=True),
        sa.Column("source_until", sa.Date(), nullable=True),
        sa.Column("coupon_plan", sa.String(length=4000), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "PROPOSED",
                "PO_LINKED",
                "READY_TO_SHIP",
                "AT_SUPPLIER",
                "PART_RETURNED",
                "RETURNED",
                "VERIFIED",
                "CLOSED",
                "RECALLED",
                "CANCELLED",
                "HOLD",
                name="status",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column(
            "held_from",
            sa.Enum(
                "PROPOSED",
                "PO_LINKED",
                "READY_TO_SHIP",
                "AT_SUPPLIER",
                "PART_RETURNED",
                "RETURNED",
                "VERIFIED",
                "CLOSED",
                "RECALLED",
                "CANCELLED",
                "HOLD",
                name="held_from",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=True,
        ),
        sa.Column("hold_rule", sa.String(length=40), nullable=True),
        sa.Column("hold_reason", sa.String(length=4000), nullable=True),
        sa.Column("hold_owner", sa.String(length=60), nullable=True),
        sa.Column("shipped", database.Scaled(6), nullable=False),
        sa.Column("good", database.Scaled(6), nullable=False),
        sa.Column("scrap", database.Scaled(6), nullable=False),
        sa.Column("lost", database.Scaled(6), nullable=False),
        sa.Column("recalled", database.Scaled(6), nullable=False),
        sa.Column("at_supplier", database.Scaled(6), nullable=False),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(status = 'HOLD') = (held_from IS NOT NULL) AND (held_from IS NULL) = (hold_reason IS NULL)",
            name=op.f("ck_outside_link_hold_has_a_reason"),
        ),
        sa.CheckConstraint(
            "status NOT IN ('PROPOSED', 'PO_LINKED', 'READY_TO_SHIP', 'CANCELLED') OR shipped = 0",
            name=op.f("ck_outside_link_nothing_left_before_shipping"),
        ),
        sa.CheckConstraint(
            "status NOT IN ('RETURNED', 'VERIFIED', 'CLOSED', 'RECALLED') OR at_supplier = 0",
            name=op.f("ck_outside_link_back_is_back"),
        ),
        sa.CheckConstraint("allocated_quantity > 0", name=op.f("ck_outside_link_allocation_positive")),
        sa.CheckConstraint("at_supplier >= 0", name=op.f("ck_outside_link_at_supplier_not_negative")),
        sa.CheckConstraint("conversion_factor > 0", name=op.f("ck_outside_link_conversion_factor_positive")),
        sa.CheckConstraint("good >= 0", name=op.f("ck_outside_link_good_not_negative")),
        sa.CheckConstraint("lost >= 0", name=op.f("ck_outside_link_lost_not_negative")),
        sa.CheckConstraint("recalled >= 0", name=op.f("ck_outside_link_recalled_not_negative")),
        sa.CheckConstraint("scrap >= 0", name=op.f("ck_outside_link_scrap_not_negative")),
        sa.CheckConstraint(
            "shipped - recalled <= allocated_quantity", name=op.f("ck_outside_link_shipped_within_allocation")
        ),
        sa.CheckConstraint(
            "shipped = good + scrap + lost + recalled + at_supplier", name=op.f("ck_outside_link_balance")
        ),
        sa.CheckConstraint("shipped >= 0", name=op.f("ck_outside_link_shipped_not_negative")),
        sa.ForeignKeyConstraint(
            ["operation_id"], ["work_order_operation.id"], name=op.f("fk_outside_link_operation_id")
        ),
        sa.ForeignKeyConstraint(
            ["order_line_id"], ["purchase_order_line.id"], name=op.f("fk_outside_link_order_line_id")
        ),
        sa.ForeignKeyConstraint(
            ["part_revision_id"], ["part_revision.id"], name=op.f("fk_outside_link_part_revision_id")
        ),
        sa.ForeignKeyConstraint(["process_code"], ["outside_process.code"], name=op.f("fk_outside_link_process_code")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_outside_link_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outside_link")),
        sa.UniqueConstraint("number", name=op.f("uq_outside_link_number")),
    )
    with op.batch_alter_table("outside_link", schema=None) as batch_op:
        batch_op.create_index("ix_outside_link_operation_id", ["operation_id"], unique=False)
        batch_op.create_index("ix_outside_link_order_line_id", ["order_line_id"], unique=False)
        batch_op.create_index("ix_outside_link_status", ["status"], unique=False)

    op.create_table(
        "outside_movement",
        sa.Column("link_id", database.IdType(), nullable=False),
        sa.Column("event_id", sa.String(length=200), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "SHIP_OUT",
                "RETURN_GOOD",
                "RETURN_SCRAP",
                "DECLARED_LOST",
                "RECALL",
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("quantity", database.Scaled(6), nullable=False),
        sa.Column("moved_on", sa.Date(), nullable=False),
        sa.Column("order_revision", sa.Integer(), nullable=False),
        sa.Column("packing_list_no", sa.String(length=40), nullable=True),
        sa.Column("carrier", sa.String(length=200), nullable=False),
        sa.Column("documents", sa.Text(), nullable=False),
        sa.Column("lots", sa.Text(), nullable=False),
        sa.Column("statement", sa.String(length=4000), nullable=False),
        sa.Column("reason", sa.String(length=4000), nullable=False),
        sa.Column("reverses_id", database.IdType(), nullable=True),
        sa.Column("receipt_id", database.IdType(), nullable=True),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "kind <> 'DECLARED_LOST' OR length(statement) > 0", name=op.f("ck_outside_movement_lost_with_a_statement")
        ),
        sa.CheckConstraint(
            "(quantity < 0) = (reverses_id IS NOT NULL)", name=op.f("ck_outside_movement_negative_takes_back")
        ),
        sa.CheckConstraint("quantity <> 0", name=op.f("ck_outside_movement_quantity_not_zero")),
        sa.CheckConstraint(
            "reverses_id IS NULL OR length(reason) > 0", name=op.f("ck_outside_movement_taken_back_for_a_reason")
        ),
        sa.ForeignKeyConstraint(["link_id"], ["outside_link.id"], name=op.f("fk_outside_movement_link_id")),
        sa.ForeignKeyConstraint(["reverses_id"], ["outside_movement.id"], name=op.f("fk_outside_movement_reverses_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outside_movement")),
        sa.UniqueConstraint("event_id", name=op.f("uq_outside_movement_event_id")),
    )
    with op.batch_alter_table("outside_movement", schema=None) as batch_op:
        batch_op.create_index("ix_outside_movement_link_id", ["link_id", "kind"], unique=False)
        batch_op.create_index("ix_outside_movement_packing_list_no", ["packing_list_no"], unique=False)

    op.create_table(
        "outside_sight",
        sa.Column("link_id", database.IdType(), nullable=False),
        sa.Column("seen", sa.String(length=4000), nullable=False),
        sa.ForeignKeyConstraint(["link_id"], ["outside_link.id"], name=op.f("fk_outside_sight_link_id")),
        sa.PrimaryKeyConstraint("link_id", name=op.f("pk_outside_sight")),
    )
    op.create_table(
        "outside_serial",
        sa.Column("movement_id", database.IdType(), nullable=False),
        sa.Column("link_id", database.IdType(), nullable=False),
        sa.Column("serial", sa.String(length=40), nullable=False),
        sa.Column(
            "direction",
            sa.Enum("OUT", "BACK", name="direction", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("length(serial) > 0", name=op.f("ck_outside_serial_serial_not_empty")),
        sa.ForeignKeyConstraint(["link_id"], ["outside_link.id"], name=op.f("fk_outside_serial_link_id")),
        sa.ForeignKeyConstraint(["movement_id"], ["outside_movement.id"], name=op.f("fk_outside_serial_movement_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outside_serial")),
        sa.UniqueConstraint("movement_id", "serial", name=op.f("uq_outside_serial_movement_id_serial")),
    )
    with op.batch_alter_table("outside_serial", schema=None) as batch_op:
        batch_op.create_index("ix_outside_serial_link_id", ["link_id", "serial"], unique=False)
