"""Receipts and invoices from CSV files: each row or bill once, what does not fit told by row, a rehearsal that writes nothing."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from functools import partial

from sqlalchemy import select

from engine.act import Act
from engine.errors import Invalid, Refused
from processes.invoicing import Bill, BilledLine, capture_invoice
from processes.receiving import Delivery, book
from records.invoice import Invoice
from records.purchase_order import PurchaseOrder, PurchaseOrderLine
from records.supplier import Supplier

RECEIPT_COLUMNS = (
    "system", "event_id", "order", "line_no", "quantity", "uom", "packing_slip", "received_on", "location", "lot", "heat",
    "revision_on_label", "received_by",
)  # fmt: skip
INVOICE_COLUMNS = (
    "system", "supplier_no", "invoice_no", "currency", "invoiced_on", "due_on", "order", "line_no", "quantity", "unit_price",
)  # fmt: skip
RECEIPT_NEEDS = ("event_id", "order", "line_no", "quantity")
INVOICE_NEEDS = ("supplier_no", "invoice_no", "currency", "invoiced_on", "order", "line_no", "quantity", "unit_price")
MOST_ROWS = 20_000

Row = tuple[int, Mapping[str, str]]


@dataclass
class Report:
    """What became of a file. problems: (row as a spreadsheet counts, sentence)."""

    rows: int = 0
    recorded: int = 0
    repeated: int = 0
    problems: list[tuple[int, str]] = field(default_factory=list)


class _Rehearsed(Exception):
    """Ends a rehearsal: everything it wrote is taken back."""


def bring_receipts(act: Act, content: bytes) -> Report:
    """Book every row of a file in; a row that does not fit is told and leaves the others alone. Raises: Invalid for the file."""
    report = Report()
    for row in rows_of(content, RECEIPT_COLUMNS, RECEIPT_NEEDS):
        report.rows += 1
        try_row(act, report, row[0], partial(_book, act, row[1]))
    return report


def bring_invoices(act: Act, content: bytes) -> Report:
    """Capture the invoices of a file: rows of one supplier and number are one invoice. Raises: Invalid for the file."""
    report, bills = Report(), dict[tuple[str, str], list[Row]]()
    for row in rows_of(content, INVOICE_COLUMNS, INVOICE_NEEDS):
        report.rows += 1
        bills.setdefault((row[1]["supplier_no"], row[1]["invoice_no"]), []).append(row)
    for rows in bills.values():
        try_row(act, report, rows[0][0], partial(_capture, act, [row for _, row in rows]))
    return report


def rehearse(act: Act, bring: Callable[[Act, bytes], Report], content: bytes) -> Report:
    """Return what bringing a file in would report, and write nothing."""
    found: list[Report] = []
    try:
        with act.attempt():
            found.append(bring(act, content))
            _take_back()
    except _Rehearsed:
        return found[0]
    raise AssertionError("a rehearsal always ends by taking back what it did")


def _take_back() -> None:
    raise _Rehearsed


def try_row(act: Act, report: Report, number: int, work: Callable[[], bool]) -> None:
    """Do one row's work, count whether it was new, and tell what is wrong with it. work: returns whether it was new."""
    try:
        with act.attempt():
            is_new = work()
    except Refused as refusal:
        more = "; ".join(f"{name} {text}" for name, text in getattr(refusal, "fields", {}).items())
        report.problems.append((number, f"{refusal.message}{f' ({more})' if more else ''}"))
        return
    report.recorded += is_new
    report.repeated += not is_new


def _book(act: Act, row: Mapping[str, str]) -> bool:
    day = day_in(row, "received_on")
    delivery = Delivery(
        quantity=number_in(row, "quantity"), event_id=row["event_id"], system=row.get("system") or "FILE", uom=row.get("uom") or None,
        packing_slip=row.get("packing_slip", ""), received_on=day, location=row.get("location", ""), lot=row.get("lot", ""),
        heat=row.get("heat", ""), revision_on_label=row.get("revision_on_label") or None, performer=row.get("received_by", ""),
    )  # fmt: skip
    return not book(act, line_in(act, row), delivery).is_repeat


