"""Amendments of purchase orders."""

from __future__ import annotations

revision = "20261122_2000"
down_revision = "20261122_1840"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""
