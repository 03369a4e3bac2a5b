"""Which approvals stand when a document that was sent back comes again: all, when nothing but its wording was mended (W21)."""

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
    if content_hash(told) != before["hash"] or not is_clerical(record[0], told, content):
        return list(seats), []
    return let_seats_stand(act, record, seats, signed_before=before["hash"])


def let_seats_stand(
    act: Act, record: tuple[str, str, str], seats: Sequence[Seat], *, signed_before: str
) -> tuple[list[Seat], list[str]]:
    """Return the seats that nobody filled before, and note on the document which approvals stand.

    signed_before: the hash of the content that was sent back. Where nobody is left to ask, everybody is.
    """
    record_type, record_id, record_hash = record
    given = {(slot.stage, slot.role): slot for slot in _given(act, record_type, record_id, signed_before)}
    standing = [given[seat.stage, seat.role] for seat in seats if (seat.stage, seat.role) in given]
    left = [seat for seat in seats if (seat.stage, seat.role) not in given]
    if not left or not standing:
        return list(seats), []
    return left, [
        f"Stands as signed before the return: {let_stand(act, slot, record_hash=record_hash)}." for slot in standing
    ]


def is_clerical(record_type: str, before: Any, after: Any) -> bool:
    """Whether two contents differ in nothing but what the table ``clerical_fields`` calls clerical."""
    return all(_is_clerical(record_type, *difference) for difference in _differences(before, after))


def _is_clerical(record_type: str, field: str, old: Any, new: Any) -> bool:
    said = table_called("clerical_fields").judge(record_type=record_type, field=field).row.outputs["clerical"]
    if said == SLIP:
        return isinstance(old, str) and isinstance(new, str) and reads_the_same(old, new)
    return bool(said == ANY)


def _differences(before: Any, after: Any, field: str = "") -> Iterator[tuple[str, Any, Any]]:
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
