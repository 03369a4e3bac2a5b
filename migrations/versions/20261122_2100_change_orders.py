"""Change requests, change orders and the items they affect."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from engine import database

revision = "20261122_2100"
down_revision = "20261122_2090"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "change_order",
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column("site_id", database.IdType(), nullable=False),
        sa.Column(
            "change_class",
            sa.Enum("C3", "C4", "CE", name="change_class", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column(
            "type",
            sa.Enum(
                "PRODUCT",
                "PROCESS",
                "DOCUMENT",
                "SUPPLIER",
                "LOCATION",
                "SOFTWARE",
                name="type",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.String(length=20000), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "DRAFT",
                "IMPACT",
                "REVIEW",
                "APPROVED",
                "IMPLEMENTING",
                "VERIFYING",
                "CLOSED",
                "RETURNED",
                "REJECTED",
                "CONFLICT",
                "WITHDRAWN",
                "EMERGENCY_ACTIVE",
                "OVERDUE_HOLD",
                name="status",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("owner", sa.String(length=60), nullable=False),
        sa.Column("opened_by", sa.String(length=60), nullable=False),
        sa.Column(
            "effectivity_kind",
            sa.Enum(
                "DATE",
                "LOT",
                "SERIAL",
                "WO",
                "NEXT_BUILD",
                name="effectivity_kind",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=True,
        ),
        sa.Column("effectivity_value", sa.String(length=200), nullable=False),
        sa.Column("is_customer_approval_required", sa.Boolean(), nullable=False),
        sa.Column("customer_approval_ref", sa.String(length=200), nullable=False),
        sa.Column("regulator_notice", sa.String(length=200), nullable=False),
        sa.Column(
            "fai",
            sa.Enum("NONE", "DELTA", "FULL", name="fai", native_enum=False, create_constraint=True, length=40),
            nullable=True,
        ),
        sa.Column("is_revalidation_required", sa.Boolean(), nullable=False),
        sa.Column("is_training_required", sa.Boolean(), nullable=False),
        sa.Column("baseline_hash", sa.String(length=64), nullable=True),
        sa.Column("baseline_at", database.InstantType(), nullable=True),
        sa.Column("impact_hash", sa.String(length=64), nullable=True),
        sa.Column("content_hash", sa.String(length=64), nullable=True),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("expires_at", database.InstantType(), nullable=True),
        sa.Column("approved_at", database.InstantType(), nullable=True),
        sa.Column("effective_at", database.InstantType(), nullable=True),
        sa.Column("closed_at", database.InstantType(), nullable=True),
        sa.Column("ended_reason", sa.String(length=4000), nullable=False),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "change_class <> 'CE' OR expires_at IS NOT NULL", name=op.f("ck_change_order_emergency_expires")
        ),
        sa.CheckConstraint(
            "effectivity_kind IS NULL OR effectivity_kind = 'NEXT_BUILD' OR effectivity_value <> ''",
            name=op.f("ck_change_order_effectivity_has_a_value"),
        ),
        sa.CheckConstraint(
            "status <> 'APPROVED' OR content_hash IS NOT NULL", name=op.f("ck_change_order_approved_says_what")
        ),
        sa.CheckConstraint("round >= 0", name=op.f("ck_change_order_round_not_negative")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_change_order_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_change_order")),
        sa.UniqueConstraint("number", name=op.f("uq_change_order_number")),
    )
    with op.batch_alter_table("change_order", schema=None) as batch_op:
        batch_op.create_index("ix_change_order_status", ["status"], unique=False)

    op.create_table(
        "change_request",
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column("site_id", database.IdType(), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("originator", sa.String(length=60), nullable=False),
        sa.Column(
            "source",
            sa.Enum(
                "NCR",
                "CAPA",
                "CUSTOMER",
                "SUPPLIER_NOTICE",
                "COST",
                "OBSOLESCENCE",
                "REGULATORY",
                "DOC_ERROR",
                name="source",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("source_ref", sa.String(length=200), nullable=False),
        sa.Column("problem", sa.String(length=20000), nullable=False),
        sa.Column("proposal", sa.String(length=20000), nullable=False),
        sa.Column(
            "urgency",
            sa.Enum(
                "ROUTINE", "URGENT", "EMERGENCY", name="urgency", native_enum=False, create_constraint=True, length=40
            ),
            nullable=False,
        ),
        sa.Column(
            "proposed_class",
            sa.Enum("C3", "C4", "CE", name="proposed_class", native_enum=False, create_constraint=True, length=40),
            nullable=True,
        ),
        sa.Column(
            "status",
            sa.Enum(
                "DRAFT",
                "SUBMITTED",
                "TRIAGED",
                "ACCEPTED",
                "REJECTED",
                "DUPLICATE",
                "DEFERRED",
                "WITHDRAWN",
                name="status",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("duplicate_of_id", database.IdType(), nullable=True),
        sa.Column("submitted_at", database.InstantType(), nullable=True),
        sa.Column("decided_by", sa.String(length=60), nullable=True),
        sa.Column("decided_at", database.InstantType(), nullable=True),
        sa.Column("decision_reason", sa.String(length=4000), nullable=False),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(status = 'DUPLICATE') = (duplicate_of_id IS NOT NULL)",
            name=op.f("ck_change_request_duplicate_names_its_twin"),
        ),
        sa.CheckConstraint(
            "duplicate_of_id IS NULL OR duplicate_of_id <> id", name=op.f("ck_change_request_no_duplicate_of_itself")
        ),
        sa.ForeignKeyConstraint(
            ["duplicate_of_id"], ["change_request.id"], name=op.f("fk_change_request_duplicate_of_id")
        ),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_change_request_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_change_request")),
        sa.UniqueConstraint("number", name=op.f("uq_change_request_number")),
    )
    with op.batch_alter_table("change_request", schema=None) as batch_op:
        batch_op.create_index("ix_change_request_duplicate_of_id", ["duplicate_of_id"], unique=False)
        batch_op.create_index("ix_change_request_status", ["status"], unique=False)

    op.create_table(
        "change_order_addendum",
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column("change_order_id", database.IdType(), nullable=False),
        sa.Column("addendum_no", sa.Integer(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "EFFECTIVITY", "WITHDRAWAL", "DELTA", name="kind", native_enum=False, create_constraint=True, length=40
            ),
            nullable=False,
        ),
        sa.Column("reason", sa.String(length=4000), nullable=False),
        sa.Column("content", sa.String(length=20000), nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("proposed_by", sa.String(length=60), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "PROPOSED", "APPROVED", "DROPPED", name="status", native_enum=False, create_constraint=True, length=40
            ),
            nullable=False,
        ),
        sa.Column("approved_at", database.InstantType(), nullable=True),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("addendum_no > 0", name=op.f("ck_change_order_addendum_addendum_no_from_one")),
        sa.ForeignKeyConstraint(
            ["change_order_id"], ["change_order.id"], name=op.f("fk_change_order_addendum_change_order_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_change_order_addendum")),
        sa.UniqueConstraint(
            "change_order_id", "addendum_no", name=op.f("uq_change_order_addendum_change_order_id_addendum_no")
        ),
        sa.UniqueConstraint("number", name=op.f("uq_change_order_addendum_number")),
    )
    op.create_table(
        "change_order_request",
        sa.Column("change_order_id", database.IdType(), nullable=False),
        sa.Column("change_request_id", database.IdType(), nullable=False),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["change_order_id"], ["change_order.id"], name=op.f("fk_change_order_request_change_order_id")
        ),
        sa.ForeignKeyConstraint(
            ["change_request_id"], ["change_request.id"], name=op.f("fk_change_order_request_change_request_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_change_order_request")),
        sa.UniqueConstraint(
            "change_order_id",
            "change_request_id",
            name=op.f("uq_change_order_request_change_order_id_change_request_id"),
        ),
    )
    with op.batch_alter_table("change_order_request", schema=None) as batch_op:
        batch_op.create_index("ix_change_order_request_change_request_id", ["change_request_id"], unique=False)

    op.create_table(
        "change_request_edit",
        sa.Column("change_request_id", database.IdType(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("table_name", sa.String(length=40), nullable=False),
        sa.Column("row_id", sa.String(length=40), nullable=False),
        sa.Column("column_name", sa.String(length=40), nullable=False),
        sa.Column("about", sa.String(length=200), nullable=False),
        sa.Column("old_text", sa.String(length=20000), nullable=True),
        sa.Column("new_text", sa.String(length=20000), nullable=True),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("position > 0", name=op.f("ck_change_request_edit_position_from_one")),
        sa.ForeignKeyConstraint(
            ["change_request_id"], ["change_request.id"], name=op.f("fk_change_request_edit_change_request_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_change_request_edit")),
        sa.UniqueConstraint(
            "change_request_id", "position", name=op.f("uq_change_request_edit_change_request_id_position")
        ),
        sa.UniqueConstraint(
            "change_request_id",
            "table_name",
            "row_id",
            "column_name",
            name=op.f("uq_change_request_edit_change_request_id_table_name_row_id_column_name"),
        ),
    )
    with op.batch_alter_table("change_request_edit", schema=None) as batch_op:
        batch_op.create_index("ix_change_request_edit_row_id", ["row_id"], unique=False)

    op.create_table(
        "emergency_bound",
        sa.Column("change_order_id", database.IdType(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "DOCUMENT",
                "WORK_ORDER",
                "LOT",
                "SERIAL",
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("record_id", sa.String(length=60), nullable=False),
        sa.Column("first", sa.String(length=200), nullable=False),
        sa.Column("last", sa.String(length=200), nullable=False),
        sa.Column("max_quantity", database.Scaled(6), nullable=True),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "max_quantity IS NULL OR max_quantity > 0", name=op.f("ck_emergency_bound_max_quantity_positive")
        ),
        sa.CheckConstraint("position > 0", name=op.f("ck_emergency_bound_position_from_one")),
        sa.ForeignKeyConstraint(
            ["change_order_id"], ["change_order.id"], name=op.f("fk_emergency_bound_change_order_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_emergency_bound")),
        sa.UniqueConstraint("change_order_id", "position", name=op.f("uq_emergency_bound_change_order_id_position")),
    )
    op.create_table(
        "affected_item",
        sa.Column("change_order_id", database.IdType(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("part_revision_from_id", database.IdType(), nullable=False),
        sa.Column("part_revision_to_id", database.IdType(), nullable=True),
        sa.Column(
            "action",
            sa.Enum(
                "REVISE",
                "SUPERSEDE",
                "OBSOLETE",
                "DOC_ONLY",
                name="action",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column(
            "interchangeable",
            sa.Enum(
                "YES", "NO", "ONE_WAY", name="interchangeable", native_enum=False, create_constraint=True, length=40
            ),
            nullable=False,
        ),
        sa.Column("baseline", sa.String(length=20000), nullable=False),
        sa.Column("baseline_hash", sa.String(length=64), nullable=True),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(action IN ('REVISE', 'SUPERSEDE')) = (part_revision_to_id IS NOT NULL)",
            name=op.f("ck_affected_item_what_follows_is_named"),
        ),
        sa.CheckConstraint(
            "part_revision_to_id <> part_revision_from_id", name=op.f("ck_affected_item_follows_another")
        ),
        sa.CheckConstraint("position > 0", name=op.f("ck_affected_item_position_from_one")),
        sa.ForeignKeyConstraint(
            ["change_order_id"], ["change_order.id"], name=op.f("fk_affected_item_change_order_id")
        ),
        sa.ForeignKeyConstraint(
            ["part_revision_from_id"], ["part_revision.id"], name=op.f("fk_affected_item_part_revision_from_id")
        ),
        sa.ForeignKeyConstraint(
            ["part_revision_to_id"], ["part_revision.id"], name=op.f("fk_affected_item_part_revision_to_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_affected_item")),
        sa.UniqueConstraint(
            "change_order_id",
            "part_revision_from_id",
            name=op.f("uq_affected_item_change_order_id_part_revision_from_id"),
        ),
        sa.UniqueConstraint("change_order_id", "position", name=op.f("uq_affected_item_change_order_id_position")),
    )
    with op.batch_alter_table("affected_item", schema=None) as batch_op:
        batch_op.create_index("ix_affected_item_part_revision_from_id", ["part_revision_from_id"], unique=False)
        batch_op.create_index("ix_affected_item_part_revision_to_id", ["part_revision_to_id"], unique=False)

    op.create_table(
        "definition_lock",
        sa.Column("scope", sa.String(length=40), nullable=False),
        sa.Column("reason", sa.String(length=4000), nullable=False),
        sa.Column("locked_by", sa.String(length=60), nullable=False),
        sa.Column("locked_at", database.InstantType(), nullable=False),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_definition_lock")),
        sa.UniqueConstraint("scope", name=op.f("uq_definition_lock_scope")),
    )
