"""Open a person's task: from what the diagram says about it to a row in somebody's inbox."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, update

from dmn import text_of, to_python
from engine import bulk, counters, dialect, eligibility, quorum, rows, vocabulary
from engine.database import LIMIT, new_id
from engine.prepared import Prepared
from engine.spiff import Flow
from engine.spiff.elements import ElementInfo
from engine.spiff.extensions import Expr
from engine.spiff.host import Host, Incident, Wait
from engine.spiff.timers import NoTime, schedule
from engine.stored.instance import Instance
from engine.stored.task import KEY, NEVER, NO_AMOUNT, Task, TaskCandidate, TaskState

if TYPE_CHECKING:
    from engine.act import Act

DEFAULT_PRIORITY = 50
MOST_PRIORITY = 1_000_000
MOST_TEXT = 500
"""Characters of a title, a party or a project; the variable that it was made from keeps them all."""

_DIGITS = re.compile(r"-?\d{1,9}", re.ASCII)

_LATER = (
    "assignee", "lent_by", "candidates", "set_id", "slot", "body_scope", "quorum_scope",
    "closed_at", "closed_by", "closed_why", "closed_code", "verdict",
)  # fmt: skip
"""Columns of a task that are filled after its row was made."""

_GONE = Prepared(delete(TaskCandidate).where(TaskCandidate.task_id == bindparam("gone")))
_RENEWED = Prepared(
    update(TaskCandidate).where(TaskCandidate.task_id == bindparam("of")).values(words=bindparam("said"))
)


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the expressions of one element as its token sees the variables. Every method raises Incident."""

    element: ElementInfo
    variables: Mapping[str, Any]
    host: Host

    def property(self, name: str) -> Any:
        """Return a property's FEEL value, None when it is not set."""
        return dialect.property_value(self.element, name, self.variables, self.host)

    def text(self, name: str) -> str | None:
        """Return a property as text, None when it is not set or null; what no row can show or sort by is cut off."""
        value = self.property(name)
        if value is None:
            return None
        text = text_of(value).replace("\0", "")
        return text if len(text) <= MOST_TEXT else f"{text[: MOST_TEXT - 1]}…"

    def value(self, expression: Expr | None) -> Any:
        """Return an expression's FEEL value, None when there is no expression."""
        return None if expression is None else expression.value(self.variables, self.host)

    def instant(self, expression: Expr | None) -> dt.datetime | None:
        """Return the instant an expression names."""
        value = self.value(expression)
        if value is None:
            return None
        try:
            return schedule("date", value, self.host.now).due
        except NoTime as error:
            raise Incident(f"{error} (in the task schedule)") from error

    def amount(self) -> Decimal | None:
        """Return the property ``amount``, rounded to four decimals for sorting."""
        value = self.property(dialect.AMOUNT)
        if not isinstance(value, Decimal) or abs(value) >= LIMIT:
            return None
        return value.quantize(Decimal("0.0001"), ROUND_HALF_EVEN)


def open_task(act: Act, instance: Instance, flow: Flow, wait: Wait, element: ElementInfo) -> Task:
    """Make the row of a task that a flow waits for, with its candidates. Raises.

    Incident when the diagram cannot say whose.
    """
    reader = Reader(element, flow.variables_view(wait.token_id), flow.host)
    candidates, assignee = _candidates(reader)
    task = _row(act, instance, wait, reader)
    if corrections := flow.corrections(wait.token_id):
        task.candidates, task.assignee = candidates, assignee
        correct(task, corrections)
        task.notes = [corrections["note"]] if "note" in corrections else []
        candidates, assignee = task.candidates, task.assignee
    task.assignee = assignee if assignee is None or _is_here(act, assignee, candidates) else None
    task.candidates = candidates
    _place_in_quorum(instance, flow, wait, task)
    task.set_id = counters.candidate_set(act, claimable(task))
    vocabulary.learn(act, task)
    act.session.add(task)
    write_candidates(act, task)
    counters.add(act, task.set_id, task.flow, 1)
    act.note("instance", instance.id, "TASK_OPENED", field=element.id, new=task.title, subject=task.id)
    return task


