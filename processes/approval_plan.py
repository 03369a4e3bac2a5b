"""Approval plans: the rows of the approval matrix become stages with seats, each with those who may take it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from engine.act import Act
from records.approval import ApprovalSlot, slots_of
from rules.policy import table_called

STAGE_NAMES = {1: "Technical and quality", 2: "Commercial", 3: "Finance and executive"}
SCOPED = frozenset({"CC_OWNER"})
"""Roles that are held for a cost centre."""


@dataclass
class Seat:
    """One signature that a document needs. rows: of the matrix, from 1; why: their reasons; meaning: of the signature."""

    stage: int
    role: str
    why: list[str] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    meaning: str = "APPROVED"


def seats_from(approvals: Sequence[Mapping[str, Any]], rows: Sequence[Any]) -> list[Seat]:
    """Return the seats, by stage; a role that several rows ask for has one seat with every reason.

    approvals: the matching rows' outputs (stage, role, reason); rows: their numbers, in the same order.
    """
    seats: dict[tuple[int, str], Seat] = {}
    for number, row in zip(rows, approvals, strict=True):
        key = int(row["stage"]), str(row["role"])
        seat = seats.setdefault(key, Seat(*key))
        seat.why.append(str(row["reason"]))
        seat.rows.append(int(number))
    return [seats[key] for key in sorted(seats)]


def plan_for(
    act: Act, record: tuple[str, str, str], seats: Sequence[Seat], *, cost_centre: str, barred: Collection[str]
) -> dict[str, Any]:
    """Write the seats of a document's content down and return the plan that an approval round works through.

    record: type, id and hash. barred: user ids that may not sign (SOD-1, SOD-2).
    """
    write_down(act, record, seats)
    stages: dict[int, list[dict[str, Any]]] = {}
    for seat in seats:
        stages.setdefault(seat.stage, []).append(_slot(act, seat, cost_centre=cost_centre, barred=barred))
    for added in slots_of(act.session, *record):
        # Somebody added it to an earlier round on this very content: it is asked for again, of anybody with that role.
        if added.position > 1 and not added.is_signed:
            again = _slot(act, Seat(added.stage, added.role, [added.why]), cost_centre=cost_centre, barred=barred)
            stages.setdefault(added.stage, []).append(again | {"position": Decimal(added.position)})
    return {
        "stages": [
            {
                "number": Decimal(number),
                "name": STAGE_NAMES.get(number, f"Stage {number}"),
                "quorum": "all",
                "slots": slots,
            }
            for number, slots in sorted(stages.items())
        ]
    }


def _slot(act: Act, seat: Seat, *, cost_centre: str, barred: Collection[str]) -> dict[str, Any]:
    principals, notes = _principals(act, seat.role, cost_centre=cost_centre, barred=barred)
    if not _is_taken(act, principals, barred):
        higher, said = _next_in_line(act, seat.role, barred)
        principals, notes = [*higher, *principals], [*notes, *said]
    return {
        "stage": Decimal(seat.stage),
        "role": seat.role,
        "principal": principals[-1],
        "position": Decimal(1),
        "why": "; ".join([*dict.fromkeys(seat.why), *notes]),
        "rows": [Decimal(row) for row in seat.rows],
        "meaning": seat.meaning,
        "groups": [principal.removeprefix("role:") for principal in principals],
        "users": [],
        "excludes": sorted(barred),
    }


def _principals(act: Act, role: str, *, cost_centre: str, barred: Collection[str]) -> tuple[list[str], list[str]]:
    """Return who is asked, the decisive principal last, and why others were passed over.

    The owners of the cost centre are asked, or, when all of them are barred, the other owners too.
    """
    if role not in SCOPED:
        return [f"role:{role}"], []
    own = f"role:{role}@{cost_centre}"
    directory = act.installation.directory
    holders = directory.holders(act.session, own, at=act.now) if directory is not None else []
    if any(person.id not in barred for person in holders):
        return [own], []
    skipped = [f"{person.name}, who owns {cost_centre}, is barred (SOD-1)" for person in holders]
    return [own, f"role:{role}"], skipped or [f"nobody owns {cost_centre} alone, so any {role} may sign"]


def _is_taken(act: Act, principals: Sequence[str], barred: Collection[str]) -> bool:
    """Whether somebody may take a seat who is asked for it: they hold what it asks for and are not barred."""
    directory = act.installation.directory
    if directory is None:
        return True
    return any(
        person.id not in barred for one in principals for person in directory.holders(act.session, one, at=act.now)
    )


def _next_in_line(act: Act, role: str, barred: Collection[str]) -> tuple[list[str], list[str]]:
    """Return who is asked where everybody who holds a role is barred, or nobody holds it, and why, as the table of levels says.

    Nobody and nothing where nobody above may sign either: then the task says that nobody may take it.
    """
    directory, seen, above = act.installation.directory, {role}, role
    assert directory is not None
    while (above := str(table_called("escalation").judge(role=above).row.outputs["next"])) not in seen:
        seen.add(above)
        if _is_taken(act, [f"role:{above}"], barred):
            lower, higher = (directory.name_of(act.session, f"role:{one}") for one in (role, above))
            holders = directory.holders(act.session, f"role:{role}", at=act.now)
            names = ", ".join(person.name for person in holders)
            why = f"{names} may not sign it" if names else "nobody holds that role"
            return [f"role:{above}"], [f"{higher} signs instead of {lower}: {why}, and {higher} is next in line"]
    return [], []


def write_down(act: Act, record: tuple[str, str, str], seats: Sequence[Seat]) -> None:
    """Write the seats of a document's content, those that are not there yet. record: type, id and hash."""
    record_type, record_id, record_hash = record
    known = {(slot.stage, slot.role): slot for slot in slots_of(act.session, record_type, record_id, record_hash)}
    for seat in seats:
        if (seat.stage, seat.role) not in known:
            slot = ApprovalSlot(
                record_type=record_type, record_id=record_id, record_hash=record_hash, stage=seat.stage,
                role=seat.role, position=1, why="; ".join(dict.fromkeys(seat.why)),
            )  # fmt: skip
            act.session.add(slot)
    act.session.flush()
