"""Change an open task: who has it, who may take it. Where its diagram has listeners of that, they hear of it before it counts.

Whoever changes a task says what it shall be, and ``settle`` lets that count: at once, or once the last listener has answered. Until
then the task stays as it was, says so in ``Task.transition``, and nobody changes or decides it. A listener may correct the change, or
deny it: then the task stays as it is, and whoever asked for it reads why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from engine import definitions, eligibility, escalation, incidents, jobs, motion, opening, waiting
from engine.errors import Conflict
from engine.spiff.changes import moments_of
from engine.spiff.elements import ElementInfo
from engine.spiff.host import Changed
from engine.stored.help import HelpKind, TaskHelp
from engine.stored.instance import Instance
from engine.stored.task import Task, TaskState

if TYPE_CHECKING:
    from engine.act import Act

KEPT = ("assignee", "lent_by", "candidates", "former")
"""Columns that a change of a task may touch; what a listener may correct besides is not changed by anybody here."""


@dataclass(frozen=True, slots=True)
class Change:
    """What somebody does with a task.

    action: what listeners are told of it, such as ``claim``. code, old, new, reason: of its audit row, none without. note: a sentence for
    the task. help_id: the question that begins or ends with it. ends_loan: whoever works on it for somebody else is asked no more.
    is_judged: whether anybody may take it is looked at anew.
    """

    action: str
    code: str = ""
    old: str | None = None
    new: str | None = None
    reason: str | None = None
    note: str = ""
    help_id: str | None = None
    ends_loan: bool = False
    is_judged: bool = False


def before(task: Task) -> dict[str, Any]:
    """Return what a task says now of what may be changed, to be handed to ``settle`` once it says something else."""
    return {name: getattr(task, name) for name in KEPT}


def settle(act: Act, task: Task, was: Mapping[str, Any], change: Change) -> None:
    """Let a change of an open task of a locked instance count, or let its listeners hear of it first.

    was: of ``before``; the task says by now what it shall be. Raises: Conflict DENIED where a listener denies it at once, and
    SUSPENDED where one would have to hear of it.
    """
    session = act.session
    instance = session.get_one(Instance, task.instance_id)
    wanted = before(task)
    now, to = _facts(task, was), _facts(task, wanted)
    element = _element_of(act, instance, task) if now != to else None
    if not task.transition and (element is None or not moments_of(element.listeners, now, to)):
        _count(act, instance, task, change)
        return
    _put(task, was)
    if task.transition:
        _drop(act, instance, task)
    task.transition = {"wanted": wanted, "change": asdict(change), "by": act.actor, "since": act.now.isoformat()}
    if instance.id in session.info.get("moving", ()):
        asked = task.transition
        motion.later(act, lambda: _ask_later(act, task, asked))
        return
    came = _ask(act, task, instance)
    if came is not None and came.denied is not None:
        raise Conflict(
            f"Expected to {_deed(session, task.transition)}, but that was denied: {came.denied}", code="DENIED"
        )
    if came is not None:
        _finish(act, instance, task, came)


def _facts(task: Task, kept: Mapping[str, Any]) -> dict[str, Any]:
    return opening.facts(task, assignee=kept["assignee"], candidates=kept["candidates"])


def refuse_changing(act: Act, task: Task) -> None:
    """Refuse what would change or end a task while listeners hear of a change. Raises: Conflict IN_TRANSITION."""
    if task.transition:
        raise Conflict(f"Expected the task to be at rest, but {sentence(act.session, task)}", code="IN_TRANSITION")


def sentence(session: Session, task: Task) -> str:
    """Say what is being done with a task, by whom, and that a listener is asked first."""
    asked = task.transition
    by = _name(session, asked["by"].removeprefix("user:"))
    return f"{by} wants to {_deed(session, asked)}, and a listener is asked first"


def _deed(session: Session, asked: Mapping[str, Any]) -> str:
    """Return what is being done with a task, as words behind "to". asked: its transition."""
    action, heir = asked["change"]["action"], asked["wanted"]["assignee"]
    if action in ("assign", "update"):
        return f"give it to {_name(session, heir) if heir else 'others'}"
    return "release it" if action == "unclaim" else f"{action} it"


def _name(session: Session, user_id: str) -> str:
    person = eligibility.directory_of(session).person(session, user_id)
    return person.name if person is not None else user_id


def _ask(act: Act, task: Task, instance: Instance) -> Changed | None:
    asked, was = task.transition, before(task)
    with motion.moving(act, instance) as moved:
        return moved.flow.change(
            task.token_id,
            asked["change"]["action"],
            _facts(task, was),
            _facts(task, asked["wanted"]),
            {"userTaskKey": task.id},
        )


def _ask_later(act: Act, task: Task, asked: Mapping[str, Any]) -> None:
    """Ask once the move that the change came up in is over; it may have ended the task, and nobody is there to be refused."""
    if task.state == TaskState.OPEN and task.transition == asked:
        instance = motion.lock(act, task.instance_id)
        came = _ask(act, task, instance)
        if came is not None:
            _finish(act, instance, task, came)


def _drop(act: Act, instance: Instance, task: Task) -> None:
    """Let a change that listeners were hearing of give way to another one."""
    asked = task.transition
    _take_back(act, task, asked, "but something else came first")
    act.session.flush()
    jobs.cancel_of_token(act, instance.id, [task.token_id])
    incidents.resolve_of_tokens(act, instance, [task.token_id], "the task was changed otherwise")


def finish(act: Act, instance: Instance, token_id: int, came: Changed) -> None:
    """Let what came of a change count, whose last listener answered in this move; or what one corrected of a task that was decided."""
    query = select(Task).where(Task.instance_id == instance.id, Task.token_id == token_id).order_by(Task.id.desc())
    task = act.session.scalars(query).first()
    if task is None:
        return
    if task.state == TaskState.OPEN and task.transition:
        _finish(act, instance, task, came)
    elif task.state == TaskState.COMPLETED and came.to:
        opening.correct(task, came.to)
        act.note(
            "instance", instance.id, "TASK_CORRECTED", field=task.element_id, new=", ".join(came.to), subject=task.id
        )


def _finish(act: Act, instance: Instance, task: Task, came: Changed) -> None:
    asked = task.transition
    change = Change(**asked["change"])
    task.transition = {}
    if came.to is None:
        _take_back(act, task, asked, f"which was denied: {came.denied}")
        return
    _put(task, asked["wanted"])
    drawn = _facts(task, asked["wanted"])
    opening.correct(task, {name: value for name, value in came.to.items() if drawn.get(name) != value})
    _count(act, instance, task, change)


def _put(task: Task, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if getattr(task, name) != value:
            setattr(task, name, value)


def _count(act: Act, instance: Instance, task: Task, change: Change) -> None:
    if change.ends_loan:
        end_loan(act, task)
    if change.note:
        task.notes = [*task.notes, change.note]
    opening.hand_over(act, task)
    if change.code:
        about = {"old": change.old, "new": change.new, "reason": change.reason}
        act.note("instance", instance.id, change.code, field=task.element_id, **about)
    if change.is_judged:
        escalation.look_for_trouble(act, instance, task)
    act.session.flush()


def end_loan(act: Act, task: Task) -> None:
    """Whoever takes a lent task otherwise ends the loan; what was asked stays readable."""
    ended = update(TaskHelp).where(
        TaskHelp.task_id == task.id, TaskHelp.kind == HelpKind.DELEGATION, TaskHelp.answered_at.is_(None)
    )
    act.session.flush()
    act.session.connection().execute(ended.values(taken_back=True))


def _take_back(act: Act, task: Task, asked: Mapping[str, Any], reason: str) -> None:
    """Leave a task as it is, with the reason for all to read; a loan that did not come about is none, one that did not end goes on."""
    change, by = Change(**asked["change"]), asked["by"]
    name = _name(act.session, by.removeprefix("user:"))
    task.notes = [*task.notes, f"{name} wanted to {_deed(act.session, asked)}, {reason}"]
    made = act.session.get(TaskHelp, change.help_id) if change.help_id else None
    if made is not None:
        made.taken_back = made.asked == change.new
        made.answered_at = None if not made.taken_back else made.answered_at
    act.note(
        "instance", task.instance_id, "TASK_CHANGE_DENIED", field=task.element_id, old=by, new=change.new, reason=reason,
        subject=task.id,
    )  # fmt: skip
    act.session.flush()


def _element_of(act: Act, instance: Instance, task: Task) -> ElementInfo | None:
    own = definitions.parsed(act.session, instance.definition_id).bundle
    if task.process_id not in own.processes:
        called = waiting.called_definitions(act.session, instance).get(task.process_id)
        if called is None:
            return None
        own = definitions.parsed(act.session, called).bundle
    return own.processes[task.process_id].elements.get(task.element_id)
