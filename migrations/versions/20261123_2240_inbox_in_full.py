"""Inbox in full."""

from __future__ import annotations

revision = "20261123_2240"
down_revision = "20261123_2230"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change nothing yet."""


def downgrade() -> None:
    """Change nothing back."""
