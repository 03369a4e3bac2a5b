"""Whatever is signed: once it says something else, the signature is superseded, visibly, and nothing rests on it any more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from engine.act import Act
from engine.audit import chain_of
from engine.errors import RuleViolation
from engine.ports import SignatureRequest
from engine.verification import verify
from processes import amendment as amending
from processes import change_orders, impact, meetings, work_order_release
from records.amendment import AmendmentReason, PurchaseOrderAmendment
from records.approval import slots_of
from records.change_order import ChangeOrder
from records.change_request import OrderClass
from records.meeting import Meeting
from records.origin import Origin
from records.signature import SignatureStatus
from records.signing import SIGNED_HASHES, signatures_on
from records.work_order import WorkOrder
from rules.redlines import mapped
from tests import makers
from tests.amendments import acknowledged, acknowledged_order, amend, more, newest, within
from tests.boards import cast, in_review, seated
from tests.people import PASSWORD, bea, ella, lena, olga, quinn, rita
from tests.processes.test_amendment_returned import half_signed
from tests.story import Story

Left = tuple[str, str, Callable[[], Any]]
"""Kind and id of a document that somebody signed, and what makes it say something else."""


def of_order(story: Story) -> Left:
    """Bea released it; an amendment takes effect."""
    order = acknowledged(story)

    def change() -> None:
        amend(story, more(102))
        story.as_(lena).decide("decide_slot", "approve")

    return "purchase_order", order.id, change


def of_amendment(story: Story) -> Left:
    """The owner of the cost centre approved it; it comes back and goes out again with another quantity."""
    amendment = half_signed(story)

    def change() -> None:
        story.as_(bea)
        within(
            story,
            lambda act: amending.resubmit(
                act, act.session.get_one(PurchaseOrderAmendment, amendment.id), more(1001), reason="One more",
                reason_code=AmendmentReason.DEMAND,
            ),
        )  # fmt: skip
        assert newest(story).content_hash != amendment.content_hash

    return "purchase_order_amendment", amendment.id, change


def of_work_order(story: Story) -> Left:
    """Quality signed its release; it goes back to the plan and is made firm with another quantity."""

    def arrange(act: Act) -> str:
        order = makers.make_work_order(
            act, number="WO-7004", status="PLANNED", origin=Origin.LOCKSTEP, system="LOCKSTEP"
        )
        makers.make_instruction(act)
        return order.id

    order_id = story.given(arrange)

    def planned(step: Callable[[Act, WorkOrder], Any]) -> None:
        with story.as_(rita).acting() as act:
            step(act, act.session.get_one(WorkOrder, order_id))

    def signed(act: Act, order: WorkOrder) -> None:
        work_order_release.firm(act, order)
        makers.make_signature(act, order, content_hash=str(order.approved_hash), signer="quinn", role="QA_ENG")

    planned(signed)

    def change() -> None:
        planned(lambda act, order: work_order_release.unfirm(act, order, reason="Twelve are needed"))
        planned(lambda _act, order: setattr(order, "quantity", makers.D(12)))
        planned(work_order_release.firm)

    return "work_order", order_id, change


def of_change_order(story: Story) -> Left:
    """Quality voted for it; the plant moves on, its impact is opened again, and its content is written anew."""

    def arrange(act: Act) -> str:
        makers.make_cast(act)
        seated(act)
        return in_review(act, OrderClass.C3, cost="0").id

    order_id = story.given(arrange)
    with story.as_(quinn).acting() as act:
        cast(act, act.session.get_one(ChangeOrder, order_id), "approve")

    def change() -> None:
        with story.as_(ella).acting() as act:
            order = act.session.get_one(ChangeOrder, order_id)
            impact.reopen(act, order, reason="A new order fell into it")
            change_orders.take_up_content(act, order)

    return "change_order", order_id, change


@pytest.mark.part11("11.70")
@pytest.mark.parametrize(
    "signed",
    [
        pytest.param(of_order, marks=acknowledged_order, id="order"),
        pytest.param(of_amendment, id="amendment"),
        pytest.param(of_work_order, id="work-order"),
        pytest.param(of_change_order, id="change-order"),
    ],
)
def test_a_signature_ends_when_its_document_says_something_else(story: Story, signed: Callable[[Story], Left]) -> None:
    kind, record_id, change = signed(story)
    column = SIGNED_HASHES[kind]
    content = story.read(lambda session: getattr(session.get_one(mapped(kind), record_id), column))
    before = story.read(
        lambda session: [one.id for one in signatures_on(session, kind, record_id) if one.content_hash == content]
    )
    assert before
    change()
    after = story.read(lambda session: signatures_on(session, kind, record_id))
    ended = [one for one in after if one.id in before]
    assert {one.status for one in ended} == {SignatureStatus.SUPERSEDED}
    assert all(one.superseded_at == story.clock() for one in ended)
    now = story.read(lambda session: getattr(session.get_one(mapped(kind), record_id), column))
    assert now != content
    assert not [
        slot
        for slot in story.read(lambda session: slots_of(session, kind, record_id, now or ""))
        if slot.signature_id in before
    ]
    told = [
        one
        for one in story.read(lambda session: chain_of(session, kind, record_id))
        if one.action == "SIGNATURE_SUPERSEDED"
    ]
    assert {one.old for one in told} >= {content}
    assert story.read(lambda session: list(verify(session))) == []


@pytest.mark.part11("11.70")
def test_minutes_never_say_something_else_so_their_signature_stands(story: Story) -> None:
    def arrange(act: Act) -> str:
        makers.make_cast(act)
        in_review(act, OrderClass.C3, cost="0")
        return meetings.plan_meeting(act, seated(act), starts_at=act.now, place="Room 2").id

    meeting_id = story.given(arrange)

    def chaired(step: Callable[[Act, Meeting], Any]) -> None:
        with story.as_(olga).acting() as act:
            step(act, act.session.get_one(Meeting, meeting_id))

    request = SignatureRequest("APPROVED", PASSWORD, user_id="olga", accepts_responsibility=True)
    chaired(meetings.open_meeting)
    chaired(meetings.close_meeting)
    chaired(lambda act, held: meetings.sign_minutes(act, held, request, seen_hash=str(held.minutes_hash)))
    for column, value in (("minutes", "{}"), ("minutes_hash", "ab" * 32), ("status", "OPEN")):
        with pytest.raises(RuleViolation):
            chaired(lambda _act, held, column=column, value=value: setattr(held, column, value))
    [signature] = story.read(lambda session: signatures_on(session, "board_meeting", meeting_id))
    assert signature.status is SignatureStatus.VALID
