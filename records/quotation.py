"""Requests for quotation and what suppliers answer: who was asked, until when, and every quote with its revisions."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from engine.act import Act
from engine.database import Base, Id, Instant, Money, Quantity
from engine.record import Record
from records.calendar import Site
from records.columns import Code, Currency, Day, Login, Name, Note, Text, word
from records.money import line_amount, total
from records.person import User
from records.requisition import Requisition, RequisitionLine
from records.supplier import Supplier
from records.transition import move_along, pairs


class RequestStatus(StrEnum):
    """The life of a request for quotation. COMPARING: the due date is over or every quote is in."""

    DRAFT = "DRAFT"
    OPEN = "OPEN"
    COMPARING = "COMPARING"
    AWARDED = "AWARDED"
    CANCELLED = "CANCELLED"


TRANSITIONS = pairs(
    "DRAFT>OPEN|CANCELLED; OPEN>COMPARING|CANCELLED; COMPARING>OPEN|AWARDED|CANCELLED; AWARDED>COMPARING|CANCELLED",
    RequestStatus,
)
"""COMPARING goes back to OPEN when more suppliers are asked; AWARDED back to COMPARING when the winner cannot deliver."""


class RequestForQuotation(Record, Base):
    """What several suppliers are asked to quote for an award of a requisition.

    due_at: the instant up to which quotes are taken, exclusive; None before it is sent. quotes_needed: valid quotes without which a
    justification is signed. closed_reason: why the buyer stopped waiting before that.
    """

    __tablename__ = "request_for_quotation"
    __table_args__ = (
        UniqueConstraint("number"),
        CheckConstraint("quotes_needed >= 0", name="quotes_needed_not_negative"),
        CheckConstraint(
            "status IN ('DRAFT', 'CANCELLED') OR (due_at IS NOT NULL AND sent_at IS NOT NULL)",
            name="sent_says_until_when",
        ),
        Index("ix_request_for_quotation_requisition_id", "requisition_id"),
        Index("ix_request_for_quotation_status", "status"),
    )

    number: Mapped[Code]
    site_id: Mapped[Id] = mapped_column(ForeignKey("site.id"))
    requisition_id: Mapped[Id] = mapped_column(ForeignKey("requisition.id"))
    buyer_id: Mapped[Login | None] = mapped_column(ForeignKey("user_account.id"))
    status: Mapped[RequestStatus] = word(RequestStatus, "status", default=RequestStatus.DRAFT)
    quotes_needed: Mapped[int] = mapped_column(default=0)
    currency: Mapped[Currency]
    ship_to: Mapped[Text] = mapped_column(default="")
    message: Mapped[Text] = mapped_column(default="")
    sent_at: Mapped[Instant | None]
    due_at: Mapped[Instant | None]
    closed_at: Mapped[Instant | None]
    closed_reason: Mapped[Text | None]

    site: Mapped[Site] = relationship()
    requisition: Mapped[Requisition] = relationship()
    buyer: Mapped[User | None] = relationship()
    lines: Mapped[list[RequestLine]] = relationship(
        back_populates="request", cascade="all, delete-orphan", order_by="RequestLine.line_no"
    )
    invitations: Mapped[list[Invitation]] = relationship(back_populates="request", order_by="Invitation.id")

    @property
    def title(self) -> str:
        """What is asked for, in one line."""
        things = [line.item for line in self.lines]
        return ", ".join(things[:3]) + (f" and {len(things) - 3} more" if len(things) > 3 else "")

    def takes_quotes(self, at: dt.datetime) -> bool:
        """Whether a quote may still be given at an instant."""
        return self.status is RequestStatus.OPEN and self.due_at is not None and at < self.due_at


class RequestLine(Record, Base):
    """One thing that suppliers quote, as the requisition's line says it. quantity: in ``uom``."""

    __tablename__ = "request_for_quotation_line"
    __table_args__ = (
        UniqueConstraint("request_id", "line_no"),
        CheckConstraint("quantity > 0", name="quantity_positive"),
    )

    request_id: Mapped[Id] = mapped_column(ForeignKey("request_for_quotation.id"))
    line_no: Mapped[int]
    requisition_line_id: Mapped[Id] = mapped_column(ForeignKey("requisition_line.id"))
    item: Mapped[Name]
    description: Mapped[Note] = mapped_column(default="")
    spec: Mapped[Name] = mapped_column(default="")
    quantity: Mapped[Quantity]
    uom: Mapped[Code]
    need_by: Mapped[Day | None]

    request: Mapped[RequestForQuotation] = relationship(back_populates="lines")
    requisition_line: Mapped[RequisitionLine] = relationship()

    @property
    def number(self) -> str:
        """Request and line, ``RFQ-000001/1``."""
        return f"{self.request.number}/{self.line_no}"


