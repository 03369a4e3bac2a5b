"""Legal holds: while one stands on a record, nothing of the record may be deleted or archived, whatever its retention says."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from engine.act import Act
from engine.canonical import content_hash
from engine.database import Base, Instant
from engine.record import Record
from records.columns import Code, Hash, Login, Name, Text, word
from records.transition import move_along, pairs


class HoldStatus(StrEnum):
    """The life of a hold. It is lifted by signature only; a hold that is needed again is another row."""

    STANDING = "STANDING"
    LIFTED = "LIFTED"


TRANSITIONS = pairs("STANDING>LIFTED", HoldStatus)


class LegalHold(Record, Base):
    """Who keeps which record from being deleted, and why; placed and lifted by signature.

    about_type, about_id: the record; record_name: its number, for people. placed_hash and lifted_hash: what the signatures
    that placed and lifted it are on.
    """

    __tablename__ = "legal_hold"
    __table_args__ = (
        UniqueConstraint("number"),
        CheckConstraint("(status = 'LIFTED') = (lifted_hash IS NOT NULL)", name="lifted_has_a_hash"),
        Index("ix_legal_hold_about_type_about_id", "about_type", "about_id"),
    )

    number: Mapped[Code]
    about_type: Mapped[Code]
    about_id: Mapped[Login]
    record_name: Mapped[Name]
    reason: Mapped[Text]
    placed_at: Mapped[Instant]
    placed_by: Mapped[Login]
    placed_hash: Mapped[Hash]
    status: Mapped[HoldStatus] = word(HoldStatus, "status", default=HoldStatus.STANDING)
    lifted_at: Mapped[Instant | None]
    lifted_by: Mapped[Login | None]
    lift_reason: Mapped[Text] = mapped_column(default="")
    lifted_hash: Mapped[Hash | None]


def placing_hash(number: str, about: tuple[str, str], *, record_name: str, reason: str) -> str:
    """Return the hash of what the signature that places a hold says."""
    return content_hash({**_what(number, about, record_name=record_name), "move": "PLACE", "reason": reason})


def lifting_hash(hold: LegalHold, *, reason: str) -> str:
    """Return the hash of what the signature that lifts a hold says."""
    about = (hold.about_type, hold.about_id)
    what = _what(hold.number, about, record_name=hold.record_name)
    return content_hash({**what, "move": "LIFT", "placed_hash": hold.placed_hash, "reason": reason})


def _what(number: str, about: tuple[str, str], *, record_name: str) -> Mapping[str, str]:
    return {"number": number, "record_type": about[0], "record_id": about[1], "record_name": record_name}


def move(act: Act, hold: LegalHold, to: HoldStatus, *, reason: str | None = None) -> LegalHold:
    """Move a hold. Raises: Conflict ILLEGAL_TRANSITION."""
    move_along(act, hold, to, transitions=TRANSITIONS, reason=reason)
    return hold


def standing_on(session: Session, record_type: str, record_id: str) -> list[LegalHold]:
    """Return the holds that stand on a record, oldest first."""
    wanted = select(LegalHold).where(
        LegalHold.about_type == record_type, LegalHold.about_id == record_id, LegalHold.status == HoldStatus.STANDING
    )
    return list(session.scalars(wanted.order_by(LegalHold.number)))
