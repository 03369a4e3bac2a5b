"""The route of a document: stages and seats, who sat where, when, and why the seat is asked for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.decisions import Decision, DecisionKind
from engine.decisions import of_record as decisions_on
from engine.stored.task import Task, TaskState
from processes.approval_plan import STAGE_NAMES
from records.approval import ApprovalSlot, slots_of
from records.standing import Kept, kept_for
from records.vote import requirements_of
from webapp import tones, visit, wording
from webapp.formats import plural, words

MOST_NAMES = 3


@dataclass(frozen=True, slots=True)
class Seat:
    """One seat of a stage. name: who sat there, or who may. words and tone: its state."""

    name: str
    role: str
    words: str
    tone: str
    why: str = ""
    reason: str = ""
    at: dt.datetime | None = None
    due_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage. tone: ``done``, ``now``, ``bad`` or empty for later."""

    number: int
    name: str
    slots: Sequence[Seat]
    tone: str
    words: str


def stages_of(session: Session, record_type: str, record_id: str, content_hash: str | None) -> list[Stage]:
    """Return the stages of a document's plan on one content, in order; none before a plan was made."""
    if not content_hash:
        return []
    seats: dict[int, list[Seat]] = {}
    open_tasks = _open_tasks(session, record_type, record_id)
    decisions = _standing(session, record_type, record_id, content_hash)
    for slot in slots_of(session, record_type, record_id, content_hash):
        seats.setdefault(slot.stage, []).append(_seat(session, slot, open_tasks, decisions))
    for one in kept_for(session, record_type, record_id, content_hash):
        seats.setdefault(one.stage, []).insert(0, _kept(one))
    names = {one.position: words(one.function) for one in requirements_of(session, record_id, content_hash)}
    return [_stage(number, found, names.get(number)) for number, found in sorted(seats.items())]


def _seat(
    session: Session, slot: ApprovalSlot, open_tasks: Mapping[str, Task], decisions: Mapping[str, Decision]
) -> Seat:
    role = wording.principal_words(f"role:{slot.role}")
    signature, task, decision = slot.signature, open_tasks.get(slot.role), decisions.get(slot.role)
    if slot.is_signed and signature is not None:
        return Seat(signature.printed_name, role, "Approved", "good", slot.why, signature.reason, signature.signed_at)
    if decision is not None and task is None:
        tone = tones.tone(decision.verdict)
        said = words(decision.verdict)
        return Seat(decision.actor_name, role, said, tone, slot.why, decision.reason, decision.decided_at)
    if task is not None:
        return Seat(waits_for(session, task), role, "Waiting", "accent", slot.why, due_at=task.due_at)
    return Seat(_names(session, [f"role:{slot.role}"], ()) or role, role, "Later", "", slot.why)


def _kept(one: Kept) -> Seat:
    """Return the seat of an approval that was given before a return and stands, and why nobody asks for it again."""
    why = f"Kept: {one.signature.printed_name} signed before the return, because {one.why or 'its wording alone was mended'}"
    role = wording.principal_words(f"role:{one.role}")
    return Seat(
        one.signature.printed_name, role, "Kept", "good", why, one.signature.reason, one.signature.signed_at
    )  # fmt: skip


def _stage(number: int, seats: Sequence[Seat], name: str | None = None) -> Stage:
    done = sum(seat.tone == "good" for seat in seats)
    if any(seat.tone in ("bad", "warn") for seat in seats):
        tone = "bad"
    elif done == len(seats):
        tone = "done"
    else:
        tone = "now" if any(seat.words == "Waiting" for seat in seats) else ""
    return Stage(
        number, name or STAGE_NAMES.get(number, f"Stage {number}"), seats, tone, f"{done} of {plural(len(seats), 'signature')}"
    )  # fmt: skip


def waits_for(session: Session, task: Task) -> str:
    """Return whom a task waits for: the people by name, or the roles where nobody holds them."""
    if task.assignee:
        return wording.person_name(task.assignee)
    roles = " or ".join(wording.principal_words(principal) for principal in task.candidates[:MOST_NAMES])
    return _names(session, task.candidates, task.excludes) or roles or "nobody"


def _names(session: Session, principals: Sequence[str], excluded: Sequence[str]) -> str:
    directory = visit.installation().directory
    if directory is None:
        return ""
    people = [one for name in principals for one in directory.holders(session, name, at=visit.now())]
    names = list(dict.fromkeys(one.name for one in people if one.id not in excluded))
    more = f" or {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return " or ".join(names[:MOST_NAMES]) + more


def _open_tasks(session: Session, record_type: str, record_id: str) -> dict[str, Task]:
    wanted = select(Task).where(
        Task.record_type == record_type,
        Task.record_id == record_id,
        Task.state == TaskState.OPEN,
        Task.role.is_not(None),
    )
    return {(task.role or "").removeprefix("role:").partition("@")[0]: task for task in session.scalars(wanted)}


def _standing(session: Session, record_type: str, record_id: str, content_hash: str) -> dict[str, Decision]:
    """Return the last decision that stands, by role code, on one content."""
    rows = decisions_on(session, record_type, record_id)
    voided = {row.voids_id for row in rows if row.kind == DecisionKind.VOID}
    return {
        (row.role or "").removeprefix("role:").partition("@")[0]: row
        for row in rows
        if row.kind == DecisionKind.DECISION and row.id not in voided and row.record_hash == content_hash
    }
