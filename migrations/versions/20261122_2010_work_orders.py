"""Work orders, their operations, resources and actuals."""

from __future__ import annotations

revision = "20261122_2010"
down_revision = "20261122_2000"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""
