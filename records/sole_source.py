"""Why one source is bought from without enough quotes, written by a buyer and signed by the purchasing manager."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from engine.act import Act
from engine.canonical import canonical, content_hash
from engine.database import Base, Id, Money
from engine.record import Record
from records.calendar import Site
from records.columns import Code, Currency, Hash, Login, Text, word
from records.person import User
from records.requisition import Requisition
from records.supplier import Supplier
from records.transition import move_along, pairs


class Cause(StrEnum):
    """Why there are too few quotes."""

    ONLY_SOURCE = "ONLY_SOURCE"
    PROPRIETARY = "PROPRIETARY"
    QUALIFIED_SOURCE = "QUALIFIED_SOURCE"
    URGENT = "URGENT"
    TOO_FEW_QUOTES = "TOO_FEW_QUOTES"


class JustificationStatus(StrEnum):
    """The life of a justification."""

    PROPOSED = "PROPOSED"
    SIGNED = "SIGNED"
    REFUSED = "REFUSED"


TRANSITIONS = pairs("PROPOSED>SIGNED|REFUSED", JustificationStatus)


class SoleSourceJustification(Record, Base):
    """What a buyer says of one award; only its status and its signature ever change.

    amount: of the award, in ``currency``. quotes_valid: quotes that counted, of ``quotes_needed``. content_hash: what the manager signs.
    """

    __tablename__ = "sole_source_justification"
    __table_args__ = (
        UniqueConstraint("number"),
        CheckConstraint("amount >= 0", name="amount_not_negative"),
        CheckConstraint("quotes_valid >= 0 AND quotes_needed >= 0", name="quotes_not_negative"),
        CheckConstraint("length(reason) > 0", name="says_why"),
        CheckConstraint("(status = 'SIGNED') = (signature_id IS NOT NULL)", name="signed_has_a_signature"),
        Index("ix_sole_source_justification_requisition_id", "requisition_id"),
    )

    number: Mapped[Code]
    site_id: Mapped[Id] = mapped_column(ForeignKey("site.id"))
    requisition_id: Mapped[Id] = mapped_column(ForeignKey("requisition.id"))
    supplier_id: Mapped[Id] = mapped_column(ForeignKey("supplier.id"))
    request_id: Mapped[Id | None] = mapped_column(ForeignKey("request_for_quotation.id"))
    amount: Mapped[Money]
    currency: Mapped[Currency]
    cause: Mapped[Cause] = word(Cause, "cause")
    reason: Mapped[Text]
    price_reasonable: Mapped[Text] = mapped_column(default="")
    quotes_needed: Mapped[int] = mapped_column(default=0)
    quotes_valid: Mapped[int] = mapped_column(default=0)
    written_by: Mapped[Login] = mapped_column(ForeignKey("user_account.id"))
    content_hash: Mapped[Hash]
    status: Mapped[JustificationStatus] = word(JustificationStatus, "status", default=JustificationStatus.PROPOSED)
    signature_id: Mapped[Id | None] = mapped_column(ForeignKey("signature.id"))

    site: Mapped[Site] = relationship()
    requisition: Mapped[Requisition] = relationship()
    supplier: Mapped[Supplier] = relationship()
    writer: Mapped[User] = relationship()


def justification_hash(justification: SoleSourceJustification) -> str:
    """Return the hash of what is said, in canonical texts."""
    return content_hash(
        {
            "number": justification.number,
            "requisition": justification.requisition.number,
            "supplier": justification.supplier.supplier_no,
            "amount": canonical(justification.amount),
            "currency": justification.currency,
            "cause": justification.cause.value,
            "reason": justification.reason,
            "price_reasonable": justification.price_reasonable,
            "quotes_needed": justification.quotes_needed,
            "quotes_valid": justification.quotes_valid,
            "written_by": justification.written_by,
        }
    )


def move(
    act: Act,
    justification: SoleSourceJustification,
    to: JustificationStatus,
    *,
    signature_id: str | None = None,
    reason: str | None = None,
) -> SoleSourceJustification:
    """Sign or refuse a justification. Raises: Conflict ILLEGAL_TRANSITION."""
    with act.session.no_autoflush:
        move_along(act, justification, to, transitions=TRANSITIONS, reason=reason)
        justification.signature_id = signature_id
    return justification
