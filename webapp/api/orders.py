"""Purchase orders: list, get, change a draft, and what the supplier answered."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.act import Act
from engine.canonical import content_hash
from engine.errors import Invalid
from processes import withdrawal
from processes.acknowledgement import acknowledge
from records.acknowledgement import AckChannel, AckCode, AckResult
from records.part import Part, PartRevision
from records.purchase_order import IncotermCode, OrderStatus, PurchaseOrder, PurchaseOrderLine, approved_hash
from rules.amending import HEADER, Edits, LineEdit
from webapp import order_form, wording
from webapp.api import bodies, callers, instead
from webapp.api.endpoints import reads, writes
from webapp.api.instances import Reason
from webapp.api.marks import StandingMark
from webapp.api.messages import PublicationAnswer, as_it_was, as_subject
from webapp.api.shapes import Answer, Exact, Instant, Listed, Request, Whole, as_page, maybe, page_of, text, word
from webapp.document_page import marks_on
from webapp.pages import orders as pages
from webapp.visit import reading, visitor

BUYERS = ("BUYER", "PUR_LEAD", "PUR_MGR")
TERMS = (*order_form.TEXTS, "incoterm")
DIRECT = ("spec", "spec_rev", "cost_object", "customer_reference")
"""Fields of a line that the buyer's form does not show; on a draft they are the requisition's to say."""


class OrderLineAnswer(Answer):
    """One thing bought. part: a part's or a service's number."""

    id = fields.UUID()
    line_no = fields.Integer()
    part = maybe()
    revision = maybe()
    description = fields.String()
    quantity = Exact()
    uom = fields.String()
    unit_price = Exact()
    amount = Exact()
    need_by = fields.Date(allow_none=True)
    promised_on = fields.Date(allow_none=True)
    process_code = maybe()
    spec = maybe()
    spec_rev = maybe()
    cost_object = maybe()
    work_order_op = maybe()
    customer_reference = maybe()
    quality_clauses = fields.List(fields.String())
    certificates = fields.List(fields.String())
    is_inspection_required = fields.Boolean()
    status = fields.String()
    quantity_received = Exact()
    quantity_accepted = Exact()
    quantity_invoiced = Exact()
    requisition_line_id = fields.UUID(allow_none=True)


class OrderSummary(Answer):
    """An order in a list. number: the ERP's, or ours until there is one."""

    id = fields.UUID()
    number = fields.String()
    proposal_no = fields.String()
    po_no = maybe()
    revision = fields.Integer()
    status = word(OrderStatus)
    supplier_no = fields.String()
    supplier_name = fields.String()
    currency = fields.String()
    total = Exact()
    order_date = fields.Date(allow_none=True)
    version = fields.Integer()


class AcknowledgedLine(Answer):
    """What the supplier says to one line (X12 element 668)."""

    line_no = fields.Integer()
    code = word(AckCode)
    quantity = Exact(allow_none=True)
    unit_price = Exact(allow_none=True)
    promised_on = fields.Date(allow_none=True)


class Acknowledgement(Answer):
    """What a supplier answered to one revision of an order."""

    id = fields.UUID()
    order_revision = fields.Integer()
    received_at = Instant()
    channel = word(AckChannel)
    result = word(AckResult)
    message_id = fields.String()
    reference = fields.String()
    comment = fields.String()
    lines = fields.List(fields.Nested(AcknowledgedLine))


class OrderDetail(OrderSummary):
    """An order. content_hash: of what its approval is bound to; approved_hash: what the signatures are on; marks: changes that wait."""

    type = fields.String()
    origin = fields.String()
    buyer_id = maybe()
    supplier_site = maybe()
    incoterm = maybe()
    incoterm_place = maybe()
    incoterm_edition = maybe()
    payment_term = fields.String()
    advance_payment = Exact()
    ship_to = fields.String()
    bill_to = fields.String()
    terms_doc = maybe()
    terms_rev = maybe()
    supplier_reference = fields.String()
    comment = fields.String()
    content_hash = fields.String()
    approved_hash = maybe()
    approved_at = Instant(allow_none=True)
    approval_expires_at = Instant(allow_none=True)
    issued_at = Instant(allow_none=True)
    transmitted_at = Instant(allow_none=True)
    hold_reason = maybe()
    lines = fields.List(fields.Nested(OrderLineAnswer))
    acknowledgements = fields.List(fields.Nested(Acknowledgement))
    marks = fields.List(fields.Nested(StandingMark))


class OrderLineChange(Request):
    """What to change on a line; what is left out stays."""

    line_no = Whole(required=True)
    part_revision = text(60, metadata={"description": "`P-200/C`: part number and revision."})
    quantity = Exact()
    unit_price = Exact()
    need_by = fields.Date(allow_none=True)
    description = text(20_000)
    quality_clauses = fields.List(text(40))
    certificates = fields.List(text(40))
    spec = text(40, allow_none=True)
    spec_rev = text(40, allow_none=True)
    cost_object = text(200, allow_none=True)
    customer_reference = text(200, allow_none=True)


