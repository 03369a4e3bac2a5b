"""Work orders: what work is performed, with which resources and instructions, and what was recorded of it."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy import Text as LongText
from sqlalchemy.orm import Mapped, mapped_column, relationship

from engine.act import Act
from engine.database import Base, Id, Instant, Money, Quantity
from engine.errors import Conflict, Invalid
from engine.record import Record
from records.calendar import Site
from records.columns import Code, Currency, Day, Hash, Login, Name, Note, Text, word
from records.nonconformance import DeviationAuthority, Nonconformance
from records.origin import Originated
from records.part import PartRevision
from records.resource import Resource, WorkCentre
from records.routing import OperationKind
from records.service_record import ServiceRecord
from records.standard_cost import StandardCost
from records.supplier import Supplier
from records.transition import illegal, move_along
from records.work_order_status import (
    DONE,
    ENDED,
    LOCKSTEP,
    MAINTENANCE,
    ON_PARTS,
    OPEN,
    OPERATION_TRANSITIONS,
    TRANSITIONS,
    UNRELEASED,
    CalibrationResult,
    OperationStatus,
    WorkOrderStatus,
    WorkOrderType,
)

__all__ = [
    "DONE", "ENDED", "LOCKSTEP", "MAINTENANCE", "ON_PARTS", "OPEN", "OPERATION_TRANSITIONS", "TRANSITIONS", "UNRELEASED",
    "CalibrationResult", "OperationStatus", "WorkOrder", "WorkOrderOperation", "WorkOrderStatus", "WorkOrderType", "hold", "lift_hold",
    "move", "move_operation",
]  # fmt: skip


class WorkOrder(Originated, Record, Base):
    """A work order of any kind; a mirror where another system is its home.

    number: as its own system shows it; two systems may use the same. origin: ERP stands for every other system, ``system`` says
    which. snapshot: canonical JSON of what was frozen at release; snapshot_hash its SHA-256; approved_hash what maintenance
    signatures are bound to, the same content. standard_cost: in the site's currency, frozen with it. held_from: the status a hold
    goes back to. due_rule: what makes recurring work due, in words. crew_supplier_id, contract_ref: a contracted crew, and the
    frame contract it works under where no order line does. continues_parent: of the parts of a divided order, the one that goes on
    with what was begun; the others begin anew. change_order_id: the change order under which it was converted to its revision.
    """

    __tablename__ = "work_order"
    __table_args__ = (
        UniqueConstraint("system", "native_id"),
        CheckConstraint("(system = 'LOCKSTEP') = (origin = 'LOCKSTEP')", name="origin_fits_system"),
        CheckConstraint("quantity > 0", name="quantity_positive"),
        CheckConstraint("standard_cost IS NULL OR standard_cost >= 0", name="standard_cost_not_negative"),
        CheckConstraint("priority BETWEEN 1 AND 9", name="priority_one_to_nine"),
        CheckConstraint(
            "planned_finish IS NULL OR planned_start IS NULL OR planned_finish >= planned_start",
            name="finish_after_start",
        ),
        CheckConstraint(
            "type NOT IN ('PRODUCTION', 'REWORK', 'DEVIATION') OR part_revision_id IS NOT NULL", name="names_its_part"
        ),
        CheckConstraint(
            "type <> 'REWORK' OR nonconformance_id IS NOT NULL OR deviation_id IS NOT NULL",
            name="rework_names_its_cause",
        ),
        CheckConstraint("type <> 'DEVIATION' OR deviation_id IS NOT NULL", name="deviation_names_its_authority"),
        CheckConstraint(
            "type NOT IN ('PREVENTIVE', 'CORRECTIVE', 'CALIBRATION', 'QUALIFICATION') OR resource_id IS NOT NULL",
            name="maintenance_names_its_asset",
        ),
        CheckConstraint("type <> 'PREVENTIVE' OR length(due_rule) > 0", name="preventive_says_when_due"),
        CheckConstraint(
            "type <> 'FIELD_SERVICE' OR (customer IS NOT NULL AND serial IS NOT NULL AND service_location IS NOT NULL)",
            name="service_names_customer_serial_and_place",
        ),
        CheckConstraint("(status = 'ON_HOLD') = (held_from IS NOT NULL)", name="hold_knows_where_from"),
        CheckConstraint("(held_from IS NULL) = (hold_reason IS NULL)", name="hold_has_a_reason"),
        CheckConstraint(
            "origin = 'ERP' OR status IN ('PLANNED', 'FIRM', 'CANCELLED') OR snapshot_hash IS NOT NULL",
            name="released_has_a_snapshot",
        ),
        CheckConstraint("(snapshot IS NULL) = (snapshot_hash IS NULL)", name="snapshot_has_a_hash"),
        CheckConstraint("parent_id IS NULL OR parent_id <> id", name="parent_is_another"),
        Index("ix_work_order_number", "number"),
        Index("ix_work_order_status", "status"),
        Index("ix_work_order_part_revision_id", "part_revision_id"),
        Index("ix_work_order_parent_id", "parent_id"),
        Index("ix_work_order_nonconformance_id", "nonconformance_id"),
        Index("ix_work_order_resource_id", "resource_id"),
    )

    number: Mapped[Code]
    system: Mapped[Code] = mapped_column(default=LOCKSTEP)
    native_id: Mapped[Name]
    type: Mapped[WorkOrderType] = word(WorkOrderType, "type")
    site_id: Mapped[Id] = mapped_column(ForeignKey("site.id"))
    part_revision_id: Mapped[Id | None] = mapped_column(ForeignKey("part_revision.id"))
    resource_id: Mapped[Id | None] = mapped_column(ForeignKey("resource.id"))
    serial: Mapped[Name | None]
    quantity: Mapped[Quantity] = mapped_column(default=Decimal(1))
    uom: Mapped[Code] = mapped_column(default="EA")
    planned_start: Mapped[Day | None]
    planned_finish: Mapped[Day | None]
    priority: Mapped[int] = mapped_column(default=5)
    project: Mapped[Name | None]
    planned_order_ref: Mapped[Name | None]
    parent_id: Mapped[Id | None] = mapped_column(ForeignKey("work_order.id"))
    continues_parent: Mapped[bool] = mapped_column(default=False)
    change_order_id: Mapped[Id | None]
    nonconformance_id: Mapped[Id | None] = mapped_column(ForeignKey("nonconformance.id"))
    deviation_id: Mapped[Id | None] = mapped_column(ForeignKey("deviation_authority.id"))
    due_rule: Mapped[Name] = mapped_column(default="")
    is_shutdown: Mapped[bool] = mapped_column(default=False)
    customer: Mapped[Name | None]
    service_location: Mapped[Name | None]
    crew_supplier_id: Mapped[Id | None] = mapped_column(ForeignKey("supplier.id"))
    contract_ref: Mapped[Name | None]
    description: Mapped[Note] = mapped_column(default="")
    status: Mapped[WorkOrderStatus] = word(WorkOrderStatus, "status", default=WorkOrderStatus.PLANNED)
    approved_hash: Mapped[Hash | None]
    snapshot: Mapped[str | None] = mapped_column(LongText)
    snapshot_hash: Mapped[Hash | None]
    standard_cost: Mapped[Money | None]
    currency: Mapped[Currency] = mapped_column(default="USD")
    released_at: Mapped[Instant | None]
    completed_at: Mapped[Instant | None]
    closed_at: Mapped[Instant | None]
    accepted_by_id: Mapped[Login | None] = mapped_column(ForeignKey("user_account.id"))
    calibration_result: Mapped[CalibrationResult | None] = word(CalibrationResult, "calibration_result")
    hold_reason: Mapped[Text | None]
    held_from: Mapped[WorkOrderStatus | None] = word(WorkOrderStatus, "held_from")
    hold_owner: Mapped[Login | None]

    site: Mapped[Site] = relationship()
    part_revision: Mapped[PartRevision | None] = relationship()
    resource: Mapped[Resource | None] = relationship()
    nonconformance: Mapped[Nonconformance | None] = relationship()
    deviation: Mapped[DeviationAuthority | None] = relationship()
    crew_supplier: Mapped[Supplier | None] = relationship()
    parent: Mapped[WorkOrder | None] = relationship(remote_side="WorkOrder.id")
    operations: Mapped[list[WorkOrderOperation]] = relationship(
        back_populates="work_order", cascade="all, delete-orphan", order_by="WorkOrderOperation.op_no"
    )
    standards: Mapped[list[StandardCost]] = relationship(
        back_populates="work_order", cascade="all, delete-orphan", order_by="(StandardCost.kind, StandardCost.item)"
    )
    service_record: Mapped[ServiceRecord | None] = relationship(back_populates="work_order")

    @property
    def item(self) -> str:
        """What is worked on, in one short text."""
        if self.part_revision is not None:
            return self.part_revision.number
        return self.resource.code if self.resource is not None else self.serial or ""


class WorkOrderOperation(Record, Base):
    """One step of a work order; its definition is frozen at release, its quantities and status move on.

    quantity_in: pieces that reached it, None until they did; good, scrap, rework: what became of them. equipment_id: the machine
    within the work centre. performer_id: who started it.
    """

    __tablename__ = "work_order_operation"
    __table_args__ = (
        UniqueConstraint("work_order_id", "op_no"),
        CheckConstraint("op_no > 0", name="op_no_positive"),
        CheckConstraint("length(description) > 0", name="says_what"),
        CheckConstraint("kind = 'INTERNAL' OR process_code IS NOT NULL", name="outside_names_its_process"),
        CheckConstraint("good >= 0 AND scrap >= 0 AND rework >= 0", name="quantities_not_negative"),
        CheckConstraint(
            "quantity_in IS NULL OR (quantity_in >= 0 AND good + scrap + rework <= quantity_in)",
            name="no_more_out_than_in",
        ),
        CheckConstraint("quantity_in IS NOT NULL OR good + scrap + rework = 0", name="nothing_out_of_nothing"),
        CheckConstraint(
            "status <> 'SKIPPED_BY_DEVIATION' OR (deviation_id IS NOT NULL AND waiver_signature_id IS NOT NULL)",
            name="skipped_by_a_signed_deviation",
        ),
        Index("ix_work_order_operation_status", "status"),
    )

    work_order_id: Mapped[Id] = mapped_column(ForeignKey("work_order.id"))
    op_no: Mapped[int]
    kind: Mapped[OperationKind] = word(OperationKind, "kind", default=OperationKind.INTERNAL)
    description: Mapped[Text]
    work_centre_id: Mapped[Id | None] = mapped_column(ForeignKey("work_centre.id"))
    supplier_id: Mapped[Id | None] = mapped_column(ForeignKey("supplier.id"))
    process_code: Mapped[Code | None]
    is_special: Mapped[bool] = mapped_column(default=False)
    spec: Mapped[Code | None]
    spec_rev: Mapped[Code | None]
    instruction: Mapped[Code | None]
    instruction_rev: Mapped[Code | None]
    setup_minutes: Mapped[Quantity] = mapped_column(default=Decimal(0))
    run_minutes: Mapped[Quantity] = mapped_column(default=Decimal(0))
    is_certificate_required: Mapped[bool] = mapped_column(default=False)
    is_inspected_after: Mapped[bool] = mapped_column(default=False)
    planned_start: Mapped[Day | None]
    planned_finish: Mapped[Day | None]
    status: Mapped[OperationStatus] = word(OperationStatus, "status", default=OperationStatus.WAITING)
    quantity_in: Mapped[Quantity | None]
    good: Mapped[Quantity] = mapped_column(default=Decimal(0))
    scrap: Mapped[Quantity] = mapped_column(default=Decimal(0))
    rework: Mapped[Quantity] = mapped_column(default=Decimal(0))
    equipment_id: Mapped[Id | None] = mapped_column(ForeignKey("resource.id"))
    performer_id: Mapped[Id | None] = mapped_column(ForeignKey("resource.id"))
    started_at: Mapped[Instant | None]
    completed_at: Mapped[Instant | None]
    deviation_id: Mapped[Id | None] = mapped_column(ForeignKey("deviation_authority.id"))
    waiver_signature_id: Mapped[Id | None] = mapped_column(ForeignKey("signature.id"))
    hold_reason: Mapped[Text | None]

    work_order: Mapped[WorkOrder] = relationship(back_populates="operations")
    work_centre: Mapped[WorkCentre | None] = relationship()
    supplier: Mapped[Supplier | None] = relationship()
    equipment: Mapped[Resource | None] = relationship(foreign_keys=[equipment_id])
    performer: Mapped[Resource | None] = relationship(foreign_keys=[performer_id])

    @property
    def number(self) -> str:
        """Work order and operation, ``WO-7001/30``."""
        return f"{self.work_order.number}/{self.op_no}"

    @property
    def open_quantity(self) -> Decimal:
        """Pieces that reached the operation and are not accounted for yet."""
        return (self.quantity_in or Decimal(0)) - self.good - self.scrap - self.rework


def move(act: Act, order: WorkOrder, to: WorkOrderStatus, *, reason: str | None = None) -> WorkOrder:
    """Move a work order along its life, and stamp when. Raises Conflict ILLEGAL_TRANSITION."""
    if order.status is WorkOrderStatus.ON_HOLD and to not in {order.held_from, WorkOrderStatus.CANCELLED}:
        raise illegal(order, to, [status for status in (order.held_from, WorkOrderStatus.CANCELLED) if status])
    if to is WorkOrderStatus.ON_HOLD:
        raise Invalid("Expected a hold to say who owns it and why, but it was set as a status; use hold()")
    move_along(act, order, to, transitions=TRANSITIONS, reason=reason)
    order.held_from = order.hold_reason = order.hold_owner = None
    stamp = {
        WorkOrderStatus.RELEASED: "released_at", WorkOrderStatus.COMPLETE: "completed_at", WorkOrderStatus.CLOSED: "closed_at"
    }.get(to)  # fmt: skip
    if stamp and getattr(order, stamp) is None:
        setattr(order, stamp, act.now)
    return order


def hold(act: Act, order: WorkOrder, *, reason: str, owner: str) -> WorkOrder:
    """Stop a work order. owner: a principal, whose turn it is. Raises Conflict ILLEGAL_TRANSITION; Invalid without a reason."""
    if not reason.strip():
        raise Invalid("Expected a reason for the hold, but found none", {"reason": "is missing"})
    before = order.status
    move_along(act, order, WorkOrderStatus.ON_HOLD, transitions=TRANSITIONS, reason=reason)
    order.held_from, order.hold_reason, order.hold_owner = before, reason.strip(), owner
    return order


def lift_hold(act: Act, order: WorkOrder, *, reason: str) -> WorkOrder:
    """Let a held work order go on where it stopped. Raises Conflict when it is not on hold."""
    if order.held_from is None:
        raise Conflict(f"Expected {order.number} to be on hold, but it is {order.status}", code="ILLEGAL_TRANSITION")
    return move(act, order, order.held_from, reason=reason)


def move_operation(
    act: Act, operation: WorkOrderOperation, to: OperationStatus, *, reason: str | None = None
) -> WorkOrderOperation:
    """Move an operation along its life, and stamp when. Raises Conflict ILLEGAL_TRANSITION."""
    move_along(act, operation, to, transitions=OPERATION_TRANSITIONS, reason=reason)
    if to is OperationStatus.STARTED:
        operation.started_at = act.now
    if to is OperationStatus.COMPLETE:
        operation.completed_at = act.now
    if to is OperationStatus.READY:
        operation.completed_at = None
    return operation
