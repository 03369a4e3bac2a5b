"""Find what a change touches: concrete rows from stock, orders, suppliers, work, plans and the field, one statement a source (C04).

The number of statements does not grow with the number of rows. Sources outside Lockstep are ports in the installation's extras; one that
does not answer makes the set incomplete, and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol

from sqlalchemy import and_, exists, func, or_, select
from sqlalchemy.orm import Session

from engine.record import Operation
from processes.impact_work import in_work
from records.calendar import Site
from records.change_order import ChangeOrder
from records.impact import ImpactTarget, PieceState
from records.lot import EdgeKind, GenealogyEdge, Lot, LotSource, LotStatus
from records.outside import FINAL, LinkRole, OutsideLink
from records.part import Criticality, Part, PartRevision, ProductDefinitionRef
from records.purchase_order import LineStatus, OrderStatus, PurchaseOrder, PurchaseOrderLine
from records.receipt import Receipt
from records.requisition import Requisition, RequisitionLine, RequisitionStatus
from records.supplier import ApprovalSubject, Supplier, SupplierApproval
from records.work_order import WorkOrder, WorkOrderOperation, WorkOrderStatus, WorkOrderType
from rules.change_control import items_of

SOURCES = "impact_sources"
"""Name of the extra that lists sources outside Lockstep (``ImpactSource``)."""

SAFETY = (Criticality.FLIGHT_SAFETY, Criticality.IMPLANT)
IN_STOCK = (LotStatus.AVAILABLE, LotStatus.QUARANTINE, LotStatus.HOLD)
ORDERED_NO_MORE = (OrderStatus.CLOSED, OrderStatus.CANCELLED, OrderStatus.REJECTED, OrderStatus.SUPPLIER_REJECTED)
LINE_OPEN = (LineStatus.OPEN, LineStatus.PART_RCVD)
ASKED_NO_MORE = (RequisitionStatus.CLOSED, RequisitionStatus.CANCELLED, RequisitionStatus.REJECTED)
ZERO = Decimal(0)


class SourceUnavailable(Exception):
    """A source did not answer. Its text says which, and since when."""


@dataclass(frozen=True, slots=True)
class Found:
    """Pieces in one place and state."""

    target: ImpactTarget
    target_id: str
    state: PieceState
    part_revision_id: str | None
    document: tuple[str, str]
    native_ref: str
    quantity: Decimal
    uom: str
    place: str = ""
    unit_value: Decimal | None = None
    is_counted: bool = True


@dataclass(slots=True)
class Scope:
    """What a change is about: ids of part revisions, order lines, orders, work orders, and approvals of suppliers."""

    revisions: set[str] = field(default_factory=set)
    lines: set[str] = field(default_factory=set)
    orders: set[str] = field(default_factory=set)
    works: set[str] = field(default_factory=set)
    approvals: set[str] = field(default_factory=set)


class ImpactSource(Protocol):
    """A system outside Lockstep that knows of pieces (stock of another plant, a store of shipped serials)."""

    name: str

    def rows(self, session: Session, scope: Scope) -> Iterable[Found]:
        """Return what it knows. Raises: SourceUnavailable."""


def scope_of(session: Session, order: ChangeOrder) -> Scope:
    """Return what a change order is about: its affected revisions, and the rows that its items would set."""
    scope = Scope(revisions={item.part_revision_from_id for item in order.affected})
    named: dict[str, set[str]] = {}
    for item in items_of(session, order):
        named.setdefault(item.table_name, set()).add(item.row_id)
        if item.operation is Operation.INSERT and item.column_name == "part_revision_id" and item.new_text is not None:
            scope.revisions.add(item.new_text)
    coming = {item.part_revision_to_id for item in order.affected}
    scope.revisions |= named.get(PartRevision.__tablename__, set()) - coming
    scope.lines |= named.get(PurchaseOrderLine.__tablename__, set())
    scope.orders |= named.get(PurchaseOrder.__tablename__, set())
    scope.works |= named.get(WorkOrder.__tablename__, set())
    scope.approvals |= named.get(SupplierApproval.__tablename__, set())
    for mapped, column, into in (
        (ProductDefinitionRef, ProductDefinitionRef.part_revision_id, scope.revisions),
        (WorkOrderOperation, WorkOrderOperation.work_order_id, scope.works),
    ):
        ids = named.get(mapped.__tablename__, set())
        if ids:
            into |= set(session.scalars(select(column).where(mapped.id.in_(ids))))
    scope.revisions -= {each for each in coming if each is not None}
    return scope


def find(session: Session, order: ChangeOrder, *, others: Sequence[ImpactSource] = ()) -> tuple[list[Found], list[str]]:
    """Return every row that a change touches, in a stable order, and a sentence for each source that did not answer."""
    scope, missing = scope_of(session, order), []
    found = touching(session, scope)
    for other in others:
        try:
            found += list(other.rows(session, scope))
        except SourceUnavailable as silence:
            missing.append(f"Expected {other.name} to answer, but it did not: {silence}")
    return _in_order(found), missing


def touching(session: Session, scope: Scope) -> list[Found]:
    """Return every row that this house knows of a scope, in a stable order; systems outside are not asked."""
    return _in_order([row for source in SOURCES_HERE for row in source(session, scope)])


def _in_order(found: Iterable[Found]) -> list[Found]:
    order_of = {target: position for position, target in enumerate(ImpactTarget)}
    return sorted(found, key=lambda row: (order_of[row.target], row.native_ref, row.state, row.target_id))


def _stock(session: Session, scope: Scope) -> Iterator[Found]:
    price = PurchaseOrderLine.unit_price
    wanted = (
        select(
            Lot.id, Lot.number, Lot.status, Lot.part_revision_id, Lot.quantity_left, Lot.uom, Receipt.location, price,
            PurchaseOrder.fx_rate, PurchaseOrderLine.conversion_factor,
        )
        .outerjoin(Receipt, and_(Lot.source_type == Receipt.__tablename__, Receipt.id == Lot.source_id))
        .outerjoin(PurchaseOrderLine, PurchaseOrderLine.id == Receipt.order_line_id)
        .outerjoin(PurchaseOrder, PurchaseOrder.id == PurchaseOrderLine.order_id)
        .where(Lot.part_revision_id.in_(scope.revisions), Lot.quantity_left > 0, Lot.status.in_(IN_STOCK))
    )  # fmt: skip
    for lot_id, number, status, revision_id, left, uom, location, unit_price, rate, factor in session.execute(wanted):
        yield Found(
            ImpactTarget.STOCK_LOT, lot_id, PieceState(status.value), revision_id, (Lot.__tablename__, lot_id), number, left, uom,
            place=location or "", unit_value=_value(unit_price, rate, factor),
        )  # fmt: skip


def _on_order(session: Session, scope: Scope) -> Iterator[Found]:
    """Lines of orders: what is still to come; of processing, what has not left for it yet (the same pieces stand in their work)."""
    away, linked = _linked()
    wanted = (
        select(
            PurchaseOrderLine.id, PurchaseOrderLine.order_id, PurchaseOrderLine.line_no, PurchaseOrder.po_no,
            PurchaseOrder.proposal_no, PurchaseOrderLine.part_revision_id, PurchaseOrderLine.quantity,
            PurchaseOrderLine.quantity_received, PurchaseOrderLine.uom, PurchaseOrderLine.unit_price, PurchaseOrder.fx_rate,
            PurchaseOrderLine.process_code, Supplier.name, away.c.away, away.c.link_count,
        )
        .join(PurchaseOrder, PurchaseOrder.id == PurchaseOrderLine.order_id)
        .join(Supplier, Supplier.id == PurchaseOrder.supplier_id)
        .outerjoin(away, away.c.order_line_id == PurchaseOrderLine.id)
        .where(
            PurchaseOrder.status.not_in(ORDERED_NO_MORE), PurchaseOrderLine.status.in_(LINE_OPEN),
            or_(
                PurchaseOrderLine.part_revision_id.in_(scope.revisions), PurchaseOrderLine.id.in_(scope.lines),
                PurchaseOrderLine.order_id.in_(scope.orders), PurchaseOrderLine.id.in_(linked(scope)),
                *_approved_source(session, scope),
            ),
        )
    )  # fmt: skip
    for row in session.execute(wanted):
        is_processing = row.process_code is not None or bool(row.link_count)
        left = row.quantity - row.quantity_received - (row.away or ZERO)
        if left > 0:
            yield Found(
                ImpactTarget.PO_LINE, row.id, PieceState.NOT_SHIPPED if is_processing else PieceState.ON_ORDER,
                row.part_revision_id, (PurchaseOrder.__tablename__, row.order_id),
                f"{row.po_no or row.proposal_no}/{row.line_no}", left, row.uom, place=row.name,
                unit_value=_value(row.unit_price, row.fx_rate, None), is_counted=not is_processing,
            )  # fmt: skip


def _linked() -> tuple[Any, Callable[[Scope], Any]]:
    """Return what is away for each line, in the line's unit, and the lines whose work is of a scope."""
    away = (
        select(
            OutsideLink.order_line_id,
            func.sum(OutsideLink.at_supplier * OutsideLink.conversion_factor, type_=OutsideLink.at_supplier.type).label("away"),
            func.count().label("link_count"),
        )
        .where(OutsideLink.status.not_in(FINAL))
        .group_by(OutsideLink.order_line_id)
        .subquery()
    )  # fmt: skip

    def linked(scope: Scope) -> Any:
        wanted = select(OutsideLink.order_line_id).where(OutsideLink.status.not_in(FINAL))
        return wanted.where(_of_work(scope))

    return away, linked


