"""Return to an earlier step: which steps are legal and what each would undo, and the act that does it.

Legal is a step of people that led to the task, as long as what followed left no traces that nobody would undo: its diagram
says with ``onReturn`` what undoes them, with ``leaves`` which steps left nothing, and with ``noReturn`` where the way back ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine import closing, decisions, dialect, drafts, migrating, motion, tasks, voting, waiting
from engine.decisions import Decision, DecisionKind
from engine.errors import Conflict, Invalid
from engine.ports import SignatureRequest
from engine.registry import PlainVariables, Work
from engine.spiff import Flow, Left
from engine.spiff.elements import ElementInfo
from engine.spiff.host import Answer, Arrival
from engine.spiff.returning import Lineage, Place, earlier_steps, leaves_traces, return_to
from engine.stored.instance import Activity, Instance, InstanceMove, InstanceStatus
from engine.stored.task import Task, TaskState

if TYPE_CHECKING:
    from engine.act import Act

NOTHING = "nothing"
"""The value of ``onReturn`` where what followed left nothing behind, and of ``leaves`` on a step that left nothing."""
_TRACES = frozenset({"serviceTask", "sendTask", "receiveTask"})
"""Kinds that leave traces even when the definition that drew them is not at hand any more."""


@dataclass(frozen=True, slots=True)
class Target:
    """An earlier step, and what returning to it would undo.

    token_id: names it; a step that was done twice is named by its last time. why_not: why nobody returns there, empty where it
    is legal. voids: decisions that would count no more. cancels: open tasks of others that would end. undone_by: the type
    of the step that undoes what followed, or None.
    """

    token_id: int
    element_id: str
    name: str
    done_by: tuple[str, ...]
    voids: tuple[Decision, ...]
    cancels: tuple[Task, ...]
    redoes: tuple[str, ...]
    undone_by: str | None
    why_not: str = ""

    @property
    def is_legal(self) -> bool:
        """Whether one may return there."""
        return not self.why_not

    @property
    def sentence(self) -> str:
        """What returning there undoes, in words."""
        given = [f"{row.verdict.replace('_', ' ')} by {row.actor_name}" for row in self.voids]
        parts = [
            f"voids {_listed(given)}" if given else "",
            f"ends {_listed([task.title for task in self.cancels])}" if self.cancels else "",
            f"{_listed(self.redoes)} {'is' if len(self.redoes) == 1 else 'are'} done again" if self.redoes else "",
        ]
        said = "; ".join(part for part in parts if part)
        return f"{said[0].upper()}{said[1:]}." if said else "Undoes nothing but this step."


def targets(session: Session, task: Task) -> list[Target]:
    """Return the earlier steps of an open task, the nearest first, those that are not legal with the reason."""
    instance = session.get_one(Instance, task.instance_id)
    if task.state != TaskState.OPEN or instance.status != InstanceStatus.RUNNING:
        return []
    flow = waiting.look(session, instance)
    return [target for target, _ in _targets(session, instance, task, flow)]


def send_back(
    act: Act,
    task_id: str,
    to: int,
    *,
    seen_version: int,
    reason: str,
    on_behalf_of: str | None = None,
    signature: SignatureRequest | None = None,
) -> Decision:
    """Return a task to an earlier step: void what was decided since, cancel what is open since, open that step again.

    to: ``Target.token_id``. The decision ``return`` of the caller stays in the ledger, with a row for each that it voids.
    Raises: as ``tasks.decide``; Conflict NO_WAY_BACK with the reason for a step that is not legal; what the undoing step refuses.
    """
    typed = drafts.Typed(task_id, "return", reason, {})
    task, instance = tasks.held(act, task_id, typed)
    mandate = tasks.may_end(act, task, instance, typed, seen_version=seen_version, on_behalf_of=on_behalf_of)
    if not reason.strip() or len(reason) > tasks.MAX_REASON:
        raise Invalid(
            f"Expected a reason of 1 to {tasks.MAX_REASON:,} characters, but it has {len(reason):,}",
            {"reason": "mandatory for return"},
        )
    target, lineage = _chosen(act, instance, task, to)
    # The place of a vote that is returned within is asked again: until then it has no voice.
    decision = closing.record(
        act, instance, task, mandate, verdict="return", reason=reason, signature=signature, is_vote=False
    )
    closing.end(act, task, verdict="return")
    why = f"returned to {target.name} by {decision.actor_name}: {reason}"
    act.session.flush()
    _void(act, instance, target.voids, why)
    act.note(
        "instance",
        instance.id,
        "RETURNED",
        field=target.element_id,
        old=task.element_id,
        new=target.sentence,
        reason=reason,
    )
    if task.record_type and task.record_id:
        act.note(task.record_type, task.record_id, "RETURNED", field=target.name, new=target.sentence, reason=reason)
    with motion.moving(act, instance) as moved:
        moved.settled.add(task.token_id)
        moved.why, moved.code = why, "RETURNED"
        closing.resolve_trouble(act, instance, task)
        _undo(act, moved, lineage.places[to], target, decision)
        if task.quorum_scope not in lineage.after(to):
            voting.tally(moved, task)
        return_to(moved.flow, lineage, to)
    act.session.flush()
    return decision


def _chosen(act: Act, instance: Instance, task: Task, to: int) -> tuple[Target, Lineage]:
    flow = waiting.look(act.session, instance)
    found = _targets(act.session, instance, task, flow)
    for target, lineage in found:
        if target.token_id == to and target.is_legal:
            return target, lineage
        if target.token_id == to:
            raise Conflict(
                f"Expected a step to return to, but {target.name} is none: {target.why_not}", code="NO_WAY_BACK"
            )
    legal = [target.name for target, _ in found if target.is_legal]
    raise Conflict(
        f"Expected one of the steps {_listed(legal) if legal else 'that led here, and there is none'}, but this is another",
        code="NO_WAY_BACK",
    )


def _targets(session: Session, instance: Instance, task: Task, flow: Flow) -> list[tuple[Target, Lineage]]:
    if task.token_id not in flow.live or _element_of(flow, task).properties.get(dialect.RETURNS) == "no":
        return []
    lineage = Lineage.of(flow, _history(session, instance.id))
    standing = list(decisions.standing(session, instance.id))
    wanted = select(Task).where(Task.instance_id == instance.id).order_by(Task.created_at, Task.id)
    known = list(session.scalars(wanted))
    return [
        (_target(flow, lineage, place, task, known, standing), lineage)
        for place in earlier_steps(flow, lineage, task.token_id)
        # A loop came by the task before: it is open now, and there is nothing to return to.
        if (place.element_id, place.process_id) != (task.element_id, task.process_id)
    ]


def _target(
    flow: Flow, lineage: Lineage, place: Place, task: Task, known: Sequence[Task], standing: Sequence[Decision]
) -> Target:
    void = lineage.after(place.token_id) - lineage.dead
    touched = {one.id: one for one in known if one.token_id in void}
    element = _element(flow, place)
    inner = {inner.token_id for inner in lineage.inside(place.token_id)} | {place.token_id}
    voids = tuple(row for row in standing if row.task_id in touched)
    between = [each for each in lineage.places.values() if each.token_id in void - inner]
    again = dict.fromkeys(
        one.name for one in touched.values() if one.token_id not in inner and one.closed_by and one.id != task.id
    )
    undone_by = element.properties.get(dialect.ON_RETURN) if element is not None else None
    return Target(
        place.token_id, place.element_id, (element.name if element else None) or place.element_id,
        tuple(dict.fromkeys(one.closed_by for one in touched.values() if one.token_id in inner and one.closed_by)),
        voids, tuple(one for one in touched.values() if one.state == TaskState.OPEN and one.id != task.id), tuple(again),
        None if undone_by == NOTHING else undone_by,
        _why_not(flow, between, task, void, lineage, is_undone=undone_by is not None),
    )  # fmt: skip


def _why_not(
    flow: Flow, between: Iterable[Place], task: Task, void: set[int], lineage: Lineage, *, is_undone: bool
) -> str:
    """Return why nobody returns past what happened since, or nothing."""
    if task.quorum_scope in void and _element_of(flow, task).properties.get(dialect.RETURNS) != "yes":
        return "this is one vote of several, and the verdict Return counts in the vote."
    if gone := _joined_before(flow, void, lineage):
        return f'"{gone}" was joined before the run was moved to this version, which does not have it.'
    for place in between:
        element = _element(flow, place)
        reason = element.properties.get(dialect.NO_RETURN, "").strip() if element is not None else ""
        if reason and place.outcome != "cancelled":
            return reason
        if not is_undone and place.outcome != "cancelled" and (left := _left(element, place)):
            return left
    return ""


def _left(element: ElementInfo | None, place: Place) -> str:
    """Return what a step left behind, as a reason why nobody returns past it; empty where it left nothing."""
    said = element.properties.get(dialect.LEAVES, "").strip() if element is not None else ""
    if said == NOTHING or not (leaves_traces(element) if element is not None else place.kind in _TRACES):
        return ""
    name = (element.name if element is not None else None) or place.element_id
    return said or f'"{name}" was done since, and nothing says how it is undone.'


def _joined_before(flow: Flow, void: set[int], lineage: Lineage) -> str | None:
    """Return a join that is void now and whose arrivals cannot be put back: this version has not got it, or not this way into it."""
    for place in lineage.places.values():
        if place.token_id in void and place.arrivals and place.token_id not in lineage.dead:
            element = _element(flow, place)
            if element is None or any(one.via not in element.incoming for one in place.arrivals):
                return place.element_id
    return None


def _element(flow: Flow, place: Place) -> ElementInfo | None:
    """Return an element of the instance's bundle or of a definition that it is inside of; None for one of an ended call."""
    bundles = [flow.bundle, *(sub.bundle for sub in flow.subprocesses.values())]
    for bundle in bundles:
        process = bundle.processes.get(place.process_id)
        if process is not None:
            found: ElementInfo | None = process.elements.get(place.element_id)
            return found
    return None


