"""Store what came of a move: tasks, timers, subscriptions, jobs, incidents, history, variables, the live state."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, or_, select

from engine import (
    bulk,
    changing,
    dialect,
    escalation,
    incidents,
    jobs,
    messages,
    motion,
    opening,
    signals,
    variables,
    words,
)
from engine.database import Base, new_id
from engine.prepared import Prepared, connection_of
from engine.spiff import ElementInfo, FiredTimer, Incident, Left, Thrown, Wait
from engine.stored.instance import Activity, Instance, InstanceStatus
from engine.stored.task import Task, TaskState
from engine.stored.wait import MessageSubscription, SignalSubscription, Timer

if TYPE_CHECKING:
    from engine.act import Act

SUFFICIENT = frozenset({"task", "job", "message", "signal", "timer", "activation", "incident"})
"""What may wake an instance from outside. A condition alone never does.

Only a move of the instance changes variables.
"""


def store(moved: motion.Motion) -> None:
    """Write what a move changed; the instance row itself is written when the act flushes."""
    waits = {(wait.token_id, wait.kind): wait for wait in moved.flow.waits_awake(moved.before)}
    opened = [wait for key, wait in waits.items() if key not in moved.before]
    gone = [wait for key, wait in moved.before.items() if key not in waits and not moved.flow.sleeps(wait.token_id)]
    _explain(moved)
    _close_tasks(moved, [wait.token_id for wait in gone if wait.kind == "task"])
    _escalate(moved)
    _forget(moved, gone)
    _close_incidents(moved, gone, waits)
    for wait in opened:
        _open(moved, wait)
    for token_id, came in moved.flow.changed.items():
        changing.finish(moved.act, moved.instance, token_id, came)
    for unheard in moved.flow.unheard:
        why = f"{unheard.type}: {unheard.message}"
        moved.act.note("instance", moved.instance.id, "LISTENER_FAILED", field=unheard.element_id, new=why)
    _keep_history(moved)
    _keep_instance(moved, list(waits.values()))
    _remember(moved, opened)
    for thrown in moved.flow.thrown:
        _send(moved, thrown)


def _explain(moved: motion.Motion) -> None:
    """Find the words for those whose task disappears: the timer that went off, or the end event that was reached."""
    act = moved.act
    for fired in moved.fired:
        element = moved.element(fired.process_id, fired.element_id)
        act.note("instance", moved.instance.id, "TIMER_FIRED", field=fired.element_id, new=fired.due)
        if fired.is_interrupting and fired.attached_to and not moved.why:
            at = words.clock_time(act.session, fired.due, now=act.now)
            moved.why = f"{element.name or element.id} at {at}"
            moved.code = element.properties.get(dialect.CODE)
    for left in moved.flow.history:
        if left.kind == "endEvent" and moved.code is None:
            moved.code = moved.element(left.process_id, left.element_id).properties.get(dialect.CODE)


def _close_tasks(moved: motion.Motion, tokens: Sequence[int]) -> None:
    wanted = [token for token in tokens if token not in moved.settled]
    if not wanted:
        return
    act, instance = moved.act, moved.instance
    query = select(Task).where(Task.instance_id == instance.id, Task.token_id.in_(wanted), Task.state == TaskState.OPEN)
    tasks = list(act.session.scalars(query))
    if not tasks:
        return
    _cancel_tasks(act, instance, tasks, moved.why or f"{instance.business_key} went another way", moved.code)


def _cancel_tasks(act: Act, instance: Instance, tasks: Sequence[Task], why: str, code: str | None) -> None:
    opening.remove_candidates(act, tasks)
    for task in tasks:
        task.state, task.closed_at, task.transition = TaskState.CANCELLED, act.now, {}
        task.closed_why, task.closed_code = why, code
        act.note("instance", instance.id, "TASK_CANCELLED", field=task.element_id, new=why, subject=task.id)


def abandon(act: Act, instance: Instance, why: str) -> None:
    """End a locked instance whose state nobody can read: whatever waits for it in a row of its own is taken back."""
    query = select(Task).where(Task.instance_id == instance.id, Task.state == TaskState.OPEN)
    _cancel_tasks(act, instance, list(act.session.scalars(query)), why, None)
    act.session.flush()
    for table in (Timer, MessageSubscription, SignalSubscription):
        act.session.connection().execute(delete(table).where(table.instance_id == instance.id))
    jobs.cancel_of_token(act, instance.id, None)
    instance.status, instance.closed_at, instance.closed_why = InstanceStatus.CANCELLED, act.now, why
    instance.wake_at = None
    incidents.resolve_all(act, instance)
    act.note("instance", instance.id, "INSTANCE_CANCELLED", new=why)


def _escalate(moved: motion.Motion) -> None:
    """Carry out ``escalateTo`` of the timers that went off beside a task which is still open; an empty list is nobody."""
    for fired in moved.fired:
        element = moved.element(fired.process_id, fired.element_id)
        if not fired.is_interrupting and dialect.ESCALATE_TO in element.properties:
            for task in _beside(moved, fired):
                _escalate_task(moved, element, task)


def _beside(moved: motion.Motion, fired: FiredTimer) -> list[Task]:
    """Return the open tasks of the activity that a timer stands on: one, or those of a multi-instance body."""
    query = select(Task).where(
        Task.instance_id == moved.instance.id,
        Task.element_id == fired.attached_to,
        Task.process_id == fired.process_id,
        Task.state == TaskState.OPEN,
    )
    timer = moved.before.get((fired.token_id, "timer"))
    if timer is not None:
        # A cycle that went off twice in one move has a token of its own by then: it concerns every task of the element.
        query = query.where(or_(Task.token_id == timer.attached_to, Task.body_scope == timer.attached_to))
    return [task for task in moved.act.session.scalars(query) if task.token_id in moved.flow.live]


def _escalate_task(moved: motion.Motion, timer: ElementInfo, task: Task) -> None:
    view = moved.flow.variables_view(task.token_id)
    try:
        named = dialect.words_of(dialect.property_value(timer, dialect.ESCALATE_TO, view, moved.flow.host))
    except Incident as reason:
        incidents.report(
            moved.act,
            moved.instance,
            task.token_id,
            timer.id,
            cause="candidates",
            message=reason.message,
            task_id=task.id,
        )
        return
    if not named:
        return  # The diagram says that there is no further level: whoever has it keeps it.
    escalation.escalate(moved.act, task, [opening.principal("role", name) for name in named])


_FORGOTTEN: dict[str, type[Timer | MessageSubscription | SignalSubscription]] = {
    "timer": Timer,
    "message": MessageSubscription,
    "signal": SignalSubscription,
}


@cache
def _forgetting(kinds: tuple[str, ...]) -> Prepared:
    """Return the statement that deletes what tokens waited for; several kinds in one is what PostgreSQL alone knows."""
    first, *others = (
        delete(table).where(table.instance_id == bindparam("instance"), table.token_id == bindparam("token"))
        for table in map(_FORGOTTEN.__getitem__, kinds)
    )
    for kind, other in zip(kinds[1:], others, strict=True):
        first = first.add_cte(other.cte(f"forgotten_{kind}"))
    return Prepared(first)


def _forget(moved: motion.Motion, gone: Collection[Wait]) -> None:
    act, instance_id = moved.act, moved.instance.id
    kinds = tuple(kind for kind in _FORGOTTEN if any(wait.kind == kind for wait in gone))
    together = (
        [kinds] if connection_of(act.session).dialect.name == "postgresql" and kinds else [(one,) for one in kinds]
    )
    for those in together:
        forgotten = dict.fromkeys(wait.token_id for wait in gone if wait.kind in those)
        _forgetting(those).run(act.session, [{"instance": instance_id, "token": token} for token in forgotten])
    tokens = [
        wait.token_id
        for wait in gone
        if (wait.kind == "job" or wait.is_changing) and wait.token_id not in moved.settled
    ]
    if tokens:
        act.session.flush()
        jobs.cancel_of_token(act, instance_id, tokens)


def _close_incidents(moved: motion.Motion, gone: Collection[Wait], waits: Collection[tuple[int, str]]) -> None:
    """Close what was reported of tokens that wait no more, whatever for: tried again it would be a try at nothing."""
    if moved.instance.incidents:
        waiting_still = {token_id for token_id, _kind in waits}
        ended = [wait.token_id for wait in gone if wait.kind == "incident" or wait.token_id not in waiting_still]
        incidents.resolve_of_tokens(moved.act, moved.instance, ended, "moved on")


def _open(moved: motion.Motion, wait: Wait) -> None:
    act, instance = moved.act, moved.instance
    if wait.kind == "incident":
        incidents.report(
            act, instance, wait.token_id, wait.element_id, cause=wait.cause or "", message=wait.incident or ""
        )
    elif wait.kind == "task":
        open_or_report(moved, wait)


def open_or_report(moved: motion.Motion, wait: Wait) -> None:
    """Open the task of a token; what goes wrong becomes an incident with the reason in words."""
    act, instance = moved.act, moved.instance
    element = moved.element(wait.process_id, wait.element_id)
    try:
        task = opening.open_task(act, instance, moved.flow, wait, element)
    except Incident as reason:
        incidents.report(act, instance, wait.token_id, wait.element_id, cause="candidates", message=reason.message)
        return
    why = opening.trouble(act, task)
    if why is not None:
        act.session.flush()
        incidents.report(
            act, instance, wait.token_id, wait.element_id, cause="candidates", message=why, task_id=task.id
        )


def _remember(moved: motion.Motion, opened: Sequence[Wait]) -> None:
    act = moved.act
    rows: dict[type[Base], list[dict[str, Any]]] = {}
    for wait in opened:
        if wait.kind in _FORGOTTEN:
            rows.setdefault(_FORGOTTEN[wait.kind], []).append(_awaited_row(moved.instance, wait))
    if not rows:
        return
    if moved.instance in act.session.new:
        act.settle()  # What follows refers to it.
    bulk.insert_all(act.session, rows)
    if awaited := [(row["name"], row["correlation_key"]) for row in rows.get(MessageSubscription, ())]:
        motion.later(act, lambda: messages.deliver_stored(act, awaited))


def _awaited_row(instance: Instance, wait: Wait) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": new_id(),
        "instance_id": instance.id,
        "definition_id": None,
        "token_id": wait.token_id,
        "element_id": wait.element_id,
    }
    if wait.kind == "timer":
        return row | {"due_at": wait.due, "left": 1, "every": None}
    if wait.kind == "signal":
        return row | {"name": wait.message_name}
    return row | {"name": wait.message_name, "correlation_key": wait.correlation_key or ""}


def _keep_history(moved: motion.Motion) -> None:
    instance_id, act = moved.instance.id, moved.act
    bulk.add(act, Activity, [_history_row(act, instance_id, left) for left in moved.flow.history])


def _history_row(act: Act, instance_id: str, left: Left) -> dict[str, Any]:
    return {
        "id": new_id(),
        "instance_id": instance_id,
        "token_id": left.token_id,
        "element_id": left.element_id,
        "process_id": left.process_id,
        "kind": left.kind,
        "outcome": left.outcome,
        "parents": list(left.parents),
        "arrivals": [[arrival.token_id, arrival.via, list(arrival.parents)] for arrival in left.arrivals],
        "scope_id": left.scope_id,
        "instance": left.instance,
        "left_at": act.now,
        "act_id": act.id,
    }


def _keep_instance(moved: motion.Motion, waits: Sequence[Wait]) -> None:
    act, instance, flow = moved.act, moved.instance, moved.flow
    instance.state = flow.state()
    written, gone = flow.changed_variables()
    variables.save(act.session, instance, moved.stored, written, gone)
    dues = [*flow.dues_asleep(), *(wait.due for wait in waits if wait.due is not None)]
    instance.wake_at = min(dues, default=None) if instance.suspended_at is None else None
    if flow.done:
        cancelled = flow.outcome == "cancelled"
        instance.status = InstanceStatus.CANCELLED if cancelled else InstanceStatus.COMPLETED
        instance.closed_at = act.now
        instance.ended_at = flow.ended_at[-1] if flow.ended_at else None
        instance.closed_why = moved.why or None
        incidents.resolve_all(act, instance)
        act.note("instance", instance.id, f"INSTANCE_{instance.status}", field=instance.ended_at, new=moved.why or None)
        return
    if moved.flow.has_sleepers or any(wait.kind in SUFFICIENT for wait in waits):
        incidents.resolve_watchdog(act, instance)
    else:
        waits = flow.waits()
        incidents.report(
            act,
            instance,
            0,
            waits[0].element_id if waits else instance.process_id,
            cause="watchdog",
            message=f"Expected {instance.business_key} to wait for somebody or something, but nothing can wake it: "
            + (f"only a condition at {waits[0].element_id} is left" if waits else "no token can move"),
        )


def _send(moved: motion.Motion, thrown: Thrown) -> None:
    act = moved.act
    if thrown.kind == "message":
        motion.later(
            act,
            lambda: messages.publish(
                act,
                thrown.name,
                correlation_key=thrown.correlation_key or "",
                variables=thrown.variables,
                message_id=f"{moved.instance.id}:{thrown.token_id}",
                is_aside=True,
            ),
        )
    elif thrown.kind == "signal":
        motion.later(act, lambda: signals.broadcast(act, thrown.name, thrown.variables, besides=moved.instance.id))
    else:
        act.note("instance", moved.instance.id, "ESCALATED", field=thrown.element_id, new=thrown.name)
