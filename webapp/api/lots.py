"""Lots: list, get, trace, the two reports, gaps; what was issued and made, each event once; holds."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.act import Act
from engine.errors import Conflict, Invalid
from processes.genealogy import Event, consume, event_called, transform
from processes.genealogy_gaps import GapKind, gaps_of
from processes.genealogy_holds import hold_lot, lot_hash, release_lot
from processes.genealogy_reports import provenance_of, transformation_of
from processes.genealogy_trace import DEPTH, MOST, SIZE, Direction, NodeKind, trace
from processes.work_order_material import lot_called
from processes.work_order_planning import find as work_order_called
from processes.work_order_planning import revision_called
from records.lot import EdgeKind, GenealogyEdge, Lot, LotSource, LotStatus
from records.part import Part, PartRevision
from records.work_order import ENDED, WorkOrder, WorkOrderOperation
from rules.shipping import must_stay
from webapp import trace_rows
from webapp.api import bodies, callers
from webapp.api.endpoints import reads, writes
from webapp.api.instances import Reason
from webapp.api.marks import LotMarks
from webapp.api.shapes import Answer, Exact, Instant, Listed, Request, Truth, Whole, as_page, maybe, page_of, text, word
from webapp.api.signing import SignatureGiven, signature_given
from webapp.pages import lots as pages
from webapp.pages.orders import need
from webapp.visit import reading

REPORTERS = ("PLANNER", "RECEIVING", "SHIPPING", "INTEGRATION")


class LotSummary(Answer):
    """A lot in a list. quantity_left: what is left of it, in ``uom``."""

    id = fields.UUID()
    number = fields.String()
    part_revision = fields.Function(lambda lot: lot.part_revision.number, metadata={"type": "string"})
    heat = fields.String()
    status = word(LotStatus)
    source = word(LotSource)
    quantity = Exact()
    quantity_left = Exact()
    uom = fields.String()
    is_serial = fields.Boolean()
    expires_on = fields.Date(allow_none=True)
    version = fields.Integer()


class LotDetail(LotSummary):
    """A lot. source_type, source_id: the record it came from; source_note: of an adjustment; marks: changes that wait for it.

    must_stay: why it must not be shipped to a customer, a sentence each; empty when it may leave.
    """

    source_type = maybe()
    source_id = fields.UUID(allow_none=True)
    source_note = fields.String()
    hold_reason = maybe()
    marks = LotMarks()
    must_stay = fields.Function(
        lambda lot: must_stay(reading(), lot), metadata={"type": "array", "items": {"type": "string"}}
    )


class LotQuery(Listed):
    """What lots may be listed by."""

    status = word(LotStatus, load_default="")


class TraceQuery(Request):
    """Which way, how far, and how many nodes at most."""

    direction = word(Direction, load_default=Direction.BACKWARD.value)
    depth = fields.Integer(
        load_default=DEPTH, validate=validate.Range(1, DEPTH, error="Expected {min} to {max} steps, but found {input}")
    )
    size = fields.Integer(
        load_default=SIZE, validate=validate.Range(1, MOST, error="Expected {min} to {max} nodes, but found {input}")
    )


class TraceNode(Answer):
    """A lot, a work order, or an issue of which nobody named the lot. depth: negative behind the lot, positive ahead.

    is_certain: carries the lot (behind: is in it) for certain, else it may. unnumbered: pieces of a work order ahead that
    have no lot or serial of their own, each of which may carry it.
    """

    id = fields.String()
    kind = word(NodeKind)
    number = fields.String()
    depth = fields.Integer()
    status = maybe()
    part_revision = maybe()
    heat = maybe()
    is_certain = Truth()
    unnumbered = Exact()


class TraceStep(Answer):
    """What went from one node into another, all events together; quantity in ``uom`` of what went in."""

    source = fields.String()
    target = fields.String()
    kind = word(EdgeKind)
    quantity = Exact()
    uom = fields.String()
    events = fields.Integer()
    operations = fields.List(fields.String())


class TraceAnswer(Answer):
    """A trace, nearest first. cut: in words what was left out, empty when nothing was."""

    lot_id = fields.UUID()
    direction = word(Direction)
    nodes = fields.List(fields.Nested(TraceNode))
    steps = fields.List(fields.Nested(TraceStep))
    cut = fields.String()


def _report(name: str, report: str) -> type[Answer]:
    numbers = {"operation", "order_revision"}
    columns: dict[str, Any] = {
        column: fields.Raw(metadata={"type": ["integer", "string"]}) if column in numbers else fields.String()
        for column in trace_rows.REPORTS[report].columns
    }
    return type(name, (Answer,), {"__doc__": "One row of the report, as its file has it.", **columns})


ProvenanceRow = _report("ProvenanceRow", "provenance")
TransformationRow = _report("TransformationRow", "transformation")


class ProvenanceAnswer(Answer):
    """Where everything in a lot was bought. cut: in words what was left out."""

    rows = fields.List(fields.Nested(ProvenanceRow))
    cut = fields.String()


class TransformationAnswer(Answer):
    """Every operation a lot went through. cut: in words what was left out."""

    rows = fields.List(fields.Nested(TransformationRow))
    cut = fields.String()


class GapQuery(Request):
    """Whose gaps. work_order: number or native id; system: where two systems use the number."""

    work_order = text(required=True)
    system = text(load_default="")


class GapAnswer(Answer):
    """A place where the genealogy stops. Each blocks closing the work order."""

    kind = word(GapKind)
    sentence = fields.String()
    lot_id = fields.UUID(allow_none=True)
    event_id = fields.String()
    owner = fields.String()
    way_out = fields.String()


class GapList(Answer):
    """Every gap of a work order, however far back."""

    count = fields.Integer()
    items = fields.List(fields.Nested(GapAnswer))


class Reported(Request):
    """What every event says. event_id: unique; the second delivery of it is already handled. quantity: of the lot taken, in its unit."""

    event_id = text(required=True, metadata={"minLength": 1})
    system = text(40, required=True)
    work_order = text(required=True)
    op_no = Whole(load_default=None, allow_none=True)
    part = text(40, load_default="")
    quantity = Exact(required=True)
    uom = text(40, load_default="")
    performer = text(load_default="")


class ConsumptionEvent(Reported):
    """Material issued to a work order. lot: its number or heat; null when nobody knows, which is kept as a gap."""

    lot = text(40, required=True, allow_none=True)
    part_revision = text(load_default="", metadata={"description": "P-200/B: what was issued, where no lot is known."})


class TransformationEvent(Reported):
    """What of a lot went into exactly one other lot or serial."""

    lot = text(40, required=True)
    into = text(40, required=True)
    into_part = text(40, load_default="")


class EdgeAnswer(Answer):
    """One step of the genealogy as it was kept. is_duplicate: the event had been handled before."""

    id = fields.UUID()
    kind = word(EdgeKind)
    parent_id = fields.UUID(allow_none=True)
    child_id = fields.UUID(allow_none=True)
    work_order_id = fields.UUID(allow_none=True)
    operation_id = fields.UUID(allow_none=True)
    quantity = Exact()
    uom = fields.String()
    event_id = fields.String()
    source_system = fields.String()
    happened_at = Instant()
    is_duplicate = fields.Boolean()


class Release(Reason):
    """The end of a hold: why, and quality's signature."""

    signature = fields.Nested(SignatureGiven, required=True)


