"""Which approvals stand when an amendment that was sent back comes again: of the seats for which nothing material changed (W21)."""

from __future__ import annotations

from collections.abc import Sequence

from engine.act import Act
from engine.record import Operation
from processes.approval_plan import Seat
from processes.approval_standing import Change, let_seats_stand
from records.amendment import AmendmentChange, PurchaseOrderAmendment
from records.standing import signatures_standing


def what_changed(
    before: Sequence[AmendmentChange], after: Sequence[AmendmentChange], reasons: tuple[str, str]
) -> list[Change]:
    """Return what differs between two contents of an amendment, as the table ``clerical_fields`` names fields.

    reasons: before and after. A value that falls into another class of change is another one.
    """
    was, now = ({(one.path, one.column_name): one for one in rows} for rows in (before, after))
    found: list[Change] = [("reason", *reasons)] if reasons[0] != reasons[1] else []
    for key in sorted(was.keys() | now.keys(), key=str):
        old, new = was.get(key), now.get(key)
        if not key[1] and {one.operation for one in (old, new) if one is not None} == {Operation.UPDATE}:
            continue  # It follows from the values beside it, which are compared themselves.
        if old is None or new is None or _said(old) != _said(new):
            found.append((_field(key, old, new), old and old.new_text, new and new.new_text))
    return found


def still_needed(
    act: Act, amendment: PurchaseOrderAmendment, seats: Sequence[Seat], *, signed_before: str, changed: Sequence[Change]
) -> list[Seat]:
    """Return the seats that are asked again, and note on the amendment which approvals stand.

    signed_before: the hash of the content that was sent back. Whoever sent it back has not approved it, so their seat is always
    asked; where nobody is left to ask, everybody is.
    """
    record = (amendment.record_type, amendment.id, amendment.content_hash)
    left, told = let_seats_stand(act, record, seats, signed_before=signed_before, changed=changed)
    amendment.impact = "\n".join(filter(None, [amendment.impact, *told]))
    return left


def signers_standing(act: Act, amendment: PurchaseOrderAmendment) -> set[str]:
    """Return whose approval of an earlier content stands for this one: they take no other seat of it."""
    record = (amendment.record_type, amendment.id, amendment.content_hash)
    return {signature.signer_id for signature in signatures_standing(act.session, *record)}


def _field(key: tuple[str, str], old: AmendmentChange | None, new: AmendmentChange | None) -> str:
    path, column = key
    classes = {one.change_class for one in (old, new) if one is not None}
    if not column or len(classes) > 1:
        return path
    return f"lines.{column}" if path.startswith("lines.") else column


def _said(change: AmendmentChange) -> tuple[str, ...]:
    return (
        change.path, change.column_name, change.operation.value, str(change.old_text), str(change.new_text),
        change.change_class.value,
    )  # fmt: skip
