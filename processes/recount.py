"""Count again: what every order line says was received, accepted and invoiced, against the rows that it is the sum of.

The doors of the database keep the sums true for whoever writes through them; this is the evidence for whoever did not. It is read in
plain SQL over whole tables, so that it takes seconds on a large database.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from sqlalchemy import ColumnElement, Select, and_, case, exists, func, or_, select
from sqlalchemy.orm import Session, aliased, selectinload

from engine.verification import Break
from processes.documents import plain
from records.inspection import Inspection, InspectionResult
from records.invoice import InvoiceLine, Payable
from records.purchase_order import PurchaseOrder, PurchaseOrderLine
from records.receipt import ACCEPTED, Receipt

NONE = Decimal(0)


def recount(session: Session) -> Iterator[Break]:
    """Yield the first quantity of each order line that is not the sum of its rows, then goods and bills that do not add up."""
    yield from _lines(session)
    yield from _reversed_too_far(session)
    yield from _accepted_unchecked(session)
    yield from _paid_beyond_the_bill(session)


def _lines(session: Session) -> Iterator[Break]:
    received, accepted, payable = (_by_line(session, each) for each in (_received(), _accepted(), _payable()))
    wanted = (
        select(PurchaseOrderLine).join(PurchaseOrder).order_by(PurchaseOrder.proposal_no, PurchaseOrderLine.line_no)
    )
    for line in session.scalars(wanted.options(selectinload(PurchaseOrderLine.order)).execution_options(yield_per=500)):
        before = line.quantity_imported or NONE
        sums = (
            ("quantity_received", received, "its receipts"), ("quantity_accepted", accepted, "its accepted receipts"),
            ("quantity_invoiced", payable, "the payable parts of its invoices"),
        )  # fmt: skip
        for name, counted, rows in sums:
            right, found = before + (counted.get(line.id) or NONE), getattr(line, name)
            if found != right:
                yield Break(
                    line.record_type, line.id, None,
                    f"Expected {name} of {line.number} to be {plain(right)} {line.uom}, the sum of {rows}, "
                    f"but it is {plain(found)}",
                )  # fmt: skip
                break


def _by_line(session: Session, wanted: Select[str, Decimal]) -> dict[str, Decimal]:
    return {row[0]: row[1] for row in session.execute(wanted)}


def _received() -> Select[str, Decimal]:
    counted = func.sum(Receipt.quantity - Receipt.over_quantity)
    return select(Receipt.order_line_id, counted).group_by(Receipt.order_line_id)


def _accepted() -> Select[str, Decimal]:
    """A reversal counts as what it reverses."""
    original = aliased(Receipt)
    status = case((Receipt.reverses_id.is_not(None), original.status), else_=Receipt.status)
    counted = func.sum(Receipt.quantity - Receipt.over_quantity)
    wanted = select(Receipt.order_line_id, counted).join_from(
        Receipt, original, original.id == Receipt.reverses_id, isouter=True
    )
    return wanted.where(status.in_([one.value for one in ACCEPTED])).group_by(Receipt.order_line_id)


def _payable() -> Select[str, Decimal]:
    return select(Payable.order_line_id, func.sum(Payable.quantity)).group_by(Payable.order_line_id)


def _reversed_too_far(session: Session) -> Iterator[Break]:
    back = aliased(Receipt)
    taken_back = select(back.reverses_id, func.sum(back.quantity).label("taken")).group_by(back.reverses_id).subquery()
    wanted = select(Receipt, taken_back.c.taken).join(taken_back, taken_back.c.reverses_id == Receipt.id)
    wanted = wanted.where(taken_back.c.taken + Receipt.quantity < 0).order_by(Receipt.number)
    for receipt, taken in session.execute(wanted):
        yield Break(
            receipt.record_type, receipt.id, None,
            f"Expected at most {plain(receipt.quantity)} {receipt.uom} of {receipt.number} to be taken back, "
            f"but {plain(-taken)} are",
        )  # fmt: skip


def _accepted_unchecked(session: Session) -> Iterator[Break]:
    """Goods that count as accepted where an inspection is asked for, without one that passed or a material review."""
    passed: ColumnElement[bool] = exists().where(
        and_(Inspection.receipt_id == Receipt.id, Inspection.result == InspectionResult.PASS)
    )
    wanted = (
        select(Receipt)
        .join(PurchaseOrderLine)
        .where(Receipt.status.in_([one.value for one in ACCEPTED]), PurchaseOrderLine.is_inspection_required)
        .where(~or_(passed, Receipt.review_signature_id.is_not(None)))
    )
    for receipt in session.scalars(wanted.order_by(Receipt.number)):
        yield Break(
            receipt.record_type, receipt.id, None,
            f"Expected {receipt.number} to be accepted after an inspection that passed or a material review, but there is none",
        )  # fmt: skip


def _paid_beyond_the_bill(session: Session) -> Iterator[Break]:
    """Invoice lines of which more is payable than was billed; a credit takes back no more than it says."""
    made = select(Payable.invoice_line_id, func.sum(Payable.quantity).label("paid"))
    payable = made.group_by(Payable.invoice_line_id).subquery()
    wanted = select(InvoiceLine, payable.c.paid).join(payable, payable.c.invoice_line_id == InvoiceLine.id)
    for billed, paid in session.execute(wanted.where(func.abs(payable.c.paid) > func.abs(InvoiceLine.quantity))):
        yield Break(
            billed.record_type, billed.id, None,
            f"Expected at most {plain(billed.quantity)} of {billed.number} to be payable, but {plain(paid)} are",
        )  # fmt: skip
