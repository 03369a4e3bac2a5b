"""Every closed door of the house, in a stable order: what the triggers of a database are made from."""

from __future__ import annotations

from collections.abc import Iterator

from engine.audit import AuditEvent
from records.amendment import AmendmentChange
from records.approval import ApprovalSlot
from records.person import User
from records.purchase_order import PurchaseOrderLine
from records.signature import Signature
from rules import doors
from rules.board_doors import board_doors
from rules.change_doors import by_quality, change_doors
from rules.change_item import ChangeItem
from rules.controlled import ControlledFields
from rules.doors import Door, Guarded, Parent, Speech, quoted, words
from rules.finding import KeptFinding
from rules.flow_mode import FlowMode
from rules.goods_doors import goods_doors
from rules.guarded import (
    AMENDMENT,
    APPEND_ONLY,
    DOCUMENTS,
    MODE_SWITCH,
    MOVING,
    PURCHASE_ORDER,
    REQUISITION,
    SUPPLIER_APPROVAL,
    WAIVER,
    WORK_ORDER,
    Document,
    guarded_tables,
    table_of,
)
from rules.hold_doors import hold_doors
from rules.lot_doors import lot_doors
from rules.outside_doors import outside_doors
from rules.status_transition import StatusTransition
from rules.work_order_quantity import deepened, quantity_covers_what_is_away

ORDER_LINES = Guarded(
    table_of(PurchaseOrderLine), ("DRAFT",), {}, "requisition_to_po", parent=Parent("order_id", PURCHASE_ORDER.table)
)
"""Whose status decides whether a line may be cancelled freely."""


def every_door(speech: Speech, policy: ControlledFields) -> list[Door]:
    """Return every door, each name once."""
    found = [
        *_frozen(speech, policy),
        *_documents(speech),
        *_issue(speech),
        *_holds(speech),
        *_amendments(speech),
        *(door for mapped in APPEND_ONLY for door in doors.append_only(table_of(mapped))),
        # A sign-in name belongs to one person for good (21 CFR 11.100(a)).
        *doors.never_deleted(table_of(User)),
        *doors.fixed(table_of(User), ("id",), speech),
        *_signatures(speech),
        *_slots(speech),
        *_change_items(speech),
        *_findings(speech),
        *_modes(speech),
        *goods_doors(speech),
        *lot_doors(speech),
        *hold_doors(speech),
        *_sealed(),
        _noted(),
        *change_doors(speech),
        *board_doors(speech),
        *outside_doors(speech),
        quantity_covers_what_is_away(),
    ]
    assert len({door.name for door in found}) == len(found)
    return found


def _frozen(speech: Speech, policy: ControlledFields) -> Iterator[Door]:
    for guarded in guarded_tables(policy):
        for door in doors.frozen_columns(guarded, speech):
            if door.name == "guard_work_order_quantity":
                yield deepened(door)
            else:
                yield by_quality(door) if guarded.table is SUPPLIER_APPROVAL.table else door
        yield from doors.fixed_columns(guarded, speech)
        yield from doors.lines_stay(guarded, speech)


def _documents(speech: Speech) -> Iterator[Door]:
    for mapped in MOVING:
        yield from doors.statuses_move(table_of(mapped), speech)
    for document in DOCUMENTS:
        yield from doors.set_once(document.table, document.set_once, document.reopened, speech)
        if document.signed_moves:
            yield from doors.plan_is_signed(
                document.table,
                document.signed_moves,
                speech,
                signed=document.signed_hash,
                needs_seat=document.needs_seat,
            )
        if document.back_moves:
            yield from doors.signatures_end_first(document.table, document.back_moves, speech)
        if document in (MODE_SWITCH, WAIVER):
            yield from doors.plan_is_not_empty(document.table, document.signed_moves, speech)
        if document is not SUPPLIER_APPROVAL:
            yield from doors.born_as_draft(document.table, document.drafts[:1], speech)
        yield from doors.never_deleted(document.table, unless=_deletable(document, speech))
    # Without this, a requisition could be approved on a hash of which nobody ever planned a signature.
    yield Door(
        name="guard_requisition_approved_as_submitted",
        table=REQUISITION.table,
        event="UPDATE",
        columns=("status",),
        refused_when="OLD.status <> 'APPROVED' AND NEW.status = 'APPROVED' AND "
        + speech.differ("NEW.approved_hash", "OLD.submitted_hash"),
        sentence="UNSIGNED: Expected a requisition to be approved as it was submitted, but the hashes differ",
    )


