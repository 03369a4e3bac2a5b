"""Work orders with their operations, standards, resources, routings, actuals, nonconformances and deviation authorities."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from engine import database

revision = "20261122_2010"
down_revision = "20261122_2000"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "work_instruction",
        sa.Column("document_no", sa.String(length=40), nullable=False),
        sa.Column("rev", sa.String(length=40), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("system", sa.String(length=40), nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=True),
        sa.Column(
            "status",
            sa.Enum(
                "DRAFT", "RELEASED", "SUPERSEDED", name="status", native_enum=False, create_constraint=True, length=40
            ),
            nullable=False,
        ),
        sa.Column("released_at", database.InstantType(), nullable=True),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_work_instruction")),
        sa.UniqueConstraint("document_no", "rev", name=op.f("uq_work_instruction_document_no_rev")),
    )
    with op.batch_alter_table("work_instruction", schema=None) as batch_op:
        batch_op.create_index(
            "uq_work_instruction_one_released",
            ["document_no"],
            unique=True,
            sqlite_where=sa.text("status = 'RELEASED'"),
            postgresql_where=sa.text("status = 'RELEASED'"),
        )

    op.create_table(
        "work_centre",
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("site_id", database.IdType(), nullable=False),
        sa.Column("labour_rate", database.Scaled(4), nullable=False),
        sa.Column("machine_rate", database.Scaled(4), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("labour_rate >= 0 AND machine_rate >= 0", name=op.f("ck_work_centre_rates_not_negative")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_work_centre_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_work_centre")),
        sa.UniqueConstraint("code", name=op.f("uq_work_centre_code")),
    )
    op.create_table(
        "resource",
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column(
            "kind",
            sa.Enum("EQUIPMENT", "GAUGE", "PERSON", name="kind", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("work_centre_id", database.IdType(), nullable=True),
        sa.Column("user_id", sa.String(length=60), nullable=True),
        sa.Column("serial", sa.String(length=200), nullable=True),
        sa.Column("location", sa.String(length=200), nullable=False),
        sa.Column("is_validated", sa.Boolean(), nullable=False),
        sa.Column("calibration_interval_days", sa.Integer(), nullable=True),
        sa.Column("calibration_due", sa.Date(), nullable=True),
        sa.Column("last_good_on", sa.Date(), nullable=True),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("out_of_service", sa.String(length=4000), nullable=True),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "kind <> 'GAUGE' OR calibration_interval_days IS NOT NULL", name=op.f("ck_resource_gauges_are_calibrated")
        ),
        sa.CheckConstraint("kind = 'PERSON' OR user_id IS NULL", name=op.f("ck_resource_only_people_have_accounts")),
        sa.CheckConstraint(
            "calibration_interval_days IS NULL OR calibration_interval_days > 0",
            name=op.f("ck_resource_interval_positive"),
        ),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_resource_user_id")),
        sa.ForeignKeyConstraint(["work_centre_id"], ["work_centre.id"], name=op.f("fk_resource_work_centre_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_resource")),
        sa.UniqueConstraint("code", name=op.f("uq_resource_code")),
    )
    with op.batch_alter_table("resource", schema=None) as batch_op:
        batch_op.create_index("ix_resource_calibration_due", ["calibration_due"], unique=False)
        batch_op.create_index("ix_resource_user_id", ["user_id"], unique=False)

    op.create_table(
        "deviation_authority",
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column("site_id", database.IdType(), nullable=False),
        sa.Column("part_revision_id", database.IdType(), nullable=True),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("description", sa.String(length=20000), nullable=False),
        sa.Column("quantity", database.Scaled(6), nullable=False),
        sa.Column("uom", sa.String(length=40), nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=False),
        sa.Column("approved_by_id", sa.String(length=60), nullable=True),
        sa.Column("approved_at", database.InstantType(), nullable=True),
        sa.Column("customer_reference", sa.String(length=200), nullable=True),
        sa.Column(
            "status",
            sa.Enum(
                "DRAFT", "APPROVED", "WITHDRAWN", name="status", native_enum=False, create_constraint=True, length=40
            ),
            nullable=False,
        ),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "status <> 'APPROVED' OR approved_by_id IS NOT NULL",
            name=op.f("ck_deviation_authority_approved_says_by_whom"),
        ),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_deviation_authority_quantity_positive")),
        sa.ForeignKeyConstraint(
            ["approved_by_id"], ["user_account.id"], name=op.f("fk_deviation_authority_approved_by_id")
        ),
        sa.ForeignKeyConstraint(
            ["part_revision_id"], ["part_revision.id"], name=op.f("fk_deviation_authority_part_revision_id")
        ),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_deviation_authority_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deviation_authority")),
        sa.UniqueConstraint("number", name=op.f("uq_deviation_authority_number")),
    )
    op.create_table(
        "nonconformance",
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column("site_id", database.IdType(), nullable=False),
        sa.Column("about_type", sa.String(length=40), nullable=False),
        sa.Column("about_id", sa.String(length=60), nullable=False),
        sa.Column("about_number", sa.String(length=200), nullable=False),
        sa.Column("part_revision_id", database.IdType(), nullable=True),
        sa.Column("lot_no", sa.String(length=200), nullable=True),
        sa.Column("serials", sa.String(length=4000), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("description", sa.String(length=20000), nullable=False),
        sa.Column("quantity", database.Scaled(6), nullable=False),
        sa.Column("uom", sa.String(length=40), nullable=False),
        sa.Column("quantity_limit", database.Scaled(6), nullable=True),
        sa.Column("expires_on", sa.Date(), nullable=True),
        sa.Column(
            "disposition",
            sa.Enum(
                "USE_AS_IS",
                "REWORK",
                "REPAIR",
                "SCRAP",
                "RETURN",
                name="disposition",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=True,
        ),
        sa.Column("disposition_reason", sa.String(length=4000), nullable=False),
        sa.Column("disposed_by_id", sa.String(length=60), nullable=True),
        sa.Column("owner", sa.String(length=60), nullable=False),
        sa.Column("raised_at", database.InstantType(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "OPEN",
                "DISPOSED",
                "CLOSED",
                "CANCELLED",
                name="status",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "status IN ('OPEN', 'CANCELLED') OR disposition IS NOT NULL",
            name=op.f("ck_nonconformance_disposed_says_how"),
        ),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_nonconformance_quantity_positive")),
        sa.CheckConstraint(
            "quantity_limit IS NULL OR (quantity_limit > 0 AND quantity_limit <= quantity)",
            name=op.f("ck_nonconformance_limit_within_quantity"),
        ),
        sa.ForeignKeyConstraint(["disposed_by_id"], ["user_account.id"], name=op.f("fk_nonconformance_disposed_by_id")),
        sa.ForeignKeyConstraint(
            ["part_revision_id"], ["part_revision.id"], name=op.f("fk_nonconformance_part_revision_id")
        ),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_nonconformance_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_nonconformance")),
        sa.UniqueConstraint("number", name=op.f("uq_nonconformance_number")),
    )
    with op.batch_alter_table("nonconformance", schema=None) as batch_op:
        batch_op.create_index("ix_nonconformance_about", ["about_type", "about_id"], unique=False)
        batch_op.create_index("ix_nonconformance_status", ["status"], unique=False)

    op.create_table(
        "qualification",
        sa.Column("person_id", database.IdType(), nullable=False),
        sa.Column("process_code", sa.String(length=40), nullable=False),
        sa.Column("qualified_on", sa.Date(), nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=True),
        sa.Column("evidence", sa.String(length=200), nullable=False),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "expires_on IS NULL OR expires_on >= qualified_on", name=op.f("ck_qualification_expires_after_it_begins")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["resource.id"], name=op.f("fk_qualification_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_qualification")),
        sa.UniqueConstraint(
            "person_id",
            "process_code",
            "qualified_on",
            name=op.f("uq_qualification_person_id_process_code_qualified_on"),
        ),
    )
    op.create_table(
        "routing_operation",
        sa.Column("part_revision_id", database.IdType(), nullable=False),
        sa.Column("op_no", sa.Integer(), nullable=False),
        sa.Column("description", sa.String(length=4000), nullable=False),
        sa.Column(
            "kind",
            sa.Enum("INTERNAL", "OUTSIDE", name="kind", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("work_centre_id", database.IdType(), nullable=True),
        sa.Column("process_code", sa.String(length=40), nullable=True),
        sa.Column("is_special", sa.Boolean(), nullable=False),
        sa.Column("spec", sa.String(length=40), nullable=True),
        sa.Column("spec_rev", sa.String(length=40), nullable=True),
        sa.Column("instruction", sa.String(length=40), nullable=True),
        sa.Column("setup_minutes", database.Scaled(6), nullable=False),
        sa.Column("run_minutes", database.Scaled(6), nullable=False),
        sa.Column("is_certificate_required", sa.Boolean(), nullable=False),
        sa.Column("is_inspected_after", sa.Boolean(), nullable=False),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "kind = 'INTERNAL' OR process_code IS NOT NULL", name=op.f("ck_routing_operation_outside_names_its_process")
        ),
        sa.CheckConstraint(
            "kind = 'OUTSIDE' OR work_centre_id IS NOT NULL",
            name=op.f("ck_routing_operation_inside_names_its_work_centre"),
        ),
        sa.CheckConstraint("op_no > 0", name=op.f("ck_routing_operation_op_no_positive")),
        sa.CheckConstraint(
            "setup_minutes >= 0 AND run_minutes >= 0", name=op.f("ck_routing_operation_times_not_negative")
        ),
        sa.ForeignKeyConstraint(
            ["part_revision_id"], ["part_revision.id"], name=op.f("fk_routing_operation_part_revision_id")
        ),
        sa.ForeignKeyConstraint(
            ["work_centre_id"], ["work_centre.id"], name=op.f("fk_routing_operation_work_centre_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_routing_operation")),
        sa.UniqueConstraint("part_revision_id", "op_no", name=op.f("uq_routing_operation_part_revision_id_op_no")),
    )
    op.create_table(
        "work_order",
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column("system", sa.String(length=40), nullable=False),
        sa.Column("native_id", sa.String(length=200), nullable=False),
        sa.Column(
            "type",
            sa.Enum(
                "PRODUCTION",
                "REWORK",
                "DEVIATION",
                "PREVENTIVE",
                "CORRECTIVE",
                "CALIBRATION",
                "QUALIFICATION",
                "FIELD_SERVICE",
                name="type",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("site_id", database.IdType(), nullable=False),
        sa.Column("part_revision_id", database.IdType(), nullable=True),
        sa.Column("resource_id", database.IdType(), nullable=True),
        sa.Column("serial", sa.String(length=200), nullable=True),
        sa.Column("quantity", database.Scaled(6), nullable=False),
        sa.Column("uom", sa.String(length=40), nullable=False),
        sa.Column("planned_start", sa.Date(), nullable=True),
        sa.Column("planned_finish", sa.Date(), nullable=True),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("project", sa.String(length=200), nullable=True),
        sa.Column("planned_order_ref", sa.String(length=200), nullable=True),
        sa.Column("parent_id", database.IdType(), nullable=True),
        sa.Column("nonconformance_id", database.IdType(), nullable=True),
        sa.Column("deviation_id", database.IdType(), nullable=True),
        sa.Column("due_rule", sa.String(length=200), nullable=False),
        sa.Column("is_shutdown", sa.Boolean(), nullable=False),
        sa.Column("customer", sa.String(length=200), nullable=True),
        sa.Column("service_location", sa.String(length=200), nullable=True),
        sa.Column("crew_supplier_id", database.IdType(), nullable=True),
        sa.Column("contract_ref", sa.String(length=200), nullable=True),
        sa.Column("description", sa.String(length=20000), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "PLANNED",
                "FIRM",
                "RELEASED",
                "IN_PROCESS",
                "COMPLETE",
                "CLOSED",
                "ON_HOLD",
                "SPLIT",
                "CANCELLED",
                name="status",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("approved_hash", sa.String(length=64), nullable=True),
        sa.Column("snapshot", sa.Text(), nullable=True),
        sa.Column("snapshot_hash", sa.String(length=64), nullable=True),
        sa.Column("standard_cost", database.Scaled(4), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("released_at", database.InstantType(), nullable=True),
        sa.Column("completed_at", database.InstantType(), nullable=True),
        sa.Column("closed_at", database.InstantType(), nullable=True),
        sa.Column("accepted_by_id", sa.String(length=60), nullable=True),
        sa.Column(
            "calibration_result",
            sa.Enum(
                "IN_TOLERANCE",
                "OUT_OF_TOLERANCE",
                name="calibration_result",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=True,
        ),
        sa.Column("hold_reason", sa.String(length=4000), nullable=True),
        sa.Column(
            "held_from",
            sa.Enum(
                "PLANNED",
                "FIRM",
                "RELEASED",
                "IN_PROCESS",
                "COMPLETE",
                "CLOSED",
                "ON_HOLD",
                "SPLIT",
                "CANCELLED",
                name="held_from",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=True,
        ),
        sa.Column("hold_owner", sa.String(length=60), nullable=True),
        sa.Column(
            "origin",
            sa.Enum("LOCKSTEP", "ERP", name="origin", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(status = 'ON_HOLD') = (held_from IS NOT NULL)", name=op.f("ck_work_order_hold_knows_where_from")
        ),
        sa.CheckConstraint(
            "(system = 'LOCKSTEP') = (origin = 'LOCKSTEP')", name=op.f("ck_work_order_origin_fits_system")
        ),
        sa.CheckConstraint(
            "origin = 'ERP' OR status IN ('PLANNED', 'FIRM', 'CANCELLED') OR snapshot_hash IS NOT NULL",
            name=op.f("ck_work_order_released_has_a_snapshot"),
        ),
        sa.CheckConstraint(
            "type <> 'DEVIATION' OR deviation_id IS NOT NULL", name=op.f("ck_work_order_deviation_names_its_authority")
        ),
        sa.CheckConstraint(
            "type <> 'FIELD_SERVICE' OR (customer IS NOT NULL AND serial IS NOT NULL AND service_location IS NOT NULL)",
            name=op.f("ck_work_order_service_names_customer_serial_and_place"),
        ),
        sa.CheckConstraint(
            "type <> 'PREVENTIVE' OR length(due_rule) > 0", name=op.f("ck_work_order_preventive_says_when_due")
        ),
        sa.CheckConstraint(
            "type <> 'REWORK' OR nonconformance_id IS NOT NULL OR deviation_id IS NOT NULL",
            name=op.f("ck_work_order_rework_names_its_cause"),
        ),
        sa.CheckConstraint(
            "type NOT IN ('PREVENTIVE', 'CORRECTIVE', 'CALIBRATION', 'QUALIFICATION') OR resource_id IS NOT NULL",
            name=op.f("ck_work_order_maintenance_names_its_asset"),
        ),
        sa.CheckConstraint(
            "type NOT IN ('PRODUCTION', 'REWORK', 'DEVIATION') OR part_revision_id IS NOT NULL",
            name=op.f("ck_work_order_names_its_part"),
        ),
        sa.CheckConstraint("(held_from IS NULL) = (hold_reason IS NULL)", name=op.f("ck_work_order_hold_has_a_reason")),
        sa.CheckConstraint(
            "(snapshot IS NULL) = (snapshot_hash IS NULL)", name=op.f("ck_work_order_snapshot_has_a_hash")
        ),
        sa.CheckConstraint("parent_id IS NULL OR parent_id <> id", name=op.f("ck_work_order_parent_is_another")),
        sa.CheckConstraint(
            "planned_finish IS NULL OR planned_start IS NULL OR planned_finish >= planned_start",
            name=op.f("ck_work_order_finish_after_start"),
        ),
        sa.CheckConstraint("priority BETWEEN 1 AND 9", name=op.f("ck_work_order_priority_one_to_nine")),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_work_order_quantity_positive")),
        sa.CheckConstraint(
            "standard_cost IS NULL OR standard_cost >= 0", name=op.f("ck_work_order_standard_cost_not_negative")
        ),
        sa.ForeignKeyConstraint(["accepted_by_id"], ["user_account.id"], name=op.f("fk_work_order_accepted_by_id")),
        sa.ForeignKeyConstraint(["crew_supplier_id"], ["supplier.id"], name=op.f("fk_work_order_crew_supplier_id")),
        sa.ForeignKeyConstraint(["deviation_id"], ["deviation_authority.id"], name=op.f("fk_work_order_deviation_id")),
        sa.ForeignKeyConstraint(
            ["nonconformance_id"], ["nonconformance.id"], name=op.f("fk_work_order_nonconformance_id")
        ),
        sa.ForeignKeyConstraint(["parent_id"], ["work_order.id"], name=op.f("fk_work_order_parent_id")),
        sa.ForeignKeyConstraint(
            ["part_revision_id"], ["part_revision.id"], name=op.f("fk_work_order_part_revision_id")
        ),
        sa.ForeignKeyConstraint(["resource_id"], ["resource.id"], name=op.f("fk_work_order_resource_id")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_work_order_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_work_order")),
        sa.UniqueConstraint("system", "native_id", name=op.f("uq_work_order_system_native_id")),
    )
    with op.batch_alter_table("work_order", schema=None) as batch_op:
        batch_op.create_index("ix_work_order_nonconformance_id", ["nonconformance_id"], unique=False)
        batch_op.create_index("ix_work_order_number", ["number"], unique=False)
        batch_op.create_index("ix_work_order_parent_id", ["parent_id"], unique=False)
        batch_op.create_index("ix_work_order_part_revision_id", ["part_revision_id"], unique=False)
        batch_op.create_index("ix_work_order_resource_id", ["resource_id"], unique=False)
        batch_op.create_index("ix_work_order_status", ["status"], unique=False)

    op.create_table(
        "service_record",
        sa.Column("work_order_id", database.IdType(), nullable=False),
        sa.Column("udi", sa.String(length=200), nullable=False),
        sa.Column("serviced_on", sa.Date(), nullable=True),
        sa.Column("performed_by", sa.String(length=200), nullable=False),
        sa.Column("work_done", sa.String(length=20000), nullable=False),
        sa.Column("test_data", sa.String(length=20000), nullable=False),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["work_order_id"], ["work_order.id"], name=op.f("fk_service_record_work_order_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_service_record")),
        sa.UniqueConstraint("work_order_id", name=op.f("uq_service_record_work_order_id")),
    )
    op.create_table(
        "standard_cost",
        sa.Column("work_order_id", database.IdType(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "MATERIAL",
                "LABOUR",
                "MACHINE",
                "OUTSIDE",
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("item", sa.String(length=40), nullable=False),
        sa.Column("quantity", database.Scaled(6), nullable=False),
        sa.Column("uom", sa.String(length=40), nullable=False),
        sa.Column("unit_cost", database.Scaled(4), nullable=False),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("quantity >= 0", name=op.f("ck_standard_cost_quantity_not_negative")),
        sa.CheckConstraint("unit_cost >= 0", name=op.f("ck_standard_cost_unit_cost_not_negative")),
        sa.ForeignKeyConstraint(["work_order_id"], ["work_order.id"], name=op.f("fk_standard_cost_work_order_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_standard_cost")),
        sa.UniqueConstraint("work_order_id", "kind", "item", name=op.f("uq_standard_cost_work_order_id_kind_item")),
    )
    op.create_table(
        "work_order_operation",
        sa.Column("work_order_id", database.IdType(), nullable=False),
        sa.Column("op_no", sa.Integer(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum("INTERNAL", "OUTSIDE", name="kind", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("description", sa.String(length=4000), nullable=False),
        sa.Column("work_centre_id", database.IdType(), nullable=True),
        sa.Column("supplier_id", database.IdType(), nullable=True),
        sa.Column("process_code", sa.String(length=40), nullable=True),
        sa.Column("is_special", sa.Boolean(), nullable=False),
        sa.Column("spec", sa.String(length=40), nullable=True),
        sa.Column("spec_rev", sa.String(length=40), nullable=True),
        sa.Column("instruction", sa.String(length=40), nullable=True),
        sa.Column("instruction_rev", sa.String(length=40), nullable=True),
        sa.Column("setup_minutes", database.Scaled(6), nullable=False),
        sa.Column("run_minutes", database.Scaled(6), nullable=False),
        sa.Column("is_certificate_required", sa.Boolean(), nullable=False),
        sa.Column("is_inspected_after", sa.Boolean(), nullable=False),
        sa.Column("planned_start", sa.Date(), nullable=True),
        sa.Column("planned_finish", sa.Date(), nullable=True),
        sa.Column(
            "status",
            sa.Enum(
                "WAITING",
                "READY",
                "STARTED",
                "COMPLETE",
                "AT_SUPPLIER",
                "RETURNED_PENDING",
                "ON_HOLD",
                "SKIPPED_BY_DEVIATION",
                name="status",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("quantity_in", database.Scaled(6), nullable=True),
        sa.Column("good", database.Scaled(6), nullable=False),
        sa.Column("scrap", database.Scaled(6), nullable=False),
        sa.Column("rework", database.Scaled(6), nullable=False),
        sa.Column("equipment_id", database.IdType(), nullable=True),
        sa.Column("performer_id", database.IdType(), nullable=True),
        sa.Column("started_at", database.InstantType(), nullable=True),
        sa.Column("completed_at", database.InstantType(), nullable=True),
        sa.Column("deviation_id", database.IdType(), nullable=True),
        sa.Column("waiver_signature_id", database.IdType(), nullable=True),
        sa.Column("hold_reason", sa.String(length=4000), nullable=True),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "kind = 'INTERNAL' OR process_code IS NOT NULL",
            name=op.f("ck_work_order_operation_outside_names_its_process"),
        ),
        sa.CheckConstraint(
            "status <> 'SKIPPED_BY_DEVIATION' OR (deviation_id IS NOT NULL AND waiver_signature_id IS NOT NULL)",
            name=op.f("ck_work_order_operation_skipped_by_a_signed_deviation"),
        ),
        sa.CheckConstraint(
            "good >= 0 AND scrap >= 0 AND rework >= 0", name=op.f("ck_work_order_operation_quantities_not_negative")
        ),
        sa.CheckConstraint("length(description) > 0", name=op.f("ck_work_order_operation_says_what")),
        sa.CheckConstraint("op_no > 0", name=op.f("ck_work_order_operation_op_no_positive")),
        sa.CheckConstraint(
            "quantity_in IS NOT NULL OR good + scrap + rework = 0",
            name=op.f("ck_work_order_operation_nothing_out_of_nothing"),
        ),
        sa.CheckConstraint(
            "quantity_in IS NULL OR (quantity_in >= 0 AND good + scrap + rework <= quantity_in)",
            name=op.f("ck_work_order_operation_no_more_out_than_in"),
        ),
        sa.ForeignKeyConstraint(
            ["deviation_id"], ["deviation_authority.id"], name=op.f("fk_work_order_operation_deviation_id")
        ),
        sa.ForeignKeyConstraint(["equipment_id"], ["resource.id"], name=op.f("fk_work_order_operation_equipment_id")),
        sa.ForeignKeyConstraint(["performer_id"], ["resource.id"], name=op.f("fk_work_order_operation_performer_id")),
        sa.ForeignKeyConstraint(["supplier_id"], ["supplier.id"], name=op.f("fk_work_order_operation_supplier_id")),
        sa.ForeignKeyConstraint(
            ["waiver_signature_id"], ["signature.id"], name=op.f("fk_work_order_operation_waiver_signature_id")
        ),
        sa.ForeignKeyConstraint(
            ["work_centre_id"], ["work_centre.id"], name=op.f("fk_work_order_operation_work_centre_id")
        ),
        sa.ForeignKeyConstraint(
            ["work_order_id"], ["work_order.id"], name=op.f("fk_work_order_operation_work_order_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_work_order_operation")),
        sa.UniqueConstraint("work_order_id", "op_no", name=op.f("uq_work_order_operation_work_order_id_op_no")),
    )
    with op.batch_alter_table("work_order_operation", schema=None) as batch_op:
        batch_op.create_index("ix_work_order_operation_status", ["status"], unique=False)

    op.create_table(
        "actual",
        sa.Column("work_order_id", database.IdType(), nullable=False),
        sa.Column("operation_id", database.IdType(), nullable=True),
        sa.Column(
            "kind",
            sa.Enum(
                "LABOUR",
                "MACHINE",
                "MATERIAL",
                "OUTSIDE",
                "PROCESS",
                "QUANTITY",
                "OPERATION_STARTED",
                "OPERATION_COMPLETED",
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("source_system", sa.String(length=40), nullable=False),
        sa.Column("source_event_id", sa.String(length=200), nullable=False),
        sa.Column("event_time", database.InstantType(), nullable=False),
        sa.Column("received_at", database.InstantType(), nullable=False),
        sa.Column("performer", sa.String(length=200), nullable=False),
        sa.Column("performer_id", database.IdType(), nullable=True),
        sa.Column("resource_id", database.IdType(), nullable=True),
        sa.Column("quantity", database.Scaled(6), nullable=True),
        sa.Column("uom", sa.String(length=40), nullable=True),
        sa.Column("item", sa.String(length=40), nullable=True),
        sa.Column("lot_no", sa.String(length=200), nullable=True),
        sa.Column("lot_id", database.IdType(), nullable=True),
        sa.Column("unit_cost", database.Scaled(4), nullable=True),
        sa.Column("amount", database.Scaled(4), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("order_line_id", database.IdType(), nullable=True),
        sa.Column("contract_ref", sa.String(length=200), nullable=True),
        sa.Column("name", sa.String(length=200), nullable=True),
        sa.Column("value", database.Scaled(6), nullable=True),
        sa.Column("text_value", sa.String(length=4000), nullable=True),
        sa.Column("unit", sa.String(length=40), nullable=True),
        sa.Column("lower", database.Scaled(6), nullable=True),
        sa.Column("upper", database.Scaled(6), nullable=True),
        sa.Column("good", database.Scaled(6), nullable=True),
        sa.Column("scrap", database.Scaled(6), nullable=True),
        sa.Column("rework", database.Scaled(6), nullable=True),
        sa.Column("serials", sa.String(length=4000), nullable=False),
        sa.Column("reverses_id", database.IdType(), nullable=True),
        sa.Column("reason", sa.String(length=4000), nullable=False),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("kind <> 'PROCESS' OR name IS NOT NULL", name=op.f("ck_actual_process_data_has_a_name")),
        sa.CheckConstraint(
            "kind NOT IN ('LABOUR', 'MACHINE', 'MATERIAL', 'OUTSIDE') OR (quantity IS NOT NULL AND uom IS NOT NULL)",
            name=op.f("ck_actual_costed_has_a_quantity"),
        ),
        sa.CheckConstraint("(reverses_id IS NULL) = (length(reason) = 0)", name=op.f("ck_actual_reversal_says_why")),
        sa.CheckConstraint("(unit_cost IS NULL) = (amount IS NULL)", name=op.f("ck_actual_amount_with_its_unit_cost")),
        sa.CheckConstraint("lower IS NULL OR upper IS NULL OR lower <= upper", name=op.f("ck_actual_limits_in_order")),
        sa.CheckConstraint(
            "quantity IS NULL OR (reverses_id IS NULL AND quantity > 0) OR (reverses_id IS NOT NULL AND quantity < 0)",
            name=op.f("ck_actual_only_reversals_are_negative"),
        ),
        sa.ForeignKeyConstraint(["operation_id"], ["work_order_operation.id"], name=op.f("fk_actual_operation_id")),
        sa.ForeignKeyConstraint(["order_line_id"], ["purchase_order_line.id"], name=op.f("fk_actual_order_line_id")),
        sa.ForeignKeyConstraint(["performer_id"], ["resource.id"], name=op.f("fk_actual_performer_id")),
        sa.ForeignKeyConstraint(["resource_id"], ["resource.id"], name=op.f("fk_actual_resource_id")),
        sa.ForeignKeyConstraint(["reverses_id"], ["actual.id"], name=op.f("fk_actual_reverses_id")),
        sa.ForeignKeyConstraint(["work_order_id"], ["work_order.id"], name=op.f("fk_actual_work_order_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_actual")),
        sa.UniqueConstraint("reverses_id", name=op.f("uq_actual_reverses_id")),
        sa.UniqueConstraint("source_system", "source_event_id", name=op.f("uq_actual_source_system_source_event_id")),
    )
    with op.batch_alter_table("actual", schema=None) as batch_op:
        batch_op.create_index("ix_actual_lot_no", ["lot_no"], unique=False)
        batch_op.create_index("ix_actual_operation_id", ["operation_id"], unique=False)
        batch_op.create_index("ix_actual_resource_id", ["resource_id"], unique=False)
        batch_op.create_index("ix_actual_work_order_id", ["work_order_id", "event_time"], unique=False)
