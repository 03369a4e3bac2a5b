"""Nonconformances of received goods: raised by what was found, disposed of by quality (A33, A35)."""

from __future__ import annotations

from decimal import Decimal

from engine.act import Act
from records.nonconformance import Disposition, Nonconformance, NonconformanceStatus, move
from records.numbering import next_number
from records.receipt import Receipt


def raise_on(act: Act, receipt: Receipt, quantity: Decimal, *, title: str, description: str = "") -> Nonconformance:
    """Open a nonconformance on received goods, once: the one that is there already is returned."""
    if receipt.nonconformance_id is not None:
        return act.session.get_one(Nonconformance, receipt.nonconformance_id)
    line = receipt.order_line
    made = Nonconformance(
        number=next_number(act, "NCR", site=line.order.site), site_id=line.order.site_id, about_type=receipt.record_type,
        about_id=receipt.id, about_number=receipt.number, part_revision_id=line.part_revision_id,
        lot_no=receipt.lot_label or receipt.heat or None, serials=" ".join(receipt.serials)[:4000], title=title[:200],
        description=description, quantity=quantity, uom=receipt.uom, raised_at=act.now,
    )  # fmt: skip
    act.session.add(made)
    act.session.flush()
    receipt.nonconformance_id = made.id
    act.session.flush()
    return made


def dispose_of(act: Act, nonconformance: Nonconformance, disposition: Disposition, *, reason: str) -> Nonconformance:
    """Write down what becomes of the pieces, by whom and why, and close it: what follows is booked with the goods."""
    if nonconformance.status is NonconformanceStatus.OPEN:
        nonconformance.disposition, nonconformance.disposition_reason = disposition, reason[:4000]
        nonconformance.disposed_by_id = act.user_id
        act.session.flush()
        move(act, nonconformance, NonconformanceStatus.DISPOSED, reason=reason)
        act.session.flush()
        move(act, nonconformance, NonconformanceStatus.CLOSED, reason="Booked with the goods")
        act.session.flush()
    return nonconformance


def drop(act: Act, receipt: Receipt, *, reason: str) -> None:
    """Cancel the open nonconformance of goods that turned out to be as ordered."""
    if receipt.nonconformance_id is None:
        return
    found = act.session.get_one(Nonconformance, receipt.nonconformance_id)
    if found.status is NonconformanceStatus.OPEN:
        move(act, found, NonconformanceStatus.CANCELLED, reason=reason)
        act.session.flush()
