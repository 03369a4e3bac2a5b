"""Approvals that stand though the content was corrected: which earlier signatures answer for a seat that is not asked again.

Such a signature is superseded like any other on content that was left; that it stands for the corrected content is an event of the
document's chain, which names the signature, the seat and the new content, and cannot be changed afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, String, and_, cast, select
from sqlalchemy.orm import Session

from engine.act import Act
from engine.audit import AuditEvent
from records.approval import ApprovalSlot
from records.signature import Signature
from records.signing import printed

NOTE = "APPROVAL_STANDS"

BECAUSE = "; kept because "
"""Between the signature as printed and why it stands, in the reason of the note."""


@dataclass(frozen=True, slots=True)
class Kept:
    """An approval of an earlier content that stands. why: as it follows "because"; empty of one that was kept before that was said."""

    stage: int
    role: str
    signature: Signature
    why: str


def let_stand(act: Act, slot: ApprovalSlot, *, record_hash: str, why: str) -> str:
    """Note that the signature in an earlier seat answers for the same seat of a corrected content, and return it as printed.

    why: as it follows "because".
    """
    assert slot.signature is not None
    said = printed(slot.signature)
    act.note(
        slot.record_type, slot.record_id, NOTE, field=f"{slot.stage} {slot.role}", old=slot.signature.id, new=record_hash,
        reason=f"{said}{BECAUSE}{why}",
    )  # fmt: skip
    return said


def standing_for(record_type: str, record_id: str, record_hash: str) -> ColumnElement[bool]:
    """Return the condition on a signature that it stands for one content of its document, though it was given on an earlier one."""
    ids = select(AuditEvent.old).where(
        AuditEvent.record_type == record_type, AuditEvent.record_id == record_id, AuditEvent.action == NOTE,
        AuditEvent.new == record_hash,
    )  # fmt: skip
    # Ids of the chain are texts: a signature's is compared as one on both databases.
    return and_(
        Signature.record_type == record_type, Signature.record_id == record_id, cast(Signature.id, String(36)).in_(ids)
    )


def signatures_standing(session: Session, record_type: str, record_id: str, record_hash: str) -> list[Signature]:
    """Return the signatures on earlier contents that stand for this one, oldest first."""
    wanted = select(Signature).where(standing_for(record_type, record_id, record_hash))
    return list(session.scalars(wanted.order_by(Signature.signed_at, Signature.id)))


def kept_for(session: Session, record_type: str, record_id: str, record_hash: str) -> list[Kept]:
    """Return the approvals that stand for a content with their seats and why, by stage and role."""
    wanted = select(AuditEvent).where(
        AuditEvent.record_type == record_type, AuditEvent.record_id == record_id, AuditEvent.action == NOTE,
        AuditEvent.new == record_hash,
    )  # fmt: skip
    found: dict[str, Kept] = {}
    for event in session.scalars(wanted.order_by(AuditEvent.seq)):
        signature = session.get(Signature, event.old or "")
        stage, _, role = (event.field or "").partition(" ")
        if signature is not None and stage.isdigit():
            found[event.field or ""] = Kept(int(stage), role, signature, (event.reason or "").partition(BECAUSE)[2])
    return sorted(found.values(), key=lambda one: (one.stage, one.role))
