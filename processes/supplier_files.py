"""Screenings, sub-tiers, changes and stock at suppliers' places from CSV files: each row once, what does not fit told by row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import select

from engine.act import Act
from engine.errors import Invalid
from processes import supplier_records as records
from processes.goods_files import Report, day_in, number_in, rows_of, try_row
from processes.supplier_records import Changed, Declared, Event, Screened
from processes.supplier_stock import Seen, instant_in, observe
from processes.supplier_watch import look
from records.part import Part
from records.supplier import Supplier
from records.supplier_knowledge import (
    ChangeKind,
    Declarant,
    ScreeningResult,
    SubTier,
    SupplierChangeNotice,
    SupplierScreening,
)

Row = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of file. columns: the heading may have these, and must have ``needs``; take: returns whether a row was new."""

    columns: Sequence[str]
    needs: Sequence[str]
    take: Callable[[Act, Row], bool]


def bring(act: Act, content: bytes, *, kind: str) -> Report:
    """Take in a file of one of the KINDS; a row that does not fit is told and leaves the others alone.

    The file may come again: what was taken in writes nothing. Raises: Invalid for another kind, or a file that cannot be read.
    """
    found = KINDS.get(kind)
    if found is None:
        raise Invalid(f"Expected one of {', '.join(KINDS)}, but found {kind:.40}", {"kind": "is unknown"})
    report = Report()
    for number, row in rows_of(content, tuple(found.columns), tuple(found.needs)):
        report.rows += 1
        try_row(act, report, number, partial(found.take, act, row))
    return report


def _screening(act: Act, row: Row) -> bool:
    supplier = _supplier(act, row)
    event = _event(row)
    seen = Screened(
        _word(ScreeningResult, row, "result"), row["source"], on=day_in(row, "screened_on"), reference=row.get("reference", ""),
        note=row.get("note", ""),
    )  # fmt: skip
    known = _is_known(act, SupplierScreening, event)
    records.screen(act, supplier, seen, event=event)
    look(act, supplier)
    return not known


def _sub_tier(act: Act, row: Row) -> bool:
    supplier, event = _supplier(act, row), _event(row)
    given = Declared(
        row["name"], row["process_code"], _word(Declarant, row, "declarant", otherwise="SUPPLIER"), on=day_in(row, "declared_on"),
        spec=row.get("spec") or None, address=row.get("address", ""), certificate_no=row.get("certificate_no") or None,
        valid_to=day_in(row, "valid_to"), note=row.get("note", ""),
    )  # fmt: skip
    known = _is_known(act, SubTier, event)
    records.declare_sub_tier(act, supplier, given, event=event)
    look(act, supplier)
    return not known


def _change(act: Act, row: Row) -> bool:
    supplier, event = _supplier(act, row), _event(row)
    effective = day_in(row, "effective_on")
    if effective is None:
        raise Invalid("Expected the day of the change, but it is empty", {"effective_on": "is required"})
    part = act.session.scalar(select(Part).where(Part.part_no == row["part_no"])) if row.get("part_no") else None
    if row.get("part_no") and part is None:
        raise Invalid(f"Expected a part called {row['part_no']:.40}, but there is none", {"part_no": "is unknown"})
    given = Changed(
        _word(ChangeKind, row, "kind"), row["statement"], effective, noticed_on=day_in(row, "noticed_on"), part=part,
        process_code=row.get("process_code") or None,
    )  # fmt: skip
    known = _is_known(act, SupplierChangeNotice, event)
    records.note_change(act, supplier, given, event=event)
    return not known


def _stock(act: Act, row: Row) -> bool:
    seen = Seen(
        row["system"], row["native_id"], _supplier(act, row), row["location"], row["work_order"], number_in(row, "quantity"),
        instant_in(row["observed_at"]), item=row.get("item", ""), uom=row.get("uom") or "EA",
    )  # fmt: skip
    return observe(act, seen)[1]


KINDS = {
    "screenings": Kind(
        ("system", "event_id", "supplier_no", "screened_on", "result", "source", "reference", "note"),
        ("event_id", "supplier_no", "result", "source"), _screening,
    ),
    "sub-tiers": Kind(
        ("system", "event_id", "supplier_no", "name", "address", "process_code", "spec", "certificate_no", "valid_to", "declarant",
         "declared_on", "note"),
        ("event_id", "supplier_no", "name", "process_code"), _sub_tier,
    ),
    "changes": Kind(
        ("system", "event_id", "supplier_no", "kind", "part_no", "process_code", "noticed_on", "effective_on", "statement"),
        ("event_id", "supplier_no", "kind", "effective_on", "statement"), _change,
    ),
    "stock": Kind(
        ("system", "native_id", "supplier_no", "location", "work_order", "item", "quantity", "uom", "observed_at"),
        ("system", "native_id", "supplier_no", "location", "work_order", "quantity", "observed_at"), _stock,
    ),
}  # fmt: skip
"""What a file may hold."""


def _supplier(act: Act, row: Row) -> Supplier:
    found = act.session.scalar(select(Supplier).where(Supplier.supplier_no == row["supplier_no"]))
    if found is None:
        raise Invalid(
            f"Expected a supplier we know, but found {row['supplier_no']!r:.60}", {"supplier_no": "is unknown"}
        )
    return found


def _event(row: Row) -> Event:
    if not row["event_id"]:
        raise Invalid("Expected the sender's own id of the event, but it is empty", {"event_id": "is required"})
    return Event(row.get("system") or "FILE", row["event_id"])


def _is_known(act: Act, mapped: Any, event: Event) -> bool:
    wanted = select(mapped.id).where(mapped.source_system == event.system, mapped.source_event_id == event.event_id)
    return act.session.scalar(wanted) is not None


def _word(kind: Any, row: Row, name: str, *, otherwise: str = "") -> Any:
    given = (row.get(name) or otherwise).upper()
    try:
        return kind(given)
    except ValueError as error:
        raise Invalid(
            f"Expected {name} to be one of {', '.join(kind)}, but found {given:.40}", {name: "is unknown"}
        ) from error
