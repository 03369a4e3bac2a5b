"""Start events that begin when their condition is asked and true."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from engine import database

revision = "20261124_0300"
down_revision = "20261123_2310"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Know which released definitions begin with a condition; none could be deployed before."""
    op.create_table(
        "condition_subscription",
        sa.Column("id", database.IdType(), nullable=False),
        sa.Column("definition_id", database.IdType(), nullable=False),
        sa.Column("element_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["definition_id"], ["definition.id"], name=op.f("fk_condition_subscription_definition_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_condition_subscription")),
    )
    op.create_index("ix_condition_subscription_definition_id", "condition_subscription", ["definition_id"])


def downgrade() -> None:
    """Forget it again."""
    op.drop_index("ix_condition_subscription_definition_id", "condition_subscription")
    op.drop_table("condition_subscription")
