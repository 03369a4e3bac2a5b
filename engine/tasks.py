"""Tasks of people: decide, complete, escalate, draft. One act, one decision, one winner.

Every function that ends a task locks the instance, fires timers that are overdue, and only then checks: the task
exists, it is open, it is the caller's, and it is still the version that the caller saw.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from engine import (
    answers,
    changing,
    closing,
    definitions,
    drafts,
    eligibility,
    escalation,
    motion,
    rows,
    timers,
    voting,
    waiting,
    words,
)
from engine.clock import now_of
from engine.database import is_id
from engine.decisions import Decision
from engine.errors import Conflict, Forbidden, Invalid, NotFound, RuleViolation
from engine.forms import Form
from engine.ports import Mandate, SignatureRequest
from engine.prepared import Question
from engine.stored.help import TaskHelp
from engine.stored.instance import Instance
from engine.stored.task import Task, TaskCandidate, TaskDraft, TaskState
from engine.variables import accepted

if TYPE_CHECKING:
    from engine.act import Act

__all__ = [
    "Task",
    "TaskCandidate",
    "TaskDraft",
    "TaskState",
    "complete",
    "decide",
    "draft_of",
    "escalate",
    "find",
    "form_of",
    "held",
    "may_end",
    "may_see",
    "of_instance",
    "save_draft",
    "why_me",
]

NEEDS_REASON = frozenset({"reject", "return", "split"})
"""Verdicts that say nothing without words; an approval on condition names it there, or in the form's field ``condition``."""
MAX_REASON = 20_000

_INSTANCE, _TASK = Instance.__table__, Task.__table__
# Built once: building a statement costs more than running it.
_HELD = Question(
    select(*_INSTANCE.c, *_TASK.c)
    .join(_TASK, _TASK.c.instance_id == _INSTANCE.c.id)
    .where(_TASK.c.id == bindparam("wanted"))
    # Both rows: PostgreSQL reads only locked rows anew after it waited for the lock; the instance comes first everywhere.
    .with_for_update(of=[_INSTANCE, _TASK], key_share=True)
)
_INSTANCE_NAMES, _TASK_NAMES = tuple(_INSTANCE.c.keys()), tuple(_TASK.c.keys())

why_me = eligibility.why_me
escalate = escalation.escalate
draft_of = drafts.draft_of
save_draft = drafts.save_draft


def decide(
    act: Act,
    task_id: str,
    verdict: str,
    *,
    seen_version: int,
    reason: str = "",
    variables: Mapping[str, Any] | None = None,
    on_behalf_of: str | None = None,
    signature: SignatureRequest | None = None,
) -> Decision:
    """Record a person's verdict on a task, sign it if the diagram says so, and let the flow go on.

    verdict: one of ``task.outcomes``. seen_version: ``task.version`` as the person saw it. reason: mandatory for
    reject and return. on_behalf_of: the absent person that a deputy stands in for; found by itself when there is
    only one. Raises: NotFound when it is not the caller's; Conflict that names who or what was faster, and then
    keeps the text as a draft; RuleViolation when a duty bars the caller; Forbidden without a wanted signature;
    Invalid.
    """
    taken = accepted(variables)
    refuse_size(reason)
    typed = drafts.Typed(task_id, verdict, reason, dict(variables or {}))
    task, instance = held(act, task_id, typed)
    mandate = may_end(act, task, instance, typed, seen_version=seen_version, on_behalf_of=on_behalf_of)
    if verdict not in task.outcomes:
        offered = ", ".join(task.outcomes) or "none (it is completed without a verdict)"
        raise Invalid(f"Expected one of the verdicts {offered}, but found {verdict}", {"verdict": "not offered"})
    if verdict in NEEDS_REASON and not reason.strip():
        raise Invalid(f"Expected a reason for {verdict}, but there is none", {"reason": f"mandatory for {verdict}"})
    _refuse_unnamed_condition(verdict, reason, variables or {})
    if findings := eligibility.verdict_bars(act.session, task, verdict, caller_of(act)):
        drafts.keep(act, typed, findings[0].sentence)
        raise RuleViolation(findings)
    decision = closing.record(act, instance, task, mandate, verdict=verdict, reason=reason, signature=signature)
    closing.end(act, task, verdict=verdict)
    with motion.moving(act, instance) as moved:
        moved.settled.add(task.token_id)
        moved.why = f"stopped by {decision.actor_name}: {verdict}"
        closing.resolve_trouble(act, instance, task)
        variables_now = taken | {"decision": voting.as_variable(decision)}
        voting.tally(moved, task)
        closing.complete_token(moved, task, variables_now, typed)
    act.settle()
    return decision


