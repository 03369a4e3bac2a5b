"""What is booked to work against what is billed for it (CON-17), and what a piece is worth without a standard."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from engine.act import Act, Installation
from engine.errors import Effect
from processes import work_orders
from processes.receiving import Delivery, book
from processes.work_order_cost import value_of_piece
from processes.work_orders import Event
from records.purchase_order import PurchaseOrderLine
from records.work_order import WorkOrder
from rules.finding import KeptFinding
from tests import makers
from tests.makers import D


@pytest.fixture
def plant(installation: Installation) -> Installation:
    """Receive 10 bars at 42.50 and release WO-7001, which takes them."""
    with installation.acting("system:arrange") as act:
        makers.make_cast(act)
        supplier = makers.make_supplier(act)
        makers.make_approval(act, supplier)
        bar = makers.make_revision(act, makers.make_part(act, "BAR", lot_control="LOT"))
        order = makers.make_order_to_receive(act, (bar, 10, "42.50"), supplier=supplier, po_no="PO-5001")
        makers.make_work_order(act, number="WO-7001", operations=makers.ROUTING[:2])
        line_id = order.lines[0].id
    with installation.acting("user:sam") as act:
        book(act, act.session.get_one(PurchaseOrderLine, line_id), Delivery(D(10), "gr-1", lot="H-1", heat="H-1"))
    return installation


def issue(act: Act) -> None:
    given = {"system": "MES", "event_id": "m-1", "kind": "MATERIAL", "item": "BAR", "lot": "H-1", "quantity": D(10)}
    work_orders.post_event(act, Event(work_order="WO-7001", **given))


def bill(act: Act, price: str) -> None:
    line = act.session.scalars(select(PurchaseOrderLine)).one()
    makers.make_invoice(act, (line, 10, price))


def told(act: Act) -> list[tuple[str, str, str | None, str | None]]:
    act.session.flush()
    kept = select(KeptFinding).where(KeptFinding.rule == "CON-17", KeptFinding.record_type == "work_order")
    return [(one.rule, one.effect, one.old_text, one.new_text) for one in act.session.scalars(kept)]


@pytest.mark.parametrize("material_first", [True, False])
def test_another_price_billed_for_material_of_work_is_told(plant: Installation, material_first: bool) -> None:
    with plant.acting("system:test") as act:
        for step in (issue, lambda act: bill(act, "45.00"))[:: 1 if material_first else -1]:
            step(act)
            act.session.flush()
    with plant.acting("system:test") as act:
        assert told(act) == [("CON-17", Effect.WARN, "42.5000", "45.0000")]


def test_the_agreed_price_is_not_told(plant: Installation) -> None:
    with plant.acting("system:test") as act:
        issue(act)
        bill(act, "42.50")
    with plant.acting("system:test") as act:
        assert told(act) == []


def test_a_piece_without_a_standard_is_worth_what_it_has_cost_up_to_the_operation(plant: Installation) -> None:
    with plant.acting("system:test") as act:
        issue(act)
        for op_no, hours in ((10, 2), (20, 1)):
            order = act.session.scalars(select(WorkOrder)).one()
            step = next(each for each in order.operations if each.op_no == op_no)
            labour = {"system": "MES", "event_id": f"l-{op_no}", "kind": "LABOUR", "op_no": op_no, "quantity": D(hours)}
            work_orders.post_event(act, Event(work_order="WO-7001", **labour))
            work_orders.complete_operation(act, step, good=step.open_quantity)
        assert value_of_piece(act.session, order, before=20) == D("59.5")
        assert value_of_piece(act.session, order) == D("68")
        order.standard_cost = None
        assert value_of_piece(act.session, order, before=10) == D("42.5")
