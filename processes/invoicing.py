"""Take an invoice in (A38): checked against its orders before anything is kept, a duplicate rejected by name."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from sqlalchemy import select

from engine.act import Act
from engine.errors import Effect, Invalid, RuleViolation
from processes.documents import plain
from processes.goods_signature import CLERKS, role_for
from processes.matching import match
from processes.order_progress import order_key, tell_flow, watch
from processes.receiving import OWN
from records.invoice import (
    HoldCode,
    HoldStatus,
    Invoice,
    InvoiceKind,
    InvoiceLine,
    InvoiceStatus,
    MatchHold,
    invoice_key,
)
from records.money import line_amount, minor_unit
from records.numbering import next_number
from records.purchase_order import SENT, OrderStatus, PurchaseOrderLine
from records.supplier import Supplier
from rules.blurred_roles import is_critical, judge_evidence, read_invoice_text
from rules.finding import keep_findings
from rules.flow_mode import lenient, mode_of
from rules.waiver import soften, today_of


@dataclass(frozen=True, slots=True)
class BilledLine:
    """One line of a bill. quantity: in ``uom``, the order line's unit when not given; above 0, also on a credit note."""

    order_line: PurchaseOrderLine
    quantity: Decimal
    unit_price: Decimal
    uom: str | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class Bill:
    """A bill as it came. invoice_no: the supplier's number. total: as printed, checked against the lines; None when not typed.

    reference: what the supplier says it is for, in its own words.
    """

    supplier: Supplier
    invoice_no: str
    currency: str
    invoiced_on: dt.date
    lines: Sequence[BilledLine]
    event_id: str
    system: str = OWN
    kind: InvoiceKind = InvoiceKind.INVOICE
    due_on: dt.date | None = None
    total: Decimal | None = None
    comment: str = ""
    reference: str = ""


def capture_invoice(act: Act, bill: Bill) -> Invoice:
    """Take a bill in and match it. The same event again returns the first invoice.

    One that repeats an invoice number of its supplier is kept as rejected (DUP), and nothing of it moves.
    Raises: Forbidden; Invalid with every field that is wrong, such as an order of another supplier or a credit of more than was
    payable.
    """
    role_for(act, CLERKS, to="enter invoices")
    known = act.session.scalar(
        select(Invoice).where(Invoice.source_system == bill.system, Invoice.source_event_id == bill.event_id)
    )
    if known is not None:
        return known
    wrong = _problems(bill)
    if wrong:
        raise Invalid(
            f"Expected an invoice that fits its orders, but: {'; '.join(wrong.values())}", wrong,
            code="OTHER_SUPPLIER" if any("is an order of" in text for text in wrong.values()) else "INVALID",
        )  # fmt: skip
    _judge_reference(act, bill)
    key = invoice_key(bill.invoice_no)
    standing = act.session.scalar(
        select(Invoice).where(
            Invoice.supplier_id == bill.supplier.id, Invoice.invoice_key == key,
            Invoice.status != InvoiceStatus.REJECTED,
        )
    )  # fmt: skip
    if standing is not None:
        return _keep_duplicate(act, bill, standing)
    invoice = _write(act, bill, status=InvoiceStatus.CAPTURED)
    order = bill.lines[0].order_line.order
    watch(act, order)
    match(act, invoice)
    own = dict.fromkeys(("turns", "holds", "is_held", "escalate_at", "decision"))
    about = {"id": invoice.id, "number": invoice.number}
    tell_flow(act, "invoice.captured", order_key(order), {"invoice": about, **own})
    return invoice


def debit_note(
    act: Act,
    order_line: PurchaseOrderLine,
    quantity: Decimal,
    *,
    reason: str,
    event_id: str,
    unit_price: Decimal | None = None,
) -> Invoice:
    """Claim back what was payable for goods that went back: a negative bill of our own.

    quantity: above 0, at most what is payable on the line. unit_price: the order's when not given. Raises: as ``capture_invoice``.
    """
    if not reason.strip():
        raise Invalid("Expected a reason for the debit note, but there is none", {"reason": "is required"})
    order = order_line.order
    price = order_line.unit_price if unit_price is None else unit_price
    number = next_number(act, "DN", site=order.site)
    line = BilledLine(order_line, quantity, price, description=reason)
    today = order.site.local_day(act.now)
    return capture_invoice(
        act,
        Bill(
            order.supplier, number, order.currency, today, [line], event_id, kind=InvoiceKind.DEBIT_NOTE, comment=reason
        ),
    )


def _problems(bill: Bill) -> dict[str, str]:
    wrong: dict[str, str] = {}
    if not invoice_key(bill.invoice_no):
        wrong["invoice_no"] = "expected the supplier's invoice number, but there is none"
    if not bill.event_id.strip():
        wrong["event_id"] = "expected an id of the bill's event, but there is none"
    if not bill.lines:
        wrong["lines"] = "expected at least one line, but there is none"
    if bill.due_on is not None and bill.due_on < bill.invoiced_on:
        wrong["due_on"] = f"expected a due date from {bill.invoiced_on} on, but found {bill.due_on}"
    try:
        minor_unit(bill.currency)
    except Invalid:
        wrong["currency"] = f"expected an ISO 4217 currency, but found {bill.currency!r:.20}"
    for index, line in enumerate(bill.lines):
        wrong |= {f"lines.{index}.{field}": text for field, text in _line_problems(bill, line).items()}
    if not wrong and bill.total is not None:
        exact = sum((_amount(bill, line) for line in bill.lines), Decimal(0))
        if exact != bill.total:
            wrong["total"] = f"expected {exact} {bill.currency}, the sum of the lines, but {bill.total} is printed"
    return wrong


