"""What is guarded: every kind of document that freezes, with the columns that never change and the moves that need signatures.

Which columns freeze in which status is the policy's to say (``controlled_fields.dmn``); here stands what no policy may loosen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Table

from engine.audit import AuditEvent
from engine.database import Base
from engine.decisions import Decision
from engine.stored.checkpoint import Checkpoint, CheckpointKey, CheckpointLeaf
from engine.stored.definition import DefinitionFile
from records import (
    actual,
    amendment,
    approval,
    attachment,
    certificate,
    change_order,
    change_request,
    change_task,
    comment,
    cost_centre,
    definition_lock,
    external,
    impact,
    invoice,
    legal_hold,
    lot,
    meeting,
    nonconformance,
    order_limit,
    outside,
    outside_loss,
    outside_stop,
    part,
    person,
    purchase_order,
    quotation,
    receipt,
    requisition,
    resource,
    routing,
    signature,
    sole_source,
    sourcing,
    standard_cost,
    supplier,
    supplier_knowledge,
    vote,
    waiver,
    work_order,
    work_order_change,
)
from rules import change_item, finding, flow_mode, status_transition, table_version
from rules.change_item import ChangeClass
from rules.controlled import ControlledFields
from rules.doors import Guarded, Parent

BORN = ("id", "created_at", "created_by")
"""Columns of every record that are written once, when it is made."""


@dataclass(frozen=True)
class Document:
    """A kind of document with a status of its own.

    drafts: statuses in which it is free. signed_moves: (from, to) that need every slot of the approved hash signed; back_moves: that need
    every signature superseded. set_once: columns that, once set, change only on the way back to one of ``reopened``. signed_hash: the
    column that says which content was signed; needs_seat: an empty plan of signatures does not pass.
    """

    mapped: type[Base]
    transitions: frozenset[tuple[StrEnum, StrEnum]]
    drafts: tuple[str, ...]
    flow: str
    fixed: tuple[str, ...] = BORN
    signed_moves: tuple[tuple[str, str], ...] = ()
    back_moves: tuple[tuple[str, str], ...] = ()
    set_once: tuple[str, ...] = ()
    reopened: tuple[str, ...] = ()
    signed_hash: str = "approved_hash"
    needs_seat: bool = False

    @property
    def table(self) -> Table:
        """The table it lives in."""
        return table_of(self.mapped)


@dataclass(frozen=True)
class Lines:
    """A kind of row that freezes with the document it belongs to. column: its key to that document."""

    mapped: type[Base]
    document: Document
    column: str

    @property
    def table(self) -> Table:
        """The table they live in."""
        return table_of(self.mapped)


def table_of(mapped: type[Base]) -> Table:
    """Return the table of a mapped class."""
    table = mapped.__table__
    assert isinstance(table, Table)
    return table


PURCHASE_ORDER = Document(
    purchase_order.PurchaseOrder,
    frozenset(purchase_order.TRANSITIONS),
    drafts=("DRAFT",),
    flow="requisition_to_po",
    fixed=(*BORN, "origin", "proposal_no"),
    signed_moves=(("PENDING_APPROVAL", "APPROVED"), ("APPROVED", "APPROVED_NOT_TRANSMITTED")),
    back_moves=(
        ("PENDING_APPROVAL", "DRAFT"),
        ("APPROVED", "DRAFT"),
        ("APPROVAL_EXPIRED", "DRAFT"),
        ("APPROVAL_EXPIRED", "PENDING_APPROVAL"),
        ("APPROVED_NOT_TRANSMITTED", "DRAFT"),
    ),
    set_once=("po_no", "approved_at", "approval_expires_at"),
    reopened=("DRAFT", "PENDING_APPROVAL"),
)
REQUISITION = Document(
    requisition.Requisition,
    frozenset(requisition.TRANSITIONS),
    drafts=("DRAFT", "RETURNED"),
    flow="requisition_to_po",
    fixed=(*BORN, "origin", "number"),
    signed_moves=(("IN_APPROVAL", "APPROVED"), ("SUBMITTED", "APPROVED")),
    back_moves=(("IN_APPROVAL", "RETURNED"), ("APPROVED", "DRAFT"), ("RETURNED", "DRAFT"), ("SUBMITTED", "RETURNED")),
    set_once=("approved_hash",),
    reopened=("DRAFT",),
)
PART_REVISION = Document(
    part.PartRevision,
    frozenset(part.TRANSITIONS),
    drafts=("DRAFT", "IN_REVIEW"),
    flow="change_control",
    fixed=(*BORN, "origin", "part_id"),
)
SUPPLIER_APPROVAL = Document(
    supplier.SupplierApproval,
    frozenset(supplier.APPROVAL_TRANSITIONS),
    drafts=("PENDING",),
    flow="requisition_to_po",
    fixed=(*BORN, "origin", "supplier_id"),
)
SUB_TIER = Document(
    supplier_knowledge.SubTier,
    frozenset(supplier_knowledge.SUB_TIER_TRANSITIONS),
    drafts=("DECLARED",),
    flow="requisition_to_po",
    fixed=tuple(
        column.name
        for column in table_of(supplier_knowledge.SubTier).columns
        if column.name not in {"status", "version", "changed_at", "changed_by", "approved_signature_id"}
    ),
)
WAIVER = Document(
    waiver.Waiver,
    frozenset(waiver.TRANSITIONS),
    drafts=("PROPOSED",),
    flow="",
    fixed=(
        *BORN, "number", "rule", "target_type", "record_id", "record_name", "quantity_limit", "serials", "starts_on",
        "expires_on", "reason", "requested_by", "approved_hash",
    ),
    signed_moves=(("PROPOSED", "GRANTED"),),
)  # fmt: skip
MODE_SWITCH = Document(
    flow_mode.ModeSwitch,
    frozenset(flow_mode.SWITCH_TRANSITIONS),
    drafts=("PROPOSED",),
    flow="",
    fixed=(
        *BORN, "number", "flow_mode_id", "flow", "from_mode", "to_mode", "reason", "requested_by", "approved_hash",
    ),
    signed_moves=(("PROPOSED", "APPLIED"),),
)  # fmt: skip
OUTSIDE_LOSS = Document(
    outside_loss.OutsideLoss,
    frozenset(outside_loss.TRANSITIONS),
    drafts=("DECLARED",),
    flow="",
    fixed=(
        *BORN, "number", "link_id", "movement_id", "work_order_id", "quantity", "uom", "statement", "follow_up", "quantity_before",
        "quantity_after", "declared_by", "approved_hash",
    ),
    signed_moves=(("DECLARED", "SETTLED"),),
    set_once=("replacement_id",),
    reopened=("DECLARED",),
    needs_seat=True,
)  # fmt: skip
WORK_ORDER = Document(
    work_order.WorkOrder,
    frozenset(work_order.TRANSITIONS),
    drafts=("PLANNED", "FIRM"),
    flow="work_orders",
    fixed=(*BORN, "origin", "system", "native_id", "number", "site_id", "type", "parent_id", "continues_parent"),
    signed_moves=(("FIRM", "RELEASED"),),
    back_moves=(("FIRM", "PLANNED"),),
)
WORK_ORDER_CHANGE = Document(
    work_order_change.WorkOrderChange,
    frozenset(work_order_change.TRANSITIONS),
    drafts=("PROPOSED",),
    flow="",
    fixed=tuple(
        column.name
        for column in table_of(work_order_change.WorkOrderChange).columns
        if column.name not in {"status", "version", "changed_at", "changed_by", "applied_at", "ended_reason"}
    ),
    signed_moves=(("PROPOSED", "APPLIED"),),
    set_once=("applied_at", "ended_reason"),
    reopened=("PROPOSED",),
    signed_hash="content_hash",
    needs_seat=True,
)
AMENDMENT = Document(
    amendment.PurchaseOrderAmendment,
    frozenset(amendment.TRANSITIONS),
    drafts=("DRAFT",),
    flow="requisition_to_po",
    fixed=(
        *BORN, "number", "order_id", "amend_no", "kind", "currency", "reverts_id", "acknowledgement_id", "opened_by",
    ),
    signed_moves=(("PENDING", "APPROVED"),),
    back_moves=(("PENDING", "WITHDRAWN"), ("PENDING", "DRAFT")),
    set_once=(
        "approved_at", "sent_at", "applied_at", "ended_reason", "cancellation_charge", "revision", "change_class", "reason_code",
        "reason", "content_hash", "hash_before", "hash_after", "total_before", "total_after", "money_delta", "increase",
        "increase_percent", "plan", "plan_row", "plan_words", "judged_by", "impact", "change_order_id",
    ),
    reopened=("DRAFT",),
    signed_hash="content_hash",
    needs_seat=True,
)  # fmt: skip
CHANGE_ORDER = Document(
    change_order.ChangeOrder,
    frozenset(change_order.TRANSITIONS),
    drafts=tuple(status.value for status in change_order.FREE),
    flow="change_control",
    fixed=(*BORN, "number", "site_id", "opened_by"),
    signed_moves=(("REVIEW", "APPROVED"), ("DRAFT", "EMERGENCY_ACTIVE")),
    back_moves=(
        ("REVIEW", "RETURNED"), ("REVIEW", "IMPACT"), ("REVIEW", "CONFLICT"), ("APPROVED", "RETURNED"), ("APPROVED", "IMPACT"),
        ("APPROVED", "CONFLICT"), ("REJECTED", "IMPACT"),
    ),
    set_once=("approved_at", "effective_at", "closed_at"),
    reopened=tuple(status.value for status in change_order.FREE),
    signed_hash="content_hash",
    needs_seat=True,
)  # fmt: skip
ADDENDUM = Document(
    change_order.ChangeOrderAddendum,
    frozenset(change_order.ADDENDUM_TRANSITIONS),
    drafts=("PROPOSED",),
    flow="change_control",
    fixed=(
        *BORN, "number", "change_order_id", "addendum_no", "kind", "reason", "content", "content_hash", "proposed_by",
    ),
    signed_moves=(("PROPOSED", "APPROVED"),),
    set_once=("approved_at",),
    reopened=("PROPOSED",),
    signed_hash="content_hash",
    needs_seat=True,
)  # fmt: skip
CHANGE_REQUEST = Document(
    change_request.ChangeRequest,
    frozenset(change_request.TRANSITIONS),
    drafts=("DRAFT",),
    flow="change_control",
    fixed=(*BORN, "number", "site_id", "originator"),
    set_once=("submitted_at", "decided_at"),
    reopened=("TRIAGED",),
    needs_seat=True,
)
MEETING = Document(
    meeting.Meeting,
    frozenset(meeting.TRANSITIONS),
    drafts=("PLANNED", "OPEN"),
    flow="change_control",
    fixed=(*BORN, "number", "board_id"),
    signed_moves=(("CLOSED", "SIGNED"),),
    set_once=("opened_at", "closed_at", "minutes", "minutes_hash"),
    reopened=("PLANNED",),
    signed_hash="minutes_hash",
    needs_seat=True,
)
SOLE_SOURCE = Document(
    sole_source.SoleSourceJustification,
    frozenset(sole_source.TRANSITIONS),
    drafts=("PROPOSED",),
    flow="requisition_to_po",
    fixed=tuple(
        column.name
        for column in table_of(sole_source.SoleSourceJustification).columns
        if column.name not in {"status", "version", "changed_at", "changed_by", "signature_id"}
    ),
    set_once=("signature_id",),
    reopened=("PROPOSED",),
)
DOCUMENTS = (
    PURCHASE_ORDER, REQUISITION, PART_REVISION, SUPPLIER_APPROVAL, SUB_TIER, WAIVER, MODE_SWITCH, WORK_ORDER, WORK_ORDER_CHANGE,
    AMENDMENT, OUTSIDE_LOSS, SOLE_SOURCE,
    CHANGE_ORDER, ADDENDUM, CHANGE_REQUEST, MEETING,
)  # fmt: skip
LINES = (
    Lines(purchase_order.PurchaseOrderLine, PURCHASE_ORDER, "order_id"),
    Lines(requisition.RequisitionLine, REQUISITION, "requisition_id"),
    Lines(part.ProductDefinitionRef, PART_REVISION, "part_revision_id"),
    Lines(work_order.WorkOrderOperation, WORK_ORDER, "work_order_id"),
    Lines(standard_cost.StandardCost, WORK_ORDER, "work_order_id"),
    Lines(amendment.AmendmentChange, AMENDMENT, "amendment_id"),
    Lines(change_order.AffectedItem, CHANGE_ORDER, "change_order_id"),
    Lines(change_order.EmergencyBound, CHANGE_ORDER, "change_order_id"),
    Lines(impact.RowDisposition, CHANGE_ORDER, "change_order_id"),
    Lines(impact.ImpactAssessment, CHANGE_ORDER, "change_order_id"),
    Lines(meeting.AgendaItem, MEETING, "meeting_id"),
    Lines(meeting.Attendance, MEETING, "meeting_id"),
)
MOVING: dict[type[Base], frozenset[tuple[StrEnum, StrEnum]]] = {
    **{document.mapped: document.transitions for document in DOCUMENTS},
    purchase_order.PurchaseOrderLine: frozenset(purchase_order.LINE_TRANSITIONS),
    supplier.Supplier: frozenset(supplier.SUPPLIER_TRANSITIONS),
    quotation.RequestForQuotation: frozenset(quotation.TRANSITIONS),
    external.Discrepancy: frozenset(external.TRANSITIONS),
    work_order.WorkOrderOperation: frozenset(work_order.OPERATION_TRANSITIONS),
    nonconformance.Nonconformance: frozenset(nonconformance.TRANSITIONS),
    nonconformance.DeviationAuthority: frozenset(nonconformance.DEVIATION_TRANSITIONS),
    routing.WorkInstruction: frozenset(routing.INSTRUCTION_TRANSITIONS),
    receipt.Receipt: frozenset(receipt.TRANSITIONS),
    receipt.ShortClose: frozenset(receipt.SHORT_CLOSE_TRANSITIONS),
    certificate.Certificate: frozenset(certificate.TRANSITIONS),
    invoice.Invoice: frozenset(invoice.TRANSITIONS),
    invoice.MatchHold: frozenset(invoice.HOLD_TRANSITIONS),
    outside.OutsideLink: frozenset(outside.TRANSITIONS),
    outside_stop.OutsideStop: frozenset(outside_stop.TRANSITIONS),
    lot.Lot: frozenset(lot.TRANSITIONS),
    supplier_knowledge.ApprovalRecheck: frozenset(supplier_knowledge.RECHECK_TRANSITIONS),
    legal_hold.LegalHold: frozenset(legal_hold.TRANSITIONS),
    impact.RowDisposition: frozenset(impact.DISPOSITION_TRANSITIONS),
    change_task.ChangeTask: frozenset(change_task.TRANSITIONS),
    meeting.AgendaItem: frozenset(meeting.ITEM_TRANSITIONS),
}
"""Every kind of row whose status moves along listed transitions."""

APPEND_ONLY = (
    AuditEvent,
    Checkpoint,
    CheckpointKey,
    CheckpointLeaf,
    Decision,
    person.Certification,
    attachment.Attachment,
    attachment.AttachmentContent,
    cost_centre.BudgetPosting,
    actual.Actual,
    resource.WorkCentreRate,
    work_order_change.WorkOrderChangeShare,
    change_request.ChangeRequestEdit,
    definition_lock.DefinitionLock,
    DefinitionFile,
    impact.AffectedOrder,
    outside.OutsideMovement,
    outside.OutsideSerial,
    outside_loss.OutsideClaim,
    lot.GenealogyEdge,
    table_version.RuleTableVersion,
    supplier_knowledge.SupplierScreening,
    supplier_knowledge.SupplierScore,
    supplier_knowledge.FirstArticleDecision,
    supplier_knowledge.SupplierChangeNotice,
    comment.Comment,
    comment.CommentMention,
    comment.CommentResolution,
    vote.BoardRequirement,
    vote.BoardSeat,
    vote.ConflictOfInterest,
    vote.Vote,
    quotation.Quotation,
    quotation.QuotationLine,
    sourcing.SourcingRelease,
    order_limit.OrderLimit,
)
"""Rows that are written once."""

OWN = (
    signature.Signature, approval.ApprovalSlot, change_item.ChangeItem, finding.KeptFinding, flow_mode.FlowMode,
    status_transition.StatusTransition,
)  # fmt: skip
"""Rows that the guard itself rests on."""


def transitions() -> Iterator[tuple[str, str, str]]:
    """Yield (record type, from, to) for every listed transition, in a stable order."""
    for mapped, pairs in MOVING.items():
        for before, after in sorted((str(before), str(after)) for before, after in pairs):
            yield mapped.__tablename__, before, after


def guarded_tables(policy: ControlledFields) -> Iterator[Guarded]:
    """Yield every table whose columns freeze, with what the policy says of them."""
    for document in DOCUMENTS:
        yield Guarded(
            document.table, document.drafts, _classes(policy, document.table), document.flow, document.fixed,
            owners=_owners(policy, document.table),
        )  # fmt: skip
    for lines in LINES:
        yield Guarded(
            lines.table, lines.document.drafts, _classes(policy, lines.table), lines.document.flow, (*BORN, lines.column),
            Parent(lines.column, lines.document.table), owners=_owners(policy, lines.table),
        )  # fmt: skip


def problems(policy: ControlledFields) -> list[str]:
    """Return what the policy names that does not exist, or leaves unguarded in a status that is no draft."""
    known = {guarded.table.name: guarded for guarded in guarded_tables(policy)}
    statuses: dict[str, set[str]] = {}
    for kind, *pair in transitions():
        statuses.setdefault(kind, set()).update(pair)
    found = []
    for (record_type, field, status), control in policy.controls.items():
        where = f"row {control.row} of the controlled fields"
        if record_type not in known:
            found.append(f"{where}: expected a guarded record type, but found {record_type}")
            continue
        if field not in known[record_type].table.columns:
            found.append(f"{where}: expected a column of {record_type}, but found {field}")
        if status not in statuses.get(_document(known[record_type]), ()):
            found.append(f"{where}: expected a status of {_document(known[record_type])}, but found {status}")
        if status in known[record_type].drafts:
            found.append(f"{where}: expected {field} to be free in {status}, which is a draft")
    return found


def _document(guarded: Guarded) -> str:
    return guarded.parent.table.name if guarded.parent else guarded.table.name


def _classes(policy: ControlledFields, table: Table) -> dict[str, dict[ChangeClass, tuple[str, ...]]]:
    return {field: policy.by_class(table.name, field) for field in policy.fields(table.name)}


def _owners(policy: ControlledFields, table: Table) -> dict[str, str]:
    return {field: control.owner for (kind, field, _), control in policy.controls.items() if kind == table.name}
