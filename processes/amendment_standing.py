"""Which approvals stand when an amendment that was sent back comes again: all, when only its wording was mended (W21)."""

from __future__ import annotations

from collections.abc import Sequence

from engine.act import Act
from engine.wording import reads_the_same
from processes.approval_plan import Seat
from processes.approval_standing import let_seats_stand
from records.amendment import AmendmentChange, PurchaseOrderAmendment
from records.standing import signatures_standing


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
    record = (amendment.record_type, amendment.id, amendment.content_hash)
    left, told = let_seats_stand(act, record, seats, signed_before=signed_before)
    amendment.impact = "\n".join(filter(None, [amendment.impact, *told]))
    return left


def signers_standing(act: Act, amendment: PurchaseOrderAmendment) -> set[str]:
    """Return whose approval of an earlier content stands for this one: they take no other seat of it."""
    record = (amendment.record_type, amendment.id, amendment.content_hash)
    return {signature.signer_id for signature in signatures_standing(act.session, *record)}


def _said(change: AmendmentChange) -> tuple[str, ...]:
    return (
        change.path, change.column_name, change.operation.value, str(change.old_text), str(change.new_text),
        change.change_class.value,
    )  # fmt: skip
