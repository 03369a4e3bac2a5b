"""Waivers: a dated permission to go on although a rule stands against one document, given by signatures."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from engine.act import Act
from engine.canonical import content_hash
from engine.database import Base, Quantity
from engine.record import Record
from records.columns import Code, Codes, Day, Hash, Login, Name, Text, word
from records.transition import move_along, pairs


class WaiverStatus(StrEnum):
    """The life of a waiver. It is over on the day after ``expires_on`` without anybody moving it."""

    PROPOSED = "PROPOSED"
    GRANTED = "GRANTED"
    REFUSED = "REFUSED"
    WITHDRAWN = "WITHDRAWN"
    REVOKED = "REVOKED"


TRANSITIONS = pairs("PROPOSED>GRANTED|REFUSED|WITHDRAWN; GRANTED>REVOKED", WaiverStatus)


class Waiver(Record, Base):
    """What one rule lets pass on one document. Its content never changes: another waiver is another row.

    target_type, record_id: the document the rule speaks about; record_name: its number, for people. starts_on, expires_on:
    inclusive site-local days. quantity_limit: pieces it covers at most, serials: the ones it covers; both empty for all.
    approved_hash: of the content, set when it is made, and what every seat of its plan signs.
    """

    __tablename__ = "waiver"
    __table_args__ = (
        UniqueConstraint("number"),
        CheckConstraint("expires_on >= starts_on", name="valid_range_in_order"),
        CheckConstraint("quantity_limit IS NULL OR quantity_limit > 0", name="quantity_limit_positive"),
        Index("ix_waiver_record_id_rule", "record_id", "rule"),
    )

    number: Mapped[Code]
    rule: Mapped[Code]
    target_type: Mapped[Code]
    record_id: Mapped[Login]
    record_name: Mapped[Name]
    quantity_limit: Mapped[Quantity | None]
    serials: Mapped[Codes] = mapped_column(default=())
    starts_on: Mapped[Day]
    expires_on: Mapped[Day]
    reason: Mapped[Text]
    requested_by: Mapped[Login]
    approved_hash: Mapped[Hash]
    status: Mapped[WaiverStatus] = word(WaiverStatus, "status", default=WaiverStatus.PROPOSED)

    def stands_on(self, day: dt.date, *, quantity: Decimal | None = None, serials: tuple[str, ...] = ()) -> bool:
        """Whether it lets pass on a day. quantity, serials: what passes; a limit that says nothing of them covers all."""
        if self.status is not WaiverStatus.GRANTED or not self.starts_on <= day <= self.expires_on:
            return False
        if self.quantity_limit is not None and quantity is not None and quantity > self.quantity_limit:
            return False
        return not self.serials or set(serials) <= set(self.serials)


def waiver_hash(waiver: Waiver) -> str:
    """Return the hash of what the signatures of a waiver grant."""
    return content_hash(
        {
            "number": waiver.number, "rule": waiver.rule, "target_type": waiver.target_type,
            "record_id": waiver.record_id, "record_name": waiver.record_name,
            "quantity_limit": None if waiver.quantity_limit is None else str(waiver.quantity_limit),
            "serials": list(waiver.serials), "starts_on": waiver.starts_on.isoformat(),
            "expires_on": waiver.expires_on.isoformat(), "reason": waiver.reason, "requested_by": waiver.requested_by,
        }
    )  # fmt: skip


def move(act: Act, waiver: Waiver, to: WaiverStatus, *, reason: str | None = None) -> Waiver:
    """Move a waiver. Raises: Conflict ILLEGAL_TRANSITION."""
    move_along(act, waiver, to, transitions=TRANSITIONS, reason=reason)
    return waiver


def waivers_of(session: Session, record_id: str, rule: str | None = None) -> list[Waiver]:
    """Return the waivers about a document, oldest first, those of this act included."""
    wanted = select(Waiver).where(Waiver.record_id == record_id)
    if rule is not None:
        wanted = wanted.where(Waiver.rule == rule)
    return list(session.scalars(wanted.order_by(Waiver.number)))
