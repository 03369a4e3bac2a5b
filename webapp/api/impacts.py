"""The impact of a change order over REST: read the grid, compute, freeze, decide about a row whole or divided."""

from __future__ import annotations

from typing import Any

from marshmallow import fields

from engine.act import Act
from processes import impact
from processes.impact import Share
from records.impact import Disposition, ImpactTarget, PieceState, RowStatus, newest_snapshot
from webapp import impact_panel
from webapp.api.endpoints import reads, writes
from webapp.api.instances import Nothing
from webapp.api.shapes import Answer, Exact, Instant, Request, maybe, text, word
from webapp.pages import changes, impacts, orders
from webapp.visit import now, reading


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


class ImpactAnswer(Answer):
    """The newest set. totals: quantity by unit; cost: by kind and together; problems: what the board would miss."""

    number = maybe()
    queried_at = Instant(allow_none=True)
    frozen_at = Instant(allow_none=True)
    content_hash = maybe()
    missing = fields.String()
    totals = fields.Dict(keys=fields.String(), values=Exact())
    cost = fields.Dict(keys=fields.String(), values=Exact())
    problems = fields.List(fields.String())
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


def _shown(record_id: str) -> dict[str, Any]:
    session = reading()
    order = changes.find(session, record_id)
    snapshot = newest_snapshot(session, order)
    rows = impact_panel.all_rows(session, snapshot) if snapshot is not None else []
    return {
        "number": snapshot.number if snapshot else None, "queried_at": snapshot.queried_at if snapshot else None,
        "frozen_at": snapshot.frozen_at if snapshot else None, "content_hash": snapshot.content_hash if snapshot else None,
        "missing": snapshot.missing if snapshot else "", "totals": dict(impact_panel.totals_of(rows)),
        "cost": impact.cost_of(session, order), "problems": impact.problems_of(session, order, now=now()), "items": rows,
        "next": None,
    }  # fmt: skip


@reads(
    "/change-orders/<record_id>/impact",
    scope="changes:read",
    summary="Get the impact of a change order",
    answer=ImpactAnswer,
)
def get_impact(record_id: str) -> dict[str, Any]:
    """The newest set with every row and what is decided about it."""
    return _shown(record_id)


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
    """One share says what becomes of all its pieces; several divide them."""
    orders.need(*impact_panel.DECIDES)
    order = changes.find(act.session, record_id)
    row = impacts.find_row(act.session, order, row_id)
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
