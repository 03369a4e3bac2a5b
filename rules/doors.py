"""The doors into guarded rows, each described once and rendered for either database.

A door is a condition on the old and the new row under which a write is refused, with the sentence that refuses it. What differs
between the databases is a ``Speech``: how values compare, how they print as canonical text, how a parent row is locked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy import Column, Index, Table, UniqueConstraint

from records import change_order
from records.amendment import PurchaseOrderAmendment
from rules.change_item import ChangeClass

AMENDMENT_ID: Column[Any] = Column("id", PurchaseOrderAmendment.__table__.columns["id"].type)
IN_FORCE = ", ".join(f"'{status.value}'" for status in change_order.IN_FORCE)


TECHNICAL = tuple(kind.value for kind in (ChangeClass.C3, ChangeClass.C4, ChangeClass.CE))
AMENDED = ("purchase_order", "purchase_order_line")
"""Tables whose frozen values an amendment alone changes: what a change order says of them, an amendment under it carries."""


class Speech(Protocol):
    """How one database says it."""

    def differ(self, left: str, right: str) -> str:
        """Return a condition that is true when two values differ, NULL being a value."""

    def text(self, column: Column[object], value: str) -> str:
        """Return the canonical text of a value of a column."""

    def key(self, column: Column[object], value: str) -> str:
        """Return an id as lower-case text, whatever its column's type."""

    def id_of(self, column: Column[object], value: str) -> str:
        """Return text as a value to compare an id column with."""


@dataclass(frozen=True, slots=True)
class Door:
    """One way in that is closed.

    name: unique, names the trigger. event: INSERT, UPDATE or DELETE. columns: an UPDATE that sets none of them does not knock.
    refused_when: SQL over OLD and NEW. item: which ``change_item i``, approved and not used yet, opens the door once, or empty.
    flow: whose mode may be observe, or empty. sentence: starts with the rule's id. shows: column whose old and new texts a
    finding keeps. afterwards: a statement that follows the write; such a door refuses nothing.
    """

    name: str
    table: Table
    event: str
    refused_when: str
    sentence: str
    columns: tuple[str, ...] = ()
    item: str = ""
    flow: str = ""
    row: str = ""
    shows: str = ""
    owner: str = ""
    afterwards: str = ""


@dataclass(frozen=True)
class Parent:
    """The document that a line belongs to. column: the line's foreign key."""

    column: str
    table: Table


@dataclass(frozen=True)
class Guarded:
    """A table whose rows freeze.

    statuses: of the row itself, or of its parent. drafts: statuses in which everything is free. classes: for each controlled column,
    the statuses in which each change class is needed. fixed: columns that never change. flow: whose mode counts.
    """

    table: Table
    drafts: tuple[str, ...]
    classes: Mapping[str, Mapping[ChangeClass, tuple[str, ...]]]
    flow: str
    fixed: tuple[str, ...] = ()
    parent: Parent | None = None
    owners: Mapping[str, str] = field(default_factory=dict)


def status_of(guarded: Guarded, row: str) -> str:
    """Return SQL for the status that decides about a row. row: OLD or NEW."""
    if guarded.parent is None:
        return f"{row}.status"
    return f"(SELECT p.status FROM {guarded.parent.table.name} p WHERE p.id = {row}.{guarded.parent.column})"


def words(values: Iterable[str]) -> str:
    """Return a parenthesised list of SQL text constants."""
    return "(" + ", ".join(quoted(value) for value in values) + ")"


def quoted(value: str) -> str:
    """Return a SQL text constant."""
    return "'" + value.replace("'", "''") + "'"


def open_item(speech: Speech) -> str:
    """Return a condition on ``change_item i`` that it may open a door: approved, and not used yet."""
    return f"i.applied_at IS NULL AND {approved_change(speech)}"


