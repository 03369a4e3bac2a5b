"""The impact of a change order over REST: read the grid, compute, freeze, decide about a row whole or divided."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate

from engine.act import Act
from engine.errors import Invalid
from processes import change_tasks, impact
from processes.impact import Share
from processes.impact_grid import Wanted, page_of, sums_by_kind, together
from processes.impact_parents import uses_of
from records.change_task import HoldEffect, TaskKind, TaskStatus, tasks_of
from records.impact import (
    AssessmentAnswer,
    AssessmentArea,
    Disposition,
    ImpactTarget,
    PieceState,
    RowStatus,
    newest_snapshot,
)
from records.work_order import WorkOrderStatus
from webapp import impact_panel
from webapp.api.endpoints import reads, writes
from webapp.api.shapes import Answer, Exact, Instant, Nothing, Request, maybe, text, word
from webapp.pages import changes, impacts, orders
from webapp.visit import now, reading

LIMIT = 500
"""Rows in one answer."""

EVERYTHING = Wanted()


class ShareAnswer(Answer):
    """What becomes of some pieces of a row. cost: in the row's currency."""

    disposition = word(Disposition)
    quantity = Exact()
    owner = fields.String()
    due_on = fields.Date(allow_none=True)
    cost = Exact()
    cost_kind = fields.String()
    reason = fields.String()
    evidence = fields.String()
    status = word(RowStatus)


class RowAnswer(Answer):
    """Pieces in one place and state. is_counted: false where the same pieces stand in another row."""

    id = fields.UUID()
    target = word(ImpactTarget)
    target_id = fields.UUID()
    native_ref = fields.String()
    item = fields.String()
    state = word(PieceState)
    place = fields.String()
    quantity = Exact()
    uom = fields.String()
    is_counted = fields.Boolean()
    status = word(RowStatus)
    owner = fields.String()
    currency = fields.String()
    dispositions = fields.List(fields.Nested(ShareAnswer))


class UseAnswer(Answer):
    """An open work order that takes an affected part. item: as its standard asks for it."""

    work_order_id = fields.UUID()
    number = fields.String()
    makes = fields.String()
    status = word(WorkOrderStatus)
    item = fields.String()
    quantity = Exact()
    uom = fields.String()


class ImpactAnswer(Answer):
    """The newest set. totals: quantity by unit; cost: by kind and together; problems: what the board would miss; count: of rows that fit.

    used_in: the first open work orders that take an affected part, for information. next: for `after`, null on the last page.
    """

    number = maybe()
    queried_at = Instant(allow_none=True)
    frozen_at = Instant(allow_none=True)
    content_hash = maybe()
    missing = fields.String()
    totals = fields.Dict(keys=fields.String(), values=Exact())
    cost = fields.Dict(keys=fields.String(), values=Exact())
    problems = fields.List(fields.String())
    count = fields.Integer()
    used_in = fields.List(fields.Nested(UseAnswer))
    items = fields.List(fields.Nested(RowAnswer))
    next = maybe()


class ShareGiven(Request):
    """What becomes of some pieces; without a quantity, of all of them. owner: `role:BUYER` or `user:bea`."""

    disposition = word(Disposition, required=True)
    quantity = Exact(allow_none=True, load_default=None)
    owner = text(60, load_default="")
    due_on = fields.Date(allow_none=True, load_default=None)
    cost = Exact(allow_none=True, load_default=None)
    reason = text(4000, load_default="")
    evidence = text(4000, load_default="")


class ImpactSharesGiven(Request):
    """Shares that add up to the row's quantity."""

    shares = fields.List(fields.Nested(ShareGiven), required=True)


class RowsGiven(ShareGiven):
    """The same word for all pieces of several rows, all of them or none. rows: their ids."""

    rows = fields.List(fields.UUID(), required=True, validate=validate.Length(1, impact_panel.MOST_AT_ONCE))


class ImpactQuery(Request):
    """Which rows are asked for. q: in the document's number, item or place; owner: a principal."""

    q = text(100, load_default="")
    target = word(ImpactTarget, load_default="")
    status = word(RowStatus, load_default="")
    owner = text(60, load_default="")
    after = fields.Integer(
        load_default=0, validate=validate.Range(0, 10_000_000), metadata={"description": "`next` of the page before."}
    )
    limit = fields.Integer(
        load_default=LIMIT, validate=validate.Range(1, LIMIT), metadata={"description": "How many at most."}
    )


