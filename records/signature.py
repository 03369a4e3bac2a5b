"""Signatures: a decision with re-authentication and a meaning, bound to what was signed (21 CFR 11.50, 11.70)."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column, relationship

from engine.database import Base, Id, Instant, new_id
from engine.record import Chained
from records.columns import Code, Hash, Login, Name, Text, word
from records.person import User


class Meaning(StrEnum):
    """What a signature says."""

    AUTHORED = "AUTHORED"
    REVIEWED = "REVIEWED"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    VERIFIED = "VERIFIED"
    RELEASED = "RELEASED"
    RESPONSIBLE = "RESPONSIBLE"


class SignatureStatus(StrEnum):
    """Whether the signed content still is what it was. SUPERSEDED is final."""

    VALID = "VALID"
    SUPERSEDED = "SUPERSEDED"


TRANSITIONS = frozenset({(SignatureStatus.VALID, SignatureStatus.SUPERSEDED)})


class Signature(Chained, Base):
    """Who signed what, when, as what, and how they proved who they are. Only its status ever changes, once.

    printed_name and printed_title are as they were at signing. local_offset: minutes east of UTC at the signer's site.
    had_both_components: login name and password were typed, not the password alone.
    """

    __tablename__ = "signature"
    __table_args__ = (
        CheckConstraint("length(content_hash) = 64", name="content_hash_is_sha256"),
        CheckConstraint("superseded_at IS NULL OR status = 'SUPERSEDED'", name="superseded_has_an_instant"),
        Index("ix_signature_record", "record_type", "record_id", "content_hash"),
        Index("ix_signature_decision_id", "decision_id"),
    )

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    record_type: Mapped[Code]
    record_id: Mapped[Login]
    record_revision: Mapped[int | None]
    content_hash: Mapped[Hash]
    signer_id: Mapped[Login] = mapped_column(ForeignKey("user_account.id"))
    printed_name: Mapped[Name]
    printed_title: Mapped[Name]
    meaning: Mapped[Meaning] = word(Meaning, "meaning")
    role: Mapped[Code | None]
    reason: Mapped[Text] = mapped_column(default="")
    signed_at: Mapped[Instant]
    local_offset: Mapped[int]
    method: Mapped[Code]
    had_both_components: Mapped[bool]
    session_id: Mapped[Hash | None]
    on_behalf_of_id: Mapped[Login | None] = mapped_column(ForeignKey("user_account.id"))
    status: Mapped[SignatureStatus] = word(SignatureStatus, "status", default=SignatureStatus.VALID)
    superseded_at: Mapped[Instant | None]
    decision_id: Mapped[Id | None]

    signer: Mapped[User] = relationship(foreign_keys=[signer_id])
    on_behalf_of: Mapped[User | None] = relationship(foreign_keys=[on_behalf_of_id])
