"""The approval round: stages, seats, questions, reminders, escalation and expiry."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from sqlalchemy import select

from engine.act import Act
from engine.audit import AuditEvent
from engine.errors import Conflict, NotFound, RuleViolation
from records.approval import ApprovalSlot
from records.notice import Notice
from records.requisition import RequisitionStatus
from tests.makers import make_absence, make_grant, make_rate, make_user
from tests.people import carl, lena, max_, rita
from tests.story import Story

D = Decimal


def roles(story: Story) -> list[str]:
    return sorted(task.role or "" for task in story.tasks("approve_requisition"))


@pytest.mark.parametrize(("quantity", "signers"), [(199, ["PUR_LEAD"]), (200, ["CC_OWNER", "PUR_MGR"])])
def test_the_band_begins_at_its_lower_bound(story: Story, quantity: int, signers: list[str]) -> None:
    """D01: 9,950.00 needs the lead alone, 10,000.00 the manager and the owner of the cost centre."""
    story.as_(rita).start("requisition_to_po", lines=[("P-100", quantity, "50.0000")])
    assert story.requisition.total == D(quantity) * 50
    assert roles(story) == signers


def test_the_band_is_that_of_the_total_and_not_of_lines_rounded_one_by_one(story: Story) -> None:
    """9,090.90 EUR at 1.1 are 9,999.99 USD; its lines, each rounded first, would make 10,000.00."""
    story.given(lambda act: make_rate(act, "EUR", D("1.1")))
    lines = [("P-100", 1, "9090.80"), ("P-100", 1, "0.05"), ("P-100", 1, "0.05")]
    story.as_(rita).start("requisition_to_po", lines=lines, currency="EUR")
    assert (story.requisition.total, roles(story)) == (D("9090.90"), ["PUR_LEAD"])


@pytest.mark.parametrize("order", [(max_, carl), (carl, max_)])
def test_the_order_of_signing_within_a_stage_is_free(story: Story, order: tuple) -> None:
    """D01: whoever signs first."""
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 200, "50")])
    story.as_(order[0]).decide("approve_requisition", "approve")
    assert story.requisition.status is RequisitionStatus.IN_APPROVAL
    story.as_(order[1]).decide("approve_requisition", "approve")
    assert story.requisition.status is RequisitionStatus.APPROVED
    slots = story.read(lambda session: [slot.is_signed for slot in session.scalars(select(ApprovalSlot))])
    assert slots == [True, True]


def test_a_question_is_answered_and_does_not_count_as_a_vote(story: Story) -> None:
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 100)])
    story.as_(lena).decide("approve_requisition", "ask", reason="For which lot?")
    assert story.steps == ["answer_question"]
    story.as_(rita).complete("answer_question", answer="For 7001")
    assert story.steps == ["decide_slot"]
    story.as_(lena).decide("approve_requisition", "approve")
    assert story.requisition.status in (RequisitionStatus.APPROVED, RequisitionStatus.CONVERTED)


def test_one_rejection_outweighs_an_approval_in_either_order(story: Story) -> None:
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 200, "50")])
    story.as_(carl).decide("approve_requisition", "reject", reason="not this year")
    story.as_(max_).decide("approve_requisition", "approve")
    assert story.ended_at == "requisition_rejected"


def test_a_signer_is_reminded_after_two_business_days(story: Story) -> None:
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 100)])
    assert story.timers["reminder_due"] == dt.datetime(2026, 11, 24, 15, 0, tzinfo=dt.UTC)
    story.at(dt.datetime(2026, 11, 24, 15, 0, tzinfo=dt.UTC))
    told = story.read(lambda session: list(session.scalars(select(Notice.subject).where(Notice.user_id == "lena"))))
    assert told == ["Reminder: REQ-000001 waits for your decision"]
    assert story.steps == ["decide_slot"]


def test_a_late_signer_is_refused_after_the_escalation_and_keeps_the_text(story: Story) -> None:
    """W17: the policy says reassign, so the former level is refused with who and when."""
    from engine import tasks
    from engine.ports import SignatureRequest
    from tests.people import PASSWORD

    story.as_(rita).start("requisition_to_po", lines=[("P-100", 100)])
    seen = story.as_(lena).task("approve_requisition")
    late = story.timers["escalation_due"]
    assert late == dt.datetime(2026, 11, 27, 15, 0, tzinfo=dt.UTC)
    story.clock.set(late)
    signature = SignatureRequest("APPROVED", PASSWORD, user_id="lena", accepts_responsibility=True)
    with pytest.raises((Conflict, NotFound)) as refusal, story.acting() as act:
        tasks.decide(act, seen.id, "approve", seen_version=seen.version, reason="fine with me", signature=signature)
    assert "escalated to Purchasing manager at " in refusal.value.message
    draft = story.read(lambda session: tasks.draft_of(session, seen.id, "lena"))
    assert draft is not None
    assert draft.reason == "fine with me"
    story.settle()
    story.as_(max_).decide("approve_requisition", "approve")
    assert story.requisition.status in (RequisitionStatus.APPROVED, RequisitionStatus.CONVERTED)
    assert [decision.signer_id for decision in story.signatures] == ["max"]


def test_a_round_that_nobody_finishes_expires_and_rejects(story: Story) -> None:
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 100)])
    story.at(story.timers["round_due"])
    assert story.ended_at == "requisition_rejected"
    assert story.incidents == []


def test_nobody_approves_their_own_and_the_next_owner_is_asked(story: Story) -> None:
    """D02: anna asks and owns the cost centre; ben deputises for her and buys."""
    from tests.makers import make_cost_centre

    def arrange(act: Act) -> None:
        make_cost_centre(act, "4799", name="Tool room")
        for user_id, name in (("anna", "Anna Reed"), ("ben", "Ben Ortiz")):
            user = make_user(act, user_id, name=name)
            from records.password import set_password
            from tests.people import PASSWORD, QUICK

            set_password(act, user, PASSWORD, hasher=QUICK)
        make_grant(act, "anna", "REQUESTER")
        make_grant(act, "anna", "CC_OWNER", scope="4799")
        make_grant(act, "ben", "BUYER")
        make_absence(
            act, "anna", "ben", starts_at=act.now - dt.timedelta(days=1), ends_at=act.now + dt.timedelta(days=9)
        )

    story.given(arrange)
    centre = story.given(lambda act: make_cost_centre(act, "4799"))
    story.as_("anna").start("requisition_to_po", lines=[("P-100", 200, "50")], cost_centre=centre)
    owner = next(task for task in story.tasks("approve_requisition") if task.role == "CC_OWNER")
    assert "role:CC_OWNER" in owner.candidates
    assert any("Anna" in note and "SOD-1" in note for note in [*owner.notes, owner.rule_row or ""])
    (about_ben,) = [note for note in owner.notes if "Ben" in note.partition(" was skipped")[0]]
    assert about_ben.startswith("Ben Ortiz, deputy of Anna Reed, was skipped (SOD-2, SOD-13): ")
    assert "Ben Ortiz is its buyer" in about_ben
    assert "Anna Reed is barred (SOD-1)" in about_ben
    for barred, rules in (("anna", {"SOD-1"}), ("ben", {"SOD-2", "SOD-13"})):
        with pytest.raises(RuleViolation) as refusal:
            _sign(story.as_(barred), owner)
        assert {finding.rule for finding in refusal.value.findings} >= rules
        assert refusal.value.http_status == 403
    kept = story.read(
        lambda session: {
            (event.actor, event.field)
            for event in session.scalars(select(AuditEvent).where(AuditEvent.action == "REFUSED"))
        }
    )
    assert ("user:anna", "SOD-1") in kept
    _sign(story.as_(carl), owner)
    assert roles(story) == ["PUR_MGR"]


def _sign(story: Story, task) -> None:
    from engine import tasks
    from engine.ports import SignatureRequest
    from tests.people import PASSWORD

    with story.acting() as act:
        request = SignatureRequest("APPROVED", PASSWORD, user_id=act.user_id or "", accepts_responsibility=True)
        tasks.decide(act, task.id, "approve", seen_version=task.version, signature=request)
