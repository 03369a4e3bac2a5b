"""Guard at every door."""

from __future__ import annotations

revision = "20261123_2210"
down_revision = "20261122_2200"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change nothing yet."""


def downgrade() -> None:
    """Change nothing back."""