class Invitation(Record, Base):
    """A supplier who is asked. link_no: counts up to make the links that were mailed before it worthless.

    declined_at: the supplier does not quote; awarded_at: its quote was chosen.
    """

    __tablename__ = "quotation_invitation"
    __table_args__ = (
        UniqueConstraint("request_id", "supplier_id"),
        CheckConstraint("link_no >= 1", name="link_no_from_one"),
        Index("ix_quotation_invitation_supplier_id", "supplier_id"),
    )

    request_id: Mapped[Id] = mapped_column(ForeignKey("request_for_quotation.id"))
    supplier_id: Mapped[Id] = mapped_column(ForeignKey("supplier.id"))
    email: Mapped[Name] = mapped_column(default="")
    link_no: Mapped[int] = mapped_column(default=1)
    declined_at: Mapped[Instant | None]
    decline_reason: Mapped[Text | None]
    awarded_at: Mapped[Instant | None]

    request: Mapped[RequestForQuotation] = relationship(back_populates="invitations")
    supplier: Mapped[Supplier] = relationship()
    quotations: Mapped[list[Quotation]] = relationship(back_populates="invitation", order_by="Quotation.revision")

    @property
    def number(self) -> str:
        """Request and supplier."""
        return f"{self.request.number} {self.supplier.supplier_no}"

    @property
    def quotation(self) -> Quotation | None:
        """The newest revision of what the supplier quotes; None when it declined or has not answered."""
        return self.quotations[-1] if self.quotations and self.declined_at is None else None

    @property
    def is_answered(self) -> bool:
        """Whether the supplier quoted or declined."""
        return self.declined_at is not None or bool(self.quotations)


class QuoteChannel(StrEnum):
    """How a quote came: the supplier's own form, or the buyer who keyed it from a letter, a mail or a call."""

    FORM = "FORM"
    BUYER = "BUYER"


class Quotation(Record, Base):
    """One revision of a supplier's quote, written once; the newest one counts.

    charges: freight, packing and duty for all lines, in ``currency``. lead_time_days: calendar days from order to delivery. valid_to:
    the last day on which it can be accepted. reference: the supplier's own number.
    """

    __tablename__ = "quotation"
    __table_args__ = (
        UniqueConstraint("invitation_id", "revision"),
        CheckConstraint("revision >= 1", name="revision_from_one"),
        CheckConstraint("charges >= 0", name="charges_not_negative"),
        CheckConstraint("lead_time_days BETWEEN 0 AND 3650", name="lead_time_within_ten_years"),
    )

    invitation_id: Mapped[Id] = mapped_column(ForeignKey("quotation_invitation.id"))
    revision: Mapped[int]
    channel: Mapped[QuoteChannel] = word(QuoteChannel, "channel")
    received_at: Mapped[Instant]
    currency: Mapped[Currency]
    charges: Mapped[Money] = mapped_column(default=Decimal(0))
    lead_time_days: Mapped[int]
    valid_to: Mapped[Day]
    incoterm: Mapped[Name] = mapped_column(default="")
    reference: Mapped[Name] = mapped_column(default="")
    remarks: Mapped[Text] = mapped_column(default="")

    invitation: Mapped[Invitation] = relationship(back_populates="quotations")
    lines: Mapped[list[QuotationLine]] = relationship(back_populates="quotation", order_by="QuotationLine.line_no")

    @property
    def number(self) -> str:
        """The supplier's number, else request, supplier and revision."""
        return self.reference or f"{self.invitation.number} rev {self.revision}"

    @property
    def goods(self) -> Decimal:
        """The sum of the rounded amounts of its lines, in ``currency``."""
        quantities = {line.line_no: line.quantity for line in self.invitation.request.lines}
        return total(
            line_amount(quantities[line.line_no], line.unit_price, currency=self.currency) for line in self.lines
        )

    def price_of(self, line_no: int) -> Decimal | None:
        """Return the price per unit of one line, None where it is not quoted."""
        return next((line.unit_price for line in self.lines if line.line_no == line_no), None)


class QuotationLine(Record, Base):
    """The price of one line, per the request's unit, in the quote's currency. Written once."""

    __tablename__ = "quotation_line"
    __table_args__ = (
        UniqueConstraint("quotation_id", "line_no"),
        CheckConstraint("unit_price >= 0", name="unit_price_not_negative"),
    )

    quotation_id: Mapped[Id] = mapped_column(ForeignKey("quotation.id"))
    line_no: Mapped[int]
    unit_price: Mapped[Money]

    quotation: Mapped[Quotation] = relationship(back_populates="lines")

    @property
    def number(self) -> str:
        """Quote and line."""
        return f"{self.quotation.number}/{self.line_no}"


def move(
    act: Act, request: RequestForQuotation, to: RequestStatus, *, reason: str | None = None
) -> RequestForQuotation:
    """Move a request along its life. Raises: Conflict ILLEGAL_TRANSITION."""
    move_along(act, request, to, transitions=TRANSITIONS, reason=reason)
    return request


def requests_of(session: Session, requisition_id: str) -> list[RequestForQuotation]:
    """Return the requests made for a requisition, oldest first."""
    wanted = select(RequestForQuotation).where(RequestForQuotation.requisition_id == requisition_id)
    return list(session.scalars(wanted.order_by(RequestForQuotation.id)))
