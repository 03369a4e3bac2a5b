"""The way of an amendment until it takes effect (A40): approved by its weight, sent back, ended, or applied at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.act import Act
from engine.bpmn import BpmnError
from engine.errors import Conflict
from engine.registry import Registry, Work
from processes import amendment_budget, amendment_counterpart
from processes.agreements import release_for
from processes.amendment import PLAN_STALE, amendment_variable
from processes.amendment_applying import change_lines, overtaken
from processes.amendment_notice import amendment_of, tell_buyer
from processes.amendment_plan import seats_of
from processes.amendment_standing import signers_standing
from processes.approval_plan import plan_for
from processes.change_waking import wake_for
from processes.documents import order_of, order_variable
from records.amendment import (
    AmendmentKind,
    AmendmentStatus,
    ApprovalPlan,
    PurchaseOrderAmendment,
    move,
)
from records.purchase_order import (
    OrderStatus,
    PurchaseOrder,
    approved_hash,
)
from records.purchase_order import move as move_order
from records.signing import supersede
from rules.amending import value_of
from rules.amendment_words import title_of

registry = Registry()


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
    tell_buyer(act, amendment, f"{amendment.number} came back to you to correct", body=said)
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
            f"Overtaken: {overtaken(act, amendment, order) or 'the order moved on'}",
        )
    else:
        to, reason = (
            AmendmentStatus.WITHDRAWN,
            "Nobody decided in time" if verdict == "expired" else f"Returned: {said}",
        )
    move(act, amendment, to, reason=reason)
    amendment_counterpart.look(act, order)
    tell_buyer(act, amendment, f"{amendment.number} ended without effect", body=reason)
    wake_for(act, amendment.id)
    return {"amendment": amendment_variable(amendment)}


@registry.step("apply_amendment")
def apply_amendment(act: Act, work: Work) -> Mapping[str, Any]:
    """A40 (approved): the order takes on the approved values, its next revision and its next approved hash, in this one act.

    Raises: BpmnError AMENDMENT_STALE when the order moved on since it was proposed.
    """
    amendment, order = amendment_of(act, work), order_of(act, work)
    if (problem := overtaken(act, amendment, order)) is not None:
        raise BpmnError(PLAN_STALE, problem)
    move(act, amendment, AmendmentStatus.APPROVED)
    with act.session.no_autoflush:
        for change in amendment.changes:
            if change.row_id == order.id and change.column_name:
                setattr(order, change.column_name, value_of(PurchaseOrder, change.column_name, change.new_text))
        order.revision, order.approved_hash = amendment.revision, amendment.hash_after
    act.session.flush()
    act.session.expire(order, ["supplier_site"])
    change_lines(act, order, amendment)
    if approved_hash(order) != amendment.hash_after:
        raise RuntimeError(
            f"Expected {order.number} to become what {amendment.number} says, but it became something else"
        )
    try:
        release_for(act, order, reason=f"as {amendment.number} says")
    except Conflict as refusal:
        raise BpmnError(PLAN_STALE, refusal.message) from refusal
    amendment_budget.follow(act, order, amendment)
    if amendment.kind is AmendmentKind.CANCELLATION:
        move_order(act, order, OrderStatus.CANCEL_PENDING, reason=amendment.reason)
    act.session.flush()
    erp = {"number": order.number, "total": None, "line_count": None, "check_code": None}
    return {"amendment": amendment_variable(amendment), "order": order_variable(order), "erp": erp}


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
