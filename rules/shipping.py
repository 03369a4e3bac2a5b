"""What must not leave for a customer: what is held, what a change still stops, what an emergency built that nobody approved (C18, C20)."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy.orm import Session

from engine.errors import RuleViolation
from records.change_task import HoldEffect, holds_on
from records.lot import Lot, LotSource, LotStatus
from records.work_order import WorkOrder
from rules.change_pending import CARRIED
from rules.emergency_authority import refuse_unapproved_shipment


def must_stay(session: Session, lot: Lot) -> list[str]:
    """Return a sentence for everything that keeps a lot from leaving for a customer; empty when it may go."""
    return list(_reasons(session, lot))


def _reasons(session: Session, lot: Lot) -> Iterator[str]:
    if lot.status is not LotStatus.AVAILABLE:
        why = f" ({lot.hold_reason})" if lot.hold_reason else ""
        yield f"Expected {lot.number} to be available before it is shipped, but it is {lot.status}{why}."
    for hold in holds_on(session, lot.id):
        if hold.effect is HoldEffect.BLOCK and hold.change_order.status in CARRIED:
            yield f"Expected {hold.change_order.number} to be carried out on {lot.number} first: {hold.reason}."
    work = session.get(WorkOrder, lot.source_id) if lot.source is LotSource.WORK_ORDER and lot.source_id else None
    if work is None:
        return
    try:
        refuse_unapproved_shipment(session, work, [lot.number] if lot.is_serial else [])
    except RuleViolation as refusal:
        yield from (finding.sentence for finding in refusal.findings)
