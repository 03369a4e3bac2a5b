"""Signing several tasks at once, honestly: each was opened by the signer as it stands, each is an act and a signature of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine import eligibility, inbox, tasks
from engine.database import is_id
from engine.errors import Conflict, Forbidden, Invalid, Refused
from engine.inbox import Narrowing
from engine.ports import SignatureRequest
from engine.stored.task import Task, TaskState
from engine.task_variables import variables_of
from records.company_sign_in import METHOD
from records.signature import Signature
from records.signing import signature_of
from records.stepping_up import Subject
from records.viewing import seen_versions
from webapp import dossiers, inbox_asked, reviews, visit
from webapp.form_schema import SHOWN
from webapp.signing_form import meanings_for
from webapp.stepping_up import SteppingUp

VERDICTS = ("approve", "reject", "return")
"""What may be said of several at once: a question or a condition is about one thing."""

STOPPING = frozenset(
    {"WRONG_PASSWORD", "LOCKED", "PASSWORD_DUE", "BOTH_COMPONENTS_NEEDED", "CERTIFICATION_MISSING", "NOT_YOUR_SESSION"}
)
"""Refusals of the signer, not of one item: the next one would only be refused, and counted, again."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One task that could be signed with others. why_not: what stands in the way, empty when nothing does.

    kept_back: what keeps it from being approved alone; it may still be rejected or returned.
    """

    task: Task
    key: str
    title: str
    version: int | None
    seen: int | None
    why_not: str = ""
    currency: str = ""
    kept_back: str = ""

    @property
    def is_opened(self) -> bool:
        """Whether the visitor opened it as it stands now."""
        return self.version is not None and self.seen is not None and self.seen >= self.version


@dataclass(frozen=True, slots=True)
class Step:
    """Tasks of one step, which alone may be decided together."""

    key: str
    words: str
    choices: Sequence[Choice]
    verdicts: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one item: the signature's id, or the refusal."""

    key: str
    task_id: str
    signature_id: str = ""
    refusal: str = ""


def steps(session: Session, only: Sequence[str] = ()) -> list[Step]:
    """Return the steps of which tasks wait for the visitor's signature, with those tasks, in the order of the inbox.

    only: ids of the tasks to choose among; without any, what the first page of each box shows.
    """
    found: dict[str, list[Choice]] = {}
    words: dict[str, Task] = {}
    for task in _chosen(session, only) if only else _waiting(session):
        if not task.signature or not set(task.outcomes) & set(VERDICTS):
            continue
        key = step_key(task)
        words.setdefault(key, task)
        if task.id not in {one.task.id for one in found.get(key, ())}:
            found.setdefault(key, []).append(_choice(session, task))
    return [
        Step(key, words[key].name, chosen, [(one, reviews.verdict_words(one)) for one in VERDICTS if one in words[key].outcomes])
        for key, chosen in found.items()
    ]  # fmt: skip


def step_key(task: Task) -> str:
    """Return the key of the step that a task is one of."""
    return f"{task.process_id}.{task.element_id}"


def _waiting(session: Session) -> Iterator[Task]:
    narrowed = Narrowing(hidden=list(inbox_asked.asleep(session)))
    for box in ("mine", "groups"):
        found = inbox.page(session, visit.visitor().user_id, box=box, narrowed=narrowed)
        yield from (item.task for item in found.items if item.task is not None)


def _chosen(session: Session, ids: Sequence[str]) -> list[Task]:
    """Return the open tasks of these that the visitor may take, in the order in which they were chosen."""
    known = {task.id: task for task in session.scalars(select(Task).where(Task.id.in_(ids)))}
    me, now = visit.visitor().user_id, visit.now()
    mine = (known[one] for one in ids if one in known and known[one].state == TaskState.OPEN)
    return [task for task in mine if eligibility.mandates_for(session, task, me, now=now)]


def meanings_of(session: Session, step: Step) -> list[tuple[str, str]]:
    """Return every meaning that one of the verdicts on one of these tasks may have, as the visitor's roles allow."""
    found: dict[str, str] = {}
    for choice in step.choices:
        for verdict, _ in step.verdicts:
            found |= dict(meanings_for(session, choice.task, verdict))
    return list(found.items())


