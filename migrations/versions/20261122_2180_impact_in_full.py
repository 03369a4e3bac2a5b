"""The impact of changes in full: goods kept apart because a change waits to be carried out on their order line."""

from __future__ import annotations

from alembic import op

revision = "20261122_2180"
down_revision = "20261122_2170"
branch_labels = None
depends_on = None

BEFORE = (
    "OVER", "IDENTITY", "NOT_ACKNOWLEDGED", "CANCELLATION", "SUPPLIER", "DRIFT", "CERTIFICATE", "NONCONFORMING", "DATE",
)  # fmt: skip
AFTER = (*BEFORE, "CHANGE")


def upgrade() -> None:
    """Let a receipt be kept apart for a change."""
    _list_causes(BEFORE, AFTER)


def downgrade() -> None:
    """Forget the cause; goods that are kept apart for it are kept apart for their identity."""
    op.execute("UPDATE receipt SET quarantine = 'IDENTITY' WHERE quarantine = 'CHANGE'")
    _list_causes(AFTER, BEFORE)


def _list_causes(known: tuple[str, ...], wanted: tuple[str, ...]) -> None:
    if op.get_bind().dialect.name == "sqlite":
        _rebuild_receipt(known, wanted)
        return
    op.drop_constraint(op.f("ck_receipt_quarantine"), "receipt", type_="check")
    op.create_check_constraint(op.f("ck_receipt_quarantine"), "receipt", f"quarantine IN ({_list(wanted)})")


def _rebuild_receipt(known: tuple[str, ...], wanted: tuple[str, ...]) -> None:
    """Write the table anew with the other list: SQLite changes no CHECK in place, and batch mode would lose the others."""
    connection = op.get_bind()
    kept = "SELECT sql FROM sqlite_master WHERE type = '{}' AND tbl_name = 'receipt' AND sql IS NOT NULL"
    table = str(connection.exec_driver_sql(kept.format("table")).scalar_one())
    indexes = [str(row[0]) for row in connection.exec_driver_sql(kept.format("index"))]
    if _list(known) not in table:
        raise RuntimeError("Expected the list of causes on receipt as the schema wrote it, but it is another one")
    other = table.replace(_list(known), _list(wanted), 1).replace("receipt", "receipt_2180", 1)
    # Otherwise the rename would look for the table in every trigger and reference while it is away.
    connection.exec_driver_sql("PRAGMA legacy_alter_table = ON")
    connection.exec_driver_sql(other)
    connection.exec_driver_sql("INSERT INTO receipt_2180 SELECT * FROM receipt")
    connection.exec_driver_sql("DROP TABLE receipt")
    connection.exec_driver_sql("ALTER TABLE receipt_2180 RENAME TO receipt")
    for index in indexes:
        connection.exec_driver_sql(index)
    connection.exec_driver_sql("PRAGMA legacy_alter_table = OFF")


def _list(words: tuple[str, ...]) -> str:
    return ", ".join(f"'{word}'" for word in words)
