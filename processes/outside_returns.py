"""Which receipts came of returns from outside, and under which link."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from records.outside import MovementKind, OutsideLink, movement_called
from records.receipt import Receipt

SYSTEM = "OUTSIDE"
"""The system of receipts that follow from a return."""


def receipts_of_link(session: Session, link: OutsideLink) -> list[Receipt]:
    """Return the receipts of what came back under a link, oldest first; reversals are left out."""
    events = [movement.event_id for movement in link.movements if movement.kind is MovementKind.RETURN_GOOD]
    wanted = select(Receipt).where(
        Receipt.order_line_id == link.order_line_id, Receipt.source_system == SYSTEM,
        Receipt.source_event_id.in_(events), Receipt.reverses_id.is_(None),
    )  # fmt: skip
    return list(session.scalars(wanted.order_by(Receipt.created_at, Receipt.number)))


def link_of_receipt(session: Session, receipt: Receipt) -> OutsideLink | None:
    """Return the link under which received pieces came back, None for goods that were bought."""
    movement = movement_called(session, receipt.source_event_id) if receipt.source_system == SYSTEM else None
    return movement.link if movement is not None else None
