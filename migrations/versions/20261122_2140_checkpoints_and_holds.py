"""Signed checkpoints, retention and legal holds."""

from __future__ import annotations

revision = "20261122_2140"
down_revision = "20261122_2130"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""
