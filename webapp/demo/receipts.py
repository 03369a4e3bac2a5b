"""Goods and bills of the demo plant: one order partly in, one without its certificate, one bill held, one order closed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from decimal import ROUND_CEILING, Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.act import Act, Installation
from engine.worker import run_until_idle
from processes import invoicing, receiving
from processes.invoicing import Bill, BilledLine
from processes.receiving import Delivery
from records.origin import Origin
from records.purchase_order import OrderStatus, PurchaseOrder, PurchaseOrderLine

At = Callable[[dt.datetime], AbstractContextManager[None]]
RECEIVER, CLERK = "user:sam", "user:ana"


def receive_goods(installation: Installation, *, today: dt.datetime, at: At) -> None:
    """Let goods and bills come for orders that their suppliers acknowledged; an order that is not there is left out."""
    with installation.reading() as session:
        mirrors = [line.id for line in _mirrored(session)[:3]]
        ours = [line.id for line in _own(session)[:1]]
    for number, line_id in enumerate(mirrors):
        _deliver(
            installation,
            line_id,
            Decimal(1) if number == len(mirrors) - 1 else Decimal("0.4"),
            at=at,
            when=today - dt.timedelta(days=4),
        )
    for line_id in ours:
        _deliver(installation, line_id, Decimal(1), at=at, when=today - dt.timedelta(days=2))
    for line_id, share in zip(mirrors[-2:], (Decimal("0.6"), Decimal(1)), strict=False):
        _bill(installation, line_id, share, at=at, when=today - dt.timedelta(days=1))


def _mirrored(session: Session) -> Sequence[PurchaseOrderLine]:
    """Return lines of orders that the ERP shows as sent: one line each, in pieces, not for processing, the oldest order first."""
    wanted = (
        select(PurchaseOrder)
        .where(PurchaseOrder.origin == Origin.ERP, PurchaseOrder.status == OrderStatus.ACKNOWLEDGED)
        .order_by(PurchaseOrder.order_date, PurchaseOrder.po_no)
    )
    lines = [order.lines[0] for order in session.scalars(wanted) if len(order.lines) == 1]
    return [
        line
        for line in lines
        if line.uom == "EA" and line.part_revision_id is not None and line.process_code is None
        and line.quantity >= 5 and not line.quantity_received
    ]  # fmt: skip


def _own(session: Session) -> Sequence[PurchaseOrderLine]:
    """Return lines of our own acknowledged orders that need a certificate."""
    wanted = (
        select(PurchaseOrderLine)
        .join(PurchaseOrder)
        .where(PurchaseOrder.origin == Origin.LOCKSTEP, PurchaseOrder.status == OrderStatus.ACKNOWLEDGED)
        .order_by(PurchaseOrder.po_no, PurchaseOrderLine.line_no)
    )
    return [line for line in session.scalars(wanted) if line.certificates]


def _deliver(installation: Installation, line_id: str, share: Decimal, *, at: At, when: dt.datetime) -> None:
    def book(act: Act, line: PurchaseOrderLine) -> None:
        quantity = (line.quantity * share).to_integral_value(rounding=ROUND_CEILING)
        label = line.part_revision.rev if line.part_revision else None
        receiving.book(
            act, line, Delivery(
                quantity=quantity, event_id=f"demo:{line_id}", packing_slip=f"LS-{line.line_no:02d}{int(quantity):04d}",
                lot=f"L-{line.order.number}", heat="HEAT-7781", location="Dock C", revision_on_label=label,
            ),
        )  # fmt: skip

    _do(installation, RECEIVER, line_id, book, at=at, when=when)


def _bill(installation: Installation, line_id: str, share: Decimal, *, at: At, when: dt.datetime) -> None:
    def capture(act: Act, line: PurchaseOrderLine) -> None:
        order, day = line.order, when.date()
        quantity = (line.quantity * share).to_integral_value(rounding=ROUND_CEILING)
        invoicing.capture_invoice(
            act, Bill(
                order.supplier, f"R-{order.number}", order.currency, day, [BilledLine(line, quantity, line.unit_price)],
                f"demo:{line_id}", due_on=day + dt.timedelta(days=30),
            ),
        )  # fmt: skip

    _do(installation, CLERK, line_id, capture, at=at, when=when)


def _do(
    installation: Installation,
    who: str,
    line_id: str,
    work: Callable[[Act, PurchaseOrderLine], None],
    *,
    at: At,
    when: dt.datetime,
) -> None:
    with at(when):
        with installation.acting(who) as act:
            work(act, act.session.get_one(PurchaseOrderLine, line_id))
        run_until_idle(installation)
