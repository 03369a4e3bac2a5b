"""The doors of legal holds: placed and lifted by signature only, and nothing of a held record is deleted."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Table

from records.legal_hold import LegalHold
from rules import doors
from rules.doors import Door, Speech, quoted
from rules.guarded import BORN, DOCUMENTS, LINES, table_of

PLACED = ("number", "about_type", "about_id", "record_name", "reason", "placed_at", "placed_by", "placed_hash")
"""What a hold says; it stays as it was signed."""


def hold_doors(speech: Speech) -> Iterator[Door]:
    """Yield the doors of holds themselves, and one on the deletion of every guarded record and line."""
    table = table_of(LegalHold)
    yield from doors.fixed(table, (*BORN, *PLACED), speech)
    yield from doors.never_deleted(table)
    yield Door(
        name="guard_legal_hold_is_placed_by_signature",
        table=table,
        event="INSERT",
        refused_when=f"NEW.status <> 'STANDING' OR NOT {_signed(speech, 'NEW.placed_hash')}",
        sentence="UNSIGNED: Expected a legal hold to be placed with a signature on its content, but there is none",
    )
    yield Door(
        name="guard_legal_hold_is_lifted_by_signature",
        table=table,
        event="UPDATE",
        columns=("status", "lifted_hash", "lifted_at", "lifted_by", "lift_reason"),
        refused_when=(
            "OLD.status <> 'STANDING' OR NEW.status <> 'LIFTED' OR NEW.lifted_hash = NEW.placed_hash "
            f"OR NOT {_signed(speech, 'NEW.lifted_hash')}"
        ),
        sentence="UNSIGNED: Expected a legal hold to be lifted once, with a signature on the lifting, but it was changed without",
    )
    for document in DOCUMENTS:
        yield _kept(document.table, document.table, "id", speech)
    for lines in LINES:
        yield _kept(lines.table, lines.document.table, lines.column, speech)


def _kept(table: Table, held: Table, column: str, speech: Speech) -> Door:
    """Return the door on the deletion of a row. held: the table of the document a hold is about; column: the row's key to it."""
    key = speech.key(table.columns[column], f"OLD.{column}")
    return Door(
        name=f"guard_{table.name}_held_is_kept",
        table=table,
        event="DELETE",
        refused_when=(
            f"EXISTS (SELECT 1 FROM legal_hold h WHERE h.about_type = {quoted(held.name)} AND h.about_id = {key} "
            "AND h.status = 'STANDING')"
        ),
        sentence=f"ON_LEGAL_HOLD: Expected the rows of a {held.name} under a legal hold to stay until it is lifted, but one was deleted",
    )


def _signed(speech: Speech, content_hash: str) -> str:
    key = speech.key(table_of(LegalHold).columns["id"], "NEW.id")
    return (
        f"EXISTS (SELECT 1 FROM signature g WHERE g.record_type = {quoted(LegalHold.record_type)} AND g.record_id = {key} "
        f"AND g.content_hash = {content_hash} AND g.status = 'VALID' AND g.meaning <> 'REJECTED')"
    )