def _row(act: Act, instance: Instance, wait: Wait, reader: Reader) -> Task:
    element, spec = reader.element, reader.element.user_task
    record = to_python(reader.property(dialect.RECORD))
    about: Mapping[str, Any] = record if isinstance(record, Mapping) else {}
    priority = reader.value(spec.priority) if spec else None
    form_id = reader.value(spec.form_id) if spec else None
    return rows.make(
        Task,
        {
            "id": new_id(),
            "instance_id": instance.id,
            "token_id": wait.token_id,
            "element_id": element.id,
            "process_id": element.process_id,
            "name": element.name or element.id,
            "title": reader.text(dialect.TITLE) or element.name or element.id,
            "state": TaskState.OPEN,
            "outcomes": dialect.outcomes_of(element),
            "signature": reader.text(dialect.SIGNATURE),
            "form_id": None if form_id is None else str(form_id),
            "due_at": reader.instant(spec.due_date) if spec else None,
            "follow_up_at": reader.instant(spec.follow_up_date) if spec else None,
            "priority": _priority(priority),
            "amount": reader.amount(),
            "party": reader.text(dialect.PARTY),
            "project": reader.text(dialect.PROJECT),
            "business_key": instance.business_key,
            "flow": instance.process_id,
            "record_type": _text(about.get("type")),
            "record_id": _text(about.get("id")),
            "record_number": _text(about.get("number")),
            "record_hash": _text(about.get("hash")),
            "excludes": dialect.words_of(reader.property(dialect.EXCLUDES)),
            "former": [],
            "notes": [],
            "deadline_policy": element.properties.get(dialect.DEADLINE_POLICY) or dialect.POLICIES[0],
            "role": reader.text(dialect.ROLE),
            "rule_row": reader.text(dialect.RULE_ROW),
            "round": 1,
            "transition": {},
            "created_at": act.now,
            **dict.fromkeys(_LATER),
        },
    )


def _text(value: Any) -> str | None:
    return None if value is None else str(value).replace("\0", "")


def _priority(value: Any) -> int:
    """Return a priority; what is no number has the usual one, and one beyond all others is the highest or lowest there is."""
    if not (isinstance(value, Decimal) or (isinstance(value, str) and _DIGITS.fullmatch(value.strip()))):
        return DEFAULT_PRIORITY
    return max(-MOST_PRIORITY, min(MOST_PRIORITY, int(Decimal(value))))


def _candidates(reader: Reader) -> tuple[list[str], str | None]:
    spec = reader.element.user_task
    if spec is None:
        return [], None
    users = [principal("user", word) for word in dialect.words_of(reader.value(spec.candidate_users))]
    groups = [principal("role", word) for word in dialect.words_of(reader.value(spec.candidate_groups))]
    named = dialect.words_of(reader.value(spec.assignee))
    assignee = named[0].removeprefix("user:") if named else None
    own = [principal("user", assignee)] if assignee else []
    return list(dict.fromkeys([*own, *users, *groups])), assignee


def facts_of(reader: Reader) -> dict[str, Any]:
    """Return what the diagram says of a task that begins, as its listeners are told it (``engine.spiff.verdicts``). Raises: Incident."""
    candidates, assignee = _candidates(reader)
    spec = reader.element.user_task
    own = [] if assignee is None else [principal("user", assignee)]
    return {
        "assignee": assignee,
        **_by_kind([name for name in candidates if name not in own]),
        "dueDate": _iso(reader.instant(spec.due_date) if spec else None),
        "followUpDate": _iso(reader.instant(spec.follow_up_date) if spec else None),
        "priority": _priority(reader.value(spec.priority) if spec else None),
    }


def facts(task: Task, *, assignee: str | None, candidates: Sequence[str]) -> dict[str, Any]:
    """Return what an open task says, as its listeners are told it, if it is theirs."""
    return {
        "assignee": assignee,
        **_by_kind(candidates),
        "dueDate": _iso(task.due_at),
        "followUpDate": _iso(task.follow_up_at),
        "priority": task.priority,
    }


def correct(task: Task, said: Mapping[str, Any]) -> None:
    """Let a task say what its listeners corrected: some of what ``facts`` returns. Whoever it is given to may take it."""
    kinds = {"candidateUsers": "user", "candidateGroups": "role"}
    for name, kind in kinds.items():
        if name in said:
            others = [one for one in task.candidates if not one.startswith(f"{kind}:")]
            task.candidates = list(dict.fromkeys([*others, *(principal(kind, word) for word in said[name])]))
    if "assignee" in said:
        task.assignee = said["assignee"]
        if task.assignee is not None:
            task.candidates = list(dict.fromkeys([*task.candidates, principal("user", task.assignee)]))
    if "dueDate" in said:
        task.due_at = _instant(said["dueDate"])
    if "followUpDate" in said:
        task.follow_up_at = _instant(said["followUpDate"])
    if "priority" in said:
        task.priority = said["priority"]


def _by_kind(candidates: Sequence[str]) -> dict[str, list[str]]:
    users, groups = (
        [name.partition(":")[2] for name in candidates if name.startswith(kind)] for kind in ("user:", "role:")
    )
    return {"candidateUsers": users, "candidateGroups": groups}