def _kept(subject: dict[str, Any]) -> dict[str, Any]:
    edge = reading().get_one(GenealogyEdge, subject["id"])
    columns = {name: getattr(edge, name) for name in EdgeAnswer().fields if name != "is_duplicate"}
    return columns | {"is_duplicate": subject["is_duplicate"]}


LotPage = page_of(LotSummary, "LotPage")


@reads("/lots", scope="lots:read", summary="List lots, newest first", query=LotQuery, answer=LotPage)
def list_lots(*, q: str, status: str, after: str, limit: int) -> Any:
    """Search in number, heat and part."""
    return as_page(pages.look_up(q, status, after, limit=limit))


@reads("/lots/<record_id>", scope="lots:read", summary="Get a lot", answer=LotDetail, etag=lambda lot: str(lot.version))
def get_lot(record_id: str) -> Lot:
    """Find it by id."""
    return pages.find(reading(), record_id)


@reads("/lots/<record_id>/trace", scope="lots:read", summary="Trace a lot", query=TraceQuery, answer=TraceAnswer)
def trace_lot(record_id: str, *, direction: str, depth: int, size: int) -> dict[str, Any]:
    """Follow it forward to what was made of it, or backward to what it was made of."""
    lot = pages.find(reading(), record_id)
    found = trace(reading(), lot, Direction(direction), depth=depth, size=size)
    return {
        "lot_id": lot.id,
        "direction": direction,
        "nodes": [_node(node) for node in found.nodes],
        "steps": [_step(step, found.operations) for step in found.steps],
        "cut": found.cut,
    }


