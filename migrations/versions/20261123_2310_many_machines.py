"""Many machines."""

from __future__ import annotations

revision = "20261123_2310"
down_revision = "20261123_2300"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change nothing yet."""


def downgrade() -> None:
    """Change nothing back."""
