"""Which approvals stand when an amendment that was sent back comes again: all, when only its wording was mended (W21)."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from engine.act import Act
from engine.wording import reads_the_same
from processes.approval_plan import Seat
from records.amendment import AmendmentChange, PurchaseOrderAmendment
from records.approval import ApprovalSlot, slots_of
from records.signature import Meaning
from records.signing import printed

NOTE = "APPROVAL_STANDS"


def is_wording_alone(
    before: Sequence[AmendmentChange], after: Sequence[AmendmentChange], reasons: tuple[str, str]
) -> bool:
    """Whether two contents set the same values in the same classes, and their reasons read the same.

    reasons: before and after.
    """
    return [_said(one) for one in before] == [_said(one) for one in after] and reads_the_same(*reasons)


def still_needed(
    act: Act, amendment: PurchaseOrderAmendment, seats: Sequence[Seat], *, signed_before: str
) -> list[Seat]:
    """Return the seats that are asked again, and note on the amendment which approvals stand.

    signed_before: the hash of the content that was sent back. Whoever sent it back has not approved it, so their seat is always
    asked; where nobody is left to ask, everybody is.
    """
    given = {
        (slot.stage, slot.role): slot
        for slot in slots_of(act.session, amendment.record_type, amendment.id, signed_before)
        if _is_given(slot)
    }
    left = [seat for seat in seats if (seat.stage, seat.role) not in given]
    if not left or len(left) == len(seats):
        return list(seats)
    told = [f"Stands as signed before the return: {_signed(slot)}." for slot in given.values()]
    amendment.impact = "\n".join(filter(None, [amendment.impact, *told]))
    for slot in given.values():
        act.note(
            amendment.record_type, amendment.id, NOTE, field=f"{slot.stage} {slot.role}", old=signed_before,
            new=amendment.content_hash, reason=_signed(slot),
        )  # fmt: skip
    return left


def signers_standing(act: Act, amendment: PurchaseOrderAmendment) -> set[str]:
    """Return who approved an earlier content in a seat that is not asked now: they take no other seat of this one."""
    asked = {(slot.stage, slot.role) for slot in _slots(act, amendment) if slot.record_hash == amendment.content_hash}
    return {
        slot.signature.signer_id
        for slot in _slots(act, amendment)
        if slot.signature is not None and _is_given(slot) and (slot.stage, slot.role) not in asked
    }


def _slots(act: Act, amendment: PurchaseOrderAmendment) -> list[ApprovalSlot]:
    wanted = select(ApprovalSlot).where(
        ApprovalSlot.record_type == amendment.record_type, ApprovalSlot.record_id == amendment.id
    )
    return list(act.session.scalars(wanted))


def _is_given(slot: ApprovalSlot) -> bool:
    return slot.signature is not None and slot.signature.meaning is not Meaning.REJECTED


def _signed(slot: ApprovalSlot) -> str:
    assert slot.signature is not None
    return printed(slot.signature)


def _said(change: AmendmentChange) -> tuple[str, ...]:
    return (
        change.path, change.column_name, change.operation.value, str(change.old_text), str(change.new_text),
        change.change_class.value,
    )  # fmt: skip
