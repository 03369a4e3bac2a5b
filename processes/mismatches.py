"""The mismatch inbox: what systems and papers disagree about, by owner and age, and how somebody settles it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from engine.act import Act
from engine.database import is_id
from engine.errors import Conflict, Forbidden, Invalid, NotFound
from processes.importing.agreement import FIELDS
from records.external import Discrepancy, DiscrepancyStatus, move

SETTLERS = frozenset({"INTEGRATION", "FIN_CTRL", "PUR_MGR"})
"""Roles that may settle what another role owns."""

AGES = {"0": 1, "1": 3, "3": 7, "7": None}
"""Age bands by their first day, with the day on which the next one begins (0-1-3-7)."""

FILTERS = ("q", "kind", "severity", "owner", "state", "age")
WORDS = {
    "other_supplier": "Who delivered or billed", "other_currency": "Currency of goods or bill",
    "other_item": "Item delivered or billed", "other_unit": "Unit of goods or bill", "invoice_price": "Billed price",
    "received": "Received quantity", "invoiced": "Billed quantity", "work_order_quantity": "Quantity of the work order",
    "operation_status": "Outside operation without an order", "operation_named": "Operation that the text names",
    "revision_named": "Revision that the text names", "made_quantity": "Made quantity", "quantity": "Quantity",
    "uom": "Unit", "unit_price": "Price", "need_by": "Need-by date", "item": "Item", "status": "Status",
    "payment_term": "Payment term", "currency": "Currency", "supplier": "Supplier", "revision": "Revision",
    "description": "Description", "cost_object": "Cost object",
}  # fmt: skip
"""What people call a field."""


def wanted(filters: Mapping[str, str], *, now: dt.datetime) -> Select[Discrepancy]:
    """Return what fits. filters: q (words), kind, severity, owner, state (OPEN when empty), age (0, 1, 3 or 7 days)."""
    query = select(Discrepancy).where(Discrepancy.status == (filters.get("state") or DiscrepancyStatus.OPEN.value))
    for name, column in (
        ("kind", Discrepancy.kind), ("severity", Discrepancy.severity), ("owner", Discrepancy.owner),
    ):  # fmt: skip
        if filters.get(name):
            query = query.where(column == filters[name])
    if filters.get("q"):
        text = filters["q"].lower()
        columns = (Discrepancy.document_number, Discrepancy.field, Discrepancy.ours, Discrepancy.theirs)
        query = query.where(or_(*(func.lower(column).contains(text, autoescape=True) for column in columns)))
    if filters.get("age"):
        query = query.where(_aged(filters["age"], now))
    return query


def counts(session: Session) -> dict[str, dict[str, int]]:
    """Return how many are open: by severity, by kind, by owner."""
    columns: dict[str, Any] = {
        "severity": Discrepancy.severity, "kind": Discrepancy.kind, "owner": Discrepancy.owner,
    }  # fmt: skip
    is_open = Discrepancy.status == DiscrepancyStatus.OPEN
    return {
        name: {
            str(value): int(number)
            for value, number in session.execute(
                select(column, func.count()).where(is_open).group_by(column).order_by(column)
            )
        }
        for name, column in columns.items()
    }


AT_SUPPLIER = "at_supplier."
"""How the field begins where pieces at a supplier's place are compared; the supplier's number follows."""


def field_words(field: str) -> str:
    """Return a field as people call it, ``Billed price, line 3``."""
    if field.startswith(AT_SUPPLIER):
        return f"Pieces at {field.removeprefix(AT_SUPPLIER)}"
    place, _, name = field.rpartition(".")
    kind, _, number = place.partition(".")
    words = WORDS.get(name, name.replace("_", " ").capitalize())
    return f"{words}, {kind.removesuffix('s')} {number}" if number else words


def is_between_papers(field: str) -> bool:
    """Whether it is between two papers of one business, not between their copy of a document and ours."""
    return field.rpartition(".")[2] in FIELDS


def find(session: Session, record_id: str) -> Discrepancy:
    """Return a discrepancy. Raises: NotFound."""
    found = session.get(Discrepancy, record_id) if is_id(record_id) else None
    if found is None:
        raise NotFound("Expected a mismatch at this address, but there is none.")
    return found


def may_settle(found: Discrepancy, roles: set[str], user_id: str | None) -> bool:
    """Whether a person may settle it: its owner, or somebody who settles for others."""
    kind, _, owner = found.owner.partition(":")
    return (owner in roles if kind == "role" else owner == user_id) or bool(roles & SETTLERS)


def settle(act: Act, found: Discrepancy, *, reason: str, roles: set[str]) -> Discrepancy:
    """Say how a disagreement was settled; the facts are corrected where they are owned. The same two values do not open it again.

    Raises: Forbidden for who neither owns it nor settles for others; Conflict when it is settled; Invalid without a reason.
    """
    if found.status is not DiscrepancyStatus.OPEN:
        raise Conflict("Expected an open mismatch, but it is settled", code="ILLEGAL_TRANSITION")
    if not may_settle(found, roles, act.user_id):
        raise Forbidden(f"Expected {found.owner} to settle this, but you are not; ask them")
    if not reason.strip():
        raise Invalid("Expected how it was settled, but there is nothing", {"reason": "is required"})
    if len(reason) > 4000:
        raise Invalid("Expected at most 4,000 characters", {"reason": "is too long"})
    return move(act, found, DiscrepancyStatus.RESOLVED, reason=reason.strip())


def _aged(age: str, now: dt.datetime) -> ColumnElement[bool]:
    if age not in AGES:
        raise Invalid(f"Expected an age of {', '.join(AGES)} days, but found {age[:20]!r}", {"age": "is unknown"})
    youngest = Discrepancy.opened_at <= now - dt.timedelta(days=int(age))
    following = AGES[age]
    return youngest if following is None else and_(youngest, Discrepancy.opened_at > now - dt.timedelta(days=following))
