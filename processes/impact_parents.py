"""Where the parts of a change are used: open work whose frozen standard asks for them, as information beside the grid (domain.md C04).

These pieces are other parts: nothing of the change is decided about them. But whoever decides about a lot sees which work waits for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from records.change_order import ChangeOrder
from records.part import Part, PartRevision
from records.standard_cost import CostKind, StandardCost
from records.work_order import ENDED, WorkOrder, WorkOrderStatus

MOST = 50
"""Work orders that are named; more are counted."""


@dataclass(frozen=True, slots=True)
class Use:
    """One open work order that takes a part. item: as its standard asks for it, ``P-200/B`` or ``P-200`` for any revision."""

    work_order_id: str
    number: str
    makes: str
    status: WorkOrderStatus
    item: str
    quantity: Decimal
    uom: str


@dataclass(frozen=True, slots=True)
class Uses:
    """The first of them by number, and how many there are."""

    found: Sequence[Use]
    count: int


def uses_of(session: Session, order: ChangeOrder) -> Uses:
    """Return the open work orders whose components name an affected revision, or its part without one."""
    ids = [item.part_revision_from_id for item in order.affected]
    affected = select(Part.part_no, PartRevision.rev).join(Part, Part.id == PartRevision.part_id)
    names = [
        name
        for part_no, rev in session.execute(affected.where(PartRevision.id.in_(ids)))
        for name in (part_no, f"{part_no}/{rev}")
    ]
    if not names:
        return Uses([], 0)
    wanted = (
        select(WorkOrder, StandardCost)
        .join(StandardCost, StandardCost.work_order_id == WorkOrder.id)
        .where(
            StandardCost.kind == CostKind.MATERIAL, StandardCost.item.in_(names),
            WorkOrder.status.not_in([*ENDED, WorkOrderStatus.COMPLETE]),
        )
    )  # fmt: skip
    count = session.scalar(select(func.count()).select_from(wanted.with_only_columns(WorkOrder.id).subquery())) or 0
    found = session.execute(wanted.order_by(WorkOrder.number, StandardCost.item).limit(MOST))
    return Uses(
        [Use(work.id, work.number, work.item, work.status, asked.item, asked.quantity, asked.uom) for work, asked in found], count
    )  # fmt: skip
