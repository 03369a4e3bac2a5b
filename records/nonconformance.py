"""Nonconformances and deviation authorities: what permits work that no routing plans, for how many pieces and until when."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from engine.act import Act
from engine.database import Base, Id, Instant, Quantity
from engine.record import Record
from records.calendar import Site
from records.columns import Code, Day, Login, Name, Note, Text, word
from records.part import PartRevision
from records.transition import move_along, pairs


class Disposition(StrEnum):
    """What becomes of nonconforming pieces."""

    USE_AS_IS = "USE_AS_IS"
    REWORK = "REWORK"
    REPAIR = "REPAIR"
    SCRAP = "SCRAP"
    RETURN = "RETURN"


class NonconformanceStatus(StrEnum):
    """The life of a nonconformance."""

    OPEN = "OPEN"
    DISPOSED = "DISPOSED"
    CLOSED = "CLOSED"
    CANCELLED = "CANCELLED"


TRANSITIONS = pairs("OPEN>DISPOSED|CANCELLED; DISPOSED>CLOSED|OPEN", NonconformanceStatus)


class Nonconformance(Record, Base):
    """Pieces that are not as they must be (NCR).

    about_type, about_id, about_number: the document it was found on (receipt, work_order, lot …). quantity: pieces concerned.
    quantity_limit: pieces that may be worked on under it; expires_on: the last day on which such work may be released. owner: a
    principal.
    """

    __tablename__ = "nonconformance"
    __table_args__ = (
        UniqueConstraint("number"),
        CheckConstraint("quantity > 0", name="quantity_positive"),
        CheckConstraint(
            "quantity_limit IS NULL OR (quantity_limit > 0 AND quantity_limit <= quantity)",
            name="limit_within_quantity",
        ),
        CheckConstraint("status IN ('OPEN', 'CANCELLED') OR disposition IS NOT NULL", name="disposed_says_how"),
        Index("ix_nonconformance_about", "about_type", "about_id"),
        Index("ix_nonconformance_status", "status"),
    )

    number: Mapped[Code]
    site_id: Mapped[Id] = mapped_column(ForeignKey("site.id"))
    about_type: Mapped[Code]
    about_id: Mapped[Login]
    about_number: Mapped[Name] = mapped_column(default="")
    part_revision_id: Mapped[Id | None] = mapped_column(ForeignKey("part_revision.id"))
    lot_no: Mapped[Name | None]
    serials: Mapped[Text] = mapped_column(default="")
    title: Mapped[Name]
    description: Mapped[Note] = mapped_column(default="")
    quantity: Mapped[Quantity]
    uom: Mapped[Code] = mapped_column(default="EA")
    quantity_limit: Mapped[Quantity | None]
    expires_on: Mapped[Day | None]
    disposition: Mapped[Disposition | None] = word(Disposition, "disposition")
    disposition_reason: Mapped[Text] = mapped_column(default="")
    disposed_by_id: Mapped[Login | None] = mapped_column(ForeignKey("user_account.id"))
    owner: Mapped[Login] = mapped_column(default="role:QA_ENG")
    raised_at: Mapped[Instant]
    status: Mapped[NonconformanceStatus] = word(NonconformanceStatus, "status", default=NonconformanceStatus.OPEN)

    site: Mapped[Site] = relationship()
    part_revision: Mapped[PartRevision | None] = relationship()

    def permits_on(self, day: dt.date) -> bool:
        """Whether work under it may be released on a day."""
        return self.status in {NonconformanceStatus.OPEN, NonconformanceStatus.DISPOSED} and (
            self.expires_on is None or day <= self.expires_on
        )


class DeviationStatus(StrEnum):
    """The life of a deviation authority."""

    DRAFT = "DRAFT"
    APPROVED = "APPROVED"
    WITHDRAWN = "WITHDRAWN"


DEVIATION_TRANSITIONS = pairs("DRAFT>APPROVED|WITHDRAWN; APPROVED>WITHDRAWN", DeviationStatus)


class DeviationAuthority(Record, Base):
    """Leave to depart from the definition, for a number of pieces and until a day (inclusive).

    change_order_id: the emergency that opened it; closed_at, closed_reason: when that was closed, and how it ended.
    """

    __tablename__ = "deviation_authority"
    __table_args__ = (
        UniqueConstraint("number"),
        Index("ix_deviation_authority_change_order_id", "change_order_id"),
        CheckConstraint("quantity > 0", name="quantity_positive"),
        CheckConstraint("status <> 'APPROVED' OR approved_by_id IS NOT NULL", name="approved_says_by_whom"),
    )

    number: Mapped[Code]
    site_id: Mapped[Id] = mapped_column(ForeignKey("site.id"))
    part_revision_id: Mapped[Id | None] = mapped_column(ForeignKey("part_revision.id"))
    title: Mapped[Name]
    description: Mapped[Note] = mapped_column(default="")
    quantity: Mapped[Quantity]
    uom: Mapped[Code] = mapped_column(default="EA")
    expires_on: Mapped[Day]
    approved_by_id: Mapped[Login | None] = mapped_column(ForeignKey("user_account.id"))
    approved_at: Mapped[Instant | None]
    customer_reference: Mapped[Name | None]
    change_order_id: Mapped[Id | None]
    closed_at: Mapped[Instant | None]
    closed_reason: Mapped[Text | None]
    status: Mapped[DeviationStatus] = word(DeviationStatus, "status", default=DeviationStatus.DRAFT)

    site: Mapped[Site] = relationship()
    part_revision: Mapped[PartRevision | None] = relationship()

    def permits_on(self, day: dt.date) -> bool:
        """Whether work under it may be released on a day."""
        return self.status is DeviationStatus.APPROVED and day <= self.expires_on


def move(
    act: Act, nonconformance: Nonconformance, to: NonconformanceStatus, *, reason: str | None = None
) -> Nonconformance:
    """Move a nonconformance along its life. Raises Conflict ILLEGAL_TRANSITION."""
    move_along(act, nonconformance, to, transitions=TRANSITIONS, reason=reason)
    return nonconformance


def move_deviation(
    act: Act, deviation: DeviationAuthority, to: DeviationStatus, *, reason: str | None = None
) -> DeviationAuthority:
    """Move a deviation authority along its life. Raises Conflict ILLEGAL_TRANSITION."""
    move_along(act, deviation, to, transitions=DEVIATION_TRANSITIONS, reason=reason)
    return deviation
