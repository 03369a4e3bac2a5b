"""Quotes and their comparison, justifications of single sources, releases of contracts, limits of orders."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from engine import database

revision = "20261123_2260"
down_revision = "20261123_2250"
branch_labels = None
depends_on = None

AGREED = {
    "value_within_agreed": "agreed_value IS NULL OR (agreed_value > 0 AND remaining_value <= agreed_value)",
    "quantity_within_agreed": "agreed_quantity IS NULL OR (agreed_quantity > 0 AND remaining_quantity <= agreed_quantity)",
}


def upgrade() -> None:
    """Make the tables; a contract says what was agreed beside what remains."""
    op.create_table(
        "request_for_quotation",
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column("site_id", database.IdType(), nullable=False),
        sa.Column("requisition_id", database.IdType(), nullable=False),
        sa.Column("buyer_id", sa.String(length=60), nullable=True),
        sa.Column(
            "status",
            sa.Enum(
                "DRAFT",
                "OPEN",
                "COMPARING",
                "AWARDED",
                "CANCELLED",
                name="status",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("quotes_needed", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("ship_to", sa.String(length=4000), nullable=False),
        sa.Column("message", sa.String(length=4000), nullable=False),
        sa.Column("sent_at", database.InstantType(), nullable=True),
        sa.Column("due_at", database.InstantType(), nullable=True),
        sa.Column("closed_at", database.InstantType(), nullable=True),
        sa.Column("closed_reason", sa.String(length=4000), nullable=True),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "status IN ('DRAFT', 'CANCELLED') OR (due_at IS NOT NULL AND sent_at IS NOT NULL)",
            name=op.f("ck_request_for_quotation_sent_says_until_when"),
        ),
        sa.CheckConstraint("quotes_needed >= 0", name=op.f("ck_request_for_quotation_quotes_needed_not_negative")),
        sa.ForeignKeyConstraint(["buyer_id"], ["user_account.id"], name=op.f("fk_request_for_quotation_buyer_id")),
        sa.ForeignKeyConstraint(
            ["requisition_id"], ["requisition.id"], name=op.f("fk_request_for_quotation_requisition_id")
        ),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_request_for_quotation_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_request_for_quotation")),
        sa.UniqueConstraint("number", name=op.f("uq_request_for_quotation_number")),
    )
    op.create_index("ix_request_for_quotation_requisition_id", "request_for_quotation", ["requisition_id"])
    op.create_index("ix_request_for_quotation_status", "request_for_quotation", ["status"])

    op.create_table(
        "quotation_invitation",
        sa.Column("request_id", database.IdType(), nullable=False),
        sa.Column("supplier_id", database.IdType(), nullable=False),
        sa.Column("email", sa.String(length=200), nullable=False),
        sa.Column("link_no", sa.Integer(), nullable=False),
        sa.Column("declined_at", database.InstantType(), nullable=True),
        sa.Column("decline_reason", sa.String(length=4000), nullable=True),
        sa.Column("awarded_at", database.InstantType(), nullable=True),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("link_no >= 1", name=op.f("ck_quotation_invitation_link_no_from_one")),
        sa.ForeignKeyConstraint(
            ["request_id"], ["request_for_quotation.id"], name=op.f("fk_quotation_invitation_request_id")
        ),
        sa.ForeignKeyConstraint(["supplier_id"], ["supplier.id"], name=op.f("fk_quotation_invitation_supplier_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quotation_invitation")),
        sa.UniqueConstraint("request_id", "supplier_id", name=op.f("uq_quotation_invitation_request_id_supplier_id")),
    )
    op.create_index("ix_quotation_invitation_supplier_id", "quotation_invitation", ["supplier_id"])

    op.create_table(
        "sole_source_justification",
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column("site_id", database.IdType(), nullable=False),
        sa.Column("requisition_id", database.IdType(), nullable=False),
        sa.Column("supplier_id", database.IdType(), nullable=False),
        sa.Column("request_id", database.IdType(), nullable=True),
        sa.Column("amount", database.Scaled(4), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column(
            "cause",
            sa.Enum(
                "ONLY_SOURCE",
                "PROPRIETARY",
                "QUALIFIED_SOURCE",
                "URGENT",
                "TOO_FEW_QUOTES",
                name="cause",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("reason", sa.String(length=4000), nullable=False),
        sa.Column("price_reasonable", sa.String(length=4000), nullable=False),
        sa.Column("quotes_needed", sa.Integer(), nullable=False),
        sa.Column("quotes_valid", sa.Integer(), nullable=False),
        sa.Column("written_by", sa.String(length=60), nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "PROPOSED", "SIGNED", "REFUSED", name="status", native_enum=False, create_constraint=True, length=40
            ),
            nullable=False,
        ),
        sa.Column("signature_id", database.IdType(), nullable=True),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(status = 'SIGNED') = (signature_id IS NOT NULL)",
            name=op.f("ck_sole_source_justification_signed_has_a_signature"),
        ),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_sole_source_justification_amount_not_negative")),
        sa.CheckConstraint("length(reason) > 0", name=op.f("ck_sole_source_justification_says_why")),
        sa.CheckConstraint(
            "quotes_valid >= 0 AND quotes_needed >= 0", name=op.f("ck_sole_source_justification_quotes_not_negative")
        ),
        sa.ForeignKeyConstraint(
            ["request_id"], ["request_for_quotation.id"], name=op.f("fk_sole_source_justification_request_id")
        ),
        sa.ForeignKeyConstraint(
            ["requisition_id"], ["requisition.id"], name=op.f("fk_sole_source_justification_requisition_id")
        ),
        sa.ForeignKeyConstraint(
            ["signature_id"], ["signature.id"], name=op.f("fk_sole_source_justification_signature_id")
        ),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_sole_source_justification_site_id")),
        sa.ForeignKeyConstraint(
            ["supplier_id"], ["supplier.id"], name=op.f("fk_sole_source_justification_supplier_id")
        ),
        sa.ForeignKeyConstraint(
            ["written_by"], ["user_account.id"], name=op.f("fk_sole_source_justification_written_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sole_source_justification")),
        sa.UniqueConstraint("number", name=op.f("uq_sole_source_justification_number")),
    )
    op.create_index("ix_sole_source_justification_requisition_id", "sole_source_justification", ["requisition_id"])

    op.create_table(
        "quotation",
        sa.Column("invitation_id", database.IdType(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column(
            "channel",
            sa.Enum("FORM", "BUYER", name="channel", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("received_at", database.InstantType(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("charges", database.Scaled(4), nullable=False),
        sa.Column("lead_time_days", sa.Integer(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=False),
        sa.Column("incoterm", sa.String(length=200), nullable=False),
        sa.Column("reference", sa.String(length=200), nullable=False),
        sa.Column("remarks", sa.String(length=4000), nullable=False),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("charges >= 0", name=op.f("ck_quotation_charges_not_negative")),
        sa.CheckConstraint("lead_time_days BETWEEN 0 AND 3650", name=op.f("ck_quotation_lead_time_within_ten_years")),
        sa.CheckConstraint("revision >= 1", name=op.f("ck_quotation_revision_from_one")),
        sa.ForeignKeyConstraint(
            ["invitation_id"], ["quotation_invitation.id"], name=op.f("fk_quotation_invitation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quotation")),
        sa.UniqueConstraint("invitation_id", "revision", name=op.f("uq_quotation_invitation_id_revision")),
    )
    op.create_table(
        "request_for_quotation_line",
        sa.Column("request_id", database.IdType(), nullable=False),
        sa.Column("line_no", sa.Integer(), nullable=False),
        sa.Column("requisition_line_id", database.IdType(), nullable=False),
        sa.Column("item", sa.String(length=200), nullable=False),
        sa.Column("description", sa.String(length=20000), nullable=False),
        sa.Column("spec", sa.String(length=200), nullable=False),
        sa.Column("quantity", database.Scaled(6), nullable=False),
        sa.Column("uom", sa.String(length=40), nullable=False),
        sa.Column("need_by", sa.Date(), nullable=True),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_request_for_quotation_line_quantity_positive")),
        sa.ForeignKeyConstraint(
            ["request_id"], ["request_for_quotation.id"], name=op.f("fk_request_for_quotation_line_request_id")
        ),
        sa.ForeignKeyConstraint(
            ["requisition_line_id"],
            ["requisition_line.id"],
            name=op.f("fk_request_for_quotation_line_requisition_line_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_request_for_quotation_line")),
        sa.UniqueConstraint("request_id", "line_no", name=op.f("uq_request_for_quotation_line_request_id_line_no")),
    )
    op.create_table(
        "purchase_order_limit",
        sa.Column("order_id", database.IdType(), nullable=False),
        sa.Column("approval_id", database.IdType(), nullable=False),
        sa.Column("max_quantity", database.Scaled(6), nullable=True),
        sa.Column("max_value", database.Scaled(4), nullable=True),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("conditions", sa.String(length=4000), nullable=False),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "max_quantity IS NULL OR max_quantity > 0", name=op.f("ck_purchase_order_limit_max_quantity_positive")
        ),
        sa.CheckConstraint(
            "max_value IS NULL OR max_value > 0", name=op.f("ck_purchase_order_limit_max_value_positive")
        ),
        sa.ForeignKeyConstraint(
            ["approval_id"], ["supplier_approval.id"], name=op.f("fk_purchase_order_limit_approval_id")
        ),
        sa.ForeignKeyConstraint(["order_id"], ["purchase_order.id"], name=op.f("fk_purchase_order_limit_order_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_purchase_order_limit")),
        sa.UniqueConstraint("order_id", "approval_id", name=op.f("uq_purchase_order_limit_order_id_approval_id")),
    )
    op.create_table(
        "quotation_line",
        sa.Column("quotation_id", database.IdType(), nullable=False),
        sa.Column("line_no", sa.Integer(), nullable=False),
        sa.Column("unit_price", database.Scaled(4), nullable=False),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("unit_price >= 0", name=op.f("ck_quotation_line_unit_price_not_negative")),
        sa.ForeignKeyConstraint(["quotation_id"], ["quotation.id"], name=op.f("fk_quotation_line_quotation_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quotation_line")),
        sa.UniqueConstraint("quotation_id", "line_no", name=op.f("uq_quotation_line_quotation_id_line_no")),
    )
    op.create_table(
        "sourcing_release",
        sa.Column("sourcing_ref_id", database.IdType(), nullable=False),
        sa.Column("order_id", database.IdType(), nullable=False),
        sa.Column("value", database.Scaled(4), nullable=False),
        sa.Column("quantity", database.Scaled(6), nullable=False),
        sa.Column("released_on", sa.Date(), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("value <> 0 OR quantity <> 0", name=op.f("ck_sourcing_release_moves_something")),
        sa.ForeignKeyConstraint(["order_id"], ["purchase_order.id"], name=op.f("fk_sourcing_release_order_id")),
        sa.ForeignKeyConstraint(
            ["sourcing_ref_id"], ["sourcing_ref.id"], name=op.f("fk_sourcing_release_sourcing_ref_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sourcing_release")),
    )
    op.create_index("ix_sourcing_release_order_id", "sourcing_release", ["order_id"])
    op.create_index("ix_sourcing_release_sourcing_ref_id", "sourcing_release", ["sourcing_ref_id"])
    with op.batch_alter_table("sourcing_ref") as table:
        table.add_column(sa.Column("title", sa.String(length=200), nullable=False, server_default=""))
        table.add_column(sa.Column("valid_from", sa.Date(), nullable=True))
        table.add_column(sa.Column("uom", sa.String(length=40), nullable=True))
        table.add_column(sa.Column("agreed_value", database.Scaled(4), nullable=True))
        table.add_column(sa.Column("agreed_quantity", database.Scaled(6), nullable=True))
        for name, condition in AGREED.items():
            table.create_check_constraint(op.f(f"ck_sourcing_ref_{name}"), condition)


def downgrade() -> None:
    """Take them away again."""
    with op.batch_alter_table("sourcing_ref") as table:
        for name in AGREED:
            table.drop_constraint(op.f(f"ck_sourcing_ref_{name}"), type_="check")
        for column in ("agreed_quantity", "agreed_value", "uom", "valid_from", "title"):
            table.drop_column(column)
    for table_name in (
        "sourcing_release", "quotation_line", "purchase_order_limit", "request_for_quotation_line", "quotation",
        "sole_source_justification", "quotation_invitation", "request_for_quotation",
    ):  # fmt: skip
        op.drop_table(table_name)
