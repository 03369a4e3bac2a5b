"""Build, approve and issue the order of an award (A18 to A22)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from engine.act import Act
from engine.bpmn import BpmnError
from engine.errors import Conflict
from engine.instances import link_record
from engine.registry import Registry, Work
from processes.agreements import give_back as give_back_agreements
from processes.agreements import release_for
from processes.approval_plan import Seat, plan_for, seats_from
from processes.approval_standing import sent_back, still_asked
from processes.consistency import findings_of
from processes.coverage import is_covered, seats_not_covered, signers_of
from processes.documents import existing, order_of, order_variable, plain, requisition_of, sentences, spoken
from processes.drafting import draft
from processes.facts import order_facts
from processes.notices import tell
from processes.order_limits import copy_limits
from processes.quote_answers import tell_of_award
from processes.quoting import cancel as cancel_request
from processes.quoting import reopen as reopen_request
from processes.recheck import hold_of, is_accepted_by_finance, set_aside_rise
from processes.sole_sources import refuse_unsigned
from processes.sourcing import UNCHOSEN, lines_of, request_of
from records.cost_centre import commitments, committed_for, release
from records.purchase_order import (
    OrderStatus,
    PurchaseOrder,
    approved_content,
    approved_hash,
    hold,
    is_approval_valid,
    lift_hold,
    move,
)
from records.requisition import Requisition, give_back
from records.signing import supersede
from records.supplier import Supplier
from rules.order_limits import judge_limits

registry = Registry()

AGREEMENT_USED_UP = "AGREEMENT_USED_UP"
"""The error of a contract that has not enough left any more; the award finds another source."""


@registry.step("draft_order")
def draft_order(act: Act, work: Work) -> Mapping[str, Any]:
    """A18: a draft with the lines, clauses, certificates and match levels that the rules ask for, drawn from its contract.

    Raises: BpmnError AGREEMENT_USED_UP when somebody else drew what was left of the contract meanwhile.
    """
    requisition, award = requisition_of(act, work), work["award"]
    supplier = existing(act.session, Supplier, award["supplier_id"])
    order = draft(act, requisition, lines_of(act, award), supplier=supplier, award=award)
    copy_limits(act, order, work.get("gate"))
    try:
        release_for(act, order, reason="drafted")
    except Conflict as refusal:
        raise BpmnError(AGREEMENT_USED_UP, refusal.message) from refusal
    if work.instance is not None:
        link_record(act, work.instance.id, order.record_type, order.id)
    request = request_of(act, work)
    if request is not None:
        tell_of_award(act, request, supplier.id)
    return {"order": order_variable(order), "findings": [], "verdict": None}


@registry.step("check_consistency")
def check_consistency(act: Act, work: Work) -> Mapping[str, Any]:
    """A19: the order against its requisition; whoever submits it is its buyer."""
    order, requisition = order_of(act, work), requisition_of(act, work)
    if act.user_id in signers_of(act, requisition) and is_covered(order, requisition):
        found = [
            (
                f"SOD-2: Expected another buyer of {order.number}, but {act.user_id} approved the request it rests on."
                " Another buyer submits the order."
            )
        ]
        return {"findings": sentences(found), "order": order_variable(order)}
    if act.user_id is not None:
        order.buyer_id = act.user_id
    act.session.flush()
    act.session.expire(order, ["buyer"])
    found = findings_of(act, order, requisition) + _beyond_the_contract(act, order)
    found += [spoken(finding) for finding in judge_limits(act.session, order)]
    return {"findings": sentences(found), "order": order_variable(order)}


@registry.step("gather_order_facts")
def gather_order_facts(act: Act, work: Work) -> Mapping[str, Any]:
    """A19/A20: what the approval matrix asks, with the order's own value."""
    order, requisition = order_of(act, work), requisition_of(act, work)
    single_source = bool(work["award"].get("single_source"))
    return {"facts": order_facts(act, order, requisition, single_source=single_source), "order": order_variable(order)}


@registry.step("build_order_plan")
def build_order_plan(act: Act, work: Work) -> Mapping[str, Any]:
    """A20: the seats on this content; none when the requisition's approval covers it and has not expired since."""
    order, requisition = order_of(act, work), requisition_of(act, work)
    had_expired = order.status is OrderStatus.APPROVAL_EXPIRED
    signed_the_request = order.buyer_id in signers_of(act, requisition)
    covered = not had_expired and is_covered(order, requisition) and not signed_the_request
    seats = seats_from(work["approvals"], work["approvalsRows"])
    if covered:
        seats = seats_not_covered(act, requisition, seats, facts=work["facts"])
    if not seats and signed_the_request:
        seats = [Seat(2, "PUR_LEAD", ["Its buyer approved the request that it rests on (SOD-2)"])]
    record = (order.record_type, order.id, approved_hash(order))
    seats, standing = still_asked(act, record, seats, before=work.get("returned"), content=approved_content(order))
    barred = {person for person in (requisition.requester_id, order.buyer_id) if person}
    plan = plan_for(act, record, seats, cost_centre=requisition.cost_centre.code, barred=barred)
    move(act, order, OrderStatus.PENDING_APPROVAL)
    if not seats and covered:
        act.note(order.record_type, order.id, "COVERED", field="approval", new=requisition.number)
    return {
        "plan": plan, "approval_record": _approval_record(order, requisition, standing), "order": order_variable(order),
        "returned": None,
    }  # fmt: skip


