"""Lots and what they were made of."""

from __future__ import annotations

revision = "20261122_2020"
down_revision = "20261122_2010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""