def approved_change(speech: Speech, alias: str = "i") -> str:
    """Return a condition that every slot of a change's plan, at least one, has a valid signature on the change's hash.

    An amendment must have been approved, too, and not yet sent, and what it changes technically be under a change order in force,
    unless it restores what a refused one had changed. A change order must be in force, and the hash that of its content: rejected,
    withdrawn or over, its items open nothing. An addendum must be approved.
    """
    plan = f"s.record_type = {alias}.change_type AND s.record_id = {alias}.change_id AND s.record_hash = {alias}.change_hash"
    return (
        f"EXISTS (SELECT 1 FROM approval_slot s WHERE {plan}) "
        f"AND NOT EXISTS (SELECT 1 FROM approval_slot s WHERE {plan} AND NOT {valid_signature('s')}) "
        f"AND (CASE {alias}.change_type WHEN 'purchase_order_amendment' THEN EXISTS (SELECT 1 FROM purchase_order_amendment a "
        f"WHERE {speech.key(AMENDMENT_ID, 'a.id')} = {alias}.change_id AND a.status = 'APPROVED' "
        f"AND ({alias}.change_class NOT IN {words(TECHNICAL)} OR a.kind = 'REVERSAL' OR EXISTS (SELECT 1 FROM change_order c "
        f"WHERE c.id = a.change_order_id AND c.status IN ({IN_FORCE})))) "
        f"WHEN 'change_order' THEN EXISTS (SELECT 1 FROM change_order a WHERE {speech.key(AMENDMENT_ID, 'a.id')} = {alias}.change_id "
        f"AND a.content_hash = {alias}.change_hash AND a.status IN ({IN_FORCE})) "
        f"WHEN 'change_order_addendum' THEN EXISTS (SELECT 1 FROM change_order_addendum a "
        f"WHERE {speech.key(AMENDMENT_ID, 'a.id')} = {alias}.change_id AND a.content_hash = {alias}.change_hash "
        f"AND a.status = 'APPROVED') ELSE 1 = 1 END)"
    )


def valid_signature(slot: str) -> str:
    """Return a condition that a slot has a valid signature, no rejection, on its own record and hash."""
    return (
        f"EXISTS (SELECT 1 FROM signature g WHERE g.id = {slot}.signature_id AND g.status = 'VALID' "
        f"AND g.record_type = {slot}.record_type AND g.record_id = {slot}.record_id AND g.content_hash = {slot}.record_hash "
        "AND g.meaning <> 'REJECTED')"
    )


def frozen_columns(guarded: Guarded, speech: Speech) -> list[Door]:
    """Return a door for each controlled column: it changes only as an approved item says."""
    names = [name for name in guarded.classes if name not in guarded.fixed]
    return [_frozen_column(guarded, guarded.table.columns[name], speech) for name in names]


def _frozen_column(guarded: Guarded, column: Column[object], speech: Speech) -> Door:
    classes = guarded.classes[column.name]
    statuses = [status for listed in classes.values() for status in listed]
    status = status_of(guarded, "OLD")
    enough = " OR ".join(
        f"({status} IN {words(listed)} AND i.change_class IN {words(kind.sufficient)})"
        for kind, listed in classes.items()
        if kind.sufficient
    )
    item = item_says(guarded.table, "UPDATE", column, "OLD", speech) + f" AND ({enough or '1 = 0'})"
    opened = _withdrawn(guarded) if guarded.parent is None else ""
    return Door(
        name=f"guard_{guarded.table.name}_{column.name}",
        table=guarded.table,
        event="UPDATE",
        columns=(column.name,),
        refused_when=f"{speech.differ(f'OLD.{column.name}', f'NEW.{column.name}')} AND {status} IN {words(statuses)}{opened}",
        sentence=(
            f"UNCONTROLLED_CHANGE: Expected {guarded.table.name}.{column.name} to stay as it was approved, "
            "but a change of it came without an approved change item"
        ),
        item=item,
        flow=guarded.flow,
        row="OLD",
        shows=column.name,
        owner=guarded.owners.get(column.name, ""),
    )


def _withdrawn(guarded: Guarded) -> str:
    """Let the statement that takes a document back to draft also clear what its approval had set."""
    return f" AND NEW.status NOT IN {words(guarded.drafts)}"


def item_says(table: Table, operation: str, column: Column[object] | None, row: str, speech: Speech) -> str:
    """Return a condition on ``change_item i`` that it says exactly this. row: OLD or NEW."""
    where = [
        f"i.table_name = {quoted(table.name)}",
        f"i.row_id = {speech.key(table.columns['id'], f'{row}.id')}",
        f"i.operation = {quoted(operation)}",
        f"i.column_name = {quoted(column.name if column is not None else '')}",
    ]
    if table.name in AMENDED:
        where.append("i.change_type NOT IN ('change_order', 'change_order_addendum')")
    if column is not None:
        old = "NULL" if operation == "INSERT" else speech.text(column, f"OLD.{column.name}")
        where.append(f"NOT ({speech.differ('i.old_text', old)})")
        where.append(f"NOT ({speech.differ('i.new_text', speech.text(column, f'NEW.{column.name}'))})")
    return " AND ".join(where)


