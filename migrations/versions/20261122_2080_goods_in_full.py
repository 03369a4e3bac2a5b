"""Receiving and matching in full: goods kept apart for their date, and one taking of stock a day and plant."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from engine import database

revision = "20261122_2080"
down_revision = "20261122_2070"
branch_labels = None
depends_on = None

BEFORE = ("OVER", "IDENTITY", "NOT_ACKNOWLEDGED", "CANCELLATION", "SUPPLIER", "DRIFT", "CERTIFICATE", "NONCONFORMING")
AFTER = (*BEFORE, "DATE")


def upgrade() -> None:
    """Let a receipt be kept apart for its date; make the row that one taking of stock leaves."""
    if op.get_bind().dialect.name == "sqlite":
        _rebuild_receipt()
    else:
        op.drop_constraint(op.f("ck_receipt_quarantine"), "receipt", type_="check")
        op.create_check_constraint(op.f("ck_receipt_quarantine"), "receipt", f"quarantine IN ({_list(AFTER)})")
    op.create_table(
        "daily_stock",
        sa.Column("plant", sa.String(length=40), nullable=False),
        sa.Column("on", sa.Date(), nullable=False),
        sa.Column("taken_at", database.InstantType(), nullable=False),
        sa.Column("taken_by", sa.String(length=60), nullable=False),
        sa.PrimaryKeyConstraint("plant", "on", name=op.f("pk_daily_stock")),
    )


def _rebuild_receipt() -> None:
    """Write the table anew with the longer list: SQLite changes no CHECK in place, and batch mode would lose the others."""
    connection = op.get_bind()
    kept = "SELECT sql FROM sqlite_master WHERE type = '{}' AND tbl_name = 'receipt' AND sql IS NOT NULL"
    table = str(connection.exec_driver_sql(kept.format("table")).scalar_one())
    indexes = [str(row[0]) for row in connection.exec_driver_sql(kept.format("index"))]
    longer = table.replace(_list(BEFORE), _list(AFTER), 1).replace("receipt", "receipt_2080", 1)
    if _list(AFTER) not in longer:
        raise RuntimeError("Expected the list of causes on receipt as the schema wrote it, but it is another one")
    # Otherwise the rename would look for the table in every trigger and reference while it is away.
    connection.exec_driver_sql("PRAGMA legacy_alter_table = ON")
    connection.exec_driver_sql(longer)
    connection.exec_driver_sql("INSERT INTO receipt_2080 SELECT * FROM receipt")
    connection.exec_driver_sql("DROP TABLE receipt")
    connection.exec_driver_sql("ALTER TABLE receipt_2080 RENAME TO receipt")
    for index in indexes:
        connection.exec_driver_sql(index)
    connection.exec_driver_sql("PRAGMA legacy_alter_table = OFF")


def _list(words: tuple[str, ...]) -> str:
    return ", ".join(f"'{word}'" for word in words)