@reads(
    "/lots/<record_id>/provenance", scope="lots:read", summary="Tell where everything in a lot was bought",
    answer=ProvenanceAnswer,
)  # fmt: skip
def trace_provenance(record_id: str) -> dict[str, Any]:
    """Receipt, order line and revision, and the supplier's approval as it stood on the day of the receipt."""
    found = trace(reading(), pages.find(reading(), record_id), Direction.BACKWARD, size=MOST)
    return {"rows": [trace_rows.bought_row(row) for row in provenance_of(reading(), found)], "cut": found.cut}


@reads(
    "/lots/<record_id>/transformation", scope="lots:read", summary="Tell every operation a lot went through",
    answer=TransformationAnswer,
)  # fmt: skip
def trace_transformation(record_id: str) -> dict[str, Any]:
    """Work order, operation, people, equipment, instruction revision, measured values."""
    found = trace(reading(), pages.find(reading(), record_id), Direction.BACKWARD, size=MOST)
    return {"rows": [trace_rows.performed_row(row) for row in transformation_of(reading(), found)], "cut": found.cut}


@reads("/genealogy_gaps", scope="lots:read", summary="Count the gaps of a work order", query=GapQuery, answer=GapList)
def list_gaps(*, work_order: str, system: str) -> dict[str, Any]:
    """Issues without a lot, and lots that lead to no receipt and no other document."""
    found = gaps_of(reading(), work_order_called(reading(), work_order, system=system or None).id)
    return {"count": len(found), "items": found}


@writes(
    "POST", "/consumptions", scope="lots:write", summary="Report what was issued to a work order", body=ConsumptionEvent,
    answer=EdgeAnswer, render=_kept,
)  # fmt: skip
def report_consumption(act: Act, body: dict[str, Any]) -> dict[str, Any]:
    """Take it out of the lot, once for each event id. A lot that is not accepted is refused (CON-16)."""
    event, order, operation = _reported(act, body)
    known = event_called(act.session, event.id) is not None
    lot = lot_meant(act.session, body["part"], body["lot"]) if body["lot"] is not None else None
    revision = revision_called(act.session, body["part_revision"]) if lot is None and body["part_revision"] else None
    edge = consume(
        act, lot, body["quantity"], work_order_id=order.id, operation_id=operation.id if operation else None, event=event,
        uom=body["uom"] or None, part_revision=revision,
    )  # fmt: skip
    return {"id": edge.id, "is_duplicate": known}


@writes(
    "POST", "/transformations", scope="lots:write", summary="Report what of a lot went into another", body=TransformationEvent,
    answer=EdgeAnswer, render=_kept,
)  # fmt: skip
def report_transformation(act: Act, body: dict[str, Any]) -> dict[str, Any]:
    """Link the two lots exactly, once for each event id; what was issued to the work order is not taken again."""
    event, order, operation = _reported(act, body)
    known = event_called(act.session, event.id) is not None
    edge = transform(
        act, lot_meant(act.session, body["part"], body["lot"]),
        lot_meant(act.session, body["into_part"], body["into"], field="into"), quantity=body["quantity"], event=event,
        work_order_id=order.id, operation_id=operation.id if operation else None, uom=body["uom"] or None,
    )  # fmt: skip
    return {"id": edge.id, "is_duplicate": known}


