"""The way of an amendment (A40): approved by its weight, applied at once, into the ERP, to the supplier, answered, done."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from engine.act import Act, Installation
from engine.bpmn import BpmnError
from engine.errors import Conflict
from engine.messages import publish
from engine.record import Operation
from engine.registry import Registry, Work
from processes import acknowledgement, amendment_budget, amendment_counterpart, discrepancies
from processes.amendment import PLAN_STALE, amendment_variable, propose, start
from processes.amendment_plan import seats_of
from processes.amendment_standing import signers_standing
from processes.approval_plan import plan_for
from processes.change_waking import wake_for
from processes.documents import existing, order_of, order_variable, plain
from processes.erp import ErpByHand, ErpRefused, ErpUnavailable, document_of
from processes.erp_adapters import erp_of
from processes.notices import tell, tell_role
from processes.transmission import UNAVAILABLE, mail_supplier, read_back, send_sheet
from processes.work_order_cost import reprice_outside
from records.amendment import (
    AmendmentChange,
    AmendmentKind,
    AmendmentReason,
    AmendmentStatus,
    ApprovalPlan,
    PurchaseOrderAmendment,
    move,
)
from records.purchase_order import (
    LineStatus,
    OrderStatus,
    PurchaseOrder,
    PurchaseOrderLine,
    approved_hash,
    lift_hold,
)
from records.purchase_order import move as move_order
from records.requisition import give_back
from records.signing import supersede
from rules.amending import Edits, LineEdit, refuse_status, value_of
from rules.amendment_cover import why_not_covered
from rules.amendment_words import said, title_of
from rules.change_item import ChangeClass
from rules.controlled import current_policy

registry = Registry()


def amendment_of(act: Act, work: Work) -> PurchaseOrderAmendment:
    """Return the amendment that an instance is about. Raises: NotFound."""
    return existing(act.session, PurchaseOrderAmendment, work["amendment"]["id"])


@registry.step("plan_amendment")
def plan_amendment(act: Act, work: Work) -> Mapping[str, Any]:
    """A40.6: write the seats down that its weight asks for; from here on it is frozen and waits for them."""
    amendment, order = amendment_of(act, work), order_of(act, work)
    seats = seats_of(act.session, amendment)
    weighty = amendment.plan in (ApprovalPlan.FULL, ApprovalPlan.LEAD)
    barred = (
        {person for person in (order.buyer_id, amendment.opened_by, *_requesters(order)) if person}
        if weighty
        else set()
    ) | signers_standing(act, amendment)
    record = (amendment.record_type, amendment.id, amendment.content_hash)
    plan = plan_for(act, record, seats, cost_centre=_cost_centre(order), barred=barred)
    move(act, amendment, AmendmentStatus.PENDING)
    amendment_counterpart.look(act, order)
    return {"plan": plan, "approval_record": _approval_record(amendment), "amendment": amendment_variable(amendment)}


@registry.step("return_amendment")
def return_amendment(act: Act, work: Work) -> Mapping[str, Any]:
    """Sent back: it is its proposer's again, with everything he wrote; no signature on it counts, its number stays."""
    amendment = amendment_of(act, work)
    said = str((work.get("decision") or {}).get("reason") or "")
    supersede(act, amendment.record_type, amendment.id)
    act.session.flush()
    move(act, amendment, AmendmentStatus.DRAFT, reason=f"Sent back: {said}")
    _tell_buyer(act, amendment, f"{amendment.number} came back to you to correct", body=said)
    return {"amendment": amendment_variable(amendment), "returned": {"reason": said}}