def lines_stay(guarded: Guarded, speech: Speech) -> list[Door]:
    """Return the doors that keep lines from coming and going under a document that is no draft, and from moving to another."""
    if guarded.parent is None:
        return []
    name, parent = guarded.table.name, guarded.parent
    strictest = strictest_of(guarded.classes)
    enough = f"i.change_class IN {words(strictest.sufficient)}" if strictest.sufficient else "1 = 0"
    appended = _appended(guarded) or enough
    closed = f"{{status}} NOT IN {words(guarded.drafts)}"
    doors = [
        Door(
            name=f"guard_{name}_delete", table=guarded.table, event="DELETE", row="OLD", flow=guarded.flow,
            refused_when=closed.format(status=status_of(guarded, "OLD")),
            sentence=f"UNCONTROLLED_CHANGE: Expected the rows of {name} to stay under a document that is no draft, but one was deleted",
            item=item_says(guarded.table, "DELETE", None, "OLD", speech) + f" AND {enough}",
        )
    ]  # fmt: skip
    inserted = [parent.column, *(column for column in guarded.classes if column != parent.column)]
    beyond = f"{closed.format(status=status_of(guarded, 'NEW'))}{_unless_imported_together(guarded)}"
    doors += [
        Door(
            name=f"guard_{name}_insert_{column}", table=guarded.table, event="INSERT", row="NEW", flow=guarded.flow,
            refused_when=f"NEW.{column} IS NOT NULL AND {beyond}",
            sentence=f"UNCONTROLLED_CHANGE: Expected no new row of {name} under a document that is no draft, but one was inserted",
            item=item_says(guarded.table, "INSERT", guarded.table.columns[column], "NEW", speech) + f" AND {appended}",
            shows=column,
        )
        for column in inserted
    ]  # fmt: skip
    return doors


def _appended(guarded: Guarded) -> str:
    """Return which class of item appends a row in which status, as the policy says of the column that names the document.

    Empty when it says nothing.
    """
    if guarded.parent is None or guarded.parent.column not in guarded.classes:
        return ""
    status = status_of(guarded, "NEW")
    possible = [
        f"({status} IN {words(listed)} AND i.change_class IN {words(kind.sufficient)})"
        for kind, listed in guarded.classes[guarded.parent.column].items()
        if kind.sufficient
    ]
    return f"({' OR '.join(possible) or '1 = 0'})"


def _unless_imported_together(guarded: Guarded) -> str:
    """Let a mirror of an ERP's document arrive with its lines: written at one instant, by one act, before anything touched it."""
    assert guarded.parent is not None
    parent = guarded.parent
    if "origin" not in parent.table.columns:
        return ""
    unhashed = " AND m.approved_hash IS NULL" if "approved_hash" in parent.table.columns else ""
    return (
        f" AND NOT EXISTS (SELECT 1 FROM {parent.table.name} m WHERE m.id = NEW.{parent.column} AND m.origin = 'ERP'{unhashed} "
        "AND m.version = 1 AND m.created_at = NEW.created_at AND m.created_by = NEW.created_by)"
    )


def strictest_of(classes: Mapping[str, Mapping[ChangeClass, tuple[str, ...]]]) -> ChangeClass:
    """Return the deepest possible class that any column of a kind of row needs: what its rows need to come and go."""
    order = [kind for kind in ChangeClass if kind.sufficient]
    needed = [kind for each in classes.values() for kind in each if kind.sufficient]
    return max(needed, key=order.index, default=ChangeClass.REFUSED)


def fixed_columns(guarded: Guarded, speech: Speech) -> list[Door]:
    """Return a door for each column that never changes: keys, the parent's key, the origin."""
    return fixed(guarded.table, guarded.fixed, speech)


def fixed(table: Table, columns: Sequence[str], speech: Speech) -> list[Door]:
    """Return a door for each of these columns: it never changes."""
    return [
        Door(
            name=f"guard_{table.name}_{column}_fixed",
            table=table,
            event="UPDATE",
            columns=(column,),
            refused_when=speech.differ(f"OLD.{column}", f"NEW.{column}"),
            sentence=f"UNCONTROLLED_CHANGE: Expected {table.name}.{column} never to change, but it was set to another value",
        )
        for column in columns
    ]


