"""Change requests and change orders: list, get, ask, open, name revisions, set values, withdraw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from marshmallow import fields
from sqlalchemy.orm import Session

from engine.act import Act
from engine.canonical import content_hash
from engine.database import is_id
from engine.errors import NotFound
from engine.record import Operation
from processes import change_control
from processes import change_orders as desk
from processes import change_producers as producers
from processes import change_requests as requests
from processes.change_references import add_reference, remove_reference
from processes.change_values import edit_of, read_value, record_called, reference_called, rows_called
from records.change_order import (
    ChangeOrder,
    ChangeOrderStatus,
    ChangeType,
    EffectivityKind,
    FaiDecision,
    Interchangeable,
    ItemAction,
)
from records.change_request import ChangeRequest, OrderClass, RequestSource, RequestStatus, Urgency
from records.part import DefinitionKind, PartRevision
from records.supplier_knowledge import SupplierChangeNotice
from rules.change_control import items_of
from rules.change_item import ChangeClass, ChangeItem
from webapp.api import bodies
from webapp.api.endpoints import reads, writes
from webapp.api.instances import Reason
from webapp.api.shapes import Answer, Instant, Listed, Moment, Request, Truth, as_page, maybe, page_of, text, word
from webapp.change_page import place
from webapp.pages import change_requests as request_pages
from webapp.pages import changes as pages
from webapp.pages import nonconformances as nonconformance_pages
from webapp.pages import orders
from webapp.pages import suppliers as supplier_pages
from webapp.visit import reading


class EditGiven(Request):
    """One value: the row as people call it (`P-200/B`, `PO-5010/1`, `WO-7001/30`), the column, and what it becomes."""

    record = text(200, required=True)
    column = text(40, required=True)
    new = text(20_000, required=True, allow_none=True)


class RequestGiven(Request):
    """What should change and why. edits: values, kept word for word."""

    title = text(200, required=True)
    problem = text(20_000, required=True)
    proposal = text(20_000, load_default="")
    source = word(RequestSource, load_default=RequestSource.DOC_ERROR.value)
    source_ref = text(200, load_default="")
    urgency = word(Urgency, load_default=Urgency.ROUTINE.value)
    proposed_class = word(OrderClass, allow_none=True, load_default=None)
    edits = fields.List(fields.Nested(EditGiven), load_default=list)
    is_draft = Truth(load_default=False)


class OrderGiven(Request):
    """A change order. requests: numbers of accepted change requests; expires_at: of an emergency, needed there."""

    change_class = word(OrderClass, required=True)
    title = text(200, required=True)
    reason = text(20_000, required=True)
    type = word(ChangeType, load_default=ChangeType.PRODUCT.value)
    requests = fields.List(text(60), load_default=list)
    effectivity_kind = word(EffectivityKind, allow_none=True, load_default=None)
    effectivity_value = text(200, load_default="")
    fai = word(FaiDecision, allow_none=True, load_default=None)
    regulator_notice = text(200, load_default="")
    is_customer_approval_required = Truth(load_default=False)
    is_revalidation_required = Truth(load_default=False)
    is_training_required = Truth(load_default=False)
    expires_at = Moment(allow_none=True, load_default=None)


class ItemGiven(Request):
    """An affected revision, `P-200/B`, and the one that follows, `P-200/C`."""

    revision = text(60, required=True)
    follows = text(60, allow_none=True, load_default=None)
    action = word(ItemAction, load_default=ItemAction.REVISE.value)
    interchangeable = word(Interchangeable, load_default=Interchangeable.NO.value)


class ReferenceGiven(Request):
    """A document that comes to define a released revision, `P-200/B`. content_hash: SHA-256 of its content."""

    revision = text(60, required=True)
    kind = word(DefinitionKind, required=True)
    system = text(40, required=True)
    native_id = text(200, required=True)
    native_rev = text(40, load_default="")
    content_hash = text(64, required=True)


class ReferenceGone(Request):
    """A document that no longer defines its revision, `P-200/B BOM B-1`."""

    reference = text(300, required=True)


class ValueAnswer(Answer):
    """One value. record: the row as people call it; texts are canonical."""

    table_name = fields.String()
    row_id = fields.String()
    record = fields.String()
    column = fields.String()
    old = maybe()
    new = maybe()


class ItemAnswer(ValueAnswer):
    """One value that an order sets, with the class that 4c gives it."""

    operation = word(Operation)
    change_class = word(ChangeClass)
    applied_at = Instant(allow_none=True)


class AffectedAnswer(Answer):
    """One affected revision."""

    revision = fields.String()
    follows = maybe()
    action = word(ItemAction)
    interchangeable = word(Interchangeable)
    baseline_hash = maybe()


class ChangeRequestAnswer(Answer):
    """A change request."""

    id = fields.UUID()
    number = fields.String()
    title = fields.String()
    originator = fields.String()
    source = word(RequestSource)
    source_ref = fields.String()
    problem = fields.String()
    proposal = fields.String()
    urgency = word(Urgency)
    proposed_class = word(OrderClass, allow_none=True)
    status = word(RequestStatus)
    submitted_at = Instant(allow_none=True)
    decided_by = maybe()
    decided_at = Instant(allow_none=True)
    decision_reason = fields.String()
    edits = fields.List(fields.Nested(ValueAnswer))
    version = fields.Integer()


class ChangeOrderAnswer(Answer):
    """A change order. content_hash: what its board signs, null while it is in writing; items: as they stand now."""

    id = fields.UUID()
    number = fields.String()
    change_class = word(OrderClass)
    type = word(ChangeType)
    title = fields.String()
    reason = fields.String()
    status = word(ChangeOrderStatus)
    owner = fields.String()
    opened_by = fields.String()
    effectivity_kind = word(EffectivityKind, allow_none=True)
    effectivity_value = fields.String()
    is_customer_approval_required = fields.Boolean()
    customer_approval_ref = fields.String()
    regulator_notice = fields.String()
    fai = word(FaiDecision, allow_none=True)
    is_revalidation_required = fields.Boolean()
    is_training_required = fields.Boolean()
    baseline_hash = maybe()
    impact_hash = maybe()
    content_hash = maybe()
    round = fields.Integer()
    expires_at = Instant(allow_none=True)
    approved_at = Instant(allow_none=True)
    effective_at = Instant(allow_none=True)
    closed_at = Instant(allow_none=True)
    ended_reason = fields.String()
    affected = fields.List(fields.Nested(AffectedAnswer))
    items = fields.List(fields.Nested(ItemAnswer))
    version = fields.Integer()


class ChangeRequestQuery(Listed):
    """What change requests may be listed by. ``q`` is part of a number or title."""

    status = word(RequestStatus, load_default="")


class ChangeOrderQuery(Listed):
    """What change orders may be listed by. ``q`` is part of a number or title."""

    status = word(ChangeOrderStatus, load_default="")


ChangeRequestPage = page_of(ChangeRequestAnswer, "ChangeRequestPage")
ChangeOrderPage = page_of(ChangeOrderAnswer, "ChangeOrderPage")


def tag_of(found: dict[str, Any]) -> str:
    """Return the ETag of what is shown."""
    return str(found.get("tag", found["version"]))


def _tag(order: ChangeOrder, items: Sequence[ChangeItem]) -> str:
    """Return the ETag: the version, and those of its revisions and values, since one may be added without the order's own row."""
    named = [[one.id, one.version] for one in order.affected] + [[one.id, one.version] for one in items]
    return f"{order.version}-{content_hash(named)[:12]}"


