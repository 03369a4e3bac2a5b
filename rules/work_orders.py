"""The laws of work orders, judged at flush for every door."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.clock import now_of
from engine.errors import Effect, Finding
from engine.record import Edit, Operation
from records.nonconformance import DeviationAuthority, Nonconformance
from records.resource import Resource, ResourceKind
from records.work_order import (
    WorkOrder,
    WorkOrderStatus,
    WorkOrderType,
)
from rules import work_order_actuals, work_order_ending, work_order_operations
from rules.law import becomes, block, law, session_of, subject_of
from rules.work_order_conversion import strays_from
from rules.work_order_release import judge_release

NOT_COUNTED = (WorkOrderStatus.CANCELLED, WorkOrderStatus.SPLIT)


@law("WO-TYPE", on=WorkOrder)
def a_type_has_what_defines_it(edit: Edit) -> Iterator[Finding]:
    """A calibration calibrates a gauge; maintenance is done on equipment or gauges, not on people."""
    order = edit.record
    if edit.operation is Operation.DELETE or not {"type", "resource_id"} & edit.changes.keys():
        return
    if order.resource_id is None:
        return
    resource = session_of(edit).get(Resource, order.resource_id)
    wanted = (
        {ResourceKind.GAUGE}
        if order.type is WorkOrderType.CALIBRATION
        else {ResourceKind.GAUGE, ResourceKind.EQUIPMENT}
    )
    if resource is None or resource.kind in wanted:
        return
    yield block(
        "WO-TYPE",
        f"Expected {' or '.join(sorted(wanted)).lower()} on {order.number}, but {resource.code} is {resource.kind.lower()}.",
        subject_of(order),
        field="resource",
        owner="role:PLANNER",
        way_out="Choose the gauge or the machine that the work is done on.",
    )


@law("NCR-LIMIT", on=WorkOrder)
def rework_stays_within_its_authority(edit: Edit) -> Iterator[Finding]:
    """Work orders against one nonconformance or deviation authority take no more pieces than it permits, together."""
    order = edit.record
    if (
        edit.operation is Operation.DELETE
        or not {"nonconformance_id", "deviation_id", "quantity", "status"} & edit.changes.keys()
    ):
        return
    if order.status in NOT_COUNTED or order.parent_id is not None:
        return
    session = session_of(edit)
    for authority, column in _authorities(session, order):
        limit = authority.quantity if isinstance(authority, DeviationAuthority) else authority.quantity_limit
        used = _used(session, order, column)
        if limit is not None and used + order.quantity > limit:
            yield block(
                "NCR-LIMIT",
                f"Expected at most {limit:f} {authority.uom} under {authority.number}, but {order.number} for "
                f"{order.quantity:f} makes it {used + order.quantity:f}.",
                subject_of(order),
                field="quantity",
                old=f"{limit:f}",
                new=f"{used + order.quantity:f}",
                owner="role:QA_ENG",
                way_out="Lower the quantity, or quality raises the limit.",
            )


def _authorities(session: Session, order: WorkOrder) -> Iterator[tuple[Nonconformance | DeviationAuthority, str]]:
    if order.nonconformance_id and (found := session.get(Nonconformance, order.nonconformance_id)) is not None:
        yield found, "nonconformance_id"
    if order.deviation_id and (leave := session.get(DeviationAuthority, order.deviation_id)) is not None:
        yield leave, "deviation_id"


def _used(session: Session, order: WorkOrder, column: str) -> Decimal:
    """Return the pieces that other work orders take under the same authority, those of this act included."""
    wanted = select(WorkOrder).where(
        getattr(WorkOrder, column) == getattr(order, column), WorkOrder.id != order.id, WorkOrder.parent_id.is_(None)
    )
    fresh = [
        other
        for other in session.new
        if isinstance(other, WorkOrder) and other is not order and getattr(other, column) == getattr(order, column)
    ]
    others = {other.id: other for other in (*session.scalars(wanted), *fresh) if other.parent_id is None}
    return sum((other.quantity for other in others.values() if other.status not in NOT_COUNTED), Decimal(0))


@law("WO-RELEASE", on=WorkOrder)
def work_is_released_clean(edit: Edit) -> Iterator[Finding]:
    """CON-07, CON-11, the routing, the authority and the signatures: whatever holds a work order at its gate refuses the release."""
    order = edit.record
    if edit.operation is not Operation.UPDATE or not becomes(edit, "RELEASED"):
        return
    if edit.changes["status"][0] not in (None, WorkOrderStatus.FIRM):
        return
    session = session_of(edit)
    if order.continues_parent and order.parent is not None:
        yield from _goes_on_as_released(order, order.parent)
        return
    for finding in judge_release(session, order, now=now_of(session)):
        yield replace(finding, effect=Effect.BLOCK) if finding.effect is Effect.HOLD else finding


def _goes_on_as_released(order: WorkOrder, parent: WorkOrder) -> Iterator[Finding]:
    """A part that continues a divided order passes no gate again: it is what its parent was released as."""
    wrong = strays_from(parent, order)
    if parent.status is not WorkOrderStatus.SPLIT:
        wrong.append(f"{parent.number}, which is {parent.status} and not divided")
    for what in wrong:
        yield block(
            "WO-CONTINUES",
            f"Expected {order.number} to go on as {parent.number} was released, but it differs in {what}.",
            subject_of(order),
            owner="role:PLANNER",
            way_out="Plan it as an order of its own, which passes the gate.",
        )


LAWS = (
    a_type_has_what_defines_it,
    rework_stays_within_its_authority,
    work_is_released_clean,
    *work_order_operations.LAWS,
    *work_order_ending.LAWS,
    *work_order_actuals.LAWS,
)
