"""What happened on work orders: list it, and report it, each event counted once."""

from __future__ import annotations

import datetime as dt
from typing import Any

from marshmallow import fields, validate

from engine.act import Act
from engine.errors import Forbidden, Invalid, Refused
from processes import work_orders
from processes.work_order_planning import SYSTEMS
from processes.work_orders import Event
from records.actual import Actual, ActualKind, actuals_of
from webapp.api import callers
from webapp.api.endpoints import reads, writes
from webapp.api.shapes import Answer, Exact, Instant, Request, Whole, maybe, text, word
from webapp.visit import reading, visitor
from webapp.work_order_page import find

MOST_EVENTS = 500


class ActualAnswer(Answer):
    """One event as it was recorded. reverses: the source's id of the event it takes back."""

    id = fields.UUID()
    kind = word(ActualKind)
    system = fields.String()
    event_id = fields.String()
    event_time = Instant()
    op_no = fields.Integer(allow_none=True)
    performer = fields.String()
    resource = maybe()
    quantity = Exact(allow_none=True)
    uom = maybe()
    item = maybe()
    lot = maybe()
    unit_cost = Exact(allow_none=True)
    amount = Exact(allow_none=True)
    name = maybe()
    value = Exact(allow_none=True)
    unit = maybe()
    lower = Exact(allow_none=True)
    upper = Exact(allow_none=True)
    good = Exact(allow_none=True)
    scrap = Exact(allow_none=True)
    rework = Exact(allow_none=True)
    reverses = maybe()
    reason = fields.String()


class ActualList(Answer):
    """What was recorded, oldest first."""

    items = fields.List(fields.Nested(ActualAnswer))
    next = maybe()


class EventGiven(Request):
    """One event of a source. event_id: the source's own; the same one again is answered and moves nothing."""

    system = fields.String(
        required=True, validate=validate.OneOf(SYSTEMS, error="Expected one of {choices}, but found “{input}”")
    )
    event_id = fields.String(
        required=True, validate=validate.Length(1, 200, error="Expected {min} to {max} characters")
    )
    kind = word(ActualKind, required=True)
    work_order = fields.String(
        required=True, validate=validate.Length(1, 200, error="Expected {min} to {max} characters")
    )
    event_time = fields.String(allow_none=True, metadata={"format": "date-time"}, validate=validate.Length(max=40))
    op_no = Whole(allow_none=True)
    performer = text(200)
    resource = text(40, allow_none=True)
    quantity = Exact(allow_none=True)
    uom = text(40, allow_none=True)
    item = text(40, allow_none=True)
    lot = text(200, allow_none=True)
    unit_cost = Exact(allow_none=True)
    order_line_id = fields.UUID(allow_none=True)
    contract_ref = text(200, allow_none=True)
    name = text(200, allow_none=True)
    value = Exact(allow_none=True)
    text_value = text(4000, allow_none=True)
    unit = text(40, allow_none=True)
    lower = Exact(allow_none=True)
    upper = Exact(allow_none=True)
    good = Exact(allow_none=True)
    scrap = Exact(allow_none=True)
    rework = Exact(allow_none=True)
    serials = text(4000)
    reverses = text(200, allow_none=True)
    reason = text(4000)


class EventBatch(Request):
    """Events in the order they happened; each stands or falls by itself."""

    events = fields.List(
        fields.Nested(EventGiven), required=True,
        validate=validate.Length(1, MOST_EVENTS, error="Expected {min} to {max} events"),
    )  # fmt: skip


class EventAnswer(Answer):
    """What became of one event: recorded, already handled, or refused with the reason."""

    event_id = fields.String()
    answer = fields.String()
    actual_id = fields.UUID(allow_none=True)
    code = maybe()
    detail = maybe()


class EventAnswers(Answer):
    """What became of each event, in their order."""

    items = fields.List(fields.Nested(EventAnswer))
    recorded = fields.Integer()
    repeated = fields.Integer()
    refused = fields.Integer()


@reads(
    "/work-orders/<record_id>/actuals", scope="work_orders:read", summary="List what was recorded for a work order",
    answer=ActualList,
)  # fmt: skip
def list_actuals(record_id: str) -> dict[str, Any]:
    """Oldest first, all of them."""
    found = actuals_of(reading(), find(reading(), record_id))
    return {"items": [_actual(one) for one in found], "next": None}


def _actual(actual: Actual) -> dict[str, Any]:
    own = {name: getattr(actual, name, None) for name in ActualAnswer().fields}
    return own | {
        "system": actual.source_system, "event_id": actual.source_event_id, "lot": actual.lot_no,
        "op_no": actual.operation.op_no if actual.operation else None,
        "resource": actual.resource.code if actual.resource else None,
        "reverses": actual.reverses.source_event_id if actual.reverses else None,
    }  # fmt: skip


def _as_answered(subject: dict[str, Any]) -> dict[str, Any]:
    return subject


@writes(
    "POST", "/work-orders/events", scope="work_orders:write", summary="Report what happened on work orders", body=EventBatch,
    answer=EventAnswers, render=_as_answered,
)  # fmt: skip
def post_events(act: Act, body: dict[str, Any]) -> dict[str, Any]:
    """Take in up to 500 events, each once by its system and id; a refused one leaves the others alone."""
    if not callers.is_adapter() and not visitor().holds("INTEGRATION", "PLANNER", "MAINT_PLANNER", "MAINT_MGR"):
        raise Forbidden(
            "Expected an adapter, a planner or the integration owner to report events, but you are none of them."
        )
    items = [_post(act, given) for given in body["events"]]
    answers = [item["answer"] for item in items]
    return {
        "items": items, "recorded": answers.count("recorded"), "repeated": answers.count("already handled"),
        "refused": answers.count("refused"),
    }  # fmt: skip


def _post(act: Act, given: dict[str, Any]) -> dict[str, Any]:
    values = {name: value for name, value in given.items() if value is not None}
    try:
        if "event_time" in values:
            values["event_time"] = _instant(values["event_time"])
        if "order_line_id" in values:
            values["order_line_id"] = str(values["order_line_id"])
        with act.attempt():
            posted = work_orders.post_event(act, Event(**values))
    except Refused as refusal:
        wrong = "; ".join(f"{name}: {sentence}" for name, sentence in getattr(refusal, "fields", {}).items())
        return {
            "event_id": given["event_id"], "answer": "refused", "actual_id": None, "code": refusal.code,
            "detail": f"{refusal.message} ({wrong})" if wrong else refusal.message,
        }  # fmt: skip
    return {
        "event_id": given["event_id"],
        "answer": posted.answer,
        "actual_id": posted.actual.id,
        "code": None,
        "detail": None,
    }


def _instant(given: str) -> dt.datetime:
    try:
        instant = dt.datetime.fromisoformat(given)
        return instant.astimezone(dt.UTC) if instant.tzinfo else instant
    except (ValueError, OverflowError) as error:
        raise Invalid(
            f"Expected an instant such as 2026-11-22T14:30:00Z, but found “{given}”", {"event_time": "is no instant"}
        ) from error
