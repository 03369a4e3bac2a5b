"""What is known of suppliers: sub-tiers, scores, screenings, laboratory scopes, stock at their places."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from engine import database

revision = "20261122_2070"
down_revision = "20261122_2060"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "supplier_score",
        sa.Column("supplier_id", database.IdType(), nullable=False),
        sa.Column("scored_on", sa.Date(), nullable=False),
        sa.Column("window_from", sa.Date(), nullable=False),
        sa.Column("window_to", sa.Date(), nullable=False),
        sa.Column("pieces_received", database.Scaled(6), nullable=False),
        sa.Column("pieces_rejected", database.Scaled(6), nullable=False),
        sa.Column("ppm", database.Scaled(6), nullable=True),
        sa.Column("deliveries", sa.Integer(), nullable=False),
        sa.Column("early", sa.Integer(), nullable=False),
        sa.Column("on_time", sa.Integer(), nullable=False),
        sa.Column("late", sa.Integer(), nullable=False),
        sa.Column("worst_days_late", sa.Integer(), nullable=False),
        sa.Column("on_time_percent", database.Scaled(6), nullable=True),
        sa.Column(
            "grade",
            sa.Enum("GOOD", "LOW", "TOO_FEW", name="grade", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("judged_by", sa.String(length=64), nullable=False),
        sa.Column("rule_row", sa.Integer(), nullable=False),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("deliveries = early + on_time + late", name=op.f("ck_supplier_score_deliveries_add_up")),
        sa.CheckConstraint(
            "pieces_rejected BETWEEN 0 AND pieces_received", name=op.f("ck_supplier_score_rejected_within_received")
        ),
        sa.CheckConstraint("window_to >= window_from", name=op.f("ck_supplier_score_window_in_order")),
        sa.ForeignKeyConstraint(["supplier_id"], ["supplier.id"], name=op.f("fk_supplier_score_supplier_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_supplier_score")),
    )
    op.create_index("ix_supplier_score_supplier_id", "supplier_score", ["supplier_id", "scored_on"], unique=False)
    op.create_table(
        "supplier_screening",
        sa.Column("supplier_id", database.IdType(), nullable=False),
        sa.Column("screened_on", sa.Date(), nullable=False),
        sa.Column(
            "result",
            sa.Enum("CLEAR", "POSSIBLE", "MATCH", name="result", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.Column("reference", sa.String(length=200), nullable=False),
        sa.Column("note", sa.String(length=4000), nullable=False),
        sa.Column("source_system", sa.String(length=40), nullable=False),
        sa.Column("source_event_id", sa.String(length=200), nullable=False),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "result = 'CLEAR' OR length(note) > 0", name=op.f("ck_supplier_screening_a_hit_is_explained")
        ),
        sa.CheckConstraint("length(source) > 0", name=op.f("ck_supplier_screening_names_its_source")),
        sa.ForeignKeyConstraint(["supplier_id"], ["supplier.id"], name=op.f("fk_supplier_screening_supplier_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_supplier_screening")),
        sa.UniqueConstraint(
            "source_system", "source_event_id", name=op.f("uq_supplier_screening_source_system_source_event_id")
        ),
    )
    op.create_index(
        "ix_supplier_screening_supplier_id", "supplier_screening", ["supplier_id", "screened_on"], unique=False
    )
    op.create_table(
        "first_article_decision",
        sa.Column("supplier_id", database.IdType(), nullable=False),
        sa.Column("supplier_site_id", database.IdType(), nullable=True),
        sa.Column("part_id", database.IdType(), nullable=True),
        sa.Column("process_code", sa.String(length=40), nullable=True),
        sa.Column(
            "cause",
            sa.Enum(
                "NEW_SOURCE",
                "NEW_SITE",
                "GAP",
                "PROCESS_CHANGE",
                name="cause",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column(
            "scope",
            sa.Enum("FULL", "DELTA", "NONE", name="scope", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("reason", sa.String(length=4000), nullable=False),
        sa.Column("decided_on", sa.Date(), nullable=False),
        sa.Column("decided_by", sa.String(length=60), nullable=False),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(part_id IS NULL) <> (process_code IS NULL)", name=op.f("ck_first_article_decision_of_a_part_or_a_process")
        ),
        sa.CheckConstraint("length(reason) > 0", name=op.f("ck_first_article_decision_has_a_reason")),
        sa.ForeignKeyConstraint(["decided_by"], ["user_account.id"], name=op.f("fk_first_article_decision_decided_by")),
        sa.ForeignKeyConstraint(["part_id"], ["part.id"], name=op.f("fk_first_article_decision_part_id")),
        sa.ForeignKeyConstraint(
            ["process_code"], ["outside_process.code"], name=op.f("fk_first_article_decision_process_code")
        ),
        sa.ForeignKeyConstraint(["supplier_id"], ["supplier.id"], name=op.f("fk_first_article_decision_supplier_id")),
        sa.ForeignKeyConstraint(
            ["supplier_site_id"], ["supplier_site.id"], name=op.f("fk_first_article_decision_supplier_site_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_first_article_decision")),
    )
    op.create_index("ix_first_article_decision_supplier_id", "first_article_decision", ["supplier_id"], unique=False)
    op.create_table(
        "supplier_change_notice",
        sa.Column("supplier_id", database.IdType(), nullable=False),
        sa.Column("supplier_site_id", database.IdType(), nullable=True),
        sa.Column(
            "kind",
            sa.Enum(
                "PROCESS",
                "SITE",
                "MATERIAL",
                "SUB_TIER",
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("part_id", database.IdType(), nullable=True),
        sa.Column("process_code", sa.String(length=40), nullable=True),
        sa.Column("noticed_on", sa.Date(), nullable=False),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.Column("statement", sa.String(length=4000), nullable=False),
        sa.Column("source_system", sa.String(length=40), nullable=False),
        sa.Column("source_event_id", sa.String(length=200), nullable=False),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("length(statement) > 0", name=op.f("ck_supplier_change_notice_says_what")),
        sa.ForeignKeyConstraint(["part_id"], ["part.id"], name=op.f("fk_supplier_change_notice_part_id")),
        sa.ForeignKeyConstraint(
            ["process_code"], ["outside_process.code"], name=op.f("fk_supplier_change_notice_process_code")
        ),
        sa.ForeignKeyConstraint(["supplier_id"], ["supplier.id"], name=op.f("fk_supplier_change_notice_supplier_id")),
        sa.ForeignKeyConstraint(
            ["supplier_site_id"], ["supplier_site.id"], name=op.f("fk_supplier_change_notice_supplier_site_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_supplier_change_notice")),
        sa.UniqueConstraint(
            "source_system", "source_event_id", name=op.f("uq_supplier_change_notice_source_system_source_event_id")
        ),
    )
    op.create_index("ix_supplier_change_notice_supplier_id", "supplier_change_notice", ["supplier_id"], unique=False)
    op.create_table(
        "approval_recheck",
        sa.Column("approval_id", database.IdType(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column(
            "status",
            sa.Enum("DUE", "CONFIRMED", "REFUTED", name="status", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("done_by", sa.String(length=60), nullable=True),
        sa.Column("done_on", sa.Date(), nullable=True),
        sa.Column("note", sa.String(length=4000), nullable=False),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("(status = 'DUE') = (done_by IS NULL)", name=op.f("ck_approval_recheck_done_by_somebody")),
        sa.CheckConstraint("status = 'DUE' OR length(note) > 0", name=op.f("ck_approval_recheck_says_what_was_found")),
        sa.CheckConstraint("(done_by IS NULL) = (done_on IS NULL)", name=op.f("ck_approval_recheck_done_on_a_day")),
        sa.ForeignKeyConstraint(
            ["approval_id"], ["supplier_approval.id"], name=op.f("fk_approval_recheck_approval_id")
        ),
        sa.ForeignKeyConstraint(["done_by"], ["user_account.id"], name=op.f("fk_approval_recheck_done_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approval_recheck")),
        sa.UniqueConstraint("approval_id", "due_on", name=op.f("uq_approval_recheck_approval_id_due_on")),
    )
    op.create_index("ix_approval_recheck_status", "approval_recheck", ["status"], unique=False)
    op.create_table(
        "observed_stock",
        sa.Column("system", sa.String(length=40), nullable=False),
        sa.Column("native_id", sa.String(length=200), nullable=False),
        sa.Column("supplier_id", database.IdType(), nullable=False),
        sa.Column("location", sa.String(length=200), nullable=False),
        sa.Column("work_order_number", sa.String(length=200), nullable=False),
        sa.Column("work_order_id", database.IdType(), nullable=True),
        sa.Column("item", sa.String(length=200), nullable=False),
        sa.Column("quantity", database.Scaled(6), nullable=False),
        sa.Column("uom", sa.String(length=40), nullable=False),
        sa.Column("observed_at", database.InstantType(), nullable=False),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("quantity >= 0", name=op.f("ck_observed_stock_quantity_not_negative")),
        sa.ForeignKeyConstraint(["supplier_id"], ["supplier.id"], name=op.f("fk_observed_stock_supplier_id")),
        sa.ForeignKeyConstraint(["work_order_id"], ["work_order.id"], name=op.f("fk_observed_stock_work_order_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_observed_stock")),
        sa.UniqueConstraint("system", "native_id", name=op.f("uq_observed_stock_system_native_id")),
    )
    op.create_index("ix_observed_stock_supplier_id", "observed_stock", ["supplier_id"], unique=False)
    op.create_index("ix_observed_stock_work_order_id", "observed_stock", ["work_order_id"], unique=False)
    op.create_table(
        "sub_tier",
        sa.Column("supplier_id", database.IdType(), nullable=False),
        sa.Column("sub_tier_supplier_id", database.IdType(), nullable=True),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("address", sa.String(length=4000), nullable=False),
        sa.Column("process_code", sa.String(length=40), nullable=False),
        sa.Column("spec", sa.String(length=40), nullable=True),
        sa.Column("approval_id", database.IdType(), nullable=True),
        sa.Column("order_line_id", database.IdType(), nullable=True),
        sa.Column("certificate_no", sa.String(length=40), nullable=True),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column(
            "declarant",
            sa.Enum(
                "SUPPLIER", "BUYER", "QUALITY", name="declarant", native_enum=False, create_constraint=True, length=40
            ),
            nullable=False,
        ),
        sa.Column("declared_on", sa.Date(), nullable=False),
        sa.Column("note", sa.String(length=4000), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "DECLARED",
                "APPROVED",
                "REFUSED",
                "ENDED",
                name="status",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("approved_signature_id", database.IdType(), nullable=True),
        sa.Column("source_system", sa.String(length=40), nullable=False),
        sa.Column("source_event_id", sa.String(length=200), nullable=False),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "status <> 'APPROVED' OR approved_signature_id IS NOT NULL", name=op.f("ck_sub_tier_approved_is_signed")
        ),
        sa.CheckConstraint("length(name) > 0", name=op.f("ck_sub_tier_is_named")),
        sa.CheckConstraint(
            "sub_tier_supplier_id IS NULL OR sub_tier_supplier_id <> supplier_id", name=op.f("ck_sub_tier_is_another")
        ),
        sa.ForeignKeyConstraint(["approval_id"], ["supplier_approval.id"], name=op.f("fk_sub_tier_approval_id")),
        sa.ForeignKeyConstraint(
            ["approved_signature_id"], ["signature.id"], name=op.f("fk_sub_tier_approved_signature_id")
        ),
        sa.ForeignKeyConstraint(["order_line_id"], ["purchase_order_line.id"], name=op.f("fk_sub_tier_order_line_id")),
        sa.ForeignKeyConstraint(["process_code"], ["outside_process.code"], name=op.f("fk_sub_tier_process_code")),
        sa.ForeignKeyConstraint(
            ["sub_tier_supplier_id"], ["supplier.id"], name=op.f("fk_sub_tier_sub_tier_supplier_id")
        ),
        sa.ForeignKeyConstraint(["supplier_id"], ["supplier.id"], name=op.f("fk_sub_tier_supplier_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sub_tier")),
        sa.UniqueConstraint("source_system", "source_event_id", name=op.f("uq_sub_tier_source_system_source_event_id")),
    )
    op.create_index("ix_sub_tier_supplier_id", "sub_tier", ["supplier_id"], unique=False)
    op.add_column("supplier_approval", sa.Column("certificate_expires_on", sa.Date(), nullable=True))
    # In one statement on either database: SQLite adds no constraint to a table that is there, but a column with one.
    op.execute(
        "ALTER TABLE supplier_approval ADD COLUMN cycle_months INTEGER"
        " CONSTRAINT ck_supplier_approval_cycle_positive CHECK (cycle_months IS NULL OR cycle_months > 0)"
    )
    op.add_column("supplier_approval", sa.Column("accreditation_no", sa.String(length=40), nullable=True))
    op.add_column("supplier_approval", sa.Column("accreditation_body", sa.String(length=200), nullable=True))
    op.add_column("supplier_approval", sa.Column("discipline", sa.String(length=200), nullable=True))
    op.add_column("supplier_approval", sa.Column("measuring_range", sa.String(length=200), nullable=True))
