"""What the table ``change_order_class.dmn`` asks about one value that a change order would set."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.record import Record
from records.change_order import ChangeOrder, ChangeType, ItemAction
from records.outside import LinkStatus, OutsideLink
from records.part import Criticality, PartRevision, ProductDefinitionRef
from records.purchase_order import PurchaseOrderLine
from records.supplier import SupplierApproval
from records.work_order import WorkOrder, WorkOrderOperation
from rules.quality import is_special
from rules.supplier_gate import part_of, process_of


def facts_of(session: Session, order: ChangeOrder, record: Record, column: str, value: Any) -> dict[str, Any]:
    """Return the inputs of the table for one value."""
    links = _links(session, record)
    away = _away(links)
    return {
        "record_type": record.record_type,
        "field": column,
        "doc_only": is_doc_only(order),
        "special": _is_special(session, record),
        "away": away > 0,
        "below_away": column == "quantity" and isinstance(value, Decimal) and value < away,
        "linked": bool(links),
        "shortens": isinstance(record, SupplierApproval) and _shortens(record, column, value),
        "effective": isinstance(record, ChangeOrder) and record.effective_at is not None,
    }


def is_doc_only(order: ChangeOrder) -> bool:
    """Whether a change order changes documents alone: nothing of form, fit or function."""
    return order.type is ChangeType.DOCUMENT or (
        bool(order.affected) and all(item.action is ItemAction.DOC_ONLY for item in order.affected)
    )


def _links(session: Session, record: Record) -> list[OutsideLink]:
    if isinstance(record, WorkOrder):
        operations = [operation.id for operation in record.operations]
    elif isinstance(record, WorkOrderOperation):
        operations = [record.id]
    else:
        return []
    wanted = select(OutsideLink).where(
        OutsideLink.operation_id.in_(operations), OutsideLink.status != LinkStatus.CANCELLED
    )
    return list(session.scalars(wanted))


def _away(links: list[OutsideLink]) -> Decimal:
    by_operation: dict[str, Decimal] = {}
    for link in links:
        by_operation[link.operation_id] = by_operation.get(link.operation_id, Decimal(0)) + link.at_supplier
    return max(by_operation.values(), default=Decimal(0))


def _is_special(session: Session, record: Record) -> bool:
    if isinstance(record, WorkOrderOperation):
        return record.is_special or _is_critical(record.work_order.part_revision)
    if isinstance(record, WorkOrder):
        return _is_critical(record.part_revision)
    if isinstance(record, PartRevision):
        return _is_critical(record)
    if isinstance(record, ProductDefinitionRef):
        return _is_critical(record.part_revision)
    if isinstance(record, PurchaseOrderLine):
        part = part_of(record)
        return is_special(session, process_of(record)) or (part is not None and part.criticality is not Criticality.STD)
    return False


def _is_critical(revision: PartRevision | None) -> bool:
    return revision is not None and revision.part.criticality is not Criticality.STD


def _shortens(approval: SupplierApproval, column: str, value: Any) -> bool:
    if column == "valid_to":
        return value is not None and value < approval.valid_to
    if column == "specs":
        return bool(set(approval.specs) - set(value or ()))
    return column in ("max_quantity", "max_value") and value is not None
