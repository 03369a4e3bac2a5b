"""Purchasing's desk, what a part cost, a supplier in one view; what waits for whom, and how long."""

from __future__ import annotations

import datetime as dt
from typing import Any

from marshmallow import fields, validate

from engine import workload
from engine.workload import Queue, Spread
from processes import price_history
from processes.purchasing_desk import SHOWN, Way, desk_of
from processes.supplier_overview import Late, overview
from records.nonconformance import Disposition, NonconformanceStatus
from records.purchase_order import OrderStatus
from webapp.api.endpoints import reads
from webapp.api.shapes import MOST, Answer, Exact, Instant, Listed, Request, as_page, maybe, page_of, text, word
from webapp.api.tasks import TaskSummary
from webapp.pages import dashboards, parts, suppliers
from webapp.visit import now, reading


class DeskQuery(Request):
    """Whose desk."""

    buyer = text(60, load_default="", metadata={"description": "A user id; everybody's orders without one."})
    shown = fields.Integer(
        load_default=SHOWN, metadata={"description": "Rows of each list at most; totals count all."},
        validate=validate.Range(1, MOST, error="Expected {min} to {max}, but found {input}"),
    )  # fmt: skip


class StateCount(Answer):
    """How many orders are in a state."""

    status = word(OrderStatus)
    orders = fields.Integer()


class DeskRow(Answer):
    """What waits. days: late above 0, left below; turn: the principal who moves next; way: what kind of document record_id is of."""

    number = fields.String()
    record_id = fields.UUID()
    what = fields.String()
    party = fields.String()
    on = fields.Date(allow_none=True)
    days = fields.Integer(allow_none=True)
    turn = fields.String()
    press = fields.String()
    way = word(Way)


class DeskSection(Answer):
    """One list of the desk, the most urgent first. total: rows there are."""

    name = fields.String()
    total = fields.Integer()
    rows = fields.List(fields.Nested(DeskRow))


class DeskAnswer(Answer):
    """The desk at one instant. buyer: null for everybody's."""

    as_of = Instant()
    buyer = maybe()
    states = fields.List(fields.Nested(StateCount))
    sections = fields.List(fields.Nested(DeskSection))


@reads("/desk", scope="orders:read", summary="Show purchasing's desk", query=DeskQuery, answer=DeskAnswer)
def show_desk(*, buyer: str, shown: int) -> Any:
    """Orders by state, unanswered and late ones, what ends soon, quotes under way, agreements near their end."""
    found = desk_of(reading(), buyer or None, now=now(), shown=shown)
    states = [{"status": status, "orders": orders} for status, orders in found.states.items()]
    return {"as_of": now(), "buyer": found.buyer, "states": states, "sections": found.sections}


class Price(Answer):
    """One price on one day. company_price: per stock unit in company_currency; null where no rate of the day is known."""

    on = fields.Date()
    source = word(price_history.Source)
    supplier_id = fields.UUID()
    supplier = fields.String()
    number = fields.String()
    record_type = fields.String()
    record_id = fields.UUID()
    revision = fields.String()
    quantity = Exact()
    uom = fields.String()
    unit_price = Exact()
    currency = fields.String()
    rate = Exact(allow_none=True)
    company_price = Exact(allow_none=True)
    company_currency = fields.String()


class PriceSpan(Answer):
    """What one supplier was paid over time. change: of a hundred, from the first to the last; null with one price."""

    supplier_id = fields.UUID()
    supplier = fields.String()
    prices = fields.Integer()
    lowest = Exact()
    highest = Exact()
    last = Exact()
    last_on = fields.Date()
    change = Exact(allow_none=True)


class PriceHistory(Answer):
    """What a part cost, the newest price first."""

    items = fields.List(fields.Nested(Price))
    suppliers = fields.List(fields.Nested(PriceSpan))


@reads("/parts/<record_id>/prices", scope="orders:read", summary="Show what a part cost", answer=PriceHistory)
def show_prices(record_id: str) -> Any:
    """Every price that was ordered and invoiced, with its document."""
    points = price_history.prices_of(reading(), parts.find(reading(), record_id))
    return {"items": points, "suppliers": price_history.spans(points)}


class OpenOrder(Answer):
    """An order that is not over. next_on: the first day on which something of it is promised, else needed."""

    id = fields.UUID()
    number = fields.String()
    status = word(OrderStatus)
    total = Exact()
    currency = fields.String()
    next_on = fields.Date(allow_none=True)


class LateDelivery(Answer):
    """What came late, or should have come. receipt: null for what is still to come."""

    order_id = fields.UUID()
    line = fields.String()
    item = fields.String()
    due_on = fields.Date()
    days_late = fields.Integer()
    receipt = maybe()


class SupplierNonconformance(Answer):
    """Pieces of a supplier that were not as they must be."""

    id = fields.UUID()
    number = fields.String()
    title = fields.String()
    status = word(NonconformanceStatus)
    disposition = word(Disposition, allow_none=True)
    raised_at = Instant()


class SupplierOverview(Answer):
    """A supplier in one view: the newest or worst rows of each kind; the counts count all."""

    open_orders = fields.List(fields.Nested(OpenOrder))
    open_count = fields.Integer()
    late_lines = fields.List(fields.Nested(LateDelivery))
    late_count = fields.Integer()
    late_receipts = fields.List(fields.Nested(LateDelivery))
    nonconformances = fields.List(fields.Nested(SupplierNonconformance))
    nonconformance_count = fields.Integer()
    open_nonconformances = fields.Integer()


