"""Amendments of orders: list, get, propose, withdraw, and cancel what is still to come."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate
from sqlalchemy.orm import Session

from engine.act import Act
from engine.record import Operation
from processes import amendment as amending
from records.amendment import (
    AmendmentClass,
    AmendmentKind,
    AmendmentReason,
    AmendmentStatus,
    ApprovalPlan,
    PurchaseOrderAmendment,
    amendments_of,
)
from records.part import PartRevision
from records.purchase_order import IncotermCode
from rules.amending import Edits, LineEdit
from webapp.api import bodies
from webapp.api.endpoints import reads, writes
from webapp.api.instances import Reason
from webapp.api.orders import part_revision_called
from webapp.api.shapes import Answer, Exact, Instant, Request, Truth, Whole, maybe, text, word
from webapp.pages import amendments as pages
from webapp.pages import orders
from webapp.visit import reading

HEADER = (
    "payment_term",
    "incoterm",
    "incoterm_place",
    "incoterm_edition",
    "ship_to",
    "bill_to",
    "terms_doc",
    "terms_rev",
)


class AmendmentChangeAnswer(Answer):
    """One row of the stored redline. Texts are canonical; column is empty for what follows from others, such as an amount."""

    path = fields.String()
    column = fields.String()
    operation = word(Operation)
    old = maybe()
    new = maybe()
    change_class = word(AmendmentClass)
    why = fields.String()
    money_delta = Exact()


class AmendmentAnswer(Answer):
    """An amendment of an order. revision: of the order, once approved; increase: cumulative since the last full approval."""

    id = fields.UUID()
    number = fields.String()
    order_id = fields.UUID()
    order_number = fields.String()
    amend_no = fields.Integer()
    revision = fields.Integer()
    kind = word(AmendmentKind)
    change_class = word(AmendmentClass)
    reason_code = word(AmendmentReason)
    reason = fields.String()
    status = word(AmendmentStatus)
    plan = word(ApprovalPlan)
    plan_row = fields.Integer()
    plan_words = fields.String()
    currency = fields.String()
    total_before = Exact()
    total_after = Exact()
    money_delta = Exact()
    increase = Exact()
    increase_percent = Exact()
    impact = fields.String()
    content_hash = fields.String()
    hash_before = fields.String()
    hash_after = fields.String()
    opened_by = fields.String()
    reverts_id = fields.UUID(allow_none=True)
    change_order_id = fields.UUID(allow_none=True)
    approved_at = Instant(allow_none=True)
    sent_at = Instant(allow_none=True)
    applied_at = Instant(allow_none=True)
    ended_reason = maybe()
    cancellation_charge = Exact(allow_none=True)
    version = fields.Integer()
    changes = fields.List(fields.Nested(AmendmentChangeAnswer))


class AmendmentList(Answer):
    """The amendments of one order, oldest first, all of them."""

    items = fields.List(fields.Nested(AmendmentAnswer))
    next = maybe()


class AmendedLine(Request):
    """What becomes of a line; what is left out stays. is_cancelled: nothing more of it is delivered."""

    line_no = Whole(required=True)
    part_revision = text(60, metadata={"description": "`P-200/C`: only under an approved change order that says so."})
    quantity = Exact()
    unit_price = Exact()
    need_by = fields.Date(allow_none=True)
    description = text(20_000)
    quality_clauses = fields.List(text(40))
    certificates = fields.List(text(40))
    is_inspection_required = Truth()
    ship_to = text(4000, allow_none=True)
    cost_object = text(200, allow_none=True)
    spec = text(40, allow_none=True)
    spec_rev = text(40, allow_none=True)
    is_cancelled = Truth(load_default=False)


class AddedLine(Request):
    """A new line; it is appended."""

    part_revision = text(60)
    service_code = text(40)
    description = text(20_000)
    quantity = Exact(required=True)
    unit_price = Exact(required=True)
    uom = text(40)
    need_by = fields.Date(allow_none=True)
    quality_clauses = fields.List(text(40))
    certificates = fields.List(text(40))
    cost_object = text(200, allow_none=True)


class AmendmentProposal(Request):
    """What to change on an order that its supplier has."""

    reason = text(4000, required=True)
    reason_code = word(AmendmentReason, load_default=AmendmentReason.CORRECTION.value)
    payment_term = text(200)
    incoterm = word(IncotermCode, allow_none=True)
    incoterm_place = text(200, allow_none=True)
    incoterm_edition = text(40, allow_none=True)
    ship_to = text(4000)
    bill_to = text(4000)
    terms_doc = text(200, allow_none=True)
    terms_rev = text(40, allow_none=True)
    lines = fields.List(fields.Nested(AmendedLine), load_default=list, validate=validate.Length(max=1000))
    added_lines = fields.List(fields.Nested(AddedLine), load_default=list, validate=validate.Length(max=100))


def _answer(amendment: PurchaseOrderAmendment) -> dict[str, Any]:
    own = {name: getattr(amendment, name) for name in AmendmentAnswer().fields if hasattr(amendment, name)}
    changes = [
        {
            "path": change.path, "column": change.column_name, "operation": change.operation, "old": change.old_text,
            "new": change.new_text, "change_class": change.change_class, "why": change.why, "money_delta": change.money_delta,
        }
        for change in amendment.changes
    ]  # fmt: skip
    return own | {"order_number": amendment.order.number, "changes": changes}


def _show(record_id: str) -> dict[str, Any]:
    return _answer(pages.find(reading(), record_id))


def tag_of(found: Any) -> str:
    """Return the ETag of what is shown."""
    return str(found["version"])


@reads(
    "/orders/<record_id>/amendments",
    scope="orders:read",
    summary="List the amendments of an order",
    answer=AmendmentList,
)
def list_amendments(record_id: str) -> dict[str, Any]:
    """Oldest first, with their stored redlines."""
    order = orders.find(reading(), record_id)
    return {"items": [_answer(one) for one in amendments_of(reading(), order)], "next": None}


@reads("/amendments/<record_id>", scope="orders:read", summary="Get an amendment", answer=AmendmentAnswer, etag=tag_of)
def get_amendment(record_id: str) -> dict[str, Any]:
    """Find it by id."""
    return _show(record_id)


@writes(
    "POST", "/orders/<record_id>/amendments", scope="orders:write", summary="Propose an amendment and send it for approval",
    body=AmendmentProposal, answer=AmendmentAnswer, render=_show, etag=tag_of, status=201, person=True,
)  # fmt: skip
def propose_amendment(act: Act, body: dict[str, Any], record_id: str) -> str:
    """Send it on its way, as a buyer; what no approved change order covers answers 409 UNCONTROLLED_CHANGE with path and class."""
    order = orders.find(act.session, record_id)
    orders.need(*orders.BUYERS)
    amendment = amending.propose(
        act, order, _edits(act.session, body), reason=body["reason"], reason_code=AmendmentReason(body["reason_code"])
    )
    amending.start(act, amendment)
    return amendment.id


@writes(
    "PUT", "/amendments/<record_id>", scope="orders:write", summary="Correct an amendment that was sent back, and send it again",
    body=AmendmentProposal, answer=AmendmentAnswer, render=_show, etag=tag_of, person=True, match=True,
)  # fmt: skip
def correct_amendment(act: Act, body: dict[str, Any], record_id: str) -> str:
    """Replace everything that it says, under its number; its approvers sign anew. 409 unless it was sent back."""
    amendment = pages.find(act.session, record_id)
    orders.need(*orders.BUYERS)
    bodies.seen_tag(str(amendment.version))
    code = AmendmentReason(body["reason_code"])
    amending.resubmit(act, amendment, _edits(act.session, body), reason=body["reason"], reason_code=code)
    return amendment.id


@writes(
    "POST", "/amendments/<record_id>/withdraw", scope="orders:write", summary="Withdraw a pending amendment", body=Reason,
    answer=AmendmentAnswer, render=_show, etag=tag_of, person=True, match=True,
)  # fmt: skip
def withdraw_amendment(act: Act, body: dict[str, Any], record_id: str) -> str:
    """End it without effect; what was signed on it no longer counts."""
    amendment = pages.find(act.session, record_id)
    orders.need(*orders.BUYERS)
    bodies.seen_tag(str(amendment.version))
    amending.withdraw(act, amendment, reason=body["reason"])
    return amendment.id


@writes(
    "POST", "/orders/<record_id>/cancel", scope="orders:write", summary="Cancel what is still to come of an order", body=Reason,
    answer=AmendmentAnswer, render=_show, etag=tag_of, status=201, person=True,
)  # fmt: skip
def cancel_order(act: Act, body: dict[str, Any], record_id: str) -> str:
    """Open the cancelling amendment; the order waits for its supplier once that is released."""
    order = orders.find(act.session, record_id)
    orders.need(*orders.BUYERS)
    return amending.cancel_order(act, order, reason=body["reason"]).id


def _edits(session: Session, body: dict[str, Any]) -> Edits:
    return Edits(
        {name: body[name] for name in HEADER if name in body},
        [_edit(session, line) for line in body["lines"]],
        [_columns(session, line) for line in body["added_lines"]],
    )


def _edit(session: Session, line: dict[str, Any]) -> LineEdit:
    values = _columns(session, {name: value for name, value in line.items() if name not in ("line_no", "is_cancelled")})
    return LineEdit(line["line_no"], values, is_cancelled=line["is_cancelled"])


def _columns(session: Session, given: dict[str, Any]) -> dict[str, Any]:
    """Return columns to values; a part revision is named by its number."""
    values = {name: value for name, value in given.items() if name != "part_revision"}
    if given.get("part_revision"):
        revision: PartRevision = part_revision_called(session, given["part_revision"])
        values["part_revision_id"] = revision.id
    return values