def _of_work(scope: Scope) -> Any:
    works = select(WorkOrderOperation.id).where(WorkOrderOperation.work_order_id.in_(scope.works))
    return or_(OutsideLink.part_revision_id.in_(scope.revisions), OutsideLink.operation_id.in_(works))


def _at_supplier(session: Session, scope: Scope) -> Iterator[Found]:
    wanted = (
        select(
            OutsideLink.id, OutsideLink.at_supplier, OutsideLink.uom, OutsideLink.part_revision_id, PurchaseOrder.po_no,
            PurchaseOrder.proposal_no, PurchaseOrderLine.line_no, Supplier.name, PurchaseOrderLine.unit_price,
            PurchaseOrder.fx_rate, OutsideLink.conversion_factor,
        )
        .join(PurchaseOrderLine, PurchaseOrderLine.id == OutsideLink.order_line_id)
        .join(PurchaseOrder, PurchaseOrder.id == PurchaseOrderLine.order_id)
        .join(Supplier, Supplier.id == PurchaseOrder.supplier_id)
        .where(
            OutsideLink.at_supplier > 0, OutsideLink.role == LinkRole.OSP,
            or_(
                _of_work(scope), OutsideLink.order_line_id.in_(scope.lines), PurchaseOrderLine.order_id.in_(scope.orders),
                PurchaseOrderLine.part_revision_id.in_(scope.revisions), *_approved_source(session, scope),
            ),
        )
    )  # fmt: skip
    for row in session.execute(wanted):
        yield Found(
            ImpactTarget.AT_SUPPLIER, row.id, PieceState.AWAY, row.part_revision_id, (OutsideLink.__tablename__, row.id),
            f"{row.po_no or row.proposal_no}/{row.line_no}", row.at_supplier, row.uom, place=row.name,
        )  # fmt: skip


