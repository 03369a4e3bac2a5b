"""The order's own approval: rejected, returned, withdrawn in the middle, expired while it was held."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from engine import returning
from engine.act import Act
from engine.decisions import of_instance
from engine.errors import Conflict
from engine.ports import SignatureRequest
from processes.withdrawal import withdraw_order as withdraw
from records.cost_centre import committed_for
from records.purchase_order import OrderStatus, PurchaseOrder
from records.signature import SignatureStatus
from records.supplier import ApprovalStatus, Supplier, move
from tests.people import PASSWORD, bea, lena, quinn, rita
from tests.quotes import chosen
from tests.story import Story, plant_with

D = Decimal


def submitted(story: Story) -> Story:
    """Go as far as an order that is dearer than its requisition and waits for its own approval; the plant may begin with it."""
    if story.goes_on():
        return story.as_(bea)
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 100, "42.50")])
    story.as_(lena).decide("approve_requisition", "approve")

    def raise_price(act: Act) -> None:
        act.session.get_one(PurchaseOrder, story.order.id).lines[0].unit_price = D("43.00")

    story.given(raise_price)
    return story.as_(bea).decide("complete_order", "submit")


waits_for_approval = pytest.mark.begins_with(plant_with("waits_for_approval", submitted))
"""The test begins with ``submitted(story)``, which its plant brings along."""


def take_back(story: Story, reason: str = "wrong dock") -> None:
    with story.as_(bea).acting() as act:
        withdraw(act, act.session.get_one(PurchaseOrder, story.order.id), reason=reason)
    story.settle()


@waits_for_approval
def test_a_rejected_order_frees_its_lines_and_its_budget(story: Story) -> None:
    submitted(story).as_(lena).decide("approve_order", "reject", reason="too dear")
    assert (story.order.status, story.ended_at) == (OrderStatus.REJECTED, "nothing_ordered")
    assert story.requisition.open_quantity == D(100)
    assert story.read(lambda session: committed_for(session, ("requisition", story.requisition_id))) == D(0)
    assert story.incidents == []


@waits_for_approval
def test_a_returned_order_goes_back_to_its_buyer_as_a_draft(story: Story) -> None:
    submitted(story).as_(lena).decide("approve_order", "return", reason="ask for the old price")
    assert (story.order.status, story.steps) == (OrderStatus.DRAFT, ["complete_order"])
    assert story.incidents == []


@waits_for_approval
def test_an_approved_order_returns_to_its_buyer_and_the_approval_is_void(story: Story) -> None:
    """Only the step that builds it is legal; the lead's approval and signature end, and everybody sees why."""
    submitted(story).as_(lena).decide("approve_order", "approve")
    task = story.as_(bea).task("issue_order")

    def send_back(to: str) -> None:
        with story.acting() as act:
            steps = {one.element_id: one for one in returning.targets(act.session, task)}
            assert steps["approve_requisition"].why_not.startswith("the requisition is approved and its budget")
            assert steps["approve_order"].why_not.startswith("the order is approved on this content")
            signed = SignatureRequest("REVIEWED", PASSWORD, user_id="bea", accepts_responsibility=True)
            returning.send_back(
                act, task.id, steps[to].token_id, seen_version=task.version, reason="Wrong dock", signature=signed
            )
        story.settle()

    with pytest.raises(Conflict, match="the order is approved on this content"):
        send_back("approve_order")
    send_back("complete_order")
    assert (story.order.status, story.steps, story.incidents) == (OrderStatus.DRAFT, ["complete_order"], [])
    assert {one.status for one in story.signatures if one.record_type == "purchase_order"} == {
        SignatureStatus.SUPERSEDED
    }
    void = [row for row in story.read(lambda session: of_instance(session, story.instance_id)) if row.kind == "VOID"]
    assert {row.reason for row in void} == {f"returned to Build the order by {bea.name}: Wrong dock"}
    assert [row.verdict for row in void] == ["submit", "approve"]
    story.as_(bea).decide("complete_order", "submit")
    story.as_(lena).decide("approve_order", "approve")
    assert story.steps == ["issue_order"]


@waits_for_approval
def test_an_order_can_be_withdrawn_while_its_approvers_look_at_it(story: Story) -> None:
    submitted(story)
    take_back(story)
    assert (story.order.status, story.steps) == (OrderStatus.DRAFT, ["complete_order"])
    assert story.incidents == []


@waits_for_approval
def test_a_withdrawal_needs_a_reason(story: Story) -> None:
    submitted(story)
    with pytest.raises(Exception, match="Expected a reason"):
        take_back(story, reason=" ")
    assert story.order.status is OrderStatus.PENDING_APPROVAL


