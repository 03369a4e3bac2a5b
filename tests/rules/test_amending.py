"""What may change on an order that its supplier has: the class of each change, by field, status and size (domain.md 4c)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from engine.act import Installation
from engine.errors import Conflict, Invalid
from records.purchase_order import OrderStatus, PurchaseOrder
from rules.amending import Edits, LineEdit, asked_of, classify, refuse_status
from tests.makers import make_order

D = Decimal


def of_class(plant: Installation, status: str, edits: Edits, *, is_within: bool = True) -> list[str]:
    """Return the classes that edits of an order in a status need; nothing is written."""
    with plant.acting("system:test") as act:
        order_id = make_order(act).id
    with plant.reading() as session:
        order = session.get_one(PurchaseOrder, order_id)
        _ = order.lines, order.approved_hash
        with session.no_autoflush:
            order.__dict__["status"] = OrderStatus(status)
            asked = asked_of(order, edits)
            return [one.change_class.value for one in classify(session, order, asked, is_within=is_within)]


def line(**values: Any) -> Edits:
    """Return edits of line 1."""
    return Edits(lines=[LineEdit(1, values)])


@pytest.mark.parametrize(
    ("status", "edits", "is_within", "wanted"),
    [
        ("TRANSMITTED", line(quantity=D(11)), True, "C1"),
        ("TRANSMITTED", line(quantity=D(11)), False, "C2"),
        ("ACKNOWLEDGED", line(quantity=D(11)), True, "C2"),
        ("TRANSMITTED", line(unit_price=D("9.99")), True, "C1"),
        ("TRANSMITTED", line(unit_price=D("9.99")), False, "C2"),
        ("TRANSMITTED", line(description="Painted black"), True, "C1"),
        ("ACKNOWLEDGED", line(ship_to="Dock 2"), True, "C2"),
        ("TRANSMITTED", Edits({"payment_term": "Net 10"}), True, "C2"),
        ("TRANSMITTED", line(is_inspection_required=True), True, "C1"),
        ("TRANSMITTED", line(spec="PS-1"), True, "C4"),
        ("TRANSMITTED", line(uom="KGM"), True, "X"),
        ("TRANSMITTED", Edits(lines=[LineEdit(1, is_cancelled=True)]), True, "C2"),
        ("TRANSMITTED", line(line_no=7), True, "X"),
    ],
)
def test_each_change_has_the_class_of_its_field_status_and_size(
    plant: Installation, status: str, edits: Edits, is_within: bool, wanted: str
) -> None:
    assert of_class(plant, status, edits, is_within=is_within) == [wanted]


@pytest.mark.parametrize(
    ("edits", "field"),
    [
        (line(quantity="many"), "lines.1.quantity"),
        (line(colour="red"), "lines.1.colour"),
        (Edits(lines=[LineEdit(9, {"quantity": D(1)})]), "lines.9.line_no"),
        (Edits(added=[{"description": "x"}]), "lines.2.quantity"),
        (line(need_by="tomorrow"), "lines.1.need_by"),
    ],
)
def test_what_is_no_value_is_refused_by_its_field(plant: Installation, edits: Edits, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        of_class(plant, "TRANSMITTED", edits)
    assert field in refused.value.fields


@pytest.mark.parametrize("status", [one for one in OrderStatus if one != "ON_HOLD"])
def test_an_order_is_amended_from_its_sending_to_its_receipt(plant: Installation, status: OrderStatus) -> None:
    amendable = {"TRANSMITTED", "COUNTER_OFFER", "ACKNOWLEDGED", "PARTIALLY_RECEIVED", "RECEIVED"}
    order = PurchaseOrder(proposal_no="PF-1", approved_hash="f" * 64, status=status)
    if status in amendable:
        refuse_status(order)
    else:
        with pytest.raises(Conflict, match="Expected an order that its supplier has"):
            refuse_status(order)
