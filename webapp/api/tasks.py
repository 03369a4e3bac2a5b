"""Tasks of the calling person: the boxes, one task with its form, claim, release, decide, complete."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate

from engine import assigning, changing, eligibility, inbox, instances, tasks
from engine.act import Act
from engine.decisions import Decision
from engine.errors import Conflict
from engine.inbox import Narrowing
from engine.stored.task import Task, TaskState
from engine.task_variables import variables_of
from records.signing import signature_of
from webapp import inbox_asked, reviews
from webapp.api import bodies, callers, task_fields
from webapp.api.endpoints import reads, writes
from webapp.api.problems import Stale, finding_values
from webapp.api.shapes import Answer, Exact, Instant, Listed, Nothing, Request, Values, maybe, page_of, text, word
from webapp.api.signing import SignatureGiven, signature_given
from webapp.pages.review import LONGEST_REASON
from webapp.visit import let_go, now, reading, show_after, wait_sentence, written

SORTED = f"Fields, separated by commas; a minus before one turns it round: {', '.join(inbox.SORTS)}."
BOXES = ("mine", "groups", "deputising", "snoozed", "decided")


class TaskSummary(Answer):
    """A task in a box. is_changing: somebody changes whose it is, and a listener of the diagram is asked first."""

    id = fields.UUID()
    instance_id = fields.UUID()
    element_id = fields.String()
    flow = fields.String()
    name = fields.String()
    title = fields.String()
    state = word(TaskState)
    business_key = fields.String()
    assignee = maybe()
    lent_by = maybe()
    due_at = Instant(allow_none=True)
    follow_up_at = Instant(allow_none=True)
    priority = fields.Integer()
    amount = Exact(allow_none=True)
    party = maybe()
    project = maybe()
    record_type = maybe()
    record_id = maybe()
    record_number = maybe()
    record_hash = maybe()
    verdict = maybe()
    created_at = Instant()
    closed_at = Instant(allow_none=True)
    closed_by = maybe()
    is_changing = fields.Boolean()
    version = fields.Integer()


class TaskItem(TaskSummary):
    """A task of a page. on_behalf_of: the absent person one would act for."""

    on_behalf_of = maybe()


class FormAnswer(Answer):
    """The form of a task: a Camunda Form (form-js schema). Its fields are what ``variables`` of a decision may set."""

    id = fields.String()
    schema = fields.Raw(metadata={"type": "object", "additionalProperties": True})


class Bar(Answer):
    """What keeps the caller from deciding."""

    rule = fields.String()
    effect = fields.String()
    sentence = fields.String()
    record_type = fields.String()
    record_id = fields.String()
    field = fields.String()
    old = maybe()
    new = maybe()
    old_words = maybe()
    new_words = maybe()
    owner = fields.String()
    way_out = fields.String()
    judged_by = fields.String()
    row = fields.Integer(allow_none=True)


class TaskDetail(TaskSummary):
    """A task with its form.

    outcomes: the verdicts the caller may give, none when barred or closed; kept_back: those that wait for something else, such as a
    blocking comment, with why. signature: the meaning it must be signed with, or
    null. why_me: why it is in the caller's inbox. variables: what its form reads, only for who may take it. transition: what is_changing
    is about, in a sentence; until that is over nobody changes or decides it.
    """

    outcomes = fields.List(fields.String())
    signature = maybe()
    acting_for = fields.List(fields.String(allow_none=True))
    barred_by = fields.List(fields.Nested(Bar))
    kept_back = fields.Dict(keys=fields.String(), values=fields.List(fields.Nested(Bar)))
    why_me = fields.List(fields.String())
    wait = fields.String()
    notes = fields.List(fields.String())
    closed_why = maybe()
    transition = maybe()
    form = fields.Nested(FormAnswer, allow_none=True)
    variables = fields.Raw(metadata={"type": ["object", "null"], "additionalProperties": True})
    draft_reason = maybe()


class SignatureAnswer(Answer):
    """A signature as it is printed."""

    id = fields.UUID()
    printed_name = fields.String()
    printed_title = fields.String()
    meaning = fields.String()
    content_hash = fields.String()
    signed_at = Instant()
    method = fields.String()


class DecisionAnswer(Answer):
    """A decision that was recorded, and what the run waits for now."""

    id = fields.UUID()
    task_id = fields.UUID()
    instance_id = fields.UUID()
    verdict = fields.String()
    reason = fields.String()
    actor_id = fields.String()
    actor_name = fields.String()
    on_behalf_of_id = maybe()
    role = maybe()
    decided_at = Instant()
    record_hash = maybe()
    hash = fields.String()
    signature = fields.Nested(SignatureAnswer, allow_none=True)
    wait = fields.String()


class TaskQuery(Listed):
    """Which tasks. ``q`` as in the inbox: ``flow:requisition_to_po due<3d amount>5000 from:rita`` and free words."""

    box = word(BOXES, load_default="mine")
    sort = text(100, load_default="due", metadata={"description": SORTED})
    for_whom = text(60, load_default="", metadata={"description": "In the box `deputising`: whose tasks."})


class Verdict(Request):
    """A verdict. reason: needed for bad news; variables: what the task's form asks; signature: where the task wants one."""

    verdict = fields.String(required=True, validate=validate.Length(1, 100, error="Expected {min} to {max} characters"))
    reason = text(LONGEST_REASON, load_default="")
    on_behalf_of = text(60, load_default=None, allow_none=True)
    variables = Values(load_default=dict)
    signature = fields.Nested(SignatureGiven, load_default=None, allow_none=True)


