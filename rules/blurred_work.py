"""The laws of blurred roles on work orders and amendments, judged at flush for every door: BLUR-P8, W1, W3, W4, W5, W7."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.errors import Effect, Finding
from engine.record import Edit, Operation
from records.actual import Actual
from records.amendment import AmendmentChange, PurchaseOrderAmendment
from records.attachment import Attachment
from records.origin import Origin
from records.outside import LinkStatus, OutsideLink
from records.part import Criticality
from records.purchase_order import PurchaseOrder, PurchaseOrderLine
from records.routing import OperationKind
from records.work_order import MAINTENANCE, WorkOrder, WorkOrderOperation
from rules.blurred_roles import (
    card_purchases,
    changes_only_text,
    is_critical,
    judge_evidence,
    leaves_without_link,
    read_operation,
    sends_document,
)
from rules.blurred_texts import work_order_paper
from rules.law import becomes, law, session_of

CARD = "CARD"
"""The source system of purchases by card: what a maintenance crew pays at a counter."""


@law("BLUR-W", on=WorkOrder)
def a_work_order_is_released_without_purchases_in_its_text(edit: Edit) -> Iterator[Finding]:
    """BLUR-W1 and W4 at release: no operation names a supplier with a price, or buys material by its text."""
    if edit.operation is not Operation.UPDATE or not becomes(edit, "RELEASED"):
        return
    session, order = session_of(edit), edit.record
    for operation in order.operations:
        found = read_operation(session, operation.description, number=operation.number, site=order.site.code)
        yield from judge_evidence(order, found, is_critical=is_critical_work(operation), owner="role:PLANNER")


@law("BLUR-W5", on=WorkOrderOperation)
def parts_leave_only_under_a_link(edit: Edit) -> Iterator[Finding]:
    """BLUR-W5: an operation goes to a supplier only under a link with an order line."""
    operation = edit.record
    if edit.operation is not Operation.UPDATE or not becomes(edit, "AT_SUPPLIER"):
        return
    session = session_of(edit)
    wanted = select(OutsideLink.id).where(
        OutsideLink.operation_id == operation.id, OutsideLink.status != LinkStatus.CANCELLED
    )
    linked = session.scalar(wanted.limit(1)) is not None
    supplier = operation.supplier.name if operation.supplier is not None else "a supplier"
    found = leaves_without_link(operation.number, supplier, has_link=linked)
    order = operation.work_order
    for finding in judge_evidence(order, found, is_critical=is_critical_work(operation), owner="role:SHIPPING"):
        # What another system has seen happen is let in; what is done here is refused.
        is_observed = order.origin is Origin.ERP and finding.effect is Effect.BLOCK
        yield replace(finding, effect=Effect.HOLD) if is_observed else finding


@law("BLUR-W7", on=Actual)
def maintenance_buys_little_by_card(edit: Edit) -> Iterator[Finding]:
    """BLUR-W7: card purchases on one maintenance work order stay within the table's limit, all of them together."""
    actual = edit.record
    if edit.operation is not Operation.INSERT or actual.source_system != CARD or actual.amount is None:
        return
    session = session_of(edit)
    order = session.get_one(WorkOrder, actual.work_order_id)
    if order.type not in MAINTENANCE:
        return
    wanted = select(Actual.amount).where(Actual.work_order_id == order.id, Actual.source_system == CARD)
    before = [amount for amount in session.scalars(wanted) if amount is not None]
    found = card_purchases(order.number, [*before, actual.amount], order.currency)
    yield from judge_evidence(order, found, is_critical=False, owner="role:BUYER")


@law("BLUR-P8", on=PurchaseOrderAmendment)
def an_amendment_is_more_than_technical_text(edit: Edit) -> Iterator[Finding]:
    """BLUR-P8 when an amendment goes to its approvers: technical text alone is a specification that is missing."""
    amendment = edit.record
    if edit.operation is not Operation.UPDATE or not becomes(edit, "PENDING"):
        return
    session = session_of(edit)
    rows = session.scalars(select(AmendmentChange).where(AmendmentChange.amendment_id == amendment.id))
    changes = [(row.path.rpartition(".")[2], row.old_text, row.new_text) for row in rows]
    order = session.get_one(PurchaseOrder, amendment.order_id)
    critical = any(is_critical(session, line) for line in order.lines)
    yield from judge_evidence(order, changes_only_text(amendment.number, changes), is_critical=critical)


@law("BLUR-W3", on=Attachment)
def a_work_order_goes_out_only_with_its_order_line(edit: Edit) -> Iterator[Finding]:
    """BLUR-W3: a traveller or a work order goes to a supplier only with an order that has a line linked to that work (1.16)."""
    file = edit.record
    if edit.operation is not Operation.INSERT or file.owner_type != PurchaseOrder.record_type:
        return
    session = session_of(edit)
    order = session.get_one(PurchaseOrder, file.owner_id)
    kind, cited = work_order_paper(file.file_name, file.document_no, site=order.site.code)
    if not kind or _is_linked(session, order, cited):
        return
    number = cited or file.file_name
    found = sends_document(kind, number=number, to=order.supplier.name, is_linked=False)
    critical = any(is_critical(session, line) for line in order.lines)
    for finding in judge_evidence(order, found, is_critical=critical, owner="role:BUYER"):
        yield replace(finding, effect=Effect.BLOCK)


def _is_linked(session: Session, order: PurchaseOrder, cited: str) -> bool:
    """Whether a line of an order is linked to the work order a paper names; to any where it names none."""
    linked = (
        select(WorkOrder.number)
        .join(WorkOrderOperation, WorkOrderOperation.work_order_id == WorkOrder.id)
        .join(OutsideLink, OutsideLink.operation_id == WorkOrderOperation.id)
        .join(PurchaseOrderLine, PurchaseOrderLine.id == OutsideLink.order_line_id)
        .where(PurchaseOrderLine.order_id == order.id, OutsideLink.status != LinkStatus.CANCELLED)
    )
    numbers = {number.casefold() for number in session.scalars(linked)}
    return bool(numbers) if not cited else cited.casefold() in numbers


def is_critical_work(operation: WorkOrderOperation) -> bool:
    """Whether an operation is a special process, or works on a part that is not of standard criticality."""
    revision = operation.work_order.part_revision
    return operation.is_special or (revision is not None and revision.part.criticality is not Criticality.STD)


def is_outside(operation: WorkOrderOperation) -> bool:
    """Whether an operation is done by a supplier."""
    return operation.kind is OperationKind.OUTSIDE


LAWS = (
    a_work_order_is_released_without_purchases_in_its_text,
    parts_leave_only_under_a_link,
    maintenance_buys_little_by_card,
    an_amendment_is_more_than_technical_text,
    a_work_order_goes_out_only_with_its_order_line,
)
