"""Impact of changes: affected rows, dispositions, assessments, tasks."""

from __future__ import annotations

revision = "20261122_2110"
down_revision = "20261122_2100"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""