def _approved_source(session: Session, scope: Scope) -> list[Any]:
    """Return the conditions that an order line is bought under an approval that changes."""
    found = []
    approvals = select(SupplierApproval).where(SupplierApproval.id.in_(scope.approvals)) if scope.approvals else None
    for approval in session.scalars(approvals) if approvals is not None else ():
        of_supplier = PurchaseOrder.supplier_id == approval.supplier_id
        parts = select(PartRevision.id).join(Part, Part.id == PartRevision.part_id)
        subject = {
            ApprovalSubject.PROCESS: PurchaseOrderLine.process_code == approval.subject_code,
            ApprovalSubject.PART: PurchaseOrderLine.part_revision_id.in_(
                parts.where(Part.part_no == approval.subject_code)
            ),
            ApprovalSubject.COMMODITY: PurchaseOrderLine.part_revision_id.in_(
                parts.where(Part.commodity == approval.subject_code)
            ),
        }[approval.subject]
        found.append(and_(of_supplier, subject))
    return found


def _work(session: Session, scope: Scope) -> Iterator[Found]:
    for standing in in_work(session, scope.revisions, scope.works):
        yield Found(
            standing.target, standing.target_id, standing.state, standing.part_revision_id,
            (WorkOrder.__tablename__, standing.work_order_id), standing.native_ref, standing.quantity, standing.uom,
            place=standing.place, unit_value=standing.unit_value,
        )  # fmt: skip


