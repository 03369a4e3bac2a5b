"""D36: HEAT-7781 from PO-5001 line 1 through WO-7001 into serials, both ways; one issue without a lot keeps the order open."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from engine.act import Act, Installation
from engine.errors import Conflict, RuleViolation
from processes import work_orders
from processes.genealogy import Source, make_lot
from processes.genealogy_gaps import gaps_of
from processes.genealogy_holds import hold_lot
from processes.genealogy_reports import provenance
from processes.genealogy_trace import Direction, trace
from processes.receiving import Delivery, book
from processes.work_orders import Event
from records.actual import Actual
from records.lot import Lot, LotSource, LotStatus
from records.work_order import WorkOrder, WorkOrderStatus
from tests import makers
from tests.makers import D

BAR = "HEAT-BAR"


def say(act: Act, event_id: str, **values: Any) -> work_orders.Posted:
    given = {"system": "MES", "event_id": event_id, "kind": "MATERIAL", "work_order": "WO-7001", "item": BAR} | values
    return work_orders.post_event(act, Event(**given))


@pytest.fixture
def plant(installation: Installation) -> Installation:
    """Receive 10 bars at 42.50 on PO-5001 line 1 and open WO-7001 for 10 pieces of one operation."""
    with installation.acting("system:arrange") as act:
        makers.make_cast(act)
        part = makers.make_part(act, BAR, lot_control="LOT")
        supplier = makers.make_supplier(act)
        makers.make_approval(act, supplier)
        order = makers.make_order_to_receive(
            act, (makers.make_revision(act, part), 10, "42.50"), supplier=supplier, po_no="PO-5001"
        )
        makers.make_work_order(act, number="WO-7001", operations=makers.ROUTING[:1])
    with installation.acting("user:sam") as act:
        line = act.session.get_one(type(order.lines[0]), order.lines[0].id)
        book(act, line, Delivery(D(10), "gr-1", lot="HEAT-7781", heat="HEAT-7781"))
    return installation


def heat(act: Act) -> Lot:
    return act.session.scalars(select(Lot).where(Lot.number == "HEAT-7781")).one()


def wo(act: Act) -> WorkOrder:
    return act.session.scalars(select(WorkOrder).where(WorkOrder.number == "WO-7001")).one()


def test_d36_a_heat_is_traced_into_its_serials_and_back_to_its_order_line(plant: Installation) -> None:
    with plant.acting("adapter:mes") as act:
        assert [say(act, "m-1", quantity=D(10), lot="HEAT-7781").answer for _ in range(2)] == [
            "recorded",
            "already handled",
        ]
        assert (heat(act).quantity_left, heat(act).status) == (D(0), LotStatus.CONSUMED)
        material = act.session.scalars(select(Actual)).one()
        assert (material.amount, material.lot_id) == (D("425.00"), heat(act).id)
        revision, source = makers.make_revision(act), Source(LotSource.WORK_ORDER, ("work_order", wo(act).id))
        serials = [
            make_lot(
                act, revision, D(1), number=f"{turn:04d}", source=source, is_serial=True, status=LotStatus.AVAILABLE
            )
            for turn in range(1, 11)
        ]
        forward = trace(act.session, heat(act), Direction.FORWARD)
        assert [lot.number for lot in forward.lots] == [serial.number for serial in serials]
        (row,) = provenance(act.session, serials[6])
        assert (row.lot.number, row.receipt and row.receipt.order_line.number) == ("HEAT-7781", "PO-5001/1")
        assert row.was_approved
        say(act, "c-1", kind="OPERATION_COMPLETED", item=None, op_no=10, good=D(10))
        work_orders.complete(act, wo(act))
        assert work_orders.close(act, wo(act)).status is WorkOrderStatus.CLOSED


def test_d36_one_piece_without_a_lot_is_one_gap_and_the_order_stays_open_until_it_is_named(plant: Installation) -> None:
    with plant.acting("adapter:mes") as act:
        say(act, "m-1", quantity=D(9), lot="HEAT-7781")
        say(act, "m-2", quantity=D(1), unit_cost=D("42.50"))
        say(act, "c-1", kind="OPERATION_COMPLETED", item=None, op_no=10, good=D(10))
        work_orders.complete(act, wo(act))
        assert len(gaps_of(act.session, wo(act).id)) == 1
    with pytest.raises(RuleViolation) as refused, plant.acting("user:rita") as act:
        work_orders.close(act, wo(act))
    assert refused.value.code == "GENEALOGY_GAP"
    with plant.acting("adapter:mes") as act:
        say(act, "m-3", reverses="m-2", reason="Lot was not scanned")
        say(act, "m-4", quantity=D(1), lot="HEAT-7781")
        assert gaps_of(act.session, wo(act).id) == []
        assert work_orders.close(act, wo(act)).status is WorkOrderStatus.CLOSED


def test_a_lot_number_that_nobody_knows_is_a_gap_too(plant: Installation) -> None:
    with plant.acting("adapter:mes") as act:
        say(act, "m-1", quantity=D(10), lot="HEAT-0000", unit_cost=D("42.50"))
        say(act, "c-1", kind="OPERATION_COMPLETED", item=None, op_no=10, good=D(10))
        work_orders.complete(act, wo(act))
    with pytest.raises(RuleViolation) as refused, plant.acting("user:rita") as act:
        work_orders.close(act, wo(act))
    assert (refused.value.code, len(refused.value.findings)) == ("GENEALOGY_GAP", 1)


def test_a_held_heat_and_more_than_came_are_refused_and_a_reversal_puts_them_back(plant: Installation) -> None:
    with plant.acting("adapter:mes") as act:
        with pytest.raises(Conflict, match="at most 10 EA"), act.attempt():
            say(act, "m-1", quantity=D(11), lot="HEAT-7781")
        say(act, "m-2", quantity=D(4), lot="HEAT-7781")
        say(act, "m-3", reverses="m-2", reason="Wrong bin")
        assert heat(act).quantity_left == D(10)
    with plant.acting("user:quinn") as act:
        hold_lot(act, heat(act), reason="Hardness in doubt")
    with pytest.raises(RuleViolation) as refused, plant.acting("adapter:mes") as act:
        say(act, "m-4", quantity=D(1), lot="HEAT-7781")
    assert refused.value.code == "CON-16"