def sign_each(
    versions: Mapping[str, int], verdict: str, request: SignatureRequest, *, reason: str = ""
) -> list[Outcome]:
    """Decide and sign each task in an act of its own, and say of each what became of it.

    versions: task id to the version that the page showed. What refuses the signer ends the row: nothing further is tried.
    Raises: that refusal, when nothing was signed before it; Invalid for a verdict that is not said of several.
    """
    if verdict not in VERDICTS:
        raise Invalid(
            f"Expected {', '.join(VERDICTS)} for several at once, but found {verdict!r:.20}", {"verdict": "choose one"}
        )
    subjects = _subjects(versions) if request.method == METHOD and not request.proof else []
    if subjects:
        raise SteppingUp(subjects)
    outcomes: list[Outcome] = []
    stopped = ""
    for task_id, version in versions.items():
        key = _key(visit.reading(), task_id)
        if stopped:
            outcomes.append(Outcome(key, task_id, refusal=f"Not tried. {stopped}"))
            continue
        try:
            outcomes.append(Outcome(key, task_id, _sign_one(task_id, version, verdict, request, reason)))
        except Refused as refusal:
            if refusal.code in STOPPING:
                if not any(one.signature_id for one in outcomes):
                    raise
                stopped = refusal.message
            outcomes.append(Outcome(key, task_id, refusal=refusal.message))
    return outcomes


def _subjects(task_ids: Iterable[str]) -> list[Subject]:
    """Return what the chosen tasks would have signed: one sign-in at the company proves them all."""
    session, me = visit.reading(), visit.visitor().user_id
    found = (session.get(Task, task_id) for task_id in task_ids)
    return [
        (task.record_type, task.record_id, task.record_hash)
        for task in found
        if task is not None
        and tasks.may_see(session, task, me)
        and task.record_type
        and task.record_id
        and task.record_hash
    ]


def _sign_one(task_id: str, version: int, verdict: str, request: SignatureRequest, reason: str) -> str:
    with visit.acting() as act:
        task = tasks.find(act.session, task_id)
        variables = None
        if task.state == TaskState.OPEN and tasks.may_see(act.session, task, visit.visitor().user_id):
            _refuse_unopened(act.session, task)
            form = reviews.form_of(act.session, task)
            variables = form.read({}, variables_of(act.session, task)) if form else None
        # A task that is closed, or not the visitor's any more, is the engine's to refuse: it knows who was faster.
        decision = tasks.decide(
            act, task_id, verdict, seen_version=version, reason=reason, variables=variables, signature=request
        )
        signature = signature_of(act.session, decision.id)
        if signature is None:
            raise Conflict(f"Expected {task.title} to be signed, but its step asks for no signature")
        return signature.id


def _refuse_unopened(session: Session, task: Task) -> None:
    choice = _choice(session, task)
    if not choice.is_opened:
        was = f"you saw version {choice.seen}" if choice.seen is not None else "you never opened it"
        raise Forbidden(
            f"Expected you to have opened {choice.key} in its version {choice.version} before you sign it, but {was}",
            code="NOT_OPENED", record=(task.record_type or "task", task.record_id or task.id), keep=True,
        )  # fmt: skip
    if choice.why_not:
        raise Conflict(choice.why_not)


def _choice(session: Session, task: Task) -> Choice:
    record = dossiers.find(session, task.record_type, task.record_id)
    me = visit.visitor().user_id
    key, title = task.record_number or task.business_key, task.title
    if record is None:
        return Choice(task, key, title, None, None, f"Expected {key} to be about a document, but it is about none")
    seen = seen_versions(session, me, record.record_type, [record.id]).get(record.id)
    barring = eligibility.verdict_bars(session, task, "approve", me) if "approve" in task.outcomes else ()
    return Choice(
        task, key, title, record.version, seen, why_not(session, task, key), getattr(record, "currency", ""),
        kept_back=" ".join(f"{one.sentence} {one.way_out}" for one in barring),
    )  # fmt: skip


def signatures_of(session: Session, outcomes: Sequence[Outcome]) -> dict[str, Signature]:
    """Return the signatures that were made, by id."""
    return {one.signature_id: session.get_one(Signature, one.signature_id) for one in outcomes if one.signature_id}


def why_not(session: Session, task: Task, key: str) -> str:
    """Return what stands in the way of deciding a task together with others, empty when nothing does."""
    me, now = visit.visitor().user_id, visit.now()
    mandates = eligibility.mandates_for(session, task, me, now=now)
    if len({one.on_behalf_of for one in mandates if one.on_behalf_of}) > 1:
        return f"Expected to know for whom you sign {key}, but it may be several people; open it"
    barring = reviews.bars(session, task, mandates)
    if barring:
        return barring[0].sentence
    form = reviews.form_of(session, task)
    if form is not None and any(field.kind not in SHOWN for field in form.show(variables_of(session, task), None)):
        return f"Expected {key} to need a verdict only, but its form asks for more; open it"
    return ""


def _key(session: Session, task_id: str) -> str:
    task = session.get(Task, task_id) if is_id(task_id) else None
    if task is None or not tasks.may_see(session, task, visit.visitor().user_id):
        return "A task that is not yours"
    return task.record_number or task.business_key
