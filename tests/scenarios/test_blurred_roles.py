"""D40: an order that is a work instruction, a work order that is a purchase, what quality may waive, and observe mode."""

from __future__ import annotations

import pytest

from engine.act import Act
from engine.errors import Effect, RuleViolation
from engine.ports import SignatureRequest
from processes import flow_modes, waiving, work_orders
from records.demo_people import Member
from records.origin import Origin
from records.purchase_order import OrderStatus, PurchaseOrder, move
from records.waiver import Waiver
from records.work_order import LOCKSTEP, WorkOrder, WorkOrderStatus
from rules.blurred_roles import judge_text
from rules.finding import KeptFinding
from rules.flow_mode import Mode, ModeSwitch, mode_of
from tests.makers import make_order, make_process, make_supplier, make_work_order
from tests.people import PASSWORD, bea, lena, max_, pat, quinn, rita
from tests.rules.test_blurred_roles import CLEAN, WORK_INSTRUCTION
from tests.story import Story
from tests.webapp.conftest import People

STEPS = ({"op_no": 10, "description": "Mill profile"}, {"op_no": 20, "description": "QuickPlate, $12.00 each"})


def signed(member: Member, meaning: str) -> SignatureRequest:
    return SignatureRequest(meaning, PASSWORD, user_id=member.id, accepts_responsibility=True)


def blurred_order(story: Story, text: str = WORK_INSTRUCTION) -> str:
    def write(act: Act) -> str:
        make_process(act, "HEAT_TREAT")
        order = make_order(act)
        order.lines[0].description, order.lines[0].process_code = text, "HEAT_TREAT"
        return order.id

    return str(story.given(write))


def submit(story: Story, order_id: str) -> OrderStatus:
    with story.as_(bea).acting() as act:
        order = act.session.get_one(PurchaseOrder, order_id)
        order.approved_hash = "a" * 64
        move(act, order, OrderStatus.PENDING_APPROVAL)
    return story.read(lambda session: session.get_one(PurchaseOrder, order_id).status)


def planned_work(story: Story) -> str:
    def write(act: Act) -> str:
        make_supplier(act, name="QuickPlate")
        work = make_work_order(
            act, operations=STEPS, status=WorkOrderStatus.PLANNED, origin=Origin.LOCKSTEP, system=LOCKSTEP
        )
        return work.id

    return str(story.given(write))


def release(story: Story, work_id: str) -> None:
    with story.as_(rita).acting() as act:
        work_orders.release(act, act.session.get_one(WorkOrder, work_id))


def observe(story: Story, flow: str, approver: Member) -> None:
    with story.as_(pat).acting() as act:
        given = {"flow": flow, "mode": "OBSERVE", "reason": "findings first"}
        switch_id = flow_modes.propose(act, given).id
    for member, meaning in ((pat, "AUTHORED"), (approver, "APPROVED")):
        with story.as_(member).acting() as act:
            switch = act.session.get_one(ModeSwitch, switch_id)
            flow_modes.sign(act, switch, signed(member, meaning), seen_hash=switch.approved_hash)
    assert story.read(lambda session: mode_of(session, flow)) is Mode.OBSERVE


def kept(story: Story, record_id: str) -> list[tuple[str, Effect, str]]:
    rows = story.read(lambda session: session.query(KeptFinding).filter_by(record_id=record_id).all())
    return sorted((row.rule, row.effect, row.mode) for row in rows if row.rule.startswith("BLUR"))


def test_an_order_that_is_a_work_instruction_is_refused_for_a_special_process(story: Story) -> None:
    assert 600 <= len(WORK_INSTRUCTION) <= 700
    assert "anneal at 845 °C for 60 min" in WORK_INSTRUCTION
    order_id = blurred_order(story)
    with pytest.raises(RuleViolation) as refused:
        submit(story, order_id)
    blurred = [finding for finding in refused.value.findings if finding.rule.startswith("BLUR")]
    assert [(finding.rule, finding.effect) for finding in blurred] == [
        ("BLUR-P1", Effect.BLOCK),
        ("BLUR-P2", Effect.BLOCK),
    ]
    assert all(finding.owner and finding.way_out for finding in blurred)


def test_a_work_order_that_is_a_purchase_is_not_released(story: Story) -> None:
    work_id = planned_work(story)
    with pytest.raises(RuleViolation) as refused:
        release(story, work_id)
    (finding,) = [finding for finding in refused.value.findings if finding.rule.startswith("BLUR")]
    assert (finding.rule, finding.effect, finding.new) == ("BLUR-W1", Effect.BLOCK, "QuickPlate, $12.00 each")
    assert "QuickPlate" in finding.sentence


def test_twenty_clean_texts_have_no_finding(story: Story) -> None:
    assert len(CLEAN) == 20
    orders = [blurred_order(story, text) for text in CLEAN]
    found = story.read(
        lambda session: [
            finding
            for order_id in orders
            for finding in judge_text(session, session.get_one(PurchaseOrder, order_id).lines[0])
        ]
    )
    assert found == []


def test_quality_waives_for_thirty_days_and_the_dashboard_counts_it(story: Story, browse: People) -> None:
    order_id = blurred_order(story)
    for rule in ("BLUR-P1", "BLUR-P2"):
        with story.as_(lena).acting() as act:
            given = {
                "rule": rule, "record_type": "purchase_order", "record_id": order_id, "expires_on": "2026-12-22",
                "reason": "PS-455 is being written",
            }  # fmt: skip
            waiver_id = waiving.propose(act, given).id
        with story.as_(quinn).acting() as act:
            waiver = act.session.get_one(Waiver, waiver_id)
            waiving.sign(act, waiver, signed(quinn, "APPROVED"), seen_hash=waiver.approved_hash)
    with pytest.raises(RuleViolation) as refused:
        submit(
            story, order_id
        )  # the supplier is not approved for heat treatment: a waiver of one rule is not one of another
    assert not [finding for finding in refused.value.findings if finding.rule.startswith("BLUR")]
    browser = browse(quinn)
    browser.get("/findings")
    assert "Standing waivers 2" in " ".join(browser.text.split())


def test_in_observe_mode_everything_is_found_and_nothing_is_refused(story: Story) -> None:
    order_id, work_id = blurred_order(story), planned_work(story)
    observe(story, "requisition_to_po", max_)
    observe(story, "work_orders", quinn)
    assert submit(story, order_id) is OrderStatus.PENDING_APPROVAL
    release(story, work_id)
    assert story.read(lambda session: session.get_one(WorkOrder, work_id).status) is WorkOrderStatus.RELEASED
    assert kept(story, order_id) == [("BLUR-P1", Effect.WARN, "OBSERVE"), ("BLUR-P2", Effect.WARN, "OBSERVE")]
    assert kept(story, work_id) == [("BLUR-W1", Effect.WARN, "OBSERVE")]
