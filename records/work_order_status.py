"""What work orders and their operations are for, and the lives they lead."""

from __future__ import annotations

from enum import StrEnum

from records.transition import pairs

LOCKSTEP = "LOCKSTEP"
"""The system of work orders that are planned here."""


class WorkOrderType(StrEnum):
    """What a work order is for."""

    PRODUCTION = "PRODUCTION"
    REWORK = "REWORK"
    DEVIATION = "DEVIATION"
    PREVENTIVE = "PREVENTIVE"
    CORRECTIVE = "CORRECTIVE"
    CALIBRATION = "CALIBRATION"
    QUALIFICATION = "QUALIFICATION"
    FIELD_SERVICE = "FIELD_SERVICE"


ON_PARTS = frozenset({WorkOrderType.PRODUCTION, WorkOrderType.REWORK, WorkOrderType.DEVIATION})
MAINTENANCE = frozenset(
    {WorkOrderType.PREVENTIVE, WorkOrderType.CORRECTIVE, WorkOrderType.CALIBRATION, WorkOrderType.QUALIFICATION}
)


class WorkOrderStatus(StrEnum):
    """The life of a work order (domain.md 2.33)."""

    PLANNED = "PLANNED"
    FIRM = "FIRM"
    RELEASED = "RELEASED"
    IN_PROCESS = "IN_PROCESS"
    COMPLETE = "COMPLETE"
    CLOSED = "CLOSED"
    ON_HOLD = "ON_HOLD"
    SPLIT = "SPLIT"
    CANCELLED = "CANCELLED"


S = WorkOrderStatus
TRANSITIONS = pairs(
    "PLANNED>FIRM|CANCELLED; FIRM>RELEASED|PLANNED|CANCELLED; RELEASED>IN_PROCESS|ON_HOLD|SPLIT|CANCELLED;"
    " IN_PROCESS>COMPLETE|ON_HOLD|SPLIT|CANCELLED; ON_HOLD>RELEASED|IN_PROCESS|CANCELLED; COMPLETE>CLOSED",
    WorkOrderStatus,
)
UNRELEASED = frozenset({S.PLANNED, S.FIRM})
OPEN = frozenset({S.RELEASED, S.IN_PROCESS})
"""Statuses in which work may be performed."""
ENDED = frozenset({S.CLOSED, S.CANCELLED, S.SPLIT})
"""Statuses in which nothing is recorded any more."""
del S


class OperationStatus(StrEnum):
    """The life of an operation (domain.md 2.34)."""

    WAITING = "WAITING"
    READY = "READY"
    STARTED = "STARTED"
    COMPLETE = "COMPLETE"
    AT_SUPPLIER = "AT_SUPPLIER"
    RETURNED_PENDING = "RETURNED_PENDING"
    ON_HOLD = "ON_HOLD"
    SKIPPED_BY_DEVIATION = "SKIPPED_BY_DEVIATION"


OPERATION_TRANSITIONS = pairs(
    "WAITING>READY; READY>STARTED|AT_SUPPLIER|SKIPPED_BY_DEVIATION|WAITING; STARTED>COMPLETE;"
    " AT_SUPPLIER>RETURNED_PENDING|READY; RETURNED_PENDING>COMPLETE|ON_HOLD|AT_SUPPLIER|READY; ON_HOLD>RETURNED_PENDING;"
    " COMPLETE>READY",
    OperationStatus,
)
"""AT_SUPPLIER>READY undoes a ship-out or recalls every piece unprocessed; COMPLETE>READY and READY>WAITING come with a
reversing record."""

DONE = frozenset({OperationStatus.COMPLETE, OperationStatus.SKIPPED_BY_DEVIATION})


class CalibrationResult(StrEnum):
    """How a gauge was found."""

    IN_TOLERANCE = "IN_TOLERANCE"
    OUT_OF_TOLERANCE = "OUT_OF_TOLERANCE"
