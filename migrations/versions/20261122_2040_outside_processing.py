"""Links between operations and order lines, and what moved."""

from __future__ import annotations

revision = "20261122_2040"
down_revision = "20261122_2030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""