@waits_for_approval
def test_a_transmitted_order_cannot_be_withdrawn(story: Story) -> None:
    submitted(story).as_(lena).decide("approve_order", "approve")
    story.as_(bea).decide("issue_order", "issue")
    with pytest.raises(Conflict, match="it needs an amendment"):
        take_back(story)
    assert story.order.status is OrderStatus.TRANSMITTED


def held(story: Story) -> Story:
    """Issue an order whose supplier was suspended after the approval."""
    submitted(story).as_(lena).decide("approve_order", "approve")
    story.given(lambda act: _set(act, ApprovalStatus.SUSPENDED))
    return story.as_(bea).decide("issue_order", "issue")


def _set(act: Act, status: ApprovalStatus) -> None:
    supplier = act.session.query(Supplier).filter_by(name="Midland Machining").one()
    for row in supplier.approvals:
        if status is ApprovalStatus.SUSPENDED:
            move(act, row, status, reason="audit finding")
        else:
            move(act, row, status, reason="closed", signature_id=_signature(act, supplier))


def _signature(act: Act, supplier: Supplier) -> str:
    from tests.makers import make_signature

    return make_signature(act, supplier, content_hash="ab" * 32, signer="quinn", role="SQ").id


@waits_for_approval
def test_a_hold_is_cleared_by_its_owner_and_the_order_goes_out_without_a_second_signature(story: Story) -> None:
    held(story)
    assert (story.order.status, story.order.hold_owner, story.steps) == (OrderStatus.ON_HOLD, "role:SQ", ["clear_hold"])
    story.as_(quinn).complete("clear_hold", note="looked again")
    assert story.steps == ["clear_hold"]
    story.given(lambda act: _set(act, ApprovalStatus.APPROVED))
    story.as_(quinn).complete("clear_hold", note="audit closed")
    assert (story.order.status, story.incidents) == (OrderStatus.TRANSMITTED, [])
    assert len([found for found in story.signatures if found.meaning == "RELEASED"]) == 1


@waits_for_approval
def test_a_held_order_can_be_withdrawn(story: Story) -> None:
    held(story)
    take_back(story)
    assert (story.order.status, story.steps) == (OrderStatus.DRAFT, ["complete_order"])
    assert not [
        found for found in story.signatures if found.record_type == "purchase_order" and found.status == "VALID"
    ]


@waits_for_approval
def test_an_approval_that_expires_while_the_order_is_held_is_asked_for_again(story: Story) -> None:
    held(story)
    expires = story.order.approval_expires_at
    assert expires == dt.datetime(2026, 12, 22, 15, 0, tzinfo=dt.UTC)
    story.at(expires)
    assert (story.order.status, story.steps) == (OrderStatus.PENDING_APPROVAL, ["decide_slot"])
    assert {found.status for found in story.signatures if found.record_type == "purchase_order"} == {
        SignatureStatus.SUPERSEDED
    }
    assert story.incidents == []


@waits_for_approval
def test_an_approval_that_nobody_uses_expires_by_itself(story: Story) -> None:
    submitted(story).as_(lena).decide("approve_order", "approve")
    story.at(story.timers["approval_expired"])
    assert (story.order.status, story.steps) == (OrderStatus.PENDING_APPROVAL, ["decide_slot"])
    assert story.incidents == []


def test_a_source_that_turns_out_to_be_the_only_one_asks_finance_too(story: Story) -> None:
    """From 10,000.00 on: the requisition's signers did not know."""
    from tests.people import carl, fred, max_

    story.as_(rita).start("requisition_to_po", lines=[("P-100", 250, "50")])
    for signer in (max_, carl):
        story.as_(signer).decide("approve_requisition", "approve")
    supplier = story.read(lambda session: session.query(Supplier).filter_by(name="Midland Machining").one())
    chosen(story, supplier.id, price="50", count=1).as_(max_).decide("sign_sole_source", "approve")
    story.as_(bea).decide("complete_order", "submit")
    assert [task.role for task in story.tasks("approve_order")] == ["FIN_CTRL"]
    story.as_(fred).decide("approve_order", "approve")
    assert (story.steps, story.incidents) == (["issue_order"], [])


def test_whoever_approved_the_request_does_not_buy_on_it(story: Story) -> None:
    from tests.makers import make_grant

    story.as_(rita).start("requisition_to_po", lines=[("P-100", 100, "42.50")])
    story.as_(lena).decide("approve_requisition", "approve")
    story.given(lambda act: make_grant(act, "lena", "BUYER"))
    story.as_(lena).decide("complete_order", "submit")
    (found,) = story.variables_of_task("complete_order")["findings"]
    assert found["sentence"].startswith("SOD-2: Expected another buyer")
    story.as_(bea).decide("complete_order", "submit")
    assert (story.steps, story.order.buyer_id, story.incidents) == (["issue_order"], "bea", [])
