"""Receipts, inspections, certificates, invoices and their match."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from engine import database

revision = "20261122_2030"
down_revision = "20261122_2020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables of goods and bills, and let order lines say what an ERP had received before."""
    op.create_table(
        "invoice",
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "INVOICE",
                "CREDIT_NOTE",
                "DEBIT_NOTE",
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("supplier_id", database.IdType(), nullable=False),
        sa.Column("supplier_invoice_no", sa.String(length=200), nullable=False),
        sa.Column("invoice_key", sa.String(length=200), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("invoiced_on", sa.Date(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("stated_total", database.Scaled(4), nullable=True),
        sa.Column(
            "status",
            sa.Enum(
                "CAPTURED",
                "HELD",
                "MATCHED",
                "REJECTED",
                name="status",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("refusal", sa.String(length=4000), nullable=False),
        sa.Column("duplicate_of_id", database.IdType(), nullable=True),
        sa.Column("comment", sa.String(length=4000), nullable=False),
        sa.Column("source_system", sa.String(length=40), nullable=False),
        sa.Column("source_event_id", sa.String(length=200), nullable=False),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(status = 'REJECTED') = (length(refusal) > 0)", name=op.f("ck_invoice_rejected_has_a_reason")
        ),
        sa.CheckConstraint(
            "duplicate_of_id IS NULL OR status = 'REJECTED'", name=op.f("ck_invoice_a_duplicate_is_rejected")
        ),
        sa.CheckConstraint("due_on IS NULL OR due_on >= invoiced_on", name=op.f("ck_invoice_due_after_it_is_dated")),
        sa.CheckConstraint("length(invoice_key) > 0", name=op.f("ck_invoice_has_a_key")),
        sa.ForeignKeyConstraint(["duplicate_of_id"], ["invoice.id"], name=op.f("fk_invoice_duplicate_of_id")),
        sa.ForeignKeyConstraint(["supplier_id"], ["supplier.id"], name=op.f("fk_invoice_supplier_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoice")),
        sa.UniqueConstraint("number", name=op.f("uq_invoice_number")),
        sa.UniqueConstraint("source_system", "source_event_id", name=op.f("uq_invoice_source_system_source_event_id")),
    )
    with op.batch_alter_table("invoice", schema=None) as batch_op:
        batch_op.create_index("ix_invoice_status", ["status"], unique=False)
        batch_op.create_index(
            "uq_invoice_supplier_id_invoice_key",
            ["supplier_id", "invoice_key"],
            unique=True,
            sqlite_where=sa.text("status <> 'REJECTED'"),
            postgresql_where=sa.text("status <> 'REJECTED'"),
        )

    op.create_table(
        "invoice_line",
        sa.Column("invoice_id", database.IdType(), nullable=False),
        sa.Column("line_no", sa.Integer(), nullable=False),
        sa.Column("order_line_id", database.IdType(), nullable=False),
        sa.Column("quantity", database.Scaled(6), nullable=False),
        sa.Column("unit_price", database.Scaled(4), nullable=False),
        sa.Column("description", sa.String(length=4000), nullable=False),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("line_no > 0", name=op.f("ck_invoice_line_line_no_from_one")),
        sa.CheckConstraint("quantity <> 0", name=op.f("ck_invoice_line_quantity_not_zero")),
        sa.CheckConstraint("unit_price >= 0", name=op.f("ck_invoice_line_unit_price_not_negative")),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoice.id"], name=op.f("fk_invoice_line_invoice_id")),
        sa.ForeignKeyConstraint(
            ["order_line_id"], ["purchase_order_line.id"], name=op.f("fk_invoice_line_order_line_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoice_line")),
        sa.UniqueConstraint("invoice_id", "line_no", name=op.f("uq_invoice_line_invoice_id_line_no")),
    )
    with op.batch_alter_table("invoice_line", schema=None) as batch_op:
        batch_op.create_index("ix_invoice_line_order_line_id", ["order_line_id"], unique=False)

    op.create_table(
        "receipt",
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column("order_line_id", database.IdType(), nullable=False),
        sa.Column("order_revision", sa.Integer(), nullable=False),
        sa.Column("quantity", database.Scaled(6), nullable=False),
        sa.Column("uom", sa.String(length=40), nullable=False),
        sa.Column("stated_quantity", database.Scaled(6), nullable=False),
        sa.Column("stated_uom", sa.String(length=40), nullable=False),
        sa.Column("over_quantity", database.Scaled(6), nullable=False),
        sa.Column("packing_slip", sa.String(length=200), nullable=False),
        sa.Column("received_on", sa.Date(), nullable=False),
        sa.Column("received_by", sa.String(length=60), nullable=False),
        sa.Column("location", sa.String(length=200), nullable=False),
        sa.Column("revision_on_label", sa.String(length=40), nullable=True),
        sa.Column("lot_label", sa.String(length=200), nullable=False),
        sa.Column("heat", sa.String(length=200), nullable=False),
        sa.Column("serials", sa.Text(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "ARRIVED",
                "INSPECTION",
                "QUARANTINE",
                "ACCEPTED",
                "REJECTED",
                "PUT_AWAY",
                "RETURNED",
                "SCRAPPED",
                "REVERSAL",
                name="status",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column(
            "quarantine",
            sa.Enum(
                "OVER",
                "IDENTITY",
                "NOT_ACKNOWLEDGED",
                "CANCELLATION",
                "SUPPLIER",
                "DRIFT",
                "CERTIFICATE",
                "NONCONFORMING",
                name="quarantine",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=True,
        ),
        sa.Column("quarantine_reason", sa.String(length=4000), nullable=False),
        sa.Column(
            "over_decision",
            sa.Enum(
                "RETURN", "AMEND", "FREE", name="over_decision", native_enum=False, create_constraint=True, length=40
            ),
            nullable=True,
        ),
        sa.Column("reverses_id", database.IdType(), nullable=True),
        sa.Column("reason", sa.String(length=4000), nullable=False),
        sa.Column("lot_id", database.IdType(), nullable=True),
        sa.Column("nonconformance_id", database.IdType(), nullable=True),
        sa.Column("review_signature_id", database.IdType(), nullable=True),
        sa.Column("source_system", sa.String(length=40), nullable=False),
        sa.Column("source_event_id", sa.String(length=200), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("(quantity < 0) = (status = 'REVERSAL')", name=op.f("ck_receipt_a_reversal_has_no_life")),
        sa.CheckConstraint(
            "status <> 'QUARANTINE' OR quarantine IS NOT NULL", name=op.f("ck_receipt_quarantine_has_a_cause")
        ),
        sa.CheckConstraint(
            "(quantity < 0) = (reverses_id IS NOT NULL)", name=op.f("ck_receipt_a_reversal_is_negative")
        ),
        sa.CheckConstraint(
            "(quantity > 0 AND over_quantity BETWEEN 0 AND quantity) OR (quantity < 0 AND over_quantity BETWEEN quantity AND 0)",
            name=op.f("ck_receipt_over_quantity_within_quantity"),
        ),
        sa.CheckConstraint("order_revision >= 0", name=op.f("ck_receipt_order_revision_from_zero")),
        sa.CheckConstraint("quantity <> 0", name=op.f("ck_receipt_quantity_not_zero")),
        sa.CheckConstraint("quantity > 0 OR length(reason) > 0", name=op.f("ck_receipt_a_reversal_has_a_reason")),
        sa.ForeignKeyConstraint(["order_line_id"], ["purchase_order_line.id"], name=op.f("fk_receipt_order_line_id")),
        sa.ForeignKeyConstraint(["reverses_id"], ["receipt.id"], name=op.f("fk_receipt_reverses_id")),
        sa.ForeignKeyConstraint(["review_signature_id"], ["signature.id"], name=op.f("fk_receipt_review_signature_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_receipt")),
        sa.UniqueConstraint("number", name=op.f("uq_receipt_number")),
        sa.UniqueConstraint(
            "source_system",
            "source_event_id",
            "position",
            name=op.f("uq_receipt_source_system_source_event_id_position"),
        ),
    )
    with op.batch_alter_table("receipt", schema=None) as batch_op:
        batch_op.create_index("ix_receipt_order_line_id", ["order_line_id"], unique=False)
        batch_op.create_index("ix_receipt_reverses_id", ["reverses_id"], unique=False)
        batch_op.create_index("ix_receipt_status", ["status"], unique=False)

    op.create_table(
        "short_close",
        sa.Column("order_line_id", database.IdType(), nullable=False),
        sa.Column("quantity", database.Scaled(6), nullable=False),
        sa.Column("reason", sa.String(length=4000), nullable=False),
        sa.Column("impact", sa.String(length=4000), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "PROPOSED", "CONFIRMED", "REFUSED", name="status", native_enum=False, create_constraint=True, length=40
            ),
            nullable=False,
        ),
        sa.Column("proposed_by", sa.String(length=60), nullable=False),
        sa.Column("decided_by", sa.String(length=60), nullable=True),
        sa.Column("answer", sa.String(length=4000), nullable=False),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(status = 'PROPOSED') = (decided_by IS NULL)", name=op.f("ck_short_close_decided_by_somebody")
        ),
        sa.CheckConstraint(
            "decided_by IS NULL OR decided_by <> proposed_by", name=op.f("ck_short_close_decided_by_another_person")
        ),
        sa.CheckConstraint("length(reason) > 0", name=op.f("ck_short_close_has_a_reason")),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_short_close_quantity_positive")),
        sa.ForeignKeyConstraint(["decided_by"], ["user_account.id"], name=op.f("fk_short_close_decided_by")),
        sa.ForeignKeyConstraint(
            ["order_line_id"], ["purchase_order_line.id"], name=op.f("fk_short_close_order_line_id")
        ),
        sa.ForeignKeyConstraint(["proposed_by"], ["user_account.id"], name=op.f("fk_short_close_proposed_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_short_close")),
    )
    with op.batch_alter_table("short_close", schema=None) as batch_op:
        batch_op.create_index("ix_short_close_order_line_id", ["order_line_id"], unique=False)

    op.create_table(
        "certificate",
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column(
            "type",
            sa.Enum(
                "COC",
                "MTR",
                "HT",
                "NDT",
                "FAI",
                "CAL",
                name="type",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("order_line_id", database.IdType(), nullable=False),
        sa.Column("receipt_id", database.IdType(), nullable=True),
        sa.Column("outside_link_id", database.IdType(), nullable=True),
        sa.Column("issuer", sa.String(length=200), nullable=False),
        sa.Column("reference", sa.String(length=200), nullable=False),
        sa.Column("document_hash", sa.String(length=64), nullable=False),
        sa.Column("spec", sa.String(length=40), nullable=True),
        sa.Column("spec_rev", sa.String(length=40), nullable=True),
        sa.Column("lots", sa.Text(), nullable=False),
        sa.Column("process_date", sa.Date(), nullable=True),
        sa.Column("quantity", database.Scaled(6), nullable=True),
        sa.Column(
            "status",
            sa.Enum(
                "PRESENTED", "VERIFIED", "REJECTED", name="status", native_enum=False, create_constraint=True, length=40
            ),
            nullable=False,
        ),
        sa.Column("refusal", sa.String(length=4000), nullable=False),
        sa.Column("verified_by", sa.String(length=60), nullable=True),
        sa.Column("signature_id", database.IdType(), nullable=True),
        sa.Column("source_system", sa.String(length=40), nullable=False),
        sa.Column("source_event_id", sa.String(length=200), nullable=False),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(status = 'REJECTED') = (length(refusal) > 0)", name=op.f("ck_certificate_rejected_has_a_reason")
        ),
        sa.CheckConstraint(
            "(status = 'VERIFIED') = (signature_id IS NOT NULL)", name=op.f("ck_certificate_verified_is_signed")
        ),
        sa.CheckConstraint(
            "status = 'PRESENTED' OR verified_by IS NOT NULL", name=op.f("ck_certificate_verified_by_somebody")
        ),
        sa.CheckConstraint("length(document_hash) = 64", name=op.f("ck_certificate_document_hash_is_sha256")),
        sa.CheckConstraint("quantity IS NULL OR quantity > 0", name=op.f("ck_certificate_quantity_positive")),
        sa.ForeignKeyConstraint(
            ["order_line_id"], ["purchase_order_line.id"], name=op.f("fk_certificate_order_line_id")
        ),
        sa.ForeignKeyConstraint(["receipt_id"], ["receipt.id"], name=op.f("fk_certificate_receipt_id")),
        sa.ForeignKeyConstraint(["signature_id"], ["signature.id"], name=op.f("fk_certificate_signature_id")),
        sa.ForeignKeyConstraint(["verified_by"], ["user_account.id"], name=op.f("fk_certificate_verified_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_certificate")),
        sa.UniqueConstraint("number", name=op.f("uq_certificate_number")),
        sa.UniqueConstraint(
            "source_system", "source_event_id", name=op.f("uq_certificate_source_system_source_event_id")
        ),
    )
    with op.batch_alter_table("certificate", schema=None) as batch_op:
        batch_op.create_index("ix_certificate_order_line_id", ["order_line_id"], unique=False)
        batch_op.create_index("ix_certificate_outside_link_id", ["outside_link_id"], unique=False)
        batch_op.create_index("ix_certificate_receipt_id", ["receipt_id"], unique=False)

    op.create_table(
        "inspection",
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column("receipt_id", database.IdType(), nullable=False),
        sa.Column("plan_ref", sa.String(length=200), nullable=False),
        sa.Column("plan_rev", sa.String(length=40), nullable=False),
        sa.Column("lot_size", database.Scaled(6), nullable=False),
        sa.Column("sample_size", sa.Integer(), nullable=False),
        sa.Column("accept_number", sa.Integer(), nullable=False),
        sa.Column("rejects", sa.Integer(), nullable=False),
        sa.Column(
            "result",
            sa.Enum("PASS", "FAIL", name="result", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("findings", sa.String(length=4000), nullable=False),
        sa.Column("inspector_id", sa.String(length=60), nullable=False),
        sa.Column("inspected_at", database.InstantType(), nullable=False),
        sa.Column("judged_by", sa.String(length=64), nullable=True),
        sa.Column("signature_id", database.IdType(), nullable=True),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(result = 'PASS') = (rejects <= accept_number)", name=op.f("ck_inspection_result_follows_from_the_plan")
        ),
        sa.CheckConstraint("accept_number >= 0", name=op.f("ck_inspection_accept_number_not_negative")),
        sa.CheckConstraint("lot_size > 0", name=op.f("ck_inspection_lot_size_positive")),
        sa.CheckConstraint("rejects BETWEEN 0 AND sample_size", name=op.f("ck_inspection_rejects_within_the_sample")),
        sa.CheckConstraint("sample_size > 0", name=op.f("ck_inspection_sample_size_positive")),
        sa.ForeignKeyConstraint(["inspector_id"], ["user_account.id"], name=op.f("fk_inspection_inspector_id")),
        sa.ForeignKeyConstraint(["receipt_id"], ["receipt.id"], name=op.f("fk_inspection_receipt_id")),
        sa.ForeignKeyConstraint(["signature_id"], ["signature.id"], name=op.f("fk_inspection_signature_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inspection")),
        sa.UniqueConstraint("number", name=op.f("uq_inspection_number")),
    )
    with op.batch_alter_table("inspection", schema=None) as batch_op:
        batch_op.create_index("ix_inspection_receipt_id", ["receipt_id"], unique=False)

    op.create_table(
        "match_hold",
        sa.Column("invoice_line_id", database.IdType(), nullable=False),
        sa.Column(
            "code",
            sa.Enum(
                "QTY_ORD",
                "QTY_REC",
                "QTY_ACC",
                "PRICE",
                "CERT",
                "DUP",
                "CURRENCY",
                name="code",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("expected", sa.String(length=4000), nullable=False),
        sa.Column("found", sa.String(length=4000), nullable=False),
        sa.Column("owner", sa.String(length=60), nullable=False),
        sa.Column(
            "status",
            sa.Enum("OPEN", "RELEASED", "CLEARED", name="status", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("opened_at", database.InstantType(), nullable=False),
        sa.Column("ended_at", database.InstantType(), nullable=True),
        sa.Column("released_by", sa.String(length=60), nullable=True),
        sa.Column("reason", sa.String(length=4000), nullable=False),
        sa.Column("signature_id", database.IdType(), nullable=True),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("(status = 'OPEN') = (ended_at IS NULL)", name=op.f("ck_match_hold_ended_has_an_instant")),
        sa.CheckConstraint(
            "status <> 'RELEASED' OR (released_by IS NOT NULL AND signature_id IS NOT NULL AND length(reason) > 0)",
            name=op.f("ck_match_hold_released_is_signed"),
        ),
        sa.ForeignKeyConstraint(["invoice_line_id"], ["invoice_line.id"], name=op.f("fk_match_hold_invoice_line_id")),
        sa.ForeignKeyConstraint(["released_by"], ["user_account.id"], name=op.f("fk_match_hold_released_by")),
        sa.ForeignKeyConstraint(["signature_id"], ["signature.id"], name=op.f("fk_match_hold_signature_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_match_hold")),
    )
    with op.batch_alter_table("match_hold", schema=None) as batch_op:
        batch_op.create_index("ix_match_hold_status", ["status"], unique=False)
        batch_op.create_index(
            "uq_match_hold_one_open",
            ["invoice_line_id", "code"],
            unique=True,
            sqlite_where=sa.text("status = 'OPEN'"),
            postgresql_where=sa.text("status = 'OPEN'"),
        )

    op.create_table(
        "match_result",
        sa.Column("invoice_line_id", database.IdType(), nullable=False),
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("profile", sa.String(length=40), nullable=False),
        sa.Column("quantity", database.Scaled(6), nullable=False),
        sa.Column("ordered", database.Scaled(6), nullable=False),
        sa.Column("received", database.Scaled(6), nullable=False),
        sa.Column("accepted", database.Scaled(6), nullable=False),
        sa.Column("invoiced_before", database.Scaled(6), nullable=False),
        sa.Column("order_price", database.Scaled(4), nullable=False),
        sa.Column("invoice_price", database.Scaled(4), nullable=False),
        sa.Column("price_excess", database.Scaled(4), nullable=False),
        sa.Column("price_allowance", database.Scaled(4), nullable=False),
        sa.Column(
            "status",
            sa.Enum("MATCHED", "HELD", name="status", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("payable_quantity", database.Scaled(6), nullable=False),
        sa.Column("payable_amount", database.Scaled(4), nullable=False),
        sa.Column("matched_at", database.InstantType(), nullable=False),
        sa.Column("judged_by", sa.String(length=64), nullable=False),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(quantity > 0 AND payable_quantity BETWEEN 0 AND quantity) OR (quantity < 0 AND payable_quantity BETWEEN quantity AND 0)",
            name=op.f("ck_match_result_payable_within_quantity"),
        ),
        sa.CheckConstraint("level BETWEEN 2 AND 4", name=op.f("ck_match_result_level_two_to_four")),
        sa.CheckConstraint("run > 0", name=op.f("ck_match_result_run_from_one")),
        sa.ForeignKeyConstraint(["invoice_line_id"], ["invoice_line.id"], name=op.f("fk_match_result_invoice_line_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_match_result")),
        sa.UniqueConstraint("invoice_line_id", "run", name=op.f("uq_match_result_invoice_line_id_run")),
    )
    op.create_table(
        "payable",
        sa.Column("invoice_line_id", database.IdType(), nullable=False),
        sa.Column("order_line_id", database.IdType(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "MATCHED",
                "PART",
                "RELEASED",
                "CREDITED",
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("quantity", database.Scaled(6), nullable=False),
        sa.Column("amount", database.Scaled(4), nullable=False),
        sa.Column("reason", sa.String(length=4000), nullable=False),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("(kind = 'CREDITED') = (quantity < 0)", name=op.f("ck_payable_a_credit_is_negative")),
        sa.CheckConstraint("quantity <> 0", name=op.f("ck_payable_quantity_not_zero")),
        sa.ForeignKeyConstraint(["invoice_line_id"], ["invoice_line.id"], name=op.f("fk_payable_invoice_line_id")),
        sa.ForeignKeyConstraint(["order_line_id"], ["purchase_order_line.id"], name=op.f("fk_payable_order_line_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payable")),
    )
    with op.batch_alter_table("payable", schema=None) as batch_op:
        batch_op.create_index("ix_payable_invoice_line_id", ["invoice_line_id"], unique=False)
        batch_op.create_index("ix_payable_order_line_id", ["order_line_id"], unique=False)

    # In one statement on either database: SQLite adds no constraint to a table that is there, but a column with one.
    kind = "BIGINT" if op.get_bind().dialect.name == "sqlite" else "NUMERIC(18, 6)"
    op.execute(
        f"ALTER TABLE purchase_order_line ADD COLUMN quantity_imported {kind}"
        " CONSTRAINT ck_purchase_order_line_imported_not_negative"
        " CHECK (quantity_imported IS NULL OR quantity_imported >= 0)"
    )
