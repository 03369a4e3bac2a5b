"""Outside work: list and get links, ship, take back, declare lost and recall, each once for an event."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from marshmallow import fields, validate
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from engine.act import Act
from engine.database import is_id
from engine.errors import Invalid, NotFound
from processes import outside_board, outside_links, outside_losses, outside_moving, outside_sources
from processes.outside_moving import Return, Shipment
from processes.seats import seats_on
from records.outside import LinkStatus, MovementKind, OutsideLink, OutsideMovement
from records.outside_loss import ClaimDecision, FollowUp, LossStatus, OutsideLoss, claims_of, losses_of
from records.outside_stop import OutsideStop, StopDecision, StopStatus, stops_of
from records.purchase_order import PurchaseOrder, PurchaseOrderLine
from records.work_order import WorkOrder, WorkOrderOperation
from webapp import listing
from webapp.api.endpoints import reads, writes
from webapp.api.shapes import Answer, Exact, Instant, Listed, Request, Truth, as_page, maybe, page_of, text, word
from webapp.api.signing import SignedContent, signature_given
from webapp.pages import outside as pages
from webapp.visit import now, reading

ONE_TO_A_HUNDRED = validate.Length(1, 100, error="Expected {min} to {max} characters")


class MovementAnswer(Answer):
    """One movement of pieces; negative when it takes back another one."""

    id = fields.UUID()
    event_id = fields.String()
    kind = word(MovementKind)
    quantity = Exact()
    moved_on = fields.Date()
    order_revision = fields.Integer()
    packing_list_no = maybe()
    carrier = fields.String()
    serials = fields.List(fields.String())
    statement = fields.String()
    reason = fields.String()
    reverses_id = fields.UUID(allow_none=True)
    created_at = Instant()
    created_by = fields.String()


class LinkSummary(Answer):
    """Pieces of one operation that one order line processes. uom: the unit of every quantity here."""

    id = fields.UUID()
    number = fields.String()
    status = word(LinkStatus)
    hold_rule = maybe()
    hold_reason = maybe()
    work_order = fields.String()
    system = fields.String()
    op_no = fields.Integer()
    part = fields.String()
    supplier_no = fields.String()
    supplier_name = fields.String()
    order_number = fields.String()
    line_no = fields.Integer()
    order_revision = fields.Integer()
    allocated_quantity = Exact()
    uom = fields.String()
    shipped = Exact()
    good = Exact()
    scrap = Exact()
    lost = Exact()
    recalled = Exact()
    at_supplier = Exact()
    need_by = fields.Date(allow_none=True)
    return_by = fields.Date(allow_none=True)
    certificates = fields.String()
    days_away = fields.Integer(allow_none=True)
    late_days = fields.Integer()
    next_action = fields.String()
    next_owner = fields.String()
    version = fields.Integer()


class LossAnswer(Answer):
    """Pieces that were lost and what follows; settled when planner and buyer have signed. waits_for: whose signature is missing."""

    id = fields.UUID()
    number = fields.String()
    status = word(LossStatus)
    quantity = Exact()
    statement = fields.String()
    follow_up = word(FollowUp)
    work_order_quantity_after = Exact(allow_none=True)
    replacement = maybe()
    content_hash = fields.String()
    waits_for = fields.List(fields.String())


class StopAnswer(Answer):
    """A change that reached pieces while they were away. decision: empty until the board, or the impact of the change, has said it.

    made: what was done about it, in words; why there is no amendment, where there is none.
    """

    number = fields.String()
    because = fields.String()
    quantity = Exact()
    status = word(StopStatus)
    decision = word(StopDecision, allow_none=True)
    reason = fields.String()
    confirmed_by = fields.String()
    change_order = maybe()
    amendment = maybe()
    made = fields.String()


class ClaimAnswer(Answer):
    """What was claimed from the supplier, or waived, for scrap and lost pieces."""

    number = fields.String()
    decision = word(ClaimDecision)
    pieces = Exact()
    amount = Exact()
    currency = fields.String()
    reference = fields.String()


class UnresolvedAnswer(Answer):
    """A lot that came back and leads to none of ours: a gap that keeps its work order open."""

    lot_id = fields.UUID()
    lot_no = fields.String()
    label = fields.String()
    detail = fields.String()


class LinkDetail(LinkSummary):
    """A link with every movement, loss and claim, oldest first."""

    movements = fields.List(fields.Nested(MovementAnswer))
    stops = fields.List(fields.Nested(StopAnswer))
    losses = fields.List(fields.Nested(LossAnswer))
    claims = fields.List(fields.Nested(ClaimAnswer))
    unresolved = fields.List(fields.Nested(UnresolvedAnswer))


class LinkRequest(Request):
    """Which operation and order line belong together. quantity: in the work order's unit."""

    operation_id = text(36, required=True)
    order_line_id = text(36, required=True)
    quantity = Exact(required=True)
    conversion_factor = Exact(load_default=Decimal(1))
    need_by = fields.Date(load_default=None, allow_none=True)


