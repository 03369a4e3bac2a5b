"""An amendment that is sent back is its proposer's again: corrected and sent anew under its number, signed anew."""

from __future__ import annotations

import pytest
from sqlalchemy import select, text

from engine.errors import Conflict, Invalid, Refused
from processes import amendment as amending
from records.amendment import AmendmentReason, AmendmentStatus, PurchaseOrderAmendment
from records.approval import slots_of
from records.purchase_order import OrderStatus
from records.signature import SignatureStatus
from rules.amending import Edits
from rules.change_item import ChangeItem
from tests.amendments import (
    D,
    acknowledged,
    acknowledged_order,
    amend,
    amendments,
    answer,
    more,
    newest,
    redline,
    sent,
    within,
)
from tests.people import bea, carl, lena, max_, otto
from tests.story import Story


def returned(story: Story, quantity: int = 102) -> PurchaseOrderAmendment:
    """Have an amendment that the purchasing lead sent back."""
    acknowledged(story)
    amend(story, more(quantity))
    story.as_(lena).decide("decide_slot", "return", reason="Why not 101?")
    assert (story.incidents, story.steps) == ([], ["correct_amendment"])
    return newest(story)


def resubmit(story: Story, edits: Edits, reason: str = "The plant needs one less") -> PurchaseOrderAmendment:
    """Let bea correct the newest amendment and send it again."""
    amendment_id = newest(story).id
    within(
        story,
        lambda act: amending.resubmit(
            act, act.session.get_one(PurchaseOrderAmendment, amendment_id), edits, reason=reason,
            reason_code=AmendmentReason.DEMAND,
        ),
    )  # fmt: skip
    story.settle()
    assert story.incidents == []
    return newest(story)


@acknowledged_order
def test_a_returned_amendment_keeps_its_text_and_goes_on_under_its_number(story: Story) -> None:
    before = returned(story)
    assert (before.status, before.ended_reason) == (AmendmentStatus.DRAFT, "Sent back: Why not 101?")
    assert redline(before)[0] == ("lines.1.quantity", "100.000000", "102.000000")
    assert all(one.status is SignatureStatus.SUPERSEDED for one in story.signatures if one.record_id == before.id)
    [task] = story.tasks()
    assert task.title == f"Correct {before.number}: Why not 101?"
    after = resubmit(story, more(101))
    assert (after.id, after.number, after.status, after.ended_reason) == (
        before.id, before.number, AmendmentStatus.PENDING, None,
    )  # fmt: skip
    assert after.content_hash != before.content_hash
    assert (after.reason, after.reason_code) == ("The plant needs one less", AmendmentReason.DEMAND)
    assert redline(after) == [
        ("lines.1.quantity", "100.000000", "101.000000"), ("lines.1.amount", "4000.0000", "4040.0000"),
    ]  # fmt: skip
    story.as_(lena).decide("decide_slot", "approve")
    assert (story.order.revision, story.order.lines[0].quantity) == (1, D(101))
    answer(story, "ACCEPT")
    assert (newest(story).status, story.ended_at, len(amendments(story))) == (
        AmendmentStatus.APPLIED, "amendment_applied", 1,
    )  # fmt: skip


@acknowledged_order
def test_what_was_signed_before_the_return_opens_nothing_of_the_corrected_content(story: Story) -> None:
    before = returned(story)
    after = resubmit(story, more(101))
    items = story.read(lambda session: list(session.scalars(select(ChangeItem))))
    assert {one.change_hash for one in items if one.change_id == after.id} == {before.content_hash, after.content_hash}
    old, new = (
        story.read(
            lambda session, digest=digest: [
                one.is_signed for one in slots_of(session, after.record_type, after.id, digest)
            ]
        )
        for digest in (before.content_hash, after.content_hash)
    )
    assert (old, new) == ([False], [False])
    story.as_(lena).decide("decide_slot", "approve")
    assert {one.new_text for one in story.read(lambda session: list(session.scalars(select(ChangeItem)))) if one.applied_at} == {
        "101.000000", "1", after.hash_after,
    }  # fmt: skip


@acknowledged_order
def test_a_returned_amendment_sent_again_as_it_is_asks_its_approvers_again(story: Story) -> None:
    before = returned(story)
    story.as_(bea).decide("correct_amendment", "resubmit", reason="The customer asked for 102")
    after = newest(story)
    assert (after.status, after.content_hash, story.steps) == (
        AmendmentStatus.PENDING,
        before.content_hash,
        ["decide_slot"],
    )
    story.as_(lena).decide("decide_slot", "approve")
    assert (story.order.revision, story.order.lines[0].quantity, story.incidents) == (1, D(102), [])


@acknowledged_order
def test_a_returned_amendment_that_is_given_up_leaves_the_order_as_it_is(story: Story) -> None:
    returned(story)
    story.as_(bea).decide("correct_amendment", "give_up", reason="No longer needed")
    ended = newest(story)
    assert (ended.status, ended.ended_reason, story.ended_at) == (
        AmendmentStatus.WITHDRAWN, "Given up: No longer needed", "amendment_ended",
    )  # fmt: skip
    assert story.order.revision == 0


