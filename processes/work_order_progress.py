"""How events move an order and its operations on, and how a correction moves them back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

from engine.act import Act
from engine.errors import Conflict, Invalid
from engine.ports import SignatureRequest
from processes.work_order_event import ON_AN_OPERATION, TIMES
from processes.work_order_material import issue
from records.actual import Actual, ActualKind
from records.nonconformance import DeviationAuthority
from records.resource import Resource
from records.routing import OperationKind
from records.signing import PasswordSigner
from records.work_order import (
    OperationStatus,
    WorkOrder,
    WorkOrderOperation,
    WorkOrderStatus,
    move,
    move_operation,
)
from rules.work_order_operations import passed


def skip_operation(
    act: Act,
    operation: WorkOrderOperation,
    deviation: DeviationAuthority,
    request: SignatureRequest,
    *,
    role: str = "QA_ENG",
) -> WorkOrderOperation:
    """Leave an operation out under a deviation authority that quality signs for; its pieces go on.

    Raises: Conflict ILLEGAL_TRANSITION unless it is ready; Invalid when the authority does not permit it; as PasswordSigner.
    """
    order = operation.work_order
    today = order.site.local_day(act.now)
    pieces = operation.quantity_in or Decimal(0)
    if not deviation.permits_on(today) or deviation.quantity < pieces:
        raise Invalid(
            f"Expected {deviation.number} to permit {pieces:f} pieces on {today}, but it is {deviation.status} for "
            f"{deviation.quantity:f} until {deviation.expires_on}",
            {"deviation": "does not permit it"},
        )
    signer = act.installation.signer
    assert isinstance(signer, PasswordSigner)
    signature = signer.sign_record(
        act, order, request, content_hash=order.snapshot_hash or "0" * 64, principal=f"role:{role}",
        reason=f"{operation.number} is left out under {deviation.number}",
    )  # fmt: skip
    operation.deviation_id, operation.waiver_signature_id = deviation.id, signature.id
    move_operation(act, operation, OperationStatus.SKIPPED_BY_DEVIATION, reason=deviation.number)
    begin(act, order)
    open_next(act, operation)
    act.session.flush()
    return operation


def begin(act: Act, order: WorkOrder) -> None:
    """Put a released order in process; one that is in process stays so."""
    if order.status is WorkOrderStatus.RELEASED:
        move(act, order, WorkOrderStatus.IN_PROCESS)


def work_on(act: Act, actual: Actual, person: Resource | None, resource: Resource | None) -> None:
    """Whatever is recorded begins the order; time and process data are refused on an operation that waits its turn."""
    operation = actual.operation
    if actual.kind in ON_AN_OPERATION and operation is not None and operation.status is OperationStatus.WAITING:
        raise Conflict(
            f"Expected {operation.number} to have its turn, but it waits for the operation before it.", code="ILLEGAL_TRANSITION",
            record=(actual.work_order.record_type, actual.work_order_id),
        )  # fmt: skip
    begin(act, actual.work_order)
    if actual.kind in TIMES and operation is not None and operation.status is OperationStatus.READY:
        _start(act, operation, person, resource)


def _started(act: Act, actual: Actual, person: Resource | None, resource: Resource | None) -> None:
    assert actual.operation is not None
    begin(act, actual.work_order)
    _start(act, actual.operation, person, resource)


def _start(act: Act, operation: WorkOrderOperation, person: Resource | None, resource: Resource | None) -> None:
    if operation.kind is OperationKind.OUTSIDE:
        raise Conflict(
            f"Expected {operation.number} to be performed outside, but it was to be started here. Shipping sends it out.",
            code="ILLEGAL_TRANSITION", record=(operation.work_order.record_type, operation.work_order_id),
        )  # fmt: skip
    # The signals of a law: who and with what, before the status says it began.
    with act.session.no_autoflush:
        if person is not None:
            operation.performer, operation.performer_id = person, person.id
        if resource is not None:
            operation.equipment, operation.equipment_id = resource, resource.id
    move_operation(act, operation, OperationStatus.STARTED)
    act.session.flush()


def _counted(act: Act, actual: Actual, person: Resource | None, resource: Resource | None) -> None:
    operation = actual.operation
    assert operation is not None
    begin(act, actual.work_order)
    if operation.status is OperationStatus.READY:
        _start(act, operation, person, resource)
    if operation.status not in (OperationStatus.STARTED, OperationStatus.RETURNED_PENDING):
        raise Conflict(
            f"Expected {operation.number} to be started or back from its supplier, but it is {operation.status}.",
            code="ILLEGAL_TRANSITION", record=(actual.work_order.record_type, actual.work_order_id),
        )  # fmt: skip
    reported = (actual.good or 0) + (actual.scrap or 0) + (actual.rework or 0)
    if reported > operation.open_quantity:
        raise Invalid(
            f"Expected at most {operation.open_quantity:f} more pieces on {operation.number}, but {reported:f} were reported",
            {"good": f"Expected at most {operation.open_quantity:f} together with scrap and rework"},
        )
    operation.good += actual.good or Decimal(0)
    operation.scrap += actual.scrap or Decimal(0)
    operation.rework += actual.rework or Decimal(0)
    act.session.flush()


def _completed(act: Act, actual: Actual, person: Resource | None, resource: Resource | None) -> None:
    operation = actual.operation
    assert operation is not None
    _counted(act, actual, person, resource)
    move_operation(act, operation, OperationStatus.COMPLETE)
    act.session.flush()
    open_next(act, operation)


def _following(operation: WorkOrderOperation) -> WorkOrderOperation | None:
    later = [each for each in operation.work_order.operations if each.op_no > operation.op_no]
    return min(later, key=lambda each: each.op_no, default=None)


def open_next(act: Act, operation: WorkOrderOperation) -> None:
    """Let the next operation have its turn with the pieces that this one passes on, if it waits and any pass."""
    following = _following(operation)
    if following is not None and following.status is OperationStatus.WAITING and passed(operation) > 0:
        following.quantity_in = passed(operation)
        move_operation(act, following, OperationStatus.READY)


def uncount(act: Act, known: Actual) -> None:
    """Take counted pieces back; the operation after must not have begun on them."""
    operation = known.operation
    assert operation is not None
    if known.work_order.status is WorkOrderStatus.COMPLETE:
        raise Conflict(
            f"Expected {known.work_order.number} to be in process, but it is accepted as complete. Raise a nonconformance instead.",
            code="ILLEGAL_TRANSITION",
        )
    following = _following(operation)
    was_complete = operation.status is OperationStatus.COMPLETE
    if (
        was_complete
        and following is not None
        and following.status not in (OperationStatus.WAITING, OperationStatus.READY)
    ):
        raise Conflict(
            f"Expected {following.number} not to have begun, but it is {following.status}; take its events back first.",
            code="ILLEGAL_TRANSITION",
        )
    if was_complete and known.kind is ActualKind.QUANTITY:
        raise Conflict(
            f"Expected the completion of {operation.number} to be taken back first, but it stands.",
            code="ILLEGAL_TRANSITION",
        )
    if following is not None and following.status is OperationStatus.READY and was_complete:
        move_operation(act, following, OperationStatus.WAITING, reason=f"{operation.number} was opened again")
        following.quantity_in = None
        act.session.flush()
    operation.good -= known.good or Decimal(0)
    operation.scrap -= known.scrap or Decimal(0)
    operation.rework -= known.rework or Decimal(0)
    if was_complete:
        move_operation(act, operation, OperationStatus.READY, reason="Its completion was taken back")


def _issued(act: Act, actual: Actual, person: Resource | None, resource: Resource | None) -> None:
    issue(act, actual)
    work_on(act, actual, person, resource)


Effect = Callable[[Act, Actual, Resource | None, Resource | None], None]
EFFECTS: Mapping[ActualKind, Effect] = {
    ActualKind.MATERIAL: _issued,
    ActualKind.OPERATION_STARTED: _started,
    ActualKind.QUANTITY: _counted,
    ActualKind.OPERATION_COMPLETED: _completed,
}
"""What an event does besides being kept; the rest only begins the order."""
