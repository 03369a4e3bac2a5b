"""The order leaves the house (A23 to A29): into the ERP, read back, to the supplier, and what the supplier answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from engine.act import Act, Installation
from engine.bpmn import BpmnError
from engine.errors import Conflict
from engine.jobs import defer
from engine.messages import publish
from engine.registry import Registry, Work
from processes import acknowledgement, discrepancies
from processes.acknowledgement import answer_key
from processes.counter_offer import is_within
from processes.documents import existing, order_of, order_variable
from processes.erp import Erp, ErpByHand, ErpRefused, ErpUnavailable, OrderDocument, differences, document_of
from processes.erp_adapters import erp_of
from processes.erp_manual import ManualErp
from processes.notices import tell, tell_role
from processes.order_progress import settle_statuses, watch
from processes.snoozes import remind, waiting
from records.amendment import AmendmentStatus, open_amendment_of
from records.purchase_order import OrderStatus, PurchaseOrder, hold, lift_hold, move

UNAVAILABLE, REFUSED = "ERP_UNAVAILABLE", "ERP_REFUSED"

registry = Registry()


@registry.errand("create_in_erp")
def create_in_erp(installation: Installation, work: Work) -> Mapping[str, Any]:
    """A23: create it once under its proposal number.

    Raises: BpmnError ERP_REFUSED, or ERP_UNAVAILABLE after the last try or when it has to be keyed; ErpUnavailable before.
    """
    erp, order = _erp_and_order(installation, work)
    try:
        return {"erp": {"number": erp.create_order(order)}}
    except ErpRefused as refusal:
        raise BpmnError(REFUSED, str(refusal)) from refusal
    except ErpByHand as by_hand:
        send_sheet(installation, work)
        raise BpmnError(UNAVAILABLE, str(by_hand)) from by_hand
    except ErpUnavailable as silence:
        if work.retries > 0:
            raise
        send_sheet(installation, work)
        raise BpmnError(UNAVAILABLE, str(silence)) from silence


@registry.errand("read_back")
def read_back(installation: Installation, work: Work) -> Mapping[str, Any]:
    """A25: read the order back and compare it with what was approved. What a person keyed is compared like a file.

    Raises: BpmnError ERP_UNAVAILABLE when it has to be keyed, or shows nothing after the last try; ErpUnavailable before.
    """
    erp, order = _erp_and_order(installation, work)
    keyed: Mapping[str, Any] = work["erp"]
    if keyed.get("check_code"):
        erp = ManualErp()
    number = str(keyed.get("number") or "").strip()
    try:
        shown = erp.read_order(order, number=number, keyed=keyed)
    except ErpUnavailable as silence:
        if work.retries > 0:
            raise
        send_sheet(installation, work)
        raise BpmnError(UNAVAILABLE, str(silence)) from silence
    found = [*_wrong_number(installation, work, number), *differences(order, shown)]
    return {"comparison": {"equal": not found, "number": number, "system": erp.system, "differences": found}}


@registry.errand("cancel_in_erp")
def cancel_in_erp(installation: Installation, work: Work) -> None:
    """A29: cancel it in the ERP; where nobody but a person can, the integration owner is told."""
    erp, order = _erp_and_order(installation, work)
    number = str(work["order"]["number"])
    reason = str((work.get("amendment") or {}).get("reason") or "The supplier does not deliver as ordered")
    try:
        erp.cancel_order(order, number=number, reason=reason)
    except (ErpByHand, ErpUnavailable) as by_hand:
        if isinstance(by_hand, ErpUnavailable) and work.retries > 0:
            raise
        with installation.acting("system:erp") as act:
            record = ("purchase_order", str(work["order"]["id"]))
            tell_role(
                act, "INTEGRATION", f"Cancel {number} in the ERP", key=f"{record[1]}:cancel", body=reason, record=record
            )


@registry.step("hold_order")
def hold_order(act: Act, work: Work) -> Mapping[str, Any]:
    """A25: what differs becomes discrepancies; the order is held and nothing is sent."""
    order, comparison = order_of(act, work), work["comparison"]
    discrepancies.open_all(act, order, comparison)
    if order.status is not OrderStatus.ON_HOLD:
        reason = f"{comparison['system']} differs from what was approved ({len(comparison['differences'])} fields)"
        hold(act, order, reason=reason, owner="role:INTEGRATION")
    return {"order": order_variable(order)}


@registry.step("transmit_order")
def transmit_order(act: Act, work: Work) -> Mapping[str, Any]:
    """A26: the ERP shows what was approved, so the order goes to the supplier; the acknowledgement clock starts."""
    order, comparison = order_of(act, work), work["comparison"]
    if not comparison["equal"]:
        raise Conflict(f"Expected {order.number} to be as approved in the ERP, but it differs", code="ON_HOLD")
    document_of(order)
    if order.status is OrderStatus.ON_HOLD:
        discrepancies.resolve_all(act, order, reason="Read back and equal")
        lift_hold(act, order, reason="The ERP shows what was approved")
        act.session.flush()
    order.po_no = comparison["number"]
    act.session.flush()
    move(act, order, OrderStatus.TRANSMITTED)
    act.session.flush()
    _send_to_supplier(act, order)
    watch(act, order)
    return {"order": order_variable(order), "acknowledgement": None}


@registry.step("remind_buyer")
def remind_buyer(act: Act, work: Work) -> None:
    """A26: the supplier has not answered."""
    order = order_of(act, work)
    if order.buyer_id is not None:
        subject = f"{order.supplier.name} has not acknowledged {order.number}"
        task = waiting(act, work, "record_acknowledgement", same="order")
        remind(
            act, task, [order.buyer_id], subject, key=_clock_key(order, "remind"), record=(order.record_type, order.id)
        )


@registry.step("tell_lead")
def tell_lead(act: Act, work: Work) -> None:
    """A26: the purchasing lead hears of it."""
    _tell_above(act, order_of(act, work), "PUR_LEAD")


@registry.step("tell_manager")
def tell_manager(act: Act, work: Work) -> None:
    """A26: the purchasing manager hears of it."""
    _tell_above(act, order_of(act, work), "PUR_MGR")


@registry.step("apply_acknowledgement")
def apply_acknowledgement(act: Act, work: Work) -> Mapping[str, Any]:
    """A27: keep the supplier's answer and move the order by it."""
    order = order_of(act, work)
    answer = acknowledgement.keep(act, order, work["acknowledgement"])
    status = {
        "ACCEPT": OrderStatus.ACKNOWLEDGED,
        "ACCEPT_WITH_CHANGE": OrderStatus.COUNTER_OFFER,
        "REJECT": OrderStatus.SUPPLIER_REJECTED,
    }[answer.result.value]
    move(act, order, status, reason=answer.comment or None)
    act.session.flush()
    if status is OrderStatus.ACKNOWLEDGED:
        settle_statuses(act, order)
    variable = acknowledgement.variable(order, answer) | {
        "is_within": status is OrderStatus.COUNTER_OFFER and is_within(act.session, order, answer)
    }
    if order.buyer_id is not None and status is not OrderStatus.ACKNOWLEDGED:
        subject = f"{order.supplier.name} answered {order.number}: {answer.result.value.lower().replace('_', ' ')}"
        body = "\n".join(change["sentence"] for change in variable["changes"])
        record = (order.record_type, order.id)
        tell(act, [order.buyer_id], subject, key=f"{order.id}:answer:{answer.id}", body=body, record=record)
    _answer_amendment(act, order, status)
    return {"acknowledgement": variable, "order": order_variable(order)}


