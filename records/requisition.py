"""Requisitions: what somebody asks the plant to buy."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from engine.act import Act
from engine.canonical import canonical, content_hash
from engine.database import Base, Id, Instant, Money, Quantity
from engine.errors import Conflict
from engine.record import Record
from records.calendar import Site
from records.columns import Code, Currency, Day, Hash, Login, Name, Note, Text, word
from records.cost_centre import CostCentre
from records.money import line_amount, total
from records.origin import Originated
from records.part import Part, PartRevision
from records.person import User
from records.supplier import Supplier
from records.transition import move_along, pairs


class RequisitionStatus(StrEnum):
    """The life of a requisition (domain.md 2.30)."""

    DRAFT = "DRAFT"
    SUBMITTED = "SUBMITTED"
    IN_APPROVAL = "IN_APPROVAL"
    APPROVED = "APPROVED"
    CONVERTED = "CONVERTED"
    CLOSED = "CLOSED"
    REJECTED = "REJECTED"
    RETURNED = "RETURNED"
    CANCELLED = "CANCELLED"


TRANSITIONS = pairs(
    "DRAFT>SUBMITTED|CANCELLED; SUBMITTED>IN_APPROVAL|APPROVED|RETURNED|REJECTED|CANCELLED;"
    " IN_APPROVAL>APPROVED|REJECTED|RETURNED|CANCELLED; RETURNED>DRAFT|CANCELLED;"
    " APPROVED>CONVERTED|DRAFT|CANCELLED; CONVERTED>CLOSED",
    RequisitionStatus,
)


class Priority(StrEnum):
    """How urgent something is."""

    LOW = "LOW"
    NORMAL = "NORMAL"
    HIGH = "HIGH"
    LINE_DOWN = "LINE_DOWN"


class PurchaseType(StrEnum):
    """What kind of purchase it is."""

    STANDARD = "STANDARD"
    OSP = "OSP"
    SERVICE = "SERVICE"
    RETURN = "RETURN"
    BLANKET_RELEASE = "BLANKET_RELEASE"


class Requisition(Originated, Record, Base):
    """A request to buy, in one currency, paid by one cost centre.

    submitted_hash: the content hash approvers were shown.
    """

    __tablename__ = "requisition"
    __table_args__ = (
        UniqueConstraint("site_id", "number"),
        CheckConstraint("advance_payment >= 0", name="advance_payment_not_negative"),
        Index("ix_requisition_requester_id", "requester_id"),
        Index("ix_requisition_status", "status"),
    )

    number: Mapped[Code]
    type: Mapped[PurchaseType] = word(PurchaseType, "type", default=PurchaseType.STANDARD)
    site_id: Mapped[Id] = mapped_column(ForeignKey("site.id"))
    requester_id: Mapped[Login] = mapped_column(ForeignKey("user_account.id"))
    cost_centre_id: Mapped[Id] = mapped_column(ForeignKey("cost_centre.id"))
    project: Mapped[Code | None]
    capex_no: Mapped[Code | None]
    need_by: Mapped[Day | None]
    currency: Mapped[Currency]
    advance_payment: Mapped[Money] = mapped_column(default=Decimal(0))
    title: Mapped[Name] = mapped_column(default="")
    justification: Mapped[Text] = mapped_column(default="")
    priority: Mapped[Priority] = word(Priority, "priority", default=Priority.NORMAL)
    ship_to: Mapped[Text | None]
    status: Mapped[RequisitionStatus] = word(RequisitionStatus, "status", default=RequisitionStatus.DRAFT)
    submitted_at: Mapped[Instant | None]
    submitted_hash: Mapped[Hash | None]
    approved_hash: Mapped[Hash | None]
    short_closed_reason: Mapped[Text | None]

    site: Mapped[Site] = relationship()
    requester: Mapped[User] = relationship()
    cost_centre: Mapped[CostCentre] = relationship()
    lines: Mapped[list[RequisitionLine]] = relationship(
        back_populates="requisition", cascade="all, delete-orphan", order_by="RequisitionLine.line_no"
    )

    @property
    def total(self) -> Decimal:
        """The sum of the rounded line amounts, in ``currency``."""
        return total(line.amount for line in self.lines)

    @property
    def open_quantity(self) -> Decimal:
        """What is not on an order yet, over all lines, whatever their units; 0 means done."""
        return sum((line.open_quantity for line in self.lines), Decimal(0))


class RequisitionLine(Record, Base):
    """One thing asked for: a part revision, or a service with the cost object it is for.

    estimated_price: per ``uom``, in the requisition's currency; None when nobody knows yet. need_by, ship_to: None as
    in the header. work_order_op: the operation it is for, ``WO-7001/30``. planned_order: the ERP's planned order it
    came from.
    """

    __tablename__ = "requisition_line"
    __table_args__ = (
        UniqueConstraint("requisition_id", "line_no"),
        CheckConstraint("line_no > 0", name="line_no_from_one"),
        CheckConstraint("quantity > 0", name="quantity_positive"),
        CheckConstraint("estimated_price IS NULL OR estimated_price >= 0", name="estimated_price_not_negative"),
        CheckConstraint("converted_quantity >= 0 AND converted_quantity <= quantity", name="converted_within_quantity"),
        CheckConstraint("part_revision_id IS NULL OR service_code IS NULL", name="a_part_or_a_service"),
        CheckConstraint(
            "length(description) > 0 OR part_revision_id IS NOT NULL OR service_code IS NOT NULL", name="says_what"
        ),
        Index("ix_requisition_line_part_revision_id", "part_revision_id"),
    )

    requisition_id: Mapped[Id] = mapped_column(ForeignKey("requisition.id"))
    line_no: Mapped[int]
    part_revision_id: Mapped[Id | None] = mapped_column(ForeignKey("part_revision.id"))
    service_code: Mapped[Code | None] = mapped_column(ForeignKey("part.part_no"))
    process_code: Mapped[Code | None] = mapped_column(ForeignKey("outside_process.code"))
    spec: Mapped[Code | None]
    spec_rev: Mapped[Code | None]
    cost_object: Mapped[Name | None]
    description: Mapped[Note] = mapped_column(default="")
    quantity: Mapped[Quantity]
    uom: Mapped[Code] = mapped_column(default="EA")
    estimated_price: Mapped[Money | None]
    need_by: Mapped[Day | None]
    ship_to: Mapped[Text | None]
    supplier_id: Mapped[Id | None] = mapped_column(ForeignKey("supplier.id"))
    is_single_source: Mapped[bool] = mapped_column(default=False)
    customer_reference: Mapped[Name | None]
    work_order_op: Mapped[Name | None]
    planned_order: Mapped[Name | None]
    converted_quantity: Mapped[Quantity] = mapped_column(default=Decimal(0))

    requisition: Mapped[Requisition] = relationship(back_populates="lines")
    part_revision: Mapped[PartRevision | None] = relationship()
    service: Mapped[Part | None] = relationship()
    supplier: Mapped[Supplier | None] = relationship()

    @property
    def number(self) -> str:
        """Document number and line, ``REQ-000017/1``."""
        return f"{self.requisition.number}/{self.line_no}"

    @property
    def amount(self) -> Decimal:
        """Quantity × estimated price, rounded to the minor unit; 0 without a price."""
        return line_amount(self.quantity, self.estimated_price or Decimal(0), currency=self.requisition.currency)

    @property
    def open_quantity(self) -> Decimal:
        """What is not on an order yet, in ``uom``."""
        return self.quantity - self.converted_quantity

    @property
    def item(self) -> str:
        """What is asked for, in one short text."""
        return self.part_revision.number if self.part_revision else self.service_code or self.description[:60]


def move(act: Act, requisition: Requisition, to: RequisitionStatus, *, reason: str | None = None) -> Requisition:
    """Move a requisition along 2.30. Raises: Conflict ILLEGAL_TRANSITION or OPEN_QUANTITY.

    APPROVED>CONVERTED needs something converted, APPROVED>DRAFT nothing, CONVERTED>CLOSED nothing open or a short-close
    reason.
    """
    # Status and hashes are one edit: a flush between them would freeze the document before its hash is set.
    with act.session.no_autoflush:
        move_along(act, requisition, to, transitions=TRANSITIONS, reason=reason)
        converted = any(line.converted_quantity for line in requisition.lines)
        if to is RequisitionStatus.CONVERTED and not converted:
            raise _about_quantities(requisition, "something of it to be on an order, but nothing is")
        if to is RequisitionStatus.DRAFT and converted:
            raise _about_quantities(requisition, "nothing of it to be on an order, but some is")
        if to is RequisitionStatus.CLOSED and requisition.open_quantity and not requisition.short_closed_reason:
            raise _about_quantities(requisition, "no open quantity or a reason to close it short, but there is neither")
        if to is RequisitionStatus.SUBMITTED:
            requisition.submitted_at, requisition.submitted_hash = act.now, requisition_hash(requisition)
        if to is RequisitionStatus.APPROVED:
            requisition.approved_hash = requisition_hash(requisition)
        if to is RequisitionStatus.DRAFT:
            requisition.submitted_hash = requisition.approved_hash = None
    return requisition


def _about_quantities(requisition: Requisition, what: str) -> Conflict:
    return Conflict(
        f"Expected of {requisition.number} {what}", code="OPEN_QUANTITY", record=("requisition", requisition.id)
    )


def convert(act: Act, line: RequisitionLine, quantity: Decimal) -> RequisitionLine:
    """Count a quantity of an approved line as ordered.

    quantity: in the line's unit, above 0, at most what is open. Raises: Conflict otherwise, or when it is not approved.
    """
    requisition = line.requisition
    if requisition.status not in (RequisitionStatus.APPROVED, RequisitionStatus.CONVERTED):
        raise Conflict(f"Expected {requisition.number} to be approved, but it is {requisition.status}")
    if not 0 < quantity <= line.open_quantity:
        raise _about_quantities(
            requisition, f"line {line.line_no} to have {quantity} open, but {line.open_quantity} is"
        )
    line.converted_quantity += quantity
    if requisition.status is RequisitionStatus.APPROVED:
        move(act, requisition, RequisitionStatus.CONVERTED)
    return line


def give_back(act: Act, line: RequisitionLine, quantity: Decimal) -> RequisitionLine:
    """Open a quantity of a line again, when its order was cancelled. quantity: above 0, at most what was converted."""
    if not 0 < quantity <= line.converted_quantity:
        raise _about_quantities(
            line.requisition, f"line {line.line_no} to have {quantity} on orders, but {line.converted_quantity} is"
        )
    line.converted_quantity -= quantity
    act.note("requisition", line.requisition_id, "GIVEN_BACK", field=f"lines.{line.line_no}", new=quantity)
    return line


def requisition_content(requisition: Requisition) -> dict[str, Any]:
    """Return what approvers of a requisition approve, in canonical texts."""
    return {
        "number": requisition.number,
        "type": requisition.type.value,
        "requester": requisition.requester_id,
        "cost_centre": requisition.cost_centre.code,
        "project": requisition.project,
        "capex_no": requisition.capex_no,
        "need_by": canonical(requisition.need_by),
        "currency": requisition.currency,
        "advance_payment": canonical(requisition.advance_payment, scale=4),
        "justification": requisition.justification,
        "ship_to": requisition.ship_to,
        "lines": [_line_content(line) for line in sorted(requisition.lines, key=lambda line: line.line_no)],
    }


def _line_content(line: RequisitionLine) -> dict[str, Any]:
    return {
        "line_no": line.line_no,
        "part_revision": line.part_revision.number if line.part_revision else None,
        "service": line.service_code,
        "process": line.process_code,
        "spec": line.spec,
        "spec_rev": line.spec_rev,
        "cost_object": line.cost_object,
        "description": line.description,
        "quantity": canonical(line.quantity, scale=6),
        "uom": line.uom,
        "estimated_price": canonical(line.estimated_price, scale=4),
        "need_by": canonical(line.need_by),
        "ship_to": line.ship_to,
        "supplier": line.supplier.supplier_no if line.supplier else None,
        "single_source": line.is_single_source,
        "customer_reference": line.customer_reference,
        "work_order_op": line.work_order_op,
    }


def requisition_hash(requisition: Requisition) -> str:
    """Return the content hash that approvers of a requisition sign."""
    return content_hash(requisition_content(requisition))
