"""The work order ends while its pieces are outside (B16, B25): undone in reverse order, shipment, link, order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from engine.act import Act
from engine.errors import Conflict, Invalid
from engine.registry import Registry, Work
from processes.amendment import CANCELLABLE, cancel_order
from processes.notices import tell_role
from processes.outside_changes import changes_on
from processes.outside_documents import is_untaken, link_variable
from processes.outside_links import unlink
from processes.outside_moving import require_role, tell_flow
from records import outside
from records.change_order import ChangeOrder
from records.cost_centre import release
from records.outside import BEFORE_SHIPPING, LinkStatus, OutsideLink, links_of_line
from records.purchase_order import LineStatus, OrderStatus, PurchaseOrder, PurchaseOrderLine, move
from records.requisition import Requisition, RequisitionLine, RequisitionStatus
from records.requisition import move as move_requisition
from records.signing import supersede
from records.work_order import OperationStatus, move_operation

registry = Registry()

UNDECIDED = frozenset(
    {RequisitionStatus.DRAFT, RequisitionStatus.SUBMITTED, RequisitionStatus.IN_APPROVAL, RequisitionStatus.APPROVED}
)
UNSENT = frozenset(
    {OrderStatus.DRAFT, OrderStatus.PENDING_APPROVAL, OrderStatus.APPROVED, OrderStatus.APPROVAL_EXPIRED}
)


def work_ended(act: Act, link: OutsideLink, *, reason: str) -> None:
    """Call the outside work of a link off: its flow recalls what is away, cancels the link and the order.

    Raises: Forbidden for who does not plan; Invalid without a reason; Conflict once it is verified, or when no flow waits for it.
    """
    require_role(act, ("PLANNER",), f"call {link.number} off")
    if not reason.strip():
        raise Invalid("Expected a reason to call the work off, but there is none", {"reason": "is required"})
    if link.standing in (LinkStatus.VERIFIED, LinkStatus.CLOSED, LinkStatus.CANCELLED):
        raise Conflict(
            f"Expected {link.number} to be open, but it is {link.status.value.lower()}", code="ILLEGAL_TRANSITION",
            record=(link.record_type, link.id),
        )  # fmt: skip
    if is_untaken(act.session, link):
        if link.at_supplier:
            raise Conflict(
                f"Expected nothing of {link.number} to be away, but {link.at_supplier.normalize():f} are; recall them first",
                code="BALANCE_OPEN", record=(link.record_type, link.id),
            )  # fmt: skip
        unlink(act, link, reason=reason)
        return
    tell_flow(act, link, "outside.work_ended", ended={"reason": reason.strip()})


@registry.step("stop_share")
def stop_share(act: Act, work: Work) -> Mapping[str, Any]:
    """B16: nothing more leaves; say how much is away."""
    reason = str((work.get("ended") or {}).get("reason") or "The work order ended")
    link = act.session.get(OutsideLink, work["share"]["link_id"])
    if link is None:
        return {"stop": {"away": 0, "reason": reason}, "link": None}
    if link.status is not LinkStatus.HOLD and link.is_open:
        outside.hold(act, link, rule="CON-08", reason=reason, owner="role:PLANNER")
    if link.at_supplier:
        subject = f"Recall {link.at_supplier.normalize():f} {link.uom} from {link.order.supplier.name}: {reason}"
        tell_role(act, "RECEIVING", subject, key=f"{link.id}:recall", record=(link.record_type, link.id))
    return {"stop": {"away": link.at_supplier, "reason": reason}, "link": link_variable(link)}


@registry.step("weigh_recall")
def weigh_recall(act: Act, work: Work) -> Mapping[str, Any]:
    """B16: how much is still to come."""
    link = act.session.get_one(OutsideLink, work["share"]["link_id"])
    return {"stop": {"away": link.at_supplier, "reason": work["stop"]["reason"]}, "link": link_variable(link)}


@registry.step("undo_link")
def undo_link(act: Act, work: Work) -> None:
    """B25: cancel the link, or close it over pieces that came home; the operation is as before they left."""
    link = act.session.get(OutsideLink, work["share"]["link_id"])
    if link is None or not link.is_open:
        return
    reason = work["stop"]["reason"]
    if link.status is LinkStatus.HOLD:
        outside.lift_hold(act, link, reason=reason)
    if link.status in BEFORE_SHIPPING:
        unlink(act, link, reason=reason)
    elif link.status is LinkStatus.RECALLED:
        outside.move(act, link, LinkStatus.CLOSED, reason=reason)
    operation = link.operation
    if operation.status is OperationStatus.AT_SUPPLIER and not link.at_supplier:
        move_operation(act, operation, OperationStatus.READY, reason=reason)
    act.session.flush()


@registry.step("undo_purchase")
def undo_purchase(act: Act, work: Work) -> None:
    """B16: what was only drafted is cancelled; what the supplier has is the buyer's to cancel by an amendment."""
    reason = work["stop"]["reason"]
    link = act.session.get(OutsideLink, work["share"]["link_id"])
    lines = [link.order_line] if link is not None else _lines_of(act, work)
    changes = changes_on(act.session, link) if link is not None else []
    for line in lines:
        cancel_line(act, line, reason=reason, change_order=next(iter(changes), None))
    if (requisition := _requisition(act, work)) is not None:
        _cancel_undecided(act, requisition, reason=reason)