def _issue(speech: Speech) -> Iterator[Door]:
    """An empty plan passes the approval; what goes out is then authorised by nothing but its buyer's own signature."""
    table = PURCHASE_ORDER.table
    released = (
        f"SELECT 1 FROM signature g WHERE g.record_type = {quoted(table.name)} AND g.record_id = "
        f"{speech.key(table.columns['id'], 'NEW.id')} AND g.content_hash = NEW.approved_hash AND g.status = 'VALID' "
        "AND g.meaning = 'RELEASED'"
    )
    yield Door(
        name="guard_purchase_order_is_released",
        table=table,
        event="UPDATE",
        columns=("status",),
        refused_when=f"OLD.status = 'APPROVED' AND NEW.status = 'APPROVED_NOT_TRANSMITTED' AND NOT EXISTS ({released})",
        sentence="UNSIGNED: Expected a purchase_order to be issued with its buyer's signature on the approved hash, but there is none",
    )


def _deletable(document: Document, speech: Speech) -> str:
    """Return when a document may be deleted: an untouched draft, or never where its number counts from the start."""
    if not document.signed_moves or document.needs_seat:
        return ""
    mine = f"record_type = {quoted(document.table.name)} AND record_id = {speech.key(document.table.columns['id'], 'OLD.id')}"
    return (
        f"OLD.status = 'DRAFT' AND OLD.approved_hash IS NULL AND NOT EXISTS (SELECT 1 FROM signature WHERE {mine}) "
        f"AND NOT EXISTS (SELECT 1 FROM approval_slot WHERE {mine})"
    )


def _holds(speech: Speech) -> Iterator[Door]:
    left = "OLD.status = 'ON_HOLD' AND NEW.status <> 'ON_HOLD' AND " + speech.differ("NEW.status", "OLD.held_from")
    entered = "OLD.status <> 'ON_HOLD' AND NEW.status = 'ON_HOLD' AND " + speech.differ("NEW.held_from", "OLD.status")
    stays = "OLD.status = 'ON_HOLD' AND NEW.status = 'ON_HOLD' AND " + speech.differ("NEW.held_from", "OLD.held_from")
    for document, also in ((PURCHASE_ORDER, ""), (WORK_ORDER, " AND NEW.status <> 'CANCELLED'")):
        yield Door(
            name=f"guard_{document.table.name}_hold_goes_back",
            table=document.table,
            event="UPDATE",
            columns=("status", "held_from"),
            refused_when=f"({left}{also}) OR ({entered}) OR ({stays})",
            sentence="ILLEGAL_TRANSITION: Expected an order on hold to go back to the status it was held in, but it did not",
        )


def _amendments(speech: Speech) -> Iterator[Door]:
    lines = table_of(PurchaseOrderLine)
    # A row of the redline is never edited; it goes only while its amendment is sent back, which the doors of lines see to.
    yield next(door for door in doors.append_only(table_of(AmendmentChange)) if door.event == "UPDATE")
    yield doors.only_as_approved(
        lines, lines.columns["status"], speech, name="cancelled",
        when=f"(NEW.status = 'CANCELLED') <> (OLD.status = 'CANCELLED') AND {doors.status_of(ORDER_LINES, 'OLD')} <> 'DRAFT'",
    )  # fmt: skip
    items = table_of(ChangeItem)
    key = speech.id_of(AMENDMENT.table.columns["id"], "NEW.change_id")
    yield Door(
        name="guard_change_item_of_a_draft_amendment",
        table=items,
        event="INSERT",
        refused_when=(
            f"(CASE WHEN NEW.change_type = {quoted(AMENDMENT.table.name)} THEN NOT EXISTS (SELECT 1 FROM {AMENDMENT.table.name} a "
            f"WHERE a.id = {key} AND a.status = 'DRAFT' AND a.content_hash = NEW.change_hash "
            "AND (NEW.change_class IN ('C1', 'C2') OR a.change_order_id IS NOT NULL)) ELSE 1 = 0 END)"
        ),
        sentence=(
            "UNCONTROLLED_CHANGE: Expected the items of an amendment to be written with it, of class C1 or C2 without a change order, "
            "but one was not"
        ),
    )