@reads(
    "/change-requests", scope="changes:read", summary="List change requests, newest first", query=ChangeRequestQuery,
    answer=ChangeRequestPage,
)  # fmt: skip
def list_change_requests(*, q: str, status: str, after: str, limit: int) -> Any:
    """Search in numbers and titles."""
    page = as_page(request_pages.look_up(q, status, after, limit=limit))
    return page | {"items": [_request(one) for one in page["items"]]}


@reads(
    "/change-requests/<record_id>", scope="changes:read", summary="Get a change request", answer=ChangeRequestAnswer, etag=tag_of
)  # fmt: skip
def get_change_request(record_id: str) -> dict[str, Any]:
    """Find it by id or number."""
    return _request(request_pages.find(reading(), record_id))


@writes(
    "POST", "/change-requests", scope="changes:write", summary="Ask for a change", body=RequestGiven, answer=ChangeRequestAnswer,
    render=get_change_request, etag=tag_of, status=201,
)  # fmt: skip
def create_change_request(act: Act, body: dict[str, Any]) -> str:
    """Keep it with its edits and send it to triage, unless it is a draft; anybody may ask, an adapter too."""
    made = requests.open_request(
        act, title=body["title"], problem=body["problem"], proposal=body["proposal"], source=RequestSource(body["source"]),
        source_ref=body["source_ref"], urgency=Urgency(body["urgency"]),
        proposed_class=OrderClass(body["proposed_class"]) if body["proposed_class"] else None,
        edits=[_edit(act.session, one) for one in body["edits"]],
    )  # fmt: skip
    if not body["is_draft"]:
        requests.submit(act, made)
        change_control.begin(act, made)
    return made.id