def _planned(session: Session, scope: Scope) -> Iterator[Found]:
    open_quantity = RequisitionLine.quantity - RequisitionLine.converted_quantity
    wanted = (
        select(
            RequisitionLine.id, RequisitionLine.requisition_id, RequisitionLine.line_no, Requisition.number,
            RequisitionLine.part_revision_id, open_quantity, RequisitionLine.uom, RequisitionLine.planned_order,
        )
        .join(Requisition, Requisition.id == RequisitionLine.requisition_id)
        .where(
            RequisitionLine.part_revision_id.in_(scope.revisions), open_quantity > 0, Requisition.status.not_in(ASKED_NO_MORE),
        )
    )  # fmt: skip
    for line_id, requisition_id, line_no, number, revision_id, left, uom, planned in session.execute(wanted):
        yield Found(
            ImpactTarget.PLANNED_ORDER, line_id, PieceState.PLANNED, revision_id, (Requisition.__tablename__, requisition_id),
            f"{number}/{line_no}", Decimal(left), uom, place=planned or "",
        )  # fmt: skip


def _shipped(session: Session, scope: Scope) -> Iterator[Found]:
    """Serials of safety parts that left the plant: made here and withdrawn from stock unused, or serviced at a customer's."""
    safety = (
        select(PartRevision.id)
        .join(Part, Part.id == PartRevision.part_id)
        .where(PartRevision.id.in_(scope.revisions), Part.criticality.in_(SAFETY))
    )
    gone = exists().where(
        GenealogyEdge.parent_id == Lot.id, GenealogyEdge.kind == EdgeKind.WITHDRAWN, GenealogyEdge.quantity > 0,
        GenealogyEdge.event_id.not_like("change:%"),
    )  # fmt: skip
    serials = select(Lot.id, Lot.number, Lot.part_revision_id, Lot.quantity, Lot.uom).where(
        Lot.part_revision_id.in_(safety),
        Lot.is_serial,
        Lot.source == LotSource.WORK_ORDER,
        Lot.quantity_left == 0,
        gone,
    )
    known: set[str | None] = set()
    for lot_id, number, revision_id, quantity, uom in session.execute(serials):
        known.add(number)
        yield Found(
            ImpactTarget.SHIPPED,
            lot_id,
            PieceState.DELIVERED,
            revision_id,
            (Lot.__tablename__, lot_id),
            number,
            quantity,
            uom,
        )
    serviced = select(WorkOrder.id, WorkOrder.serial, WorkOrder.customer, WorkOrder.part_revision_id).where(
        WorkOrder.type == WorkOrderType.FIELD_SERVICE, WorkOrder.part_revision_id.in_(safety), WorkOrder.serial.is_not(None),
        WorkOrder.status != WorkOrderStatus.CANCELLED,
    )  # fmt: skip
    for work_id, serial, customer, served_id in session.execute(serviced.order_by(WorkOrder.number)):
        if serial not in known:
            known.add(serial)
            yield Found(
                ImpactTarget.SHIPPED, work_id, PieceState.DELIVERED, served_id, (WorkOrder.__tablename__, work_id), str(serial),
                Decimal(1), "EA", place=customer or "",
            )  # fmt: skip


SOURCES_HERE = (_stock, _on_order, _at_supplier, _work, _planned, _shipped)


def _value(price: Decimal | None, rate: Decimal | None, factor: Decimal | None) -> Decimal | None:
    """Return a price in the site's currency for a stock unit, or None where nobody knows it."""
    if price is None:
        return None
    return (price * (rate or Decimal(1)) / (factor or Decimal(1))).quantize(Decimal("0.0001"))


def currency_of(site: Site) -> str:
    """Return the currency that values of rows are in."""
    return site.currency
