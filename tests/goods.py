"""Receive, inspect and bill in a few words: what the tests of goods and bills arrange and act with."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from itertools import count
from typing import Any, TypeVar

from sqlalchemy import select

from engine.act import Act, Installation
from engine.ports import SignatureRequest
from processes import certification, inspecting, invoicing, receiving, sorting
from processes.certification import Paper
from processes.invoicing import Bill, BilledLine
from processes.receiving import Booking, Delivery
from processes.sorting import Sorted
from records.certificate import Certificate, CertificateType
from records.demo_people import Member
from records.inspection import Inspection
from records.invoice import HoldStatus, Invoice, MatchHold
from records.purchase_order import PurchaseOrder, PurchaseOrderLine
from records.receipt import Receipt
from tests import makers
from tests.makers import D
from tests.people import PASSWORD, ana, quinn, sam

Found = TypeVar("Found")
_turn = count(1)
PDF = b"%PDF-1.7 certificate"


def signed(member: Member, meaning: str) -> SignatureRequest:
    """Type name and password of a person."""
    return SignatureRequest(meaning, PASSWORD, user_id=member.id, accepts_responsibility=True)


class Dock:
    """One order line and the people around it."""

    def __init__(self, house: Installation, *, quantity: int = 100, price: str = "42.50", **line_fields: Any) -> None:
        self.house = house
        order_fields = line_fields.pop("order_fields", {})
        part_fields = line_fields.pop("part_fields", {})
        with house.acting("system:arrange") as act:
            part = makers.make_part(act, **part_fields)
            revision = makers.make_revision(act, part)
            order = makers.make_order_to_receive(
                act, (revision, quantity, price), line_fields=line_fields, **order_fields
            )
            self.order_id, self.line_id = order.id, order.lines[0].id

    def act_as(self, member: Member | str, work: Callable[[Act, PurchaseOrderLine], Found]) -> Found:
        """Do something with the line in an act of its own."""
        actor = member if isinstance(member, str) else member.principal
        with self.house.acting(actor) as act:
            return work(act, act.session.get_one(PurchaseOrderLine, self.line_id))

    def book(self, quantity: int | Decimal, *, by: Member | str = sam, **fields: Any) -> Booking:
        """Book a delivery in."""
        given = {"event_id": f"dock-{next(_turn)}"} | fields
        return self.act_as(by, lambda act, line: receiving.book(act, line, Delivery(quantity=D(quantity), **given)))

    def inspect(self, receipt: Receipt, rejects: int = 0, *, by: Member = quinn, findings: str = "") -> Inspection:
        """Inspect goods."""
        words = findings or ("Bore out of size" if rejects else "")
        return self.act_as(
            by,
            lambda act, _: inspecting.inspect(
                act, act.session.get_one(Receipt, receipt.id), signed(by, "VERIFIED"), rejects=rejects, findings=words
            ),
        )

    def present(
        self, kind: str = "COC", *, by: Member | str = quinn, receipt: Receipt | None = None, **fields: Any
    ) -> Certificate:
        """Present a certificate."""
        given = {
            "issuer": "NorthStar",
            "content": PDF,
            "file_name": "cert.pdf",
            "event_id": f"cert-{next(_turn)}",
        } | fields
        paper = Paper(CertificateType(kind), **given)

        def work(act: Act, line: PurchaseOrderLine) -> Certificate:
            goods = act.session.get_one(Receipt, receipt.id) if receipt else None
            return certification.present(act, line, paper, receipt=goods)

        return self.act_as(by, work)

    def verify(self, certificate: Certificate, *, by: Member = quinn) -> Certificate:
        """Verify a certificate."""
        return self.act_as(
            by,
            lambda act, _: certification.verify_certificate(
                act, act.session.get_one(Certificate, certificate.id), signed(by, "VERIFIED")
            ),
        )

    def bill(self, quantity: int | Decimal, price: str = "42.50", *, by: Member | str = ana, **fields: Any) -> Invoice:
        """Enter an invoice of the order's supplier."""

        def work(act: Act, line: PurchaseOrderLine) -> Invoice:
            turn = next(_turn)
            given: dict[str, Any] = {
                "supplier": line.order.supplier, "invoice_no": f"R-{turn}", "currency": "USD",
                "invoiced_on": dt.date(2026, 11, 22), "due_on": dt.date(2026, 12, 22), "event_id": f"bill-{turn}",
                "lines": [BilledLine(line, D(quantity), D(price))],
            } | fields  # fmt: skip
            return invoicing.capture_invoice(act, Bill(**given))

        return self.act_as(by, work)

    @property
    def line(self) -> PurchaseOrderLine:
        with self.house.reading() as session:
            return session.get_one(PurchaseOrderLine, self.line_id)

    @property
    def order(self) -> PurchaseOrder:
        with self.house.reading() as session:
            found = session.get_one(PurchaseOrder, self.order_id)
            _ = [line.quantity for line in found.lines]
            return found

    @property
    def line_number(self) -> str:
        """Order number and line."""
        return f"{self.order.po_no}/1"

    @property
    def figures(self) -> tuple[Decimal, Decimal, Decimal]:
        """What is received, accepted and invoiced."""
        line = self.line
        return line.quantity_received, line.quantity_accepted, line.quantity_invoiced

    def holds(self, invoice: Invoice) -> list[str]:
        """The open holds of an invoice, by code."""
        with self.house.reading() as session:
            wanted = select(MatchHold).where(MatchHold.status == HoldStatus.OPEN)
            found = [hold for hold in session.scalars(wanted) if hold.invoice_line.invoice_id == invoice.id]
            return sorted(hold.code.value for hold in found)

    def fresh(self, record: Found) -> Found:
        """Read a record as it is now."""
        with self.house.reading() as session:
            return session.get_one(type(record), record.id)

    @property
    def receipts(self) -> list[Receipt]:
        with self.house.reading() as session:
            return list(
                session.scalars(select(Receipt).where(Receipt.order_line_id == self.line_id).order_by(Receipt.number))
            )

    def sort(self, receipt: Receipt, rejected: int | Decimal, *, by: Member = quinn, **fields: Any) -> Sorted:
        """Sort goods: so many are rejected, the others accepted."""
        given = {"findings": "Bore out of size"} | fields

        def work(act: Act, _: PurchaseOrderLine) -> Sorted:
            goods = act.session.get_one(Receipt, receipt.id)
            return sorting.sort_out(act, goods, signed(by, "VERIFIED"), rejected=D(rejected), **given)

        return self.act_as(by, work)
