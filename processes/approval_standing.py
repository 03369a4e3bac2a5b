"""Which approvals stand when a document that was sent back comes again: of the seats for which nothing material changed (W21)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from engine.act import Act
from engine.canonical import canonical_json, content_hash
from engine.wording import reads_the_same
from processes.approval_plan import Seat
from records.approval import ApprovalSlot, slots_of
from records.signature import Meaning
from records.standing import let_stand, signatures_standing
from rules.policy import table_called

ANY, SLIP = "any", "slip"
"""How much of a field is clerical: every change of it, or a slip of the pen alone."""

Change = tuple[str, Any, Any]
"""A field of the signed content with what it said before and says now; of a line it is ``lines.quantity``, whichever line it is."""


def sent_back(content: Mapping[str, Any], *, since: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return what a process remembers of the content that was sent back: its hash and its canonical text.

    since: what it remembers already; no plan was made since then, so nobody was asked about what came between.
    """
    return since or {"hash": content_hash(content), "content": canonical_json(content).decode()}


def still_asked(
    act: Act,
    record: tuple[str, str, str],
    seats: Sequence[Seat],
    *,
    before: Mapping[str, Any] | None,
    content: Mapping[str, Any],
) -> tuple[list[Seat], list[str]]:
    """Return the seats that are asked for a content that comes again, and what is said of those that stand.

    record: type, id and hash. before: as ``sent_back`` told it, None when nothing was; what it holds counts only as far as its hash
    fits it. Whoever sent the document back has not approved it, so their seat is always asked.
    """
    if before is None or before["hash"] == record[2]:
        return list(seats), []
    told = json.loads(before["content"])
    if content_hash(told) != before["hash"]:
        return list(seats), []
    return let_seats_stand(act, record, seats, signed_before=before["hash"], changed=list(_differences(told, content)))


def let_seats_stand(
    act: Act, record: tuple[str, str, str], seats: Sequence[Seat], *, signed_before: str, changed: Sequence[Change]
) -> tuple[list[Seat], list[str]]:
    """Return the seats that are asked again, each with why, and note on the document which approvals stand, each with why.

    A seat stands when it was filled and everything that changed is clerical for it, as the table ``clerical_fields`` says.
    signed_before: the hash of the content that was sent back. changed: field, old and new. Where nobody is left to ask, everybody is.
    """
    record_type, record_id, record_hash = record
    given = {(slot.stage, slot.role): slot for slot in _given(act, record_type, record_id, signed_before)}
    touched = {
        (seat.stage, seat.role): [one for one in changed if not _is_clerical(record_type, seat, *one)] for seat in seats
    }
    standing = [seat for seat in seats if (seat.stage, seat.role) in given and not touched[seat.stage, seat.role]]
    left = [seat for seat in seats if seat not in standing]
    if not left or not standing:
        return list(seats), []
    why = f"only {_fields(changed)} changed"
    told = [let_stand(act, given[seat.stage, seat.role], record_hash=record_hash, why=why) for seat in standing]
    for seat in left:
        if (seat.stage, seat.role) in given:
            seat.why.append(f"asked again: {_fields(touched[seat.stage, seat.role])} changed since it was signed")
    return left, [f"Kept: {one}, because {why}." for one in told]


def _is_clerical(record_type: str, seat: Seat, field: str, old: Any, new: Any) -> bool:
    facts = {"record_type": record_type, "field": field, "stage": seat.stage, "role": seat.role}
    said = table_called("clerical_fields").judge(**facts).row.outputs["clerical"]
    if said == SLIP:
        return isinstance(old, str) and isinstance(new, str) and reads_the_same(old, new)
    return bool(said == ANY)


def _fields(changed: Sequence[Change]) -> str:
    """Return the fields that changed as a sentence names them: ``the quantity of a line and the justification``."""
    names = dict.fromkeys(_field(field) for field, _, _ in changed)
    *most, last = names or {"nothing": None}
    return f"{', '.join(most)} and {last}" if most else last


def _field(field: str) -> str:
    name = field.removeprefix("lines.").replace("_", " ")
    if field == "lines":
        return "the lines"
    return f"the {name} of a line" if field.startswith("lines.") else f"the {name}"


def _differences(before: Any, after: Any, field: str = "") -> Iterator[Change]:
    """Yield (field, old, new) of what differs; a field of a line is ``lines.description`` whichever line it is."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in sorted(before.keys() | after.keys()):
            yield from _differences(before.get(name), after.get(name), f"{field}.{name}".lstrip("."))
    elif field == "lines" and isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for old, new in zip(before, after, strict=True):
            yield from _differences(old, new, field)
    elif before != after:
        yield field, before, after


def _given(act: Act, record_type: str, record_id: str, record_hash: str) -> list[ApprovalSlot]:
    """Return the seats of a content that were filled, and of earlier ones those whose signature stood for it."""
    stood = {one.id for one in signatures_standing(act.session, record_type, record_id, record_hash)}
    filled = slots_of(act.session, record_type, record_id, record_hash)
    earlier = [slot for slot in slots_of(act.session, record_type, record_id) if slot.signature_id in stood]
    return [
        slot
        for slot in (*earlier, *filled)
        if slot.signature is not None and slot.signature.meaning is not Meaning.REJECTED
    ]
