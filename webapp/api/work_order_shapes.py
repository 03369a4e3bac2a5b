"""What work orders look like over the API: answers, and what may be sent."""

from __future__ import annotations

from marshmallow import fields, validate

from processes.work_order_planning import SYSTEMS
from records.routing import OperationKind
from records.standard_cost import CostKind
from records.work_order import OperationStatus, WorkOrderStatus, WorkOrderType
from records.work_order_change import WorkOrderChangeClass, WorkOrderChangeStatus
from webapp.api.marks import StandingMark
from webapp.api.shapes import Answer, Exact, Instant, Listed, Request, Truth, Whole, maybe, page_of, text, word
from webapp.api.signing import SignatureGiven


class WorkOrderOperationAnswer(Answer):
    """One step. quantity_in: pieces that reached it, null until they did."""

    id = fields.UUID()
    op_no = fields.Integer()
    kind = word(OperationKind)
    description = fields.String()
    work_centre = maybe()
    supplier_no = maybe()
    process_code = maybe()
    is_special = fields.Boolean()
    spec = maybe()
    spec_rev = maybe()
    instruction = maybe()
    instruction_rev = maybe()
    status = word(OperationStatus)
    quantity_in = Exact(allow_none=True)
    good = Exact()
    scrap = Exact()
    rework = Exact()
    planned_start = fields.Date(allow_none=True)
    planned_finish = fields.Date(allow_none=True)
    started_at = Instant(allow_none=True)
    completed_at = Instant(allow_none=True)


class CostCause(Answer):
    """A part of the variance: price, usage, rate, outside or unassigned."""

    cause = fields.String()
    amount = Exact()


class CostAnswer(Answer):
    """What it cost. The causes add up to the variance exactly."""

    currency = fields.String()
    material = Exact()
    labour = Exact()
    machine = Exact()
    outside = Exact()
    total = Exact()
    standard = Exact(allow_none=True)
    variance = Exact(allow_none=True)
    percent = Exact(allow_none=True)
    causes = fields.List(fields.Nested(CostCause))


class WorkOrderSummary(Answer):
    """A work order in a list. system and native_id: where it lives, and what it is called there."""

    id = fields.UUID()
    number = fields.String()
    system = fields.String()
    native_id = fields.String()
    type = word(WorkOrderType)
    status = word(WorkOrderStatus)
    item = fields.String()
    quantity = Exact()
    uom = fields.String()
    planned_start = fields.Date(allow_none=True)
    planned_finish = fields.Date(allow_none=True)
    priority = fields.Integer()
    version = fields.Integer()


class WorkOrderDetail(WorkOrderSummary):
    """A work order with its operations, cost, what has moved on since its release, and the changes that wait for it."""

    part_revision = maybe()
    resource = maybe()
    serial = maybe()
    project = maybe()
    customer = maybe()
    service_location = maybe()
    due_rule = fields.String()
    contract_ref = maybe()
    nonconformance = maybe()
    deviation = maybe()
    parent_id = fields.UUID(allow_none=True)
    description = fields.String()
    snapshot_hash = maybe()
    approved_hash = maybe()
    standard_cost = Exact(allow_none=True)
    currency = fields.String()
    released_at = Instant(allow_none=True)
    completed_at = Instant(allow_none=True)
    closed_at = Instant(allow_none=True)
    hold_reason = maybe()
    hold_owner = maybe()
    warnings = fields.List(fields.String())
    operations = fields.List(fields.Nested(WorkOrderOperationAnswer))
    cost = fields.Nested(CostAnswer)
    marks = fields.List(fields.Nested(StandingMark))


class OperationGiven(Request):
    """One step of a new work order."""

    op_no = Whole(required=True, validate=validate.Range(1, 9999, error="Expected {min} to {max}, but found {input}"))
    description = fields.String(
        required=True, validate=validate.Length(1, 4000, error="Expected {min} to {max} characters")
    )
    kind = word(OperationKind, load_default=OperationKind.INTERNAL.value)
    work_centre = text(40, allow_none=True)
    process_code = text(40, allow_none=True)
    is_special = Truth(load_default=False)
    spec = text(40, allow_none=True)
    spec_rev = text(40, allow_none=True)
    instruction = text(40, allow_none=True)
    instruction_rev = text(40, allow_none=True)
    planned_start = fields.Date(allow_none=True)
    planned_finish = fields.Date(allow_none=True)


class StandardGiven(Request):
    """One component of the standard. item: part number, work centre or process."""

    kind = word(CostKind, required=True)
    item = fields.String(required=True, validate=validate.Length(1, 40, error="Expected {min} to {max} characters"))
    quantity = Exact(required=True)
    unit_cost = Exact(required=True)
    uom = text(40, allow_none=True)


