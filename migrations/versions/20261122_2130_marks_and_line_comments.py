"""Viewed marks and comments on lines."""

from __future__ import annotations

revision = "20261122_2130"
down_revision = "20261122_2120"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""