class ShipRequest(Request):
    """What leaves. event_id: the sender's own; the same one again is answered and moves nothing."""

    event_id = fields.String(required=True, validate=ONE_TO_A_HUNDRED)
    quantity = Exact(required=True)
    uom = text(40, load_default="")
    serials = fields.List(text(40), load_default=list, validate=validate.Length(max=1000))
    lots = fields.List(text(40), load_default=list, validate=validate.Length(max=100))
    carrier = text(200, load_default="")
    return_by = fields.Date(load_default=None, allow_none=True)
    is_partial = Truth(load_default=False)
    documents = fields.List(text(40), load_default=list, validate=validate.Length(max=100))


class ReturnRequest(Request):
    """What came back, good and scrap."""

    event_id = fields.String(required=True, validate=ONE_TO_A_HUNDRED)
    good = Exact(load_default=None, allow_none=True)
    scrap = Exact(load_default=None, allow_none=True)
    uom = text(40, load_default="")
    serials = fields.List(text(40), load_default=list, validate=validate.Length(max=1000))
    scrap_serials = fields.List(text(40), load_default=list, validate=validate.Length(max=1000))
    packing_slip = text(200, load_default="")
    received_on = fields.Date(load_default=None, allow_none=True)
    location = text(200, load_default="")
    revision = text(40, load_default=None, allow_none=True)
    lot = text(200, load_default="")
    certificates = fields.List(text(40), load_default=list, validate=validate.Length(max=100))


class LossRequest(Request):
    """What the supplier no longer has. statement: date and reference of what it wrote; follow_up: fewer pieces, or new ones."""

    event_id = fields.String(required=True, validate=ONE_TO_A_HUNDRED)
    quantity = Exact(required=True)
    statement = text(4000, required=True)
    follow_up = word(FollowUp, required=True)
    serials = fields.List(text(40), load_default=list, validate=validate.Length(max=1000))


class RecallRequest(Request):
    """What came home unprocessed."""

    event_id = fields.String(required=True, validate=ONE_TO_A_HUNDRED)
    quantity = Exact(required=True)
    reason = text(4000, required=True)
    serials = fields.List(text(40), load_default=list, validate=validate.Length(max=1000))


class StrayRequest(Request):
    """Pieces that came and never left. text: what came, on which packing slip."""

    quantity = Exact(required=True)
    serials = fields.List(text(40), load_default=list, validate=validate.Length(max=1000))
    text = text(4000, required=True)


class SourceRequest(Request):
    """Where a lot that came back is from. lot_id: of what came; lot_no: our number, empty for pieces that were in work."""

    lot_id = text(36, required=True)
    lot_no = text(40, load_default="")
    reason = text(4000, required=True)


class LinkQuery(Listed):
    """What links may be listed by. ``q`` is part of a link's, work order's or order's number."""

    status = word(LinkStatus, load_default="")


LinkPage = page_of(LinkSummary, "OutsideLinkPage")


def _summary(link: OutsideLink) -> dict[str, Any]:
    line = outside_board.line_of(reading(), link, now=now())
    own = {name: getattr(link, name) for name in LinkSummary().fields if hasattr(link, name)}
    return own | {
        "work_order": link.operation.work_order.number, "system": link.operation.work_order.system, "op_no": link.operation.op_no,
        "part": link.operation.work_order.item, "supplier_no": link.order.supplier.supplier_no,
        "supplier_name": link.order.supplier.name, "order_number": link.order.number, "line_no": link.order_line.line_no,
        "order_revision": link.order.revision, "certificates": line.certificates, "days_away": line.days_away,
        "late_days": line.late_days, "next_action": line.next.words, "next_owner": line.next.owner,
    }  # fmt: skip


def _movement(movement: OutsideMovement) -> dict[str, Any]:
    own = {name: getattr(movement, name) for name in MovementAnswer().fields if hasattr(movement, name)}
    return own | {"serials": [serial.serial for serial in movement.serials]}


def _show(record_id: str) -> dict[str, Any]:
    session = reading()
    link = pages.find(session, record_id)
    return _summary(link) | {
        "movements": [_movement(movement) for movement in link.movements],
        "stops": [_stop(stop) for stop in stops_of(session, link.id)],
        "losses": [_loss(loss) for loss in losses_of(session, link.id)],
        "claims": claims_of(session, link.id),
        "unresolved": [
            {"lot_id": found.child.id, "lot_no": found.child.number, "label": found.label, "detail": found.sentence}
            for found in outside_sources.unresolved_of_link(session, link)
        ],
    }