@registry.step("close_amendment")
def close_amendment(act: Act, work: Work) -> Mapping[str, Any]:
    """Rejected, withdrawn, returned, expired or overtaken: it ends, no signature on it counts, and the order stays as it is."""
    amendment, order = amendment_of(act, work), order_of(act, work)
    withdrawal, verdict = work.get("withdrawal"), work.get("verdict")
    said = str((work.get("decision") or {}).get("reason") or "")
    supersede(act, amendment.record_type, amendment.id)
    act.session.flush()
    if withdrawal is not None:
        to, reason = AmendmentStatus.WITHDRAWN, f"Withdrawn by {withdrawal['name']}: {withdrawal['reason']}"
    elif amendment.status is AmendmentStatus.DRAFT:
        to, reason = AmendmentStatus.WITHDRAWN, f"Given up: {said}" if said else "Given up"
    elif verdict == "reject":
        to, reason = AmendmentStatus.REJECTED, said or "It was rejected"
    elif verdict == "approve":
        to, reason = (
            AmendmentStatus.WITHDRAWN,
            f"Overtaken: {_overtaken(act, amendment, order) or 'the order moved on'}",
        )
    else:
        to, reason = (
            AmendmentStatus.WITHDRAWN,
            "Nobody decided in time" if verdict == "expired" else f"Returned: {said}",
        )
    move(act, amendment, to, reason=reason)
    amendment_counterpart.look(act, order)
    _tell_buyer(act, amendment, f"{amendment.number} ended without effect", body=reason)
    wake_for(act, amendment.id)
    return {"amendment": amendment_variable(amendment)}


@registry.step("apply_amendment")
def apply_amendment(act: Act, work: Work) -> Mapping[str, Any]:
    """A40 (approved): the order takes on the approved values, its next revision and its next approved hash, in this one act.

    Raises: BpmnError AMENDMENT_STALE when the order moved on since it was proposed.
    """
    amendment, order = amendment_of(act, work), order_of(act, work)
    if (problem := _overtaken(act, amendment, order)) is not None:
        raise BpmnError(PLAN_STALE, problem)
    move(act, amendment, AmendmentStatus.APPROVED)
    with act.session.no_autoflush:
        for change in amendment.changes:
            if change.row_id == order.id and change.column_name:
                setattr(order, change.column_name, value_of(PurchaseOrder, change.column_name, change.new_text))
        order.revision, order.approved_hash = amendment.revision, amendment.hash_after
    act.session.flush()
    act.session.expire(order, ["supplier_site"])
    _change_lines(act, order, amendment)
    if approved_hash(order) != amendment.hash_after:
        raise RuntimeError(
            f"Expected {order.number} to become what {amendment.number} says, but it became something else"
        )
    amendment_budget.follow(act, order, amendment)
    if amendment.kind is AmendmentKind.CANCELLATION:
        move_order(act, order, OrderStatus.CANCEL_PENDING, reason=amendment.reason)
    act.session.flush()
    erp = {"number": order.number, "total": None, "line_count": None, "check_code": None}
    return {"amendment": amendment_variable(amendment), "order": order_variable(order), "erp": erp}


@registry.errand("amend_in_erp")
def amend_in_erp(installation: Installation, work: Work) -> Mapping[str, Any]:
    """A40.7: make the ERP's order this revision; what it refuses is a difference like any other.

    Raises: BpmnError ERP_UNAVAILABLE after the last try or when it has to be keyed; ErpUnavailable before.
    """
    with installation.reading() as session:
        order = existing(session, PurchaseOrder, work["order"]["id"])
        erp, document, number = erp_of(installation, order.site), document_of(order), order.number
    try:
        erp.amend_order(document, number=number)
    except ErpRefused as refusal:
        return {"erp": {"number": number, "refusal": str(refusal)}}
    except ErpByHand as by_hand:
        send_sheet(installation, work)
        raise BpmnError(UNAVAILABLE, str(by_hand)) from by_hand
    except ErpUnavailable as silence:
        if work.retries > 0:
            raise
        send_sheet(installation, work)
        raise BpmnError(UNAVAILABLE, str(silence)) from silence
    return {"erp": {"number": number, "refusal": None}}


