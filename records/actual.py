"""Actuals: what really happened to a work order, as the system that saw it reported it; never edited, only reversed."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from engine.database import Base, Id, Instant, Money, Quantity
from engine.record import Record
from records.columns import Code, Currency, Name, Text, word
from records.purchase_order import PurchaseOrderLine
from records.resource import Resource
from records.work_order import WorkOrder, WorkOrderOperation


class ActualKind(StrEnum):
    """What an actual tells. LABOUR and MACHINE in hours; OUTSIDE accrues a supplier's work; the rest moves no money."""

    LABOUR = "LABOUR"
    MACHINE = "MACHINE"
    MATERIAL = "MATERIAL"
    OUTSIDE = "OUTSIDE"
    PROCESS = "PROCESS"
    QUANTITY = "QUANTITY"
    OPERATION_STARTED = "OPERATION_STARTED"
    OPERATION_COMPLETED = "OPERATION_COMPLETED"


COSTED = frozenset({ActualKind.LABOUR, ActualKind.MACHINE, ActualKind.MATERIAL, ActualKind.OUTSIDE})


class Actual(Record, Base):
    """One event on a work order. Append only: a mistake is taken back by a row of the opposite sign that names it and says why.

    quantity: hours, or pieces in ``uom``; negative only in a reversal. item: the part number of material. unit_cost: per ``uom``,
    in ``currency``, as it was when the event came, so that a later rate changes no history; amount: rounded to the minor unit.
    value, lower, upper: process data in ``unit``, with the limits it was judged by. good, scrap, rework: of QUANTITY and
    OPERATION_COMPLETED. performer: as reported; performer_id: the person it was resolved to. received_at: when it came here.
    """

    __tablename__ = "actual"
    __table_args__ = (
        UniqueConstraint("source_system", "source_event_id"),
        UniqueConstraint("reverses_id"),
        CheckConstraint("(reverses_id IS NULL) = (length(reason) = 0)", name="reversal_says_why"),
        CheckConstraint(
            "quantity IS NULL OR (reverses_id IS NULL AND quantity > 0) OR (reverses_id IS NOT NULL AND quantity < 0)",
            name="only_reversals_are_negative",
        ),
        CheckConstraint(
            "kind NOT IN ('LABOUR', 'MACHINE', 'MATERIAL', 'OUTSIDE') OR (quantity IS NOT NULL AND uom IS NOT NULL)",
            name="costed_has_a_quantity",
        ),
        CheckConstraint("(unit_cost IS NULL) = (amount IS NULL)", name="amount_with_its_unit_cost"),
        CheckConstraint("kind <> 'PROCESS' OR name IS NOT NULL", name="process_data_has_a_name"),
        CheckConstraint("lower IS NULL OR upper IS NULL OR lower <= upper", name="limits_in_order"),
        Index("ix_actual_work_order_id", "work_order_id", "event_time"),
        Index("ix_actual_operation_id", "operation_id"),
        Index("ix_actual_lot_no", "lot_no"),
        Index("ix_actual_resource_id", "resource_id"),
    )

    work_order_id: Mapped[Id] = mapped_column(ForeignKey("work_order.id"))
    operation_id: Mapped[Id | None] = mapped_column(ForeignKey("work_order_operation.id"))
    kind: Mapped[ActualKind] = word(ActualKind, "kind")
    source_system: Mapped[Code]
    source_event_id: Mapped[Name]
    event_time: Mapped[Instant]
    received_at: Mapped[Instant]
    performer: Mapped[Name] = mapped_column(default="")
    performer_id: Mapped[Id | None] = mapped_column(ForeignKey("resource.id"))
    resource_id: Mapped[Id | None] = mapped_column(ForeignKey("resource.id"))
    quantity: Mapped[Quantity | None]
    uom: Mapped[Code | None]
    item: Mapped[Code | None]
    lot_no: Mapped[Name | None]
    lot_id: Mapped[Id | None]
    unit_cost: Mapped[Money | None]
    amount: Mapped[Money | None]
    currency: Mapped[Currency | None]
    order_line_id: Mapped[Id | None] = mapped_column(ForeignKey("purchase_order_line.id"))
    contract_ref: Mapped[Name | None]
    name: Mapped[Name | None]
    value: Mapped[Quantity | None]
    text_value: Mapped[Text | None]
    unit: Mapped[Code | None]
    lower: Mapped[Quantity | None]
    upper: Mapped[Quantity | None]
    good: Mapped[Quantity | None]
    scrap: Mapped[Quantity | None]
    rework: Mapped[Quantity | None]
    serials: Mapped[Text] = mapped_column(default="")
    reverses_id: Mapped[Id | None] = mapped_column(ForeignKey("actual.id"))
    reason: Mapped[Text] = mapped_column(default="")

    work_order: Mapped[WorkOrder] = relationship()
    operation: Mapped[WorkOrderOperation | None] = relationship()
    order_line: Mapped[PurchaseOrderLine | None] = relationship()
    performed_by: Mapped[Resource | None] = relationship(foreign_keys=[performer_id])
    resource: Mapped[Resource | None] = relationship(foreign_keys=[resource_id])
    reverses: Mapped[Actual | None] = relationship(remote_side="Actual.id")

    @property
    def number(self) -> str:
        """System and event id."""
        return f"{self.source_system} {self.source_event_id}"

    @property
    def is_in_limits(self) -> bool | None:
        """Whether process data is within its limits; None where it has none."""
        if self.value is None or (self.lower is None and self.upper is None):
            return None
        return (self.lower is None or self.value >= self.lower) and (self.upper is None or self.value <= self.upper)


def actuals_of(session: Session, order: WorkOrder) -> list[Actual]:
    """Return what was recorded for a work order, oldest first."""
    wanted = select(Actual).where(Actual.work_order_id == order.id)
    return list(session.scalars(wanted.order_by(Actual.event_time, Actual.id)))


def carried_actuals_of(session: Session, order: WorkOrder) -> list[Actual]:
    """Return what was recorded for a work order, and before it for the divided orders that it continues, oldest first."""
    before = carried_actuals_of(session, order.parent) if order.continues_parent and order.parent is not None else []
    return [*before, *actuals_of(session, order)]


def standing(actuals: list[Actual]) -> list[Actual]:
    """Return the actuals that hold: neither reversed nor reversals."""
    reversed_ids = {each.reverses_id for each in actuals if each.reverses_id is not None}
    return [each for each in actuals if each.reverses_id is None and each.id not in reversed_ids]


def total_of(actuals: list[Actual], kind: ActualKind) -> Decimal:
    """Return the sum of the amounts of one kind, reversals taken off."""
    return sum((each.amount or Decimal(0) for each in actuals if each.kind is kind), Decimal(0))