def _element_of(flow: Flow, task: Task) -> ElementInfo:
    return flow.live[task.token_id].element


def _history(session: Session, instance_id: str) -> list[Left]:
    rows = session.scalars(select(Activity).where(Activity.instance_id == instance_id).order_by(Activity.token_id))
    moves = migrating.moves_of(session, instance_id)
    return [
        Left(
            row.token_id, _now_called(row, moves), row.process_id, row.kind, row.outcome, tuple(row.parents),
            tuple(Arrival(token, via, tuple(parents)) for token, via, parents in row.arrivals), row.scope_id, row.instance,
        )
        for row in rows
    ]  # fmt: skip


def _now_called(row: Activity, moves: Iterable[InstanceMove]) -> str:
    """Return what the element of a past step is called in the version that its instance was moved to since."""
    called = row.element_id
    for move in moves:
        if row.left_at <= move.moved_at:
            called = move.elements.get(f"{row.process_id}:{called}", called)
    return called


def _void(act: Act, instance: Instance, voids: Iterable[Decision], why: str) -> None:
    signer = act.installation.signer
    for row in voids:
        if row.kind == DecisionKind.DECISION:
            decisions.void(act, instance, row, why)
            if signer is not None:
                signer.end_voided(act, row)


def _undo(act: Act, moved: motion.Motion, place: Place, target: Target, decision: Decision) -> None:
    """Let the step that the diagram names undo what followed, with the variables of where the flow returns to."""
    flow = moved.flow
    scope = 0 if place.owner == 0 else flow.sub_of(place.owner).scope_id
    flow.write(scope, Answer.of({"decision": voting.as_variable(decision)}))
    if target.undone_by is None:
        return
    step = act.installation.registry.steps.get(target.undone_by)
    if step is None:
        raise Conflict(
            f"Expected {target.undone_by} to undo what followed {target.name}, but nobody serves it here",
            code="UNSERVED",
        )
    view: Mapping[str, Any] = PlainVariables(flow.view_of(scope))
    answer = step(act, Work(moved.instance, place.element_id, target.name, view))
    flow.write(scope, Answer.of(answer or {}))


def _listed(words: Sequence[str]) -> str:
    unique = list(dict.fromkeys(words))
    return ", ".join(unique[:-1]) + " and " + unique[-1] if len(unique) > 1 else (unique[0] if unique else "nothing")
