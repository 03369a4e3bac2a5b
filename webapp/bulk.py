"""Several tasks at once: who of the selected may be acted on and why the others not, and what became of each, in an act of its own."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine import assigning, audit, eligibility, tasks
from engine.act import Act
from engine.database import is_id
from engine.errors import Forbidden, Invalid, Refused, RuleViolation
from engine.ports import SignatureRequest
from engine.stored.task import Task, TaskState
from engine.task_variables import variables_of
from processes import talking
from processes.notices import tell
from records import snooze
from records.snooze import WakesOn
from webapp import batch_signing, dossiers, inbox_asked, inboxes, reviews, visit, wording

MOST = 200
"""Tasks of one go: each is an act of its own, and somebody waits for the answer."""

ACTIONS: Mapping[str, str] = {
    "approve": "Approve", "reject": "Reject", "return": "Return", "reassign": "Reassign", "snooze": "Snooze", "wake": "Wake",
    "comment": "Comment",
}  # fmt: skip
VERDICTS = frozenset({"approve", "reject", "return"})
DONE: Mapping[str, str] = {
    "approve": "approved", "reject": "rejected", "return": "returned", "reassign": "given on", "snooze": "put aside",
    "wake": "taken back", "comment": "commented",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Choice:
    """One selected task. why_not: what keeps it from the action, empty when nothing does. rule: the law that says so, if one does."""

    task: Task
    key: str
    title: str
    currency: str
    why_not: str = ""
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """Selected tasks of one step, which alone may be decided together."""

    key: str
    words: str
    count: int


@dataclass(frozen=True, slots=True)
class Selection:
    """What was selected for an action. steps: the steps of the selected tasks, the one to be decided first."""

    action: str
    choices: Sequence[Choice]
    steps: Sequence[Step]
    is_signed: bool
    missing: int

    @property
    def eligible(self) -> list[Choice]:
        """The tasks that the action may be taken on."""
        return [one for one in self.choices if not one.why_not]

    @property
    def others(self) -> list[Choice]:
        """The tasks that it may not be taken on."""
        return [one for one in self.choices if one.why_not]

    @property
    def selected(self) -> int:
        """How many tasks were selected, those included that are not the visitor's to see."""
        return len(self.choices) + self.missing


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one task. refusal: None when it was done."""

    task_id: str
    key: str
    done: str = ""
    refusal: Refused | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done to each task. user_id: whom it is given to; until, wakes_on: of a snooze.

    signature: for steps that are signed, which pages sign on a page of their own; contents: the hash of what was read, by task id.
    """

    action: str
    reason: str = ""
    user_id: str = ""
    until: dt.datetime | None = None
    wakes_on: WakesOn | None = None
    on_behalf_of: str | None = None
    signature: SignatureRequest | None = None
    contents: Mapping[str, str] = field(default_factory=dict)


def select_for(session: Session, ids: Sequence[str], action: str, *, step: str = "") -> Selection:
    """Return which of the selected tasks an action may be taken on. step: the key of the one to decide; else the most frequent.

    Raises: Invalid for an unknown action, for none and for too many tasks.
    """
    if action not in ACTIONS:
        raise Invalid(f"Expected one of {', '.join(ACTIONS)}, but found {action[:40]}", {"do": "unknown"})
    wanted = list(dict.fromkeys(one for one in ids if is_id(one)))
    if not wanted:
        raise Invalid("Expected at least one task, but none is selected", {"task": "Tick what you mean"})
    if len(wanted) > MOST:
        raise Invalid(f"Expected at most {MOST} tasks at once, but {len(wanted)} are selected", {"task": "Tick fewer"})
    known = {task.id: task for task in session.scalars(select(Task).where(Task.id.in_(wanted)))}
    me = visit.visitor().user_id
    seen = [known[one] for one in wanted if one in known and tasks.may_see(session, known[one], me)]
    steps = _steps(seen, step) if action in VERDICTS else []
    chosen = steps[0].key if steps else ""
    choices = [_choice(session, task, action, chosen) for task in seen]
    is_signed = any(task.signature for task in seen if batch_signing.step_key(task) == chosen)
    return Selection(action, choices, steps, is_signed, len(wanted) - len(seen))


