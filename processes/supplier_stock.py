"""What other systems see at suppliers' places, compared with what our links say is there (BLUR-W6).

An observation writes nothing but itself. More pieces there than links sent is a finding on the work order; fewer is a discrepancy with the
system that looked.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engine.act import Act
from engine.errors import Finding, Invalid
from processes.goods_signature import role_for
from records.external import Discrepancy, DiscrepancyKind, DiscrepancyStatus, Severity, move
from records.outside import LinkStatus, OutsideLink, OutsideMovement
from records.purchase_order import PurchaseOrder, PurchaseOrderLine
from records.supplier import Supplier
from records.supplier_knowledge import ObservedStock
from records.work_order import WorkOrder, WorkOrderOperation
from rules.blurred_roles import judge_evidence, stock_without_link
from rules.blurred_work import is_critical_work

FIELD = "at_supplier"
OWNER = "role:PLANNER"
REPORTERS = ("SHIPPING", "RECEIVING", "PLANNER", "INTEGRATION")
NONE = Decimal(0)
AGREES = "Links and the place agree again"


@dataclass(frozen=True, slots=True)
class Seen:
    """Pieces of a work order at a supplier's place, as another system sees them. native_id: the row's name there."""

    system: str
    native_id: str
    supplier: Supplier
    location: str
    work_order: str
    quantity: Decimal
    at: dt.datetime
    item: str = ""
    uom: str = "EA"


@dataclass(frozen=True, slots=True)
class Place:
    """Pieces of one work order at one supplier: what systems see there, and what links say. systems: which ones looked."""

    supplier: Supplier
    location: str
    systems: str
    seen: Decimal
    linked: Decimal
    is_stale: bool


def observe(act: Act, seen: Seen) -> tuple[ObservedStock, bool]:
    """Keep what a system sees; return the row and whether it says anything new. An older look than the one that is kept is ignored.

    Raises: Forbidden; Invalid naming the field.
    """
    role_for(act, REPORTERS, to="report stock at a supplier")
    _check(act, seen)
    wanted = select(ObservedStock).where(ObservedStock.system == seen.system, ObservedStock.native_id == seen.native_id)
    row = act.session.scalars(wanted).first()
    values = {
        "supplier_id": seen.supplier.id, "location": seen.location.strip(), "work_order_number": seen.work_order,
        "work_order_id": _work_order_id(act.session, seen.work_order), "item": seen.item, "quantity": seen.quantity,
        "uom": seen.uom, "observed_at": seen.at,
    }  # fmt: skip
    if row is None:
        row = ObservedStock(system=seen.system, native_id=seen.native_id, **values)
        act.session.add(row)
        act.session.flush()
        return row, True
    if seen.at <= row.observed_at:
        return row, False
    for name, value in values.items():
        setattr(row, name, value)
    act.session.flush()
    return row, True


def instant_in(text: str) -> dt.datetime:
    """Return the instant that a text names, with its zone. Raises: Invalid."""
    try:
        at = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise Invalid(
            f"Expected an instant such as 2026-11-22T14:30:00Z, but found {text!r:.40}",
            {"observed_at": "is no instant"},
        ) from error
    if at.tzinfo is None:
        raise Invalid("Expected an instant with its zone, but found none", {"observed_at": "has no zone"})
    return at


def judge_stock(session: Session, order: WorkOrder) -> list[Finding]:
    """Return BLUR-W6 for every supplier's place that holds more pieces of a work order than links say."""
    found: list[Finding] = []
    critical = any(is_critical_work(operation) for operation in order.operations)
    for place in places_of(session, order):
        where = f"{place.location} ({place.supplier.name}), as {place.systems} sees it,"
        evidence = stock_without_link(order.number, where, place.seen, place.linked)
        found += judge_evidence(order, evidence, is_critical=critical, owner=OWNER)
    return found


def compare_stock(act: Act, order: WorkOrder) -> list[Discrepancy]:
    """Open a discrepancy where links say that more is at a supplier than a system sees there, and resolve what agrees again.

    What moved after the system looked is not held against it.
    """
    places = {(place.supplier.supplier_no, place.systems): place for place in places_of(act.session, order)}
    known = {found.field: found for found in _discrepancies(act.session, order)}
    opened = []
    for (number, systems), place in places.items():
        field, differs = f"{FIELD}.{number}"[:200], place.linked > place.seen and not place.is_stale
        before = known.pop(field, None)
        if differs:
            opened.append(_open(act, order, place, field, systems, before))
        elif before is not None:
            _resolve(act, before)
    for before in known.values():
        _resolve(act, before)
    act.session.flush()
    return opened


