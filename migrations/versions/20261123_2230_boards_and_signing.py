"""Boards say themselves how their functions speak, under a signature."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from engine import database
from records import columns

revision = "20261123_2230"
down_revision = "20261123_2220"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the rules of boards."""
    op.create_table(
        "board_rule",
        sa.Column("board_id", database.IdType(), nullable=False),
        sa.Column("function", sa.String(length=40), nullable=False),
        sa.Column("role", sa.String(length=40), nullable=False),
        sa.Column(
            "rule",
            sa.Enum("ALL", "N_OF", "WEIGHT", name="rule", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("needed", sa.Integer(), nullable=False),
        sa.Column("has_veto", sa.Boolean(), nullable=False),
        sa.Column("classes", columns.CodesType(), nullable=False),
        sa.Column("valid_from", database.InstantType(), nullable=False),
        sa.Column("valid_to", database.InstantType(), nullable=True),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("signature_id", database.IdType(), nullable=False),
        sa.Column("end_signature_id", database.IdType(), nullable=True),
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("created_at", database.InstantType(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", database.InstantType(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("needed > 0", name=op.f("ck_board_rule_needed_positive")),
        sa.CheckConstraint(
            "valid_to IS NULL OR valid_to >= valid_from", name=op.f("ck_board_rule_valid_range_in_order")
        ),
        sa.ForeignKeyConstraint(["board_id"], ["board.id"], name=op.f("fk_board_rule_board_id")),
        sa.ForeignKeyConstraint(["signature_id"], ["signature.id"], name=op.f("fk_board_rule_signature_id")),
        sa.ForeignKeyConstraint(["end_signature_id"], ["signature.id"], name=op.f("fk_board_rule_end_signature_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_board_rule")),
    )
    op.create_index("ix_board_rule_board_id", "board_rule", ["board_id"])


def downgrade() -> None:
    """Let the table of votes alone say how functions speak."""
    op.drop_index("ix_board_rule_board_id", table_name="board_rule")
    op.drop_table("board_rule")
