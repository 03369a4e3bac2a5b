"""Goods at the dock: partial, too much, too little, of another revision, twice, and taken back."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import select

from engine.act import Act, Installation
from engine.errors import Conflict, Forbidden, Invalid, RuleViolation
from processes import inspecting, receiving
from records.external import Severity
from records.lot import Lot, LotStatus
from records.nonconformance import Disposition, Nonconformance
from records.purchase_order import LineStatus, OrderStatus, PurchaseOrderLine
from records.receipt import OverDecision, Quarantine, Receipt, ReceiptStatus
from records.supplier import SupplierStatus
from tests import makers
from tests.goods import Dock, signed
from tests.makers import D
from tests.people import ana, bea, ella, quinn, sam


def test_a_partial_delivery_leaves_the_rest_open(plant: Installation) -> None:
    dock = Dock(plant)
    receipt = dock.book(40, packing_slip="PS-1", lot="L-77", heat="HEAT-7781").receipts[0]
    assert (dock.figures, dock.order.status, dock.line.status) == (
        (D(40), D(40), D(0)), OrderStatus.PARTIALLY_RECEIVED, LineStatus.PART_RCVD,
    )  # fmt: skip
    assert (receipt.number, dock.fresh(receipt).status, dock.line.open_quantity) == (
        "RCV-000001",
        ReceiptStatus.ACCEPTED,
        D(60),
    )
    with plant.reading() as session:
        lot = session.scalars(select(Lot)).one()
        assert (lot.number, lot.heat, lot.quantity, lot.status, lot.source_id) == (
            "L-77", "HEAT-7781", D(40), LotStatus.AVAILABLE, receipt.id,
        )  # fmt: skip


def test_the_last_delivery_completes_line_and_order(plant: Installation) -> None:
    dock = Dock(plant)
    dock.book(40)
    dock.book(60)
    assert (dock.line.status, dock.order.status) == (LineStatus.RCVD, OrderStatus.RECEIVED)


def test_the_same_event_twice_is_one_receipt(plant: Installation) -> None:
    dock = Dock(plant)
    first = dock.book(40, event_id="gr-1", system="ERP", by="adapter:erp")
    second = dock.book(40, event_id="gr-1", system="ERP", by="adapter:erp")
    assert (second.is_repeat, [one.id for one in second.receipts]) == (True, [one.id for one in first.receipts])
    assert dock.figures == (D(40), D(40), D(0))
    with pytest.raises(Conflict) as refusal:
        dock.book(41, event_id="gr-1", system="ERP", by="adapter:erp")
    assert refusal.value.code == "EVENT_REUSED"


@pytest.mark.parametrize("distinct", [True, False])
def test_receipts_on_one_line_at_once_follow_one_another(plant: Installation, distinct: bool) -> None:
    """Ten deliveries of different events count ten times; ten of one event count once."""
    dock = Dock(plant)
    barrier, outcomes = threading.Barrier(4), []

    def deliver(number: int) -> None:
        barrier.wait()
        try:
            booking = dock.book(10, event_id=f"gr-{number}" if distinct else "gr", system="ERP", by="adapter:erp")
            outcomes.append("again" if booking.is_repeat else "new")
        except Conflict as refusal:
            outcomes.append(refusal.code)

    threads = [threading.Thread(target=deliver, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == (["new"] * 4 if distinct else ["again"] * 3 + ["new"])
    assert dock.figures[0] == (D(40) if distinct else D(10))
    assert len(dock.receipts) == (4 if distinct else 1)


@pytest.mark.parametrize("quantity", ["0", "-5", "1.5"])
def test_nothing_negative_or_half_comes_in(plant: Installation, quantity: str) -> None:
    dock = Dock(plant)
    with pytest.raises(Invalid) as refusal:
        dock.book(D(quantity))
    assert "quantity" in refusal.value.fields
    assert dock.receipts == []


def test_a_unit_without_a_conversion_is_refused(plant: Installation) -> None:
    dock = Dock(plant)
    with pytest.raises(RuleViolation) as refusal:
        dock.book(12, uom="KGM")
    assert (refusal.value.code, dock.receipts) == ("CON-12", [])


def test_a_stock_unit_is_converted(plant: Installation) -> None:
    dock = Dock(plant, quantity=10, uom="SET", conversion_factor=D(4))
    receipt = dock.book(20, uom="EA").receipts[0]
    assert (receipt.quantity, receipt.uom, receipt.stated_quantity, receipt.stated_uom) == (D(5), "SET", D(20), "EA")


def test_the_buyer_does_not_receive_on_his_own_order(plant: Installation) -> None:
    dock = Dock(plant)
    with plant.acting("system:arrange") as act:
        makers.make_grant(act, "bea", "RECEIVING")
    with pytest.raises(RuleViolation) as refusal:
        dock.book(5, by=bea)
    assert (refusal.value.code, refusal.value.http_status, dock.receipts) == ("SOD-3", 403, [])
    with pytest.raises(RuleViolation):
        dock.book(5, by="adapter:erp", system="ERP", performer="bea")


def test_only_receiving_books_goods_in(plant: Installation) -> None:
    with pytest.raises(Forbidden):
        Dock(plant).book(5, by=ana)


@pytest.mark.parametrize("status", ["CLOSED", "CANCELLED", "APPROVED_NOT_TRANSMITTED"])
def test_an_order_that_is_not_open_takes_no_goods(plant: Installation, status: str) -> None:
    dock = Dock(plant, order_fields={"status": status})
    with pytest.raises(Conflict) as refusal:
        dock.book(5)
    assert refusal.value.code == "ORDER_NOT_OPEN"


def test_goods_of_an_order_being_cancelled_are_kept_apart(plant: Installation) -> None:
    dock = Dock(plant, order_fields={"status": "CANCEL_PENDING"})
    receipt = dock.book(40).receipts[0]
    assert (receipt.status, receipt.quarantine) == (ReceiptStatus.QUARANTINE, Quarantine.CANCELLATION)
    assert "CON-08" in receipt.quarantine_reason
    assert dock.figures == (D(40), D(0), D(0))


def test_goods_before_the_acknowledgement_are_kept_apart_with_a_nonconformance(plant: Installation) -> None:
    dock = Dock(plant, order_fields={"status": "TRANSMITTED"})
    receipt = dock.book(40).receipts[0]
    assert (receipt.quarantine, receipt.nonconformance_id is not None) == (Quarantine.NOT_ACKNOWLEDGED, True)
    with pytest.raises(Conflict, match="acknowledged"):
        dock.act_as(
            quinn, lambda act, _: inspecting.clear(act, act.session.get_one(Receipt, receipt.id), reason="here")
        )


def test_another_revision_on_the_label_is_a_nonconformance_and_can_be_read_again(plant: Installation) -> None:
    dock = Dock(plant)
    receipt = dock.book(40, revision_on_label="C").receipts[0]
    assert receipt.quarantine is Quarantine.IDENTITY
    with plant.reading() as session:
        assert session.scalars(select(Nonconformance)).one().title == "Revision C delivered instead of B"
    dock.act_as(
        quinn,
        lambda act, _: inspecting.clear(act, act.session.get_one(Receipt, receipt.id), reason="Label read wrongly"),
    )
    assert dock.figures == (D(40), D(40), D(0))
    with plant.reading() as session:
        assert session.scalars(select(Nonconformance)).one().status == "CANCELLED"


def test_a_suspended_supplier_and_a_drifted_order_keep_goods_apart(plant: Installation) -> None:
    suspended, drifted = Dock(plant), Dock(plant)

    def disturb(act: Act, line: PurchaseOrderLine) -> None:
        makers.make_discrepancy(act, line.order, severity=Severity.CRITICAL, field="lines.1.part_revision")

    drifted.act_as("system:arrange", disturb)
    suspended.act_as(
        "system:arrange", lambda act, line: setattr(line.order.supplier, "status", SupplierStatus.SUSPENDED)
    )
    assert suspended.book(5).receipts[0].quarantine is Quarantine.SUPPLIER
    found = drifted.book(5).receipts[0]
    assert (found.quarantine, found.quarantine_reason[:6]) == (Quarantine.DRIFT, "CON-18")


def test_another_system_does_not_book_the_same_slip_again(plant: Installation) -> None:
    dock = Dock(plant)
    dock.book(40, packing_slip="PS-9", system="ERP", by="adapter:erp")
    with pytest.raises(Conflict) as refusal:
        dock.book(40, packing_slip="PS-9", system="WMS", by="adapter:wms")
    assert (refusal.value.code, dock.figures[0]) == ("DUPLICATE_RECEIPT", D(40))


def test_a_little_too_much_is_taken_uncounted_and_unpaid(plant: Installation) -> None:
    dock = Dock(plant)
    booking = dock.book(102)
    assert [(one.quantity, one.over_quantity) for one in booking.receipts] == [(D(102), D(2))]
    assert (dock.figures, dock.line.status) == ((D(100), D(100), D(0)), LineStatus.RCVD)
    assert dock.holds(dock.bill(102)) == []
    assert dock.figures[2] == D(100)


def test_more_than_tolerance_goes_into_over_receipt_quarantine(plant: Installation) -> None:
    dock = Dock(plant)
    booking = dock.book(103)
    assert [(one.quantity, one.over_quantity, one.quarantine) for one in booking.receipts] == [
        (D(100), D(0), None), (D(3), D(3), Quarantine.OVER),
    ]  # fmt: skip
    assert dock.figures[0] == D(100)


def test_a_second_little_too_much_adds_up(plant: Installation) -> None:
    dock = Dock(plant)
    dock.book(102)
    booking = dock.book(1)
    assert [(one.quantity, one.quarantine) for one in booking.receipts] == [(D(1), Quarantine.OVER)]


def back(dock: Dock, receipt: Receipt, quantity: Any, event: str) -> Receipt:
    return dock.act_as(sam, lambda act, _: receiving.reverse(
        act, act.session.get_one(Receipt, receipt.id), quantity, reason="Counted wrongly", event_id=event
    ))  # fmt: skip


def decide(dock: Dock, receipt: Receipt, decision: OverDecision, by: Any = sam) -> Receipt:
    return dock.act_as(
        by,
        lambda act, _: inspecting.decide_excess(
            act, act.session.get_one(Receipt, receipt.id), decision, reason="Agreed"
        ),
    )


def test_an_excess_goes_back(plant: Installation) -> None:
    dock = Dock(plant)
    excess = dock.book(110).receipts[1]
    assert decide(dock, excess, OverDecision.RETURN).status is ReceiptStatus.RETURNED
    assert [one.quantity for one in dock.receipts] == [D(100), D(10), D(-10)]
    assert dock.figures == (D(100), D(100), D(0))
    with plant.reading() as session:
        assert sum(lot.quantity_left for lot in session.scalars(select(Lot))) == D(100)


def test_an_excess_is_accepted_free_and_never_paid(plant: Installation) -> None:
    dock = Dock(plant)
    excess = dock.book(110).receipts[1]
    assert decide(dock, excess, OverDecision.FREE, by=bea).status is ReceiptStatus.ACCEPTED
    assert dock.figures == (D(100), D(100), D(0))
    assert dock.holds(dock.bill(110)) == ["QTY_ORD"]


def test_an_excess_is_counted_only_after_the_order_was_raised(plant: Installation) -> None:
    dock = Dock(plant, quantity=100)
    excess = dock.book(110).receipts[1]
    with pytest.raises(Conflict) as refusal:
        decide(dock, excess, OverDecision.AMEND, by=bea)
    assert refusal.value.code == "NO_ROOM"
    assert dock.fresh(excess).status is ReceiptStatus.QUARANTINE
    back(dock, dock.receipts[0], D(10), "recount")
    assert decide(dock, excess, OverDecision.AMEND, by=bea).status is ReceiptStatus.RETURNED
    assert dock.figures == (D(100), D(100), D(0))


def test_a_receipt_is_corrected_by_a_negative_one_and_never_edited(plant: Installation) -> None:
    dock = Dock(plant)
    receipt = dock.book(100, lot="L-1").receipts[0]
    assert dock.order.status is OrderStatus.RECEIVED

    made = back(dock, receipt, D(30), "undo-1")
    assert (made.quantity, made.status, made.reverses_id) == (D(-30), ReceiptStatus.REVERSAL, receipt.id)
    assert back(dock, receipt, D(30), "undo-1").id == made.id
    assert (dock.figures, dock.order.status, dock.line.status) == (
        (D(70), D(70), D(0)), OrderStatus.PARTIALLY_RECEIVED, LineStatus.PART_RCVD,
    )  # fmt: skip
    with pytest.raises(Conflict) as refusal:
        back(dock, receipt, D(71), "undo-2")
    assert refusal.value.code == "REVERSED"
    with pytest.raises(RuleViolation), plant.acting("system:x") as act:
        act.session.get_one(Receipt, receipt.id).quantity = D(70)
    with plant.reading() as session:
        assert session.scalars(select(Lot)).one().quantity_left == D(70)


def test_a_failed_lot_is_rejected_and_its_replacement_demanded(plant: Installation) -> None:
    """D26: 40 received, n = 8, c = 0, one reject."""
    dock = Dock(plant, quantity=40, is_inspection_required=True, match_level=4)
    receipt = dock.book(40, lot="L-40").receipts[0]
    assert receipt.status is ReceiptStatus.INSPECTION
    inspection = dock.inspect(receipt, 1)
    assert (inspection.sample_size, inspection.accept_number, inspection.result) == (8, 0, "FAIL")
    assert (dock.fresh(receipt).status, dock.figures) == (ReceiptStatus.REJECTED, (D(40), D(0), D(0)))
    with plant.reading() as session:
        assert session.scalars(select(Lot)).one().status is LotStatus.REJECTED
        ncr = session.scalars(select(Nonconformance)).one()
        assert (ncr.number, ncr.quantity, ncr.about_id) == ("NCR-000001", D(40), receipt.id)
    assert dock.holds(dock.bill(40)) == ["QTY_ACC"]
    assert (dock.line.status, dock.order.status) == (LineStatus.PART_RCVD, OrderStatus.PARTIALLY_RECEIVED)
    dock.act_as(quinn, lambda act, _: inspecting.dispose(
        act, act.session.get_one(Receipt, receipt.id), Disposition.RETURN, reason="Bore out of size"
    ))  # fmt: skip
    assert (dock.figures, dock.line.open_quantity) == ((D(0), D(0), D(0)), D(40))
    again = dock.book(40, lot="L-41").receipts[0]
    dock.inspect(again)
    assert dock.figures[:2] == (D(40), D(40))


def test_nonconforming_goods_are_used_only_with_engineerings_signature(plant: Installation) -> None:
    dock = Dock(plant, quantity=40, is_inspection_required=True, match_level=4)
    receipt = dock.book(40, lot="L-40").receipts[0]
    dock.inspect(receipt, 1)

    def use(act: Act, _: PurchaseOrderLine, member: Any) -> Receipt:
        return inspecting.dispose(
            act, act.session.get_one(Receipt, receipt.id), Disposition.USE_AS_IS, reason="Fits the mating part",
            request=signed(member, "APPROVED"),
        )  # fmt: skip

    with pytest.raises(Forbidden):
        dock.act_as(quinn, lambda act, line: use(act, line, quinn))
    dock.act_as(ella, lambda act, line: use(act, line, ella))
    assert dock.figures == (D(40), D(40), D(0))
    with plant.reading() as session:
        assert [(lot.number, lot.status, lot.quantity_left) for lot in session.scalars(select(Lot).order_by(Lot.number))] == [
            ("L-40", LotStatus.REJECTED, D(0)), ("L-40-2", LotStatus.AVAILABLE, D(40)),
        ]  # fmt: skip


def test_who_received_critical_parts_does_not_inspect_them(plant: Installation) -> None:
    with plant.acting("system:arrange") as act:
        makers.make_grant(act, "quinn", "RECEIVING")
    dock = Dock(plant, quantity=40, is_inspection_required=True, part_fields={"criticality": "KEY"})
    receipt = dock.book(40, by=quinn).receipts[0]
    with pytest.raises(RuleViolation) as refusal:
        dock.inspect(receipt, by=quinn)
    assert (refusal.value.code, refusal.value.http_status) == ("SOD-4", 403)
    standard = Dock(plant, quantity=40, is_inspection_required=True)
    assert standard.inspect(standard.book(40, by=quinn).receipts[0], by=quinn).result == "PASS"


def test_a_certificate_of_another_revision_is_rejected_and_the_right_one_lets_the_goods_go(plant: Installation) -> None:
    """D27, certificate part."""
    dock = Dock(plant, quantity=24, certificates=("HT",), spec="PS-455", spec_rev="D", match_level=4)
    receipt = dock.book(24, lot="L-24").receipts[0]
    assert (receipt.status, receipt.quarantine) == (ReceiptStatus.QUARANTINE, Quarantine.CERTIFICATE)
    invoice = dock.bill(24)
    assert dock.holds(invoice) == ["CERT"]
    wrong = dock.verify(dock.present("HT", receipt=receipt, spec="PS-455", spec_rev="C", lots=("L-24",)))
    assert (wrong.status, "PS-455 rev D" in wrong.refusal, "rev C" in wrong.refusal) == ("REJECTED", True, True)
    assert dock.figures == (D(24), D(0), D(0))
    right = dock.verify(dock.present("HT", receipt=receipt, spec="PS-455", spec_rev="D", lots=("L-24",)))
    assert right.status == "VERIFIED"
    assert (dock.fresh(receipt).status, dock.figures[:2]) == (ReceiptStatus.ACCEPTED, (D(24), D(24)))


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"spec": "AMS-2759", "spec_rev": "D"}, "AMS-2759"),
        ({}, "states no specification"),
        ({"spec": "PS-455", "spec_rev": "D", "lots": ("L-99",)}, "L-99"),
        ({"spec": "PS-455", "spec_rev": "D", "quantity": D(20)}, "covers 20"),
    ],
)
def test_a_certificate_that_does_not_fit_is_rejected_with_the_reason(
    plant: Installation, fields: dict[str, Any], word: str
) -> None:
    dock = Dock(plant, quantity=24, certificates=("HT",), spec="PS-455", spec_rev="D")
    receipt = dock.book(24, lot="L-24").receipts[0]
    assert word in dock.verify(dock.present("HT", receipt=receipt, **fields)).refusal


def test_no_door_accepts_goods_without_inspection_or_certificate(plant: Installation) -> None:
    dock = Dock(plant, quantity=24, certificates=("COC",), is_inspection_required=True)
    receipt = dock.book(24).receipts[0]
    for column in ("status",):
        with pytest.raises(RuleViolation), plant.acting("system:x") as act:
            setattr(act.session.get_one(Receipt, receipt.id), column, ReceiptStatus.ACCEPTED)
    with pytest.raises(RuleViolation) as refusal, plant.acting("system:x") as act:
        act.session.connection().execute(Receipt.__table__.update().values(status="ACCEPTED"))
    assert refusal.value.code in {"INSPECTION", "CERT"}


@pytest.mark.parametrize("column", ["quantity_received", "quantity_accepted", "quantity_invoiced"])
def test_no_door_sets_a_counted_quantity(plant: Installation, column: str) -> None:
    dock = Dock(plant)
    with pytest.raises(RuleViolation) as by_record, plant.acting("system:x") as act:
        setattr(act.session.get_one(PurchaseOrderLine, dock.line_id), column, D(0) if column == "x" else D(1))
    table = PurchaseOrderLine.__table__
    with pytest.raises(RuleViolation) as by_statement, plant.acting("system:x") as act:
        act.session.connection().execute(table.update().where(table.c.id == dock.line_id).values({column: D(1)}))
    assert {by_record.value.code, by_statement.value.code} == {"COUNTED"}