def _stop(stop: OutsideStop) -> dict[str, Any]:
    return {
        "number": stop.number, "because": stop.cause_text, "quantity": stop.quantity, "status": stop.status, "decision": stop.decision,
        "reason": stop.reason, "confirmed_by": stop.confirmed_by,
        "change_order": stop.change_order.number if stop.change_order is not None else None,
        "amendment": stop.made.number if stop.made is not None else None, "made": stop.made_ref,
    }  # fmt: skip


def _loss(loss: OutsideLoss) -> dict[str, Any]:
    is_open = loss.status is LossStatus.DECLARED
    return {
        "id": loss.id, "number": loss.number, "status": loss.status, "quantity": loss.quantity, "statement": loss.statement,
        "follow_up": loss.follow_up, "work_order_quantity_after": loss.quantity_after,
        "replacement": loss.replacement.number if loss.replacement is not None else None,
        "content_hash": loss.approved_hash,
        "waits_for": [seat.role for seat in seats_on(reading(), loss) if is_open and not seat.is_signed],
    }  # fmt: skip


@reads(
    "/outside-links", scope="outside:read", summary="List links of outside work, newest first", query=LinkQuery,
    answer=LinkPage,
)  # fmt: skip
def list_outside_links(*, q: str, status: str, after: str, limit: int) -> Any:
    """Search in the numbers of links, work orders and orders."""
    wanted = select(OutsideLink).options(
        joinedload(OutsideLink.order_line).joinedload(PurchaseOrderLine.order).joinedload(PurchaseOrder.supplier),
        joinedload(OutsideLink.operation).joinedload(WorkOrderOperation.work_order),
    )
    if q:
        wanted = (
            wanted.join(WorkOrderOperation, WorkOrderOperation.id == OutsideLink.operation_id)
            .join(WorkOrder, WorkOrder.id == WorkOrderOperation.work_order_id)
            .join(PurchaseOrderLine, PurchaseOrderLine.id == OutsideLink.order_line_id)
            .join(PurchaseOrder, PurchaseOrder.id == PurchaseOrderLine.order_id)
            .where(
                listing.contains(
                    q, OutsideLink.number, WorkOrder.number, PurchaseOrder.po_no, PurchaseOrder.proposal_no
                )
            )
        )
    if status:
        wanted = wanted.where(OutsideLink.status == status)
    found = listing.newest_first(reading(), wanted, OutsideLink, query=q, state=status, after=after, limit=limit)
    return as_page(found) | {"items": [_summary(link) for link in found.items]}


@reads("/outside-links/<record_id>", scope="outside:read", summary="Get a link of outside work", answer=LinkDetail)
def get_outside_link(record_id: str) -> dict[str, Any]:
    """Find it by id, with its movements."""
    return _show(record_id)


@writes(
    "POST", "/outside-links", scope="outside:write", summary="Link an outside operation with an order line",
    body=LinkRequest, answer=LinkDetail, render=_show,
)  # fmt: skip
def link_outside(act: Act, body: dict[str, Any]) -> str:
    """Allocate pieces by hand, as a planner or buyer; the same pair again is answered. 409 CON-01 to CON-04, CON-12."""
    operation = pages.find_operation(act.session, body["operation_id"])
    line = act.session.get(PurchaseOrderLine, body["order_line_id"]) if is_id(body["order_line_id"]) else None
    if line is None:
        raise NotFound("Expected an order line with this id, but there is none.")
    made = outside_links.link_by_hand(
        act, operation, line, quantity=_above(body, "quantity"), conversion_factor=_above(body, "conversion_factor"),
        need_by=body["need_by"],
    )  # fmt: skip
    return made.id


@writes(
    "POST", "/outside-links/<record_id>/shipments", scope="outside:write", summary="Ship pieces to the supplier",
    body=ShipRequest, answer=LinkDetail, render=_show,
)  # fmt: skip
def ship_outside(act: Act, body: dict[str, Any], record_id: str) -> str:
    """Send pieces out, as shipping. 409 CON-06 before the supplier has the order, SHIP_BLOCKED for another count, ON_HOLD."""
    link = pages.find(act.session, record_id)
    given: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in body.items()}
    outside_moving.ship(
        act, link, Shipment(**given | {"uom": body["uom"] or link.uom, "quantity": _above(body, "quantity")})
    )
    return link.id