def complete(
    act: Act,
    task_id: str,
    variables: Mapping[str, Any] | None = None,
    *,
    seen_version: int,
    on_behalf_of: str | None = None,
) -> Task:
    """Complete a task that asks for no verdict and let the flow go on. Raises: as ``decide``."""
    taken = accepted(variables)
    typed = drafts.Typed(task_id, None, "", dict(variables or {}))
    task, instance = held(act, task_id, typed)
    may_end(act, task, instance, typed, seen_version=seen_version, on_behalf_of=on_behalf_of)
    if task.outcomes:
        raise Invalid(
            f"Expected one of the verdicts {', '.join(task.outcomes)}, but there is none", {"verdict": "missing"}
        )
    if task.signature:
        raise Forbidden("Expected a signed decision, but the task was to be completed without one", code="UNSIGNED")
    closing.end(act, task, verdict=None)
    with motion.moving(act, instance) as moved:
        moved.settled.add(task.token_id)
        closing.resolve_trouble(act, instance, task)
        closing.complete_token(moved, task, taken, typed)
    return task


def find(session: Session, task_id: str) -> Task:
    """Return a task. Raises: NotFound."""
    found = rows.get(session, Task, task_id) if is_id(task_id) else None
    if found is None:
        raise NotFound(f"Expected a task {task_id}, but there is none")
    return found


def may_see(session: Session, task: Task, user_id: str) -> bool:
    """Say whether a person may know of a task.

    It is or was in their inbox, or they closed it or started the instance.
    """
    if user_id in (task.closed_by, task.assignee, task.lent_by):
        return True
    if eligibility.mandates_for(session, task, user_id, now=now_of(session)) or eligibility.former_sentence(
        session, task, user_id
    ):
        return True
    asked = select(TaskHelp.id).where(TaskHelp.task_id == task.id, TaskHelp.asked == user_id).limit(1)
    return session.get_one(Instance, task.instance_id).started_by == user_id or session.scalar(asked) is not None


def form_of(session: Session, task: Task) -> Form | None:
    """Return the form of a task from the definition that its process comes from, None when it has none."""
    if task.form_id is None:
        return None
    instance = session.get_one(Instance, task.instance_id)
    own = definitions.parsed(session, instance.definition_id)
    if task.process_id not in own.bundle.processes:
        called = waiting.called_definitions(session, instance).get(task.process_id)
        if called is None:
            return None
        own = definitions.parsed(session, called)
    element = own.bundle.processes[task.process_id].elements.get(task.element_id)
    spec = element.user_task if element is not None else None
    if spec is not None and spec.form_binding != "deployment":
        return definitions.latest_form(session, task.form_id, spec.form_version_tag)
    return own.forms.get(task.form_id)


def of_instance(session: Session, instance_id: str) -> list[Task]:
    """Return the tasks of an instance, oldest first."""
    query = select(Task).where(Task.instance_id == instance_id).order_by(Task.created_at, Task.id)
    return list(session.scalars(query))


def held(act: Act, task_id: str, typed: drafts.Typed | None) -> tuple[Task, Instance]:
    """Lock the instance of a task, after its overdue timers went off in an act of their own."""
    task, instance = _read(act, task_id)
    if instance.wake_at is None or instance.wake_at > act.now:
        return task, instance
    if act.is_untouched:
        instance_id = instance.id
        act.begin_anew()
        timers.fire_for(act.installation, instance_id, now=act.now)
    else:
        # Something was written in this act already: the timers go off within it, and share its fate.
        timers.fire(act, instance)
        act.session.flush()
    return _read(act, task_id)


def _read(act: Act, task_id: str) -> tuple[Task, Instance]:
    act.session.flush()
    found = _HELD.ask(act.session, {"wanted": task_id}) if is_id(task_id) else []
    if not found:
        raise NotFound(f"Expected a task {task_id}, but there is none")
    answers.forget(act.session)  # The lock may have been waited for: who may what is asked anew.
    instance = rows.adopt(act.session, Instance, dict(zip(_INSTANCE_NAMES, found[0], strict=False)))
    task = rows.adopt(act.session, Task, dict(zip(_TASK_NAMES, found[0][len(_INSTANCE_NAMES) :], strict=True)))
    return task, motion.hold(act, instance)


def caller_of(act: Act) -> str:
    if act.user_id is None:
        raise Forbidden(f"Expected a person to act on a task, but {act.actor} is none")
    return act.user_id


