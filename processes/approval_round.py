"""One approval round: seats are filled as people sign, reminded, and handed to the next level."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from engine.act import Act
from engine.decisions import Decision
from engine.registry import Registry, Work
from engine.stored.task import Task, TaskState
from processes.board_addenda import keep_slot_vote, verdict_of
from processes.notices import tell
from processes.snoozes import remind
from processes.task_notices import people_of
from records.approval import slots_of
from records.change_order import ChangeOrderAddendum
from records.signing import signature_of

registry = Registry()


@registry.step("fill_slot")
def fill_slot(act: Act, work: Work) -> Mapping[str, Any]:
    """Put the signature into its seat; a question is kept for the requester, a refusal's reason for whoever asks."""
    decision, record, slot = work["decision"], work["record"], work["slot"]
    if decision["verdict"] == "ask":
        requester = record["requester"]
        subject = f"A question about {record['number']}"
        tell(act, [requester], subject, key=f"ask:{act.id}", body=decision["reason"], record=_document(record))
        return {"question": decision["reason"], "question_by": decision["name"]}
    decision_id = _decision_of(act, work, record)
    if record["type"] == ChangeOrderAddendum.record_type:
        keep_slot_vote(act, record["id"], slot, decision, decision_id=decision_id)
    if slot.get("seat"):
        return {"reason": decision["reason"], "board_verdict": verdict_of(act, record["id"])}
    if decision["verdict"] == "approve":
        _seat(act, decision_id, record, slot)
        return {}
    return {"reason": decision["reason"]}


@registry.step("count_without_seat")
def count_without_seat(act: Act, work: Work) -> Mapping[str, Any]:
    """Go on without a seat of the board that nobody votes from any more: what the others said may be enough now."""
    return {"board_verdict": verdict_of(act, work["record"]["id"])}


@registry.step("remind_signer")
def remind_signer(act: Act, work: Work) -> None:
    """Remind everybody who may take the seat that it is still empty."""
    task = _open_task(act, work)
    if task is None:
        return
    record = work["record"]
    people = [person.id for person in people_of(act, task)]
    subject = f"Reminder: {record['number']} waits for your decision"
    remind(act, task, people, subject, key=f"remind:{task.id}", record=_document(record))


@registry.step("tell_next_level")
def tell_next_level(act: Act, work: Work) -> None:
    """Tell the next level that the seat is theirs now."""
    task = _open_task(act, work)
    if task is None:
        return
    record, level = work["record"], work["next_level"]
    # A seat of a board is handed to no other level: whoever sits there is told that it is late.
    is_seat = bool(work["slot"].get("seat"))
    subject = (
        f"{record['number']} still waits for your vote"
        if is_seat
        else f"{record['number']} was handed to you: {level['reason']}"
    )
    people = [person.id for person in people_of(act, task)]
    tell(act, people, subject, key=f"escalate:{task.id}", body=task.title, record=_document(record))


def _decision_of(act: Act, work: Work, record: Mapping[str, Any]) -> str | None:
    assert work.instance is not None
    made = (
        select(Decision.id)
        .where(Decision.instance_id == work.instance.id, Decision.record_id == record["id"])
        .where(Decision.actor_id == act.user_id)
        .order_by(Decision.seq.desc())
        .limit(1)
    )
    return act.session.scalar(made)


def _seat(act: Act, decision_id: str | None, record: Mapping[str, Any], slot: Mapping[str, Any]) -> None:
    """Fill by stage and role, because after an escalation somebody of another role signs for the seat."""
    signature = signature_of(act.session, decision_id) if decision_id is not None else None
    if signature is None:
        return
    for seat in slots_of(act.session, record["type"], record["id"], record["hash"]):
        if (seat.stage, seat.role, seat.position) == (int(slot["stage"]), slot["role"], int(slot["position"])):
            seat.signature_id, seat.signature = signature.id, signature
    act.session.flush()


def _open_task(act: Act, work: Work) -> Task | None:
    """Return the open task of this seat, or None when it was just decided."""
    assert work.instance is not None
    wanted = select(Task).where(
        Task.instance_id == work.instance.id,
        Task.element_id == "decide_slot",
        Task.state == TaskState.OPEN,
        Task.record_id == work["record"]["id"],
        Task.slot == int(work["loopCounter"]) - 1,
    )
    return act.session.scalars(wanted).first()


def _document(record: Mapping[str, Any]) -> tuple[str, str]:
    return record["type"], record["id"]
