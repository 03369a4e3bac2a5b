"""Requests for quotation with their comparison, contracts with what was drawn from them, and justifications of single sources."""

from __future__ import annotations

from typing import Any

from marshmallow import fields
from sqlalchemy import select

from engine.act import Act
from engine.errors import Invalid
from processes import quoting
from processes.agreements import agree, releases_of
from processes.quote_comparison import Column, Comparison
from processes.quoting import Offer
from records.calendar import MAIN, site_called
from records.part import Part
from records.quotation import QuoteChannel, RequestForQuotation, RequestStatus
from records.sole_source import Cause, JustificationStatus, SoleSourceJustification
from records.sourcing import SourcingKind, SourcingRef
from records.supplier import Supplier
from webapp.api import bodies
from webapp.api.endpoints import reads, writes
from webapp.api.shapes import Answer, Exact, Instant, Listed, Request, Whole, as_page, maybe, page_of, text, word
from webapp.pages import agreements, quotes, sole_sources
from webapp.sourcing_digest import comparison_of
from webapp.visit import reading


class RequestedLine(Answer):
    """One thing that suppliers quote."""

    line_no = fields.Integer()
    item = fields.String()
    description = fields.String()
    spec = fields.String()
    quantity = Exact()
    uom = fields.String()
    need_by = fields.Date(allow_none=True)


class AskedSupplier(Answer):
    """A supplier who is asked. The link of its form is in its mail alone."""

    id = fields.UUID()
    supplier_id = fields.UUID()
    supplier = fields.Function(lambda one: one.supplier.name, metadata={"type": "string"})
    email = fields.String()
    is_answered = fields.Boolean()
    declined_at = Instant(allow_none=True)
    decline_reason = maybe()
    awarded_at = Instant(allow_none=True)


class RequestForQuotationAnswer(Answer):
    """A request for quotation."""

    id = fields.UUID()
    number = fields.String()
    title = fields.String()
    requisition_id = fields.UUID()
    status = word(RequestStatus)
    buyer_id = maybe()
    quotes_needed = fields.Integer()
    ship_to = fields.String()
    message = fields.String()
    sent_at = Instant(allow_none=True)
    due_at = Instant(allow_none=True)
    closed_at = Instant(allow_none=True)
    closed_reason = maybe()
    lines = fields.List(fields.Nested(RequestedLine))
    invitations = fields.List(fields.Nested(AskedSupplier))
    version = fields.Integer()


class QuotedPrice(Answer):
    """The price of one line. company: per unit in company currency, null without a rate."""

    line_no = fields.Function(lambda price: price.line.line_no, metadata={"type": "integer"})
    quoted = Exact(allow_none=True)
    company = Exact(allow_none=True)
    is_lowest = fields.Boolean()


class ComparedQuote(Answer):
    """One supplier in the comparison. landed: goods and charges in company currency; problems: why its quote does not count."""

    invitation_id = fields.Function(lambda column: column.invitation.id, metadata={"type": "string", "format": "uuid"})
    supplier = fields.Function(lambda column: column.invitation.supplier.name, metadata={"type": "string"})
    quotation_id = fields.Function(lambda column: _of(column, "id"), metadata={"type": ["string", "null"]})
    revision = fields.Function(lambda column: _of(column, "revision"), metadata={"type": ["integer", "null"]})
    currency = fields.Function(lambda column: _of(column, "currency"), metadata={"type": ["string", "null"]})
    reference = fields.Function(lambda column: _of(column, "reference"), metadata={"type": ["string", "null"]})
    remarks = fields.Function(lambda column: _of(column, "remarks"), metadata={"type": ["string", "null"]})
    lead_time_days = fields.Function(
        lambda column: _of(column, "lead_time_days"), metadata={"type": ["integer", "null"]}
    )
    valid_to = fields.Function(
        lambda column: column.quotation.valid_to.isoformat() if column.quotation else None,
        metadata={"type": ["string", "null"]},
    )
    rate = Exact(allow_none=True)
    landed = Exact(allow_none=True)
    over = Exact(allow_none=True)
    arrives_on = fields.Date(allow_none=True)
    is_late = fields.Boolean()
    is_valid = fields.Boolean()
    is_lowest = fields.Boolean()
    is_fastest = fields.Boolean()
    gate = fields.String()
    problems = fields.List(fields.String())
    prices = fields.List(fields.Nested(QuotedPrice))


