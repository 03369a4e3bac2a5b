"""Waivers: dated, counted, expiring."""

from __future__ import annotations

revision = "20261122_2050"
down_revision = "20261122_2040"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""
