"""External workers and messages."""

from __future__ import annotations

revision = "20261123_2290"
down_revision = "20261123_2280"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change nothing yet."""


def downgrade() -> None:
    """Change nothing back."""
