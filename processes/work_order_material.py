"""Material of a work order: which lot it came from, what it cost when it was received, and the edge of genealogy it leaves."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.act import Act
from engine.errors import Conflict, Invalid
from processes import genealogy
from processes.genealogy import Event
from records.actual import Actual
from records.lot import Lot, LotSource, LotStatus
from records.part import Part, PartRevision, RevisionStatus
from records.receipt import Receipt

CENT = Decimal("0.0001")


def lot_called(session: Session, part_no: str, number: str) -> Lot | None:
    """Return the lot of a part by its number or heat; of several the one that may be used. Raises: Invalid when two may be."""
    found = list(
        session.scalars(
            select(Lot)
            .join(PartRevision, Lot.part_revision_id == PartRevision.id)
            .join(Part)
            .where(Part.part_no == part_no, (Lot.number == number) | (Lot.heat == number))
            .order_by(Lot.id)
        )
    )
    usable = [lot for lot in found if lot.status is LotStatus.AVAILABLE]
    if len(usable) > 1:
        raise Invalid(
            f"Expected one lot {number} of {part_no}, but {len(usable)} may be used: {', '.join(lot.number for lot in usable)}",
            {"lot": "Name one of " + ", ".join(lot.number for lot in usable)},
        )
    return next(iter(usable), found[0] if found else None)


def receipt_cost(session: Session, lot: Lot) -> Decimal | None:
    """Return what one base unit of a received lot cost, in the company currency; None for a lot that was not bought.

    The price is the order line's at its accepted revision, at the order's exchange rate; without a rate nobody knows.
    Source: domain.md 1.31.
    """
    if lot.source is not LotSource.RECEIPT or lot.source_id is None:
        return None
    receipt = session.get(Receipt, lot.source_id)
    if receipt is None:
        return None
    line = receipt.order_line
    price = line.company_price
    return None if price is None else (price / line.conversion_factor).quantize(CENT, rounding=ROUND_HALF_UP)


def issue(act: Act, actual: Actual) -> None:
    """Take issued material out of its lot. A lot that nobody named, or nobody knows, is kept as a gap.

    Raises: RuleViolation CON-16 when the lot may not be used; Conflict NOT_ENOUGH.
    """
    assert actual.quantity is not None
    lot = act.session.get(Lot, actual.lot_id) if actual.lot_id else None
    released = (
        select(PartRevision)
        .join(Part)
        .where(Part.part_no == actual.item, PartRevision.status == RevisionStatus.RELEASED)
    )
    genealogy.consume(
        act, lot, actual.quantity, work_order_id=actual.work_order_id, operation_id=actual.operation_id, uom=actual.uom,
        part_revision=None if lot is not None else act.session.scalars(released).first(), event=_event(actual),
    )  # fmt: skip


def take_back(act: Act, actual: Actual, reversal: Actual) -> None:
    """Put material back into its lot that was issued by mistake. Raises: Conflict when it went on into something."""
    edge = genealogy.event_called(act.session, _event(actual).id)
    if edge is None:
        return
    if genealogy.reversal_of(act.session, edge) is not None:
        raise Conflict(f"Expected the issue {actual.number} to stand, but its genealogy was corrected", code="REVERSED")
    genealogy.reverse(act, edge, reason=reversal.reason, event=_event(reversal))


def _event(actual: Actual) -> Event:
    return Event(
        f"{actual.source_system}:{actual.source_event_id}"[:200], system=actual.source_system, happened_at=actual.event_time,
        performer=actual.performer,
    )  # fmt: skip