@acknowledged_order
def test_an_order_takes_no_other_amendment_while_one_is_being_corrected(story: Story) -> None:
    returned(story)
    with pytest.raises(Conflict, match="is DRAFT") as refused:
        amend(story, more(103))
    assert refused.value.code == "AMENDMENT_OPEN"


@acknowledged_order
def test_a_correction_that_does_not_fit_is_refused_and_nothing_is_lost(story: Story) -> None:
    before = returned(story)
    with pytest.raises(Invalid, match="everything is as it was"):
        resubmit(story, more(100))
    with pytest.raises(Invalid, match="Expected a reason"):
        resubmit(story, more(101), reason=" ")
    assert (redline(newest(story)), newest(story).status) == (redline(before), AmendmentStatus.DRAFT)
    assert story.steps == ["correct_amendment"]
    with pytest.raises(Refused), story.as_(otto).acting() as act:
        amending.resubmit(
            act,
            act.session.get_one(PurchaseOrderAmendment, before.id),
            more(101),
            reason="x",
            reason_code=AmendmentReason.DEMAND,
        )
    assert redline(newest(story)) == redline(before)


@acknowledged_order
@acknowledged_order
def test_only_what_was_sent_back_is_corrected(story: Story) -> None:
    acknowledged(story)
    amend(story, more(102))
    with pytest.raises(Conflict, match="sent back to correct, but it is PENDING"):
        resubmit(story, more(101))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE amendment_change SET new_text = '999.000000'",
        "DELETE FROM amendment_change",
        "UPDATE purchase_order_amendment SET reason = 'Another', content_hash = 'f'",
    ],
)
@acknowledged_order
def test_the_content_of_an_amendment_is_not_rewritten_once_it_is_with_its_approvers_again(
    story: Story, statement: str
) -> None:
    returned(story)
    resubmit(story, more(101))
    with (
        pytest.raises(Exception, match=r"UNCONTROLLED_CHANGE|ILLEGAL_TRANSITION|UNSIGNED|APPEND_ONLY|SIGNATURES"),
        story.installation.database.begin() as raw,
    ):
        raw.execute(text(statement))


def test_what_the_supplier_offered_is_not_corrected_but_decided_again(story: Story) -> None:
    sent(story)
    answer(story, "ACCEPT_WITH_CHANGE", lines=[{"line_no": 1, "code": "IP", "unit_price": "41"}])
    story.as_(bea).decide("decide_counter_offer", "accept_changes", reason="Fine")
    story.as_(lena).decide("decide_slot", "return", reason="Too dear")
    assert (newest(story).status, story.steps, story.order.status) == (
        AmendmentStatus.WITHDRAWN, ["decide_counter_offer"], OrderStatus.COUNTER_OFFER,
    )  # fmt: skip


def half_signed(story: Story) -> PurchaseOrderAmendment:
    """Have an amendment that the owner of the cost centre approved before the purchasing manager sent it back."""
    acknowledged(story)
    amend(story, more(1000), reason="The plant neads more brackets")
    assert sorted(roles(story)) == ["CC_OWNER", "PUR_MGR"]
    story.as_(carl).decide("decide_slot", "approve")
    story.as_(max_).decide("decide_slot", "return", reason="It says neads")
    return newest(story)


def roles(story: Story) -> list[str]:
    """Return the roles that are asked for the newest amendment as it reads now."""
    amendment = newest(story)
    return story.read(
        lambda session: [
            slot.role for slot in slots_of(session, amendment.record_type, amendment.id, amendment.content_hash)
        ]
    )


@acknowledged_order
def test_an_approval_stands_when_only_the_wording_was_mended_and_who_sent_it_back_is_asked(story: Story) -> None:
    before = half_signed(story)
    within(
        story,
        lambda act: amending.resubmit(
            act, act.session.get_one(PurchaseOrderAmendment, before.id), more(1000), reason="The plant needs more brackets.",
            reason_code=before.reason_code,
        ),
    )  # fmt: skip
    story.settle()
    after = newest(story)
    assert after.content_hash != before.content_hash
    assert (roles(story), story.steps, story.incidents) == (["PUR_MGR"], ["decide_slot"], [])
    assert f"Kept: {carl.name}" in after.impact
    story.as_(max_).decide("decide_slot", "approve")
    assert (newest(story).status, story.order.lines[0].quantity) == (AmendmentStatus.SENT, D(1000))
    assert story.incidents == []


@acknowledged_order
@pytest.mark.parametrize(
    ("quantity", "reason"),
    [(1001, "The plant needs more brackets"), (1000, "The plant needs fewer brackets"), (1000, "The plant needs 20 more brackets")],
)  # fmt: skip
def test_every_approval_is_asked_again_when_more_than_the_wording_changed(
    story: Story, quantity: int, reason: str
) -> None:
    before = half_signed(story)
    within(
        story,
        lambda act: amending.resubmit(
            act, act.session.get_one(PurchaseOrderAmendment, before.id), more(quantity), reason=reason,
            reason_code=before.reason_code,
        ),
    )  # fmt: skip
    story.settle()
    assert (sorted(roles(story)), story.steps) == (["CC_OWNER", "PUR_MGR"], ["decide_slot", "decide_slot"])
    assert "Stands" not in newest(story).impact
