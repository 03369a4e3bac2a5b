"""Short closes: the rest of a line that is given up, proposed by the buyer and decided by a planner."""

from __future__ import annotations

from typing import Any

from marshmallow import fields

from engine.act import Act
from processes import order_closing
from records.receipt import ShortClose, ShortCloseStatus
from webapp.api.endpoints import reads, writes
from webapp.api.goods import line_of
from webapp.api.shapes import Answer, Exact, Instant, Request, Truth, Whole, maybe, text, word
from webapp.pages import orders
from webapp.pages import short_closes as pages
from webapp.visit import reading


class ShortCloseAnswer(Answer):
    """What would not come. impact: the work that waits for it, in words."""

    id = fields.UUID()
    order_id = fields.UUID()
    order_line = fields.String()
    quantity = Exact()
    uom = fields.String()
    reason = fields.String()
    impact = fields.String()
    status = word(ShortCloseStatus)
    proposed_by = fields.String()
    decided_by = maybe()
    answer = fields.String()
    created_at = Instant()
    version = fields.Integer()


class ShortCloseList(Answer):
    """The proposals of an order, by line, oldest first."""

    items = fields.List(fields.Nested(ShortCloseAnswer))
    next = maybe()


class ShortCloseProposed(Request):
    """Which line is given up, and why."""

    line_no = Whole(required=True)
    reason = text(4000, required=True)


class ShortCloseDecided(Request):
    """Whether the rest is given up. answer: needed to refuse."""

    confirm = Truth(required=True)
    answer = text(4000, load_default="")


def _shown(found: ShortClose) -> dict[str, Any]:
    own = {name: getattr(found, name) for name in ShortCloseAnswer().fields if hasattr(found, name)}
    line = found.order_line
    return own | {"order_id": line.order_id, "order_line": line.number, "uom": line.uom}


def _detail(record_id: str) -> dict[str, Any]:
    return _shown(pages.find(reading(), record_id))


@reads(
    "/orders/<record_id>/short-closes", scope="orders:read", summary="List what of an order is given up",
    answer=ShortCloseList,
)  # fmt: skip
def list_short_closes(record_id: str) -> dict[str, Any]:
    """Of every line."""
    order = orders.find(reading(), record_id)
    found = [one for line in order.lines for one in order_closing.short_closes_of(reading(), line)]
    return {"items": [_shown(one) for one in found], "next": None}


@writes(
    "POST", "/orders/<record_id>/short-closes", scope="orders:write", summary="Propose to give up the rest of a line",
    body=ShortCloseProposed, answer=ShortCloseAnswer, render=_detail, person=True,
)  # fmt: skip
def propose_short_close(act: Act, body: dict[str, Any], record_id: str) -> str:
    """As a buyer. Nothing changes before a planner has decided."""
    line = line_of(orders.find(act.session, record_id), body["line_no"])
    return order_closing.propose_short_close(act, line, reason=body["reason"]).id


@writes(
    "POST", "/short-closes/<record_id>/decision", scope="orders:write", summary="Decide about the rest of a line",
    body=ShortCloseDecided, answer=ShortCloseAnswer, render=_detail, person=True,
)  # fmt: skip
def decide_short_close(act: Act, body: dict[str, Any], record_id: str) -> str:
    """As a planner other than who proposed it. A confirmed line is closed."""
    proposal = pages.find(act.session, record_id)
    return order_closing.decide_short_close(act, proposal, confirm=body["confirm"], answer=body["answer"]).id