@registry.step("reopen_order")
def reopen_order(act: Act, work: Work) -> Mapping[str, Any]:
    """Back to DRAFT for its buyer; every signature on it is superseded, and stands only if the wording alone is mended."""
    order = order_of(act, work)
    returned = sent_back(approved_content(order), since=work.get("returned"))
    supersede(act, order.record_type, order.id)
    release(act, document=_record(order))
    act.session.flush()
    if order.status is OrderStatus.ON_HOLD:
        lift_hold(act, order, reason="Withdrawn")
        act.session.flush()
    if order.status is not OrderStatus.DRAFT:
        move(act, order, OrderStatus.DRAFT, reason="Returned to the buyer")
    if order.buyer_id is not None:
        subject = f"{order.number} came back to you"
        tell(act, [order.buyer_id], subject, key=f"{order.id}:reopened:{act.id}", record=_record(order))
    return {"order": order_variable(order), "hold": None, "verdict": None, "returned": returned}


@registry.step("mark_approved")
def mark_approved(act: Act, work: Work) -> Mapping[str, Any]:
    """A21: approved, for so many days as the table of deadlines says."""
    order = order_of(act, work)
    move(act, order, OrderStatus.APPROVED)
    order.approval_expires_at = act.now + dt.timedelta(days=int(work["timers"]["approval_validity"]))
    act.session.flush()
    return {"order": order_variable(order), "hold": None}


@registry.step("expire_approval")
def expire_approval(act: Act, work: Work) -> Mapping[str, Any]:
    """A21: the approval is too old; its signatures are superseded and new ones are asked for."""
    order = order_of(act, work)
    if order.status is OrderStatus.ON_HOLD:
        lift_hold(act, order, reason="The approval expired")
    supersede(act, order.record_type, order.id)
    act.session.flush()
    move(act, order, OrderStatus.APPROVAL_EXPIRED, reason="The approval is older than its validity")
    if order.buyer_id is not None:
        subject = f"The approval of {order.number} expired; it is asked for again"
        tell(act, [order.buyer_id], subject, key=f"{order.id}:expired:{act.id}", record=_record(order))
    return {"order": order_variable(order), "hold": None}


@registry.step("recheck_order")
def recheck_order(act: Act, work: Work) -> Mapping[str, Any]:
    """A22: check supplier, budget and revisions at this moment; released when clean, held with an owner when not.

    Raises: BpmnError APPROVAL_EXPIRED.
    """
    order, requisition = order_of(act, work), requisition_of(act, work)
    if not is_approval_valid(order, act.now):
        raise BpmnError("APPROVAL_EXPIRED", f"The approval of {order.number} ended on {order.approval_expires_at}")
    before = work.get("hold") or {}
    is_accepted = is_accepted_by_finance(act, order, requisition, before.get("groups") or ())
    found = hold_of(act, order, requisition, is_rise_accepted=is_accepted)
    if found is not None:
        if order.status is not OrderStatus.ON_HOLD:
            hold(act, order, reason=" ".join(found.sentences)[:4000], owner=found.owner)
        return {
            "hold": {"findings": sentences(found.sentences), "groups": found.groups, "until": found.until},
            "order": order_variable(order),
        }
    if order.status is OrderStatus.ON_HOLD:
        lift_hold(act, order, reason="Nothing holds it any more")
        act.session.flush()
    set_aside_rise(act, order, requisition)
    move(act, order, OrderStatus.APPROVED_NOT_TRANSMITTED)
    act.session.flush()
    return {"hold": None, "order": order_variable(order)}


@registry.step("drop_order")
def drop_order(act: Act, work: Work) -> Mapping[str, Any]:
    """A29: the supplier's refusal ends this order; its lines are free to be sourced anew."""
    order = order_of(act, work)
    if order.status in (OrderStatus.TRANSMITTED, OrderStatus.COUNTER_OFFER):
        move(act, order, OrderStatus.SUPPLIER_REJECTED)
        act.session.flush()
    move(act, order, OrderStatus.CANCELLED, reason="The supplier does not deliver as ordered")
    release(act, document=_record(order))
    give_back_agreements(act, order, reason="cancelled")
    _free_lines(act, order)
    return {"order": None}