def _signatures(speech: Speech) -> Iterator[Door]:
    table = table_of(Signature)
    rest = [column.name for column in table.columns if column.name not in {"status", "superseded_at"}]
    changed = " OR ".join(speech.differ(f"OLD.{name}", f"NEW.{name}") for name in rest)
    yield Door(
        name="guard_signature_only_ends",
        table=table,
        event="UPDATE",
        refused_when=f"NOT (OLD.status = 'VALID' AND NEW.status = 'SUPERSEDED') OR {changed}",
        sentence="APPEND_ONLY: Expected a signature to stay as it was made, or to be superseded once, but it was changed",
    )
    yield from doors.never_deleted(table)


def _slots(speech: Speech) -> Iterator[Door]:
    table = table_of(ApprovalSlot)
    rest = [column.name for column in table.columns if column.name != "signature_id"]
    changed = " OR ".join(speech.differ(f"OLD.{name}", f"NEW.{name}") for name in rest)
    standing = doors.valid_signature("OLD")
    shared = "EXISTS (SELECT 1 FROM approval_slot o WHERE o.signature_id = NEW.signature_id AND o.id <> NEW.id)"
    yield Door(
        name="guard_approval_slot_is_filled",
        table=table,
        event="UPDATE",
        refused_when=(
            f"{changed} OR ({speech.differ('OLD.signature_id', 'NEW.signature_id')} AND "
            f"({standing} OR {shared} OR (NEW.signature_id IS NOT NULL AND NOT {doors.valid_signature('NEW')})))"
        ),
        sentence="UNSIGNED: Expected a slot to be filled by a valid signature of its own on its document and hash, but it was not",
    )
    yield Door(
        name="guard_approval_slot_starts_open",
        table=table,
        event="INSERT",
        refused_when=f"NEW.signature_id IS NOT NULL AND ({shared} OR NOT {doors.valid_signature('NEW')})",
        sentence="UNSIGNED: Expected a new slot to be open, or filled by a valid signature on its document and hash, but it is not",
    )
    busy = " OR ".join(_is_busy(document, speech) for document in DOCUMENTS if document.signed_moves)
    yield Door(
        name="guard_approval_slot_stays",
        table=table,
        event="DELETE",
        refused_when=(
            f"{busy} OR EXISTS (SELECT 1 FROM signature g WHERE g.record_type = OLD.record_type "
            "AND g.record_id = OLD.record_id AND g.status = 'VALID')"
        ),
        sentence="UNSIGNED: Expected the slots of a document to stay until it is a draft again without signatures, but one was deleted",
    )


def _is_busy(document: Document, speech: Speech) -> str:
    free = words([*document.drafts, "SUBMITTED"] if document is REQUISITION else document.drafts)
    key = speech.id_of(document.table.columns["id"], "OLD.record_id")
    return (
        f"(CASE WHEN OLD.record_type = {quoted(document.table.name)} THEN EXISTS (SELECT 1 FROM {document.table.name} d "
        f"WHERE d.id = {key} AND d.status NOT IN {free}) ELSE 1 = 0 END)"
    )