class AssessmentGiven(Request):
    """What an area says. text: required unless there is no impact."""

    area = word(AssessmentArea, required=True)
    answer = word(AssessmentAnswer, required=True)
    text = text(4000, load_default="")


class TaskAnswer(Answer):
    """A step of implementation. is_ours: Lockstep carries it out; else its owner shows evidence. failure: why it could not be done."""

    id = fields.UUID()
    position = fields.Integer()
    kind = word(TaskKind)
    words = fields.String()
    status = word(TaskStatus)
    owner = fields.String()
    due_on = fields.Date(allow_none=True)
    is_ours = fields.Boolean()
    is_mandatory = fields.Boolean()
    target_type = fields.String()
    target_id = fields.UUID()
    target_ref = fields.String()
    inverse_words = fields.String()
    failure = fields.String()
    evidence = fields.String()
    evidence_hash = maybe()
    done_at = Instant(allow_none=True)
    done_by = fields.String()
    done_ref = fields.String()


class MarkAnswer(Answer):
    """CHANGE_PENDING on a record: what the change waits to be carried out on, and whether it warns or blocks."""

    about_type = fields.String()
    about_id = fields.UUID()
    about_ref = fields.String()
    effect = word(HoldEffect)
    reason = fields.String()
    placed_at = Instant()


class TasksAnswer(Answer):
    """The tasks of an approved change in their order, and the marks that wait for it."""

    items = fields.List(fields.Nested(TaskAnswer))
    marks = fields.List(fields.Nested(MarkAnswer))


class EvidenceGiven(Request):
    """What proves that a person's task is done."""

    evidence = text(4000, load_default="")


def _shown(record_id: str, wanted: Wanted = EVERYTHING, *, after: int = 0, limit: int = LIMIT) -> dict[str, Any]:
    session = reading()
    order = changes.find(session, record_id)
    snapshot = newest_snapshot(session, order)
    head: dict[str, Any] = {
        "used_in": uses_of(session, order).found,
        "cost": impact.cost_of(session, order),
        "problems": impact.problems_of(session, order, now=now()),
    }
    if snapshot is None:
        nothing = dict.fromkeys(("number", "queried_at", "frozen_at", "content_hash", "next"))
        return head | nothing | {"missing": "", "totals": {}, "count": 0, "items": []}
    page = page_of(session, snapshot, wanted, start=after, size=limit)
    return head | {
        "number": snapshot.number, "queried_at": snapshot.queried_at, "frozen_at": snapshot.frozen_at,
        "content_hash": snapshot.content_hash, "missing": snapshot.missing, "items": page.rows, "count": page.count,
        "totals": dict(together(sums_by_kind(session, snapshot, Wanted())).pieces),
        "next": None if page.next is None else str(page.next),
    }  # fmt: skip


def _tasks(record_id: str) -> dict[str, Any]:
    session = reading()
    order = changes.find(session, record_id)
    return {"items": tasks_of(session, order), "marks": change_tasks.standing_holds(session, order)}


@reads(
    "/change-orders/<record_id>/impact",
    scope="changes:read",
    summary="Get the impact of a change order",
    query=ImpactQuery,
    answer=ImpactAnswer,
)
def get_impact(
    record_id: str, *, q: str, target: str, status: str, owner: str, after: int, limit: int
) -> dict[str, Any]:
    """The newest set: the rows that fit with what is decided about each, page by page."""
    wanted = Wanted(ImpactTarget(target) if target else None, (RowStatus(status),) if status else (), owner, q.strip())
    return _shown(record_id, wanted, after=after, limit=limit)


@writes(
    "POST", "/change-orders/<record_id>/impact", scope="changes:write", summary="Compute the impact of a change order",
    body=Nothing, answer=ImpactAnswer, render=_shown, person=True,
)  # fmt: skip
def compute_impact(act: Act, _body: dict[str, Any], record_id: str) -> str:
    """Every source is asked again; what was decided about pieces that are still there counts on."""
    orders.need(*impact_panel.DECIDES)
    order = changes.find(act.session, record_id)
    impact.compute(act, order)
    return order.id