class OrderChange(Request):
    """What to change on a draft; what is left out stays. From its approval on an order changes by an amendment only."""

    payment_term = text(200)
    incoterm = word(IncotermCode, allow_none=True)
    incoterm_place = text(200, allow_none=True)
    incoterm_edition = text(40, allow_none=True)
    ship_to = text(4000)
    bill_to = text(4000)
    terms_doc = text(200, allow_none=True)
    terms_rev = text(40, allow_none=True)
    supplier_reference = text(200)
    comment = text(20_000)
    lines = fields.List(fields.Nested(OrderLineChange))


class LineAnswered(Request):
    """What the supplier changed on a line."""

    line_no = Whole(required=True)
    code = word(AckCode, required=True)
    quantity = Exact(load_default=None, allow_none=True)
    unit_price = Exact(load_default=None, allow_none=True)
    promised_on = fields.Date(load_default=None, allow_none=True)


class Answered(Request):
    """A supplier's answer. message_id: the sender's own; the same one again is answered and moves nothing."""

    result = word(AckResult, required=True)
    message_id = fields.String(
        required=True, validate=validate.Length(1, 200, error="Expected {min} to {max} characters")
    )
    lines = fields.List(fields.Nested(LineAnswered), load_default=list, validate=validate.Length(max=1000))
    reference = text(200, load_default="")
    note = text(4000, load_default="")
    channel = word(AckChannel, load_default=AckChannel.EDI.value)
    revision = Whole(
        load_default=None,
        allow_none=True,
        metadata={"description": "Which one is answered; left out, the present one."},
    )
    charge = Exact(load_default=None, allow_none=True)


class AcknowledgementList(Answer):
    """What a supplier answered, oldest first."""

    items = fields.List(fields.Nested(Acknowledgement))
    next = maybe()


class OrderQuery(Listed):
    """What orders may be listed by. ``q`` is part of a number or of the supplier's name."""

    status = word(OrderStatus, load_default="")
    buyer = text(60, load_default="", metadata={"description": "Only of this buyer, a user id."})
    what = word(
        pages.WHAT,
        load_default="",
        metadata={"description": "Only without the answer that is due, or with something late."},
    )


OrderPage = page_of(OrderSummary, "OrderPage")


def _summary(order: PurchaseOrder) -> dict[str, Any]:
    own = {name: getattr(order, name) for name in OrderSummary().fields if hasattr(order, name)}
    return own | {"supplier_no": order.supplier.supplier_no, "supplier_name": order.supplier.name}


def _line(line: PurchaseOrderLine) -> dict[str, Any]:
    own = {name: getattr(line, name) for name in OrderLineAnswer().fields if hasattr(line, name)}
    return own | {
        "part": line.part_revision.part.part_no if line.part_revision else line.service_code,
        "revision": line.part_revision.rev if line.part_revision else None,
    }


def _show(record_id: str) -> dict[str, Any]:
    order = pages.find(reading(), record_id)
    own = {name: getattr(order, name) for name in OrderDetail().fields if hasattr(order, name)}
    return (
        own
        | _summary(order)
        | {
            "supplier_site": order.supplier_site.code if order.supplier_site else None,
            "content_hash": approved_hash(order),
            "lines": [_line(line) for line in order.lines],
            "marks": marks_on(reading(), order),
            "tag": _tag(order),
        }
    )


def _tag(order: PurchaseOrder) -> str:
    """Return the ETag: the version, and the lines' versions, since a line may change without its document's row."""
    return f"{order.version}-{content_hash([[line.id, line.version] for line in order.lines])[:12]}"


def tag_of(found: Any) -> str:
    """Return the ETag of what is shown."""
    return str(found["tag"])


@reads("/orders", scope="orders:read", summary="List purchase orders, newest first", query=OrderQuery, answer=OrderPage)
def list_orders(*, q: str, status: str, buyer: str, what: str, after: str, limit: int) -> Any:
    """Search in numbers and supplier."""
    found = pages.look_up(q, status, after, limit=limit, buyer=buyer, what=what)
    return as_page(found) | {"items": [_summary(one) for one in found.items]}


@reads("/orders/<record_id>", scope="orders:read", summary="Get a purchase order", answer=OrderDetail, etag=tag_of)
def get_order(record_id: str) -> dict[str, Any]:
    """Find it by id."""
    return _show(record_id)


@writes(
    "PATCH", "/orders/<record_id>", scope="orders:write", summary="Change a draft order", body=OrderChange,
    answer=OrderDetail, render=_show, etag=tag_of, match=True, person=True,
)  # fmt: skip
def change_order(act: Act, body: dict[str, Any], record_id: str) -> str:
    """Change a draft, as a buyer. A controlled value of another order answers 409 UNCONTROLLED_CHANGE with what takes it instead."""
    order = pages.find(act.session, record_id)
    pages.need(*BUYERS)
    bodies.seen_tag(_tag(order))
    lines = _known_lines(order, body)
    instead.remember(order, body, _as_amended(act.session, body))
    if order.status is OrderStatus.DRAFT:
        with act.session.no_autoflush:
            order_form.fill(act.session, order, _typed_over(order, body), visitor().how)
    else:
        _set(order, {name: body[name] for name in TERMS if name in body})
    for line, given in lines:
        _set(line, _line_values(act.session, given, is_draft=order.status is OrderStatus.DRAFT))
    act.session.flush()
    # What the policy leaves free, or what stayed the same: the pages let nobody change that either.
    pages.refuse_edit(order)
    return order.id


