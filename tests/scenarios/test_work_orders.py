"""Work orders as a demanding expert would try them: D36 (cost), W23 (once), 1.08 to 1.15."""

from __future__ import annotations

from typing import Any

import pytest

from engine.act import Act, Installation
from engine.errors import RuleViolation
from processes import work_orders
from processes.work_orders import Event
from records.lot import Lot, LotSource
from records.work_order import WorkOrder
from tests import makers
from tests.makers import D

STANDARD = (
    {"kind": "MATERIAL", "item": "HEAT-BAR", "quantity": D(10), "uom": "EA", "unit_cost": D("40.00")},
    {"kind": "LABOUR", "item": "MILL", "quantity": D(2), "uom": "HUR", "unit_cost": D("80.00")},
    {"kind": "OUTSIDE", "item": "HEAT_TREAT", "quantity": D(10), "uom": "EA", "unit_cost": D("18.00")},
)


def heat_7781(act: Act) -> Lot:
    """Make the heat that was received on line 1 of an order: 10 pieces at 42.50."""
    revision = makers.make_revision(act, makers.make_part(act, "HEAT-BAR"), "A")
    order = makers.make_order_to_receive(act, (revision, 10, "42.50"))
    receipt = makers.make_receipt(act, order.lines[0], quantity=D(10))
    source = {"source": LotSource.RECEIPT, "source_type": "receipt", "source_id": receipt.id, "source_note": ""}
    return makers.make_stock(act, "HEAT-7781", revision, quantity=D(10), quantity_left=D(10), **source)


def wo_7001(act: Act) -> WorkOrder:
    heat_7781(act)
    return makers.make_work_order(act, number="WO-7001", standards=STANDARD, standard_cost=D("740.00"))


def say(act: Act, order: WorkOrder, kind: str, event_id: str, **values: Any) -> work_orders.Posted:
    return work_orders.post_event(
        act, Event(**{"system": "MES", "event_id": event_id, "kind": kind, "work_order": order.native_id} | values)
    )


def test_d36_the_cost_of_wo_7001_is_775_and_its_causes_add_up_to_35(installation: Installation) -> None:
    with installation.acting("adapter:mes") as act:
        order = wo_7001(act)
        line = makers.make_order(act, (makers.make_revision(act), 10, "18.00")).lines[0]
        say(act, order, "MATERIAL", "m-1", item="HEAT-BAR", quantity=D(10), lot="HEAT-7781")
        say(act, order, "LABOUR", "l-1", op_no=10, quantity=D("1.25"))
        say(act, order, "LABOUR", "l-2", op_no=10, quantity=D(45), uom="MIN")
        say(act, order, "OUTSIDE", "o-1", op_no=30, quantity=D(10), order_line_id=line.id, system="LOCKSTEP")
        cost = work_orders.cost_of(act.session, order)
        assert (cost.material, cost.labour, cost.outside, cost.total) == (D(425), D(170), D(180), D(775))
        assert (cost.standard, cost.variance, cost.percent) == (D(740), D(35), D("4.73"))
        assert {name: value for name, value in cost.causes.items() if value} == {"price": D(25), "rate": D(10)}
        assert sum(cost.causes.values()) == D(35)


def test_d36_an_issue_without_its_lot_is_a_gap_that_keeps_the_order_open(installation: Installation) -> None:
    with installation.acting("adapter:mes") as act:
        heat_7781(act)
        order = makers.make_work_order(act, operations=makers.ROUTING[:1])
        say(act, order, "MATERIAL", "m-1", item="HEAT-BAR", quantity=D(9), lot="HEAT-7781")
        say(act, order, "MATERIAL", "m-2", item="HEAT-BAR", quantity=D(1), unit_cost=D("42.50"))
        say(act, order, "OPERATION_COMPLETED", "c-1", op_no=10, good=D(10))
        work_orders.complete(act, order)
    with pytest.raises(RuleViolation) as refusal, installation.acting("user:rita") as act:
        work_orders.close(act, act.session.get_one(WorkOrder, order.id))
    assert (refusal.value.code, refusal.value.findings[0].new) == ("GENEALOGY_GAP", "1")
    with installation.acting("adapter:mes") as act:
        order = act.session.get_one(WorkOrder, order.id)
        say(act, order, "MATERIAL", "m-3", reverses="m-2", reason="Lot was not scanned")
        say(act, order, "MATERIAL", "m-4", item="HEAT-BAR", quantity=D(1), lot="HEAT-7781")
        assert work_orders.close(act, order).status == "CLOSED"


def test_w23_a_message_that_arrives_twice_is_answered_and_moves_nothing(installation: Installation) -> None:
    with installation.acting("adapter:mes") as act:
        order = makers.make_work_order(act)
    answers = []
    for _ in range(2):
        with installation.acting("adapter:mes") as act:
            answers.append(say(act, order, "OPERATION_COMPLETED", "op-1", op_no=10, good=D(8), scrap=D(2)).answer)
    assert answers == ["recorded", "already handled"]
    with installation.reading() as session:
        read = session.get_one(WorkOrder, order.id)
        assert [(each.good, each.scrap, each.quantity_in) for each in read.operations[:2]] == [
            (D(8), D(2), D(10)), (D(0), D(0), D(8)),
        ]  # fmt: skip
