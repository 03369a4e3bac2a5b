"""The board of outside work: one line for each link, with what has to be done next and by whom."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from processes.outside_documents import is_untaken
from processes.outside_receiving import certificate_state
from records.outside import (
    AWAY,
    FINAL,
    LinkStatus,
    MovementKind,
    OutsideLink,
    OutsideMovement,
    OutsideSerial,
    serials_away,
)
from records.outside_loss import open_losses
from records.purchase_order import PurchaseOrder, PurchaseOrderLine
from records.work_order import WorkOrderOperation


@dataclass(frozen=True, slots=True)
class Next:
    """What is to be done next.

    action: ``ship``, ``return``, ``plan`` on the operation's page, or empty when it is not done on these pages; owner: role code.
    """

    action: str
    words: str
    owner: str


@dataclass(frozen=True, slots=True)
class Line:
    """One link on the board. days_away: since the first shipment that still counts; late_days: past the day it was due."""

    link: OutsideLink
    certificates: str
    days_away: int | None
    late_days: int
    next: Next

    @property
    def is_late(self) -> bool:
        """Whether pieces are away longer than they should be."""
        return self.late_days > 0


def board(session: Session, *, now: dt.datetime, supplier_id: str = "", state: str = "", query: str = "") -> list[Line]:
    """Return the lines, what is late first. state: open (the default), late, hold, away, or all."""
    wanted = select(OutsideLink).options(
        joinedload(OutsideLink.order_line).joinedload(PurchaseOrderLine.order).joinedload(PurchaseOrder.supplier),
        joinedload(OutsideLink.operation).joinedload(WorkOrderOperation.work_order),
        selectinload(OutsideLink.movements),
    )
    if state != "all":
        wanted = wanted.where(OutsideLink.status.not_in(FINAL))
    if state == "hold":
        wanted = wanted.where(OutsideLink.status == LinkStatus.HOLD)
    if state in ("away", "late"):
        wanted = wanted.where(OutsideLink.at_supplier > 0)
    found = session.scalars(wanted.order_by(OutsideLink.return_by, OutsideLink.number)).unique().all()
    lines = [line_of(session, link, now=now) for link in found if _fits(link, supplier_id, query)]
    if state == "late":
        lines = [line for line in lines if line.is_late]
    return sorted(lines, key=lambda line: -line.late_days)


def line_of(session: Session, link: OutsideLink, *, now: dt.datetime) -> Line:
    """Return one link as the board shows it."""
    today = link.site.local_day(now)
    left = _left_on(link.movements) if link.at_supplier else None
    due = link.return_by or link.need_by
    late = (today - due).days if due is not None and link.at_supplier and today > due else 0
    certificates = certificate_state(session, link)
    if link.status is LinkStatus.PO_LINKED and is_untaken(session, link):
        waiting = Next("plan", "Confirm its plan or call it off", "PLANNER")
        return Line(link, certificates, None, 0, waiting)
    return Line(
        link,
        certificates,
        (today - left).days if left else None,
        late,
        next_of(link, certificates, is_loss_open=bool(link.lost and open_losses(session, link.id))),
    )


def next_of(link: OutsideLink, certificates: str, *, is_loss_open: bool = False) -> Next:
    """Return what is to be done next about a link, in words and by whom."""
    if link.status is LinkStatus.HOLD:
        owner = (link.hold_owner or "role:PLANNER").partition(":")[2]
        return Next("return" if link.at_supplier else "", "Settle the hold", owner)
    if link.status is LinkStatus.READY_TO_SHIP:
        return Next("ship", "Ship", "SHIPPING")
    if link.status in AWAY:
        return Next("return", "Take back", "RECEIVING")
    if link.status is LinkStatus.VERIFIED and is_loss_open:
        return Next("", "Sign what follows the loss", "PLANNER")
    return {
        LinkStatus.PROPOSED: Next("", "Order it", "BUYER"),
        LinkStatus.PO_LINKED: Next("", "Clear the source", "QA_SP"),
        LinkStatus.RETURNED: Next("", _verification(certificates), "QA_ENG"),
        LinkStatus.VERIFIED: Next("", "Match the invoice", "AP"),
        LinkStatus.RECALLED: Next("ship", "Ship again or call off", "PLANNER"),
    }.get(link.status, Next("", "Nothing", ""))


def suppliers_on(session: Session) -> Sequence[tuple[str, str]]:
    """Return (id, name) of the suppliers that have open links, by name."""
    wanted = (
        select(PurchaseOrder)
        .join(PurchaseOrderLine, PurchaseOrderLine.order_id == PurchaseOrder.id)
        .join(OutsideLink, OutsideLink.order_line_id == PurchaseOrderLine.id)
        .where(OutsideLink.status.not_in(FINAL))
    )
    named = {order.supplier_id: order.supplier.name for order in session.scalars(wanted)}
    return sorted(named.items(), key=lambda pair: pair[1])


def called(session: Session, text: str) -> OutsideLink | None:
    """Return the one link that a scanned or typed text means, None when that is no link or several open ones.

    That is its number, a packing list, the operation or the work order on the traveller, the order line on a label, or a serial
    number that is away.
    """
    found = session.scalars(select(OutsideLink).where(OutsideLink.number == text)).first()
    if found is not None:
        return found
    movement = session.scalars(select(OutsideMovement).where(OutsideMovement.packing_list_no == text)).first()
    if movement is not None:
        return movement.link
    meant = [link for link in _open_links(session) if text in _codes(link)]
    if not meant:
        wanted = select(OutsideLink).join(OutsideSerial, OutsideSerial.link_id == OutsideLink.id)
        with_it = session.scalars(wanted.where(OutsideSerial.serial == text).distinct())
        meant = [link for link in with_it if text in serials_away(session, link)]
    return meant[0] if len(meant) == 1 else None


def _open_links(session: Session) -> Sequence[OutsideLink]:
    wanted = select(OutsideLink).where(OutsideLink.status.not_in(FINAL)).options(
        joinedload(OutsideLink.operation).joinedload(WorkOrderOperation.work_order),
        joinedload(OutsideLink.order_line).joinedload(PurchaseOrderLine.order),
    )  # fmt: skip
    return session.scalars(wanted).all()


def _codes(link: OutsideLink) -> tuple[str, ...]:
    """Return what travellers and labels print about a link, the order line also with the identifier K before it."""
    line = link.order_line.number
    return (link.operation.number, link.operation.work_order.number, line, f"K{line}")


def _fits(link: OutsideLink, supplier_id: str, query: str) -> bool:
    if supplier_id and link.order.supplier_id != supplier_id:
        return False
    words = (
        link.number,
        link.order.number,
        link.operation.number,
        link.order.supplier.name,
        link.operation.work_order.item,
    )
    return not query or any(query.lower() in word.lower() for word in words)


def _left_on(movements: Sequence[OutsideMovement]) -> dt.date | None:
    """Return the day on which the first shipment that still counts left."""
    undone: dict[str, Decimal] = {}
    for movement in movements:
        if movement.reverses_id is not None:
            undone[movement.reverses_id] = undone.get(movement.reverses_id, Decimal(0)) - movement.quantity
    shipped = [
        movement.moved_on
        for movement in movements
        if movement.kind is MovementKind.SHIP_OUT and movement.quantity > undone.get(movement.id, Decimal(0))
    ]
    return min(shipped, default=None)


def _verification(certificates: str) -> str:
    return "Verify" if certificates in ("verified", "none needed") else "Get the certificate"
