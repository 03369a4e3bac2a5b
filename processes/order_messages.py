"""What other systems say of an order (A31, A36, A38): receipts, invoices and certificates, read from a message and booked."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from engine.act import Act
from engine.errors import Invalid
from engine.registry import Work
from processes import certification, invoicing, receiving
from processes.certification import Paper
from processes.documents import existing, plain
from processes.invoicing import Bill, BilledLine
from processes.receiving import Delivery
from records.certificate import CertificateType
from records.invoice import InvoiceKind
from records.purchase_order import PurchaseOrder, PurchaseOrderLine


def book_receipt(act: Act, work: Work) -> str:
    """Book the receipt that the message tells of; return its numbers. Raises: as ``receiving.book``; Invalid."""
    given: Mapping[str, Any] = work["message"]
    booking = receiving.book(
        act, _line(act, work, given), Delivery(
            quantity=_number(given, "quantity"), uom=_text(given, "uom") or None, packing_slip=_text(given, "packing_slip"),
            received_on=_day(given, "received_on"), location=_text(given, "location"), lot=_text(given, "lot"),
            revision_on_label=_text(given, "revision_on_label") or None, heat=_text(given, "heat"),
            serials=tuple(str(one) for one in given.get("serials") or ()), performer=_text(given, "received_by"),
            system=_text(given, "system") or "ERP", event_id=_text(given, "receipt_no") + "/" + _text(given, "line_no"),
        ),
    )  # fmt: skip
    return ", ".join(receipt.number for receipt in booking.receipts)


def capture_bill(act: Act, work: Work) -> str:
    """Capture the invoice that the message carries; return its number. Raises: as ``capture_invoice``; Invalid OTHER_SUPPLIER."""
    given: Mapping[str, Any] = work["message"]
    order, kind = (
        existing(act.session, PurchaseOrder, work["order"]["id"]),
        _text(given, "kind") or InvoiceKind.INVOICE.value,
    )
    if kind not in (InvoiceKind.INVOICE, InvoiceKind.CREDIT_NOTE):
        raise Invalid(f"Expected INVOICE or CREDIT_NOTE, but found {kind!r:.40}", {"kind": "is unknown"})
    supplier_no = _text(given, "supplier_no")
    if supplier_no and supplier_no != order.supplier.supplier_no:
        raise Invalid(
            f"Expected an invoice of {order.supplier.name} ({order.supplier.supplier_no}) for {order.number}, "
            f"but it is of {supplier_no}",
            {"supplier_no": "is another supplier"}, code="OTHER_SUPPLIER",
        )  # fmt: skip
    lines = [
        BilledLine(
            _line(act, work, row),
            _number(row, "quantity"),
            _number(row, "unit_price"),
            uom=_text(row, "uom") or None,
            description=_text(row, "description"),
        )
        for row in given.get("lines") or ()
    ]
    invoice = invoicing.capture_invoice(
        act, Bill(
            order.supplier, _text(given, "invoice_no"), _text(given, "currency") or order.currency,
            _day(given, "invoiced_on") or order.site.local_day(act.now), lines, system=_text(given, "system") or "EDI",
            event_id=_text(given, "message_id") or f"{order.supplier.supplier_no}/{_text(given, 'invoice_no')}",
            due_on=_day(given, "due_on"), kind=InvoiceKind(kind),
            total=_number(given, "total") if given.get("total") is not None else None,
            reference=_text(given, "reference"),
        ),
    )  # fmt: skip
    return invoice.number


def keep_certificate(act: Act, work: Work) -> str:
    """Keep the certificate that the message carries; return its number. Raises: as ``certification.present``; Invalid."""
    given: Mapping[str, Any] = work["message"]
    line, lot = _line(act, work, given), _text(given, "lot")
    kind = _text(given, "type")
    if kind not in set(CertificateType):
        raise Invalid(f"Expected one of {', '.join(CertificateType)}, but found {kind!r:.40}", {"type": "is unknown"})
    try:
        content = base64.b64decode(_text(given, "content"), validate=True)
    except binascii.Error as error:
        raise Invalid("Expected the file as base64, but it is not", {"content": "is not base64"}) from error
    certificate = certification.present(
        act, line, Paper(
            CertificateType(kind), _text(given, "issuer"), content, _text(given, "file_name") or "certificate.pdf",
            event_id=_text(given, "message_id") or f"{line.number}/{kind}/{lot}", system=_text(given, "system") or "EDI",
            reference=_text(given, "reference"), spec=_text(given, "spec") or None, spec_rev=_text(given, "spec_rev") or None,
            lots=(lot,) if lot else (), process_date=_day(given, "process_date"),
        ),
    )  # fmt: skip
    return certificate.number


def _line(act: Act, work: Work, given: Mapping[str, Any]) -> PurchaseOrderLine:
    order, wanted = existing(act.session, PurchaseOrder, work["order"]["id"]), given.get("line_no")
    found = (
        next((line for line in order.lines if str(line.line_no) == plain(Decimal(str(wanted)))), None)
        if _is_number(wanted)
        else None
    )
    if found is None:
        known = ", ".join(str(line.line_no) for line in order.lines)
        raise Invalid(
            f"Expected a line of {order.number} ({known}), but found {wanted!r:.40}", {"line_no": "is unknown"}
        )
    return found


def _text(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name)
    if value is None:
        return ""
    return plain(value) if isinstance(value, Decimal) else str(value).strip()


def _is_number(value: object) -> bool:
    try:
        return Decimal(str(value)).is_finite()
    except InvalidOperation:
        return False


def _number(given: Mapping[str, Any], name: str) -> Decimal:
    value = given.get(name)
    if not _is_number(value):
        raise Invalid(f"Expected a number, but found {value!r:.40}", {name: "is no number"})
    return Decimal(str(value))


def _day(given: Mapping[str, Any], name: str) -> dt.date | None:
    value = given.get(name)
    if value is None or isinstance(value, dt.date):
        return value
    try:
        return dt.date.fromisoformat(str(value)[:10])
    except ValueError as error:
        raise Invalid(f"Expected a date such as 2026-11-22, but found {value!r:.40}", {name: "is no date"}) from error
