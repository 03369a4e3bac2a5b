"""The laws of what is booked to a work order: under which contract, and at which price."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from engine.clock import now_of
from engine.errors import Finding
from engine.record import Edit, Operation
from records.actual import Actual, ActualKind
from records.invoice import InvoiceKind, InvoiceLine
from records.lot import Lot, LotSource
from records.purchase_order import PurchaseOrderLine
from records.receipt import Receipt
from records.work_order import WorkOrder
from rules import agreements as agree
from rules.law import block, law, session_of
from rules.order_consistency import judge_cost, weigh


@law("BLUR-W2", on=Actual)
def outside_cost_names_its_contract(edit: Edit) -> Iterator[Finding]:
    """External cost is posted to a work order with its order line or frame contract only (domain.md 4e)."""
    actual = edit.record
    if edit.operation is not Operation.INSERT or actual.kind is not ActualKind.OUTSIDE:
        return
    if actual.order_line_id is None and not actual.contract_ref:
        yield block(
            "BLUR-W2",
            f"Expected an order line or a frame contract behind the outside cost {actual.number}, but it names none.",
            ("work_order", actual.work_order_id),
            field="order_line",
            owner="role:BUYER",
            way_out="Order the work, and accrue against the line.",
        )


@law("CON-17", on=Actual)
def cost_is_the_agreed_price(edit: Edit) -> Iterator[Finding]:
    """CON-17: a cost booked, or invoiced, at another price than the order line's accepted one is told, not refused."""
    actual = edit.record
    if edit.operation is not Operation.INSERT or actual.reverses_id is not None:
        return
    session = session_of(edit)
    line = _bought_on(session, actual)
    if line is None:
        return
    found = list(judge_cost(session, actual, now=now_of(session)))
    yield from found
    if not found:
        invoiced = session.scalars(select(InvoiceLine).where(InvoiceLine.order_line_id == line.id)).all()
        yield from _invoiced(session, session.get_one(WorkOrder, actual.work_order_id), line, invoiced)


@law("CON-17", on=InvoiceLine)
def an_invoice_for_work_is_at_the_agreed_price(edit: Edit) -> Iterator[Finding]:
    """CON-17: an invoice price of what work orders have taken, outside work or received material, is the order line's."""
    billed = edit.record
    if edit.operation is not Operation.INSERT:
        return
    session = session_of(edit)
    line = session.get_one(PurchaseOrderLine, billed.order_line_id)
    for order in works_that_took(session, line):
        yield from _invoiced(session, order, line, [billed])


def works_that_took(session: Session, line: PurchaseOrderLine) -> list[WorkOrder]:
    """Return the work orders that what an order line bought is booked to: its outside work, or material received on it."""
    received = select(Lot.id).join(Receipt, Lot.source_id == Receipt.id).where(
        Lot.source == LotSource.RECEIPT, Receipt.order_line_id == line.id
    )  # fmt: skip
    taken = select(Actual.work_order_id).where(
        or_(Actual.order_line_id == line.id, (Actual.kind == ActualKind.MATERIAL) & Actual.lot_id.in_(received))
    )
    return list(session.scalars(select(WorkOrder).where(WorkOrder.id.in_(taken)).order_by(WorkOrder.number)))


def _bought_on(session: Session, actual: Actual) -> PurchaseOrderLine | None:
    if actual.kind is ActualKind.OUTSIDE and actual.order_line_id is not None:
        return session.get(PurchaseOrderLine, actual.order_line_id)
    lot = session.get(Lot, actual.lot_id) if actual.kind is ActualKind.MATERIAL and actual.lot_id is not None else None
    if lot is None or lot.source is not LotSource.RECEIPT or lot.source_id is None:
        return None
    receipt = session.get(Receipt, lot.source_id)
    return receipt.order_line if receipt is not None else None


def _invoiced(
    session: Session, order: WorkOrder, line: PurchaseOrderLine, invoiced: Sequence[InvoiceLine]
) -> Iterator[Finding]:
    """Yield CON-17 for each other price that was billed; another currency is held by the match, not compared here."""
    prices = {
        billed.unit_price
        for billed in invoiced
        if billed.invoice.kind is InvoiceKind.INVOICE and billed.invoice.currency == line.order.currency
    }
    for price in sorted(prices - {line.unit_price}):
        found = agree.booked_at_the_price(
            price, line.unit_price, work=order.number, line=line.number, revision=line.order.revision
        )
        yield from weigh(session, order, [found], now=now_of(session))


LAWS = (outside_cost_names_its_contract, cost_is_the_agreed_price, an_invoice_for_work_is_at_the_agreed_price)