@writes(
    "POST", "/lots/<record_id>/hold", scope="lots:write", summary="Hold a lot", body=Reason, answer=LotDetail,
    render=lambda lot_id: pages.find(reading(), lot_id), etag=lambda lot: str(lot.version), match=True, person=True,
)  # fmt: skip
def stop_lot(act: Act, body: dict[str, Any], record_id: str) -> str:
    """Stop it at once, as quality; only a signature releases it."""
    lot = pages.find(act.session, record_id)
    bodies.seen_tag(str(lot.version))
    hold_lot(act, lot, reason=body["reason"])
    return lot.id


@writes(
    "POST", "/lots/<record_id>/release", scope="lots:write", summary="End the hold of a lot with quality's signature",
    body=Release, answer=LotDetail, render=lambda lot_id: pages.find(reading(), lot_id),
    etag=lambda lot: str(lot.version), match=True, person=True,
)  # fmt: skip
def release_held_lot(act: Act, body: dict[str, Any], record_id: str) -> str:
    """Sign the lot as it was seen: ``If-Match`` names its version, so that what is signed is what was read."""
    lot = pages.find(act.session, record_id)
    bodies.seen_tag(str(lot.version))
    release_lot(act, lot, signature_given(body["signature"]), reason=body["reason"], seen_hash=lot_hash(lot))
    return lot.id


def lot_meant(session: Session, part_no: str, number: str, *, field: str = "lot") -> Lot:
    """Return the lot that a number or heat means. Raises: Invalid when there is none, or several parts have one of that number."""
    if not part_no:
        numbered = (
            select(Part.part_no).join(PartRevision).join(Lot).where((Lot.number == number) | (Lot.heat == number))
        )
        parts = sorted(set(session.scalars(numbered)))
        if len(parts) > 1:
            raise Invalid(
                f"Expected the part of lot {number}, since lots of {' and '.join(parts[:4])} carry that number",
                {"into_part" if field == "into" else "part": "is needed"},
            )
        part_no = parts[0] if parts else ""
    found = lot_called(session, part_no, number)
    if found is None:
        raise Invalid(f"Expected a lot that is on record, but {number!r:.60} is none", {field: "is unknown"})
    return found


def _reported(act: Act, body: dict[str, Any]) -> tuple[Event, WorkOrder, WorkOrderOperation | None]:
    """Return the event, its work order and operation. Raises: Invalid; Conflict when the work order takes nothing any more."""
    if not callers.is_adapter():
        need(*REPORTERS)
    order = work_order_called(act.session, body["work_order"], system=body["system"])
    if order.status in ENDED:
        raise Conflict(
            f"Expected {order.number} to be open, but it is {order.status}.", code="ILLEGAL_TRANSITION",
            record=(order.record_type, order.id),
        )  # fmt: skip
    operation = next((one for one in order.operations if one.op_no == body["op_no"]), None)
    return Event(body["event_id"], system=body["system"], performer=body["performer"]), order, operation


def _node(node: Any) -> dict[str, Any]:
    lot = node.record if isinstance(node.record, Lot) else None
    return {
        "id": node.id, "kind": node.kind, "number": node.number, "depth": node.depth,
        "status": node.record.status if node.record is not None else None,
        "part_revision": lot.part_revision.number if lot else None, "heat": lot.heat if lot else None,
        "is_certain": node.is_certain, "unnumbered": node.unnumbered,
    }  # fmt: skip


def _step(step: Any, operations: Any) -> dict[str, Any]:
    numbers = sorted(operations[each].number for each in step.operations if each in operations)
    return {
        "source": step.source, "target": step.target, "kind": step.kind, "quantity": step.quantity, "uom": step.uom,
        "events": step.events, "operations": numbers,
    }  # fmt: skip
