"""Signing in full."""

from __future__ import annotations

revision = "20261122_2150"
down_revision = "20261122_2140"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""
