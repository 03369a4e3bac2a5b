"""The way of an amendment at its supplier (A40.8 to A40.10): sent, answered, done, or undone by a further one."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from engine.act import Act
from engine.messages import publish
from engine.registry import Registry, Work
from processes import acknowledgement, amendment_counterpart, discrepancies
from processes.agreements import keep_delivered
from processes.amendment import amendment_variable, propose, start
from processes.amendment_applying import restored
from processes.amendment_notice import amendment_of, record_of, tell_buyer
from processes.change_waking import wake_for
from processes.documents import order_of, order_variable, plain
from processes.notices import tell_role
from processes.snoozes import remind, waiting
from processes.transmission import mail_supplier
from processes.work_order_cost import reprice_outside
from records.amendment import (
    AmendmentKind,
    AmendmentReason,
    AmendmentStatus,
    PurchaseOrderAmendment,
    move,
)
from records.purchase_order import (
    LineStatus,
    OrderStatus,
    PurchaseOrder,
    lift_hold,
)
from records.purchase_order import move as move_order
from records.requisition import give_back
from rules.amendment_words import title_of

registry = Registry()


@registry.step("send_amendment")
def send_amendment(act: Act, work: Work) -> Mapping[str, Any]:
    """A40.8: the ERP shows the revision, so the supplier gets the change, with every value before and after."""
    amendment, order = amendment_of(act, work), order_of(act, work)
    if _is_our_hold(order):
        discrepancies.resolve_all(act, order, reason="Read back and equal")
        lift_hold(act, order, reason=f"The ERP shows revision {amendment.revision}")
        act.session.flush()
    move(act, amendment, AmendmentStatus.SENT)
    what = "cancellation" if amendment.kind is AmendmentKind.CANCELLATION else "change"
    ask = "It confirms what you offered." if amendment.acknowledgement_id else "Please acknowledge this revision."
    mail_supplier(
        act, order, f"Purchase order {order.number}, revision {amendment.revision}: {what}",
        f"Please find the {what} of purchase order {order.number} attached. {ask}\n\n{order.site.name}",
        attachment={"order_id": order.id, "sheet": "change", "amendment_id": amendment.id},
    )  # fmt: skip
    return {"amendment": amendment_variable(amendment), "order": order_variable(order), "acknowledgement": None}


@registry.step("remind_amendment")
def remind_amendment(act: Act, work: Work) -> None:
    """A26 again: the supplier has not answered the change; the header ``who`` says who hears of it."""
    amendment, order, who = amendment_of(act, work), order_of(act, work), str(work.headers.get("who") or "")
    subject = f"{order.supplier.name} has not acknowledged {amendment.number}"
    key = f"{amendment.id}:{who or 'buyer'}:{amendment.sent_at}"
    if who:
        tell_role(act, who, subject, key=key, record=record_of(amendment))
    elif order.buyer_id is not None:
        task = waiting(act, work, "record_amendment_answer", same="amendment")
        remind(act, task, [order.buyer_id], subject, key=key, record=record_of(amendment))


@registry.step("take_amendment_answer")
def take_amendment_answer(act: Act, work: Work) -> Mapping[str, Any]:
    """A40.9: keep the supplier's answer to this revision; what it says of the change decides how it goes on."""
    amendment, order = amendment_of(act, work), order_of(act, work)
    given = work.get("acknowledgement")
    if given is None:
        move(act, amendment, AmendmentStatus.ACKED, reason="The supplier offered it")
        return {
            "amendment": amendment_variable(amendment),
            "acknowledgement": {"result": "ACCEPT", "changes": [], "charge": None},
        }
    answer = acknowledgement.keep(act, order, given)
    variable = acknowledgement.variable(order, answer) | {"charge": _charge(given)}
    if answer.result.value == "ACCEPT":
        move(act, amendment, AmendmentStatus.ACKED)
        amendment.cancellation_charge = variable["charge"]
        act.session.flush()
    else:
        body = "\n".join(change["sentence"] for change in variable["changes"])
        tell_buyer(act, amendment, f"{order.supplier.name} does not accept {amendment.number} as it is", body=body)
    return {"amendment": amendment_variable(amendment), "acknowledgement": variable}


@registry.step("resend_amendment")
def resend_amendment(act: Act, work: Work) -> Mapping[str, Any]:
    """The buyer insists: the supplier is asked again, and the clock of the answer starts again with it."""
    amendment, order = amendment_of(act, work), order_of(act, work)
    reason = str((work.get("decision") or {}).get("reason") or "")
    mail_supplier(
        act, order, f"Purchase order {order.number}, revision {amendment.revision}: please accept as sent",
        f"We cannot accept what you named. Please acknowledge revision {amendment.revision} as it was sent. {reason}".strip(),
        attachment={"order_id": order.id, "sheet": "change", "amendment_id": amendment.id},
    )  # fmt: skip
    return {"amendment": amendment_variable(amendment) | {"clock_from": act.now}, "acknowledgement": None}


