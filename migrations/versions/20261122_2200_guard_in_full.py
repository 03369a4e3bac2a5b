"""To be filled: guard_in_full."""

from __future__ import annotations

revision = "20261122_2200"
down_revision = "20261122_2190"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""


def downgrade() -> None:
    """Nothing yet."""
