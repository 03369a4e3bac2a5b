"""The limits that a conditional or one-time approval of a supplier puts on one order, copied when the order is drafted."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from engine.database import Base, Id, Money, Quantity
from engine.record import Record
from records.columns import Day, Text
from records.supplier import SupplierApproval


class OrderLimit(Record, Base):
    """How far one order may go under one approval (SUP-12). Written once, with the order.

    max_quantity: pieces on the lines it covers; max_value: of those lines in company currency; ends_on: the last day it may be issued.
    """

    __tablename__ = "purchase_order_limit"
    __table_args__ = (
        UniqueConstraint("order_id", "approval_id"),
        CheckConstraint("max_quantity IS NULL OR max_quantity > 0", name="max_quantity_positive"),
        CheckConstraint("max_value IS NULL OR max_value > 0", name="max_value_positive"),
    )

    order_id: Mapped[Id] = mapped_column(ForeignKey("purchase_order.id"))
    approval_id: Mapped[Id] = mapped_column(ForeignKey("supplier_approval.id"))
    max_quantity: Mapped[Quantity | None]
    max_value: Mapped[Money | None]
    ends_on: Mapped[Day]
    conditions: Mapped[Text] = mapped_column(default="")

    approval: Mapped[SupplierApproval] = relationship()

    @property
    def number(self) -> str:
        """The approval it comes from."""
        return self.approval.number


def limits_on(session: Session, order_id: str) -> list[OrderLimit]:
    """Return the limits of an order."""
    return list(session.scalars(select(OrderLimit).where(OrderLimit.order_id == order_id).order_by(OrderLimit.id)))
