"""What suppliers answer to an order, whole and line by line."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from engine.database import Base, Id, Instant, Money, Quantity
from engine.record import Record
from records.columns import Day, Name, Text, word
from records.purchase_order import PurchaseOrder


class AckChannel(StrEnum):
    """How an acknowledgement came."""

    PORTAL = "PORTAL"
    EDI = "EDI"
    EMAIL = "EMAIL"
    PAGE = "PAGE"


class AckResult(StrEnum):
    """What the supplier says to the whole order."""

    ACCEPT = "ACCEPT"
    ACCEPT_WITH_CHANGE = "ACCEPT_WITH_CHANGE"
    REJECT = "REJECT"


class AckCode(StrEnum):
    """What the supplier says to one line (X12 element 668)."""

    IA = "IA"
    IQ = "IQ"
    IP = "IP"
    DR = "DR"
    IB = "IB"
    IR = "IR"


class SupplierAcknowledgement(Record, Base):
    """A supplier's answer to one revision of an order. message_id: the sender's; the same one twice is one answer."""

    __tablename__ = "supplier_acknowledgement"
    __table_args__ = (
        UniqueConstraint("order_id", "message_id"),
        CheckConstraint("order_revision >= 0", name="order_revision_from_zero"),
    )

    order_id: Mapped[Id] = mapped_column(ForeignKey("purchase_order.id"))
    order_revision: Mapped[int]
    received_at: Mapped[Instant]
    channel: Mapped[AckChannel] = word(AckChannel, "channel")
    result: Mapped[AckResult] = word(AckResult, "result")
    message_id: Mapped[Name]
    reference: Mapped[Name] = mapped_column(default="")
    comment: Mapped[Text] = mapped_column(default="")

    order: Mapped[PurchaseOrder] = relationship(back_populates="acknowledgements")
    lines: Mapped[list[SupplierAcknowledgementLine]] = relationship(
        back_populates="acknowledgement",
        cascade="all, delete-orphan",
        order_by="(SupplierAcknowledgementLine.line_no, SupplierAcknowledgementLine.code)",
    )

    @property
    def number(self) -> str:
        """The supplier's reference, or the message's id."""
        return self.reference or self.message_id


class SupplierAcknowledgementLine(Record, Base):
    """A supplier's answer to one line; a line may carry several codes (quantity and date both changed)."""

    __tablename__ = "supplier_acknowledgement_line"
    __table_args__ = (
        UniqueConstraint("acknowledgement_id", "line_no", "code"),
        CheckConstraint("quantity IS NULL OR quantity >= 0", name="quantity_not_negative"),
        CheckConstraint("unit_price IS NULL OR unit_price >= 0", name="unit_price_not_negative"),
        CheckConstraint("code <> 'IQ' OR quantity IS NOT NULL", name="changed_quantity_is_named"),
        CheckConstraint("code <> 'IP' OR unit_price IS NOT NULL", name="changed_price_is_named"),
        CheckConstraint("code <> 'DR' OR promised_on IS NOT NULL", name="changed_date_is_named"),
    )

    acknowledgement_id: Mapped[Id] = mapped_column(ForeignKey("supplier_acknowledgement.id"))
    line_no: Mapped[int]
    code: Mapped[AckCode] = word(AckCode, "code")
    quantity: Mapped[Quantity | None]
    unit_price: Mapped[Money | None]
    promised_on: Mapped[Day | None]

    acknowledgement: Mapped[SupplierAcknowledgement] = relationship(back_populates="lines")

    @property
    def number(self) -> str:
        """The order line it answers."""
        return f"{self.acknowledgement.order.number}/{self.line_no}"
