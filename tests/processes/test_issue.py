"""Issue and what comes after: validity, holds, the supplier's answer, reminders."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from sqlalchemy import select

from engine import tasks
from engine.errors import Conflict, Invalid, RuleViolation
from engine.messages import Reception
from engine.ports import SignatureRequest
from processes.acknowledgement import acknowledge
from processes.snoozes import wake_snoozed
from processes.withdrawal import withdraw_order as withdraw
from records import snooze
from records.notice import Notice
from records.purchase_order import OrderStatus, PurchaseOrder
from records.signature import SignatureStatus
from records.supplier import Supplier
from tests.makers import make_approval, make_supplier
from tests.people import PASSWORD, bea, lena, rita
from tests.story import Story

D = Decimal
UTC = dt.UTC


def approved(story: Story) -> Story:
    """Go as far as an order with signatures of its own that is ready to be issued."""
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 100, "42.50")])
    story.as_(lena).decide("approve_requisition", "approve")

    def raise_price(act) -> None:
        act.session.get_one(PurchaseOrder, story.order.id).lines[0].unit_price = D("43.00")

    story.given(raise_price)
    story.as_(bea).decide("complete_order", "submit")
    story.as_(lena).decide("approve_order", "approve")
    return story.as_(bea)


def issued(story: Story) -> Story:
    return approved(story).decide("issue_order", "issue")


def own_signatures(story: Story) -> list[SignatureStatus]:
    return [
        found.status
        for found in story.signatures
        if found.record_type == "purchase_order" and found.meaning == "APPROVED"
    ]


def test_an_approval_older_than_thirty_days_cannot_be_issued(story: Story) -> None:
    """D09."""
    story.clock.set(dt.datetime(2026, 10, 20, 15, 0, tzinfo=UTC))
    approved(story)
    seen = story.task("issue_order")
    story.clock.set(dt.datetime(2026, 11, 22, 15, 0, tzinfo=UTC))
    signature = SignatureRequest("RELEASED", PASSWORD, user_id="bea", accepts_responsibility=True)
    with pytest.raises(Conflict) as refusal, story.acting() as act:
        tasks.decide(act, seen.id, "issue", seen_version=seen.version, signature=signature)
    assert refusal.value.code == "APPROVAL_EXPIRED"
    assert own_signatures(story) == [SignatureStatus.SUPERSEDED]
    assert story.order.status is OrderStatus.PENDING_APPROVAL
    story.as_(lena).decide("approve_order", "approve")
    story.as_(bea).decide("issue_order", "issue")
    assert (story.order.status, story.incidents) == (OrderStatus.TRANSMITTED, [])


def test_a_price_never_changes_beside_its_approval(story: Story) -> None:
    """W22: refused while approved; the way is to withdraw, and that asks everybody again."""
    approved(story)
    with pytest.raises(RuleViolation) as refusal, story.acting() as act:
        act.session.get_one(PurchaseOrder, story.order.id).lines[0].unit_price = D("44.00")
    assert refusal.value.code == "UNCONTROLLED_CHANGE"
    assert story.order.status is OrderStatus.APPROVED
    with story.acting() as act:
        withdraw(act, act.session.get_one(PurchaseOrder, story.order.id), reason="new price list")
    story.settle()
    assert (story.order.status, story.order.approved_hash) == (OrderStatus.DRAFT, None)
    assert own_signatures(story) == [SignatureStatus.SUPERSEDED]
    with story.acting() as act:
        act.session.get_one(PurchaseOrder, story.order.id).lines[0].unit_price = D("44.00")
    story.decide("complete_order", "submit")
    assert story.steps == ["decide_slot"]
    assert story.order.status is OrderStatus.PENDING_APPROVAL


def test_the_acknowledgement_clock_skips_holidays_and_weekends(story: Story) -> None:
    """D35: issued Tuesday 15:00; the 26th is a holiday. Times of the site, six hours behind UTC."""
    story.clock.set(dt.datetime(2026, 11, 24, 21, 0, tzinfo=UTC))
    issued(story)
    assert {name: story.timers[name] for name in ("ack_late", "ack_very_late", "ack_overdue")} == {
        "ack_late": dt.datetime(2026, 11, 27, 21, 0, tzinfo=UTC),
        "ack_very_late": dt.datetime(2026, 11, 30, 21, 0, tzinfo=UTC),
        "ack_overdue": dt.datetime(2026, 12, 2, 21, 0, tzinfo=UTC),
    }
    wanted = select(Notice.user_id).where(Notice.subject.contains("has not acknowledged")).order_by(Notice.user_id)
    with story.as_(bea).acting() as act:
        snooze.snooze(act, story.task("record_acknowledgement").id, until=dt.datetime(2026, 12, 1, 12, 0, tzinfo=UTC))
    story.at(dt.datetime(2026, 11, 30, 21, 1, tzinfo=UTC))
    # The buyer put the task aside: the reminder waits with it, what goes above the buyer does not.
    assert story.read(lambda session: list(session.scalars(wanted))) == ["lena"]
    story.at(dt.datetime(2026, 12, 2, 21, 0, tzinfo=UTC))
    wake_snoozed(story.installation)
    assert story.read(lambda session: list(session.scalars(wanted))) == ["bea", "lena", "max"]
    assert story.steps == ["record_acknowledgement"]


def test_changes_of_the_supplier_wait_for_buyer_and_planner(story: Story) -> None:
    """D35: 90 of 100 and twelve days later is a counter-offer."""
    story.clock.set(dt.datetime(2026, 11, 24, 21, 0, tzinfo=UTC))
    issued(story)
    lines = [
        {"line_no": 1, "code": "IQ", "quantity": D(90)},
        {"line_no": 1, "code": "DR", "promised_on": "2026-12-30"},
    ]

    def answer() -> Reception:
        with story.installation.acting("adapter:edi") as act:
            order = act.session.get_one(PurchaseOrder, story.order.id)
            return acknowledge(act, order, result="ACCEPT_WITH_CHANGE", message_id="855-1", lines=lines).reception

    assert answer() is Reception.CORRELATED
    assert answer() is Reception.ALREADY_HANDLED
    story.settle()
    assert (story.order.status, story.steps) == (OrderStatus.COUNTER_OFFER, ["decide_counter_offer"])
    task = story.tasks()[0]
    assert task.candidates == ["role:BUYER", "role:PLANNER"]
    from engine.task_variables import variables_of

    changes = story.read(lambda session: variables_of(session, task))["acknowledgement"]["changes"]
    assert [change["sentence"] for change in changes] == [
        "Line 1, P-100/B: delivery on 2026-12-30 instead of 2026-12-18, +12 d",
        "Line 1, P-100/B: 90 instead of 100 EA",
    ]
    assert [line.code for line in story.order.acknowledgements[0].lines] == ["DR", "IQ"]
    story.as_(rita).decide("decide_counter_offer", "refuse_changes", reason="the assembly starts on the 22nd")
    assert (story.order.status, story.incidents) == (OrderStatus.TRANSMITTED, [])


def test_refused_changes_start_the_clock_again(story: Story) -> None:
    issued(story)
    story.complete("record_acknowledgement", result="ACCEPT_WITH_CHANGE", note="two weeks later")
    story.at(dt.datetime(2026, 11, 30, 21, 0, tzinfo=UTC))
    story.as_(bea).decide("decide_counter_offer", "refuse_changes", reason="needed on the 18th")
    assert story.order.status is OrderStatus.TRANSMITTED
    assert story.timers["ack_late"] == dt.datetime(2026, 12, 2, 21, 0, tzinfo=UTC)
    story.complete("record_acknowledgement", result="ACCEPT")
    assert (story.order.status, story.incidents) == (OrderStatus.ACKNOWLEDGED, [])
    assert [answer.result for answer in story.order.acknowledgements] == ["ACCEPT_WITH_CHANGE", "ACCEPT"]


def test_a_rejected_order_is_sourced_again(story: Story) -> None:
    issued(story)
    story.complete("record_acknowledgement", result="REJECT", note="no capacity")
    assert story.order.status is OrderStatus.CANCELLED
    assert story.steps == ["choose_supplier"]

    def other(act) -> str:
        found = make_supplier(act, name="Acme Castings")
        make_approval(act, found)
        return found.id

    story.complete("choose_supplier", supplier_id=story.given(other))
    assert (story.order.supplier.name, story.order.status) == ("Acme Castings", OrderStatus.DRAFT)
    assert story.incidents == []


def test_a_supplier_suspended_after_the_approval_holds_the_issue(story: Story) -> None:
    approved(story)

    def suspend(act, back: bool = False) -> None:
        from records.supplier import ApprovalStatus, move

        supplier = act.session.query(Supplier).filter_by(name="Midland Machining").one()
        for row in supplier.approvals:
            move(act, row, ApprovalStatus.SUSPENDED, reason="audit finding")

    story.given(suspend)
    story.decide("issue_order", "issue")
    assert story.order.status is OrderStatus.ON_HOLD
    assert "SUP-02" in (story.order.hold_reason or "")
    assert story.steps == ["clear_hold"]


def test_an_order_is_issued_with_a_signature_that_means_released(story: Story) -> None:
    task = approved(story).as_(bea).task("issue_order")
    reviewed = SignatureRequest("REVIEWED", PASSWORD, user_id="bea", accepts_responsibility=True)
    with pytest.raises(Invalid, match="Expected the meaning RELEASED"), story.acting() as act:
        tasks.decide(act, task.id, "issue", seen_version=task.version, signature=reviewed)
    assert (story.order.status, story.steps) == (OrderStatus.APPROVED, ["issue_order"])
    story.decide("issue_order", "issue")
    assert story.order.status is OrderStatus.TRANSMITTED