def _steps(found: Sequence[Task], wanted: str) -> list[Step]:
    by_key: dict[str, list[Task]] = {}
    for task in found:
        by_key.setdefault(batch_signing.step_key(task), []).append(task)
    steps = [Step(key, mine[0].name, len(mine)) for key, mine in by_key.items()]
    return sorted(steps, key=lambda one: (one.key != wanted, -one.count, one.words))


def _choice(session: Session, task: Task, action: str, step: str) -> Choice:
    record = dossiers.find(session, task.record_type, task.record_id)
    key = task.record_number or task.business_key
    why, rule = _why_not(session, task, key, action, step)
    return Choice(task, key, inboxes.short_title(task), getattr(record, "currency", "") if record else "", why, rule)


def _why_not(session: Session, task: Task, key: str, action: str, step: str) -> tuple[str, str]:
    """Return what keeps an action from a task, and the rule that says so; both empty when nothing does."""
    if task.state != TaskState.OPEN:
        return f"It is closed: {inboxes.closed_words(task)}.", ""
    if action == "comment":
        return "", ""
    me = visit.visitor().user_id
    mandates = eligibility.mandates_for(session, task, me, now=visit.now())
    if not mandates:
        return "It waits for others, not for you.", ""
    if action == "wake" and task.id not in inbox_asked.asleep(session):
        return "It is not put aside.", ""
    if action in ("snooze", "wake"):
        return "", ""
    held = {one.on_behalf_of for one in mandates}
    if task.assignee not in (None, me) and task.assignee not in held:
        return f"{wording.person_name(task.assignee)} claimed it.", ""
    if action == "reassign":
        return "", ""
    if batch_signing.step_key(task) != step:
        return f"It is of another step, {task.name}: only one step is decided at a time.", ""
    return _why_not_decided(session, task, key, action)


def _why_not_decided(session: Session, task: Task, key: str, verdict: str) -> tuple[str, str]:
    if verdict not in task.outcomes:
        return f"{task.name} does not offer to {verdict}.", ""
    mandates = eligibility.mandates_for(session, task, visit.visitor().user_id, now=visit.now())
    barring = reviews.bars(session, task, mandates) or eligibility.verdict_bars(
        session, task, verdict, visit.visitor().user_id
    )
    if barring:
        return barring[0].sentence, barring[0].rule
    return batch_signing.why_not(session, task, key), ""


def carry_out(versions: Mapping[str, int], order: Order) -> list[Outcome]:
    """Take an action on each task in an act of its own, and say of each what became of it.

    versions: task id to the version that the page showed. What one is refused touches no other.
    """
    work = _WORK.get(order.action, _decide)
    outcomes: list[Outcome] = []
    for task_id, version in versions.items():
        key = _key(visit.read_anew(), task_id)
        try:
            with visit.acting() as act:
                work(act, task_id, version, order)
        except Refused as refusal:
            outcomes.append(Outcome(task_id, key, refusal=refusal))
        else:
            outcomes.append(Outcome(task_id, key, DONE[order.action]))
    return outcomes


def carry_out_within(act: Act, versions: Mapping[str, int], order: Order) -> list[Outcome]:
    """Take an action on each task within one act that is committed whole; what one task is refused is taken back by itself.

    A refused attempt that is worth keeping is kept in the act. Raises: what refuses the signer, who could sign none of them.
    """
    work = _WORK.get(order.action, _decide)
    outcomes: list[Outcome] = []
    for task_id, version in versions.items():
        key = _key(act.session, task_id)
        # Whose task it is, and for whom one acts, is found anew for each.
        act.task_id = act.instance_id = act.on_behalf_of = None
        try:
            with act.attempt():
                work(act, task_id, version, order)
        except Refused as refusal:
            if refusal.code in batch_signing.STOPPING:
                raise
            if refusal.keep and refusal.record is not None:
                audit.keep(act, audit.Attempt(*refusal.record, code=refusal.code, message=refusal.message))
            outcomes.append(Outcome(task_id, key, refusal=refusal))
        else:
            outcomes.append(Outcome(task_id, key, DONE[order.action]))
    return outcomes


