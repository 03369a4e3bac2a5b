"""A requester takes a requisition back while others decide on it; whoever was asked learns why."""

from __future__ import annotations

from decimal import Decimal

import pytest
from sqlalchemy import select

from engine import tasks
from engine.act import Act
from engine.errors import Conflict, Forbidden, Invalid
from engine.stored.task import Task
from processes.withdrawal import withdraw_requisition
from records.cost_centre import committed_for
from records.demo_people import Member
from records.notice import Notice
from records.person import User
from records.requisition import Requisition, RequisitionStatus
from records.signature import SignatureStatus
from tests.makers import make_user
from tests.people import bea, carl, lena, max_, otto, rita
from tests.processes.test_suspicions import split
from tests.story import Story

D = Decimal


def withdraw(story: Story, member: Member = rita, reason: str = "not needed any more") -> Story:
    with story.as_(member).acting() as act:
        withdraw_requisition(act, act.session.get_one(Requisition, story.requisition_id), reason=reason)
    return story.settle()


def notices(story: Story, user_id: str) -> list[tuple[str, str]]:
    wanted = select(Notice.subject, Notice.body).where(Notice.user_id == user_id)
    return [tuple(row) for row in story.read(lambda session: session.execute(wanted).all())]


def large(story: Story) -> Story:
    """Ask for 300 × 42.50 = 12,750.00: the manager and the cost-centre owner sign."""
    return story.as_(rita).start("requisition_to_po", lines=[("P-100", 300, "42.50")])


def test_a_requisition_withdrawn_while_others_decide_is_cancelled_and_binds_nothing(story: Story) -> None:
    large(story).as_(max_).decide("approve_requisition", "approve")
    withdraw(story)
    assert (story.ended_at, story.requisition.status) == ("requisition_cancelled", RequisitionStatus.CANCELLED)
    assert [signature.status for signature in story.signatures] == [SignatureStatus.SUPERSEDED]
    assert story.read(lambda session: committed_for(session, ("requisition", story.requisition_id))) == D(0)
    assert (story.steps, story.incidents) == ([], [])


def test_whoever_signed_or_was_asked_is_told_who_withdrew_it_and_why(story: Story) -> None:
    large(story).as_(max_).decide("approve_requisition", "approve")
    withdraw(story)
    told = ("REQ-000001 was withdrawn", "Rita Okafor withdrew it: not needed any more")
    assert told in notices(story, "max")
    assert told in notices(story, "carl")
    assert told not in notices(story, "rita")


def test_a_decision_that_comes_too_late_reads_who_withdrew_it(story: Story) -> None:
    large(story)
    task = story.as_(carl).task("approve_requisition")
    withdraw(story)
    closed = story.read(lambda session: session.get_one(Task, task.id))
    assert (closed.state, closed.closed_why) == ("CANCELLED", "withdrawn by Rita Okafor")
    with (
        pytest.raises(Conflict, match="it was withdrawn by Rita Okafor"),
        story.as_(carl).acting() as act,
    ):
        tasks.decide(act, task.id, "reject", seen_version=task.version, reason="too late")


def test_a_requisition_is_withdrawn_while_its_suspicions_are_looked_at(story: Story) -> None:
    withdraw(split(story))
    assert (story.ended_at, story.incidents) == ("requisition_cancelled", [])


@pytest.mark.parametrize(("budget", "step"), [("12000", "decide_supplement"), ("12500", "decide_budget_exception")])
def test_a_requisition_is_withdrawn_while_finance_decides(story: Story, budget: str, step: str) -> None:
    def tighten(act: Act) -> None:
        from records.cost_centre import Budget

        for found in act.session.scalars(select(Budget)):
            found.amount = D(budget)

    story.given(tighten)
    large(story)
    assert set(story.steps) == {step}
    withdraw(story)
    assert (story.ended_at, story.steps, story.incidents) == ("requisition_cancelled", [], [])


def test_nobody_else_withdraws_it(story: Story) -> None:
    large(story)
    for member in (bea, lena, otto):
        with pytest.raises(Forbidden, match="Expected Rita Okafor to withdraw REQ-000001"):
            withdraw(story, member)
    assert story.requisition.status is RequisitionStatus.IN_APPROVAL


def test_a_reason_is_needed_and_what_is_decided_stays(story: Story) -> None:
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 100)])
    with pytest.raises(Invalid, match="Expected a reason"):
        withdraw(story, reason=" ")
    story.as_(lena).decide("approve_requisition", "approve")
    with pytest.raises(Conflict, match="Expected REQ-000001 to be undecided"):
        withdraw(story)
    assert story.steps == ["complete_order"]


def test_the_buyers_correct_or_withdraw_for_a_requester_who_cannot_sign_in(story: Story) -> None:
    story.given(lambda act: make_user(act, "employee", can_sign_in=False, name="Erin Employee"))
    story.as_("employee").start("requisition_to_po", lines=[("P-100", 100)])
    story.as_(lena).decide("approve_requisition", "ask", reason="which lot?")
    assert (story.steps, story.tasks()[0].candidates) == (["answer_question"], ["role:BUYER"])
    story.as_(bea).complete("answer_question", answer="7001")
    story.as_(lena).decide("approve_requisition", "return", reason="say which lot")
    assert (story.steps, story.incidents) == (["correct_requisition"], [])
    assert story.tasks()[0].candidates == ["role:BUYER"]
    story.as_(bea).decide("correct_requisition", "resubmit")
    withdraw(story, bea)
    assert (story.ended_at, story.incidents) == ("requisition_cancelled", [])


def test_the_correction_of_somebody_who_left_is_the_buyers(story: Story) -> None:
    from records.person import UserStatus, move

    story.as_(rita).start("requisition_to_po", lines=[("P-100", 100)])
    story.given(lambda act: move(act, act.session.get_one(User, "rita"), UserStatus.DISABLED))
    story.as_(lena).decide("approve_requisition", "return", reason="who needs it?")
    assert (story.steps, story.incidents) == (["correct_requisition"], [])
    assert story.tasks()[0].candidates == ["role:BUYER"]