@writes(
    "POST", "/change-orders/<record_id>/impact/freeze", scope="changes:write", summary="Freeze the impact of a change order",
    body=Nothing, answer=ImpactAnswer, render=_shown, person=True,
)  # fmt: skip
def freeze_impact(act: Act, _body: dict[str, Any], record_id: str) -> str:
    """Refused while a source is missing, or when the plant has moved on since the set was asked for."""
    orders.need(*impact_panel.DECIDES)
    order = changes.find(act.session, record_id)
    impact.freeze(act, order)
    return order.id


@writes(
    "POST", "/change-orders/<record_id>/impact/rows/<row_id>", scope="changes:write", summary="Decide about a row of the impact",
    body=ImpactSharesGiven, answer=ImpactAnswer, render=_shown, person=True,
)  # fmt: skip
def dispose_row(act: Act, body: dict[str, Any], record_id: str, row_id: str) -> str:
    """One share says what becomes of all its pieces; several divide them. Whoever decides about changes may, and the row's owner."""
    order = changes.find(act.session, record_id)
    row = impacts.find_row(act.session, order, row_id)
    impacts.need_rows([row])
    impact.divide(
        act, row,
        [
            Share(
                share["disposition"], share["quantity"], share["owner"], share["due_on"], share["cost"], share["reason"],
                share["evidence"],
            )
            for share in body["shares"]
        ],
    )  # fmt: skip
    return order.id


@writes(
    "POST", "/change-orders/<record_id>/impact/rows", scope="changes:write", summary="Decide the same about several rows of the impact",
    body=RowsGiven, answer=ImpactAnswer, render=_shown, person=True,
)  # fmt: skip
def dispose_rows(act: Act, body: dict[str, Any], record_id: str) -> str:
    """All of them or none: one that the word does not fit refuses the whole, and is named."""
    order = changes.find(act.session, record_id)
    rows = [impacts.find_row(act.session, order, str(row_id)) for row_id in dict.fromkeys(body["rows"])]
    impacts.need_rows(rows)
    if body["quantity"] is not None:
        raise Invalid("Expected all pieces of several rows, but found a quantity", {"quantity": "is for one row"})
    impact.dispose_all(
        act, order, rows, body["disposition"], owner=body["owner"], due=body["due_on"], cost=body["cost"], reason=body["reason"],
        evidence=body["evidence"],
    )  # fmt: skip
    return order.id


@writes(
    "POST", "/change-orders/<record_id>/impact/assessments", scope="changes:write", summary="Say what a change means to an area",
    body=AssessmentGiven, answer=ImpactAnswer, render=_shown, person=True,
)  # fmt: skip
def assess_impact(act: Act, body: dict[str, Any], record_id: str) -> str:
    """As whoever holds the area's role; said again, the new answer replaces the one before."""
    order = changes.find(act.session, record_id)
    impacts.need_area(act.session, order, body["area"])
    impact.assess(act, order, body["area"], answer=body["answer"], text=body["text"])
    return order.id


@reads(
    "/change-orders/<record_id>/tasks", scope="changes:read", summary="List the tasks of a change order", answer=TasksAnswer
)  # fmt: skip
def list_change_tasks(record_id: str) -> dict[str, Any]:
    """In the order in which they are carried out, each with what undoes it; and what waits for them."""
    return _tasks(record_id)


@writes(
    "POST", "/change-orders/<record_id>/tasks/<task_id>/carry_out", scope="changes:write", summary="Carry out a task of a change order",
    body=EvidenceGiven, answer=TasksAnswer, render=_tasks, person=True,
)  # fmt: skip
def carry_out_change_task(act: Act, body: dict[str, Any], record_id: str, task_id: str) -> str:
    """As its owner; a task of ours that the plant refuses fails, and its rows go back to who decides about them."""
    order = changes.find(act.session, record_id)
    impacts.carry_out_as_visitor(act, impacts.find_task(act.session, order, task_id), evidence=body["evidence"])
    return order.id
