"""What is known of suppliers: sub-tiers, scores, screenings, laboratory scopes, stock at their places."""

from __future__ import annotations

revision = "20261122_2070"
down_revision = "20261122_2060"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""