def set_once(table: Table, columns: Sequence[str], reopened: Sequence[str], speech: Speech) -> list[Door]:
    """Return a door for each of these columns: once set, it changes only on the way back to one of ``reopened``."""
    return [
        Door(
            name=f"guard_{table.name}_{column}_set_once",
            table=table,
            event="UPDATE",
            columns=(column,),
            refused_when=(
                f"OLD.{column} IS NOT NULL AND {speech.differ(f'OLD.{column}', f'NEW.{column}')} "
                f"AND NEW.status NOT IN {words(reopened)}"
            ),
            sentence=f"UNCONTROLLED_CHANGE: Expected {table.name}.{column} to be set once, but it was set again",
        )
        for column in columns
    ]


def only_as_approved(table: Table, column: Column[object], speech: Speech, *, name: str = "", when: str = "") -> Door:
    """Return the door of a column that changes only as an approved item of at least class C2 says, whatever the mode.

    name: of the door, else the column's. when: SQL over OLD and NEW, else whenever the column changes.
    """
    return Door(
        name=f"guard_{table.name}_{name or column.name}",
        table=table,
        event="UPDATE",
        columns=(column.name,),
        refused_when=when or speech.differ(f"OLD.{column.name}", f"NEW.{column.name}"),
        sentence=(
            f"UNCONTROLLED_CHANGE: Expected {table.name}.{column.name} to stay as it was approved, "
            "but a change of it came without an approved change item"
        ),
        item=item_says(table, "UPDATE", column, "OLD", speech)
        + f" AND i.change_class IN {words(ChangeClass.C2.sufficient)}",
        row="OLD",
        shows=column.name,
    )


def statuses_move(table: Table, speech: Speech) -> list[Door]:
    """Return the door through which a status may only move along the listed transitions."""
    listed = (
        f"EXISTS (SELECT 1 FROM status_transition t WHERE t.record_type = {quoted(table.name)} "
        "AND t.from_status = OLD.status AND t.to_status = NEW.status)"
    )
    return [
        Door(
            name=f"guard_{table.name}_status_moves",
            table=table,
            event="UPDATE",
            columns=("status",),
            refused_when=f"{speech.differ('OLD.status', 'NEW.status')} AND NOT {listed}",
            sentence=f"ILLEGAL_TRANSITION: Expected the status of {table.name} to move along a listed transition, but it did not",
        )
    ]


def plan_is_signed(
    table: Table,
    moves: Sequence[tuple[str, str]],
    speech: Speech,
    *,
    signed: str = "approved_hash",
    needs_seat: bool = False,
) -> list[Door]:
    """Return the door that lets a document be approved or issued only when every slot of its hash is signed.

    An empty plan passes unless needs_seat. moves: (from, to) pairs that need it. signed: the column of the signed hash.
    """
    mine = f"s.record_type = {quoted(table.name)} AND s.record_id = {speech.key(table.columns['id'], 'NEW.id')}"
    unsigned = (
        f"EXISTS (SELECT 1 FROM approval_slot s WHERE {mine} AND s.record_hash = NEW.{signed} "
        f"AND NOT {valid_signature('s')})"
    )
    if needs_seat:
        unsigned += f" OR NOT EXISTS (SELECT 1 FROM approval_slot s WHERE {mine} AND s.record_hash = NEW.{signed})"
    pairs = " OR ".join(f"(OLD.status = {quoted(a)} AND NEW.status = {quoted(b)})" for a, b in moves)
    return [
        Door(
            name=f"guard_{table.name}_plan_is_signed",
            table=table,
            event="UPDATE",
            columns=("status",),
            refused_when=f"({pairs}) AND (NEW.{signed} IS NULL OR {unsigned})",
            sentence=f"UNSIGNED: Expected every slot of the plan of this {table.name} to be signed on its approved hash, but one is not",
        )
    ]


def plan_is_not_empty(table: Table, moves: Sequence[tuple[str, str]], speech: Speech) -> list[Door]:
    """Return the door through which a document whose whole worth is its signatures passes only with at least one seat."""
    mine = f"s.record_type = {quoted(table.name)} AND s.record_id = {speech.key(table.columns['id'], 'NEW.id')}"
    pairs = " OR ".join(f"(OLD.status = {quoted(a)} AND NEW.status = {quoted(b)})" for a, b in moves)
    return [
        Door(
            name=f"guard_{table.name}_plan_is_not_empty",
            table=table,
            event="UPDATE",
            columns=("status",),
            refused_when=(
                f"({pairs}) AND NOT EXISTS (SELECT 1 FROM approval_slot s WHERE {mine} AND s.record_hash = NEW.approved_hash)"
            ),
            sentence=f"UNSIGNED: Expected a plan of signatures on this {table.name}, but it has no seat",
        )
    ]