class Completion(Request):
    """What the form of a task without verdicts asks."""

    variables = Values(load_default=dict)
    on_behalf_of = text(60, load_default=None, allow_none=True)


TaskPage = page_of(TaskItem, "TaskPage")
SUMMARY = tuple(TaskSummary().fields)
DECIDED = tuple(name for name in DecisionAnswer().fields if name not in ("signature", "wait"))


@reads(
    "/tasks",
    scope="tasks:read",
    summary="List a box of the caller's inbox",
    query=TaskQuery,
    answer=TaskPage,
    person=True,
)
def list_tasks(*, box: str, q: str, sort: str, after: str, limit: int, for_whom: str) -> Any:
    """Page by key; ``decided`` is the newest first. What the caller put aside stands in ``snoozed`` alone."""
    aside = list(inbox_asked.asleep(reading()))
    narrowed = Narrowing(only=aside) if box == "snoozed" else Narrowing(hidden=aside, for_whom=for_whom or None)
    found = inbox.page(
        reading(),
        callers.need_person(),
        box=box,
        query=q,
        sort=sort,
        after=after or None,
        limit=limit,
        narrowed=narrowed,
    )
    items = [
        {name: getattr(one.task, name) for name in SUMMARY} | {"on_behalf_of": one.on_behalf_of}
        for one in found.items
        if one.task is not None
    ]
    return {"items": items, "next": found.next}


def tag_of(task: Any) -> str:
    """Return the ETag of a task."""
    return str(task["version"])


def show_task(task_id: str) -> dict[str, Any]:
    """Return a task as the caller sees it."""
    session, me = reading(), callers.need_person()
    task = reviews.visible(session, task_id)
    mandates = eligibility.mandates_for(session, task, me, now=now())
    is_open = task.state == TaskState.OPEN
    barring = reviews.bars(session, task, mandates) if is_open else []
    may_take = is_open and bool(mandates)
    kept_back = {word: eligibility.verdict_bars(session, task, word, me) for word in task.outcomes} if may_take else {}
    draft = tasks.draft_of(session, task.id, me)
    return {name: getattr(task, name) for name in SUMMARY} | {
        "outcomes": [word for word in task.outcomes if not kept_back[word]]
        if may_take and not (barring or task.is_changing)
        else [],
        "signature": task.signature,
        "acting_for": list(dict.fromkeys(mandate.on_behalf_of for mandate in mandates)),
        "barred_by": [finding_values(finding) for finding in barring],
        "kept_back": {
            word: [finding_values(finding) for finding in found] for word, found in kept_back.items() if found
        },
        "why_me": [reason.sentence for reason in eligibility.why_me(session, task, me, now=now())],
        "wait": instances.wait_sentence(session, instances.find(session, task.instance_id)),
        "notes": task.notes,
        "closed_why": task.closed_why,
        "transition": changing.sentence(session, task) if task.is_changing else None,
        "form": _form(task),
        "variables": variables_of(session, task) if may_take else None,
        "draft_reason": draft.reason if draft is not None else None,
    }


