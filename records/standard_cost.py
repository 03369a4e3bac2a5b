"""What a work order should cost, component by component."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from engine.database import Base, Id, Money, Quantity
from engine.record import Record
from records.columns import Code, word

if TYPE_CHECKING:
    from records.work_order import WorkOrder


class CostKind(StrEnum):
    """What an amount was spent on."""

    MATERIAL = "MATERIAL"
    LABOUR = "LABOUR"
    MACHINE = "MACHINE"
    OUTSIDE = "OUTSIDE"


class StandardCost(Record, Base):
    """What one component of a work order should take: a quantity of an item at a unit cost.

    item: the part number for material, with a revision where the bill of materials requires one (``P-100/B``); the work centre for
    labour and machine time, the process for outside work. unit_cost: in the work order's currency, per piece or hour.
    """

    __tablename__ = "standard_cost"
    __table_args__ = (
        UniqueConstraint("work_order_id", "kind", "item"),
        CheckConstraint("quantity >= 0", name="quantity_not_negative"),
        CheckConstraint("unit_cost >= 0", name="unit_cost_not_negative"),
    )

    work_order_id: Mapped[Id] = mapped_column(ForeignKey("work_order.id"))
    kind: Mapped[CostKind] = word(CostKind, "kind")
    item: Mapped[Code]
    quantity: Mapped[Quantity]
    uom: Mapped[Code]
    unit_cost: Mapped[Money]

    work_order: Mapped[WorkOrder] = relationship(back_populates="standards")

    @property
    def number(self) -> str:
        """Work order, kind and item."""
        return f"{self.work_order.number} {self.kind.value} {self.item}"

    def required_revision(self, part_no: str) -> str | None:
        """Return the revision of a part that this component asks for; None when it is another item, or asks for no revision."""
        number, _, revision = self.item.rpartition("/")
        return revision if self.kind is CostKind.MATERIAL and number == part_no and revision else None
