"""What a document without a title of its own is about: its first thing and how many more, for a page of documents at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from records.amendment import PurchaseOrderAmendment
from records.outside import OutsideLink
from records.part import PartRevision
from records.purchase_order import PurchaseOrder, PurchaseOrderLine
from records.quotation import RequestForQuotation
from records.requisition import Requisition, RequisitionLine
from records.work_order import WorkOrder, WorkOrderOperation
from webapp import visit
from webapp.formats import quantity

LONGEST = 120


def subjects(session: Session, record_type: str, ids: Collection[str]) -> Mapping[str, str]:
    """Return in words what each of some documents of one kind is about, by id: ``40 EA × WB-2200/B and 2 more``.

    A document that has no words, and a kind that is not known here, is left out.
    """
    work = _KINDS.get(record_type)
    found = work(session, ids) if work is not None and ids else {}
    return {key: words[:LONGEST] for key, words in found.items() if words}


def _of_lines(parent: Any, line: Any) -> Callable[[Session, Collection[str]], Mapping[str, str]]:
    """Return how documents of lines are said: only the first line of each is read, however many there are."""

    def read(session: Session, ids: Collection[str]) -> Mapping[str, str]:
        # Kept as a join, so that a document of five hundred lines costs as little as one of a single line.
        counted = select(parent.label("about"), func.min(line.line_no).label("line_no"), func.count().label("lines"))
        first = counted.where(parent.in_(ids)).group_by(parent).subquery()
        wanted = select(line, first.c.about, first.c.lines).join(
            first, (parent == first.c.about) & (line.line_no == first.c.line_no)
        )
        rows = session.execute(wanted.options(joinedload(line.part_revision).joinedload(PartRevision.part)))
        return {about: _first_of(one, lines) for one, about, lines in rows}

    return read


def _first_of(line: Any, lines: int) -> str:
    amount = quantity(line.quantity, line.uom, visit.visitor().how)
    return f"{amount} × {line.item}" + (f" and {lines - 1} more" if lines > 1 else "")


def _amendments(session: Session, ids: Collection[str]) -> Mapping[str, str]:
    orders = dict(
        session.execute(
            select(PurchaseOrderAmendment.id, PurchaseOrderAmendment.order_id).where(PurchaseOrderAmendment.id.in_(ids))
        ).all()
    )
    about = subjects(session, PurchaseOrder.record_type, set(orders.values()))
    return {key: about.get(order_id, "") for key, order_id in orders.items()}


def _requests(session: Session, ids: Collection[str]) -> Mapping[str, str]:
    rows = session.execute(
        select(RequestForQuotation.id, RequestForQuotation.requisition_id).where(RequestForQuotation.id.in_(ids))
    )
    asked = dict(rows.all())
    about = subjects(session, Requisition.record_type, set(asked.values()))
    return {key: about.get(requisition_id, "") for key, requisition_id in asked.items()}


def _work_orders(session: Session, ids: Collection[str]) -> Mapping[str, str]:
    how = visit.visitor().how
    wanted = (
        select(WorkOrder)
        .where(WorkOrder.id.in_(ids))
        .options(joinedload(WorkOrder.part_revision).joinedload(PartRevision.part))
    )
    return {one.id: f"{quantity(one.quantity, one.uom, how)} × {one.item}" for one in session.scalars(wanted)}


def _operations(session: Session, ids: Collection[str]) -> Mapping[str, str]:
    how = visit.visitor().how
    order = joinedload(WorkOrderOperation.work_order)
    wanted = select(WorkOrderOperation).where(WorkOrderOperation.id.in_(ids))
    rows = session.scalars(wanted.options(order.joinedload(WorkOrder.part_revision).joinedload(PartRevision.part)))
    return {
        one.id: f"{one.description}: {quantity(one.work_order.quantity, one.work_order.uom, how)} × {one.work_order.item}"
        for one in rows
    }


def _links(session: Session, ids: Collection[str]) -> Mapping[str, str]:
    how = visit.visitor().how
    part = joinedload(OutsideLink.part_revision).joinedload(PartRevision.part)
    wanted = select(OutsideLink).where(OutsideLink.id.in_(ids)).options(part)
    return {
        one.id: f"{quantity(one.allocated_quantity, one.uom, how)} × {one.part_revision.number if one.part_revision else one.number}"
        for one in session.scalars(wanted)
    }


_KINDS: Mapping[str, Callable[[Session, Collection[str]], Mapping[str, str]]] = {
    PurchaseOrder.record_type: _of_lines(PurchaseOrderLine.order_id, PurchaseOrderLine),
    Requisition.record_type: _of_lines(RequisitionLine.requisition_id, RequisitionLine),
    RequestForQuotation.record_type: _requests,
    PurchaseOrderAmendment.record_type: _amendments,
    WorkOrder.record_type: _work_orders,
    WorkOrderOperation.record_type: _operations,
    OutsideLink.record_type: _links,
}