def sentence_of(refusal: Refused) -> str:
    """Return a refusal in one text, with the rule that it names."""
    if isinstance(refusal, RuleViolation):
        return " ".join(f"{found.sentence} ({found.rule})" for found in refusal.findings)
    return refusal.message


def _decide(act: Act, task_id: str, version: int, order: Order) -> None:
    task = tasks.find(act.session, task_id)
    variables = None
    if task.state == TaskState.OPEN and tasks.may_see(act.session, task, visit.visitor().user_id):
        form = reviews.form_of(act.session, task)
        variables = form.read({}, variables_of(act.session, task)) if form else None
        _refuse_unread(task, order)
    tasks.decide(
        act, task_id, order.action, seen_version=version, reason=order.reason, variables=variables,
        on_behalf_of=order.on_behalf_of, signature=order.signature if task.signature else None,
    )  # fmt: skip


def _refuse_unread(task: Task, order: Order) -> None:
    """Refuse a signature on what was not read as it stands. Raises: Forbidden NOT_OPENED."""
    if task.signature and order.signature is not None and order.contents.get(task.id) != task.record_hash:
        raise Forbidden(
            f"Expected the hash of the content of {task.record_number or task.business_key} as you read it, but it is missing or of"
            " another content; read the task again",
            code="NOT_OPENED", record=(task.record_type or "task", task.record_id or task.id), keep=True,
        )  # fmt: skip


def _reassign(act: Act, task_id: str, version: int, order: Order) -> None:
    given = assigning.hand_to(act, task_id, order.user_id, seen_version=version, reason=order.reason)
    if given.is_changing:
        return  # Whom it goes to is not said yet: a listener is asked first.
    giver = wording.person_name(act.user_id)
    key = f"given:{task_id}:{given.version}:{act.id}"
    tell(
        act,
        [order.user_id],
        f"{giver} gave you: {given.title}"[:200],
        key=key,
        body=order.reason,
        record=("task", task_id),
    )


def _snooze(act: Act, task_id: str, _version: int, order: Order) -> None:
    snooze.snooze(act, task_id, until=order.until, wakes_on=order.wakes_on)


def _wake(act: Act, task_id: str, _version: int, _order: Order) -> None:
    snooze.wake(act, task_id)


def _comment(act: Act, task_id: str, _version: int, order: Order) -> None:
    task = reviews.visible(act.session, task_id)
    about = (task.record_type or "task", task.record_id or task.id)
    talking.say(act, about, order.reason, number=task.record_number or task.title)


_WORK: Mapping[str, Callable[[Act, str, int, Order], Any]] = {
    "reassign": _reassign, "snooze": _snooze, "wake": _wake, "comment": _comment,
}  # fmt: skip


def takers(session: Session, chosen: Sequence[Choice]) -> list[tuple[str, str]]:
    """Return the people whom every one of some tasks may be given to, by name; what bars one of them is found out item by item."""
    directory, now = eligibility.directory_of(session), visit.now()
    by_set: dict[tuple[str, ...], dict[str, str]] = {}
    for one in chosen:
        principals = tuple(one.task.candidates)
        if principals not in by_set:
            by_set[principals] = {}
            for principal in principals:
                kind, _, name = principal.partition(":")
                person = directory.person(session, name) if kind == "user" else None
                found = [person] if person else directory.holders(session, principal, at=now) if kind == "role" else []
                by_set[principals] |= {held.id: held.name for held in found if held.is_active}
    everybody = list(by_set.values())
    common = [user_id for user_id in everybody[0] if all(user_id in one for one in everybody)] if everybody else []
    me = visit.visitor().user_id
    return sorted(((one, everybody[0][one]) for one in common if one != me), key=lambda pair: pair[1])


def _key(session: Session, task_id: str) -> str:
    task = session.get(Task, task_id) if is_id(task_id) else None
    if task is None or not tasks.may_see(session, task, visit.visitor().user_id):
        return "A task that is not yours"
    return task.record_number or task.business_key
