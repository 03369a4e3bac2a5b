"""Outside work and work orders in full."""

from __future__ import annotations

revision = "20261122_2090"
down_revision = "20261122_2080"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""
