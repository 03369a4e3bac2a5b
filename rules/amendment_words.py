"""What an amendment changes, in words: ``line 1: quantity 60 EA → 40 EA``; the canonical texts stay what is signed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy.orm import object_session

from engine.record import Operation
from records.amendment import AmendmentChange, AmendmentKind, PurchaseOrderAmendment
from records.part import PartRevision

WORDS = {
    "quantity": "quantity", "unit_price": "unit price", "need_by": "needed on", "description": "text", "status": "delivery",
    "quality_clauses": "quality clauses", "certificates": "certificates", "is_inspection_required": "inspection",
    "ship_to": "deliver to", "bill_to": "invoice to", "payment_term": "terms of payment", "incoterm": "Incoterm",
    "incoterm_place": "Incoterm place", "incoterm_edition": "Incoterm edition", "terms_doc": "general terms",
    "terms_rev": "general terms, revision", "amount": "amount", "part_revision_id": "part revision", "service_code": "service",
    "uom": "unit", "advance_payment": "advance payment", "spec": "specification", "spec_rev": "specification revision",
    "process_code": "process", "cost_object": "cost object", "tax_code": "tax code", "match_level": "match level",
    "tolerance_profile": "tolerance profile", "supplier_id": "supplier", "supplier_site_id": "supplier site",
    "conversion_factor": "conversion factor", "work_order_op": "operation",
}  # fmt: skip
"""The fields of an order as people say them."""

PRINTED = frozenset(
    {
        "quantity", "unit_price", "need_by", "description", "status", "quality_clauses", "certificates",
        "is_inspection_required", "ship_to", "bill_to", "payment_term", "incoterm", "incoterm_place", "incoterm_edition",
        "terms_doc", "terms_rev", "amount", "part_revision_id", "service_code", "uom", "advance_payment", "spec", "spec_rev",
    }
)  # fmt: skip
"""What a supplier reads of a change; the rest is the house's own business."""

MONEY = frozenset({"unit_price", "amount", "advance_payment"})
LONGEST = 60
"""Characters of a free text that a title shows."""
NAMED = 3
"""Changes that a title names; the redline has them all."""


@dataclass(frozen=True, slots=True)
class Measure:
    """In what the numbers of a change are told. uom: of its line, or empty; currency: of its order."""

    uom: str = ""
    currency: str = ""


def field_of(path: str) -> str:
    """Return the column or computed value that a path ends with."""
    return path.rpartition(".")[2]


def label_of(path: str) -> str:
    """Return what a path changes, as people say it: ``unit price``."""
    name = field_of(path)
    return WORDS.get(name) or name.removeprefix("is_").removesuffix("_id").replace("_", " ")


def place_of(path: str) -> str:
    """Return where a path is: ``Line 2`` or ``Order``."""
    return f"Line {path.split('.')[1]}" if path.startswith("lines.") else "Order"


def said(path: str) -> str:
    """Return what a path is about: ``quantity of line 1``, ``terms of payment``."""
    return f"{label_of(path)} of {place_of(path).lower()}" if path.startswith("lines.") else label_of(path)


def measure_of(change: AmendmentChange) -> Measure:
    """Return the unit of a change's line, of a new line as its own rows say, and the amendment's currency."""
    amendment = change.amendment
    own = next((one.new_text for one in amendment.changes if one.row_id == change.row_id and _is(one, "uom")), None)
    line = next((line for line in amendment.order.lines if line.id == change.row_id), None)
    return Measure(own or (line.uom if line is not None else ""), amendment.currency)


def shown(path: str, text: str | None, measure: Measure, *, part_revision: str = "") -> str:
    """Return a canonical text as a person reads it, or an empty text for none.

    part_revision: the number behind an id, where the path changes the part revision.
    """
    name = field_of(path)
    if text is None or text == "":
        return ""
    if name == "quantity":
        return f"{Decimal(text):,.6f}".rstrip("0").rstrip(".") + (f" {measure.uom}" if measure.uom else "")
    if name in MONEY:
        whole, _, rest = f"{Decimal(text):,.4f}".partition(".")
        return f"{whole}.{rest.rstrip('0').ljust(2, '0')}" + (f" {measure.currency}" if measure.currency else "")
    if name in ("quality_clauses", "certificates"):
        return ", ".join(json.loads(text)) or "none"
    if name == "is_inspection_required":
        return "required" if text == "true" else "not required"
    if name == "status":
        return {"CANCELLED": "cancelled"}.get(text, "as ordered")
    return part_revision if name == "part_revision_id" and part_revision else text


def shown_change(change: AmendmentChange, text: str | None) -> str:
    """Return one side of a stored change as a person reads it."""
    number = ""
    if text and _is(change, "part_revision_id") and (session := object_session(change)) is not None:
        found = session.get(PartRevision, text)
        number = found.number if found is not None else ""
    return shown(change.path, text, measure_of(change), part_revision=number)


def sentence_of(change: AmendmentChange) -> str:
    """Return one change in words: ``line 1: quantity 60 EA → 40 EA``."""
    if _is(change, "status"):
        return f"{place_of(change.path).lower()}: {'cancelled' if change.new_text == 'CANCELLED' else 'delivered after all'}"
    old, new = (_short(shown_change(change, text)) or "none" for text in (change.old_text, change.new_text))
    return f"{place_of(change.path).lower()}: {label_of(change.path)} {old} → {new}"


def sentences_of(amendment: PurchaseOrderAmendment) -> list[str]:
    """Return what an amendment sets, one sentence a value and one a new line; what only follows from them is left out."""
    if amendment.kind is AmendmentKind.CANCELLATION:
        return ["what is still to come is cancelled"]
    direct = [one for one in amendment.changes if one.column_name and one.operation is Operation.UPDATE]
    return [*(sentence_of(one) for one in direct), *_new_lines(amendment.changes)]


def title_of(amendment: PurchaseOrderAmendment) -> str:
    """Return what an amendment does, in one line, with what it costs."""
    delta = shown("amount", f"{amendment.money_delta:.4f}", Measure(currency=amendment.currency))
    money = f"+{delta}" if amendment.money_delta > 0 else delta if amendment.money_delta else "same total"
    if amendment.kind is AmendmentKind.CANCELLATION:
        return f"cancel what is still to come, {money}"
    sentences = sentences_of(amendment)
    left = len(sentences) - NAMED
    told = [*sentences[:NAMED], *([f"{left} more"] if left > 0 else [])]
    undo = "restore " if amendment.kind is AmendmentKind.REVERSAL else ""
    return f"{undo}{'; '.join(told)} ({money})"


def _new_lines(changes: Iterable[AmendmentChange]) -> list[str]:
    added: dict[str, AmendmentChange] = {}
    for change in changes:
        if change.operation is Operation.INSERT and (change.row_id not in added or _is(change, "quantity")):
            added[change.row_id] = change
    return [
        f"new {place_of(one.path).lower()}" + (f": {shown_change(one, one.new_text)}" if _is(one, "quantity") else "")
        for one in added.values()
    ]


def _is(change: AmendmentChange, name: str) -> bool:
    return field_of(change.path) == name


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