def _iso(at: dt.datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _instant(text: str | None) -> dt.datetime | None:
    return None if text is None else dt.datetime.fromisoformat(text)


def _is_here(act: Act, assignee: str, candidates: Sequence[str]) -> bool:
    """Whether a person that the diagram names may be given the task; one who left leaves it to the other candidates."""
    if len(candidates) < 2:
        return True
    person = eligibility.directory_of(act.session).person(act.session, assignee)
    return person is None or person.is_active


def principal(kind: str, word: str) -> str:
    """Return a principal from a name or a group, or from what is one already."""
    return word if word.startswith(("user:", "role:")) else f"{kind}:{word}"


def _place_in_quorum(instance: Instance, flow: Flow, wait: Wait, task: Task) -> None:
    """Say which vote of which body this task is.

    A fresh body starts with an open verdict and counts as a new round.
    """
    body = flow.body_scope(wait.token_id, having=dialect.QUORUM)
    task.quorum_scope = body
    task.slot = slot_of(flow, wait.token_id, body) if body is not None else None
    known = instance.rounds.get(task.element_id)
    enclosing = flow.body_scope(wait.token_id)
    task.body_scope = enclosing
    if known is None or enclosing is None or known[1] != enclosing:
        task.round = (known[0] if known else 0) + 1
        instance.rounds = {**instance.rounds, task.element_id: [task.round, enclosing]}
    else:
        task.round = known[0]
    if body is not None and not flow.scopes.has(body, "tally"):
        tally = quorum.Tally(flow.instances(body).total, {}, None)
        flow.set_variable(body, "tally", tally.as_variable())
        flow.set_variable(body, "verdict", None)


def slot_of(flow: Flow, token_id: int, body: int) -> int:
    """Return the index from 0 of the inner instance of a body that a token is, or is inside of."""
    token: Any = flow.live[token_id]
    while token.body is None or token.body.id != body:
        token = token.body if token.body is not None else token.workflow.owner
    return int(token.internal_data.get("index", 0))


def claimable(task: Task) -> list[str]:
    """Return the principals in whose inboxes a task stands: the assignee's alone once it is claimed."""
    return [f"user:{task.assignee}"] if task.assignee else list(task.candidates)


def words_of(task: Task) -> str:
    """Return what free text finds a task by, in lower case: its keys, title, party, project and step."""
    keys = [f"{KEY}{key}" for key in dict.fromkeys((task.business_key, task.record_number)) if key]
    said = dict.fromkeys((task.title, task.party, task.project, task.name))
    return "\n".join([*keys, *(word for word in said if word)]).lower()


def write_candidates(act: Act, task: Task) -> None:
    """Write the candidate rows of an open task."""
    words = words_of(task)
    places = [
        {
            "principal": name,
            "task_id": task.id,
            "due_at": task.due_at or NEVER,
            "priority": task.priority,
            "created_at": task.created_at,
            "amount": NO_AMOUNT if task.amount is None else task.amount,
            "party": task.party or "",
            "project": task.project or "",
            "flow": task.flow,
            "business_key": task.business_key,
            "words": words,
        }
        for name in claimable(task)
    ]
    bulk.add(act, TaskCandidate, places)


def renew_words(act: Act, task: Task) -> None:
    """Let an open task be found by what it says now."""
    act.session.flush()
    bulk.write(act.session)  # What an earlier hand-over of this act queued is renewed, too.
    _RENEWED.run(act.session, [{"of": task.id, "said": words_of(task)}])


def remove_candidates(act: Act, tasks: Sequence[Task]) -> None:
    """Take tasks out of every inbox and off the counters."""
    _GONE.run(act.session, [{"gone": task.id} for task in tasks])
    for task in tasks:
        if task.set_id is not None:
            counters.add(act, task.set_id, task.flow, -1)


def hand_over(act: Act, task: Task) -> None:
    """Put an open task into the inboxes of its present candidates or assignee, and out of all others."""
    act.session.flush()
    bulk.write(act.session)  # What an earlier hand-over of this act queued stands there, too, before it is removed.
    remove_candidates(act, [task])
    task.set_id = counters.candidate_set(act, claimable(task))
    write_candidates(act, task)
    counters.add(act, task.set_id, task.flow, 1)


def trouble(act: Act, task: Task) -> str | None:
    """Note on a task who was skipped and why.

    Return in words why nobody at all may take it, None when somebody may.
    """
    if not task.candidates:
        return f'Expected "{task.name}" to say whose task it is, but it names no user and no group'
    # A question about people must not write the half-made task early: that would cost every act a second round.
    with act.session.no_autoflush:
        people, notes = eligibility.eligible(act.session, task, task.candidates, now=act.now)
    if notes != task.notes:
        task.notes = list(dict.fromkeys([*task.notes, *notes]))
    if people:
        return None
    names = ", ".join(task.candidates)
    why = f": {' '.join(notes)}" if notes else ""
    return f'Expected somebody who may take "{task.name}" among {names}, but there is nobody{why}'