@reads(
    "/suppliers/<record_id>/overview", scope="suppliers:read", summary="Show what is open, late and wrong with a supplier",
    answer=SupplierOverview,
)  # fmt: skip
def show_supplier_overview(record_id: str) -> Any:
    """Open orders, late deliveries and nonconformances; approvals and score are the supplier's own."""
    found = overview(reading(), suppliers.find(reading(), record_id), now=now())
    orders = [
        {"id": order.id, "number": order.number, "status": order.status, "total": order.total, "currency": order.currency,
         "next_on": day}
        for order, day in found.open_orders
    ]  # fmt: skip
    return {
        "open_orders": orders, "open_count": found.open_count, "late_lines": [_late(one) for one in found.late_lines],
        "late_count": found.late_count, "late_receipts": [_late(one) for one in found.late_receipts],
        "nonconformances": found.nonconformances, "nonconformance_count": found.nonconformance_count,
        "open_nonconformances": found.open_nonconformances,
    }  # fmt: skip


def _late(one: Late) -> dict[str, Any]:
    return {
        "order_id": one.line.order_id, "line": one.line.number, "item": one.line.item, "due_on": one.due, "days_late": one.days,
        "receipt": one.receipt.number if one.receipt else None,
    }  # fmt: skip


class WorkloadQuery(Request):
    """Which tasks are looked at."""

    flow = text(200, load_default="", metadata={"description": "The process of the root run."})
    step = text(200, load_default="", metadata={"description": "Process and element, `order_to_close/decide`."})
    who = text(200, load_default="", metadata={"description": "A principal, `role:BUYER`."})


class SpreadAnswer(Answer):
    """How long tasks have waited, in seconds; null where none waits. median, p90: ages of real tasks (nearest rank)."""

    tasks = fields.Integer()
    late = fields.Integer()
    median = fields.Integer(allow_none=True)
    p90 = fields.Integer(allow_none=True)
    longest = fields.Integer(allow_none=True)


class QueueAnswer(Answer):
    """What waits at a step or for a principal. key: what `step` or `who` takes."""

    key = fields.String()
    name = fields.String()
    flow = fields.String()
    waiting = fields.Nested(SpreadAnswer)


class AgeAnswer(Answer):
    """How many tasks are of an age."""

    key = fields.String()
    words = fields.String()
    tasks = fields.Integer()


class WeekAnswer(Answer):
    """What came and went in the week from a Monday."""

    begins_on = fields.Date()
    opened = fields.Integer()
    done = fields.Integer()


class WorkloadAnswer(Answer):
    """What waits for whom at one instant. A task that several principals may take counts with each of them."""

    as_of = Instant()
    waiting = fields.Nested(SpreadAnswer)
    steps = fields.List(fields.Nested(QueueAnswer))
    principals = fields.List(fields.Nested(QueueAnswer))
    ages = fields.List(fields.Nested(AgeAnswer))
    weeks = fields.List(fields.Nested(WeekAnswer))


@reads(
    "/workload", scope="instances:read", summary="Show what waits for whom, and how long", query=WorkloadQuery, answer=WorkloadAnswer
)  # fmt: skip
def show_workload(*, flow: str, step: str, who: str) -> Any:
    """Open tasks by step, by person or group and by age; what came and went in the last weeks (of flow and step alone)."""
    found = dashboards.dashboard(workload.Asked(flow=flow, step=step, who=who))
    ages = [{"key": key, "words": words, "tasks": tasks} for key, words, tasks in found.ages]
    return {
        "as_of": now(), "waiting": _spread(found.spread), "steps": [_queue(one) for one in found.steps.rows],
        "principals": [_queue(one) for one in found.people.rows], "ages": ages, "weeks": found.weeks,
    }  # fmt: skip


def _queue(one: Queue) -> dict[str, Any]:
    return {"key": one.key, "name": one.name, "flow": one.flow, "waiting": _spread(one.spread)}


def _spread(one: Spread) -> dict[str, Any]:
    ages = {"median": one.median, "p90": one.p90, "longest": one.longest}
    return {"tasks": one.tasks, "late": one.late} | {name: _seconds(age) for name, age in ages.items()}


def _seconds(age: dt.timedelta | None) -> int | None:
    return None if age is None else int(age.total_seconds())


class WaitingQuery(Listed):
    """Which tasks are listed: those that wait now, or those that were opened or done in a week."""

    flow = text(200, load_default="")
    step = text(200, load_default="", metadata={"description": "Process and element, `order_to_close/decide`."})
    who = text(200, load_default="", metadata={"description": "A principal, `role:BUYER`."})
    age = word([key for key, *_ in workload.AGES], load_default="")
    due = word(workload.DUE, load_default="", metadata={"description": "Overdue, or without a due date."})
    week = fields.Date(load_default=None, metadata={"description": "A Monday; with `way`."})
    way = word(workload.WAYS, load_default="", metadata={"description": "Opened or done in the week."})


WaitingPage = page_of(TaskSummary, "WaitingPage")


@reads(
    "/workload/tasks", scope="instances:read", summary="List the tasks that a figure of the workload counts", query=WaitingQuery,
    answer=WaitingPage,
)  # fmt: skip
def list_waiting(*, q: str, after: str, limit: int, **_narrowed: Any) -> Any:
    """The one opened first stands first. A week is that of the caller's zone."""
    return as_page(dashboards.look_up(q, "", after, limit=limit))
