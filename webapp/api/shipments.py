"""Shipments to customers, as the ERP posts them."""

from __future__ import annotations

from typing import Any

from marshmallow import fields

from engine.act import Act
from processes import shipments
from processes.genealogy import Event
from webapp.api import callers
from webapp.api.endpoints import writes
from webapp.api.lots import lot_meant
from webapp.api.shapes import Answer, Exact, Request, text
from webapp.pages.orders import need


class ShipmentEvent(Request):
    """Pieces of a lot that left for a customer. event_id: unique; quantity: in the lot's unit; delivery: number and line."""

    event_id = text(required=True, metadata={"minLength": 1})
    system = text(40, required=True)
    lot = text(40, required=True)
    part = text(40, load_default="")
    quantity = Exact(required=True)
    customer = text(200, required=True)
    delivery = text(100, required=True)
    shipped_on = fields.Date(required=True)


class ShipmentAnswer(Answer):
    """What became of it. edge_id: the step out of stock; mismatch_id: where the lot should have stayed, and why in ``reasons``."""

    lot_id = fields.UUID()
    edge_id = fields.UUID(allow_none=True)
    mismatch_id = fields.UUID(allow_none=True)
    reasons = fields.String()
    is_duplicate = fields.Boolean()


def _kept(subject: dict[str, Any]) -> dict[str, Any]:
    return subject


@writes(
    "POST", "/shipments", scope="lots:write", summary="Report what was shipped to a customer", body=ShipmentEvent,
    answer=ShipmentAnswer, render=_kept,
)  # fmt: skip
def report_shipment(act: Act, body: dict[str, Any]) -> dict[str, Any]:
    """Take it out of stock, once for each event id; a lot that was to stay is kept as a mismatch, and quality is told at once."""
    if not callers.is_adapter():
        need("SHIPPING", "INTEGRATION")
    lot = lot_meant(act.session, body["part"], body["lot"])
    done = shipments.report(
        act, lot, body["quantity"], customer=body["customer"], delivery=body["delivery"], shipped_on=body["shipped_on"],
        event=Event(body["event_id"], system=body["system"]),
    )  # fmt: skip
    return {
        "lot_id": lot.id, "edge_id": done.edge.id if done.edge is not None else None,
        "mismatch_id": done.discrepancy.id if done.discrepancy is not None else None,
        "reasons": (done.discrepancy.ours or "") if done.discrepancy is not None else "", "is_duplicate": done.is_duplicate,
    }  # fmt: skip
