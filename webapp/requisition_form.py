"""The requisition form: what was typed, read into a requisition line by line; every wrong value says so by its field."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from engine.act import Act
from engine.canonical import is_whole
from engine.errors import Invalid
from records.cost_centre import CostCentre
from records.money import MINOR_UNITS
from records.part import OutsideProcess, Part, PartRevision, PartType, RevisionStatus
from records.requisition import Priority, Requisition, RequisitionLine
from records.supplier import Supplier
from records.units import UNITS, check_quantity
from webapp import typed
from webapp.formats import Custom
from webapp.typed import Unreadable

MOST_LINES = 500
HEADER = (
    "title", "cost_centre", "need_by", "currency", "priority", "project", "capex_no", "advance_payment", "ship_to",
    "justification",
)  # fmt: skip
LINE = (
    "id", "part", "revision", "description", "quantity", "uom", "estimated_price", "supplier", "need_by", "process_code",
    "spec", "spec_rev", "cost_object", "work_order_op", "customer_reference", "is_single_source",
)  # fmt: skip
PLAIN = {
    "spec": 40, "spec_rev": 40, "cost_object": 200, "work_order_op": 200, "customer_reference": 200, "process_code": 40,
}  # fmt: skip


@dataclass(slots=True)
class Typed:
    """What somebody typed: the header by name, each line by name."""

    header: dict[str, str]
    lines: list[dict[str, str]]
    errors: dict[str, str] = field(default_factory=dict)


def typed_from(form: Mapping[str, str]) -> Typed:
    """Take the form as it arrived. Raises: Invalid for more lines than anybody needs, or a field that was forged."""
    count = 0
    for name in form:
        start, _, rest = name.partition(".")
        index, _, key = rest.partition(".")
        if start != "lines":
            continue
        if is_whole(index, digits=8) and int(index) >= MOST_LINES and key in LINE:
            raise Invalid(
                f"Expected at most {MOST_LINES} lines on one requisition, but there are more; nothing was written. Go back and move"
                " some of them to another requisition.",
                {"lines": f"Expected at most {MOST_LINES} lines"},
            )
        if not is_whole(index, digits=3) or key not in LINE:
            raise Invalid(f"Expected only the fields of this form, but found {name[:60]}", code="FORGED_FIELD")
        count = max(count, int(index) + 1)
    lines = [{key: form.get(f"lines.{index}.{key}", "") for key in LINE} for index in range(count)]
    return Typed({name: form.get(name, "") for name in HEADER}, [line for line in lines if any(line.values())])


def typed_of(requisition: Requisition, write: Any) -> Typed:
    """Show a stored requisition as one would have typed it. write: puts a number into the visitor's customs."""
    header = {
        "title": requisition.title, "cost_centre": requisition.cost_centre.code, "currency": requisition.currency,
        "need_by": _iso(requisition.need_by), "priority": requisition.priority.value,
        "project": requisition.project or "", "capex_no": requisition.capex_no or "",
        "advance_payment": write(requisition.advance_payment) if requisition.advance_payment else "",
        "ship_to": requisition.ship_to or "", "justification": requisition.justification,
    }  # fmt: skip
    return Typed(header, [_line_as_typed(line, write) for line in requisition.lines])


def _line_as_typed(line: RequisitionLine, write: Any) -> dict[str, str]:
    part = line.part_revision.part.part_no if line.part_revision else line.service_code
    shown: dict[str, Any] = {
        "id": line.id, "part": part, "revision": line.part_revision.rev if line.part_revision else "",
        "description": line.description, "quantity": write(line.quantity), "uom": line.uom,
        "estimated_price": write(line.estimated_price), "supplier": line.supplier.supplier_no if line.supplier else "",
        "need_by": _iso(line.need_by), "is_single_source": "true" if line.is_single_source else "",
    }  # fmt: skip
    shown.update((name, getattr(line, name)) for name in PLAIN)
    return {name: shown.get(name) or "" for name in LINE}


def _iso(day: dt.date | None) -> str:
    return day.isoformat() if day else ""


def with_line(typed_now: Typed) -> Typed:
    """Add an empty line; it starts with the unit EA and the supplier of the line above."""
    supplier = typed_now.lines[-1]["supplier"] if typed_now.lines else ""
    typed_now.lines.append(dict.fromkeys(LINE, "") | {"uom": "EA", "supplier": supplier})
    return typed_now


def without_line(typed_now: Typed, index: str) -> Typed:
    """Take a line out."""
    if is_whole(index) and int(index) < len(typed_now.lines):
        del typed_now.lines[int(index)]
    return typed_now