def places_of(session: Session, order: WorkOrder) -> Iterator[Place]:
    """Yield each supplier's place that a system looked at for a work order."""
    wanted = select(ObservedStock).where(ObservedStock.work_order_id == order.id)
    by_supplier: dict[str, list[ObservedStock]] = {}
    for row in session.scalars(wanted.order_by(ObservedStock.system, ObservedStock.native_id)):
        by_supplier.setdefault(row.supplier_id, []).append(row)
    for supplier_id, rows in by_supplier.items():
        moved, linked = _linked(session, order, supplier_id)
        looked = min(row.observed_at for row in rows)
        yield Place(
            rows[0].supplier, ", ".join(sorted({row.location for row in rows})),
            ", ".join(sorted({row.system for row in rows})), sum((row.quantity for row in rows), NONE), linked,
            moved is not None and moved > looked,
        )  # fmt: skip


def watched_orders(session: Session) -> list[str]:
    """Return the ids of the work orders that some system has looked for at a supplier."""
    wanted = select(ObservedStock.work_order_id).where(ObservedStock.work_order_id.is_not(None)).distinct()
    return [str(found) for found in session.scalars(wanted)]


def _check(act: Act, seen: Seen) -> None:
    wrong = {}
    if not seen.system.strip() or not seen.native_id.strip():
        wrong["native_id"] = "a row needs a system and its name there"
    if not seen.location.strip():
        wrong["location"] = "is required"
    if not seen.work_order.strip():
        wrong["work_order"] = "is required"
    if seen.quantity < 0:
        wrong["quantity"] = "is below 0"
    if seen.at > act.now:
        wrong["observed_at"] = "is still to come"
    if wrong:
        raise Invalid("Expected pieces at a place, seen by a system, but some fields do not fit", wrong)


def _work_order_id(session: Session, number: str) -> str | None:
    """Return the only work order with a number, or None where it is unknown or ambiguous: the row is kept all the same."""
    found = session.scalars(select(WorkOrder.id).where(WorkOrder.number == number).limit(2)).all()
    return found[0] if len(found) == 1 else None


def _linked(session: Session, order: WorkOrder, supplier_id: str) -> tuple[dt.datetime | None, Decimal]:
    """Return when something last moved between a work order and a supplier, and how much its links say is there."""
    links = (
        select(OutsideLink.id, OutsideLink.at_supplier)
        .join(WorkOrderOperation, WorkOrderOperation.id == OutsideLink.operation_id)
        .join(PurchaseOrderLine, PurchaseOrderLine.id == OutsideLink.order_line_id)
        .join(PurchaseOrder, PurchaseOrder.id == PurchaseOrderLine.order_id)
        .where(WorkOrderOperation.work_order_id == order.id, PurchaseOrder.supplier_id == supplier_id)
        .where(OutsideLink.status != LinkStatus.CANCELLED)
    )
    rows = session.execute(links).all()
    moved = session.scalar(
        select(func.max(OutsideMovement.created_at)).where(OutsideMovement.link_id.in_([row.id for row in rows]))
    )
    return moved, sum((row.at_supplier for row in rows), NONE)


def _discrepancies(session: Session, order: WorkOrder) -> list[Discrepancy]:
    wanted = select(Discrepancy).where(
        Discrepancy.document_type == order.record_type, Discrepancy.document_id == order.id,
        Discrepancy.field.startswith(f"{FIELD}."),
    )  # fmt: skip
    return list(session.scalars(wanted))


def _open(
    act: Act, order: WorkOrder, place: Place, field: str, systems: str, before: Discrepancy | None
) -> Discrepancy:
    ours, theirs = f"{place.linked.normalize():f}", f"{place.seen.normalize():f}"
    if before is None:
        before = Discrepancy(
            document_type=order.record_type, document_id=order.id, document_number=order.number, field=field,
            system=systems[:40], kind=DiscrepancyKind.MISSING if not place.seen else DiscrepancyKind.QTY,
            severity=Severity.MAJOR, ours=ours, theirs=theirs, owner=OWNER, opened_at=act.now,
        )  # fmt: skip
        act.session.add(before)
        return before
    # What a person has settled stays settled until the numbers change; what agreed for a while by itself does not.
    is_news = (before.ours, before.theirs) != (ours, theirs) or before.resolution == AGREES
    before.ours, before.theirs = ours, theirs
    if is_news and before.status is DiscrepancyStatus.RESOLVED:
        move(act, before, DiscrepancyStatus.OPEN, reason="Found again")
    return before


def _resolve(act: Act, found: Discrepancy) -> None:
    if found.status is DiscrepancyStatus.OPEN:
        move(act, found, DiscrepancyStatus.RESOLVED, reason=AGREES)