def may_end(
    act: Act, task: Task, instance: Instance, typed: drafts.Typed, *, seen_version: int, on_behalf_of: str | None
) -> Mandate:
    """Return the mandate under which the acting person ends a task of an instance. Raises: as ``decide``, with what was typed kept."""
    user_id = caller_of(act)
    act.task_id = task.id
    refuse_closed(act, task, typed)
    _refuse_suspended(act, instance, task, typed)
    mandate = mandate_of(act, task, user_id, on_behalf_of=on_behalf_of, typed=typed)
    if task.version != seen_version:
        drafts.keep(act, typed, "the task changed")
        raise Conflict(
            f"Expected version {seen_version} of the task, as you saw it, but it is {task.version}; reload it"
        )
    if task.lent_by is not None:
        drafts.keep(act, typed, "it is lent")
        raise Conflict(
            f"Expected the task back, but {name_of(act, task.assignee)} works on it for {name_of(act, task.lent_by)}; it is given back, or"
            " taken back, first",
            code="LENT",
        )
    if task.assignee not in (None, user_id) and mandate.on_behalf_of != task.assignee:
        drafts.keep(act, typed, "somebody else claimed it")
        raise Conflict(f"Expected a free task, but {name_of(act, task.assignee)} claimed it", code="CLAIMED")
    if task.transition:
        drafts.keep(act, typed, "the task was being changed")
        changing.refuse_changing(act, task)
    refuse_barred(act, task, user_id, mandate)
    act.on_behalf_of = mandate.on_behalf_of
    return mandate


def refuse_closed(act: Act, task: Task, typed: drafts.Typed | None) -> None:
    if task.state == TaskState.OPEN:
        return
    if not may_see(act.session, task, caller_of(act)):
        raise NotFound(f"Expected a task {task.id}, but there is none")
    at = words.clock_time(act.session, task.closed_at or act.now, now=act.now)
    if task.state == TaskState.COMPLETED:
        verb = "decided" if task.verdict else "completed"
        sentence = f"{verb} by {name_of(act, task.closed_by)} {at}"
    else:
        sentence = task.closed_why or f"closed at {at}"
    if typed is not None:
        drafts.keep(act, typed, sentence)
    raise Conflict(f"Expected an open task, but it was {sentence}", code=task.closed_code or "TASK_CLOSED")


def _refuse_suspended(act: Act, instance: Instance, task: Task, typed: drafts.Typed) -> None:
    if instance.suspended_at is not None:
        drafts.keep(act, typed, "it is suspended")
        motion.refuse_suspended(act.session, instance, f'to go on so that "{task.name}" may end')


def mandate_of(
    act: Act, task: Task, user_id: str, *, on_behalf_of: str | None, typed: drafts.Typed | None = None
) -> Mandate:
    held = eligibility.mandates_for(act.session, task, user_id, now=act.now)
    fitting = [mandate for mandate in held if on_behalf_of in (None, mandate.on_behalf_of)]
    if held and not fitting:
        raise Forbidden(
            f"Expected you to act for yourself or for somebody who asked you to, but {name_of(act, on_behalf_of)} did not ask you",
            code="NOT_AUTHORISED", record=(task.record_type or "task", task.record_id or task.id), keep=True,
        )  # fmt: skip
    own = [mandate for mandate in fitting if mandate.on_behalf_of is None]
    if own:
        return own[0]
    if len({mandate.on_behalf_of for mandate in fitting}) > 1:
        absent = ", ".join(sorted({mandate.on_behalf_of or "" for mandate in fitting}))
        raise Invalid(f"Expected to know for whom you act, but it may be {absent}", {"on_behalf_of": "choose one"})
    if fitting:
        return fitting[0]
    former = eligibility.former_sentence(act.session, task, user_id)
    if former is not None:
        if typed is not None:
            drafts.keep(act, typed, former)
        raise Conflict(f"Expected the task to be yours, but it was {former}", code="ESCALATED")
    if typed is not None and (lost := eligibility.mandates_for(act.session, task, user_id, now=task.created_at)):
        drafts.keep(act, typed, "it is not yours any more")
        role = _mandate_name(act, lost[0])
        raise Forbidden(
            f"Expected you to hold {role} still, but that ended since this task was opened; what you typed is kept",
            code="ROLE_LOST", record=(task.record_type or "task", task.record_id or task.id), keep=True,
        )  # fmt: skip
    raise NotFound(f"Expected a task {task.id}, but there is none")


def refuse_barred(act: Act, task: Task, user_id: str, mandate: Mandate) -> None:
    findings = eligibility.bars(act.session, task, user_id, on_behalf_of=mandate.on_behalf_of, now=act.now)
    if findings:
        raise RuleViolation(findings)


def _refuse_unnamed_condition(verdict: str, reason: str, variables: Mapping[str, Any]) -> None:
    if verdict == "approve_with_condition" and not (reason.strip() or str(variables.get("condition") or "").strip()):
        raise Invalid(
            "Expected the condition of an approval on condition, but there is none", {"reason": "name the condition"}
        )


def refuse_size(reason: str) -> None:
    if len(reason) > MAX_REASON:
        raise Invalid(
            f"Expected a reason of at most {MAX_REASON:,} characters, but it has {len(reason):,}",
            {"reason": "too long"},
        )


def _mandate_name(act: Act, mandate: Mandate) -> str:
    return eligibility.directory_of(act.session).name_of(act.session, mandate.principal)


def name_of(act: Act, user_id: str | None) -> str:
    if user_id is None:
        return "the system"
    person = eligibility.directory_of(act.session).person(act.session, user_id)
    return person.name if person is not None else user_id
