"""What a flow knows of a document: its id, its number, and the few values that its tasks and gateways look at."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from engine.act import Act
from engine.database import Base, is_id
from engine.errors import Conflict, Finding, NotFound
from engine.registry import Work
from records.money import convert, total
from records.purchase_order import PurchaseOrder, approved_hash
from records.requisition import Requisition, RequisitionLine, requisition_hash
from records.sourcing import rate_on

Found = TypeVar("Found", bound=Base)


def requisition_of(act: Act, work: Work) -> Requisition:
    """Return the requisition that an instance is about. Raises: NotFound, also when it was started with something else."""
    given = work.get("requisition")
    return existing(act.session, Requisition, given.get("id") if isinstance(given, Mapping) else None)


def order_of(act: Act, work: Work) -> PurchaseOrder:
    """Return the order that an award has come to. Raises: Conflict before there is one."""
    order = work.get("order")
    if order is None:
        raise Conflict("Expected the award to have an order, but none is drafted yet")
    return existing(act.session, PurchaseOrder, order["id"])


def existing(session: Session, kind: type[Found], record_id: object) -> Found:
    """Return a record by id. Raises: NotFound, also for what can be no id."""
    record = session.get(kind, record_id) if isinstance(record_id, str) and is_id(record_id) else None
    if record is None:
        raise NotFound(f"Expected a {kind.__tablename__.replace('_', ' ')} {record_id}, but there is none")
    return record


def requisition_variable(act: Act, requisition: Requisition) -> dict[str, Any]:
    """Return the variable ``requisition``: what tasks show and gateways look at; amounts in both currencies."""
    return {
        "id": requisition.id,
        "number": requisition.number,
        "hash": requisition_hash(requisition),
        "title": title_of(requisition),
        "requester": requisition.requester_id,
        "cost_centre": requisition.cost_centre.code,
        "priority": requisition.priority.value,
        "currency": requisition.currency,
        "total": requisition.total,
        "total_company": company_amount(act, requisition, requisition.lines),
        "party": ", ".join(sorted({line.supplier.name for line in requisition.lines if line.supplier})) or None,
        "project": requisition.project,
        "lines": [line_variable(line) for line in requisition.lines],
    }


def line_variable(line: RequisitionLine) -> dict[str, Any]:
    """Return what a flow knows of one line."""
    return {
        "id": line.id,
        "line_no": line.line_no,
        "item": line.item,
        "quantity": line.quantity,
        "uom": line.uom,
        "estimated_price": line.estimated_price,
    }


def order_variable(order: PurchaseOrder) -> dict[str, Any]:
    """Return the variable ``order``. hash: of its content now; clock_from: when the acknowledgement clock began."""
    return {
        "id": order.id,
        "number": order.number,
        "proposal_no": order.proposal_no,
        "hash": approved_hash(order),
        "status": order.status.value,
        "buyer": order.buyer_id,
        "supplier_name": order.supplier.name,
        "currency": order.currency,
        "total": order.total,
        "line_count": len(order.lines),
        "valid_until": order.approval_expires_at,
        "valid_until_on": _day(order, order.approval_expires_at),
        "transmitted_on": _day(order, order.transmitted_at),
        "clock_from": order.transmitted_at,
    }


def _day(order: PurchaseOrder, at: dt.datetime | None) -> dt.date | None:
    """Return the day of an instant at the order's site."""
    return None if at is None else order.site.local_day(at)


def title_of(requisition: Requisition) -> str:
    """Return what a requisition is about, in one line."""
    if requisition.title:
        return requisition.title
    things = [f"{plain(line.quantity)} × {line.item}" for line in requisition.lines]
    return ", ".join(things[:3]) + (f" and {len(things) - 3} more" if len(things) > 3 else "")


def company_amount(act: Act, requisition: Requisition, lines: Iterable[RequisitionLine]) -> Decimal:
    """Return the amount of lines in company currency at today's rate. Raises: Invalid without a rate."""
    site = requisition.site
    rate = rate_on(act.session, requisition.currency, company_currency=site.currency, on=site.local_day(act.now))
    return convert(total(line.amount for line in lines), rate, currency=site.currency)


def plain(number: Decimal) -> str:
    """Return a number without trailing zeros, for reading."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def spoken(finding: Finding) -> str:
    """Return a finding as people read it: the rule, what it expected and found, and the way out."""
    return f"{finding.rule}: {finding.sentence} {finding.way_out}".rstrip()


def sentences(texts: Iterable[str]) -> list[dict[str, str]]:
    """Return texts as a form lists them."""
    return [{"sentence": text} for text in texts]
