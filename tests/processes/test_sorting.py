"""One delivery, some of it good: what is rejected becomes goods of its own, and nothing that was written is changed."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from engine.act import Installation
from engine.errors import Conflict, Forbidden, Invalid, RuleViolation
from engine.stored.instance import Instance
from processes import inspecting
from records.inspection import InspectionResult, inspections_of
from records.invoice import InvoiceStatus
from records.lot import Lot, LotStatus
from records.nonconformance import Disposition, Nonconformance
from records.part import LotControl
from records.purchase_order import LineStatus, OrderStatus
from records.receipt import Receipt, ReceiptStatus
from records.signature import Signature
from tests.goods import Dock
from tests.makers import D
from tests.people import quinn, sam
from tests.story import Story


@pytest.fixture
def dock(plant: Installation) -> Dock:
    return Dock(plant, is_inspection_required=True, match_level=4)


def written(receipt: Receipt) -> dict[str, Any]:
    kept = ("number", "quantity", "over_quantity", "packing_slip", "lot_label", "received_on", "received_by", "lot_id")
    return {name: getattr(receipt, name) for name in kept}


def test_the_good_part_is_accepted_and_the_rest_rejected_by_new_rows(dock: Dock) -> None:
    receipt = dock.book(40, lot="L-77", packing_slip="PS-1").receipts[0]
    before = written(receipt)
    done = dock.sort(receipt, 4)
    good, bad = dock.fresh(receipt), dock.fresh(done.bad)
    assert (written(good), good.status) == (before, ReceiptStatus.ACCEPTED)
    assert (bad.status, bad.quantity, bad.lot_label, bad.packing_slip) == (ReceiptStatus.REJECTED, D(4), "L-77", "PS-1")
    assert [one.quantity for one in dock.receipts] == [D(40), D(-4), D(4)]
    assert dock.figures == (D(40), D(36), D(0))
    with dock.house.reading() as session:
        lots = {lot.number: (lot.quantity_left, lot.status) for lot in session.scalars(select(Lot))}
        ncr = session.scalars(select(Nonconformance)).one()
        found = [inspections_of(session, each)[0] for each in (good, bad)]
        signers = {session.get_one(Signature, each.signature_id).signer_id for each in found if each.signature_id}
    assert lots == {"L-77": (D(36), LotStatus.AVAILABLE), "L-77-2": (D(4), LotStatus.REJECTED)}
    assert (ncr.about_id, ncr.quantity) == (bad.id, D(4))
    assert [(one.result, one.lot_size, one.rejects) for one in found] == [
        (InspectionResult.PASS, D(36), 0), (InspectionResult.FAIL, D(4), 4),
    ]  # fmt: skip
    assert (signers, len({one.signature_id for one in found})) == ({"quinn"}, 2)


def test_only_the_good_part_is_payable_and_the_rest_is_to_be_replaced(dock: Dock) -> None:
    receipt = dock.book(100).receipts[0]
    dock.sort(receipt, 10)
    invoice = dock.bill(100)
    assert (dock.fresh(invoice).status, dock.holds(invoice)) == (InvoiceStatus.HELD, ["QTY_ACC"])
    assert (dock.line.status, dock.order.status) == (LineStatus.PART_RCVD, OrderStatus.PARTIALLY_RECEIVED)
    bad = dock.receipts[-1]
    dock.act_as(
        quinn,
        lambda act, _: inspecting.dispose(
            act, act.session.get_one(Receipt, bad.id), Disposition.RETURN, reason="Back to them"
        ),
    )
    again = dock.book(10).receipts[0]
    dock.inspect(again)
    assert (dock.figures, dock.fresh(invoice).status) == ((D(100), D(100), D(100)), InvoiceStatus.MATCHED)


def test_the_rejected_serials_are_the_ones_that_are_barred(plant: Installation) -> None:
    dock = Dock(
        plant, quantity=4, is_inspection_required=True, part_fields={"lot_control": LotControl.SERIAL, "part_no": "P-9"}
    )
    receipt = dock.book(4, serials=("S-1", "S-2", "S-3", "S-4")).receipts[0]
    for wrong in ((), ("S-1",), ("S-1", "S-9")):
        with pytest.raises(Invalid, match="serials"):
            dock.sort(receipt, 2, serials=wrong)
    assert dock.figures == (D(4), D(0), D(0))
    dock.sort(receipt, 2, serials=("S-2", "S-4"))
    with dock.house.reading() as session:
        usable = sorted(lot.number for lot in session.scalars(select(Lot)) if lot.status is LotStatus.AVAILABLE)
        barred = sorted(lot.number for lot in session.scalars(select(Lot)) if lot.status is LotStatus.REJECTED)
    assert (usable, barred) == (["S-1", "S-3"], ["S-2-2", "S-4-2"])


@pytest.mark.parametrize(
    ("rejected", "findings"), [("0", "x"), ("-1", "x"), ("40", "x"), ("41", "x"), ("1.5", "x"), ("4", " ")]
)
def test_what_is_no_part_of_the_delivery_moves_nothing(dock: Dock, rejected: str, findings: str) -> None:
    receipt = dock.book(40).receipts[0]
    with pytest.raises(Invalid):
        dock.sort(receipt, D(rejected), findings=findings)
    assert (len(dock.receipts), dock.fresh(receipt).status) == (1, ReceiptStatus.INSPECTION)


def test_goods_are_sorted_once_and_by_an_inspector(dock: Dock, plant: Installation) -> None:
    receipt = dock.book(40).receipts[0]
    with pytest.raises(Forbidden):
        dock.sort(receipt, 4, by=sam)
    dock.sort(receipt, 4)
    with pytest.raises(Conflict):
        dock.sort(receipt, 4)
    unchecked = Dock(plant)
    with pytest.raises(Conflict):
        unchecked.sort(unchecked.book(5).receipts[0], 1)
    critical = Dock(plant, is_inspection_required=True, part_fields={"criticality": "KEY", "part_no": "P-KEY"})
    goods = critical.book(5, performer="quinn", by="adapter:erp", system="ERP").receipts[0]
    with pytest.raises(RuleViolation) as refusal:
        critical.sort(goods, 1)
    assert refusal.value.code == "SOD-4"
    assert len(critical.receipts) == 1


def test_a_part_of_what_was_a_little_too_much_stays_uncounted(dock: Dock) -> None:
    receipt = dock.book(102).receipts[0]
    dock.sort(receipt, 4)
    assert dock.figures == (D(100), D(96), D(0))


def test_the_task_of_the_flow_sorts_and_the_rest_goes_to_quality(story: Story) -> None:
    dock = Dock(story.installation, is_inspection_required=True, match_level=4)
    dock.book(40)
    watched = select(Instance.id).where(Instance.process_id == "order_to_close")
    story.instance_id = story.read(lambda session: session.scalars(watched).one())
    story.as_(quinn).decide("inspect_goods", "record", rejects=1, sorted_out=4, findings="Bore out of size")
    assert dock.figures == (D(40), D(36), D(0))
    assert (story.steps, story.incidents) == (["decide_nonconformance"], [])
    story.as_(quinn).decide("decide_nonconformance", "send_back", reason="Back to them")
    assert (dock.figures, story.steps) == ((D(36), D(36), D(0)), [])


def test_the_task_of_the_flow_asks_which_serials_are_rejected(story: Story) -> None:
    """What is missing or strange is asked again with the reason; the numbers alone say how many."""
    serial = {"lot_control": LotControl.SERIAL, "part_no": "P-9"}
    dock = Dock(story.installation, quantity=4, is_inspection_required=True, match_level=4, part_fields=serial)
    dock.book(4, serials=("S-1", "S-2", "S-3", "S-4"))
    watched = select(Instance.id).where(Instance.process_id == "order_to_close")
    story.instance_id = story.read(lambda session: session.scalars(watched).one())
    assert story.variables_of_task()["goods"]["serials"] == "S-1, S-2, S-3, S-4"
    for wrong in ({"sorted_out": 2}, {"sorted_out": 2, "sorted_serials": "S-1 S-9"}):
        story.as_(quinn).decide("inspect_goods", "record", rejects=2, findings="Burr", **wrong)
        assert ("serials" in story.variables_of_task()["refusal"], story.steps) == (True, ["inspect_goods"])
        assert dock.figures == (D(4), D(0), D(0))
    story.as_(quinn).decide(
        "inspect_goods", "record", rejects=2, findings="Burr", sorted_out=None, sorted_serials="S-2, S-4"
    )
    with dock.house.reading() as session:
        barred = sorted(lot.number for lot in session.scalars(select(Lot)) if lot.status is LotStatus.REJECTED)
    assert (barred, dock.figures) == (["S-2-2", "S-4-2"], (D(4), D(2), D(0)))