class ComparisonAnswer(Answer):
    """Quotes side by side. currency: the company's, of every landed price; on: the day whose rates and approvals count."""

    request_id = fields.Function(lambda compared: compared.request.id, metadata={"type": "string", "format": "uuid"})
    number = fields.Function(lambda compared: compared.request.number, metadata={"type": "string"})
    currency = fields.Function(lambda compared: compared.request.site.currency, metadata={"type": "string"})
    on = fields.Date()
    quotes_needed = fields.Function(lambda compared: compared.request.quotes_needed, metadata={"type": "integer"})
    is_enough = fields.Boolean()
    hash = fields.String()
    columns = fields.List(fields.Nested(ComparedQuote))


class RequestQuery(Listed):
    """What requests may be listed by. ``q`` is part of a number."""

    status = word(RequestStatus, load_default="")


class PriceGiven(Request):
    """The price of one line, per unit of the request, in the quote's currency."""

    line_no = Whole(required=True)
    unit_price = Exact(required=True)


class QuoteGiven(Request):
    """A quote as a buyer got it; kept as a new revision. charges: freight, packing and duty for all lines."""

    prices = fields.List(fields.Nested(PriceGiven), required=True)
    currency = text(3, required=True)
    charges = Exact(load_default=None, allow_none=True)
    lead_time_days = Whole(required=True)
    valid_to = fields.Date(required=True)
    incoterm = text(200, load_default="")
    reference = text(200, load_default="")
    remarks = text(4000, load_default="")


class DueGiven(Request):
    """The last day on which quotes are taken, at the plant."""

    answer_by = fields.Date(required=True)


class QuotesReasonGiven(Request):
    """Why."""

    reason = text(4000, required=True)


RequestPage = page_of(RequestForQuotationAnswer, "RequestForQuotationPage")


def _of(column: Column, name: str) -> Any:
    return getattr(column.quotation, name) if column.quotation is not None else None


def tag_of(found: Any) -> str:
    """Return the ETag of what is shown."""
    return str(found.version)


def _find(record_id: str) -> RequestForQuotation:
    return quotes.find(reading(), record_id)


@reads(
    "/requests-for-quotation", scope="orders:read", summary="List requests for quotation, newest first", query=RequestQuery,
    answer=RequestPage,
)  # fmt: skip
def list_requests_for_quotation(*, q: str, status: str, after: str, limit: int) -> Any:
    """Search in numbers."""
    return as_page(quotes.look_up(q, status, after, limit=limit))


@reads(
    "/requests-for-quotation/<record_id>", scope="orders:read", summary="Get a request for quotation", answer=RequestForQuotationAnswer,
    etag=tag_of,
)  # fmt: skip
def get_request_for_quotation(record_id: str) -> RequestForQuotation:
    """Find it by id."""
    return _find(record_id)


@reads(
    "/requests-for-quotation/<record_id>/comparison", scope="orders:read", summary="Compare the quotes of a request",
    answer=ComparisonAnswer,
)  # fmt: skip
def compare_quotes(record_id: str) -> Comparison:
    """Landed prices in company currency at the rate of the day, those that count by price first."""
    return comparison_of(reading(), _find(record_id))


@writes(
    "POST", "/requests-for-quotation/<record_id>/invitations/<invitation_id>/quotations", scope="orders:write",
    summary="Keep a supplier's quote", body=QuoteGiven,
    answer=RequestForQuotationAnswer, render=_find, etag=tag_of, status=201, person=True,
)  # fmt: skip
def keep_quotation(act: Act, body: dict[str, Any], record_id: str, invitation_id: str) -> str:
    """By a buyer, until the due date; with the last answer the quotes wait to be compared."""
    invited = quotes.invitation(act.session, record_id, invitation_id)
    given = {one["line_no"]: one["unit_price"] for one in body.pop("prices")}
    charges = body.pop("charges")
    more = {"charges": charges} if charges is not None else {}
    offer = Offer(given, body.pop("currency").upper(), body.pop("lead_time_days"), body.pop("valid_to"), **more, **body)
    quoting.take_quote(act, invited, offer, channel=QuoteChannel.BUYER)
    return record_id


