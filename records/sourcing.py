"""What a purchase may be drawn from (quotes, contracts, projects), and exchange rates."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from engine.act import Act
from engine.database import Base, Id, Money, Quantity, Rate
from engine.errors import Conflict, Invalid
from engine.record import Record
from records.columns import Code, Currency, Day, Name, word
from records.part import Part
from records.supplier import Supplier


class SourcingKind(StrEnum):
    """What kind of document a reference names."""

    RFQ = "RFQ"
    QUOTE = "QUOTE"
    CONTRACT = "CONTRACT"
    BLANKET = "BLANKET"
    PROJECT = "PROJECT"
    CAPEX = "CAPEX"
    CUSTOMER_PO = "CUSTOMER_PO"


class SourcingRef(Record, Base):
    """A quote, contract, project or customer order that a purchase refers to, under its native id in its system.

    agreed_value (in currency) and agreed_quantity: what was agreed; remaining_value and remaining_quantity: what of it may still be
    drawn; None when it is not limited. valid_from and valid_to are inclusive site-local days of orders.
    """

    __tablename__ = "sourcing_ref"
    __table_args__ = (
        UniqueConstraint("system", "kind", "native_id"),
        CheckConstraint("remaining_value IS NULL OR remaining_value >= 0", name="remaining_value_not_negative"),
        CheckConstraint(
            "remaining_quantity IS NULL OR remaining_quantity >= 0", name="remaining_quantity_not_negative"
        ),
        CheckConstraint("unit_price IS NULL OR unit_price >= 0", name="unit_price_not_negative"),
        CheckConstraint(
            "agreed_value IS NULL OR (agreed_value > 0 AND remaining_value <= agreed_value)", name="value_within_agreed"
        ),
        CheckConstraint(
            "agreed_quantity IS NULL OR (agreed_quantity > 0 AND remaining_quantity <= agreed_quantity)",
            name="quantity_within_agreed",
        ),
    )

    kind: Mapped[SourcingKind] = word(SourcingKind, "kind")
    native_id: Mapped[Name]
    system: Mapped[Code]
    supplier_id: Mapped[Id | None] = mapped_column(ForeignKey("supplier.id"))
    part_id: Mapped[Id | None] = mapped_column(ForeignKey("part.id"))
    title: Mapped[Name] = mapped_column(default="")
    valid_from: Mapped[Day | None]
    valid_to: Mapped[Day | None]
    currency: Mapped[Currency | None]
    unit_price: Mapped[Money | None]
    uom: Mapped[Code | None]
    agreed_value: Mapped[Money | None]
    agreed_quantity: Mapped[Quantity | None]
    remaining_value: Mapped[Money | None]
    remaining_quantity: Mapped[Quantity | None]

    supplier: Mapped[Supplier | None] = relationship()
    part: Mapped[Part | None] = relationship()

    @property
    def number(self) -> str:
        """The native id."""
        return self.native_id

    def is_valid_on(self, day: dt.date) -> bool:
        """Whether orders may be drawn from it on a day."""
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_to is None or day <= self.valid_to)


class SourcingRelease(Record, Base):
    """What an order takes out of a contract or blanket, or gives back. Written once; an order's rows add up to what it holds.

    value: in the reference's currency, negative when given back; quantity: in its unit.
    """

    __tablename__ = "sourcing_release"
    __table_args__ = (
        CheckConstraint("value <> 0 OR quantity <> 0", name="moves_something"),
        Index("ix_sourcing_release_sourcing_ref_id", "sourcing_ref_id"),
        Index("ix_sourcing_release_order_id", "order_id"),
    )

    sourcing_ref_id: Mapped[Id] = mapped_column(ForeignKey("sourcing_ref.id"))
    order_id: Mapped[Id] = mapped_column(ForeignKey("purchase_order.id"))
    value: Mapped[Money]
    quantity: Mapped[Quantity]
    released_on: Mapped[Day]
    reason: Mapped[Name] = mapped_column(default="")

    reference: Mapped[SourcingRef] = relationship()

    @property
    def number(self) -> str:
        """The reference and the day."""
        return f"{self.reference.number} {self.released_on}"


def draw(
    act: Act, reference: SourcingRef, *, on: dt.date, value: Decimal | None = None, quantity: Decimal | None = None
) -> SourcingRef:
    """Take a release out of a contract or blanket, or, with negative amounts, put it back.

    on: the order date, site-local. Raises: Conflict OVERDRAWN when less remains; Conflict REFERENCE_EXPIRED when something is taken on a
    day on which it is not valid.
    """
    takes = any(amount is not None and amount > 0 for amount in (value, quantity))
    if takes and not reference.is_valid_on(on):
        is_over = reference.valid_to is not None and on > reference.valid_to
        when = f"ended on {reference.valid_to}" if is_over else f"begins on {reference.valid_from}"
        raise Conflict(
            f"Expected {reference.number} to be valid on {on}, but it {when}",
            code="REFERENCE_EXPIRED",
        )
    if value is not None and reference.remaining_value is not None:
        reference.remaining_value = _left(reference, reference.remaining_value, value)
    if quantity is not None and reference.remaining_quantity is not None:
        reference.remaining_quantity = _left(reference, reference.remaining_quantity, quantity)
    return reference


def _left(reference: SourcingRef, remaining: Decimal, wanted: Decimal) -> Decimal:
    if wanted > remaining:
        raise Conflict(
            f"Expected to draw at most {remaining.normalize():,f} from {reference.number}, but {wanted.normalize():,f} was asked for",
            code="OVERDRAWN",
        )
    return remaining - wanted


class ExchangeRate(Record, Base):
    """Company currency units for 1 of a currency, from a day on until the next row."""

    __tablename__ = "exchange_rate"
    __table_args__ = (
        UniqueConstraint("currency", "company_currency", "valid_from"),
        CheckConstraint("rate > 0", name="rate_positive"),
        CheckConstraint("currency <> company_currency", name="two_currencies"),
    )

    currency: Mapped[Currency]
    company_currency: Mapped[Currency]
    valid_from: Mapped[Day]
    rate: Mapped[Rate]

    @property
    def number(self) -> str:
        """Currency pair and day."""
        return f"{self.currency}/{self.company_currency} {self.valid_from}"


def rate_on(session: Session, currency: str, *, company_currency: str, on: dt.date) -> Decimal:
    """Return the company currency units for 1 of a currency on a day.

    Raises: Invalid NO_EXCHANGE_RATE when none is known; a missing rate is never taken as 1.
    """
    if currency == company_currency:
        return Decimal(1)
    wanted = select(ExchangeRate.rate).where(
        ExchangeRate.currency == currency,
        ExchangeRate.company_currency == company_currency,
        ExchangeRate.valid_from <= on,
    )
    rate = session.scalar(wanted.order_by(ExchangeRate.valid_from.desc()).limit(1))
    if rate is None:
        raise Invalid(
            f"Expected an exchange rate from {currency} to {company_currency} on {on}, but there is none",
            {"currency": f"no rate to {company_currency} on {on}"},
            code="NO_EXCHANGE_RATE",
        )
    return rate
