"""Technical amendments: only under a change order in force that names the line and what it becomes, and only while it is."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from engine.act import Act
from engine.errors import Invalid, Refused
from processes import amendment as amending
from processes import change_orders
from records.amendment import AmendmentStatus, ApprovalPlan
from records.change_order import ChangeOrder, ChangeOrderStatus, move
from records.change_request import OrderClass
from records.part import RevisionStatus
from records.purchase_order import PurchaseOrder
from rules.amending import Edits, LineEdit
from tests.amendments import acknowledged, acknowledged_order, amend, amendments, answer, go_to, newest, redline, within
from tests.makers import make_part, make_revision, make_signature, make_slot
from tests.people import bea, lena, quinn
from tests.story import Story

D = Decimal
S = ChangeOrderStatus


def change_order(story: Story, to: S = S.APPROVED) -> tuple[str, str]:
    """Have a change order that takes the part of the newest order to its next revision; return the ids of both."""
    order_id = story.order.id
    with story.as_(quinn).acting() as act:
        line = act.session.get_one(PurchaseOrder, order_id).lines[0]
        before = line.part_revision
        assert before is not None
        after = make_revision(act, before.part, "Z", status=RevisionStatus.DRAFT, origin="LOCKSTEP", released_at=None)
        order = change_orders.open_order(
            act, change_class=OrderClass.C4, title="Thicker flange", reason="Cracks at the fillet"
        )
        change_orders.add_item(act, order, before, after)
        for wanted in (S.IMPACT, S.REVIEW, S.APPROVED):
            if order.status is not to:
                _advance(act, order, wanted)
        if to is S.APPROVED:
            change_orders.apply(act, order)
        return order.id, after.id


def _advance(act: Act, order: ChangeOrder, to: S) -> None:
    if to is S.IMPACT:
        change_orders.take_baseline(act, order)
        move(act, order, to)
        return
    if to is S.REVIEW:
        change_orders.send_to_review(act, order)
        return
    assert order.content_hash is not None
    slot = make_slot(act, order, record_hash=order.content_hash, role="ENG_AUTH")
    slot.signature = make_signature(act, order, content_hash=order.content_hash, signer="ella", role="ENG_AUTH")
    act.session.flush()
    move(act, order, to)


def to_revision(revision_id: str, line_no: int = 1) -> Edits:
    """Return the wish for another revision of a line's part."""
    return Edits(lines=[LineEdit(line_no, {"part_revision_id": revision_id})])


@acknowledged_order
def test_a_covered_amendment_takes_the_line_to_the_next_revision_and_is_applied(story: Story) -> None:
    acknowledged(story)
    was = story.order.lines[0].part_revision_id
    change_id, after_id = change_order(story)
    amendment = amend(story, to_revision(after_id))
    assert (amendment.change_order_id, amendment.change_class.value, amendment.plan) == (
        change_id,
        "C4",
        ApprovalPlan.FULL,
    )
    assert "Made under CO-" in amendment.impact
    story.as_(lena).decide("decide_slot", "approve")
    assert story.incidents == []
    line = story.order.lines[0]
    assert (line.part_revision_id, story.order.revision) == (after_id, 1)
    assert story.order.approved_hash == newest(story).hash_after
    answer(story, "ACCEPT", revision=1)
    assert newest(story).status is AmendmentStatus.APPLIED
    assert was != after_id


def another(story: Story) -> str:
    """Have a further revision of the part of the newest order, in draft; return its id."""
    order_id = story.order.id

    def make(act: Act) -> str:
        revision = act.session.get_one(PurchaseOrder, order_id).lines[0].part_revision
        assert revision is not None
        return make_revision(
            act, revision.part, "Y", status=RevisionStatus.DRAFT, origin="LOCKSTEP", released_at=None
        ).id

    return str(within(story, make))


def refused(story: Story, edits: Edits, **more: Any) -> Refused:
    """Return the refusal of an amendment; nothing has moved."""
    order, before = story.order, len(amendments(story))
    with pytest.raises(Refused) as caught:
        within(
            story,
            lambda act: amending.propose(act, act.session.get_one(PurchaseOrder, order.id), edits, reason="x", **more),
        )
    after = story.order
    assert (after.revision, after.approved_hash, after.lines[0].part_revision_id, len(amendments(story))) == (
        order.revision,
        order.approved_hash,
        order.lines[0].part_revision_id,
        before,
    )
    return caught.value


