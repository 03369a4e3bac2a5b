"""Changes of a released work order's quantity: the planner's alone, or both sides' where something is bought for it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from engine.act import Act
from engine.errors import Conflict, Forbidden, Invalid, RuleViolation
from engine.ports import SignatureRequest
from processes.outside_links import link
from processes.work_order_quantity import MEANINGS, preview_quantity, propose_quantity, sign_change, withdraw_change
from records.amendment import AmendmentStatus, PurchaseOrderAmendment
from records.outside import OutsideLink
from records.work_order import WorkOrder
from records.work_order_change import WorkOrderChange, WorkOrderChangeStatus
from tests import makers
from tests.makers import D
from tests.outside import make_outside_order
from tests.people import PASSWORD, bea, quinn, rita
from tests.story import Story


def request(user: str, role: str) -> SignatureRequest:
    return SignatureRequest(meaning=MEANINGS[role], password=PASSWORD, user_id=user, accepts_responsibility=True)


def work(story: Story, *, linked: bool, quantity: int = 40) -> str:
    """Make a released work order of 40, its heat treatment linked to an order line of 40 if it is to be."""

    def arrange(act: Act) -> str:
        makers.make_cast(act)
        order = makers.make_work_order(act, quantity=D(quantity), number="WO-7001")
        if linked:
            line = make_outside_order(act, order, quantity=quantity)
            link(act, order.operations[2], line, quantity=D(quantity))
        return order.id

    with story.as_(rita).acting() as act:
        return arrange(act)


def propose(story: Story, order_id: str, quantity: int) -> WorkOrderChange:
    with story.as_(rita).acting() as act:
        return propose_quantity(
            act, act.session.get_one(WorkOrder, order_id), D(quantity), reason="The customer wants them"
        )


def sign(story: Story, change: WorkOrderChange, person: Any, role: str) -> None:
    with story.as_(person).acting() as act:
        sign_change(act, act.session.get_one(WorkOrderChange, change.id), role, request(person.id, role))


def quantities(story: Story, order_id: str) -> tuple[Decimal, Decimal | None]:
    def read(session: Any) -> tuple[Decimal, Decimal | None]:
        order = session.get_one(WorkOrder, order_id)
        return order.quantity, order.operations[0].quantity_in

    return story.read(read)


def test_the_planner_alone_changes_what_nothing_is_bought_for(story: Story) -> None:
    order_id = work(story, linked=False)
    change = propose(story, order_id, 44)
    assert (change.number, change.change_class, quantities(story, order_id)) == ("WO-7001/C1", "C1", (D(40), D(40)))
    sign(story, change, rita, "PLANNER")
    assert quantities(story, order_id) == (D(44), D(44))


def test_a_linked_quantity_needs_both_sides_and_amends_the_order(story: Story) -> None:
    order_id = work(story, linked=True)
    change = propose(story, order_id, 44)
    amendment = story.read(lambda session: session.scalars(select(PurchaseOrderAmendment)).one())
    assert (change.change_class, amendment.status) == ("C2", AmendmentStatus.PENDING)
    assert "WO-7001/C1" in amendment.reason
    sign(story, change, rita, "PLANNER")
    assert quantities(story, order_id) == (D(40), D(40))
    sign(story, change, bea, "BUYER")
    assert quantities(story, order_id) == (D(44), D(44))
    assert story.read(lambda session: session.scalars(select(OutsideLink.allocated_quantity)).one()) == D(44)
    assert story.read(lambda session: session.get_one(WorkOrderChange, change.id).status) == "APPLIED"


def test_one_person_does_not_sign_both_sides(story: Story) -> None:
    order_id = work(story, linked=True)
    with story.as_(rita).acting() as act:
        makers.make_grant(act, "bea", "PLANNER")
    change = propose(story, order_id, 44)
    sign(story, change, bea, "BUYER")
    with pytest.raises(Forbidden, match="two people"):
        sign(story, change, bea, "PLANNER")


def test_a_refused_change_takes_its_amendment_with_it(story: Story) -> None:
    order_id = work(story, linked=True)
    change = propose(story, order_id, 44)
    with story.as_(bea).acting() as act:
        withdraw_change(act, act.session.get_one(WorkOrderChange, change.id), reason="The supplier has no room")
    story.settle()
    assert (
        story.read(lambda session: session.get_one(WorkOrderChange, change.id).status) is WorkOrderChangeStatus.REJECTED
    )
    assert (
        story.read(lambda session: session.scalars(select(PurchaseOrderAmendment.status)).one())
        is AmendmentStatus.WITHDRAWN
    )
    with pytest.raises(Conflict):
        sign(story, change, rita, "PLANNER")


def test_a_change_waits_for_the_one_before(story: Story) -> None:
    order_id = work(story, linked=False)
    propose(story, order_id, 44)
    with pytest.raises(Conflict, match="WO-7001/C1 waits") as refusal:
        propose(story, order_id, 45)
    assert refusal.value.code == "CHANGE_OPEN"


def test_a_quantity_below_what_is_away_is_refused(story: Story) -> None:
    order_id = work(story, linked=True)
    with story.as_(rita).acting() as act:
        order = act.session.get_one(WorkOrder, order_id)
        away = act.session.scalars(select(OutsideLink)).one()
        with act.session.no_autoflush:
            away.shipped = away.at_supplier = D(24)
            with pytest.raises(RuleViolation, match="keep at least the 24") as refusal:
                preview_quantity(act.session, order, D(20))
            act.session.expire_all()
    assert refusal.value.code == "WO-QUANTITY"


@pytest.mark.parametrize(
    ("quantity", "why"), [("40", "another quantity"), ("0", "above 0"), ("-1", "above 0"), ("7", "at least 8")]
)
def test_a_quantity_that_changes_nothing_or_undoes_work_is_refused(story: Story, quantity: str, why: str) -> None:
    order_id = work(story, linked=False)
    with story.as_(rita).acting() as act:
        order = act.session.get_one(WorkOrder, order_id)
        order.operations[0].good = D(8)
        act.session.flush()
        with pytest.raises(Invalid) as refusal:
            preview_quantity(act.session, order, D(quantity))
    assert why in f"{refusal.value.message} {refusal.value.fields}"


def test_what_has_passed_the_first_operation_grows_no_more(story: Story) -> None:
    order_id = work(story, linked=False)
    with story.as_(rita).acting() as act:
        order = act.session.get_one(WorkOrder, order_id)
        order.operations[0].status = "COMPLETE"
        with pytest.raises(Conflict, match="Plan another work order"), act.session.no_autoflush:
            preview_quantity(act.session, order, D(44))
        act.session.expire_all()


def test_only_a_planner_proposes(story: Story) -> None:
    order_id = work(story, linked=False)
    with pytest.raises(Forbidden), story.as_(quinn).acting() as act:
        propose_quantity(act, act.session.get_one(WorkOrder, order_id), D(44), reason="More")
