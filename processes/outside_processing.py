"""Start outside processing for an operation, by hand or when it is due (B01)."""

from __future__ import annotations

import datetime as dt
import logging

from sqlalchemy import String, cast, select
from sqlalchemy.orm import Session

from engine import instances
from engine.act import Act, Installation
from engine.definitions import released
from engine.errors import Conflict, NotFound, Refused
from engine.instances import Instance
from engine.messages import publish
from engine.registry import Registry
from engine.stored.instance import InstanceRecord
from records.routing import OperationKind
from records.work_order import DONE, OPEN, OperationStatus, WorkOrder, WorkOrderOperation
from rules.flow_mode import Mode, mode_of
from rules.policy import table_called

_log = logging.getLogger(__name__)

PROCESS = "outside_processing"
DUE = "outside.operation.due"
LAST_LOOK = "outside operations: last look"
PAUSE = dt.timedelta(seconds=20)

registry = Registry()


def start(act: Act, operation: WorkOrderOperation) -> Instance:
    """Start outside processing of an operation. Raises: Conflict when it is no open outside operation, or runs already."""
    if (
        operation.kind is not OperationKind.OUTSIDE
        or operation.status in DONE
        or operation.work_order.status not in OPEN
    ):
        raise Conflict(
            f"Expected an open outside operation of a released work order, but {operation.number} is "
            f"{operation.kind.value.lower()} and {operation.status.value.lower()} on a work order that is "
            f"{operation.work_order.status.value.lower()}",
            code="ILLEGAL_TRANSITION", record=(operation.record_type, operation.id),
        )  # fmt: skip
    return instances.start(
        act, PROCESS, business_key=key_of(operation), variables={"operation_id": operation.id},
        records=[(operation.record_type, operation.id)],
    )  # fmt: skip


def key_of(operation: WorkOrderOperation) -> str:
    """Return the business key of an operation's flow; work orders of two systems may share a number."""
    return f"{operation.number} {operation.work_order.system}"


@registry.chore("start_due_outside_operations")
def start_due_outside_operations(installation: Installation) -> int:
    """Start what is due outside: the operation before is complete, or the day is near; each operation once."""
    now, last = installation.clock(), installation.extras.get(LAST_LOOK)
    if last is not None and last <= now < last + PAUSE:
        return 0
    installation.extras[LAST_LOOK] = now
    with installation.reading() as session:
        if mode_of(session, PROCESS) is Mode.OBSERVE or not _is_released(session):
            return 0
        due = [operation.id for operation in due_operations(session, now)]
    return sum(_announce(installation, operation_id) for operation_id in due)


def due_operations(session: Session, now: dt.datetime) -> list[WorkOrderOperation]:
    """Return the outside operations that are due and have no flow yet, oldest first."""
    taken = select(InstanceRecord.record_id).where(InstanceRecord.record_type == WorkOrderOperation.record_type)
    wanted = (
        select(WorkOrderOperation)
        .join(WorkOrder, WorkOrder.id == WorkOrderOperation.work_order_id)
        .where(WorkOrderOperation.kind == OperationKind.OUTSIDE, WorkOrder.status.in_(OPEN))
        .where(WorkOrderOperation.status.in_([OperationStatus.READY, OperationStatus.WAITING]))
        .where(cast(WorkOrderOperation.id, String).not_in(taken))
    )
    ahead = int(table_called("timers").judge(priority="NORMAL").row.outputs["outside_lookahead"])
    return [
        each for each in session.scalars(wanted.order_by(WorkOrderOperation.created_at)) if _is_due(each, now, ahead)
    ]


def _is_due(operation: WorkOrderOperation, now: dt.datetime, ahead: int) -> bool:
    if operation.status is OperationStatus.READY:
        return True
    lead = operation.supplier.lead_time_days if operation.supplier is not None else None
    finish = operation.planned_finish
    if finish is None or lead is None:
        return False
    return operation.work_order.site.local_day(now) >= finish - dt.timedelta(days=lead + ahead)


def _announce(installation: Installation, operation_id: str) -> int:
    try:
        with installation.acting("system:outside") as act:
            operation = act.session.get_one(WorkOrderOperation, operation_id)
            given = {"operation_id": operation.id}
            publish(act, DUE, correlation_key=key_of(operation), variables=given, message_id=f"due:{operation.id}")
    except Refused as refusal:
        _log.info("operation %s was not started: %s", operation_id, refusal.message)
        return 0
    return 1


def _is_released(session: Session) -> bool:
    try:
        released(session, PROCESS)
    except NotFound:
        return False
    return True