@writes(
    "POST", "/requests-for-quotation/<record_id>/invitations/<invitation_id>/decline", scope="orders:write",
    summary="Note that a supplier does not quote", body=QuotesReasonGiven,
    answer=RequestForQuotationAnswer, render=_find, etag=tag_of, person=True,
)  # fmt: skip
def decline_quotation(act: Act, body: dict[str, Any], record_id: str, invitation_id: str) -> str:
    """By a buyer, as the supplier said."""
    quoting.decline(act, quotes.invitation(act.session, record_id, invitation_id), reason=body["reason"])
    return record_id


@writes(
    "POST", "/requests-for-quotation/<record_id>/due-date", scope="orders:write", summary="Move the due date of a request",
    body=DueGiven, answer=RequestForQuotationAnswer, render=_find, etag=tag_of, match=True, person=True,
)  # fmt: skip
def move_due_date(act: Act, body: dict[str, Any], record_id: str) -> str:
    """By a buyer; who has not answered is mailed once more."""
    found = quotes.find(act.session, record_id)
    bodies.seen_tag(str(found.version))
    quoting.extend(act, found, answer_by=body["answer_by"])
    return record_id


@writes(
    "POST", "/requests-for-quotation/<record_id>/close", scope="orders:write", summary="Compare what is there and wait no longer",
    body=QuotesReasonGiven, answer=RequestForQuotationAnswer, render=_find, etag=tag_of, match=True, person=True,
)  # fmt: skip
def close_request_for_quotation(act: Act, body: dict[str, Any], record_id: str) -> str:
    """By a buyer, with a reason."""
    found = quotes.find(act.session, record_id)
    bodies.seen_tag(str(found.version))
    quoting.stop_waiting(act, found, reason=body["reason"])
    return record_id


class AgreementAnswer(Answer):
    """A contract or blanket order. remaining: what may still be drawn, null without a limit."""

    id = fields.UUID()
    number = fields.String()
    kind = word(SourcingKind)
    system = fields.String()
    title = fields.String()
    supplier_id = fields.UUID(allow_none=True)
    supplier = fields.Function(
        lambda one: one.supplier.name if one.supplier else None, metadata={"type": ["string", "null"]}
    )
    part_no = fields.Function(lambda one: one.part.part_no if one.part else None, metadata={"type": ["string", "null"]})
    valid_from = fields.Date(allow_none=True)
    valid_to = fields.Date(allow_none=True)
    currency = maybe()
    unit_price = Exact(allow_none=True)
    uom = maybe()
    agreed_value = Exact(allow_none=True)
    remaining_value = Exact(allow_none=True)
    agreed_quantity = Exact(allow_none=True)
    remaining_quantity = Exact(allow_none=True)
    version = fields.Integer()


class BlanketReleaseAnswer(Answer):
    """What an order drew, or gave back where it is negative. value: in the agreement's currency."""

    id = fields.UUID()
    order_id = fields.UUID()
    value = Exact()
    quantity = Exact()
    released_on = fields.Date()
    reason = fields.String()


class BlanketReleasesAnswer(Answer):
    """Everything drawn from an agreement, oldest first."""

    items = fields.List(fields.Nested(BlanketReleaseAnswer))


class AgreementGiven(Request):
    """A contract or blanket order with a supplier. value or quantity: what may be drawn; a price or quantity needs a part."""

    kind = word(SourcingKind, required=True)
    supplier_no = text(40, required=True)
    title = text(200, required=True)
    number = text(200, load_default=None, allow_none=True)
    part_no = text(40, load_default=None, allow_none=True)
    currency = text(3, required=True)
    unit_price = Exact(load_default=None, allow_none=True)
    value = Exact(load_default=None, allow_none=True)
    quantity = Exact(load_default=None, allow_none=True)
    valid_from = fields.Date(required=True)
    valid_to = fields.Date(required=True)


