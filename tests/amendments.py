"""Amend orders in a story: the order to begin with, proposals, approvals and answers."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from engine.act import Act
from processes import amendment as amending
from processes.acknowledgement import acknowledge
from records.amendment import PurchaseOrderAmendment
from records.purchase_order import OrderStatus, PurchaseOrder
from rules.amending import Edits, LineEdit
from tests.people import bea, lena, rita
from tests.quotes import chosen
from tests.story import Story, plant_with

D = Decimal


def sent(story: Story, quantity: int = 100, price: str = "40.00", **fields: Any) -> PurchaseOrder:
    """Have an order that its supplier has and has not answered yet; it stays in the band of the purchasing lead."""
    story.as_(rita).start("requisition_to_po", lines=[("P-100", quantity, price)], **fields)
    if "decide_slot" in story.steps:
        story.as_(lena).decide("approve_requisition", "approve")
    if "request_quotes" in story.steps:
        chosen(story, str(story.requisition.lines[0].supplier_id), price=price)
    story.as_(bea).decide("complete_order", "submit")
    story.as_(bea).decide("issue_order", "issue")
    assert story.order.status is OrderStatus.TRANSMITTED, (story.steps, story.incidents)
    return story.order


def acknowledged(story: Story, quantity: int = 100, price: str = "40.00", **fields: Any) -> PurchaseOrder:
    """Have an order that its supplier acknowledged: the one that the plant begins with, or one made now."""
    is_plain = (quantity, price, fields) == (100, "40.00", {})
    if is_plain and not story.requisition_id and story.goes_on():
        return story.order
    sent(story, quantity, price, **fields)
    story.as_(bea).complete("record_acknowledgement", result="ACCEPT", reference="A-1")
    assert story.order.status is OrderStatus.ACKNOWLEDGED
    return story.order


acknowledged_order = pytest.mark.begins_with(plant_with("acknowledged", acknowledged))
"""The test begins with ``acknowledged(story)``, which its plant brings along."""


def amend(story: Story, edits: Edits, *, reason: str = "The plant needs it", **more: Any) -> PurchaseOrderAmendment:
    """Let bea propose an amendment of the newest order and start it; the story goes on in its instance."""
    order_id = story.order.id
    with story.as_(bea).acting() as act:
        order = act.session.get_one(PurchaseOrder, order_id)
        amendment = amending.propose(act, order, edits, reason=reason, **more)
        story.instance_id = amending.start(act, amendment).id
    story.settle()
    return newest(story)


def more(quantity: int, line_no: int = 1) -> Edits:
    """Return the wish for another quantity."""
    return Edits(lines=[LineEdit(line_no, {"quantity": D(quantity)})])


def newest(story: Story) -> PurchaseOrderAmendment:
    """Return the newest amendment with its changes."""
    return amendments(story)[-1]


def amendments(story: Story) -> list[PurchaseOrderAmendment]:
    """Return every amendment, oldest first."""

    def read(session: Any) -> list[PurchaseOrderAmendment]:
        found = list(session.scalars(select(PurchaseOrderAmendment).order_by(PurchaseOrderAmendment.amend_no)))
        for one in found:
            _ = one.changes, one.order, one.reverts
        return found

    return list(story.read(read))


def redline(amendment: PurchaseOrderAmendment) -> list[tuple[str, str | None, str | None]]:
    """Return path, old and new of each stored change."""
    return [(one.path, one.old_text, one.new_text) for one in amendment.changes]


def answer(story: Story, result: str, **more: Any) -> None:
    """Let the supplier answer the newest order."""
    order_id = story.order.id
    with story.installation.acting("adapter:portal") as act:
        acknowledge(act, act.session.get_one(PurchaseOrder, order_id), result=result, message_id=act.id, **more)
    story.settle()


def go_to(story: Story, amendment: PurchaseOrderAmendment) -> None:
    """Let the story go on in the instance of an amendment."""
    from engine.instances import instances_of

    story.instance_id = story.read(lambda session: instances_of(session, amendment.record_type, amendment.id)[0].id)


def within(story: Story, work: Callable[[Act], Any]) -> Any:
    """Do something in one act of bea."""
    with story.as_(bea).acting() as act:
        return work(act)