class WishGiven(Request):
    """What to ask for because of a document; what is left out is taken from it."""

    title = text(200, load_default="")
    problem = text(20_000, load_default="")
    proposal = text(20_000, load_default="")
    urgency = word(Urgency, load_default=Urgency.ROUTINE.value)


@writes(
    "POST", "/nonconformances/<record_id>/change-request", scope="changes:write", summary="Ask for a change because of a nonconformance",
    body=WishGiven, answer=ChangeRequestAnswer, render=get_change_request, etag=tag_of, status=201,
)  # fmt: skip
def ask_because_of_nonconformance(act: Act, body: dict[str, Any], record_id: str) -> str:
    """The request names it and goes to triage; 409 while an open one names it already."""
    cause = nonconformance_pages.find(act.session, record_id)
    return producers.ask_because_of(act, cause, _wish(body)).id


@writes(
    "POST", "/suppliers/<record_id>/changes/<notice_id>/change-request", scope="changes:write",
    summary="Ask for a change because of a supplier's notice", body=WishGiven, answer=ChangeRequestAnswer, render=get_change_request,
    etag=tag_of, status=201,
)  # fmt: skip
def ask_because_of_notice(act: Act, body: dict[str, Any], record_id: str, notice_id: str) -> str:
    """The request names it and goes to triage; 409 while an open one names it already."""
    supplier = supplier_pages.find(act.session, record_id)
    cause = act.session.get(SupplierChangeNotice, notice_id) if is_id(notice_id) else None
    if cause is None or cause.supplier_id != supplier.id:
        raise NotFound("Expected a notice of change of this supplier, but there is none.")
    return producers.ask_because_of(act, cause, _wish(body)).id


def _wish(body: dict[str, Any]) -> producers.Wish:
    return producers.Wish(body["title"], body["problem"], body["proposal"], Urgency(body["urgency"]))


@writes(
    "POST", "/change-requests/<record_id>/withdraw", scope="changes:write", summary="Withdraw a change request", body=Reason,
    answer=ChangeRequestAnswer, render=get_change_request, etag=tag_of, match=True, person=True,
)  # fmt: skip
def withdraw_change_request(act: Act, body: dict[str, Any], record_id: str) -> str:
    """Take it back, as who asked for it."""
    found = request_pages.find(act.session, record_id)
    bodies.seen_tag(str(found.version))
    return requests.withdraw_request(act, found, reason=body["reason"]).id


@reads(
    "/change-orders", scope="changes:read", summary="List change orders, newest first", query=ChangeOrderQuery,
    answer=ChangeOrderPage,
)  # fmt: skip
def list_change_orders(*, q: str, status: str, after: str, limit: int) -> Any:
    """Search in numbers and titles."""
    page = as_page(pages.look_up(q, status, after, limit=limit))
    return page | {"items": [_order(one) for one in page["items"]]}


@reads(
    "/change-orders/<record_id>",
    scope="changes:read",
    summary="Get a change order",
    answer=ChangeOrderAnswer,
    etag=tag_of,
)
def get_change_order(record_id: str) -> dict[str, Any]:
    """Find it by id or number."""
    return _order(pages.find(reading(), record_id))


@writes(
    "POST", "/change-orders", scope="changes:write", summary="Open a change order", body=OrderGiven, answer=ChangeOrderAnswer,
    render=get_change_order, etag=tag_of, status=201, person=True,
)  # fmt: skip
def create_change_order(act: Act, body: dict[str, Any]) -> str:
    """Open it, as engineering or quality; values of its requests come along."""
    orders.need(*request_pages.SPECIALISTS)
    asked = [request_pages.find(act.session, number) for number in body.pop("requests")]
    change_class = OrderClass(body.pop("change_class"))
    title, reason = body.pop("title"), body.pop("reason")
    given = {name: value for name, value in body.items() if value not in (None, "", False)}
    order = desk.open_order(act, requests=asked, change_class=change_class, title=title, reason=reason, **given)
    change_control.take_up(act, order)
    return order.id


