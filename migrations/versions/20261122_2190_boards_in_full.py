"""Boards are set up, changed and left under signatures."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from engine import database

revision = "20261122_2190"
down_revision = "20261122_2180"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what the keeper signs: the settings of a board, and the end of a place."""
    with op.batch_alter_table("board", schema=None) as batch:
        batch.add_column(sa.Column("content_hash", sa.String(length=64), nullable=True))
        batch.add_column(sa.Column("signature_id", database.IdType(), nullable=True))
        batch.create_foreign_key(op.f("fk_board_signature_id"), "signature", ["signature_id"], ["id"])
    with op.batch_alter_table("board_membership", schema=None) as batch:
        batch.add_column(sa.Column("end_signature_id", database.IdType(), nullable=True))
        batch.create_foreign_key(
            op.f("fk_board_membership_end_signature_id"), "signature", ["end_signature_id"], ["id"]
        )


def downgrade() -> None:
    """Forget the signatures; what was signed stays in the chain."""
    with op.batch_alter_table("board_membership", schema=None) as batch:
        batch.drop_constraint(op.f("fk_board_membership_end_signature_id"), type_="foreignkey")
        batch.drop_column("end_signature_id")
    with op.batch_alter_table("board", schema=None) as batch:
        batch.drop_constraint(op.f("fk_board_signature_id"), type_="foreignkey")
        batch.drop_column("signature_id")
        batch.drop_column("content_hash")
