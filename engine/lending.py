"""Help with a task, beside its flow: ask somebody, lend the task to somebody who gives it back, step aside from it.

Nothing here decides anything: whoever had to decide the task still has to, unless they recuse themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine import changing, eligibility, tasks
from engine.changing import Change
from engine.database import is_id
from engine.errors import Conflict, Forbidden, Invalid, NotFound
from engine.stored.help import HelpKind, TaskHelp
from engine.stored.task import Task, TaskState

if TYPE_CHECKING:
    from engine.act import Act

LONGEST = 4000


def ask(act: Act, task_id: str, asked: str, question: str) -> TaskHelp:
    """Ask a person about a task; they may read it, and the flow waits for nothing. Raises: as ``lend``."""
    task = _mine(act, task_id)
    return _begin(act, task, HelpKind.QUESTION, asked, question)


def lend(act: Act, task_id: str, asked: str, question: str) -> TaskHelp:
    """Let a person work on a task and give it back; until then nobody decides it. asked: a user id.

    Raises: NotFound when it is not the caller's; Conflict when it is closed, lent already or claimed by somebody else; Invalid for
    somebody who may not help: oneself, who left, or nobody; RuleViolation when a duty bars the caller.
    """
    task = _mine(act, task_id)
    if task.assignee not in (None, act.user_id):
        raise Conflict(f"Expected a free task, but {_name(act, task.assignee)} claimed it", code="CLAIMED")
    changing.refuse_changing(act, task)
    made = _begin(act, task, HelpKind.DELEGATION, asked, question)
    was = changing.before(task)
    task.assignee, task.lent_by = asked, act.user_id
    change = Change("assign", "TASK_LENT", old=act.user_id, new=asked, reason=made.question, help_id=made.id)
    changing.settle(act, task, was, change)
    return made


def answer(act: Act, help_id: str, text: str) -> TaskHelp:
    """Answer what one was asked; a lent task goes back to whoever lent it, with the answer.

    Raises: NotFound when it is not the caller's; Conflict when it was answered, taken back, or the task closed; Invalid.
    """
    made = _find(act.session, help_id)
    if made.asked != act.user_id:
        raise NotFound("Expected a question to you, but there is none with this id")
    task, _ = tasks.held(act, made.task_id, None)
    _refuse_over(act, made, task)
    made.answer, made.answered_at = _words(text, "answer"), act.now
    told = Change("assign", "HELP_GIVEN", new=made.asked_by, reason=made.answer, help_id=made.id, is_judged=True)
    _back(act, task, made, told)
    return made


def take_back(act: Act, help_id: str) -> TaskHelp:
    """Wait for an answer no longer, and have a lent task back. Raises: NotFound to anybody but who asked; Conflict."""
    made = _find(act.session, help_id)
    if made.asked_by != act.user_id:
        raise NotFound("Expected a question of yours, but there is none with this id")
    task, _ = tasks.held(act, made.task_id, None)
    _refuse_over(act, made, task)
    made.taken_back = True
    _back(act, task, made, Change("assign", "HELP_TAKEN_BACK", old=made.asked, help_id=made.id, is_judged=True))
    return made


def recuse(act: Act, task_id: str, reason: str) -> Task:
    """Step aside from a task for a conflict of interest, for good; the others may take it.

    Raises: as ``lend``; Invalid without a reason. Whether anybody is left, ``Task.notes`` and an incident say.
    """
    task = _mine(act, task_id)
    words, user_id = _words(reason, "reason"), act.user_id or ""
    changing.refuse_changing(act, task)
    was = changing.before(task)
    task.excludes = [*task.excludes, user_id]
    if task.assignee == user_id:
        task.assignee = None
    task.notes = [*task.notes, f"{_name(act, user_id)} stepped aside for a conflict of interest: {words}"]
    changing.settle(act, task, was, Change("unclaim"))
    # Barred they are at once, whatever a listener says to whose task it is.
    act.note("instance", task.instance_id, "RECUSED", field=task.element_id, new=user_id, reason=words)
    if task.record_type and task.record_id:
        act.note(task.record_type, task.record_id, "RECUSED", field=task.name, new=user_id, reason=words)
    return task


def helps_of(session: Session, task_id: str) -> list[TaskHelp]:
    """Return every question and loan of a task, oldest first."""
    return list(session.scalars(select(TaskHelp).where(TaskHelp.task_id == task_id).order_by(TaskHelp.id)))


def open_for(session: Session, user_id: str) -> list[tuple[TaskHelp, Task]]:
    """Return what somebody is asked and has not answered, on open tasks, oldest first."""
    wanted = select(TaskHelp, Task).join(Task, TaskHelp.task_id == Task.id)
    open_ = wanted.where(
        TaskHelp.asked == user_id,
        TaskHelp.answered_at.is_(None),
        TaskHelp.taken_back.is_(False),
        Task.state == TaskState.OPEN,
    )
    return [(made, task) for made, task in session.execute(open_.order_by(TaskHelp.id))]


def _mine(act: Act, task_id: str) -> Task:
    """Return an open task that the caller may decide."""
    task, _ = tasks.held(act, task_id, None)
    user_id = act.user_id
    if user_id is None:
        raise Forbidden(f"Expected a person to act on a task, but {act.actor} is none")
    if task.state != TaskState.OPEN:
        if not tasks.may_see(act.session, task, user_id):
            raise NotFound(f"Expected a task {task_id}, but there is none")
        raise Conflict(
            f"Expected an open task, but it was {task.closed_why or 'decided'}", code=task.closed_code or "TASK_CLOSED"
        )
    if not eligibility.mandates_for(act.session, task, user_id, now=act.now):
        raise NotFound(f"Expected a task {task_id}, but there is none")
    if task.lent_by is not None:
        raise Conflict(
            f"Expected the task back, but {_name(act, task.assignee)} works on it for {_name(act, task.lent_by)}",
            code="LENT",
        )
    return task


def _begin(act: Act, task: Task, kind: HelpKind, asked: str, question: str) -> TaskHelp:
    person = eligibility.directory_of(act.session).person(act.session, asked)
    if person is None or not person.is_active or asked == act.user_id:
        why = "it is yourself" if asked == act.user_id else "nobody active has that user name"
        raise Invalid(f"Expected somebody who can help, but {why}", {"asked": "choose somebody else"})
    made = TaskHelp(
        task_id=task.id, kind=kind, asked_by=act.user_id or "", asked=asked, question=_words(question, "question"),
        asked_at=act.now, answer="", taken_back=False,
    )  # fmt: skip
    act.session.add(made)
    act.session.flush()
    act.note("instance", task.instance_id, f"HELP_{kind}", field=task.element_id, new=asked, reason=made.question)
    return made


def _back(act: Act, task: Task, made: TaskHelp, change: Change) -> None:
    """Let a lent task go back to whoever lent it, if it is still with whom it was lent to."""
    if made.kind == HelpKind.DELEGATION:
        changing.refuse_changing(act, task)
    if made.kind == HelpKind.DELEGATION and task.lent_by == made.asked_by and task.assignee == made.asked:
        was = changing.before(task)
        task.assignee, task.lent_by = made.asked_by, None
        changing.settle(act, task, was, change)
        return
    act.note(
        "instance", task.instance_id, change.code, field=task.element_id, old=change.old, new=change.new,
        reason=change.reason,
    )  # fmt: skip
    act.session.flush()


def _refuse_over(act: Act, made: TaskHelp, task: Task) -> None:
    if made.is_open and task.state == TaskState.OPEN:
        return
    why = (
        "it was taken back"
        if made.taken_back
        else "you answered it"
        if made.answered_at
        else f"the task is {task.state.lower()}"
    )
    raise Conflict(f"Expected an open question, but {why}", code="TASK_CLOSED")


def _find(session: Session, help_id: str) -> TaskHelp:
    found = session.get(TaskHelp, help_id) if is_id(help_id) else None
    if found is None:
        raise NotFound("Expected a question, but there is none with this id")
    return found


def _words(text: str, field: str) -> str:
    words = text.strip()
    if not words or len(words) > LONGEST:
        raise Invalid(
            f"Expected 1 to {LONGEST:,} characters, but found {len(words):,}",
            {field: f"needs 1 to {LONGEST:,} characters"},
        )
    return words


def _name(act: Act, user_id: str | None) -> str:
    person = eligibility.directory_of(act.session).person(act.session, user_id or "")
    return person.name if person is not None else user_id or "nobody"
