"""What the review page knows of a kind of document: its digest in five lines, its page.

A new record type registers a ``Kind`` here when it wants more than the generic view of its fields.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import url_for
from sqlalchemy.orm import Session

from engine.record import Record
from records.amendment import PurchaseOrderAmendment
from records.change_order import ChangeOrder, ChangeOrderAddendum
from records.change_request import ChangeRequest
from records.cost_centre import availability
from records.impact import assessments_of
from records.part import Criticality, process_words
from records.purchase_order import PurchaseOrder
from records.quotation import RequestForQuotation
from records.requisition import Requisition, RequisitionStatus
from records.sole_source import SoleSourceJustification
from records.supplier import Supplier, SupplierStatus
from records.work_order import WorkOrder
from webapp import amendment_page, change_dossier, sourcing_digest, visit
from webapp.formats import day, money, plural, quantity, words


@dataclass(frozen=True, slots=True)
class Dossier:
    """One document as the review page shows it. digest: label and sentence; template: of its lines, under heading, given more.

    revisions: from which to which its signature leads, ``P-200/B → P-200/C``; empty where it changes none.
    edit_url: where it is corrected while it is returned, else empty.
    """

    record: Any
    kind_words: str
    url: str
    digest: Sequence[tuple[str, str]]
    template: str
    status: str
    people: Mapping[str, str] = field(default_factory=dict)
    heading: str = "Lines"
    more: Mapping[str, Any] = field(default_factory=dict)
    revisions: str = ""
    edit_url: str = ""


@dataclass(frozen=True, slots=True)
class Kind:
    """How one record type is loaded and digested."""

    record: type[Record]
    words: str
    show: Callable[[Session, Any], Dossier]


def find(session: Session, record_type: str | None, record_id: str | None) -> Any | None:
    """Return a document of a kind that pages know, or None."""
    kind = KINDS.get(record_type or "")
    return session.get(kind.record, record_id) if kind and record_id else None


def dossier(session: Session, record: Any) -> Dossier:
    """Return what the review page shows of a document."""
    return KINDS[record.record_type].show(session, record)


def record_url(record_type: str | None, record_id: str | None) -> str:
    """Return the page of a document, or empty where its kind has none."""
    if record_type is not None and record_type in PAGES and record_id:
        return url_for(PAGES[record_type], record_id=record_id)
    return url_for("review.show", task_id=record_id) if record_type == "task" and record_id else ""


def _requisition(session: Session, record: Requisition) -> Dossier:
    how = visit.visitor().how
    spent = availability(session, record.cost_centre, fiscal_year=(record.need_by or visit.now().date()).year)
    budget = f"; {record.cost_centre.code} {record.cost_centre.name} has {money(spent.available, record.cost_centre.currency, how)} left"
    digest = (
        ("What", _items(record.lines, how)),
        ("Why", record.justification or "No justification was given."),
        ("Cost", f"{money(record.total, record.currency, how)} on {plural(len(record.lines), 'line')}{budget}"),
        ("Risk", _risk(record.lines, [line.supplier for line in record.lines if line.supplier])),
        ("Impact", _impact(record.lines, record.need_by)),
    )
    return Dossier(
        record, "Requisition", record_url("requisition", record.id), digest, "documents/requisition_lines.html",
        record.status.value, {"Requested by": record.requester.name},
        edit_url=url_for("requisitions.edit", record_id=record.id) if record.status == RequisitionStatus.RETURNED else "",
    )  # fmt: skip


def _order(session: Session, record: PurchaseOrder) -> Dossier:
    how = visit.visitor().how
    terms = ", ".join(filter(None, (record.payment_term, record.incoterm_text))) or "no terms are set"
    digest = (
        ("What", _items(record.lines, how)),
        ("Why", "; ".join(dict.fromkeys(_reasons(record))) or "No requisition is linked."),
        ("Cost", f"{money(record.total, record.currency, how)} to {record.supplier.name}; {terms}"),
        ("Risk", _risk(record.lines, [record.supplier])),
        ("Impact", _impact(record.lines, min((line.need_by for line in record.lines if line.need_by), default=None))),
    )
    people = {"Buyer": record.buyer.name} if record.buyer else {}
    return Dossier(
        record, "Purchase order", record_url("purchase_order", record.id), digest, "documents/order_lines.html",
        record.status.value, {"Supplier": record.supplier.name, **people},
    )  # fmt: skip


def _work_order(session: Session, record: WorkOrder) -> Dossier:
    how = visit.visitor().how
    steps = [operation.description for operation in record.operations]
    planned = (
        f"{day(record.planned_start, how)} to {day(record.planned_finish, how)}"
        if record.planned_start
        else "not planned yet"
    )
    digest = (
        ("What", f"{quantity(record.quantity, record.uom, how)} of {record.item}"),
        ("Why", record.description or f"{words(record.type)} from {record.system}"),
        ("Work", ", ".join(steps[:6]) or "No operation yet."),
        ("When", planned),
    )
    return Dossier(
        record, "Work order", record_url("work_order", record.id), digest, "work_orders/operations.html", record.status.value,
        {"System": record.system},
    )  # fmt: skip


def _amendment(session: Session, record: PurchaseOrderAmendment) -> Dossier:
    how, order = visit.visitor().how, record.order
    delta = money(record.money_delta, record.currency, how)
    before, after = (money(total, record.currency, how) for total in (record.total_before, record.total_after))
    cost = f"{'+' if record.money_delta > 0 else ''}{delta}: {after} instead of {before}"
    changed = [one.sentence for one in amendment_page.stored(session, record).differences]
    digest = (
        ("What", " ".join(changed[:4]) + (f" And {len(changed) - 4} more." if len(changed) > 4 else "")),
        ("Why", f"{words(record.reason_code)}: {record.reason}"),
        ("Cost", cost),
        ("Risk", f"Change class {record.change_class}. {record.plan_words}"),
        ("Impact", record.impact.replace("\n", " ") or "Nothing is received, and no work order waits for it."),
    )
    people = {"Supplier": order.supplier.name} | ({"Buyer": order.buyer.name} if order.buyer else {})
    return Dossier(
        record, "Amendment", record_url(record.record_type, record.id), digest, "documents/amendment_review.html",
        record.status.value, people, heading="Changes", revisions=f"Revision {record.revision - 1} → {record.revision}",
    )  # fmt: skip


def _change_order(session: Session, record: ChangeOrder) -> Dossier:
    people = {"Owner": change_dossier.name_of(session, record.owner)}
    more = {"rows": change_dossier.rows_shown(session, record), "said": assessments_of(session, record)}
    return Dossier(
        record, "Change order", record_url(record.record_type, record.id), change_dossier.digest_of(session, record),
        "changes/review.html", record.status.value, people, heading="What it changes and touches", more=more,
        revisions=change_dossier.revisions_of(record),
    )  # fmt: skip


def _addendum(session: Session, record: ChangeOrderAddendum) -> Dossier:
    order = record.change_order
    return Dossier(
        record, "Change order", record_url(order.record_type, order.id), change_dossier.addendum_digest(session, record),
        "changes/addendum_review.html", record.status.value, {"Proposed by": change_dossier.name_of(session, record.proposed_by)},
        heading="What was signed before", more={"rows": change_dossier.rows_shown(session, order), "said": ()},
    )  # fmt: skip


def _change_request(session: Session, record: ChangeRequest) -> Dossier:
    people = {"Asked by": change_dossier.name_of(session, record.originator)}
    return Dossier(
        record, "Change request", record_url(record.record_type, record.id), change_dossier.request_digest(record),
        "changes/request_review.html", record.status.value, people, heading="The request",
    )  # fmt: skip


def _request_for_quotation(session: Session, record: RequestForQuotation) -> Dossier:
    compared, more = sourcing_digest.request_values(session, record)
    return Dossier(
        record, "Request for quotation", record_url(record.record_type, record.id), sourcing_digest.request_digest(record, compared),
        "quotes/review.html", record.status.value, {"Buyer": record.buyer.name} if record.buyer else {},
        heading="Quotes side by side", more=more,
    )  # fmt: skip


def _sole_source(session: Session, record: SoleSourceJustification) -> Dossier:
    return Dossier(
        record, "Justification", record_url(record.record_type, record.id), sourcing_digest.justification_digest(record),
        "quotes/justification_review.html", record.status.value, {"Written by": record.writer.name}, heading="What is bought",
    )  # fmt: skip


def _reasons(order: PurchaseOrder) -> list[str]:
    asked = [line.requisition_line.requisition for line in order.lines if line.requisition_line]
    return [f"{one.number}: {one.justification or one.title or 'no reason given'}" for one in asked]


def _items(lines: Sequence[Any], how: Any) -> str:
    shown = [f"{quantity(line.quantity, line.uom, how)} of {line.item}" for line in lines[:3]]
    more = f" and {plural(len(lines) - 3, 'more line')}" if len(lines) > 3 else ""
    return ", ".join(shown) + more if shown else "Nothing yet: there is no line."


def _risk(lines: Sequence[Any], suppliers: Sequence[Supplier]) -> str:
    found = [
        f"line {line.line_no} is {words(line.part_revision.part.criticality).lower()}"
        for line in lines
        if line.part_revision and line.part_revision.part.criticality is not Criticality.STD
    ]
    found += [
        f"line {line.line_no} needs {process_words(line.process_code)} outside" for line in lines if line.process_code
    ]
    found += [
        f"{one.name} is {words(one.status).lower()}"
        for one in dict.fromkeys(suppliers)
        if one.status is not SupplierStatus.APPROVED
    ]
    text = "; ".join(found)
    return text[:1].upper() + text[1:] + "." if text else "Standard parts from approved suppliers."


def _impact(lines: Sequence[Any], need_by: dt.date | None) -> str:
    how = visit.visitor().how
    when = f"Needed by {day(need_by, how)}." if need_by else "No need-by date."
    operations = [line.work_order_op for line in lines if line.work_order_op]
    return f"{when} For {', '.join(dict.fromkeys(operations))}." if operations else when


KINDS: Mapping[str, Kind] = {
    "requisition": Kind(Requisition, "Requisition", _requisition),
    "purchase_order": Kind(PurchaseOrder, "Purchase order", _order),
    "work_order": Kind(WorkOrder, "Work order", _work_order),
    "change_order": Kind(ChangeOrder, "Change order", _change_order),
    "change_order_addendum": Kind(ChangeOrderAddendum, "Addendum", _addendum),
    "change_request": Kind(ChangeRequest, "Change request", _change_request),
    "purchase_order_amendment": Kind(PurchaseOrderAmendment, "Amendment", _amendment),
    "request_for_quotation": Kind(RequestForQuotation, "Request for quotation", _request_for_quotation),
    "sole_source_justification": Kind(SoleSourceJustification, "Justification", _sole_source),
}
PAGES: Mapping[str, str] = {
    "requisition": "requisitions.show",
    "purchase_order": "orders.show",
    "purchase_order_amendment": "amendments.show",
    "part": "parts.show",
    "lot": "lots.show",
    "supplier": "suppliers.show",
    "work_order": "work_orders.show",
    "instance": "operations.show",
    "outside_link": "outside.show",
    "outside_loss": "outside.loss",
    "work_order_operation": "outside.operation",
    "waiver": "waivers.show",
    "nonconformance": "nonconformances.show",
    "mode_switch": "flow_modes.show",
    "legal_hold": "evidence.hold",
    "change_order": "changes.show",
    "change_request": "change_requests.show",
    "board": "boards.show",
    "board_meeting": "boards.meeting",
    "request_for_quotation": "quotes.show",
    "sourcing_ref": "agreements.show",
    "sole_source_justification": "sole_sources.show",
    "webhook": "webhooks.show",
}
