"""Where the pieces of open work orders stand: not begun, in work at an operation, or away at a supplier (domain.md C04)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from typing import Any

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from records.impact import ImpactTarget, PieceState
from records.outside import FINAL, LinkRole, OutsideLink
from records.work_order import ENDED, OperationStatus, WorkOrder, WorkOrderOperation, WorkOrderStatus, WorkOrderType

ZERO = Decimal(0)
OVER = (*ENDED, WorkOrderStatus.COMPLETE)
BEGUN = or_(
    WorkOrderOperation.good > 0, WorkOrderOperation.scrap > 0, WorkOrderOperation.rework > 0,
    WorkOrderOperation.status.not_in([OperationStatus.WAITING, OperationStatus.READY]),
)  # fmt: skip
"""That something was done at an operation, or has left from it."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Pieces of one work order in one state."""

    target: ImpactTarget
    target_id: str
    state: PieceState
    work_order_id: str
    part_revision_id: str | None
    native_ref: str
    quantity: Decimal
    uom: str
    place: str = ""
    unit_value: Decimal | None = None


def in_work(session: Session, revisions: Iterable[str], works: Iterable[str]) -> Iterator[Standing]:
    """Yield the pieces of every open work order of some revisions, or among some work orders.

    Pieces that an operation passed stand before the next one. What a first operation that has begun did not pass yet is not begun;
    where it has begun and nobody said what of, all are in work, since nobody can say which are untouched.
    """
    works_wanted = and_(
        WorkOrder.status.not_in(OVER), WorkOrder.type != WorkOrderType.FIELD_SERVICE,
        or_(WorkOrder.part_revision_id.in_(list(revisions)), WorkOrder.id.in_(list(works))),
    )  # fmt: skip
    steps = _steps(session, works_wanted)
    for order in session.execute(_orders(works_wanted)):
        begun = steps.get(order.id)
        if begun is None:
            yield _not_started(order, order.quantity)
        else:
            yield from _standing(order, begun)


def _orders(wanted: Any) -> Any:
    return select(
        WorkOrder.id, WorkOrder.number, WorkOrder.quantity, WorkOrder.uom, WorkOrder.status, WorkOrder.part_revision_id,
        WorkOrder.standard_cost,
    ).where(wanted)  # fmt: skip


def _steps(session: Session, wanted: Any) -> dict[str, list[Any]]:
    """Return the operations of the orders at which something has begun, with what is away from each."""
    away = (
        select(
            OutsideLink.operation_id, func.sum(OutsideLink.at_supplier, type_=OutsideLink.at_supplier.type).label("away")
        )
        .where(OutsideLink.status.not_in(FINAL), OutsideLink.role == LinkRole.OSP, OutsideLink.at_supplier > 0)
        .group_by(OutsideLink.operation_id)
        .subquery()
    )  # fmt: skip
    begun = (
        select(WorkOrderOperation.work_order_id)
        .join(WorkOrder, WorkOrder.id == WorkOrderOperation.work_order_id)
        .where(wanted, BEGUN)
    )
    steps = (
        select(
            WorkOrderOperation.work_order_id, WorkOrderOperation.id, WorkOrderOperation.op_no, WorkOrderOperation.status,
            WorkOrderOperation.good, WorkOrderOperation.scrap, WorkOrderOperation.rework, away.c.away,
        )
        .outerjoin(away, away.c.operation_id == WorkOrderOperation.id)
        .where(WorkOrderOperation.work_order_id.in_(begun))
        .order_by(WorkOrderOperation.work_order_id, WorkOrderOperation.op_no)
    )  # fmt: skip
    return {key: list(group) for key, group in groupby(session.execute(steps), key=lambda row: str(row.work_order_id))}


def _standing(order: Any, steps: list[Any]) -> Iterator[Standing]:
    passed, at = order.quantity, {}
    taken = [step for step in steps if step.status is not OperationStatus.SKIPPED_BY_DEVIATION]
    for turn, step in enumerate(taken):
        left = max(passed - step.good - step.scrap - (step.away or ZERO), ZERO)
        if turn == 0:
            untouched = left - step.rework
            is_silent = step.status is OperationStatus.STARTED and not (step.good or step.scrap or step.rework)
            if untouched > 0 and not is_silent:
                yield _not_started(order, untouched)
                left = step.rework
        at[step.id] = left
        passed = step.good
    if taken:
        at[taken[-1].id] += passed
    numbers = {step.id: step.op_no for step in taken}
    for step_id, quantity in at.items():
        if quantity > 0:
            yield Standing(
                ImpactTarget.WO_OP, step_id, PieceState.STARTED, order.id, order.part_revision_id, order.number, quantity, order.uom,
                place=f"operation {numbers[step_id]}", unit_value=_unit_value(order),
            )  # fmt: skip


def _not_started(order: Any, quantity: Decimal) -> Standing:
    return Standing(
        ImpactTarget.WO, order.id, PieceState.NOT_STARTED, order.id, order.part_revision_id, order.number, quantity, order.uom,
        place=str(order.status.value), unit_value=_unit_value(order),
    )  # fmt: skip


def _unit_value(order: Any) -> Decimal | None:
    if order.standard_cost is None:
        return None
    value: Decimal = (order.standard_cost / order.quantity).quantize(Decimal("0.0001"))
    return value
