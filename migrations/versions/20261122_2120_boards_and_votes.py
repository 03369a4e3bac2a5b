"""Boards, meetings, agenda and votes."""

from __future__ import annotations

revision = "20261122_2120"
down_revision = "20261122_2110"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""