def _answer_amendment(act: Act, order: PurchaseOrder, status: OrderStatus) -> None:
    """Who accepts the order as it is now accepts the amendment that is with the supplier."""
    amendment = open_amendment_of(act.session, order)
    if status is not OrderStatus.ACKNOWLEDGED or amendment is None or amendment.status is not AmendmentStatus.SENT:
        return
    message = f"{amendment.id}:with the order"
    publish(
        act, "supplier.ack", correlation_key=answer_key(order.number, order.revision), message_id=message,
        variables={"result": "ACCEPT", "reference": "", "note": "", "channel": "PAGE", "message": message, "lines": [],
                   "charge": None},
    )  # fmt: skip


@registry.step("refuse_changes")
def refuse_changes(act: Act, work: Work) -> Mapping[str, Any]:
    """A28: the order stands as it was sent; the supplier is told and the clock starts again."""
    order = order_of(act, work)
    move(act, order, OrderStatus.TRANSMITTED, reason="The changes are refused")
    act.session.flush()
    reason = (work.get("decision") or {}).get("reason") or ""
    mail_supplier(
        act, order, f"Purchase order {order.number}: please deliver as ordered",
        f"We cannot accept the changes you named. Please acknowledge {order.number} as it was sent. {reason}".strip(),
    )  # fmt: skip
    return {"order": order_variable(order), "acknowledgement": None}


