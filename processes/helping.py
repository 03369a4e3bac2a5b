"""Help with a task as people meet it: who is asked is told, a step aside finds the next in line, an approver is added."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlalchemy.orm import Session

from engine import eligibility, escalation, lending, motion, task_variables, tasks
from engine.act import Act
from engine.errors import Conflict, Forbidden, Invalid
from engine.stored.help import HelpKind, TaskHelp
from engine.stored.task import Task
from processes.notices import tell
from records.approval import ApprovalSlot, slots_of
from records.person import Role, User
from records.roles import grants_of, meanings_of, user_called
from rules.policy import table_called

LEVELS = 6
"""How far up a step aside looks for somebody who may decide: as many levels as the table of escalations could have."""
APPROVAL = "decide_slot"
"""The step of an approval round where one seat is filled."""


def ask(act: Act, task_id: str, asked: str, question: str) -> TaskHelp:
    """Ask somebody about a task and tell them. Raises: as ``engine.lending.ask``."""
    return _told(act, lending.ask(act, task_id, asked, question), "asks you about")


def lend(act: Act, task_id: str, asked: str, question: str) -> TaskHelp:
    """Lend a task to somebody and tell them. Raises: as ``engine.lending.lend``."""
    return _told(act, lending.lend(act, task_id, asked, question), "lends you the task")


def answer(act: Act, help_id: str, text: str) -> TaskHelp:
    """Answer, or give a lent task back, and tell whoever asked. Raises: as ``engine.lending.answer``."""
    made = lending.answer(act, help_id, text)
    verb = "gave back" if made.kind == HelpKind.DELEGATION else "answered you about"
    title = tasks.find(act.session, made.task_id).title
    subject = f"{_name(act.session, made.asked)} {verb} {title}"
    tell(
        act,
        [made.asked_by],
        subject[:200],
        key=f"help:{made.id}:answer",
        body=made.answer,
        record=("task", made.task_id),
    )
    return made


def recuse(act: Act, task_id: str, reason: str) -> Task:
    """Step aside; when nobody else may take the task, the next level of its role is asked too, and told.

    Raises: as ``engine.lending.recuse``; Conflict NOBODY_LEFT when no level has anybody.
    """
    task = lending.recuse(act, task_id, reason)
    role = (task.role or "").removeprefix("role:").partition("@")[0] or _role_of(task)
    for _level in range(LEVELS):
        people, _ = eligibility.eligible(act.session, task, task.candidates, now=act.now)
        if people:
            instance = motion.lock(act, task.instance_id)
            escalation.look_for_trouble(act, instance, task)
            names = [person.id for person in people]
            tell(
                act,
                names,
                f"{task.title} is yours: somebody stepped aside"[:200],
                key=f"recused:{act.id}",
                record=("task", task.id),
            )
            return task
        if not role:
            break
        role = str(table_called("escalation").judge(role=role).row.outputs["next"])
        escalation.escalate(act, task, [f"role:{role}"], "add")
    raise Conflict(
        f"Expected somebody else who may take {task.title}, but there is nobody on any level; delegate it or ask an administrator",
        code="NOBODY_LEFT",
    )


def add_approver(act: Act, task_id: str, user_id: str, reason: str) -> ApprovalSlot:
    """Add a seat for a person beside an open seat of an approval round; it must be signed as the others, and none goes away.

    Only whoever may decide an open seat of the stage adds one. Raises: NotFound; Conflict NO_APPROVAL for another kind of task;
    Forbidden for a board's vote; Invalid for somebody whom a duty bars, who has no role that may sign, or who has a seat already.
    """
    task, instance = tasks.held(act, task_id, None)
    mine = eligibility.mandates_for(act.session, task, act.user_id or "", now=act.now)
    if not mine or task.state != "OPEN":
        raise Conflict(
            "Expected an open seat of yours to add another one beside, but there is none", code="NO_APPROVAL"
        )
    if task.element_id != APPROVAL or task.body_scope is None or not task.record_hash:
        raise Conflict(
            f"Expected a seat of an approval round, but {task.title} is another kind of task", code="NO_APPROVAL"
        )
    if not reason.strip():
        raise Invalid("Expected a reason, but there is none", {"reason": "Say why another approval is needed"})
    slot = dict(task_variables.variables_of(act.session, task).get("slot") or {})
    if slot.get("seat"):
        raise Forbidden(
            "Expected a seat of an approval plan, but a board's places are appointed by its keeper",
            code="NOT_AUTHORISED",
        )
    person = user_called(act.session, user_id)
    role = _signing_role(act, task, person, str(slot.get("meaning") or "APPROVED"))
    _refuse_barred(act, task, person)
    seat = _seat(act, task, int(slot["stage"]), role, f"Added by {_name(act.session, act.user_id)}: {reason.strip()}")
    added = slot | {
        "role": role, "principal": f"user:{user_id}", "position": Decimal(seat.position), "why": seat.why, "rows": [],
        "groups": [], "users": [user_id],
    }  # fmt: skip
    with motion.moving(act, instance) as moved:
        moved.flow.add_instance(task.body_scope, added)
    act.note(
        seat.record_type, seat.record_id, "APPROVER_ADDED", field=role, new=user_id, reason=reason.strip(),
    )  # fmt: skip
    subject = f"{_name(act.session, act.user_id)} asks you to approve {task.record_number or task.title}"
    tell(act, [user_id], subject[:200], key=f"seat:{seat.id}", body=reason, record=(seat.record_type, seat.record_id))
    return seat


def _signing_role(act: Act, task: Task, person: User, meaning: str) -> str:
    if not person.is_active or not person.can_sign_in:
        raise Invalid(f"Expected somebody who can sign, but {person.name} cannot", {"asked": "cannot sign in"})
    kept = {role.code for role in act.session.query(Role).filter(Role.is_business.is_(False))}
    held = [grant.role for grant in grants_of(act.session, person.id, at=act.now) if grant.role not in kept]
    able = [role for role in held if meaning in {str(one) for one in meanings_of(act.session, role)}]
    if not able:
        raise Invalid(
            f"Expected somebody with a role that may sign {meaning}, but {person.name} holds none",
            {"asked": "holds no such role"},
        )
    taken = {seat.role for seat in slots_of(act.session, str(task.record_type), str(task.record_id), task.record_hash)}
    return next((role for role in able if role not in taken), able[0])


def _refuse_barred(act: Act, task: Task, person: User) -> None:
    if person.id in task.excludes:
        raise Invalid(
            f"Expected somebody who may approve, but {person.name} is excluded from this", {"asked": "is barred"}
        )
    found = eligibility.bars(act.session, task, person.id, on_behalf_of=None, now=act.now)
    if found:
        raise Invalid(found[0].sentence, {"asked": found[0].sentence})
    others = [
        one
        for one in tasks.of_instance(act.session, task.instance_id)
        if one.state == "OPEN" and one.body_scope == task.body_scope
    ]
    if any(f"user:{person.id}" in one.candidates for one in others):
        raise Invalid(f"Expected somebody without a seat, but {person.name} was added already", {"asked": "has a seat"})


def _seat(act: Act, task: Task, stage: int, role: str, why: str) -> ApprovalSlot:
    mine = slots_of(act.session, str(task.record_type), str(task.record_id), task.record_hash)
    position = 1 + max([1, *(one.position for one in mine if one.stage == stage and one.role == role)])
    seat = ApprovalSlot(
        record_type=str(task.record_type), record_id=str(task.record_id), record_hash=str(task.record_hash), stage=stage, role=role,
        position=position, why=why[:4000],
    )  # fmt: skip
    act.session.add(seat)
    act.session.flush()
    return seat


def _told(act: Act, made: TaskHelp, verb: str) -> TaskHelp:
    task = tasks.find(act.session, made.task_id)
    # Whether it is lent a listener of the diagram may still say.
    said = "wants to lend you the task" if task.is_changing else verb
    subject = f"{_name(act.session, made.asked_by)} {said} {task.title}"
    tell(act, [made.asked], subject[:200], key=f"help:{made.id}", body=made.question, record=("task", made.task_id))
    return made


def _role_of(task: Task) -> str:
    roles = [name.removeprefix("role:").partition("@")[0] for name in task.candidates if name.startswith("role:")]
    return roles[0] if roles else ""


def _name(session: Session, user_id: str | None) -> Any:
    return user_called(session, user_id).name if user_id else "Lockstep"
