"""What is known of suppliers: get it; bring in screenings, sub-tiers, changes and stock at their places, each once for an event."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.act import Act
from engine.errors import Invalid
from processes import supplier_records as records
from processes import supplier_stock
from processes.supplier_records import Changed, Declared, Event, Screened
from processes.supplier_stock import Seen
from processes.supplier_watch import look
from records.part import Part
from records.supplier import Supplier
from records.supplier_knowledge import (
    ArticleCause,
    ArticleScope,
    ChangeKind,
    Declarant,
    Grade,
    ObservedStock,
    RecheckStatus,
    ScreeningResult,
    SubTier,
    SubTierStatus,
    SupplierChangeNotice,
    SupplierScreening,
)
from webapp.api.endpoints import reads, writes
from webapp.api.shapes import Answer, Exact, Instant, Request, maybe, text, word
from webapp.pages import suppliers as pages
from webapp.supplier_known import known_of
from webapp.visit import reading

NAMED = validate.Length(1, 100, error="Expected {min} to {max} characters")


class ScoreAnswer(Answer):
    """How a supplier delivered, with the counts the score was made of. ppm, on_time_percent: null where nothing came."""

    scored_on = fields.Date()
    window_from = fields.Date()
    window_to = fields.Date()
    pieces_received = Exact()
    pieces_rejected = Exact()
    ppm = Exact(allow_none=True)
    deliveries = fields.Integer()
    early = fields.Integer()
    on_time = fields.Integer()
    late = fields.Integer()
    worst_days_late = fields.Integer()
    on_time_percent = Exact(allow_none=True)
    grade = word(Grade)
    judged_by = fields.String()


class ScreeningAnswer(Answer):
    """One look at the sanctions and export lists."""

    id = fields.UUID()
    screened_on = fields.Date()
    result = word(ScreeningResult)
    source = fields.String()
    reference = fields.String()
    note = fields.String()
    source_system = fields.String()
    source_event_id = fields.String()
    created_by = fields.String()


class SubTierAnswer(Answer):
    """Who performs a process for a supplier."""

    id = fields.UUID()
    name = fields.String()
    address = fields.String()
    process_code = fields.String()
    spec = maybe()
    certificate_no = maybe()
    valid_to = fields.Date(allow_none=True)
    declarant = word(Declarant)
    declared_on = fields.Date()
    status = word(SubTierStatus)
    version = fields.Integer()


class ArticleAnswer(Answer):
    """A decision about a first article. subject: the part or the process."""

    id = fields.UUID()
    subject = fields.String()
    cause = word(ArticleCause)
    scope = word(ArticleScope)
    reason = fields.String()
    decided_on = fields.Date()
    decided_by = fields.String()


class ChangeAnswer(Answer):
    """What a supplier says it changed."""

    id = fields.UUID()
    kind = word(ChangeKind)
    process_code = maybe()
    noticed_on = fields.Date()
    effective_on = fields.Date()
    statement = fields.String()


class RecheckAnswer(Answer):
    """A certificate that is looked up again."""

    id = fields.UUID()
    approval_id = fields.UUID()
    due_on = fields.Date()
    status = word(RecheckStatus)
    done_by = maybe()
    done_on = fields.Date(allow_none=True)
    note = fields.String()


class StockAnswer(Answer):
    """Pieces of a work order that another system sees at a supplier's place. work_order_id: null where its number is unknown here."""

    id = fields.UUID()
    system = fields.String()
    native_id = fields.String()
    location = fields.String()
    work_order_number = fields.String()
    work_order_id = fields.UUID(allow_none=True)
    item = fields.String()
    quantity = Exact()
    uom = fields.String()
    observed_at = Instant()
    version = fields.Integer()


class KnownAnswer(Answer):
    """What is known of a supplier beyond its approvals: the newest 20 of each kind, the newest first."""

    score = fields.Nested(ScoreAnswer, allow_none=True)
    screenings = fields.List(fields.Nested(ScreeningAnswer))
    sub_tiers = fields.List(fields.Nested(SubTierAnswer))
    articles = fields.List(fields.Nested(ArticleAnswer), data_key="first_articles")
    changes = fields.List(fields.Nested(ChangeAnswer))
    rechecks = fields.List(fields.Nested(RecheckAnswer))
    stock = fields.List(fields.Nested(StockAnswer))


class Sent(Request):
    """Where a fact comes from: the same system and event again are answered and write nothing."""

    system = text(40, load_default="API")
    event_id = fields.String(required=True, validate=NAMED)


class ScreeningRequest(Sent):
    """One look at the lists. screened_on: today where it is left out; note: needed for a hit."""

    result = word(ScreeningResult, required=True)
    source = text(200, required=True)
    screened_on = fields.Date(load_default=None, allow_none=True)
    reference = text(200, load_default="")
    note = text(4000, load_default="")


class SubTierRequest(Sent):
    """Who performs a process; quality approves it with a signature, on a page or over REST."""

    name = text(200, required=True)
    process_code = text(40, required=True)
    declarant = word(Declarant, load_default=Declarant.SUPPLIER.value)
    spec = text(40, load_default="")
    address = text(4000, load_default="")
    certificate_no = text(40, load_default="")
    valid_to = fields.Date(load_default=None, allow_none=True)
    declared_on = fields.Date(load_default=None, allow_none=True)
    note = text(4000, load_default="")