@registry.step("take_source_back")
def take_source_back(act: Act, work: Work) -> Mapping[str, Any]:
    """A13: the buyer chooses again: what rested on the choice ends, and quotes that are there are compared again or more are asked for.

    An order that was drafted is dropped, with its signatures and what it drew from a contract. A justification that nobody signed is
    refused. What quality approved of a supplier stays: it is about the supplier.
    """
    reason = str((work.get("decision") or {}).get("reason") or "The source is chosen again")
    if work.get("order") is not None:
        order = order_of(act, work)
        supersede(act, order.record_type, order.id)
        act.session.flush()
        if order.status is OrderStatus.ON_HOLD:
            lift_hold(act, order, reason="Its source is chosen again")
            act.session.flush()
        _end(act, order)
        release(act, document=_record(order))
        give_back_agreements(act, order, reason="its source is chosen again")
        _free_lines(act, order)
    if (written := work.get("justification")) is not None:
        refuse_unsigned(act, str(written["id"]), reason=reason)
    asked = request_of(act, work)
    if asked is not None:
        reopen_request(act, asked)
    return {
        "award": {**work["award"], **UNCHOSEN}, "order": None, "gate": None, "hold": None, "justification": None, "verdict": None,
        "choice": {"ask_again": work.element_id == "ask_for_quotes"},
    }  # fmt: skip


@registry.step("abandon_award")
def abandon_award(act: Act, work: Work) -> Mapping[str, Any]:
    """A30: nothing is bought for this award; its share of the budget is released, everybody is told."""
    requisition, award = requisition_of(act, work), work["award"]
    people = [requisition.requester_id]
    if work.get("order") is not None:
        order = order_of(act, work)
        _end(act, order)
        release(act, document=_record(order))
        give_back_agreements(act, order, reason="given up")
        _free_lines(act, order)
        people += [order.buyer_id] if order.buyer_id else []
    asked = request_of(act, work)
    if asked is not None:
        cancel_request(act, asked, reason="Nothing is bought for this award")
    share = _share(act, requisition.record_type, requisition.id, award["total"], requisition.total)
    if share is not None:
        release(act, document=(requisition.record_type, requisition.id), amount=share)
    subject = f"Part of {requisition.number} is not ordered"
    body = f"{award['supplier_name'] or 'No supplier'}: {plain(award['total'])} {award['currency']}"
    tell(
        act,
        people,
        subject,
        key=f"{requisition.id}:abandoned:{act.id}",
        body=body,
        record=("requisition", requisition.id),
    )
    return {"order": None}


def _beyond_the_contract(act: Act, order: PurchaseOrder) -> list[str]:
    """Draw what the order needs now from its contracts, and return what does not fit into their remainder."""
    try:
        with act.attempt():
            release_for(act, order, reason="built")
    except Conflict as refusal:
        return [f"{refusal.message}. Order less, or take the contract off the line."]
    return []


def _end(act: Act, order: PurchaseOrder) -> None:
    reason = "Nothing is bought for this award"
    if order.status is OrderStatus.PENDING_APPROVAL:
        move(act, order, OrderStatus.REJECTED, reason=reason)
    elif order.status in (OrderStatus.DRAFT, OrderStatus.APPROVED, OrderStatus.APPROVAL_EXPIRED):
        move(act, order, OrderStatus.CANCELLED, reason=reason)


def _free_lines(act: Act, order: PurchaseOrder) -> None:
    for line in order.lines:
        if line.requisition_line is not None:
            give_back(act, line.requisition_line, line.quantity)


def _share(act: Act, record_type: str, record_id: str, part: Decimal, whole: Decimal) -> Decimal | None:
    """Return what of the commitment stands for a part of a document, or None when nothing is committed any more."""
    document = (record_type, record_id)
    standing = committed_for(act.session, document)
    posted = max((posting.amount for posting in commitments(act.session, document)), default=Decimal(0))
    if standing <= 0 or whole <= 0:
        return None
    return min(standing, (posted * part / whole).quantize(Decimal("0.01")))


def _approval_record(order: PurchaseOrder, requisition: Requisition, standing: Sequence[str]) -> dict[str, Any]:
    things = [f"{plain(line.quantity)} {line.uom} {line.item} at {plain(line.unit_price)}" for line in order.lines]
    return {
        "type": order.record_type,
        "id": order.id,
        "number": order.number,
        "hash": approved_hash(order),
        "title": f"{order.supplier.name}, {plain(order.total)} {order.currency}",
        "digest": " ".join([f"{'; '.join(things)}. {order.payment_term} {order.incoterm_text}".strip(), *standing]),
        "amount": order.total,
        "currency": order.currency,
        "party": order.supplier.name,
        "project": requisition.project,
        "requester": order.buyer_id or requisition.requester_id,
    }


def _record(order: PurchaseOrder) -> tuple[str, str]:
    return order.record_type, order.id
