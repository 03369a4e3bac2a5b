"""Statuses move along declared pairs only, and carry what the new status needs."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from engine.act import Act, Installation
from engine.audit import chain_of
from engine.errors import Conflict, Forbidden, Invalid
from records import part, purchase_order, requisition, supplier
from records.part import RevisionStatus
from records.purchase_order import ADVANCES, FINAL, TRANSITIONS, LineStatus, OrderStatus, hold, lift_hold
from records.requisition import RequisitionStatus, convert, give_back, requisition_hash
from records.signing import supersede
from records.supplier import ApprovalStatus, SupplierStatus
from tests import makers
from tests.makers import D

PATH = ["PENDING_APPROVAL", "APPROVED", "APPROVED_NOT_TRANSMITTED"]


def advance(act: Act, order: purchase_order.PurchaseOrder, *path: str) -> None:
    for status in path:
        if status == "TRANSMITTED":
            order.po_no = order.po_no or "4711"
        if status == "APPROVED_NOT_TRANSMITTED":
            makers.make_release(act, order)
        purchase_order.move(act, order, OrderStatus(status))


def test_an_order_walks_from_draft_to_closed(act: Act) -> None:
    order = makers.make_order(act)
    advance(act, order, *PATH, "TRANSMITTED", "ACKNOWLEDGED", "PARTIALLY_RECEIVED", "RECEIVED", "CLOSED")
    act.session.flush()
    assert (order.approved_at, order.issued_at, order.transmitted_at) == (act.now, act.now, act.now)
    assert order.approved_hash == purchase_order.approved_hash(order)


@pytest.mark.parametrize("final", sorted(FINAL))
def test_nothing_follows_a_final_status(final: OrderStatus) -> None:
    assert not [after for before, after in TRANSITIONS if before == final]


def test_a_transmitted_order_never_goes_back_to_an_unreleased_status() -> None:
    reachable, frontier = set(), {OrderStatus.TRANSMITTED}
    while frontier:
        reachable |= frontier
        frontier = {after for before, after in ADVANCES if before in frontier} - reachable
    assert not reachable & {OrderStatus.DRAFT, OrderStatus.PENDING_APPROVAL, OrderStatus.APPROVED}


def test_a_leap_is_refused_and_names_what_may_follow(act: Act) -> None:
    order = makers.make_order(act)
    with pytest.raises(Conflict, match="CANCELLED or PENDING_APPROVAL, but APPROVED was asked") as refusal:
        purchase_order.move(act, order, OrderStatus.APPROVED)
    assert refusal.value.code == "ILLEGAL_TRANSITION"
    assert order.status is OrderStatus.DRAFT


def test_back_in_draft_nothing_of_an_approval_is_left(act: Act) -> None:
    order = makers.make_order(act)
    advance(act, order, *PATH)
    supersede(act, order.record_type, order.id)
    advance(act, order, "DRAFT")
    act.session.flush()
    assert (order.approved_hash, order.approved_at, order.approval_expires_at, order.issued_at) == (None,) * 4


def test_a_hold_goes_back_to_where_it_was_and_nowhere_else(act: Act) -> None:
    order = makers.make_order(act)
    advance(act, order, *PATH)
    with pytest.raises(Invalid):
        hold(act, order, reason=" ", owner="role:PUR_LEAD")
    hold(act, order, reason="read-back differs", owner="role:PUR_LEAD")
    act.session.flush()
    with pytest.raises(Conflict):
        purchase_order.move(act, order, OrderStatus.TRANSMITTED)
    lift_hold(act, order, reason="corrected in the ERP")
    act.session.flush()
    assert order.status is OrderStatus.APPROVED_NOT_TRANSMITTED
    assert order.hold_reason is None


def test_a_draft_cannot_be_held_and_a_hold_not_be_set_as_a_status(act: Act) -> None:
    order = makers.make_order(act)
    with pytest.raises(Conflict):
        hold(act, order, reason="why", owner="role:PUR_LEAD")
    with pytest.raises(Conflict):
        purchase_order.move(act, order, OrderStatus.ON_HOLD)


def test_the_reason_of_a_move_stands_in_the_chain(house: Installation) -> None:
    with house.acting("user:rita") as act:
        order = makers.make_order(act)
        purchase_order.move(act, order, OrderStatus.CANCELLED, reason="entered twice")
    with house.reading() as session:
        moved = [event for event in chain_of(session, "purchase_order", order.id) if event.action == "MOVED"]
    assert [(event.old, event.new, event.reason) for event in moved] == [("DRAFT", "CANCELLED", "entered twice")]


def walk(act: Act, document: requisition.Requisition, *path: str) -> None:
    for status in path:
        requisition.move(act, document, RequisitionStatus(status))


def test_a_requisition_walks_from_draft_to_closed(act: Act) -> None:
    document = makers.make_requisition(act)
    walk(act, document, "SUBMITTED", "IN_APPROVAL", "APPROVED")
    assert document.approved_hash == document.submitted_hash == requisition_hash(document)
    convert(act, document.lines[0], D(2))
    assert document.status is RequisitionStatus.CONVERTED
    with pytest.raises(Conflict, match="no open quantity"), act.attempt():
        requisition.move(act, document, RequisitionStatus.CLOSED)
    act.session.refresh(document)
    convert(act, document.lines[0], D(3))
    requisition.move(act, document, RequisitionStatus.CLOSED)
    act.session.flush()


def test_no_more_is_ordered_than_was_approved_and_a_cancelled_order_gives_back(act: Act) -> None:
    document = makers.make_requisition(act)
    line = document.lines[0]
    with pytest.raises(Conflict, match="to be approved"):
        convert(act, line, D(1))
    walk(act, document, "SUBMITTED", "APPROVED")
    for wrong in (D(6), D(0), D(-1)):
        with pytest.raises(Conflict):
            convert(act, line, wrong)
    convert(act, line, D(4))
    give_back(act, line, D(3))
    assert line.open_quantity == D(4)
    with pytest.raises(Conflict):
        give_back(act, line, D(2))


def test_an_approved_requisition_goes_back_to_draft_only_while_nothing_is_ordered(act: Act) -> None:
    document = makers.make_requisition(act)
    walk(act, document, "SUBMITTED", "APPROVED")
    requisition.move(act, document, RequisitionStatus.DRAFT)
    assert (document.submitted_hash, document.approved_hash) == (None, None)


@pytest.mark.parametrize(
    ("module", "kind", "leaps"),
    [
        (requisition, RequisitionStatus, [("DRAFT", "APPROVED"), ("REJECTED", "DRAFT"), ("CLOSED", "APPROVED")]),
        (part, RevisionStatus, [("DRAFT", "RELEASED"), ("OBSOLETE", "RELEASED"), ("SUPERSEDED", "RELEASED")]),
        (supplier, ApprovalStatus, [("EXPIRED", "APPROVED"), ("WITHDRAWN", "APPROVED"), ("PENDING", "EXPIRED")]),
        (purchase_order, OrderStatus, [("TRANSMITTED", "DRAFT"), ("ACKNOWLEDGED", "DRAFT"), ("CLOSED", "DRAFT")]),
    ],
)
def test_the_known_back_doors_are_no_transitions(module: Any, kind: Any, leaps: list[tuple[str, str]]) -> None:
    assert module.TRANSITIONS
    assert not {(kind(before), kind(after)) for before, after in leaps} & module.TRANSITIONS


def test_quality_signs_every_approval_of_a_supplier(act: Act) -> None:
    seller = makers.make_supplier(act, status=SupplierStatus.PROSPECT, origin="LOCKSTEP")
    approval = makers.make_approval(act, seller, status=ApprovalStatus.PENDING, origin="LOCKSTEP")
    with pytest.raises(Forbidden) as refusal:
        supplier.move(act, approval, ApprovalStatus.APPROVED)
    assert refusal.value.code == "SIGNATURE_REQUIRED"
    with pytest.raises(Forbidden):
        supplier.move_supplier(act, seller, SupplierStatus.APPROVED)
    signature = makers.make_signature(act, approval, content_hash="cd" * 32, signer="quinn", role="SQ")
    supplier.move(act, approval, ApprovalStatus.APPROVED, signature_id=signature.id)
    supplier.move_supplier(act, seller, SupplierStatus.APPROVED, signature_id=signature.id)
    with pytest.raises(Invalid, match="reason"):
        supplier.move(act, approval, ApprovalStatus.SUSPENDED)
    supplier.move(act, approval, ApprovalStatus.SUSPENDED, reason="audit finding")
    act.session.flush()
    assert not approval.is_valid_on(dt.date(2026, 12, 1))


def test_a_revision_is_released_by_a_change_order_alone(act: Act) -> None:
    revision = makers.make_revision(act, status=RevisionStatus.DRAFT, origin="LOCKSTEP", released_at=None)
    part.move(act, revision, RevisionStatus.IN_REVIEW)
    with pytest.raises(IntegrityError, match="approved change item"), act.attempt():
        part.move(act, revision, RevisionStatus.RELEASED)


def test_one_part_has_one_released_revision_unless_they_say_for_when(act: Act) -> None:
    item = makers.make_part(act)
    makers.make_revision(act, item, "B")
    makers.make_revision(act, item, "C", effectivity="DATE", effective_from=dt.date(2027, 1, 1))
    with pytest.raises(IntegrityError), act.attempt():
        makers.make_revision(act, item, "D")


def test_line_statuses_do_not_return() -> None:
    assert (LineStatus.RCVD, LineStatus.OPEN) not in purchase_order.LINE_TRANSITIONS
