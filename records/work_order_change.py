"""Changes of a released work order's quantity: proposed with a redline of both sides, signed, applied once (domain.md 4c)."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from engine.act import Act
from engine.database import Base, Id, Instant, Quantity
from engine.record import Record
from records.columns import Code, Hash, Login, Text, word
from records.outside import OutsideLink
from records.transition import move_along, pairs
from records.work_order import WorkOrder


class WorkOrderChangeStatus(StrEnum):
    """The life of a change. APPLIED: every side signed, and the work order has the quantity."""

    PROPOSED = "PROPOSED"
    APPLIED = "APPLIED"
    WITHDRAWN = "WITHDRAWN"
    REJECTED = "REJECTED"


TRANSITIONS = pairs("PROPOSED>APPLIED|WITHDRAWN|REJECTED", WorkOrderChangeStatus)
PROPOSED_ONLY = text("status = 'PROPOSED'")
"""The condition of the index that lets one change of a work order be open."""


class WorkOrderChangeClass(StrEnum):
    """How deep a change goes: C1 is the planner's; C2, where something is bought for the work, the planner's and the buyer's."""

    C1 = "C1"
    C2 = "C2"


class WorkOrderChange(Record, Base):
    """One change of a work order's quantity. Everything but its status and its end is written once.

    quantity_before, quantity_after: in ``uom``. content_hash: what is signed, the shares of the links included.
    """

    __tablename__ = "work_order_change"
    __table_args__ = (
        UniqueConstraint("work_order_id", "change_no"),
        CheckConstraint("change_no > 0", name="change_no_from_one"),
        CheckConstraint("quantity_before > 0 AND quantity_after > 0", name="quantities_positive"),
        CheckConstraint("quantity_before <> quantity_after", name="changes_something"),
        CheckConstraint("length(reason) > 0", name="says_why"),
        CheckConstraint("(status = 'APPLIED') = (applied_at IS NOT NULL)", name="applied_says_when"),
        Index(
            "uq_work_order_change_open", "work_order_id", unique=True,
            sqlite_where=PROPOSED_ONLY, postgresql_where=PROPOSED_ONLY,
        ),
    )  # fmt: skip

    number: Mapped[Code]
    work_order_id: Mapped[Id] = mapped_column(ForeignKey("work_order.id"))
    change_no: Mapped[int]
    change_class: Mapped[WorkOrderChangeClass] = word(WorkOrderChangeClass, "change_class")
    quantity_before: Mapped[Quantity]
    quantity_after: Mapped[Quantity]
    uom: Mapped[Code]
    reason: Mapped[Text]
    content_hash: Mapped[Hash]
    opened_by: Mapped[Login]
    status: Mapped[WorkOrderChangeStatus] = word(
        WorkOrderChangeStatus, "status", default=WorkOrderChangeStatus.PROPOSED
    )
    applied_at: Mapped[Instant | None]
    ended_reason: Mapped[Text | None]

    work_order: Mapped[WorkOrder] = relationship()
    shares: Mapped[list[WorkOrderChangeShare]] = relationship(
        back_populates="change", order_by="WorkOrderChangeShare.id"
    )

    @property
    def delta(self) -> Decimal:
        """How many pieces more; negative when fewer."""
        return self.quantity_after - self.quantity_before


class WorkOrderChangeShare(Record, Base):
    """What a change means for one link, and the amendment that asks the same of its order; written once.

    allocated_before, allocated_after: pieces of the link, in its unit.
    """

    __tablename__ = "work_order_change_share"
    __table_args__ = (
        UniqueConstraint("change_id", "link_id"),
        CheckConstraint("allocated_before >= 0 AND allocated_after > 0", name="allocations_positive"),
    )

    change_id: Mapped[Id] = mapped_column(ForeignKey("work_order_change.id"))
    link_id: Mapped[Id] = mapped_column(ForeignKey("outside_link.id"))
    allocated_before: Mapped[Quantity]
    allocated_after: Mapped[Quantity]
    amendment_id: Mapped[Id | None] = mapped_column(ForeignKey("purchase_order_amendment.id"))

    change: Mapped[WorkOrderChange] = relationship(back_populates="shares")
    link: Mapped[OutsideLink] = relationship()

    @property
    def number(self) -> str:
        """The change and the link."""
        return f"{self.change.number} {self.link.number}"


def move(act: Act, change: WorkOrderChange, to: WorkOrderChangeStatus, *, reason: str | None = None) -> WorkOrderChange:
    """Move a change along its life. Raises Conflict ILLEGAL_TRANSITION."""
    with act.session.no_autoflush:
        move_along(act, change, to, transitions=TRANSITIONS, reason=reason)
        if to is WorkOrderChangeStatus.APPLIED:
            change.applied_at = act.now
        elif reason:
            change.ended_reason = reason[:4000]
    return change


def open_change_of(session: Session, order: WorkOrder) -> WorkOrderChange | None:
    """Return the change of a work order that waits for signatures, or None."""
    wanted = select(WorkOrderChange).where(
        WorkOrderChange.work_order_id == order.id, WorkOrderChange.status == WorkOrderChangeStatus.PROPOSED
    )
    return session.scalar(wanted)


def next_change_no(session: Session, order: WorkOrder) -> int:
    """Return the number of the next change of a work order; none is used again."""
    wanted = select(func.coalesce(func.max(WorkOrderChange.change_no), 0)).where(
        WorkOrderChange.work_order_id == order.id
    )
    return int(session.scalar(wanted) or 0) + 1


def changes_of(session: Session, order: WorkOrder) -> list[WorkOrderChange]:
    """Return the changes of a work order's quantity, newest first."""
    wanted = select(WorkOrderChange).where(WorkOrderChange.work_order_id == order.id)
    return list(session.scalars(wanted.order_by(WorkOrderChange.change_no.desc())))