def _judge_reference(act: Act, bill: Bill) -> None:
    """BLUR-W3: a bill that cites a work order and no order is refused; its supplier is told to cite the order."""
    order = bill.lines[0].order_line.order
    text = " ".join(filter(None, [bill.reference, *(line.description for line in bill.lines)]))
    found = judge_evidence(
        order, read_invoice_text(text, number=bill.invoice_no, names_an_order=order.number in text),
        is_critical=any(is_critical(act.session, line.order_line) for line in bill.lines), owner="role:AP",
    )  # fmt: skip
    found = lenient(act.session, soften(act.session, found, on=today_of(act.session, act.now)), "order_to_close")
    stops = [replace(each, effect=Effect.BLOCK) for each in found if each.effect is not Effect.WARN]
    if stops:
        raise RuleViolation(stops)
    keep_findings(act, found, mode=mode_of(act.session, "order_to_close"))


def _line_problems(bill: Bill, line: BilledLine) -> dict[str, str]:
    found: dict[str, str] = {}
    ordered = line.order_line
    order = ordered.order
    if order.supplier_id != bill.supplier.id:
        found["order_line"] = (
            f"expected an order of {bill.supplier.name}, but {order.number} is an order of {order.supplier.name}"
        )
    elif order.status not in SENT | {OrderStatus.ON_HOLD}:
        found["order_line"] = f"expected an order that the supplier has, but {order.number} is {order.status}"
    elif order.status is OrderStatus.CLOSED and bill.kind is InvoiceKind.INVOICE:
        found["order_line"] = f"expected an open order, but {order.number} is closed"
    if line.uom is not None and line.uom != ordered.uom:
        found["uom"] = f"expected {ordered.uom} as ordered, but found {line.uom} without a conversion"
    if not line.quantity.is_finite() or line.quantity <= 0:
        found["quantity"] = f"expected a quantity above 0, but found {line.quantity}"
    elif bill.kind is not InvoiceKind.INVOICE and line.quantity > ordered.quantity_invoiced:
        found["quantity"] = (
            f"expected at most {plain(ordered.quantity_invoiced)} {ordered.uom}, which is what was payable on {ordered.number}, "
            f"but {plain(line.quantity)} are credited"
        )
    if not line.unit_price.is_finite() or line.unit_price < 0:
        found["unit_price"] = f"expected a price of 0 or more, but found {line.unit_price}"
    return found


def _amount(bill: Bill, line: BilledLine) -> Decimal:
    sign = 1 if bill.kind is InvoiceKind.INVOICE else -1
    return line_amount(sign * line.quantity, line.unit_price, currency=bill.currency)


def _write(act: Act, bill: Bill, *, status: InvoiceStatus, **more: str) -> Invoice:
    site = bill.lines[0].order_line.order.site
    own = bill.kind is InvoiceKind.DEBIT_NOTE
    invoice = Invoice(
        number=bill.invoice_no if own else next_number(act, "INV", site=site), kind=bill.kind, supplier=bill.supplier,
        supplier_id=bill.supplier.id, supplier_invoice_no=bill.invoice_no.strip(), invoice_key=invoice_key(bill.invoice_no),
        currency=bill.currency, invoiced_on=bill.invoiced_on, due_on=bill.due_on, stated_total=bill.total, status=status,
        comment=bill.comment, source_system=bill.system, source_event_id=bill.event_id, **more,
    )  # fmt: skip
    act.session.add(invoice)
    act.session.flush()
    sign = 1 if bill.kind is InvoiceKind.INVOICE else -1
    for number, line in enumerate(bill.lines, start=1):
        act.session.add(
            InvoiceLine(
                invoice=invoice, invoice_id=invoice.id, line_no=number, order_line=line.order_line,
                order_line_id=line.order_line.id, quantity=sign * line.quantity, unit_price=line.unit_price,
                description=line.description,
            )
        )  # fmt: skip
    act.session.flush()
    return invoice


def _keep_duplicate(act: Act, bill: Bill, standing: Invoice) -> Invoice:
    words = f"{bill.invoice_no} of {bill.supplier.name} was received before as {standing.number}"
    invoice = _write(act, bill, status=InvoiceStatus.REJECTED, duplicate_of_id=standing.id, refusal=words)
    act.session.add(
        MatchHold(
            invoice_line=invoice.lines[0], invoice_line_id=invoice.lines[0].id, code=HoldCode.DUP,
            expected="an invoice that was not received before", found=words, owner="role:AP", opened_at=act.now,
            status=HoldStatus.CLEARED, ended_at=act.now, reason="Rejected as a duplicate",
        )
    )  # fmt: skip
    act.session.flush()
    return invoice