@acknowledged_order
def test_nothing_technical_changes_without_a_change_order(story: Story) -> None:
    acknowledged(story)
    refusal = refused(story, to_revision(another(story)))
    assert refusal.code == "UNCONTROLLED_CHANGE"
    for said in ("part revision of line 1 (lines.1.part_revision_id)", "class C4", "raise a change order"):
        assert said in refusal.message


@pytest.mark.parametrize("status", [S.DRAFT, S.REVIEW])
@acknowledged_order
def test_a_change_order_that_is_not_approved_covers_nothing_and_is_named(story: Story, status: S) -> None:
    acknowledged(story)
    change_id, after_id = change_order(story, status)
    number = story.read(lambda session: session.get_one(ChangeOrder, change_id).number)
    refusal = refused(story, to_revision(after_id))
    assert (refusal.code, number in refusal.message) == ("UNCONTROLLED_CHANGE", True)
    assert f"is {status}: amend the order once its board has approved it" in refusal.message
    within(story, lambda act: move(act, act.session.get_one(ChangeOrder, change_id), S.WITHDRAWN, reason="no need"))
    assert "raise a change order" in refused(story, to_revision(after_id)).message


@acknowledged_order
def test_a_change_order_covers_only_what_it_says_the_line_becomes(story: Story) -> None:
    acknowledged(story)
    change_id, _ = change_order(story)
    refusal = refused(story, to_revision(another(story)))
    assert "is APPROVED, but does not say that it becomes this" in refusal.message
    meant = story.read(lambda session: session.get_one(ChangeOrder, change_id))
    spec = refused(story, Edits(lines=[LineEdit(1, {"process_code": "HEAT_TREAT"})]), change_order=meant)
    assert "does not say that it becomes this" in spec.message


@acknowledged_order
def test_a_change_order_about_another_part_does_not_cover_the_line(story: Story) -> None:
    acknowledged(story)
    with story.as_(quinn).acting() as act:
        part = make_part(act, "P-900")
        before = make_revision(act, part, "B")
        after = make_revision(act, part, "C", status=RevisionStatus.DRAFT, origin="LOCKSTEP", released_at=None)
        order = change_orders.open_order(act, change_class=OrderClass.C4, title="Another part", reason="Cracks")
        change_orders.add_item(act, order, before, after)
        for status in (S.IMPACT, S.REVIEW, S.APPROVED):
            _advance(act, order, status)
        change_orders.apply(act, order)
        after_id = after.id
    assert refused(story, to_revision(after_id)).code == "UNCONTROLLED_CHANGE"


@acknowledged_order
def test_the_same_amendment_again_changes_nothing_and_is_refused(story: Story) -> None:
    acknowledged(story)
    _, after_id = change_order(story)
    amend(story, to_revision(after_id))
    assert refused(story, to_revision(after_id)).code == "AMENDMENT_OPEN"
    story.as_(lena).decide("decide_slot", "approve")
    answer(story, "ACCEPT", revision=1)
    refusal = refused(story, to_revision(after_id))
    assert isinstance(refusal, Invalid)
    assert "everything is as it was" in refusal.message


@acknowledged_order
def test_an_amendment_is_overtaken_when_its_change_order_is_withdrawn_before_the_last_signature(story: Story) -> None:
    acknowledged(story)
    change_id, after_id = change_order(story)
    before = story.order.lines[0].part_revision_id
    amend(story, to_revision(after_id))
    within(story, lambda act: move(act, act.session.get_one(ChangeOrder, change_id), S.WITHDRAWN, reason="no need"))
    story.as_(lena).decide("decide_slot", "approve")
    ended = newest(story)
    assert (ended.status, story.order.revision, story.order.lines[0].part_revision_id) == (
        AmendmentStatus.WITHDRAWN,
        0,
        before,
    )
    assert "is WITHDRAWN meanwhile" in str(ended.ended_reason)


