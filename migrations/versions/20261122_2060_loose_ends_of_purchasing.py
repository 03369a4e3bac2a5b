"""Loose ends of purchasing."""

from __future__ import annotations

revision = "20261122_2060"
down_revision = "20261122_2050"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""
