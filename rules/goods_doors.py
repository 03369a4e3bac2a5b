"""The doors of goods and bills: receipts are never edited, quantities are the sums of their rows, releases are signed."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Table

from engine.database import Base
from records.certificate import Certificate
from records.inspection import Inspection
from records.invoice import Invoice, InvoiceLine, MatchHold, MatchResult, Payable
from records.purchase_order import PurchaseOrder, PurchaseOrderLine
from records.receipt import Receipt, ShortClose
from rules import doors
from rules.doors import Door, Speech
from rules.guarded import table_of

LATER: dict[type[Base], tuple[str, ...]] = {
    Receipt: (
        "status", "quarantine", "quarantine_reason", "over_decision", "lot_id", "nonconformance_id", "review_signature_id",
    ),
    Certificate: ("status", "refusal", "verified_by", "signature_id", "receipt_id"),
    Invoice: ("status", "refusal", "duplicate_of_id"),
    InvoiceLine: (),
    MatchHold: ("status", "ended_at", "released_by", "reason", "signature_id"),
    ShortClose: ("status", "decided_by", "answer"),
}  # fmt: skip
"""Columns that are written after the row was made; every other one stays as it was written."""

KEPT_BY_THE_HOUSE = ("version", "changed_at", "changed_by")
WRITTEN_ONCE: tuple[type[Base], ...] = (Inspection, MatchResult, Payable)

SETTLED: dict[type[Base], tuple[str, ...]] = {
    Receipt: ("lot_id", "nonconformance_id", "review_signature_id", "over_decision"),
    Certificate: ("signature_id", "verified_by", "receipt_id"),
    MatchHold: ("signature_id", "released_by", "ended_at"),
}
"""Columns that, once set, stay set as they are."""

ACCEPTED = "('ACCEPTED', 'PUT_AWAY')"
SUMS = {
    "quantity_received": ("SELECT SUM(r.quantity - r.over_quantity) FROM receipt r WHERE r.order_line_id = {row}.id"),
    "quantity_accepted": (
        "SELECT SUM(r.quantity - r.over_quantity) FROM receipt r LEFT JOIN receipt o ON o.id = r.reverses_id "
        f"WHERE r.order_line_id = {{row}}.id AND COALESCE(o.status, r.status) IN {ACCEPTED}"
    ),
    "quantity_invoiced": "SELECT SUM(p.quantity) FROM payable p WHERE p.order_line_id = {row}.id",
}
"""What each quantity of an order line is the sum of, beside what an ERP had before."""


def goods_doors(speech: Speech) -> Iterator[Door]:
    """Yield every door of receipts, inspections, certificates, invoices and of the quantities on order lines."""
    for mapped in WRITTEN_ONCE:
        yield from doors.append_only(table_of(mapped))
    for mapped, later in LATER.items():
        table = table_of(mapped)
        stays = [column.name for column in table.columns if column.name not in (*later, *KEPT_BY_THE_HOUSE)]
        yield from doors.fixed(table, stays, speech)
        yield from doors.never_deleted(table)
    for mapped, columns in SETTLED.items():
        yield from _settled(table_of(mapped), columns, speech)
    yield from _sums(speech)
    yield from _reversals()
    yield from _acceptance()


def _settled(table: Table, columns: tuple[str, ...], speech: Speech) -> Iterator[Door]:
    for column in columns:
        yield Door(
            name=f"guard_{table.name}_{column}_settled",
            table=table,
            event="UPDATE",
            columns=(column,),
            refused_when=f"OLD.{column} IS NOT NULL AND {speech.differ(f'OLD.{column}', f'NEW.{column}')}",
            sentence=f"UNCONTROLLED_CHANGE: Expected {table.name}.{column} to be set once, but it was set again",
        )


def _sums(speech: Speech) -> Iterator[Door]:
    table = table_of(PurchaseOrderLine)
    for column, rows in SUMS.items():
        right = f"COALESCE(NEW.quantity_imported, 0) + COALESCE(({rows.format(row='NEW')}), 0)"
        yield Door(
            name=f"guard_purchase_order_line_{column}_is_the_sum",
            table=table,
            event="UPDATE",
            columns=(column,),
            refused_when=f"{speech.differ(f'OLD.{column}', f'NEW.{column}')} AND NEW.{column} <> {right}",
            sentence=(
                f"COUNTED: Expected purchase_order_line.{column} to be the sum of its rows, but another value was written"
            ),
        )
    yield from doors.fixed(table, ("quantity_imported",), speech)
    own = f"NOT EXISTS (SELECT 1 FROM {table_of(PurchaseOrder).name} d WHERE d.id = NEW.order_id AND d.origin = 'ERP')"
    differs = " OR ".join(f"NEW.{column} <> COALESCE(NEW.quantity_imported, 0)" for column in SUMS)
    yield Door(
        name="guard_purchase_order_line_starts_empty",
        table=table,
        event="INSERT",
        refused_when=f"({differs}) OR (COALESCE(NEW.quantity_imported, 0) <> 0 AND {own})",
        sentence="COUNTED: Expected a new order line to have received nothing, but it was inserted with quantities",
    )
    yield Door(
        name="guard_purchase_order_line_pays_what_is_accepted",
        table=table,
        event="UPDATE",
        columns=("quantity_invoiced",),
        refused_when=(
            "NEW.match_level = 4 AND NEW.quantity_invoiced > OLD.quantity_invoiced "
            "AND NEW.quantity_invoiced > NEW.quantity_accepted"
        ),
        sentence="QTY_ACC: Expected a four-way line to pay at most what was accepted, but more was to become payable",
    )


def _reversals() -> Iterator[Door]:
    table = table_of(Receipt)
    original = "SELECT 1 FROM receipt o WHERE o.id = NEW.reverses_id AND o.order_line_id = NEW.order_line_id"
    reversed_ = "COALESCE((SELECT SUM(r.quantity) FROM receipt r WHERE r.reverses_id = NEW.reverses_id), 0)"
    yield Door(
        name="guard_receipt_reverses_no_more_than_came",
        table=table,
        event="INSERT",
        refused_when=(
            f"NEW.reverses_id IS NOT NULL AND NOT EXISTS ({original} AND o.quantity > 0 "
            f"AND o.quantity + {reversed_} + NEW.quantity >= 0)"
        ),
        sentence="REVERSED: Expected a reversal of at most what came on the same line, but it is more or of another line",
    )
    yield Door(
        name="guard_receipt_starts_as_arrived",
        table=table,
        event="INSERT",
        refused_when="NEW.status NOT IN ('ARRIVED', 'REVERSAL')",
        sentence="ILLEGAL_TRANSITION: Expected received goods to start as ARRIVED, but they were inserted beyond that",
    )


def _acceptance() -> Iterator[Door]:
    table = table_of(Receipt)
    accepted = f"OLD.status NOT IN {ACCEPTED} AND NEW.status = 'ACCEPTED'"
    line = "SELECT 1 FROM purchase_order_line l WHERE l.id = NEW.order_line_id"
    passed = "SELECT 1 FROM inspection n WHERE n.receipt_id = NEW.id AND n.result = 'PASS'"
    shown = (
        "SELECT COUNT(DISTINCT c.type) FROM certificate c WHERE c.order_line_id = NEW.order_line_id AND c.status = 'VERIFIED' "
        "AND (c.receipt_id IS NULL OR c.receipt_id = NEW.id) "
        "AND REPLACE(l.certificates, '\"' || c.type || '\"', '') <> l.certificates"
    )
    # The column holds canonical JSON, ["COC","MTR"]: one more than the separators, or none.
    asked = (
        "CASE WHEN l.certificates = '[]' THEN 0 "
        "ELSE 1 + (LENGTH(l.certificates) - LENGTH(REPLACE(l.certificates, '\",\"', ''))) / 3 END"
    )
    yield Door(
        name="guard_receipt_accepted_as_reviewed",
        table=table,
        event="UPDATE",
        columns=("status",),
        refused_when=(
            "OLD.status IN ('QUARANTINE', 'REJECTED') AND NEW.status = 'ACCEPTED' AND NEW.review_signature_id IS NULL"
        ),
        sentence="UNSIGNED: Expected goods kept apart or rejected to be used only as a material review signed, but none did",
    )
    yield Door(
        name="guard_receipt_accepted_when_inspected",
        table=table,
        event="UPDATE",
        columns=("status",),
        refused_when=(
            f"{accepted} AND NEW.review_signature_id IS NULL AND EXISTS ({line} AND l.is_inspection_required) "
            f"AND NOT EXISTS ({passed})"
        ),
        sentence="INSPECTION: Expected goods to be accepted after an inspection that passed, but there is none",
    )
    yield Door(
        name="guard_receipt_accepted_with_certificates",
        table=table,
        event="UPDATE",
        columns=("status",),
        refused_when=f"{accepted} AND EXISTS ({line} AND ({shown}) < ({asked}))",
        sentence="CERT: Expected every certificate that the order asks for to be verified before acceptance, but one is not",
    )
