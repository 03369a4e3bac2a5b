"""A supplier in one view: its open orders, what is late, what came late, and what was not as it must be."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, String, and_, cast, func, or_, select
from sqlalchemy.orm import Session, joinedload, selectinload

from processes.approved_suppliers import OVER
from processes.purchasing_desk import COMING, late_line, today
from processes.supplier_scores import window_on
from records.lot import Lot
from records.nonconformance import Nonconformance, NonconformanceStatus
from records.outside import OutsideLink
from records.part import PartRevision
from records.purchase_order import PurchaseOrder, PurchaseOrderLine
from records.receipt import Receipt
from records.supplier import Supplier

SHOWN = 12
"""Rows of each kind; the count says how many there are."""


@dataclass(frozen=True, slots=True)
class Late:
    """What came late, or should have come. receipt: None for what is still to come."""

    line: PurchaseOrderLine
    due: dt.date
    days: int
    receipt: Receipt | None = None


@dataclass(frozen=True, slots=True)
class Overview:
    """What a buyer looks up before the next order.

    open_orders: with the next day of what is to come; late_receipts: of the window that the score is about, the newest first.
    """

    open_orders: Sequence[tuple[PurchaseOrder, dt.date | None]]
    open_count: int
    late_lines: Sequence[Late]
    late_count: int
    late_receipts: Sequence[Late]
    nonconformances: Sequence[Nonconformance]
    nonconformance_count: int
    open_nonconformances: int


def overview(session: Session, supplier: Supplier, *, now: dt.datetime) -> Overview:
    """Return the view of one supplier, with a fixed number of statements."""
    at = today(session, now)
    own = PurchaseOrder.supplier_id == supplier.id
    orders = select(PurchaseOrder).where(own, PurchaseOrder.status.not_in(OVER))
    lines = _lines().where(own, late_line(at))
    found = select(Nonconformance).where(_of_supplier(supplier))
    shown = session.scalars(
        orders.options(selectinload(PurchaseOrder.lines)).order_by(PurchaseOrder.id.desc()).limit(SHOWN)
    )
    late = [
        Late(line, due, (at.on - due).days)
        for line in session.scalars(lines.limit(SHOWN * 4))
        for due in [line.promised_on or line.need_by or at.on]
    ]
    late.sort(key=lambda each: -each.days)
    newest = found.order_by(Nonconformance.raised_at.desc(), Nonconformance.id.desc()).limit(SHOWN)
    return Overview(
        [(order, _next_day(order)) for order in shown], _count(session, orders),
        late[:SHOWN], _count(session, lines), _late_receipts(session, supplier, at.on),
        list(session.scalars(newest)), _count(session, found),
        _count(session, found.where(Nonconformance.status == NonconformanceStatus.OPEN)),
    )  # fmt: skip


def _next_day(order: PurchaseOrder) -> dt.date | None:
    """Return the first day on which something of an order is promised, else needed."""
    days = [line.promised_on or line.need_by for line in order.lines if line.status in COMING]
    return min((day for day in days if day is not None), default=None)


def _lines() -> Select[Any]:
    return (
        select(PurchaseOrderLine)
        .join(PurchaseOrder, PurchaseOrder.id == PurchaseOrderLine.order_id)
        .options(
            joinedload(PurchaseOrderLine.order),
            joinedload(PurchaseOrderLine.part_revision).joinedload(PartRevision.part),
        )
    )


def _count(session: Session, wanted: Select[Any]) -> int:
    return session.scalar(select(func.count()).select_from(wanted.order_by(None).subquery())) or 0


def _late_receipts(session: Session, supplier: Supplier, on: dt.date) -> list[Late]:
    """Return what came later than the window of the score allows, counted as the score counts it."""
    window = window_on(on)
    wanted = (
        select(Receipt)
        .join(PurchaseOrderLine, PurchaseOrderLine.id == Receipt.order_line_id)
        .join(PurchaseOrder, PurchaseOrder.id == PurchaseOrderLine.order_id)
        .where(
            PurchaseOrder.supplier_id == supplier.id, Receipt.reverses_id.is_(None), Receipt.position == 1,
            Receipt.received_on.between(window.first, window.last),
            Receipt.received_on > func.coalesce(PurchaseOrderLine.promised_on, PurchaseOrderLine.need_by),
        )
        .options(
            joinedload(Receipt.order_line).joinedload(PurchaseOrderLine.order),
            joinedload(Receipt.order_line).joinedload(PurchaseOrderLine.part_revision).joinedload(PartRevision.part),
        )
        .order_by(Receipt.received_on.desc(), Receipt.id.desc())
    )  # fmt: skip
    found = []
    for receipt in session.scalars(wanted.limit(SHOWN * 4)):
        line = receipt.order_line
        due = line.promised_on or line.need_by or receipt.received_on
        days = (receipt.received_on - due).days
        if days > window.late_days:
            found.append(Late(line, due, days, receipt))
    return found[:SHOWN]


def _of_supplier(supplier: Supplier) -> Any:
    """Return the condition that pieces of a supplier, or pieces that are with it, were not as they must be."""
    lines = (
        select(PurchaseOrderLine.id)
        .join(PurchaseOrder, PurchaseOrder.id == PurchaseOrderLine.order_id)
        .where(PurchaseOrder.supplier_id == supplier.id)
    )
    receipts = select(Receipt.id).where(Receipt.order_line_id.in_(lines))
    links = select(OutsideLink.id).where(OutsideLink.order_line_id.in_(lines))
    lots = select(Lot.id).where(Lot.source_type == "receipt", Lot.source_id.in_(receipts))
    return or_(
        *(
            and_(Nonconformance.about_type == kind, Nonconformance.about_id.in_(_texts(ids)))
            for kind, ids in (("receipt", receipts), ("outside_link", links), ("lot", lots))
        )
    )


def _texts(ids: Select[Any]) -> Select[Any]:
    """Return ids as the text in which a nonconformance keeps what it is about."""
    (column,) = ids.selected_columns
    return ids.with_only_columns(cast(column, String))