@registry.step("refuse_amendment")
def refuse_amendment(act: Act, work: Work) -> Mapping[str, Any]:
    """A40.9: refused by the supplier, or undone after the ERP refused: a reverting amendment restores the values before."""
    amendment, order = amendment_of(act, work), order_of(act, work)
    reason = str((work.get("decision") or {}).get("reason") or "The supplier refuses the change")
    move(act, amendment, AmendmentStatus.SUPPLIER_REFUSED, reason=reason)
    if _is_our_hold(order):
        lift_hold(act, order, reason=f"{amendment.number} is undone")
        act.session.flush()
    if amendment.kind is AmendmentKind.CANCELLATION:
        return _keep_order(act, order, amendment, reason)
    reverting = propose(
        act, order, restored(amendment), reason=f"{amendment.number} was refused: {reason}"[:4000],
        reason_code=AmendmentReason.SUPPLIER_REFUSED, reverts=amendment,
    )  # fmt: skip
    start(act, reverting)
    amendment_counterpart.look(act, order)
    tell_buyer(act, amendment, f"{amendment.number} was refused; {reverting.number} restores the order", body=reason)
    wake_for(act, amendment.id)
    return {"amendment": amendment_variable(amendment), "order": order_variable(order)}


@registry.step("finish_amendment")
def finish_amendment(act: Act, work: Work) -> Mapping[str, Any]:
    """A40.10: acknowledged, so it is done: the work it was bought for costs what was agreed, and whoever waited hears of it."""
    amendment, order = amendment_of(act, work), order_of(act, work)
    move(act, amendment, AmendmentStatus.APPLIED)
    if amendment.reverts is not None and amendment.reverts.status is AmendmentStatus.SUPPLIER_REFUSED:
        move(act, amendment.reverts, AmendmentStatus.REVERTED)
    if amendment.kind is AmendmentKind.CANCELLATION:
        _free_remainder(act, order)
        move_order(act, order, OrderStatus.CANCELLED, reason=amendment.reason)
        act.session.flush()
        keep_delivered(act, order)
    elif order.status is OrderStatus.COUNTER_OFFER and amendment.acknowledgement is not None:
        _promise(order, amendment)
        move_order(act, order, OrderStatus.ACKNOWLEDGED, reason=f"{amendment.number} takes the supplier's offer")
    act.session.flush()
    amendment_counterpart.look(act, order)
    for line in order.lines:
        reprice_outside(act, line, because=amendment.number)
    if order.status is OrderStatus.TRANSMITTED and amendment.kind is AmendmentKind.CHANGE:
        # Who accepts the change accepts the order that it changes: the order waits for this answer, too.
        publish(
            act, "supplier.ack", correlation_key=order.number, message_id=f"{amendment.id}:order",
            variables={"result": "ACCEPT", "reference": "", "note": f"With {amendment.number}", "channel": "PAGE",
                       "message": f"{amendment.id}:order", "lines": []},
        )  # fmt: skip
    publish(
        act, "po.amended", correlation_key=order.number, message_id=amendment.id,
        variables={"revision": Decimal(amendment.revision), "amendment_id": amendment.id},
    )  # fmt: skip
    tell_buyer(act, amendment, f"{amendment.number} is done: {title_of(amendment)}")
    wake_for(act, amendment.id)
    return {"amendment": amendment_variable(amendment), "order": order_variable(order)}


@registry.step("settle_charge")
def settle_charge(act: Act, work: Work) -> None:
    """The supplier hears when its charge for the cancellation is not accepted; the cancellation stands either way."""
    amendment, order = amendment_of(act, work), order_of(act, work)
    verdict = str((work.get("decision") or {}).get("verdict") or "")
    act.note(*record_of(amendment), "CHARGE", new=f"{verdict}: {plain(amendment.cancellation_charge or Decimal(0))}")
    if verdict != "dispute_charge":
        return
    reason = str((work.get("decision") or {}).get("reason") or "")
    amount = plain(amendment.cancellation_charge or Decimal(0))
    mail_supplier(
        act, order, f"Purchase order {order.number}: charge for the cancellation",
        f"We do not accept the charge of {amount} {order.currency}. {reason}".strip(),
    )  # fmt: skip


def _is_our_hold(order: PurchaseOrder) -> bool:
    """Whether the order is held because the ERP shows something else; what others hold is theirs to lift."""
    return order.status is OrderStatus.ON_HOLD and order.hold_owner == discrepancies.OWNER


def _keep_order(act: Act, order: PurchaseOrder, amendment: PurchaseOrderAmendment, reason: str) -> Mapping[str, Any]:
    """A refused cancellation leaves the order as it was before; nothing of its content had changed."""
    before = OrderStatus(next(change.old_text or "" for change in amendment.changes if change.path == "status"))
    received = any(line.quantity_received for line in order.lines)
    move_order(act, order, OrderStatus.PARTIALLY_RECEIVED if received else before, reason=f"Not cancelled: {reason}")
    move(act, amendment, AmendmentStatus.REVERTED)
    amendment_counterpart.look(act, order)
    tell_buyer(act, amendment, f"{order.supplier.name} refuses the cancellation of {order.number}", body=reason)
    return {"amendment": amendment_variable(amendment), "order": order_variable(order)}


def _free_remainder(act: Act, order: PurchaseOrder) -> None:
    for line in order.lines:
        if line.requisition_line is not None and line.status is not LineStatus.CANCELLED:
            left = min(line.open_quantity, line.requisition_line.converted_quantity)
            if left > 0:
                give_back(act, line.requisition_line, left)


def _promise(order: PurchaseOrder, amendment: PurchaseOrderAmendment) -> None:
    """Write down which day the supplier promised for each line that the offer moved."""
    known = {line.line_no: line for line in order.lines}
    for answered in amendment.acknowledgement.lines if amendment.acknowledgement is not None else []:
        if answered.promised_on is not None and answered.line_no in known:
            known[answered.line_no].promised_on = answered.promised_on


def _charge(given: Mapping[str, Any]) -> Decimal | None:
    charge = given.get("charge")
    return Decimal(str(charge)) if charge not in (None, "") else None