@registry.errand("read_amendment_back")
def read_amendment_back(installation: Installation, work: Work) -> Mapping[str, Any]:
    """A40.7: read the revision back and compare it with what was approved. Raises: as ``read_back`` of a new order."""
    refusal = work["erp"].get("refusal")
    if refusal:
        difference = {"field": "revision", "ours": "accepted", "theirs": f"refused: {refusal}"}
        number = work["erp"]["number"]
        return {"comparison": {"equal": False, "number": number, "system": "ERP", "differences": [difference]}}
    return read_back(installation, work) or {}


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
        tell_role(act, who, subject, key=key, record=_record(amendment))
    elif order.buyer_id is not None:
        tell(act, [order.buyer_id], subject, key=key, record=_record(amendment))


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
        _tell_buyer(act, amendment, f"{order.supplier.name} does not accept {amendment.number} as it is", body=body)
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
    _tell_buyer(act, amendment, f"{amendment.number} was refused; {reverting.number} restores the order", body=reason)
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
    _tell_buyer(act, amendment, f"{amendment.number} is done: {title_of(amendment)}")
    wake_for(act, amendment.id)
    return {"amendment": amendment_variable(amendment), "order": order_variable(order)}


@registry.step("settle_charge")
def settle_charge(act: Act, work: Work) -> None:
    """The supplier hears when its charge for the cancellation is not accepted; the cancellation stands either way."""
    amendment, order = amendment_of(act, work), order_of(act, work)
    verdict = str((work.get("decision") or {}).get("verdict") or "")
    act.note(*_record(amendment), "CHARGE", new=f"{verdict}: {plain(amendment.cancellation_charge or Decimal(0))}")
    if verdict != "dispute_charge":
        return
    reason = str((work.get("decision") or {}).get("reason") or "")
    amount = plain(amendment.cancellation_charge or Decimal(0))
    mail_supplier(
        act, order, f"Purchase order {order.number}: charge for the cancellation",
        f"We do not accept the charge of {amount} {order.currency}. {reason}".strip(),
    )  # fmt: skip


def _overtaken(act: Act, amendment: PurchaseOrderAmendment, order: PurchaseOrder) -> str | None:
    """Return why an approved amendment no longer fits its order, or None."""
    try:
        refuse_status(order)
    except Conflict as refusal:
        return refusal.message
    if (order.approved_hash, order.revision + 1) != (amendment.hash_before, amendment.revision):
        return f"{order.number} is at revision {order.revision} meanwhile"
    if (uncovered := why_not_covered(act.session, amendment)) is not None:
        return uncovered
    policy, lines = current_policy(), {line.id: line for line in order.lines}
    for change in amendment.changes:
        if not change.column_name:
            continue
        column = "order_id" if change.operation is Operation.INSERT else change.column_name
        control = policy.of(change.table_name, column, order.status.value)
        if control is not None and ChangeClass(change.change_class.value) not in control.change_class.sufficient:
            return f"{order.number} is {order.status} meanwhile, so the {said(change.path)} needs change class {control.change_class}"
        line = lines.get(change.row_id)
        if (
            change.column_name == "quantity"
            and line is not None
            and Decimal(change.new_text or 0) < line.quantity_received
        ):
            return f"{plain(line.quantity_received)} {line.uom} of line {line.line_no} are received meanwhile"
    if amendment.kind is AmendmentKind.CANCELLATION and order.status is OrderStatus.RECEIVED:
        return f"{order.number} is delivered whole meanwhile"
    return None


def _is_our_hold(order: PurchaseOrder) -> bool:
    """Whether the order is held because the ERP shows something else; what others hold is theirs to lift."""
    return order.status is OrderStatus.ON_HOLD and order.hold_owner == discrepancies.OWNER


def _change_lines(act: Act, order: PurchaseOrder, amendment: PurchaseOrderAmendment) -> None:
    lines = {line.id: line for line in order.lines}
    added: dict[str, dict[str, Any]] = {}
    with act.session.no_autoflush:
        for change in amendment.changes:
            if not change.column_name or change.row_id == order.id:
                continue
            value = value_of(PurchaseOrderLine, change.column_name, change.new_text)
            if change.operation is Operation.INSERT:
                added.setdefault(change.row_id, {})[change.column_name] = value
            else:
                setattr(lines[change.row_id], change.column_name, value)
        for line in lines.values():
            _count_again(line)
        for row_id, values in added.items():
            act.session.add(PurchaseOrderLine(id=row_id, **values))
    act.session.flush()
    act.session.expire(order, ["lines"])
    for line in order.lines:
        act.session.expire(line, ["part_revision", "service"])


