"""What a calibration means for its gauge, and for the work that was measured with it since it was last good."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from engine.act import Act
from engine.errors import Effect, Finding
from processes import gauge_impact
from processes.nonconformances import raise_nonconformance
from records.actual import Actual
from records.nonconformance import Nonconformance
from records.resource import Resource
from records.work_order import CalibrationResult, WorkOrder, WorkOrderOperation
from rules.finding import keep_findings


def used_since(session: Session, gauge: Resource, since: dt.date | None) -> list[WorkOrder]:
    """Return the work orders on which a gauge or machine was used since a day, by number; all of them without a day."""
    by_operation = select(WorkOrderOperation.work_order_id).where(WorkOrderOperation.equipment_id == gauge.id)
    by_actual = select(Actual.work_order_id).where(Actual.resource_id == gauge.id)
    if since is not None:
        begin = dt.datetime.combine(since, dt.time(), dt.UTC)
        by_operation = by_operation.where(WorkOrderOperation.started_at >= begin)
        by_actual = by_actual.where(Actual.event_time >= begin)
    wanted = select(WorkOrder).where(or_(WorkOrder.id.in_(by_operation), WorkOrder.id.in_(by_actual)))
    return list(session.scalars(wanted.order_by(WorkOrder.number, WorkOrder.id)))


def open_impact(act: Act, order: WorkOrder) -> Nonconformance | None:
    """Carry the result of a calibration to its gauge.

    In tolerance, it is due again after its interval. Out of tolerance, it is taken out of service and a nonconformance names every
    work order on which it was used since it was last good; each of them shows a hold, and quality gets the task
    to assess them. Source: domain.md 1.14.
    """
    gauge = order.resource
    assert gauge is not None
    today = order.site.local_day(act.now)
    if order.calibration_result is CalibrationResult.IN_TOLERANCE:
        gauge.last_good_on, gauge.is_active, gauge.out_of_service = today, True, None
        gauge.calibration_due = today + dt.timedelta(days=gauge.calibration_interval_days or 365)
        return None
    since = gauge.last_good_on
    concerned = [each for each in used_since(act.session, gauge, since) if each.id != order.id]
    gauge.is_active, gauge.out_of_service = False, f"Found out of tolerance by {order.number}"
    raised = raise_nonconformance(
        act, gauge, Decimal(1), title=f"{gauge.code} found out of tolerance",
        description=f"Used since {since or 'ever'} on: {', '.join(each.number for each in concerned) or 'no work order'}.",
    )  # fmt: skip
    keep_findings(act, [_held(each, gauge, raised) for each in concerned])
    gauge_impact.begin(act, raised, gauge, order, orders=concerned, since=since)
    return raised


def _held(order: WorkOrder, gauge: Resource, raised: Nonconformance) -> Finding:
    return Finding(
        "WO-GAUGE", Effect.HOLD,
        f"Expected gauges in tolerance on {order.number}, but {gauge.code} was found out of tolerance ({raised.number}).",
        order.record_type, order.id, owner="role:QA_ENG", way_out="Assess what was measured with it, then acknowledge with the result.",
    )  # fmt: skip
