"""To be filled: events_of_changes_outside."""

from __future__ import annotations

revision = "20261122_2160"
down_revision = "20261122_2140"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""


def downgrade() -> None:
    """Nothing yet."""