@writes(
    "POST", "/outside-links/<record_id>/returns", scope="outside:write", summary="Take pieces back from the supplier",
    body=ReturnRequest, answer=LinkDetail, render=_show,
)  # fmt: skip
def return_outside(act: Act, body: dict[str, Any], record_id: str) -> str:
    """Count what came back, as receiving. 409 CON-13 when more comes than is away, or a serial number that never left.

    Where another system tells of such pieces, quality finds a nonconformance about them; a person reports them as strays.
    """
    link = pages.find(act.session, record_id)
    given: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in body.items()}
    counts = {"good": _count(body, "good", "serials"), "scrap": _count(body, "scrap", "scrap_serials")}
    back = Return(**given | counts | {"uom": body["uom"] or link.uom})
    told: dict[str, Any] = {"serials": back.serials + back.scrap_serials, "lot_no": back.lot, "event_id": back.event_id}
    with outside_sources.strays_kept_apart(act, link, back.good + back.scrap, **told):
        outside_moving.take_back(act, link, back)
    return link.id


@writes(
    "POST", "/outside-links/<record_id>/strays", scope="outside:write", summary="Keep pieces apart that never left",
    body=StrayRequest, answer=LinkDetail, render=_show,
)  # fmt: skip
def keep_strays(act: Act, body: dict[str, Any], record_id: str) -> str:
    """Open a nonconformance for pieces that came back and never left, as receiving, once for the same words; nothing moves."""
    link = pages.find(act.session, record_id)
    outside_moving.report_surplus(
        act, link, _above(body, "quantity"), serials=" ".join(body["serials"]), description=body["text"]
    )
    return link.id


@writes(
    "POST", "/outside-links/<record_id>/sources", scope="outside:write", summary="Say which lot came back",
    body=SourceRequest, answer=LinkDetail, render=_show,
)  # fmt: skip
def name_outside_source(act: Act, body: dict[str, Any], record_id: str) -> str:
    """Resolve a lot that came back under no number of ours, as quality or planner. 409 CON-16 for a lot that cannot be it."""
    link = pages.find(act.session, record_id)
    child = pages.find_lot(act.session, body["lot_id"])
    outside_sources.name_source(act, link, child, lot_no=body["lot_no"], reason=body["reason"])
    return link.id


@writes(
    "POST", "/outside-links/<record_id>/losses", scope="outside:write", summary="Declare pieces lost",
    body=LossRequest, answer=LinkDetail, render=_show,
)  # fmt: skip
def declare_outside_loss(act: Act, body: dict[str, Any], record_id: str) -> str:
    """Give pieces up with the supplier's statement, as a planner; planner and buyer then sign what follows."""
    link = pages.find(act.session, record_id)
    outside_losses.declare_lost(
        act, link, _above(body, "quantity"), statement=body["statement"], follow_up=body["follow_up"], event_id=body["event_id"],
        serials=tuple(body["serials"]),
    )  # fmt: skip
    return link.id


@reads("/outside-losses/<record_id>", scope="outside:read", summary="Get a loss", answer=LossAnswer)
def get_outside_loss(record_id: str) -> dict[str, Any]:
    """Find it by id, with the hash of what is signed."""
    return _loss(pages.find_loss(reading(), record_id))


@writes(
    "POST", "/outside-losses/<record_id>/signature", scope="outside:write", summary="Sign what follows a loss",
    body=SignedContent, answer=LossAnswer, render=get_outside_loss, person=True,
)  # fmt: skip
def sign_outside_loss(act: Act, body: dict[str, Any], record_id: str) -> str:
    """As planner or buyer, two people; the second signature does what they signed."""
    loss, signed = pages.find_loss(act.session, record_id), signature_given(body["signature"])
    return outside_losses.sign_loss(act, loss, signed, seen_hash=body["content_hash"], reason=body["reason"]).id


@writes(
    "POST", "/outside-links/<record_id>/recalls", scope="outside:write", summary="Book recalled pieces",
    body=RecallRequest, answer=LinkDetail, render=_show,
)  # fmt: skip
def recall_outside(act: Act, body: dict[str, Any], record_id: str) -> str:
    """Book pieces that came home unprocessed, as a planner or receiving; they may be shipped again."""
    link = pages.find(act.session, record_id)
    outside_moving.recall(
        act,
        link,
        _above(body, "quantity"),
        reason=body["reason"],
        event_id=body["event_id"],
        serials=tuple(body["serials"]),
    )
    return link.id


def _above(body: dict[str, Any], name: str) -> Any:
    if body[name] is None or body[name] <= 0:
        raise Invalid(f"Expected {name} above 0, but found {body[name]}", {name: "must be above 0"})
    return body[name]


def _count(body: dict[str, Any], name: str, serials: str) -> Any:
    """Return a count, or that of its serial numbers where none is given."""
    value = len(body[serials]) if body[name] is None else body[name]
    if value < 0:
        raise Invalid(f"Expected {name} of at least 0, but found {value}", {name: "must not be negative"})
    return Decimal(value)
