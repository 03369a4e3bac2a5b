"""Invoices: what suppliers billed. What the ERP posted or paid arrives settled; what it only checked is matched here."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from engine.act import Act
from engine.canonical import canonical
from engine.errors import Invalid
from processes.importing.bringing import Import, Item, Outcome
from processes.importing.differences import differ
from processes.importing.papers import Entry
from processes.importing.reading import Reading
from processes.importing.receipts import order_lines
from processes.importing.requisitions import supplier_text, unit_of
from processes.importing.sheets import Family
from records.invoice import (
    Invoice,
    InvoiceKind,
    InvoiceLine,
    InvoiceStatus,
    Payable,
    PayableKind,
    count_payable,
    invoice_key,
    move,
)
from records.money import MINOR_UNITS
from records.purchase_order import PurchaseOrderLine

PROPOSED, CANCELLED = "PROPOSED", "CANCELLED"


@dataclass(frozen=True, slots=True)
class Line:
    """What is billed for one order line, as it was read. order_line: its native id."""

    order_line: str
    quantity: Decimal
    uom: str
    unit_price: Decimal
    description: str


def bring_invoices(run: Import) -> None:
    """Bring in every invoice of a supplier whose lines can all be read, oldest first: a credit follows what it credits."""
    if not run.has("invoices"):
        return
    with run.act() as act:
        lines = order_lines(run, act)
    run.bring("invoices", _invoices(run, lines))


def _invoices(run: Import, ours: Mapping[str, str]) -> Iterator[Item]:
    read = []
    for family in run.families("invoices"):
        cells = run.reading("invoices", family.head)
        state = cells.word("state", run.mapping.words["invoice_states"])
        if state in (PROPOSED, CANCELLED):
            continue
        values, supplier_id = _values(run, cells), run.id_of("party", cells.text("supplier"))
        if supplier_id is None:
            cells.error(
                "supplier", "UNKNOWN_SUPPLIER", "Expected a supplier of this extract, but it was not brought in"
            )
        lines = _lines(run, cells, family, ours)
        if not cells.is_good or not lines:
            run.leave_out("invoices")
            continue
        read.append((values["invoiced_on"], cells, InvoiceStatus(state), values | {"supplier_id": supplier_id}, lines))
    for _, cells, status, values, lines in sorted(read, key=lambda each: (each[0], each[1].row.number)):
        yield _invoice(run, cells, status, values, lines, ours)


def _values(run: Import, cells: Reading) -> dict[str, Any]:
    if cells.text("currency") not in MINOR_UNITS:
        cells.error("currency", "UNKNOWN_CURRENCY", "Expected an ISO 4217 currency, but found another text")
    day = cells.day("invoiced_on")
    if day is None:
        cells.error("invoiced_on", "MISSING_VALUE", "Expected the date of the invoice, but the cell is empty")
    number = cells.needed("number", limit=30)
    printed = cells.text("reference", limit=200) or number
    if number and not invoice_key(printed):
        cells.error("reference", "BAD_TEXT", "Expected letters or digits in the number of the invoice, but found none")
    return {
        "number": f"{run.mapping.system}-{number}",
        "supplier_invoice_no": printed,
        "currency": cells.text("currency"),
        "invoiced_on": day or dt.date.min,
        "stated_total": cells.decimal("total", scale=4),
    }


def _lines(run: Import, head: Reading, family: Family, ours: Mapping[str, str]) -> list[Line] | None:
    """Return the lines, or None when one of them cannot be read."""
    lines: list[Line] = []
    entries: list[Entry] = []
    is_good = True
    for row in family.children(run.mapping["invoices.lines"].column("id")):
        cells = run.reading("invoices.lines", row)
        quantity, price = cells.decimal("quantity", scale=6), cells.decimal("unit_price", scale=4)
        if not quantity:
            cells.error("quantity", "MISSING_VALUE", "Expected a quantity other than 0, but there is none")
        if price is None or price < 0:
            cells.error("unit_price", "BAD_NUMBER", "Expected a price of at least 0, but there is none")
        line = cells.text("order_line")
        if line not in ours:
            cells.error("order_line", "UNKNOWN_LINE", "Expected a line of an order that was brought in, but it was not")
        uom = unit_of(run, cells)
        is_good = is_good and cells.is_good
        if cells.is_good and quantity is not None and price is not None:
            lines.append(Line(line, quantity, uom, price, cells.text("description")))
            entries.append(
                Entry(
                    f"invoice {head.text('number')}", line, head.text("supplier"), head.text("currency"),
                    cells.text("item"), quantity, uom, head.day("invoiced_on"), price,
                )
            )  # fmt: skip
    if len({line.quantity > 0 for line in lines}) > 1:
        head.error("number", "MIXED_SIGNS", "Expected an invoice or a credit note, but it bills and credits at once")
        return None
    if not is_good or not head.is_good:
        return None
    if not lines:
        head.error("number", "NO_LINES", "Expected lines on an invoice, but there is none")
    for entry in entries:
        run.papers.bill(entry)
    return lines


def _invoice(
    run: Import,
    cells: Reading,
    status: InvoiceStatus,
    values: Mapping[str, Any],
    lines: list[Line],
    ours: Mapping[str, str],
) -> Item:
    kind = InvoiceKind.INVOICE if lines[0].quantity > 0 else InvoiceKind.CREDIT_NOTE

    def insert(act: Act) -> Invoice:
        invoice = Invoice(
            **values, kind=kind, invoice_key=invoice_key(values["supplier_invoice_no"]),
            source_system=run.mapping.system, source_event_id=f"invoice:{cells.text('id')}",
        )  # fmt: skip
        act.session.add(invoice)
        act.session.flush()
        for position, line in enumerate(lines, start=1):
            _bring_line(act, invoice, position, line, line_id=ours[line.order_line])
        act.session.flush()
        act.session.refresh(invoice)
        if status is InvoiceStatus.MATCHED:
            _settle(run, act, invoice)
        return invoice

    def update(act: Act, invoice: Invoice) -> Outcome:
        outcome = _differ(run, act, invoice, values, status, lines)
        if status is InvoiceStatus.MATCHED and invoice.status is InvoiceStatus.CAPTURED:
            _settle(run, act, invoice)
            return Outcome.CHANGED
        return outcome

    content = {
        "status": status.value,
        **{name: canonical(value) for name, value in values.items()},
        "lines": [
            [each.order_line, canonical(each.quantity, scale=6), each.uom, canonical(each.unit_price, scale=4)]
            for each in lines
        ],
    }
    return Item(Invoice, "invoice", cells.text("id"), values["number"], cells.row, content, insert, update)


def _bring_line(act: Act, invoice: Invoice, position: int, line: Line, *, line_id: str) -> None:
    order_line = act.session.get_one(PurchaseOrderLine, line_id)
    if order_line.uom != line.uom:
        raise Invalid(
            f"Expected {order_line.number} to be billed in {order_line.uom}, but it is billed in {line.uom}",
            {"uom": "is another unit"},
        )
    act.session.add(
        InvoiceLine(
            invoice_id=invoice.id, line_no=position, order_line_id=order_line.id, quantity=line.quantity,
            unit_price=line.unit_price, description=line.description,
        )
    )  # fmt: skip


def _settle(run: Import, act: Act, invoice: Invoice) -> None:
    """Take over what the ERP posted: every line is payable as billed. Lines that arrived closed were counted with them."""
    move(act, invoice, InvoiceStatus.MATCHED, reason=f"posted in {run.mapping.system}")
    for line in invoice.lines:
        if line.order_line.quantity_imported is not None:
            continue
        kind = PayableKind.MATCHED if line.quantity > 0 else PayableKind.CREDITED
        act.session.add(
            Payable(
                invoice_line_id=line.id, order_line_id=line.order_line_id, kind=kind, quantity=line.quantity,
                amount=line.amount, reason=f"posted in {run.mapping.system}",
            )
        )  # fmt: skip
        count_payable(act, line.order_line)


def _differ(
    run: Import, act: Act, invoice: Invoice, values: Mapping[str, Any], status: InvoiceStatus, lines: list[Line]
) -> Outcome:
    """Note what the ERP says otherwise about an invoice that is here: a bill is never edited."""
    wanted = select(InvoiceLine).where(InvoiceLine.invoice_id == invoice.id).order_by(InvoiceLine.line_no)
    held = list(act.session.scalars(wanted))
    ours: dict[str, str | None] = {
        "currency": invoice.currency,
        "supplier": supplier_text(act, invoice.supplier_id),
    }
    theirs: dict[str, str | None] = {
        "currency": values["currency"],
        "supplier": supplier_text(act, values["supplier_id"]),
    }
    if invoice.status is not InvoiceStatus.CAPTURED:
        ours["status"], theirs["status"] = invoice.status.value, status.value
    for position, line in enumerate(held, start=1):
        ours[f"lines.{position}.quantity"] = canonical(line.quantity, scale=6)
        ours[f"lines.{position}.unit_price"] = canonical(line.unit_price, scale=4)
    for position, read in enumerate(lines, start=1):
        theirs[f"lines.{position}.quantity"] = canonical(read.quantity, scale=6)
        theirs[f"lines.{position}.unit_price"] = canonical(read.unit_price, scale=4)
    return differ(act, invoice, ours, theirs, system=run.mapping.system)
