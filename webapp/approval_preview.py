"""Who will approve, in which order, by which row of the table: asked of the released matrix before anything is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from engine import definitions
from engine.act import Act
from engine.errors import Refused
from processes.approval_plan import SCOPED, STAGE_NAMES, seats_from
from processes.facts import requisition_facts
from records.requisition import Requisition
from webapp import visit, wording

PROCESS = "requisition_to_po"
TABLE = "approval_matrix"


@dataclass(frozen=True, slots=True)
class Approver:
    """One signature to come. people: who may give it; why: the reasons of the rows."""

    role: str
    people: str
    why: str
    rows: str


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage to come."""

    number: int
    name: str
    approvers: Sequence[Approver]


@dataclass(frozen=True, slots=True)
class Preview:
    """The plan to come. trouble: why it cannot be said yet; version: of the process whose table was asked."""

    stages: Sequence[Stage]
    version: int = 0
    trouble: str = ""


def preview(session: Session, requisition: Requisition) -> Preview:
    """Return the approval plan that this content would get now; the requisition may be one that was never stored."""
    # An act that is only looked through: it is never committed, and the session refuses to write.
    looking = Act(visit.installation(), session, visit.visitor().principal, visit.now())
    try:
        definition = definitions.released(session, PROCESS)
        facts = requisition_facts(looking, requisition)
        result = definitions.evaluate(session, definition, TABLE, facts)
    except Refused as refusal:
        return Preview((), trouble=refusal.message)
    stages: dict[int, list[Approver]] = {}
    rows = [rule.row for rule in result.matched]
    for seat in seats_from(result.value or [], rows):
        people = _people(session, seat.role, requisition)
        numbers = ", ".join(str(row) for row in seat.rows)
        approver = Approver(
            wording.principal_words(f"role:{seat.role}"), people, "; ".join(dict.fromkeys(seat.why)), numbers
        )
        stages.setdefault(seat.stage, []).append(approver)
    found = [
        Stage(number, STAGE_NAMES.get(number, f"Stage {number}"), seats) for number, seats in sorted(stages.items())
    ]
    return Preview(found, definition.version)


def _people(session: Session, role: str, requisition: Requisition) -> str:
    directory = visit.installation().directory
    scope = f"@{requisition.cost_centre.code}" if role in SCOPED else ""
    found = directory.holders(session, f"role:{role}{scope}", at=visit.now()) if directory else ()
    names = [person.name for person in found if person.id != requisition.requester_id]
    return " or ".join(names[:3]) or "nobody yet"
