"""Change requests, change orders and the items they affect."""

from __future__ import annotations

revision = "20261122_2100"
down_revision = "20261122_2090"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""