@acknowledged_order
def test_a_refused_technical_amendment_goes_back_to_the_revision_before(story: Story) -> None:
    acknowledged(story)
    before = story.order.lines[0].part_revision_id
    change_id, after_id = change_order(story)
    amend(story, to_revision(after_id))
    story.as_(lena).decide("decide_slot", "approve")
    answer(story, "REJECT", note="No tool for it")
    reverting = newest(story)
    assert (reverting.kind.value, reverting.change_order_id, redline(reverting)) == (
        "REVERSAL",
        change_id,
        [("lines.1.part_revision_id", after_id, before)],
    )
    go_to(story, reverting)
    story.as_(bea).decide("decide_slot", "approve")
    assert (story.incidents, newest(story).ended_reason) == ([], None)
    answer(story, "ACCEPT", revision=2)
    assert (story.order.lines[0].part_revision_id, story.order.revision) == (before, 2)
    assert [one.status.value for one in amendments(story)] == ["REVERTED", "APPLIED"]
    assert story.incidents == []


@acknowledged_order
def test_what_a_change_order_says_of_an_order_line_opens_no_door_by_itself(story: Story) -> None:
    acknowledged(story)
    order_id = story.order.id
    with story.as_(quinn).acting() as act:
        line = act.session.get_one(PurchaseOrder, order_id).lines[0]
        order = change_orders.open_order(act, change_class=OrderClass.C4, title="Harder", reason="Wear")
        change_orders.add_edit(act, order, line, "spec", "AMS-2759")
        for status in (S.IMPACT, S.REVIEW, S.APPROVED):
            _advance(act, order, status)
        assert change_orders.apply(act, order) == []
        change_id, line_id = order.id, line.id

    def set_directly(act: Act) -> None:
        act.session.get_one(PurchaseOrder, order_id).lines[0].spec = "AMS-2759"
        act.session.flush()

    with pytest.raises(Refused, match="stay as it was approved"):
        within(story, set_directly)
    with pytest.raises(Exception, match="UNCONTROLLED_CHANGE"), story.installation.database.begin() as connection:
        connection.execute(text("UPDATE purchase_order_line SET spec = 'AMS-2759' WHERE id = :id"), {"id": line_id})
    amend(story, Edits(lines=[LineEdit(1, {"spec": "AMS-2759"})]))
    assert (newest(story).changes[0].change_class.value, newest(story).change_order_id) == ("C4", change_id)
    story.as_(lena).decide("decide_slot", "approve")
    answer(story, "ACCEPT", revision=1)
    assert (story.order.lines[0].spec, newest(story).status) == ("AMS-2759", AmendmentStatus.APPLIED)


@acknowledged_order
def test_goods_that_are_there_keep_their_revision_and_what_is_to_come_is_a_new_line(story: Story) -> None:
    from tests.makers import make_receipt

    acknowledged(story)
    _, after_id = change_order(story)
    with story.installation.acting("system:test") as act:
        make_receipt(act, act.session.get_one(PurchaseOrder, story.order.id).lines[0], quantity=D(40))
    assert "order no more of line 1 and append a line" in refused(story, to_revision(after_id)).message
    line = story.order.lines[0]
    edits = Edits(
        lines=[LineEdit(1, {"quantity": D(40)})],
        added=[
            {
                "part_revision_id": after_id,
                "quantity": D(60),
                "unit_price": D(40),
                "quality_clauses": line.quality_clauses,
            }
        ],
    )
    amend(story, edits)
    story.as_(lena).decide("decide_slot", "approve")
    assert story.incidents == []
    assert [(one.line_no, one.quantity, one.part_revision_id) for one in story.order.lines] == [
        (1, D(40), line.part_revision_id),
        (2, D(60), after_id),
    ]


def test_where_the_only_buyer_may_not_sign_the_next_in_line_is_asked_and_told_why(story: Story) -> None:
    acknowledged(story, quantity=10)
    _, after_id = change_order(story)
    amendment = amend(story, to_revision(after_id))
    assert (amendment.plan, story.incidents) == (ApprovalPlan.FULL, [])
    (task,) = story.tasks("decide_slot")
    assert task.candidates == ["role:PUR_LEAD", "role:BUYER"]
    assert "Purchasing lead signs instead of Buyer: Bea" in (task.rule_row or "")
    story.as_(lena).decide("decide_slot", "approve")
    assert (newest(story).status, story.incidents) == (AmendmentStatus.SENT, [])