AgreementPage = page_of(AgreementAnswer, "AgreementPage")


def _agreement(record_id: str) -> SourcingRef:
    return agreements.find(reading(), record_id)


@reads(
    "/agreements", scope="orders:read", summary="List contracts and blanket orders", query=Listed, answer=AgreementPage
)
def list_agreements(*, q: str, after: str, limit: int) -> Any:
    """Search in numbers, titles and suppliers."""
    return as_page(agreements.look_up(q, "", after, limit=limit))


@reads(
    "/agreements/<record_id>",
    scope="orders:read",
    summary="Get a contract or blanket order",
    answer=AgreementAnswer,
    etag=tag_of,
)
def get_agreement(record_id: str) -> SourcingRef:
    """Find it by id."""
    return _agreement(record_id)


@reads(
    "/agreements/<record_id>/releases",
    scope="orders:read",
    summary="List what was drawn from it",
    answer=BlanketReleasesAnswer,
)
def list_releases(record_id: str) -> Any:
    """Oldest first; negative is given back."""
    return {"items": releases_of(reading(), _agreement(record_id).id)}


@writes(
    "POST", "/agreements", scope="orders:write", summary="Write a contract or blanket order down", body=AgreementGiven,
    answer=AgreementAnswer, render=_agreement, etag=tag_of, status=201, person=True,
)  # fmt: skip
def write_agreement(act: Act, body: dict[str, Any]) -> str:
    """By the purchasing lead or manager."""
    supplier = act.session.scalar(select(Supplier).where(Supplier.supplier_no == body["supplier_no"]))
    part = act.session.scalar(select(Part).where(Part.part_no == body["part_no"])) if body["part_no"] else None
    missing = {
        name: f"Expected one that is known, but there is no {body[name]}"
        for name, found in (("supplier_no", supplier), ("part_no", part)) if body[name] and found is None
    }  # fmt: skip
    if missing or supplier is None:
        raise Invalid("Expected a supplier and a part that are known", missing)
    return agree(
        act, site_called(act.session, MAIN), supplier, kind=SourcingKind(body["kind"]), title=body["title"], number=body["number"],
        part=part, currency=body["currency"].upper(), unit_price=body["unit_price"], value=body["value"], quantity=body["quantity"],
        valid_from=body["valid_from"], valid_to=body["valid_to"],
    ).id  # fmt: skip


class JustificationAnswer(Answer):
    """Why a single source was bought from, and whether that is signed. amount: in ``currency``."""

    id = fields.UUID()
    number = fields.String()
    requisition_id = fields.UUID()
    supplier_id = fields.UUID()
    request_id = fields.UUID(allow_none=True)
    amount = Exact()
    currency = fields.String()
    cause = word(Cause)
    reason = fields.String()
    price_reasonable = fields.String()
    quotes_needed = fields.Integer()
    quotes_valid = fields.Integer()
    written_by = fields.String()
    content_hash = fields.String()
    status = word(JustificationStatus)
    signature_id = fields.UUID(allow_none=True)
    version = fields.Integer()


class JustificationQuery(Listed):
    """What justifications may be listed by. ``q`` is part of a number, supplier or reason."""

    status = word(JustificationStatus, load_default="")


JustificationPage = page_of(JustificationAnswer, "JustificationPage")


@reads(
    "/sole-sources", scope="orders:read", summary="List justifications of single sources", query=JustificationQuery,
    answer=JustificationPage,
)  # fmt: skip
def list_sole_sources(*, q: str, status: str, after: str, limit: int) -> Any:
    """They are written and signed in the tasks of their requisition."""
    return as_page(sole_sources.look_up(q, status, after, limit=limit))


@reads(
    "/sole-sources/<record_id>",
    scope="orders:read",
    summary="Get a justification",
    answer=JustificationAnswer,
    etag=tag_of,
)
def get_sole_source(record_id: str) -> SoleSourceJustification:
    """Find it by id."""
    return sole_sources.find(reading(), record_id)
