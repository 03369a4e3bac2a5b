"""Invoices: captured once, held with an owner, released by somebody else with a signature, paid in part on request."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from engine.act import Act, Installation
from engine.errors import Conflict, Forbidden, Invalid, RuleViolation
from processes import invoicing, matching
from processes.invoicing import BilledLine
from records.demo_people import Member
from records.invoice import HoldStatus, Invoice, InvoiceStatus, MatchHold, Payable
from records.purchase_order import OrderStatus, PurchaseOrderLine
from records.signature import Signature
from tests import makers
from tests.goods import Dock, signed
from tests.makers import D
from tests.people import ana, bea, fred, lena, quinn, sam


def hold_of(dock: Dock, invoice: Invoice) -> MatchHold:
    with dock.house.reading() as session:
        wanted = select(MatchHold).where(MatchHold.status == HoldStatus.OPEN)
        return next(hold for hold in session.scalars(wanted) if hold.invoice_line.invoice_id == invoice.id)


def release(dock: Dock, hold: MatchHold, by: Member, meaning: str = "APPROVED") -> MatchHold:
    def work(act: Act, _: PurchaseOrderLine) -> MatchHold:
        return matching.release_hold(
            act, act.session.get_one(MatchHold, hold.id), signed(by, meaning), reason="Freight was agreed by mail"
        )

    return dock.act_as(by, work)


def pay_part(dock: Dock, invoice: Invoice, by: Member = ana) -> Any:
    return dock.act_as(
        by, lambda act, _: matching.pay_part(act, act.session.get_one(Invoice, invoice.id), reason="Agreed")
    )


@pytest.mark.parametrize("level", [3, 4])
def test_a_partial_delivery_is_paid_in_part_on_request(plant: Installation, level: int) -> None:
    """D24: 100 ordered, 40 received and accepted, invoice over 60."""
    dock = Dock(plant, match_level=level)
    dock.book(40)
    invoice = dock.bill(60)
    hold = hold_of(dock, invoice)
    assert (hold.code, hold.owner, hold.expected, hold.found) == (
        "QTY_REC", "role:RECEIVING", "at most 40 EA received", "60 EA billed",
    )  # fmt: skip
    assert (dock.figures, invoice.status) == ((D(40), D(40), D(0)), InvoiceStatus.HELD)
    assert pay_part(dock, invoice) == D(40)
    assert (dock.figures[2], dock.order.status, dock.line.open_quantity) == (
        D(40),
        OrderStatus.PARTIALLY_RECEIVED,
        D(60),
    )
    with pytest.raises(Conflict):
        pay_part(dock, invoice)
    with pytest.raises(Forbidden):
        pay_part(dock, invoice, by=sam)


def test_what_comes_later_clears_the_hold_and_the_rest_is_paid(plant: Installation) -> None:
    dock = Dock(plant)
    dock.book(40)
    invoice = dock.bill(60)
    pay_part(dock, invoice)
    dock.book(20)
    dock.act_as(ana, lambda act, _: matching.match(act, act.session.get_one(Invoice, invoice.id)))
    assert (dock.holds(invoice), dock.fresh(invoice).status, dock.figures[2]) == ([], InvoiceStatus.MATCHED, D(60))
    with plant.reading() as session:
        assert [(one.kind, one.quantity, one.amount) for one in session.scalars(select(Payable).order_by(Payable.id))] == [
            ("PART", D(40), D("1700.00")), ("MATCHED", D(20), D("850.00")),
        ]  # fmt: skip


def test_what_fits_is_payable_at_once(plant: Installation) -> None:
    dock = Dock(plant)
    dock.book(100)
    invoice = dock.bill(100)
    assert (invoice.status, invoice.number, dock.figures) == (
        InvoiceStatus.MATCHED,
        "INV-000001",
        (D(100), D(100), D(100)),
    )


def test_a_price_over_tolerance_is_the_buyers_and_the_lead_releases_it(plant: Installation) -> None:
    dock = Dock(plant)
    dock.book(100)
    invoice = dock.bill(100, "43.01")
    hold = hold_of(dock, invoice)
    assert (hold.code, hold.owner) == ("PRICE", "role:BUYER")
    assert ("50.00" in hold.expected, "51.00" in hold.found) == (True, True)
    with pytest.raises(Conflict):
        pay_part(dock, invoice)
    release(dock, hold, lena)
    assert (dock.fresh(invoice).status, dock.figures[2]) == (InvoiceStatus.MATCHED, D(100))
    released = dock.fresh(hold)
    assert (released.status, released.released_by, released.reason) == (
        HoldStatus.RELEASED,
        "lena",
        "Freight was agreed by mail",
    )
    with plant.reading() as session:
        signature = session.get_one(Signature, released.signature_id)
        assert (signature.record_type, signature.record_id, signature.meaning) == ("match_hold", hold.id, "APPROVED")


def test_neither_the_buyer_nor_the_receiver_releases(plant: Installation) -> None:
    dock = Dock(plant)
    dock.book(40)
    hold = hold_of(dock, dock.bill(60))
    with plant.acting("system:arrange") as act:
        makers.make_grant(act, "bea", "FIN_CTRL")
        makers.make_grant(act, "sam", "FIN_CTRL")
    for person in (bea, sam):
        with pytest.raises(RuleViolation) as refusal:
            release(dock, hold, person)
        assert (refusal.value.code, refusal.value.http_status) == ("SOD-5", 403)
    with pytest.raises(Forbidden):
        release(dock, hold, quinn)
    assert dock.fresh(hold).status is HoldStatus.OPEN
    release(dock, hold, fred)
    assert dock.figures[2] == D(60)


def test_a_four_way_line_is_never_paid_beyond_what_was_accepted(plant: Installation) -> None:
    dock = Dock(plant, quantity=40, match_level=4, is_inspection_required=True)
    dock.book(40)
    invoice = dock.bill(40)
    hold = hold_of(dock, invoice)
    assert hold.code == "QTY_ACC"
    with pytest.raises(Conflict, match="accepted"):
        release(dock, hold, fred)


def test_no_door_pays_a_four_way_line_beyond_what_was_accepted(plant: Installation) -> None:
    dock = Dock(plant, quantity=40, match_level=4, is_inspection_required=True)
    dock.book(40)
    invoice = dock.bill(40)

    def pay(act: Act, line: PurchaseOrderLine) -> None:
        makers.make_payable(act, act.session.get_one(Invoice, invoice.id).lines[0])
        matching.count_payable(act, line)

    with pytest.raises(RuleViolation) as refusal:
        dock.act_as("system:x", pay)
    assert refusal.value.code == "QTY_ACC"


def test_the_same_number_of_one_supplier_is_a_duplicate_however_it_is_typed(plant: Installation) -> None:
    dock = Dock(plant)
    dock.book(100)
    first = dock.bill(50, invoice_no="RE-2026/0041")
    second = dock.bill(50, invoice_no="re 2026 0041", event_id="other")
    assert (second.status, second.duplicate_of_id, dock.figures[2]) == (InvoiceStatus.REJECTED, first.id, D(50))
    assert first.number in second.refusal
    other = Dock(plant)
    other.book(100)
    assert other.bill(50, invoice_no="RE-2026/0041").status is InvoiceStatus.MATCHED


def test_the_same_event_twice_is_one_invoice(plant: Installation) -> None:
    dock = Dock(plant)
    dock.book(100)
    first = dock.bill(50, event_id="edi-1", system="EDI", by="adapter:edi")
    assert dock.bill(50, event_id="edi-1", system="EDI", by="adapter:edi").id == first.id
    assert dock.figures[2] == D(50)


def test_an_invoice_for_another_suppliers_order_is_refused(plant: Installation) -> None:
    mine, other = Dock(plant), Dock(plant)
    mine.book(100)

    def work(act: Act, line: PurchaseOrderLine) -> Invoice:
        supplier = act.session.get_one(PurchaseOrderLine, other.line_id).order.supplier
        bill = invoicing.Bill(
            supplier, "R-1", "USD", line.order.order_date or act.now.date(), [BilledLine(line, D(5), D("42.50"))], "b-1"
        )
        return invoicing.capture_invoice(act, bill)

    with pytest.raises(Invalid) as refusal:
        mine.act_as(ana, work)
    assert (refusal.value.code, list(refusal.value.fields), mine.figures[2]) == (
        "OTHER_SUPPLIER",
        ["lines.0.order_line"],
        D(0),
    )


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"invoice_no": " "}, "invoice_no"),
        ({"lines": []}, "lines"),
        ({"currency": "DOLLAR"}, "currency"),
        ({"total": D("2125.01")}, "total"),
        ({"due_on": makers.THANKSGIVING.replace(year=2025)}, "due_on"),
    ],
)
def test_a_bill_that_cannot_be_is_refused_with_its_field(
    plant: Installation, fields: dict[str, Any], field: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        Dock(plant).bill(50, **fields)
    assert list(refusal.value.fields) == [field]


@pytest.mark.parametrize(("quantity", "price"), [("0", "1"), ("-5", "1"), ("5", "-1")])
def test_nothing_negative_is_billed(plant: Installation, quantity: str, price: str) -> None:
    with pytest.raises(Invalid):
        Dock(plant).bill(D(quantity), price)


def test_another_currency_is_held_for_the_buyer(plant: Installation) -> None:
    dock = Dock(plant)
    dock.book(100)
    assert dock.holds(dock.bill(100, currency="EUR")) == ["CURRENCY"]


def test_a_debit_note_claims_back_and_never_more_than_was_payable(plant: Installation) -> None:
    dock = Dock(plant)
    dock.book(100)
    dock.bill(100)

    def claim(quantity: int) -> Invoice:
        return dock.act_as(
            ana,
            lambda act, line: invoicing.debit_note(
                act, line, D(quantity), reason="Returned", event_id=f"dn-{quantity}"
            ),
        )

    note = claim(30)
    assert (note.number[:3], note.status, dock.figures[2]) == ("DN-", InvoiceStatus.MATCHED, D(70))
    with pytest.raises(Invalid):
        claim(71)


def test_a_rejected_invoice_frees_its_number(plant: Installation) -> None:
    dock = Dock(plant)
    invoice = dock.bill(50, invoice_no="R-77")
    dock.act_as(
        ana, lambda act, _: matching.reject_invoice(act, act.session.get_one(Invoice, invoice.id), reason="Wrong price")
    )
    assert dock.holds(invoice) == []
    assert dock.bill(50, invoice_no="R-77", event_id="again").status is InvoiceStatus.HELD


def test_what_was_paid_is_written_once(plant: Installation) -> None:
    dock = Dock(plant)
    dock.book(100)
    dock.bill(100)
    with pytest.raises(RuleViolation) as refusal, plant.acting("system:x") as act:
        act.session.connection().execute(Payable.__table__.update().values(quantity=D(1)))
    assert refusal.value.code == "APPEND_ONLY"
