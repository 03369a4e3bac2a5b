"""Links of outside operations with order lines: made by a flow or by hand, cancelled while nothing has left."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.act import Act
from engine.database import new_id
from engine.errors import Conflict, Effect, Finding, Invalid, RuleViolation
from processes.documents import plain
from processes.outside_documents import is_untaken, source_until
from processes.outside_moving import keep_judged, require_role
from processes.outside_watch import remember
from records import outside
from records.numbering import next_number
from records.outside import BEFORE_SHIPPING, LinkStatus, OutsideLink, links_of_operation
from records.part import OutsideProcess
from records.purchase_order import FINAL, LineStatus, PurchaseOrder, PurchaseOrderLine
from records.units import check_quantity
from records.work_order import DONE, WorkOrderOperation
from rules.order_consistency import judge_link


def link(
    act: Act,
    operation: WorkOrderOperation,
    line: PurchaseOrderLine,
    *,
    quantity: Decimal,
    conversion_factor: Decimal = Decimal(1),
    need_by: dt.date | None = None,
    link_id: str | None = None,
) -> OutsideLink:
    """Allocate pieces of an operation to an order line. quantity: in the work order's unit.

    Raises: RuleViolation CON-01 to CON-04, CON-12 when they do not agree, and then nothing is written; Conflict for an operation
    that is no outside one.
    """
    order = operation.work_order
    if operation.process_code is None or operation.status in DONE:
        raise Conflict(
            f"Expected an open outside operation, but {operation.number} is {operation.status.value.lower()}",
            code="ILLEGAL_TRANSITION", record=(operation.record_type, operation.id),
        )  # fmt: skip
    check_quantity(quantity, order.uom)
    with act.attempt():
        made = OutsideLink(
            id=link_id or new_id(), number=next_number(act, "LNK", site=order.site), site=order.site, site_id=order.site_id,
            operation=operation, operation_id=operation.id, order_line=line, order_line_id=line.id,
            part_revision=order.part_revision, part_revision_id=order.part_revision_id, process_code=_known_process(act, operation),
            spec=operation.spec, spec_rev=operation.spec_rev, is_special=operation.is_special, allocated_quantity=quantity,
            uom=order.uom, conversion_factor=conversion_factor, need_by=need_by or line.need_by, return_by=need_by or line.need_by,
        )  # fmt: skip
        act.session.add(made)
        act.session.flush()
        keep_or_refuse(act, made, judge_link(act.session, made, at="LINK", now=act.now))
        outside.move(act, made, LinkStatus.PO_LINKED)
        made.source_until = source_until(act, made)
        remember(act, made)
    return made


def link_by_hand(
    act: Act,
    operation: WorkOrderOperation,
    line: PurchaseOrderLine,
    *,
    quantity: Decimal,
    conversion_factor: Decimal = Decimal(1),
    need_by: dt.date | None = None,
) -> OutsideLink:
    """Link an operation with a line that somebody chose; its flow takes the link up when the planner plans the same share.

    The same pair with the same quantity again returns the link there is. Raises: Forbidden for who neither plans nor buys;
    Conflict ALREADY_LINKED for another quantity; else as ``link``.
    """
    require_role(act, ("PLANNER", "BUYER"), f"link {operation.number} with {line.number}")
    for known in links_of_operation(act.session, operation.id):
        if known.order_line_id != line.id or not known.is_open:
            continue
        if known.allocated_quantity == quantity:
            return known
        raise Conflict(
            f"Expected {operation.number} and {line.number} not to be linked yet, but {known.number} allocates "
            f"{plain(known.allocated_quantity)} {known.uom}; cancel that link first",
            code="ALREADY_LINKED", record=(known.record_type, known.id),
        )  # fmt: skip
    return link(act, operation, line, quantity=quantity, conversion_factor=conversion_factor, need_by=need_by)


def lines_for(session: Session, operation: WorkOrderOperation) -> list[PurchaseOrderLine]:
    """Return the open lines that buy an operation's process for its part, newest first; the rules judge each when chosen."""
    order = operation.work_order
    if operation.process_code is None or operation.status in DONE:
        return []
    wanted = (
        select(PurchaseOrderLine)
        .join(PurchaseOrder, PurchaseOrder.id == PurchaseOrderLine.order_id)
        .where(PurchaseOrder.site_id == order.site_id, PurchaseOrder.status.not_in(FINAL))
        .where(PurchaseOrderLine.status.in_([LineStatus.OPEN, LineStatus.PART_RCVD]))
        .where(PurchaseOrderLine.process_code == operation.process_code)
        .where(PurchaseOrderLine.part_revision_id == order.part_revision_id)
    )
    return list(session.scalars(wanted.order_by(PurchaseOrderLine.created_at.desc()).limit(100)))


def unlink(act: Act, found: OutsideLink, *, reason: str) -> OutsideLink:
    """Cancel a link from which nothing has left. Raises: Conflict BALANCE_OPEN once pieces did; Invalid without a reason."""
    if not reason.strip():
        raise Invalid("Expected a reason to cancel the link, but there is none", {"reason": "is required"})
    if found.standing not in BEFORE_SHIPPING:
        raise Conflict(
            f"Expected nothing of {found.number} to have left, but {found.shipped.normalize():f} did; recall them first",
            code="BALANCE_OPEN", record=(found.record_type, found.id),
        )  # fmt: skip
    if found.status is LinkStatus.HOLD:
        outside.lift_hold(act, found, reason=reason)
    return outside.move(act, found, LinkStatus.CANCELLED, reason=reason)


def keep_or_refuse(act: Act, found: OutsideLink, findings: list[Finding]) -> None:
    """Refuse what blocks; what holds or warns is kept until it is mended."""
    blocks = [finding for finding in findings if finding.effect is Effect.BLOCK]
    if blocks:
        raise RuleViolation(blocks)
    keep_judged(act, found, findings)


def _known_process(act: Act, operation: WorkOrderOperation) -> str | None:
    known = act.session.scalar(select(OutsideProcess.code).where(OutsideProcess.code == operation.process_code))
    return known or None


def untaken_links(session: Session, operation: WorkOrderOperation) -> list[OutsideLink]:
    """Return the links of an operation that were made by hand or brought in and that no flow has taken up, oldest first."""
    return [
        found
        for found in links_of_operation(session, operation.id)
        if found.status is LinkStatus.PO_LINKED and is_untaken(session, found)
    ]