def signatures_end_first(table: Table, moves: Sequence[tuple[str, str]], speech: Speech) -> list[Door]:
    """Return the door that lets a document go back only when none of its signatures is valid any more."""
    mine = f"g.record_type = {quoted(table.name)} AND g.record_id = {speech.key(table.columns['id'], 'NEW.id')}"
    pairs = " OR ".join(f"(OLD.status = {quoted(a)} AND NEW.status = {quoted(b)})" for a, b in moves)
    return [
        Door(
            name=f"guard_{table.name}_signatures_end_first",
            table=table,
            event="UPDATE",
            columns=("status",),
            refused_when=f"({pairs}) AND EXISTS (SELECT 1 FROM signature g WHERE {mine} AND g.status = 'VALID')",
            sentence=f"SIGNED: Expected the signatures of this {table.name} to be superseded before it goes back, but one is valid",
        )
    ]


def born_as_draft(table: Table, initial: Sequence[str], speech: Speech) -> list[Door]:
    """Return the door through which only an ERP's document, unsigned, may be inserted beyond its first status."""
    mine = f"record_type = {quoted(table.name)} AND record_id = {speech.key(table.columns['id'], 'NEW.id')}"
    unhashed = " AND NEW.approved_hash IS NULL" if "approved_hash" in table.columns else ""
    of_erp = (
        f" AND NOT (NEW.origin = 'ERP'{unhashed} AND NOT EXISTS (SELECT 1 FROM signature WHERE {mine}) "
        f"AND NOT EXISTS (SELECT 1 FROM approval_slot WHERE {mine}))"
        if "origin" in table.columns
        else ""
    )
    return [
        Door(
            name=f"guard_{table.name}_born_as_draft",
            table=table,
            event="INSERT",
            refused_when=f"NEW.status NOT IN {words(initial)}{of_erp}",
            sentence=f"ILLEGAL_TRANSITION: Expected a new {table.name} to start as {initial[0]}, but it was inserted beyond that",
        )
    ]


def never_deleted(table: Table, *, unless: str = "") -> list[Door]:
    """Return the door that keeps rows from being deleted. unless: SQL over OLD under which it is allowed."""
    return [
        Door(
            name=f"guard_{table.name}_never_deleted",
            table=table,
            event="DELETE",
            refused_when=f"NOT ({unless})" if unless else "1 = 1",
            sentence=f"UNCONTROLLED_CHANGE: Expected the rows of {table.name} to be kept, but one was deleted",
        )
    ]


def append_only(table: Table) -> list[Door]:
    """Return the doors of a table whose rows are written once."""
    return [
        Door(
            name=f"guard_{table.name}_never_updated",
            table=table,
            event="UPDATE",
            refused_when="1 = 1",
            sentence=f"APPEND_ONLY: Expected the rows of {table.name} to stay as written, but one was updated",
        ),
        Door(
            name=f"guard_{table.name}_never_deleted",
            table=table,
            event="DELETE",
            refused_when="1 = 1",
            sentence=f"APPEND_ONLY: Expected the rows of {table.name} to stay, but one was deleted",
        ),
    ]


def keys_are_new(table: Table, event: str) -> list[Door]:
    """Return the doors against REPLACE: a row never takes the place of another one that has its key. For SQLite."""
    doors = []
    for number, columns in enumerate(unique_keys(table)):
        same = " AND ".join(f"o.{column} = NEW.{column}" for column in columns)
        other = "" if event == "INSERT" else " AND o.rowid <> OLD.rowid"
        doors.append(
            Door(
                name=f"guard_{table.name}_{event.lower()}_key_{number}",
                table=table,
                event=event,
                columns=() if event == "INSERT" else columns,
                refused_when=f"EXISTS (SELECT 1 FROM {table.name} o WHERE {same}{other})",
                sentence=f"REPLACED: Expected a {table.name} with a key of its own, but {', '.join(columns)} belongs to another row",
            )
        )
    return doors


def unique_keys(table: Table) -> list[tuple[str, ...]]:
    """Return the column sets whose values no two rows share, in a stable order; partial indexes are left out."""
    keys = {tuple(column.name for column in table.primary_key.columns)}
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint):
            keys.add(tuple(column.name for column in constraint.columns))
    for index in table.indexes:
        if index.unique and _is_whole(index):
            keys.add(tuple(column.name for column in index.columns))
    return sorted(keys)


def _is_whole(index: Index) -> bool:
    return not any(options.get("where") is not None for options in index.dialect_options.values())
