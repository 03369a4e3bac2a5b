"""Receiving and matching in full."""

from __future__ import annotations

revision = "20261122_2080"
down_revision = "20261122_2070"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""