def _change_items(speech: Speech) -> Iterator[Door]:
    table = table_of(ChangeItem)
    signed = (
        "EXISTS (SELECT 1 FROM signature g WHERE g.record_type = {row}.change_type AND g.record_id = {row}.change_id "
        "AND g.content_hash = {row}.change_hash)"
    )
    rest = [column.name for column in table.columns if column.name != "applied_at"]
    changed = " OR ".join(speech.differ(f"OLD.{name}", f"NEW.{name}") for name in rest)
    yield Door(
        name="guard_change_item_is_frozen",
        table=table,
        event="UPDATE",
        columns=tuple(rest),
        refused_when=f"({changed}) AND ({signed.format(row='OLD')} OR {signed.format(row='NEW')})",
        sentence="APPEND_ONLY: Expected a signed change item to stay as signed, and a used one used, but it was changed",
    )
    yield Door(
        name="guard_change_item_is_used_once",
        table=table,
        event="UPDATE",
        columns=("applied_at",),
        refused_when=f"OLD.applied_at IS NOT NULL AND {speech.differ('OLD.applied_at', 'NEW.applied_at')}",
        sentence="APPEND_ONLY: Expected a signed change item to stay as signed, and a used one used, but it was changed",
    )
    yield Door(
        name="guard_change_item_comes_before_signatures",
        table=table,
        event="INSERT",
        refused_when=f"NEW.applied_at IS NOT NULL OR {signed.format(row='NEW')}",
        sentence="APPEND_ONLY: Expected no new item in a change that people have signed, but one was inserted",
    )
    yield from doors.never_deleted(table, unless=f"OLD.applied_at IS NULL AND NOT {signed.format(row='OLD')}")


def _findings(speech: Speech) -> Iterator[Door]:
    table = table_of(KeptFinding)
    later = {"acknowledged_by", "acknowledged_at", "acknowledgement"}
    rest = [column.name for column in table.columns if column.name not in {*later, "settled_at"}]
    changed = " OR ".join(speech.differ(f"OLD.{name}", f"NEW.{name}") for name in rest)
    again = " OR ".join(speech.differ(f"OLD.{name}", f"NEW.{name}") for name in sorted(later))
    settled = speech.differ("OLD.settled_at", "NEW.settled_at")
    yield Door(
        name="guard_finding_is_acknowledged_once",
        table=table,
        event="UPDATE",
        refused_when=(
            f"{changed} OR (OLD.acknowledged_at IS NOT NULL AND ({again})) OR (OLD.settled_at IS NOT NULL AND {settled}) "
            f"OR NOT (({again}) OR {settled})"
        ),
        sentence="APPEND_ONLY: Expected a finding to stay as found, and to be acknowledged and settled once, but it was changed",
    )
    yield from doors.never_deleted(table)


def _modes(speech: Speech) -> Iterator[Door]:
    table = table_of(FlowMode)
    yield doors.only_as_approved(table, table.columns["mode"], speech)
    yield from doors.fixed(table, ("id", "flow", "created_at", "created_by"), speech)
    yield from doors.never_deleted(table)
    yield Door(
        name="guard_flow_mode_starts_enforced",
        table=table,
        event="INSERT",
        refused_when="NEW.mode <> 'ENFORCE'",
        sentence="UNCONTROLLED_CHANGE: Expected a new flow to be enforced, but it was inserted in another mode",
    )


def _noted() -> Door:
    """Return the door that opens by itself: each event of the chain is noted for the next checkpoint, in the same statement."""
    return Door(
        name="guard_audit_event_noted",
        table=table_of(AuditEvent),
        event="INSERT",
        refused_when="",
        sentence="",
        afterwards="INSERT INTO unsealed_event (id, record_type, record_id, written_at) "
        "VALUES (NEW.id, NEW.record_type, NEW.record_id, NEW.at)",
    )


def _sealed() -> Iterator[Door]:
    table = table_of(StatusTransition)
    for event in ("INSERT", "UPDATE", "DELETE"):
        yield Door(
            name=f"guard_status_transition_{event.lower()}",
            table=table,
            event=event,
            refused_when="1 = 1",
            sentence="SEALED: Expected the listed transitions to change with the program only, but they were written to",
        )