class ChangeRequestGiven(Sent):
    """What the supplier changes, from when."""

    kind = word(ChangeKind, required=True)
    statement = text(4000, required=True)
    effective_on = fields.Date(required=True)
    noticed_on = fields.Date(load_default=None, allow_none=True)
    part_no = text(40, load_default="")
    process_code = text(40, load_default="")


class StockRequest(Request):
    """Pieces of a work order at the supplier's place, by the row's name in its system. An older look than the kept one is ignored."""

    system = text(40, required=True)
    native_id = fields.String(required=True, validate=NAMED)
    location = text(200, required=True)
    work_order = text(200, required=True)
    quantity = Exact(required=True)
    observed_at = fields.String(required=True, metadata={"format": "date-time"}, validate=validate.Length(max=40))
    item = text(200, load_default="")
    uom = text(40, load_default="EA")


@reads(
    "/suppliers/<record_id>/known",
    scope="suppliers:read",
    summary="Get what is known of a supplier",
    answer=KnownAnswer,
)
def get_known(record_id: str) -> Any:
    """Score, screenings, sub-tiers, first articles, changes, re-checks and stock at its places."""
    session = reading()
    return known_of(session, pages.find(session, record_id))


def _screening(record_id: str) -> Any:
    return reading().get_one(SupplierScreening, record_id)


@writes(
    "POST", "/suppliers/<record_id>/screenings", scope="suppliers:write", summary="Bring in a screening", body=ScreeningRequest,
    answer=ScreeningAnswer, status=201, render=_screening,
)  # fmt: skip
def add_screening(act: Act, body: dict[str, Any], record_id: str) -> str:
    """It is kept once for its system and event."""
    supplier = pages.find(act.session, record_id)
    seen = Screened(
        ScreeningResult(body["result"]), body["source"], on=body["screened_on"], reference=body["reference"], note=body["note"]
    )  # fmt: skip
    made = records.screen(act, supplier, seen, event=_event(body))
    look(act, supplier)
    return made.id


def _sub_tier(record_id: str) -> Any:
    return reading().get_one(SubTier, record_id)


@writes(
    "POST", "/suppliers/<record_id>/sub-tiers", scope="suppliers:write", summary="Declare a sub-tier", body=SubTierRequest,
    answer=SubTierAnswer, status=201, render=_sub_tier,
)  # fmt: skip
def add_sub_tier(act: Act, body: dict[str, Any], record_id: str) -> str:
    """Until quality approves it, orders of its process are held."""
    supplier = pages.find(act.session, record_id)
    given = Declared(
        body["name"], body["process_code"], Declarant(body["declarant"]), on=body["declared_on"], spec=body["spec"] or None,
        address=body["address"], certificate_no=body["certificate_no"] or None, valid_to=body["valid_to"], note=body["note"],
    )  # fmt: skip
    made = records.declare_sub_tier(act, supplier, given, event=_event(body))
    look(act, supplier)
    return made.id


def _change(record_id: str) -> Any:
    return reading().get_one(SupplierChangeNotice, record_id)


@writes(
    "POST", "/suppliers/<record_id>/changes", scope="suppliers:write", summary="Bring in a supplier's notice of change",
    body=ChangeRequestGiven, answer=ChangeAnswer, status=201, render=_change,
)  # fmt: skip
def add_change(act: Act, body: dict[str, Any], record_id: str) -> str:
    """A first article is decided about before the next order of what it touches."""
    supplier = pages.find(act.session, record_id)
    given = Changed(
        ChangeKind(body["kind"]), body["statement"], body["effective_on"], noticed_on=body["noticed_on"],
        part=_part(act.session, body["part_no"]), process_code=body["process_code"] or None,
    )  # fmt: skip
    return records.note_change(act, supplier, given, event=_event(body)).id


def _stock(record_id: str) -> Any:
    return reading().get_one(ObservedStock, record_id)


@writes(
    "POST", "/suppliers/<record_id>/stock", scope="suppliers:write", summary="Report stock seen at a supplier's place",
    body=StockRequest, answer=StockAnswer, render=_stock,
)  # fmt: skip
def report_stock(act: Act, body: dict[str, Any], record_id: str) -> str:
    """The row writes nothing but itself; what does not fit our links becomes a finding or a mismatch."""
    supplier: Supplier = pages.find(act.session, record_id)
    seen = Seen(
        body["system"], body["native_id"], supplier, body["location"], body["work_order"], body["quantity"],
        supplier_stock.instant_in(body["observed_at"]),
        item=body["item"], uom=body["uom"],
    )  # fmt: skip
    return supplier_stock.observe(act, seen)[0].id


def _event(body: dict[str, Any]) -> Event:
    return Event(body["system"], body["event_id"])


def _part(session: Session, number: str) -> Part | None:
    if not number:
        return None
    found = session.scalar(select(Part).where(Part.part_no == number))
    if found is None:
        raise Invalid(f"Expected a part called {number}, but there is none", {"part_no": "is unknown"})
    return found
