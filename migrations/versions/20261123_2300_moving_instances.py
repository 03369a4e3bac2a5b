"""Instances that rest until somebody lets them go on, and instances that move to another version of their process."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from engine import database

revision = "20261123_2300"
down_revision = "20261123_2290"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Say since when and why an instance is suspended; keep what came meanwhile, and what an instance was before a move."""
    op.add_column("instance", sa.Column("suspended_at", database.InstantType(), nullable=True))
    op.add_column("instance", sa.Column("suspended_by", sa.String(), nullable=True))
    op.add_column("instance", sa.Column("suspended_why", sa.String(), nullable=True))

    op.create_table(
        "held_signal",
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("instance_id", database.IdType(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("variables", sa.LargeBinary(), nullable=False),
        sa.Column("sent_at", database.InstantType(), nullable=False),
        sa.ForeignKeyConstraint(["instance_id"], ["instance.id"], name=op.f("fk_held_signal_instance_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_held_signal")),
    )
    op.create_index("ix_held_signal_instance_id", "held_signal", ["instance_id"])

    op.create_table(
        "relocation",
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("process_id", sa.String(), nullable=False),
        sa.Column("definition_id", database.IdType(), nullable=False),
        sa.Column("mapping", sa.JSON(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("content_hash", sa.String(), nullable=False),
        sa.Column("ordered_at", database.InstantType(), nullable=False),
        sa.Column("ordered_by", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["definition_id"], ["definition.id"], name=op.f("fk_relocation_definition_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_relocation")),
    )

    op.create_table(
        "instance_move",
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("instance_id", database.IdType(), nullable=False),
        sa.Column("relocation_id", database.IdType(), nullable=True),
        sa.Column("from_definition_id", database.IdType(), nullable=False),
        sa.Column("to_definition_id", database.IdType(), nullable=False),
        sa.Column("elements", sa.JSON(), nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=False),
        sa.Column("variables", sa.LargeBinary(), nullable=False),
        sa.Column("tasks", sa.JSON(), nullable=False),
        sa.Column("rounds", sa.JSON(), nullable=False),
        sa.Column("after", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("moved_at", database.InstantType(), nullable=False),
        sa.Column("moved_by", sa.String(), nullable=False),
        sa.Column("reverted_at", database.InstantType(), nullable=True),
        sa.Column("reverted_by", sa.String(), nullable=True),
        sa.Column("reverted_why", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["instance_id"], ["instance.id"], name=op.f("fk_instance_move_instance_id")),
        sa.ForeignKeyConstraint(["relocation_id"], ["relocation.id"], name=op.f("fk_instance_move_relocation_id")),
        sa.ForeignKeyConstraint(
            ["from_definition_id"], ["definition.id"], name=op.f("fk_instance_move_from_definition_id")
        ),
        sa.ForeignKeyConstraint(
            ["to_definition_id"], ["definition.id"], name=op.f("fk_instance_move_to_definition_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instance_move")),
    )
    op.create_index("ix_instance_move_instance_id_moved_at", "instance_move", ["instance_id", "moved_at"])
    op.create_index("ix_instance_move_relocation_id", "instance_move", ["relocation_id"])


def downgrade() -> None:
    """Forget it."""
    op.drop_table("instance_move")
    op.drop_table("relocation")
    op.drop_table("held_signal")
    for column in ("suspended_at", "suspended_by", "suspended_why"):
        op.drop_column("instance", column)
