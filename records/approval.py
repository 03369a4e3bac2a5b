"""Approval slots: the seats of an approval plan that must be signed before a document is approved."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from engine.database import Base, Id, new_id
from engine.record import Chained
from records.columns import Code, Hash, Login, Text
from records.signature import Signature, SignatureStatus


class ApprovalSlot(Chained, Base):
    """One seat: a role that must sign this very content.

    position: which of several seats of the same role in the stage.
    """

    __tablename__ = "approval_slot"
    __table_args__ = (
        UniqueConstraint("record_type", "record_id", "record_hash", "stage", "role", "position"),
        CheckConstraint("stage > 0 AND position > 0", name="counted_from_one"),
        Index("ix_approval_slot_signature_id", "signature_id"),
    )

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    record_type: Mapped[Code]
    record_id: Mapped[Login]
    record_hash: Mapped[Hash]
    stage: Mapped[int]
    role: Mapped[Code]
    position: Mapped[int] = mapped_column(default=1)
    why: Mapped[Text] = mapped_column(default="")
    signature_id: Mapped[Id | None] = mapped_column(ForeignKey("signature.id"))

    signature: Mapped[Signature | None] = relationship()

    @property
    def is_signed(self) -> bool:
        """Whether a signature that still holds fills the seat."""
        return self.signature is not None and self.signature.status is SignatureStatus.VALID


def slots_of(session: Session, record_type: str, record_id: str, record_hash: str | None = None) -> list[ApprovalSlot]:
    """Return the seats for one content of a document, or for all it ever had, by stage, role and position."""
    wanted = select(ApprovalSlot).where(ApprovalSlot.record_type == record_type, ApprovalSlot.record_id == record_id)
    if record_hash is not None:
        wanted = wanted.where(ApprovalSlot.record_hash == record_hash)
    return list(session.scalars(wanted.order_by(ApprovalSlot.stage, ApprovalSlot.role, ApprovalSlot.position)))