class NewWorkOrder(Request):
    """A work order to plan. Without operations those of the part's routing are copied."""

    type = word(WorkOrderType, required=True)
    system = word(SYSTEMS, load_default="LOCKSTEP")
    native_id = text(200, allow_none=True, load_default=None)
    quantity = Exact(load_default=None, allow_none=True)
    uom = text(40, allow_none=True, load_default=None)
    part_revision = text(60, allow_none=True, load_default=None, metadata={"description": "`P-200/B`."})
    resource = text(40, allow_none=True, load_default=None)
    nonconformance = text(40, allow_none=True, load_default=None)
    deviation = text(40, allow_none=True, load_default=None)
    planned_start = fields.Date(allow_none=True)
    planned_finish = fields.Date(allow_none=True)
    priority = Whole(validate=validate.Range(1, 9, error="Expected {min} to {max}, but found {input}"))
    project = text(200, allow_none=True)
    serial = text(200, allow_none=True)
    customer = text(200, allow_none=True)
    service_location = text(200, allow_none=True)
    due_rule = text(200)
    contract_ref = text(200, allow_none=True)
    planned_order_ref = text(200, allow_none=True)
    description = text(20_000)
    operations = fields.List(
        fields.Nested(OperationGiven), allow_none=True, load_default=None, validate=validate.Length(max=200)
    )
    standards = fields.List(fields.Nested(StandardGiven), load_default=list, validate=validate.Length(max=200))


class ActGiven(Request):
    """Why. Needed to hold, lift and cancel."""

    reason = text(4000, load_default="")


class SplitGiven(Request):
    """The pieces of each part; together they are all of the order's, without what is scrap or rework."""

    quantities = fields.List(
        Exact(required=True), required=True, validate=validate.Length(2, 100, error="Expected {min} to {max} parts")
    )
    started = Whole(
        allow_none=True,
        load_default=None,
        validate=validate.Range(1, 100, error="Expected {min} to {max}, but found {input}"),
        metadata={"description": "Which part, from 1, goes on with what is begun, and keeps its actuals."},
    )


class QuantityGiven(Request):
    """Another quantity, in the order's unit, and why."""

    quantity = Exact(required=True)
    reason = text(4000, load_default="")


class OperationChange(Request):
    """Another machine of the same work centre (an empty text for none), or another work centre of a plan; what is left out stays."""

    equipment = text(40)
    work_centre = text(40)


class SkipGiven(Request):
    """Under which deviation authority an operation is left out, `DEV-000001`, and who signs for it; the meaning is APPROVED."""

    deviation = text(40, required=True)
    signature = fields.Nested(SignatureGiven, required=True)


class ChangeShareAnswer(Answer):
    """What a change means for one link."""

    link = fields.String()
    order_line = fields.String()
    allocated_before = Exact()
    allocated_after = Exact()
    uom = fields.String()
    amendment = maybe()


class QuantityChangeAnswer(Answer):
    """A change of a work order's quantity. waits_for: the roles whose signature is missing."""

    id = fields.UUID()
    number = fields.String()
    work_order_id = fields.UUID()
    status = word(WorkOrderChangeStatus)
    change_class = word(WorkOrderChangeClass)
    quantity_before = Exact()
    quantity_after = Exact()
    uom = fields.String()
    reason = fields.String()
    content_hash = fields.String()
    opened_by = fields.String()
    applied_at = Instant(allow_none=True)
    ended_reason = maybe()
    waits_for = fields.List(fields.String())
    links = fields.List(fields.Nested(ChangeShareAnswer))
    version = fields.Integer()


class QuantityChanges(Answer):
    """The changes of a work order, newest first."""

    items = fields.List(fields.Nested(QuantityChangeAnswer))
    next = maybe()


class PlanGiven(Request):
    """Days and priority; what is left out stays."""

    planned_start = fields.Date(allow_none=True)
    planned_finish = fields.Date(allow_none=True)
    priority = Whole(validate=validate.Range(1, 9, error="Expected {min} to {max}, but found {input}"))
    reason = text(4000, load_default="")


class StatusSeen(Request):
    """What the home system shows."""

    system = word(SYSTEMS, required=True)
    status = word(WorkOrderStatus, required=True)


class WorkOrderQuery(Listed):
    """What work orders may be listed by. ``q`` is part of a number, a part, a system, a type or a project."""

    status = word(WorkOrderStatus, load_default="")


WorkOrderPage = page_of(WorkOrderSummary, "WorkOrderPage")