def _form(task: Task) -> dict[str, Any] | None:
    form = tasks.form_of(reading(), task)
    return {"id": form.id, "schema": form.schema} if form is not None else None


@reads(
    "/tasks/<task_id>",
    scope="tasks:read",
    summary="Get a task with its form",
    answer=TaskDetail,
    etag=tag_of,
    person=True,
)
def get_task(task_id: str) -> dict[str, Any]:
    """Show a task that the caller may know of; any other one is not there."""
    return show_task(task_id)


@writes(
    "POST", "/tasks/<task_id>/claim", scope="tasks:decide", summary="Take a task out of the group's inboxes", body=Nothing,
    answer=TaskDetail, render=show_task, etag=tag_of, match=True, person=True,
)  # fmt: skip
def claim_task(act: Act, _body: dict[str, Any], task_id: str) -> str:
    """Claim it for the caller; where a listener of the diagram is asked first, the answer says so and it is not the caller's yet."""
    seen = bodies.seen_version()
    with Precondition():
        return assigning.claim(act, task_id, seen_version=seen).id


@writes(
    "POST", "/tasks/<task_id>/release", scope="tasks:decide", summary="Give a claimed task back to its group",
    body=Nothing, answer=TaskDetail, render=show_task, etag=tag_of, match=True, person=True,
)  # fmt: skip
def release_task(act: Act, _body: dict[str, Any], task_id: str) -> str:
    """Release it."""
    bodies.seen_tag(str(reviews.visible(act.session, task_id).version))
    return assigning.release(act, task_id).id


def show_decision(decision_id: str) -> dict[str, Any]:
    """Return a decision with its signature, and what the run waits for now."""
    decision = written(Decision, decision_id)
    return {name: getattr(decision, name) for name in DECIDED} | {
        "signature": signature_of(reading(), decision.id) if decision.meaning is not None else None,
        "wait": wait_sentence(decision.instance_id),
    }


@writes(
    "POST", "/tasks/<task_id>/decision", scope="tasks:decide", summary="Decide a task, signed where its diagram asks for it",
    body=Verdict, answer=DecisionAnswer, render=show_decision, match=True, person=True,
)  # fmt: skip
def decide_task(act: Act, body: dict[str, Any], task_id: str) -> str:
    """Record the caller's verdict. A step that wants a signature answers 403 without one; a task of somebody else 404."""
    seen = bodies.seen_version()
    variables = _variables(task_id, body)
    with Precondition():
        decision = tasks.decide(
            act, task_id, body["verdict"], seen_version=seen, reason=body["reason"], variables=variables,
            on_behalf_of=body["on_behalf_of"] or None, signature=signature_given(body["signature"]) if body["signature"] else None,
        )  # fmt: skip
    show_after(act, instances.find(act.session, decision.instance_id), decision)
    return decision.id


@writes(
    "POST", "/tasks/<task_id>/completion", scope="tasks:decide", summary="Complete a task that asks for no verdict",
    body=Completion, answer=TaskDetail, render=show_task, etag=tag_of, match=True, person=True,
)  # fmt: skip
def complete_task(act: Act, body: dict[str, Any], task_id: str) -> str:
    """Complete it with what its form asks."""
    seen = bodies.seen_version()
    variables = _variables(task_id, body)
    with Precondition():
        return tasks.complete(act, task_id, variables, seen_version=seen, on_behalf_of=body["on_behalf_of"] or None).id


class Precondition:
    """Say 412 where the version that the caller saw is not the present one; the text is kept as a draft all the same."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, Conflict) and error.code == "STALE_VERSION":
            raise Stale(error.message, record=error.record, keep=error.keep) from error


def _variables(task_id: str, body: dict[str, Any]) -> dict[str, Any] | None:
    """Read the form of an open task; a closed one is the engine's to refuse, so that it can say who was faster.

    Reading ends with it: the act goes on with the connection, which knows the pages that it is about to write.
    """
    task = reviews.visible(reading(), task_id)
    found = task_fields.read(task, body["variables"]) if task.state == TaskState.OPEN else None
    let_go()
    return found