def _erp_and_order(installation: Installation, work: Work) -> tuple[Erp, OrderDocument]:
    with installation.reading() as session:
        order = existing(session, PurchaseOrder, work["order"]["id"])
        return erp_of(installation, order.site), document_of(order)


def _wrong_number(installation: Installation, work: Work, number: str) -> list[dict[str, str]]:
    """Return a difference when there is no number, or when it is another order's already."""
    if not number:
        return [{"field": "number", "ours": "a number", "theirs": "missing"}]
    with installation.reading() as session:
        order = existing(session, PurchaseOrder, work["order"]["id"])
        other = session.scalar(
            select(PurchaseOrder).where(
                PurchaseOrder.site_id == order.site_id, PurchaseOrder.po_no == number, PurchaseOrder.id != order.id
            )
        )
        if other is None:
            return []
        return [{"field": "number", "ours": "a number of its own", "theirs": f"{number}, which is {other.proposal_no}"}]


def send_sheet(installation: Installation, work: Work) -> None:
    """Mail the sheet to those who key orders, once for a job."""
    with installation.acting("system:erp") as act:
        order = existing(act.session, PurchaseOrder, work["order"]["id"])
        directory = installation.directory
        people = directory.holders(act.session, "role:INTEGRATION", at=act.now) if directory is not None else []
        addresses = [person.email for person in people if person.email]
        subject = f"Key {order.proposal_no} in the ERP"
        tell(act, [person.id for person in people if not person.email], subject, key=f"{order.id}:key:{work.job_id}")
        if addresses:
            text = "The sheet is attached. Enter the number that the ERP gives in your task in Lockstep."
            defer(
                act,
                "mail",
                {"to": addresses, "subject": subject, "text": text, "order_id": order.id, "sheet": "keying"},
            )


def _send_to_supplier(act: Act, order: PurchaseOrder) -> None:
    text = (
        f"Please find purchase order {order.number} attached and acknowledge it, line by line, with quantity, price and date.\n\n"
        f"{order.site.name}"
    )
    mail_supplier(
        act, order, f"Purchase order {order.number}", text, attachment={"order_id": order.id, "sheet": "order"}
    )


def mail_supplier(
    act: Act, order: PurchaseOrder, subject: str, text: str, *, attachment: Mapping[str, str] | None = None
) -> None:
    """Mail an order's supplier; where there is no address the buyer is asked to. attachment: arguments of the job ``mail``."""
    site = order.supplier_site
    address = (site.email if site is not None else "") or order.supplier.email
    if not address:
        act.note(order.record_type, order.id, "NOT_MAILED", new=f"{order.supplier.name} has no address")
        if order.buyer_id is not None:
            told = f"Send {order.number} yourself: {order.supplier.name} has no mail address"
            tell(act, [order.buyer_id], told, key=f"{order.id}:unmailed:{act.id}", record=(order.record_type, order.id))
        return
    defer(act, "mail", {"to": [address], "subject": subject, "text": text, **(attachment or {})})


def _tell_above(act: Act, order: PurchaseOrder, role: str) -> None:
    subject = f"{order.supplier.name} has not acknowledged {order.number}"
    tell_role(act, role, subject, key=_clock_key(order, role), record=(order.record_type, order.id))


def _clock_key(order: PurchaseOrder, step: str) -> str:
    """A reminder is given once for each time the clock was started."""
    return f"{order.id}:{step}:{order.transmitted_at}"