def _count_again(line: PurchaseOrderLine) -> None:
    """Let a line's status follow from its quantities: all there after less was ordered, something to come after more was."""
    if line.status is LineStatus.PART_RCVD and line.quantity_received == line.quantity:
        line.status = LineStatus.RCVD
    elif line.status is LineStatus.RCVD and line.quantity_received < line.quantity:
        line.status = LineStatus.PART_RCVD


def restored(amendment: PurchaseOrderAmendment) -> Edits:
    """Return the edits that bring every value back that an amendment changed; lines that it added are cancelled."""
    header: dict[str, Any] = {}
    lines: dict[str, dict[str, Any]] = {}
    added: set[str] = set()
    for change in amendment.changes:
        if not change.column_name:
            continue
        if change.operation is Operation.INSERT:
            added.add(change.row_id)
        elif change.row_id == amendment.order_id:
            header[change.column_name] = value_of(PurchaseOrder, change.column_name, change.old_text)
        else:
            lines.setdefault(change.row_id, {})[change.column_name] = _old(change)
    numbers = {line.id: line.line_no for line in amendment.order.lines}
    return Edits(
        header,
        [
            *(LineEdit(numbers[row_id], values) for row_id, values in lines.items()),
            *(LineEdit(numbers[row_id], is_cancelled=True) for row_id in sorted(added)),
        ],
    )


def _old(change: AmendmentChange) -> Any:
    return value_of(PurchaseOrderLine, change.column_name, change.old_text)


def _keep_order(act: Act, order: PurchaseOrder, amendment: PurchaseOrderAmendment, reason: str) -> Mapping[str, Any]:
    """A refused cancellation leaves the order as it was before; nothing of its content had changed."""
    before = OrderStatus(next(change.old_text or "" for change in amendment.changes if change.path == "status"))
    received = any(line.quantity_received for line in order.lines)
    move_order(act, order, OrderStatus.PARTIALLY_RECEIVED if received else before, reason=f"Not cancelled: {reason}")
    move(act, amendment, AmendmentStatus.REVERTED)
    amendment_counterpart.look(act, order)
    _tell_buyer(act, amendment, f"{order.supplier.name} refuses the cancellation of {order.number}", body=reason)
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


def _requesters(order: PurchaseOrder) -> list[str]:
    asked = [line.requisition_line for line in order.lines if line.requisition_line is not None]
    return [one.requisition.requester_id for one in asked]


def _cost_centre(order: PurchaseOrder) -> str:
    asked = [line.requisition_line for line in order.lines if line.requisition_line is not None]
    return asked[0].requisition.cost_centre.code if asked else ""


def _approval_record(amendment: PurchaseOrderAmendment) -> dict[str, Any]:
    order = amendment.order
    impact = f" {amendment.impact}" if amendment.impact else ""
    return {
        "type": amendment.record_type,
        "id": amendment.id,
        "number": amendment.number,
        "hash": amendment.content_hash,
        "title": title_of(amendment),
        "digest": f"{amendment.reason} {amendment.plan_words}{impact}",
        "amount": amendment.total_after,
        "currency": order.currency,
        "party": order.supplier.name,
        "requester": amendment.opened_by if not amendment.opened_by.startswith("system:") else order.buyer_id,
    }


def _tell_buyer(act: Act, amendment: PurchaseOrderAmendment, subject: str, *, body: str = "") -> None:
    people = [person for person in (amendment.order.buyer_id, amendment.opened_by) if person and ":" not in person]
    tell(act, people, subject, key=f"{amendment.id}:{amendment.status}:{act.id}", body=body, record=_record(amendment))


def _record(amendment: PurchaseOrderAmendment) -> tuple[str, str]:
    return amendment.record_type, amendment.id
