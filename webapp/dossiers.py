"""What the review page knows of a kind of document: its digest in five lines, the parts that a redline compares, its page.

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
from records.cost_centre import CostCentre, availability
from records.part import Criticality, PartRevision
from records.purchase_order import PurchaseOrder, PurchaseOrderLine
from records.requisition import Requisition, RequisitionLine
from records.supplier import Supplier, SupplierSite, SupplierStatus
from records.work_order import WorkOrder, WorkOrderOperation
from webapp import amendment_page, redline, visit
from webapp.formats import day, money, plural, quantity, words
from webapp.redline import Difference, Part

HEADER_FIELDS: Mapping[str, str] = {
    "title": "title", "justification": "justification", "need_by": "need-by date", "currency": "currency",
    "priority": "priority", "project": "project", "capex_no": "capex number", "advance_payment": "advance payment",
    "ship_to": "ship-to", "payment_term": "payment term", "incoterm": "Incoterm", "incoterm_place": "Incoterm place",
    "bill_to": "bill-to", "terms_doc": "terms", "terms_rev": "terms revision", "supplier_id": "supplier",
    "supplier_site_id": "supplier site", "cost_centre_id": "cost centre", "comment": "comment",
}  # fmt: skip
LINE_FIELDS: Mapping[str, str] = {
    "part_revision_id": "part revision", "service_code": "service", "description": "description", "quantity": "quantity",
    "uom": "unit", "estimated_price": "estimated price", "unit_price": "unit price", "need_by": "need-by date",
    "supplier_id": "supplier", "process_code": "process", "spec": "specification", "spec_rev": "specification revision",
    "cost_object": "cost object", "ship_to": "ship-to", "is_single_source": "single source",
    "customer_reference": "customer reference", "work_order_op": "work-order operation",
    "quality_clauses": "quality clauses", "certificates": "certificates", "is_inspection_required": "inspection",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Dossier:
    """One document as the review page shows it. digest: label and sentence; template: of its lines."""

    record: Any
    kind_words: str
    url: str
    digest: Sequence[tuple[str, str]]
    template: str
    status: str
    people: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Redline:
    """The changes of a document. basis: what it is compared with, in words; empty when there is nothing to compare."""

    differences: Sequence[Difference]
    basis: str


@dataclass(frozen=True, slots=True)
class Kind:
    """How one record type is loaded, digested and compared."""

    record: type[Record]
    words: str
    show: Callable[[Session, Any], Dossier]
    submitted: str
    line: type[Record] | None = None
    parent: str = ""


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


def changes(session: Session, record: Any) -> Redline:
    """Return the redline: since the last submission but one, or since the requisition for an order's first."""
    if isinstance(record, PurchaseOrderAmendment):
        return Redline(amendment_page.differences(record), f"revision {record.revision - 1} of {record.order.number}")
    kind = KINDS[record.record_type]
    moments = redline.moments_of(session, record, kind.submitted)
    if len(moments) > 1:
        return Redline(_since(session, record, kind, moments[-2]), "the last time it was submitted")
    if isinstance(record, PurchaseOrder):
        return Redline(against_requisition(record), "the requisition")
    return Redline((), "")


def _since(session: Session, record: Any, kind: Kind, moment: dt.datetime) -> list[Difference]:
    parts = [Part(record, "Header", _known(record, HEADER_FIELDS))]
    lines = getattr(record, "lines", ())
    parts += [Part(line, f"Line {line.line_no}", _known(line, LINE_FIELDS)) for line in lines]
    gone: list[Difference] = []
    if kind.line is not None:
        gone = redline.removed_rows(
            session, kind.line.record_type, parent=kind.parent, parent_id=record.id, after=moment,
            fields={name: label for name, label in LINE_FIELDS.items() if hasattr(kind.line, name)},
        )  # fmt: skip
    return [_named(session, one) for one in redline.since(session, parts, moment, gone=gone)]


def _known(record: Record, fields: Mapping[str, str]) -> dict[str, str]:
    return {name: label for name, label in fields.items() if hasattr(type(record), name)}


def _named(session: Session, found: Difference) -> Difference:
    """Replace ids by the numbers that people know."""
    if found.name not in ("part revision", "supplier", "cost centre", "supplier site"):
        return found
    return redline.compare(
        found.place, found.name, _number(session, found.name, found.old), _number(session, found.name, found.new)
    )


def _number(session: Session, name: str, record_id: str | None) -> str | None:
    kinds = {
        "part revision": PartRevision,
        "supplier": Supplier,
        "cost centre": CostCentre,
        "supplier site": SupplierSite,
    }
    found: Any = session.get(kinds[name], record_id) if record_id else None
    return found.number if found is not None else record_id


def against_requisition(order: PurchaseOrder) -> list[Difference]:
    """Return how an order differs from the requisition lines that it fulfils."""
    found: list[Difference] = []
    for line in order.lines:
        asked = line.requisition_line
        if asked is None:
            text = f"{line.item}, quantity {line.quantity:f}"
            found.append(Difference(redline.Kind.ADDED, f"Line {line.line_no}", "a line nobody requested", None, text))
            continue
        found += [
            redline.compare(f"Line {line.line_no}", name, old, new)
            for name, old, new in _pairs(asked, line)
            if (old or None) != (new or None)
        ]
    return found


def _pairs(asked: RequisitionLine, line: PurchaseOrderLine) -> list[tuple[str, str | None, str | None]]:
    before = redline.texts_of(asked, ("service_code", "quantity", "uom", "estimated_price", "spec", "spec_rev"))
    after = redline.texts_of(line, ("service_code", "quantity", "uom", "unit_price", "spec", "spec_rev"))
    old_part = asked.part_revision.number if asked.part_revision else None
    new_part = line.part_revision.number if line.part_revision else None
    labels = ("service", "quantity", "unit", "price", "specification", "specification revision")
    texts = zip(labels, before.values(), after.values(), strict=True)
    wanted = asked.need_by or asked.requisition.need_by
    dates = ("need-by date", wanted.isoformat() if wanted else None, line.need_by.isoformat() if line.need_by else None)
    return [("part revision", old_part, new_part), *texts, dates]


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
    changed = [one.sentence for one in amendment_page.differences(record)]
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
        record.status.value, people,
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
    found += [f"line {line.line_no} needs {line.process_code} outside" for line in lines if line.process_code]
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
    "requisition": Kind(Requisition, "Requisition", _requisition, "SUBMITTED", RequisitionLine, "requisition_id"),
    "purchase_order": Kind(PurchaseOrder, "Purchase order", _order, "PENDING_APPROVAL", PurchaseOrderLine, "order_id"),
    "work_order": Kind(WorkOrder, "Work order", _work_order, "RELEASED", WorkOrderOperation, "work_order_id"),
    "purchase_order_amendment": Kind(PurchaseOrderAmendment, "Amendment", _amendment, "PENDING"),
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
}
