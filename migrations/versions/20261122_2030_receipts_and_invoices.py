"""Receipts, inspections, certificates, invoices and their match."""

from __future__ import annotations

revision = "20261122_2030"
down_revision = "20261122_2020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""