def _capture(act: Act, rows: list[Mapping[str, str]]) -> bool:
    first = rows[0]
    supplier = act.session.scalar(select(Supplier).where(Supplier.supplier_no == first["supplier_no"]))
    if supplier is None:
        raise Invalid(
            f"Expected a supplier we know, but found {first['supplier_no']!r:.60}", {"supplier_no": "is unknown"}
        )
    invoiced_on = day_in(first, "invoiced_on")
    if invoiced_on is None:
        raise Invalid("Expected the invoice's date, but it is empty", {"invoiced_on": "is required"})
    system, event = first.get("system") or "FILE", f"{first['supplier_no']}/{first['invoice_no']}"
    known = select(Invoice.id).where(Invoice.source_system == system, Invoice.source_event_id == event)
    if act.session.scalar(known) is not None:
        return False
    lines = [BilledLine(line_in(act, row), number_in(row, "quantity"), number_in(row, "unit_price")) for row in rows]
    due_on = day_in(first, "due_on")
    capture_invoice(
        act, Bill(supplier, first["invoice_no"], first["currency"].upper(), invoiced_on, lines, event, system=system, due_on=due_on)
    )  # fmt: skip
    return True


def line_in(act: Act, row: Mapping[str, str]) -> PurchaseOrderLine:
    """Return the line of an order that a row names. Raises: Invalid naming the column."""
    wanted = select(PurchaseOrder).where(PurchaseOrder.po_no == row["order"])
    orders = act.session.scalars(wanted.limit(2)).all()
    line = (
        next((one for one in orders[0].lines if str(one.line_no) == row["line_no"]), None) if len(orders) == 1 else None
    )
    if line is None:
        raise Invalid(
            f"Expected a line of one order, but found {row['order']!r:.40} line {row['line_no']!r:.10}",
            {"line_no" if len(orders) == 1 else "order": "is unknown"},
        )
    return line


def number_in(row: Mapping[str, str], name: str) -> Decimal:
    """Return a number of a row. Raises: Invalid naming the column."""
    try:
        number = Decimal(row[name])
    except InvalidOperation as error:
        raise Invalid(f"Expected a number such as 12.5, but found {row[name]!r:.40}", {name: "is no number"}) from error
    if not number.is_finite():
        raise Invalid(f"Expected a number such as 12.5, but found {row[name]!r:.40}", {name: "is no number"})
    return number


def day_in(row: Mapping[str, str], name: str) -> dt.date | None:
    """Return a day of a row, None where it is empty. Raises: Invalid naming the column."""
    if not row.get(name):
        return None
    try:
        return dt.date.fromisoformat(row[name])
    except ValueError as error:
        raise Invalid(
            f"Expected a date such as 2026-11-22, but found {row[name]!r:.40}", {name: "is no date"}
        ) from error


def rows_of(content: bytes, columns: tuple[str, ...], needed: tuple[str, ...]) -> Iterator[Row]:
    """Yield the rows of a file with their numbers as a spreadsheet counts. Raises: Invalid for a file or heading that does not fit."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Invalid(
            "Expected a CSV file in UTF-8, but it is in another encoding", {"file": "is not UTF-8"}
        ) from error
    if "\x00" in text:
        raise Invalid("Expected a CSV file, but it has NUL characters", {"file": "is no text"})
    first = text.partition("\n")[0]
    reader = csv.DictReader(
        io.StringIO(text, newline=""), delimiter=";" if first.count(";") > first.count(",") else ","
    )
    names = [name.strip() for name in reader.fieldnames or []]
    unknown = [name for name in names if name not in columns]
    missing = [name for name in needed if name not in names]
    if unknown or missing or len(set(names)) != len(names):
        wrong = (
            f"unknown {', '.join(unknown)}" if unknown else f"no {', '.join(missing)}" if missing else "a column twice"
        )
        raise Invalid(f"Expected a heading of {', '.join(columns)}, but found {wrong[:200]}", {"file": wrong[:200]})
    for number, row in enumerate(reader, start=2):
        if number > MOST_ROWS + 1:
            raise Invalid(f"Expected at most {MOST_ROWS:,} rows, but there are more", {"file": "is too long"})
        yield number, {name.strip(): (value or "").strip() for name, value in row.items() if isinstance(name, str)}