def call_off(act: Act, requisition: Requisition, *, reason: str) -> None:
    """Cancel what was asked for and is not ordered, and the order lines of it that no link has taken, as ``cancel_line`` does."""
    for line in _ordered(act, requisition.id):
        if not any(each.is_open for each in links_of_line(act.session, line.id)):
            cancel_line(act, line, reason=reason)
    _cancel_undecided(act, requisition, reason=reason)


def _cancel_undecided(act: Act, requisition: Requisition, *, reason: str) -> None:
    if requisition.status in UNDECIDED and not any(each.converted_quantity for each in requisition.lines):
        supersede(act, requisition.record_type, requisition.id)
        release(act, document=(requisition.record_type, requisition.id))
        move_requisition(act, requisition, RequisitionStatus.CANCELLED, reason=reason)


def cancel_line(act: Act, line: PurchaseOrderLine, *, reason: str, change_order: ChangeOrder | None = None) -> None:
    """Cancel the order of a line that serves nothing else (D33): a draft at once, a sent one by a cancellation amendment.

    change_order: under which the work ended, if it did.
    """
    order = line.order
    if any(each.is_open and each.standing not in BEFORE_SHIPPING for each in links_of_line(act.session, line.id)):
        return
    others = [each for each in order.lines if each.id != line.id and each.status is not LineStatus.CANCELLED]
    if order.status is OrderStatus.DRAFT:
        line.status = LineStatus.CANCELLED
        act.session.flush()
        if not others:
            move(act, order, OrderStatus.CANCELLED, reason=reason)
    elif order.status in UNSENT and not others:
        supersede(act, order.record_type, order.id)
        if order.status is not OrderStatus.APPROVED:
            move(act, order, OrderStatus.DRAFT, reason=reason)
        move(act, order, OrderStatus.CANCELLED, reason=reason)
    elif others or order.status not in CANCELLABLE:
        _ask_the_buyer(act, order, line, reason=reason)
    else:
        cancel_order(act, order, reason=reason, change_order=change_order)
    act.session.flush()


def _ask_the_buyer(act: Act, order: PurchaseOrder, line: PurchaseOrderLine, *, reason: str) -> None:
    subject = f"Cancel {line.number} at {order.supplier.name}: {reason}"
    tell_role(act, "BUYER", subject, key=f"{line.id}:cancel", record=(order.record_type, order.id))


def _lines_of(act: Act, work: Work) -> list[PurchaseOrderLine]:
    requisition = _requisition(act, work)
    return _ordered(act, requisition.id) if requisition is not None else []


def _ordered(act: Act, requisition_id: str) -> list[PurchaseOrderLine]:
    wanted = (
        select(PurchaseOrderLine)
        .join(RequisitionLine, RequisitionLine.id == PurchaseOrderLine.requisition_line_id)
        .where(RequisitionLine.requisition_id == requisition_id)
    )
    return list(act.session.scalars(wanted))


def _requisition(act: Act, work: Work) -> Requisition | None:
    given = work.get("requisition")
    return act.session.get(Requisition, given["id"]) if given else None