@dataclass(slots=True)
class _Reading:
    """One reading: the session it looks things up in, how numbers are typed, the errors so far.

    parts, suppliers, processes: what the lines name, by number or code, looked up for all of them at once.
    """

    session: Session
    how: Custom
    errors: dict[str, str]
    parts: Mapping[str, Part]
    suppliers: Mapping[str, Supplier]
    processes: frozenset[str]

    def decimal(self, name: str, text: str, *, decimals: int, above: Decimal | None = None) -> Decimal | None:
        if not text.strip():
            return None
        try:
            return typed.decimal(text, self.how, decimals=decimals, above=above)
        except Unreadable as error:
            self.errors[name] = str(error)
            return None

    def day(self, name: str, text: str) -> dt.date | None:
        if not text.strip():
            return None
        try:
            return typed.day(text)
        except Unreadable as error:
            self.errors[name] = str(error)
            return None

    def words(self, name: str, text: str, longest: int) -> str:
        try:
            return typed.words(text, longest=longest)
        except Unreadable as error:
            self.errors[name] = str(error)
            return ""


def fill(session: Session, requisition: Requisition, typed_now: Typed, how: Custom) -> None:
    """Set a requisition's values from what was typed.

    Raises: Invalid with a sentence for every field that does not fit; some values are set by then, so the act (or the
    transient object) must be thrown away.
    """
    reading = _begin(session, typed_now.lines, how)
    _fill_header(requisition, typed_now.header, reading)
    known = {line.id: line for line in requisition.lines}
    kept: list[RequisitionLine] = []
    last = max((line.line_no for line in requisition.lines), default=0)
    for index, line_typed in enumerate(typed_now.lines):
        line = known.get(line_typed["id"])
        if line is None:
            last += 1
            line = RequisitionLine(line_no=last, quantity=Decimal(1))
        _fill_line(line, line_typed, f"lines.{index}.", reading)
        kept.append(line)
    requisition.lines[:] = kept
    if reading.errors:
        raise Invalid("Expected a complete form, but some fields do not fit yet", reading.errors)


def _begin(session: Session, lines: Sequence[Mapping[str, str]], how: Custom) -> _Reading:
    """Look up what the lines name, however many they are, and begin to read them."""
    numbers, supplier_numbers, codes = (
        sorted({line[name].strip() for line in lines} - {""}) for name in ("part", "supplier", "process_code")
    )
    parts = select(Part).where(Part.part_no.in_(numbers)).options(selectinload(Part.revisions))
    suppliers = select(Supplier).where(Supplier.supplier_no.in_(supplier_numbers))
    processes = select(OutsideProcess.code).where(OutsideProcess.code.in_(codes))
    return _Reading(
        session, how, {},
        {part.part_no: part for part in session.scalars(parts)} if numbers else {},
        {supplier.supplier_no: supplier for supplier in session.scalars(suppliers)} if supplier_numbers else {},
        frozenset(session.scalars(processes)) if codes else frozenset(),
    )  # fmt: skip


def _fill_header(requisition: Requisition, header: Mapping[str, str], reading: _Reading) -> None:
    centre = reading.session.scalar(select(CostCentre).where(CostCentre.code == header["cost_centre"]))
    if centre is None:
        reading.errors["cost_centre"] = "Expected a cost centre of the list, but none is chosen"
    else:
        requisition.cost_centre, requisition.cost_centre_id = centre, centre.id
    try:
        requisition.priority = Priority(header["priority"] or Priority.NORMAL)
    except ValueError:
        reading.errors["priority"] = f"Expected a priority of the list, but found “{header['priority'][:20]}”"
    currency = header["currency"].strip().upper()
    if currency not in MINOR_UNITS:
        reading.errors["currency"] = f"Expected a currency code such as USD, but found “{currency[:10]}”"
    else:
        requisition.currency = currency
    requisition.need_by = reading.day("need_by", header["need_by"])
    advance = reading.decimal("advance_payment", header["advance_payment"], decimals=4)
    if advance is not None and advance < 0:
        reading.errors["advance_payment"] = "Expected 0 or more, but it is negative"
    requisition.advance_payment = max(advance or Decimal(0), Decimal(0))
    for name, longest in (("title", 200), ("justification", 4000)):
        setattr(requisition, name, reading.words(name, header[name], longest))
    for name, longest in (("project", 40), ("capex_no", 40), ("ship_to", 4000)):
        setattr(requisition, name, reading.words(name, header[name], longest) or None)


