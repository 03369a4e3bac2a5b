"""What was done at a customer's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from engine.database import Base, Id
from engine.record import Record
from records.columns import Day, Name, Note

if TYPE_CHECKING:
    from records.work_order import WorkOrder


class ServiceRecord(Record, Base):
    """What was done at a customer's: what must be known before a service order closes (QMSR 820.35(b))."""

    __tablename__ = "service_record"
    __table_args__ = (UniqueConstraint("work_order_id"),)

    work_order_id: Mapped[Id] = mapped_column(ForeignKey("work_order.id"))
    udi: Mapped[Name] = mapped_column(default="")
    serviced_on: Mapped[Day | None]
    performed_by: Mapped[Name] = mapped_column(default="")
    work_done: Mapped[Note] = mapped_column(default="")
    test_data: Mapped[Note] = mapped_column(default="")

    work_order: Mapped[WorkOrder] = relationship(back_populates="service_record")

    @property
    def number(self) -> str:
        """The work order it belongs to."""
        return self.work_order.number
