"""Which change order stands behind the technical values of an amendment (domain.md A40.3): it names the line and what it becomes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.record import Operation, Record
from records.amendment import PurchaseOrderAmendment
from records.change_order import IN_FORCE, ChangeOrder, ItemAction
from records.change_request import OrderClass
from records.part import PartRevision
from records.purchase_order import PurchaseOrder, PurchaseOrderLine
from rules.amending import HEADER, LINE, TECHNICAL, Asked, Classified
from rules.amendment_words import said
from rules.change_control import items_of, open_orders_on
from rules.change_item import ChangeClass
from rules.controlled import current_policy

CARRIED = frozenset(
    {*HEADER, *LINE, "part_revision_id", "service_code", "process_code", "spec", "spec_rev", "supplier_site_id", "order_id",
     "status", "uom", "conversion_factor", "line_no"}
)  # fmt: skip
"""Columns that an amendment under a change order carries; another supplier or kind of order is another order."""

BY_REVISION = ("part_revision_id", "spec", "spec_rev")
"""Columns of a line that follow from an affected revision."""


def covered(
    session: Session, order: PurchaseOrder, classified: Sequence[Classified], *, change_order: ChangeOrder | None = None
) -> tuple[list[Classified], ChangeOrder | None]:
    """Return the values, the technical ones under the one change order in force that names them all, and that order.

    change_order: the one that is meant, else the first that fits. Without one, each technical value says what stands open.
    """
    wanted = [one for one in classified if one.change_class in TECHNICAL]
    if not wanted:
        return list(classified), None
    for candidate in [change_order] if change_order is not None else _in_force(session):
        depths = {one.asked.path: _depth(session, candidate, order, one) for one in wanted}
        if candidate.is_in_force and all(depths.values()):
            return [_under(one, candidate, depths.get(one.asked.path)) for one in classified], candidate
    named = [change_order] if change_order is not None else _open_on(session, order, wanted)
    return [
        replace(one, hint=_hint(session, order, one, named)) if one in wanted else one for one in classified
    ], change_order


def why_not_covered(session: Session, amendment: PurchaseOrderAmendment) -> str | None:
    """Return why the change order behind an amendment allows it no more, or None. What a reversal restores needs none."""
    if amendment.change_order_id is None or amendment.reverts_id is not None:
        return None
    change = session.get_one(ChangeOrder, amendment.change_order_id)
    if not change.is_in_force:
        return f"{change.number} is {change.status} meanwhile, so it covers {amendment.number} no more"
    for row in amendment.changes:
        if not row.column_name or ChangeClass(row.change_class.value) not in TECHNICAL:
            continue
        asked = Asked(
            row.path, None, row.table_name, row.row_id, row.column_name, row.operation, row.old_text, row.new_text, None
        )
        if _named(session, change, amendment.order, asked) is None:
            return f"{change.number} does not say meanwhile what the {said(row.path)} becomes"
    return None


def _depth(session: Session, change: ChangeOrder, order: PurchaseOrder, one: Classified) -> ChangeClass | None:
    """Return the class that a change order gives a value, or None when it does not name it or is not deep enough for it."""
    asked = one.asked
    named = _named(session, change, order, asked)
    if named is None or asked.column not in CARRIED or _is_received(asked):
        return None
    control = current_policy().of(asked.table_name, asked.column, order.status.value)
    # Whether a revision changes more than the document is what the change order decides, nothing else (4c: C4, C3 if doc-only).
    needed = control.change_class if control is not None and asked.column == "part_revision_id" else one.change_class
    if asked.operation is Operation.INSERT:
        needed = ChangeClass.C3
    return named if named in needed.sufficient else None


def _named(session: Session, change: ChangeOrder, order: PurchaseOrder, asked: Asked) -> ChangeClass | None:
    for item in items_of(session, change):
        mine = (item.table_name, item.row_id, item.column_name, item.new_text)
        if mine == (asked.table_name, asked.row_id, asked.column, asked.new):
            return _plain(item.change_class)
    if asked.table_name != PurchaseOrderLine.__tablename__ or asked.column not in BY_REVISION:
        return None
    deep = ChangeClass.C3 if change.change_class is OrderClass.C3 else ChangeClass.C4
    lines = [line for line in order.lines if asked.operation is Operation.INSERT or line.id == asked.row_id]
    for affected in change.affected:
        if affected.action not in (ItemAction.REVISE, ItemAction.SUPERSEDE):
            continue
        ours = any(affected.part_revision_from_id == line.part_revision_id for line in lines)
        if ours and (asked.column != "part_revision_id" or asked.new == affected.part_revision_to_id):
            return deep
    return None


def _plain(kind: ChangeClass) -> ChangeClass:
    """Return the class of an amendment for that of a change order's item: an emergency is technical major."""
    return ChangeClass.C4 if kind is ChangeClass.CE else kind


def _is_received(asked: Asked) -> bool:
    """Whether a line of another revision would say that what is there already is of it (4c: for the undelivered remainder only)."""
    line = asked.record
    return (
        isinstance(line, PurchaseOrderLine)
        and asked.column in ("part_revision_id", "service_code")
        and line.quantity_received > 0
    )


def _under(one: Classified, change: ChangeOrder, depth: ChangeClass | None) -> Classified:
    if depth is None:
        return one
    return replace(
        one, change_class=depth, cover=change.number, why=f"{one.why} {change.number} ({change.title}) says so."
    )


def _hint(session: Session, order: PurchaseOrder, one: Classified, named: Iterable[ChangeOrder]) -> str:
    """Return what to do about a technical value that nothing covers."""
    asked = one.asked
    if asked.column not in CARRIED:
        return "No amendment carries this, not even under a change order: cancel the order and order it anew."
    if _is_received(asked) and isinstance(asked.record, PurchaseOrderLine):
        number = asked.record.line_no
        return f"Goods of line {number} are there: order no more of line {number} and append a line for what is still to come."
    told = [f"{change.number} ({change.title}) {_standing(session, change, order, one)}" for change in named]
    return " ".join(told)


def _standing(session: Session, change: ChangeOrder, order: PurchaseOrder, one: Classified) -> str:
    if change.is_over:
        return f"is {change.status}: raise another change order."
    if _named(session, change, order, one.asked) is None:
        return f"is {change.status}, but does not say that it becomes this."
    if not change.is_in_force:
        return f"says so, but is {change.status}: amend the order once its board has approved it."
    return f"is of class {change.change_class} and does not reach."


def _open_on(session: Session, order: PurchaseOrder, wanted: Iterable[Classified]) -> list[ChangeOrder]:
    """Return the change orders under way that speak of what technical values would change."""
    found: dict[str, ChangeOrder] = {}
    for one in wanted:
        records: list[Record | None] = [one.asked.record]
        if one.asked.column in BY_REVISION:
            lines = [one.asked.record] if one.asked.record is not None else order.lines
            records += [line.part_revision for line in lines if isinstance(line, PurchaseOrderLine)]
            records.append(
                session.get(PartRevision, one.asked.new or "") if one.asked.column == "part_revision_id" else None
            )
        for record in records:
            if record is not None:
                found |= {change.id: change for change in open_orders_on(session, record)}
    return sorted(found.values(), key=lambda change: change.number)


def _in_force(session: Session) -> list[ChangeOrder]:
    wanted = select(ChangeOrder).where(ChangeOrder.status.in_(IN_FORCE)).order_by(ChangeOrder.number)
    return list(session.scalars(wanted))