@writes(
    "POST", "/change-orders/<record_id>/items", scope="changes:write", summary="Name an affected revision", body=ItemGiven,
    answer=ChangeOrderAnswer, render=get_change_order, etag=tag_of, match=True, person=True,
)  # fmt: skip
def add_affected_item(act: Act, body: dict[str, Any], record_id: str) -> str:
    """Say which revision the order is about, and which follows."""
    order = _writable(act.session, record_id)
    before = _revision(act.session, body["revision"])
    after = _revision(act.session, body["follows"]) if body["follows"] else None
    desk.add_item(
        act,
        order,
        before,
        after,
        action=ItemAction(body["action"]),
        interchangeable=Interchangeable(body["interchangeable"]),
    )
    return order.id


@writes(
    "POST", "/change-orders/<record_id>/edits", scope="changes:write", summary="Set a value by a change order", body=EditGiven,
    answer=ChangeOrderAnswer, render=get_change_order, etag=tag_of, match=True, person=True,
)  # fmt: skip
def add_change_edit(act: Act, body: dict[str, Any], record_id: str) -> str:
    """Say what becomes of one value; what 4c refuses answers 409 with its sentence."""
    order = _writable(act.session, record_id)
    record = record_called(act.session, body["record"])
    desk.add_edit(act, order, record, body["column"], read_value(record, body["column"], body["new"]))
    return order.id


@writes(
    "POST", "/change-orders/<record_id>/references", scope="changes:write", summary="Add a document to what defines a revision",
    body=ReferenceGiven, answer=ChangeOrderAnswer, render=get_change_order, etag=tag_of, match=True, person=True,
)  # fmt: skip
def add_change_reference(act: Act, body: dict[str, Any], record_id: str) -> str:
    """Say which bill of material, routing or instruction a released revision gets; the order must be deep enough."""
    order = _writable(act.session, record_id)
    revision = _revision(act.session, body.pop("revision"))
    add_reference(act, order, revision, kind=DefinitionKind(body.pop("kind")), **body)
    return order.id


@writes(
    "POST", "/change-orders/<record_id>/references/removal", scope="changes:write",
    summary="Take a document from what defines a revision", body=ReferenceGone, answer=ChangeOrderAnswer, render=get_change_order,
    etag=tag_of, match=True, person=True,
)  # fmt: skip
def remove_change_reference(act: Act, body: dict[str, Any], record_id: str) -> str:
    """Say which one goes; it is told to the board word for word."""
    order = _writable(act.session, record_id)
    remove_reference(act, order, reference_called(act.session, body["reference"]))
    return order.id


@writes(
    "POST", "/change-orders/<record_id>/withdraw", scope="changes:write", summary="Withdraw a change order", body=Reason,
    answer=ChangeOrderAnswer, render=get_change_order, etag=tag_of, match=True, person=True,
)  # fmt: skip
def withdraw_change_order(act: Act, body: dict[str, Any], record_id: str) -> str:
    """End it while nothing of it is applied; every signature on it is superseded."""
    return change_control.take_back(act, _writable(act.session, record_id), reason=body["reason"]).id


def _writable(session: Session, record_id: str) -> ChangeOrder:
    order = pages.find(session, record_id)
    orders.need(*request_pages.SPECIALISTS)
    bodies.seen_tag(_tag(order, items_of(session, order)))
    return order


def _revision(session: Session, name: str) -> PartRevision:
    return pages.revision_called(session, name, "revision")


def _edit(session: Session, given: dict[str, Any]) -> Any:
    record = record_called(session, given["record"])
    return edit_of(record, given["column"], read_value(record, given["column"], given["new"]))


def _request(found: ChangeRequest) -> dict[str, Any]:
    return _columns(found) | {"edits": [_value(edit, edit.about) for edit in found.edits]}


def _order(order: ChangeOrder) -> dict[str, Any]:
    session = reading()
    items = items_of(session, order)
    rows = rows_called(session, items)
    return _columns(order) | {
        "tag": _tag(order, items),
        "affected": [
            {
                "revision": item.part_revision_from.number,
                "follows": item.part_revision_to.number if item.part_revision_to else None,
                "action": item.action,
                "interchangeable": item.interchangeable,
                "baseline_hash": item.baseline_hash,
            }
            for item in order.affected
        ],
        "items": [
            _value(item, rows.get(item.row_id) or place(session, item.table_name, item.row_id))
            | {"operation": item.operation, "change_class": item.change_class, "applied_at": item.applied_at}
            for item in items
        ],
    }


def _value(item: Any, called: str) -> dict[str, Any]:
    return {
        "table_name": item.table_name, "row_id": item.row_id, "record": called, "column": item.column_name,
        "old": item.old_text, "new": item.new_text,
    }  # fmt: skip


def _columns(record: Any) -> dict[str, Any]:
    return {column.key: getattr(record, column.key) for column in record.__mapper__.column_attrs}
