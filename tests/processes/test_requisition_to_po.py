"""From requisition to purchase order: one story for each end, and what must never happen on the way."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from sqlalchemy import select

from engine.act import Act
from engine.messages import Reception, publish
from records.cost_centre import committed_for
from records.notice import Notice
from records.purchase_order import OrderStatus
from records.requisition import Requisition, RequisitionStatus
from records.signature import SignatureStatus
from records.supplier import Supplier
from tests.makers import make_approval, make_supplier
from tests.people import bea, lena, max_, rita
from tests.story import Story

D = Decimal


def committed(story: Story) -> Decimal:
    return story.read(lambda session: committed_for(session, ("requisition", story.requisition_id)))


def notices(story: Story, user_id: str) -> list[str]:
    return story.read(
        lambda session: list(
            session.scalars(select(Notice.subject).where(Notice.user_id == user_id).order_by(Notice.created_at))
        )
    )


def to_issue(story: Story, *, price: str = "42.50") -> Story:
    """Go as far as the order that is ready to be issued."""
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 100, price)])
    story.as_(lena).decide("approve_requisition", "approve")
    return story.as_(bea).decide("complete_order", "submit")


def test_an_approved_requisition_becomes_an_acknowledged_order(story: Story) -> None:
    to_issue(story).decide("issue_order", "issue")
    assert (story.order.status, story.order.po_no) == (OrderStatus.TRANSMITTED, "PO-000001")
    assert [job.state for job in story.jobs("mail")] == ["DONE", "DONE"]
    story.complete("record_acknowledgement", result="ACCEPT", reference="AB-77")
    assert story.order.status is OrderStatus.ACKNOWLEDGED
    assert story.requisition.status is RequisitionStatus.CLOSED
    assert (story.ended_at, story.incidents) == ("requisition_ordered", [])


def test_the_approval_of_the_requisition_covers_its_order(story: Story) -> None:
    to_issue(story)
    assert story.steps == ["issue_order"]
    assert [signature.record_type for signature in story.signatures] == ["requisition"]


def test_a_dearer_order_is_approved_by_itself(story: Story) -> None:
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 100, "42.50")])
    story.as_(lena).decide("approve_requisition", "approve")

    def raise_price(act: Act) -> None:
        act.session.get_one(type(story.order), story.order.id).lines[0].unit_price = D("43.00")

    story.given(raise_price)
    story.as_(bea).decide("complete_order", "submit")
    assert story.steps == ["decide_slot"]
    story.as_(lena).decide("approve_order", "approve")
    assert story.steps == ["issue_order"]
    assert [signature.content_hash for signature in story.signatures if signature.record_type == "purchase_order"] == [
        story.order.approved_hash
    ]


def test_a_rejected_requisition_orders_nothing(story: Story) -> None:
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 100)])
    story.as_(lena).decide("approve_requisition", "reject", reason="no need")
    assert story.ended_at == "requisition_rejected"
    assert story.requisition.status is RequisitionStatus.REJECTED
    assert (story.purchase_orders, committed(story)) == ([], D(0))
    assert "REQ-000001 was rejected" in notices(story, "rita")


def test_a_returned_requisition_is_corrected_and_asked_for_again(story: Story) -> None:
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 100)])
    story.as_(lena).decide("approve_requisition", "return", reason="say which lot")
    assert story.requisition.status is RequisitionStatus.RETURNED
    assert story.variables["return_reason"] == "say which lot"

    def correct(act: Act) -> None:
        from records.requisition import move

        found = act.session.get_one(Requisition, story.requisition_id)
        move(act, found, RequisitionStatus.DRAFT)
        act.session.flush()
        found.justification = "For lot 7001"

    story.given(correct)
    story.as_(rita).decide("correct_requisition", "resubmit")
    story.as_(lena).decide("approve_requisition", "approve")
    assert story.requisition.status in (RequisitionStatus.APPROVED, RequisitionStatus.CONVERTED)
    assert story.incidents == []


def test_a_withdrawn_requisition_ends_cancelled(story: Story) -> None:
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 100)])
    story.as_(lena).decide("approve_requisition", "return", reason="twice?")
    story.as_(rita).decide("correct_requisition", "withdraw")
    assert story.ended_at == "requisition_cancelled"
    assert story.requisition.status is RequisitionStatus.CANCELLED


def test_a_returned_requisition_that_nobody_corrects_is_cancelled_after_ten_business_days(story: Story) -> None:
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 100)])
    story.as_(lena).decide("approve_requisition", "return", reason="say which lot")
    assert story.timers["idle_too_long"] == dt.datetime(2026, 12, 7, 15, 0, tzinfo=dt.UTC)
    story.at(dt.datetime(2026, 12, 7, 15, 0, tzinfo=dt.UTC))
    assert story.ended_at == "requisition_cancelled"
    assert "REQ-000001 was cancelled" in notices(story, "rita")


def test_an_incomplete_requisition_goes_back_with_every_reason(story: Story) -> None:
    def gone(act: Act) -> Supplier:
        return make_supplier(act, name="Gone & Sons", is_active=False)

    story.as_(rita).start("requisition_to_po", lines=[("P-100", 100)], line_fields={"supplier": gone})
    assert story.steps == ["correct_requisition"]
    assert [problem["sentence"] for problem in story.variables["problems"]] == [
        "Line 1: Expected an active supplier, but Gone & Sons is not."
    ]


def test_small_amounts_need_no_approval_but_the_buyers_issue(story: Story) -> None:
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 10, "42.50")])
    assert story.steps == ["complete_order"]
    story.as_(bea).decide("complete_order", "submit").decide("issue_order", "issue")
    assert story.order.status is OrderStatus.TRANSMITTED
    assert [(signature.signer_id, signature.meaning) for signature in story.signatures] == [("bea", "RELEASED")]


def test_an_order_that_the_buyer_gives_up_frees_its_budget(story: Story) -> None:
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 100)])
    story.as_(lena).decide("approve_requisition", "approve")
    assert committed(story) == D("4250.0000")
    story.as_(bea).decide("complete_order", "cancel")
    assert (story.ended_at, committed(story)) == ("nothing_ordered", D(0))
    assert story.order.status is OrderStatus.CANCELLED


def test_each_supplier_gets_an_order_of_its_own(story: Story) -> None:
    def second(act: Act) -> str:
        other = make_supplier(act, name="Acme Castings")
        make_approval(act, other)
        return other.id

    other = story.given(second)
    story.as_(rita)
    with story.acting() as act:
        from processes import requisition_to_po
        from tests.makers import make_requisition
        from tests.story import _default_supplier, _revision

        requisition = make_requisition(act, (_revision(act, "P-100"), 4, "100"), (_revision(act, "P-200"), 3, "50"))
        requisition.lines[0].supplier_id, requisition.lines[1].supplier_id = _default_supplier(act).id, other
        act.session.flush()
        act.session.expire_all()
        story.requisition_id = requisition.id
        story.instance_id = requisition_to_po.start(act, requisition).id
    story.settle()
    assert story.steps == ["complete_order", "complete_order"]
    assert sorted(order.supplier.name for order in story.purchase_orders) == ["Acme Castings", "Midland Machining"]
    for _ in range(2):
        story.as_(bea).decide("complete_order", "submit")
    for _ in range(2):
        story.as_(bea).decide("issue_order", "issue")
    assert story.ended_at is None
    for _ in range(2):
        story.as_(bea).complete("record_acknowledgement", result="ACCEPT")
    assert [order.status for order in story.purchase_orders] == [OrderStatus.ACKNOWLEDGED] * 2
    assert (story.ended_at, story.incidents) == ("requisition_ordered", [])


def test_a_planned_order_of_the_erp_becomes_a_requisition(story: Story) -> None:
    with story.installation.acting("adapter:erp") as act:
        answer = publish(
            act, "erp.planned_order.created", message_id="PL-1",
            variables={
                "planned_no": "PL-0815", "part_no": "P-100", "quantity": D(5), "requester": "rita", "cost_centre": "4711",
                "estimated_price": D("42.50"), "need_by": "2026-12-18",
            },
        )  # fmt: skip
    assert answer.reception is Reception.STARTED
    story.instance_id = answer.instance_id or ""
    story.settle()
    assert story.incidents == []
    assert story.steps == ["choose_supplier"]
    found = story.read(lambda session: session.scalars(select(Requisition)).one())
    assert (found.title, found.status) == ("Planned order PL-0815", RequisitionStatus.APPROVED)


def test_a_planned_order_that_nobody_can_use_stops_with_every_reason(story: Story) -> None:
    with story.installation.acting("adapter:erp") as act:
        wrong = {"planned_no": "PL-1", "part_no": "P-999", "quantity": D(-5), "requester": "nobody", "need_by": "soon"}
        answer = publish(act, "erp.planned_order.created", message_id="PL-2", variables=wrong)
    story.instance_id = answer.instance_id or ""
    (incident,) = story.incidents
    assert "cost_centre, part_no, quantity, requester, need_by cannot be used" in incident


def test_nothing_is_left_signed_on_an_order_that_is_withdrawn(story: Story) -> None:
    from processes.withdrawal import withdraw_order as withdraw

    to_issue(story)
    with story.as_(bea).acting() as act:
        withdraw(act, act.session.get_one(type(story.order), story.order.id), reason="wrong dock")
    story.settle()
    assert story.order.status is OrderStatus.DRAFT
    assert story.steps == ["complete_order"]
    assert not [
        signature
        for signature in story.signatures
        if signature.record_type == "purchase_order" and signature.status is SignatureStatus.VALID
    ]
    assert max_.id not in {task.assignee for task in story.tasks()}