@writes(
    "POST", "/orders/<record_id>/withdrawal", scope="orders:write",
    summary="Withdraw an order that is not issued yet", body=Reason, answer=OrderDetail, render=_show, etag=tag_of,
    match=True, person=True,
)  # fmt: skip
def withdraw_order(act: Act, body: dict[str, Any], record_id: str) -> str:
    """Take it back to the draft, as a buyer: its signatures are superseded. An issued one needs an amendment."""
    order = pages.find(act.session, record_id)
    pages.need(*BUYERS)
    bodies.seen_tag(_tag(order))
    withdrawal.withdraw_order(act, order, reason=body["reason"])
    return order.id


@reads(
    "/orders/<record_id>/acknowledgements", scope="orders:read", summary="List what the supplier answered",
    answer=AcknowledgementList,
)  # fmt: skip
def list_acknowledgements(record_id: str) -> dict[str, Any]:
    """Oldest first, all of them: an order has few."""
    return {"items": pages.find(reading(), record_id).acknowledgements, "next": None}


@writes(
    "POST", "/orders/<record_id>/acknowledgements", scope="orders:write", summary="Record what the supplier answered",
    body=Answered, answer=PublicationAnswer, render=as_it_was,
)  # fmt: skip
def acknowledge_order(act: Act, body: dict[str, Any], record_id: str) -> dict[str, Any]:
    """Take in an answer, from the buyer's hand or an adapter; the second delivery of an id is already handled."""
    if not callers.is_adapter():
        pages.need("BUYER", "PUR_LEAD")
    order = pages.find(act.session, record_id)
    return as_subject(acknowledge(act, order, **body))


def _known_lines(order: PurchaseOrder, body: dict[str, Any]) -> list[tuple[PurchaseOrderLine, dict[str, Any]]]:
    known = {line.line_no: line for line in order.lines}
    given = body.get("lines", [])
    wrong = {
        f"lines.{index}.line_no": f"Expected a line of {order.number}, but found {line['line_no']}"
        for index, line in enumerate(given)
        if line["line_no"] not in known
    }
    if wrong:
        raise Invalid(f"Expected lines of {order.number}, but some are none.", wrong)
    return [(known[line["line_no"]], line) for line in given]


def _typed_over(order: PurchaseOrder, body: dict[str, Any]) -> dict[str, str]:
    """Write a body over what stands in the buyer's form, as one would type it."""
    form = order_form.typed_of(order, wording.plain_number)
    form |= {name: body[name] or "" for name in TERMS if name in body}
    for line in body.get("lines", []):
        at = f"lines.{line['line_no']}."
        form |= {f"{at}{name}": _as_typed(line[name]) for name in order_form.LINE_FIELDS if name in line}
    return form


def _as_typed(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(value)
    if value is None:
        return ""
    return f"{value:f}" if hasattr(value, "as_tuple") else str(value)


def _line_values(session: Session, given: dict[str, Any], *, is_draft: bool) -> dict[str, Any]:
    """Return columns to set: on a draft only what its form has not set already."""
    names = DIRECT if is_draft else (*DIRECT, *order_form.LINE_FIELDS)
    found = {name: given[name] for name in names if name in given}
    if "part_revision" in given:
        revision = part_revision_called(session, given["part_revision"])
        # Both: the guard reads the column, the laws read what stands behind it.
        found |= {"part_revision_id": revision.id, "part_revision": revision}
    return found


def _as_amended(session: Session, body: dict[str, Any]) -> Edits:
    """Return the same edits as an amendment takes them."""
    lines = []
    for given in body.get("lines", []):
        values = {
            name: value
            for name, value in given.items()
            if name not in ("line_no", "part_revision", "customer_reference")
        }
        if "part_revision" in given:
            values["part_revision_id"] = part_revision_called(session, given["part_revision"]).id
        lines.append(LineEdit(given["line_no"], values))
    return Edits({name: body[name] for name in HEADER if name in body}, lines)


def part_revision_called(session: Session, number: str) -> PartRevision:
    """Return a part revision by its number. Raises: Invalid."""
    part_no, _, rev = number.rpartition("/")
    wanted = select(PartRevision).join(Part).where(Part.part_no == part_no, PartRevision.rev == rev)
    found = session.scalar(wanted)
    if found is None:
        raise Invalid(
            f"Expected a known part revision such as P-200/B, but found “{number[:40]}”.",
            {"lines.part_revision": "is unknown"},
        )
    return found


def _set(record: Any, values: dict[str, Any]) -> None:
    for name, value in values.items():
        setattr(record, name, value)
