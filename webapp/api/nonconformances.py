"""Nonconformances: list, get, and decide what becomes of the pieces, as a person and with a signature."""

from __future__ import annotations

from typing import Any

from marshmallow import fields

from engine.act import Act
from processes import nonconformances as desk
from processes.work_order_planning import find
from records.nonconformance import Disposition, Nonconformance, NonconformanceStatus
from webapp import work_order_doors
from webapp.api import bodies
from webapp.api.endpoints import reads, writes
from webapp.api.shapes import Answer, Exact, Instant, Listed, Request, as_page, maybe, page_of, text, word
from webapp.api.signing import SignatureGiven, signature_given
from webapp.pages import nonconformances as pages
from webapp.visit import reading, visitor


class NonconformanceAnswer(Answer):
    """Pieces that are not as they must be. about_number: where it was found; quantity_limit: pieces that may be worked on."""

    id = fields.UUID()
    number = fields.String()
    about_type = fields.String()
    about_id = fields.String()
    about_number = fields.String()
    title = fields.String()
    description = fields.String()
    lot_no = maybe()
    serials = fields.String()
    quantity = Exact()
    uom = fields.String()
    quantity_limit = Exact(allow_none=True)
    expires_on = fields.Date(allow_none=True)
    status = word(NonconformanceStatus)
    disposition = word(Disposition, allow_none=True)
    disposition_reason = fields.String()
    disposed_by_id = maybe()
    owner = fields.String()
    raised_at = Instant()
    version = fields.Integer()


class NonconformanceQuery(Listed):
    """What nonconformances may be listed by. ``q`` is part of a number, a document or the title."""

    status = word(NonconformanceStatus, load_default="")


class NonconformanceGiven(Request):
    """Pieces of a work order that are not as they must be. work_order: number or native id; quantity: in its unit."""

    work_order = text(200, required=True)
    quantity = Exact(required=True)
    title = text(200, required=True)
    description = text(4000, load_default="")
    lot_no = text(200, allow_none=True, load_default=None)
    serials = text(4000, load_default="")
    quantity_limit = Exact(allow_none=True, load_default=None)
    expires_on = fields.Date(allow_none=True, load_default=None)


class DispositionGiven(Request):
    """What becomes of the pieces, why, and the signature of quality or engineering."""

    disposition = word(Disposition, required=True)
    reason = text(4000, required=True)
    quantity_limit = Exact(allow_none=True, load_default=None)
    signature = fields.Nested(SignatureGiven, required=True)


NonconformancePage = page_of(NonconformanceAnswer, "NonconformancePage")


def _find(record_id: str) -> Nonconformance:
    return pages.find(reading(), record_id)


def tag_of(found: Nonconformance) -> str:
    """Return the ETag of what is shown."""
    return str(found.version)


@reads(
    "/nonconformances", scope="rules:read", summary="List nonconformances, newest first", query=NonconformanceQuery,
    answer=NonconformancePage,
)  # fmt: skip
def list_nonconformances(*, q: str, status: str, after: str, limit: int) -> Any:
    """Search in numbers, documents and titles."""
    return as_page(pages.look_up(q, status, after, limit=limit))


@reads(
    "/nonconformances/<record_id>", scope="rules:read", summary="Get a nonconformance", answer=NonconformanceAnswer,
    etag=tag_of,
)  # fmt: skip
def get_nonconformance(record_id: str) -> Nonconformance:
    """Find it by id."""
    return _find(record_id)


@writes(
    "POST", "/nonconformances", scope="rules:write", summary="Raise a nonconformance about a work order", body=NonconformanceGiven,
    answer=NonconformanceAnswer, render=_find, etag=tag_of, status=201, person=True,
)  # fmt: skip
def raise_nonconformance(act: Act, body: dict[str, Any]) -> str:
    """By who works on the floor, plans, or keeps quality; quality is told and decides."""
    order = find(act.session, body.pop("work_order"))
    work_order_doors.need_recorder(act.session, visitor(), order)
    quantity = body.pop("quantity")
    return desk.raise_nonconformance(act, order, quantity, uom=order.uom, part_revision=order.part_revision, **body).id


@writes(
    "POST", "/nonconformances/<record_id>/disposition", scope="rules:write", summary="Decide what becomes of nonconforming pieces",
    body=DispositionGiven, answer=NonconformanceAnswer, render=_find, etag=tag_of, match=True, person=True,
)  # fmt: skip
def decide_nonconformance(act: Act, body: dict[str, Any], record_id: str) -> str:
    """Quality or engineering signs it; received goods are decided with their receipt."""
    found = pages.find(act.session, record_id)
    bodies.seen_tag(str(found.version))
    signed = signature_given(body["signature"])
    desk.decide(
        act, found, Disposition(body["disposition"]), signed, reason=body["reason"], quantity_limit=body["quantity_limit"]
    )  # fmt: skip
    return found.id