def _fill_line(line: RequisitionLine, given: Mapping[str, str], at: str, reading: _Reading) -> None:
    _fill_item(line, given, at, reading)
    line.uom = given["uom"].strip().upper() or "EA"
    if line.uom not in UNITS:
        reading.errors[f"{at}uom"] = f"Expected a unit such as EA or KG, but found “{line.uom[:10]}”"
    quantity = reading.decimal(f"{at}quantity", given["quantity"], decimals=6, above=Decimal(0))
    if quantity is not None:
        line.quantity = quantity
        _check_unit(line, at, reading)
    elif f"{at}quantity" not in reading.errors:
        reading.errors[f"{at}quantity"] = "Expected a quantity above 0, but this is empty"
    price = reading.decimal(f"{at}estimated_price", given["estimated_price"], decimals=4)
    if price is not None and price < 0:
        reading.errors[f"{at}estimated_price"] = "Expected 0 or more, but it is negative"
    line.estimated_price = price if price is None or price >= 0 else None
    line.need_by = reading.day(f"{at}need_by", given["need_by"])
    line.is_single_source = given["is_single_source"] == "true"
    for name, longest in PLAIN.items():
        setattr(line, name, reading.words(f"{at}{name}", given[name], longest) or None)
    _check_process(line, at, reading)
    line.description = reading.words(f"{at}description", given["description"], 20_000)
    _fill_supplier(line, given["supplier"].strip(), at, reading)


def _check_unit(line: RequisitionLine, at: str, reading: _Reading) -> None:
    if line.uom in UNITS:
        try:
            check_quantity(line.quantity, line.uom)
        except Invalid as refusal:
            reading.errors[f"{at}quantity"] = refusal.message


def _check_process(line: RequisitionLine, at: str, reading: _Reading) -> None:
    code = line.process_code
    if code and code not in reading.processes:
        reading.errors[f"{at}process_code"] = f"Expected the code of a known outside process, but found “{code}”"
        line.process_code = None


def _fill_supplier(line: RequisitionLine, number: str, at: str, reading: _Reading) -> None:
    supplier = None
    if number:
        supplier = reading.suppliers.get(number)
        if supplier is None:
            reading.errors[f"{at}supplier"] = f"Expected the number of a known supplier, but found “{number[:40]}”"
    if line.supplier_id != (supplier.id if supplier else None):
        line.supplier, line.supplier_id = supplier, supplier.id if supplier else None


def _fill_item(line: RequisitionLine, given: Mapping[str, str], at: str, reading: _Reading) -> None:
    number = given["part"].strip()
    part = reading.parts.get(number)
    service = part if part is not None and part.type is PartType.SERVICE else None
    revision = None
    if part is not None and service is None:
        revision = _revision(part, given["revision"].strip(), at, reading)
    elif number and part is None:
        reading.errors[f"{at}part"] = f"Expected the number of a known part, but found “{number[:40]}”"
    elif not number and not given["description"].strip():
        reading.errors[f"{at}part"] = "Expected a part, a service, or a description of what is needed"
    # What stays as it is is not touched: it would be read again, and judged as an edit.
    if line.part_revision_id != (revision.id if revision else None):
        line.part_revision, line.part_revision_id = revision, revision.id if revision else None
    if line.service_code != (service.part_no if service else None):
        line.service, line.service_code = service, service.part_no if service else None


def _revision(part: Part, rev: str, at: str, reading: _Reading) -> PartRevision | None:
    revisions = {revision.rev: revision for revision in part.revisions}
    released = [one.rev for one in part.revisions if one.status is RevisionStatus.RELEASED]
    found: PartRevision | None = revisions.get(rev or (released[-1] if released else ""))
    known = ", ".join(released) or "none"
    if found is None:
        what = f"“{rev[:10]}”" if rev else "none"
        reading.errors[f"{at}revision"] = f"Expected a revision of {part.part_no} (released: {known}), but found {what}"
    elif found.status is not RevisionStatus.RELEASED:
        state = found.status.value.lower().replace("_", " ")
        reading.errors[f"{at}revision"] = (
            f"Expected a released revision ({known}), but {found.number} is {state} (CON-07)"
        )
    else:
        return found
    return None


def problems_as_fields(act: Act, problems: Sequence[str]) -> dict[str, str]:
    """Put the sentences of a submission beside their lines where they name one."""
    fields: dict[str, str] = {}
    for problem in problems:
        start, _, rest = problem.partition(": ")
        number = start.removeprefix("Line ")
        if start.startswith("Line ") and number.isdecimal():
            fields[f"line_no.{number}"] = rest
    return fields
