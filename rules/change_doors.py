"""The doors of change control: items are written while their order is, sealed with it, and revisions move as they say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from engine.stored.definition import Definition
from records.definition_lock import DefinitionLock
from records.part import PartRevision
from rules import doors
from rules.change_item import ChangeClass, ChangeItem
from rules.doors import Door, Speech, quoted, valid_signature, words
from rules.guarded import ADDENDUM, CHANGE_ORDER, table_of
from rules.tables_in_force import TableInForce

UNSEALED = "0" * 64
"""The hash of items whose order is still being written; no signature counts on it."""

DECIDED = ("RELEASED", "SUPERSEDED", "OBSOLETE")
"""Statuses of a part revision that a change order alone gives."""


QUALITY = ("QA_ENG", "QA_SP", "SQ")
"""Roles whose signature a supplier approval stands under."""


def change_doors(speech: Speech) -> Iterator[Door]:
    """Return every door of change orders, their addenda and the revisions they move."""
    yield from _items(speech)
    yield _sealed(speech)
    yield _two_people(speech)
    yield _revision_moves(speech)
    yield from _definitions(speech)
    yield from _tables(speech)


def by_quality(door: Door) -> Door:
    """Return a door of supplier approvals so that it opens only for a change that quality signed (domain.md 4c)."""
    signed = (
        "EXISTS (SELECT 1 FROM approval_slot b WHERE b.record_type = i.change_type AND b.record_id = i.change_id "
        f"AND b.record_hash = i.change_hash AND b.role IN {words(QUALITY)} AND {valid_signature('b')})"
    )
    return replace(door, item=f"{door.item} AND {signed}")


def _items(speech: Speech) -> Iterator[Door]:
    items = table_of(ChangeItem)
    rest = [column.name for column in items.columns if column.name != "applied_at"]
    changed = " OR ".join(speech.differ(f"OLD.{name}", f"NEW.{name}") for name in rest)
    sentence = (
        "UNCONTROLLED_CHANGE: Expected the items of a change order to change while it is being written, but {what}"
    )
    yield Door(
        name="guard_change_item_of_a_change_order_in_writing", table=items, event="INSERT",
        refused_when=(
            f"(CASE NEW.change_type WHEN {quoted(CHANGE_ORDER.table.name)} THEN NEW.change_hash <> {quoted(UNSEALED)} "
            f"OR NOT {_in_writing('NEW', speech)} "
            f"WHEN {quoted(ADDENDUM.table.name)} THEN NOT {_proposed('NEW', speech)} ELSE 1 = 0 END)"
        ),
        sentence=sentence.format(what="one was inserted"),
    )  # fmt: skip
    yield Door(
        name="guard_change_item_of_a_change_order_stays", table=items, event="UPDATE", columns=tuple(rest),
        refused_when=(
            f"({changed}) AND (CASE OLD.change_type WHEN {quoted(CHANGE_ORDER.table.name)} THEN NOT {_in_writing('OLD', speech)} "
            f"WHEN {quoted(ADDENDUM.table.name)} THEN 1 = 1 ELSE 1 = 0 END)"
        ),
        sentence=sentence.format(what="one was updated"),
    )  # fmt: skip
    yield Door(
        name="guard_change_item_of_a_change_order_kept", table=items, event="DELETE",
        refused_when=(
            f"(CASE OLD.change_type WHEN {quoted(CHANGE_ORDER.table.name)} THEN NOT {_in_writing('OLD', speech)} "
            f"WHEN {quoted(ADDENDUM.table.name)} THEN 1 = 1 ELSE 1 = 0 END)"
        ),
        sentence=sentence.format(what="one was deleted"),
    )  # fmt: skip


def _in_writing(row: str, speech: Speech) -> str:
    table = CHANGE_ORDER.table
    key = speech.id_of(table.columns["id"], f"{row}.change_id")
    return f"EXISTS (SELECT 1 FROM {table.name} c WHERE c.id = {key} AND c.status IN {words(CHANGE_ORDER.drafts)})"


def _proposed(row: str, speech: Speech) -> str:
    table = ADDENDUM.table
    key = speech.id_of(table.columns["id"], f"{row}.change_id")
    return f"EXISTS (SELECT 1 FROM {table.name} c WHERE c.id = {key} AND c.status = 'PROPOSED' AND c.content_hash = {row}.change_hash)"


def _sealed(speech: Speech) -> Door:
    table = CHANGE_ORDER.table
    mine = f"i.change_type = {quoted(table.name)} AND i.change_id = {speech.key(table.columns['id'], 'NEW.id')}"
    return Door(
        name="guard_change_order_is_sealed", table=table, event="UPDATE", columns=("status",),
        refused_when=(
            "OLD.status IN ('IMPACT', 'DRAFT') AND NEW.status IN ('REVIEW', 'EMERGENCY_ACTIVE') AND (NEW.content_hash IS NULL "
            f"OR EXISTS (SELECT 1 FROM change_item i WHERE {mine} AND i.change_hash = {quoted(UNSEALED)}))"
        ),
        sentence="UNSEALED: Expected the content of a change order to be sealed before anybody signs it, but it is not",
    )  # fmt: skip


def _two_people(speech: Speech) -> Door:
    table = CHANGE_ORDER.table
    mine = (
        f"s.record_type = {quoted(table.name)} AND s.record_id = {speech.key(table.columns['id'], 'NEW.id')} "
        f"AND s.record_hash = NEW.content_hash AND {valid_signature('s')}"
    )
    return Door(
        name="guard_change_order_needs_two_people", table=table, event="UPDATE", columns=("status",),
        refused_when=(
            "((OLD.status = 'DRAFT' AND NEW.status = 'EMERGENCY_ACTIVE') OR (OLD.status = 'REVIEW' AND NEW.status = 'APPROVED')) "
            f"AND (SELECT COUNT(DISTINCT t.signer_id) FROM approval_slot s JOIN signature t ON t.id = s.signature_id WHERE {mine}) "
            "< (CASE WHEN NEW.status = 'EMERGENCY_ACTIVE' THEN 2 ELSE 1 END)"
        ),
        sentence="SOD-8: Expected two different people to sign an emergency, but one person did, or none",
    )  # fmt: skip


def _revision_moves(speech: Speech) -> Door:
    table = table_of(PartRevision)
    moved = f"{speech.differ('OLD.status', 'NEW.status')} AND NEW.status IN {words(DECIDED)}"
    door = doors.only_as_approved(table, table.columns["status"], speech, name="decided", when=moved)
    enough = f"i.change_class IN {words(ChangeClass.C3.sufficient)}"
    at_least = f"i.change_class IN {words(ChangeClass.C2.sufficient)}"
    return Door(
        name=door.name, table=table, event=door.event, columns=door.columns, refused_when=door.refused_when, sentence=door.sentence,
        item=door.item.replace(at_least, enough), row=door.row, shows=door.shows, owner="role:ENG_AUTH",
    )  # fmt: skip


def _definitions(speech: Speech) -> Iterator[Door]:
    """A deployed process stays what it is; under the lock a change order releases it that another than its author signed."""
    table = table_of(Definition)
    yield from doors.fixed(
        table, ("id", "process_id", "version", "hash", "main_file", "deployed_at", "deployed_by"), speech
    )
    yield from doors.never_deleted(table)
    release = doors.only_as_approved(
        table, table.columns["status"], speech, name="released",
        when=f"OLD.status <> 'RELEASED' AND NEW.status = 'RELEASED' AND EXISTS (SELECT 1 FROM {table_of(DefinitionLock).name})",
    )  # fmt: skip
    somebody_else = (
        "EXISTS (SELECT 1 FROM approval_slot b JOIN signature t ON t.id = b.signature_id WHERE b.record_type = i.change_type "
        f"AND b.record_id = i.change_id AND b.record_hash = i.change_hash AND {valid_signature('b')} "
        "AND 'user:' || t.signer_id <> OLD.deployed_by)"
    )
    yield replace(
        release, item=f"{release.item} AND {somebody_else}",
        sentence=(
            "UNCONTROLLED_CHANGE: Expected a process to be released by a change order that somebody else than its author signed, "
            "since processes are under change control here, but there is none"
        ),
    )  # fmt: skip
    yield Door(
        name="guard_definition_starts_as_draft", table=table, event="INSERT",
        refused_when=f"NEW.status <> 'DRAFT' AND EXISTS (SELECT 1 FROM {table_of(DefinitionLock).name})",
        sentence="ILLEGAL_TRANSITION: Expected a new process to start as DRAFT, but it was inserted beyond that",
    )  # fmt: skip


def _tables(speech: Speech) -> Iterator[Door]:
    """Under the lock, which content of a rule table counts is said by a change order that another than its author signed."""
    table = table_of(TableInForce)
    yield from doors.fixed(table, ("id", "name", "created_at", "created_by"), speech)
    yield from doors.never_deleted(table)
    locked = f"EXISTS (SELECT 1 FROM {table_of(DefinitionLock).name})"
    somebody_else = (
        "EXISTS (SELECT 1 FROM approval_slot b JOIN signature t ON t.id = b.signature_id WHERE b.record_type = i.change_type "
        f"AND b.record_id = i.change_id AND b.record_hash = i.change_hash AND {valid_signature('b')} "
        "AND 'user:' || t.signer_id <> i.created_by)"
    )
    sentence = (
        "UNCONTROLLED_CHANGE: Expected a rule table to come in force by a change order that somebody else than its author signed, "
        "since tables are under change control here, but there is none"
    )
    moved = doors.only_as_approved(
        table, table.columns["content_hash"], speech, name="in_force",
        when=f"{speech.differ('OLD.content_hash', 'NEW.content_hash')} AND {locked}",
    )  # fmt: skip
    yield replace(moved, item=f"{moved.item} AND {somebody_else}", sentence=sentence)
    for column in ("name", "content_hash"):
        item = doors.item_says(table, "INSERT", table.columns[column], "NEW", speech)
        yield Door(
            name=f"guard_table_in_force_insert_{column}", table=table, event="INSERT", row="NEW", shows=column, refused_when=locked,
            sentence=sentence, item=f"{item} AND i.change_class IN {words(ChangeClass.C2.sufficient)} AND {somebody_else}",
        )  # fmt: skip
