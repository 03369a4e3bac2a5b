"""Requisitions: open ones start their flow, the others are mirrors of what the ERP decided."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from engine.act import Act
from engine.canonical import canonical
from processes.importing.bringing import Import, Item, Outcome, assign
from processes.importing.differences import differ
from processes.importing.doubts import doubt_amount, doubt_approver, doubt_revision
from processes.importing.reading import Reading
from processes.importing.sheets import Family
from records.calendar import Site
from records.cost_centre import CostCentre
from records.external import ExternalRef
from records.money import MINOR_UNITS
from records.origin import Origin
from records.part import PartRevision
from records.requisition import Requisition, RequisitionLine, RequisitionStatus, move
from records.supplier import Supplier

OPEN = "OPEN"
"""The mapping file's word for requisitions that start an instance at SUBMITTED."""


LINE = "requisition.line"


@dataclass(frozen=True, slots=True)
class Line:
    """One line that was read. converted: what the ERP put on orders of it."""

    native_id: str
    values: Mapping[str, Any]


def bring_requisitions(run: Import, site: Site, cost_centre: CostCentre) -> None:
    """Bring in every requisition whose lines can all be read."""
    run.bring("requisitions", _requisitions(run, site, cost_centre))


def _requisitions(run: Import, site: Site, cost_centre: CostCentre) -> Iterator[Item]:
    converted = _converted(run)
    for family in run.families("requisitions"):
        cells = run.reading("requisitions", family.head)
        state = cells.word("state", run.mapping.words["requisition_states"])
        values = _values(run, cells)
        doubt_approver(cells, "approved_by", "requester")
        lines = _lines(run, cells, family, converted, cost_centre=cost_centre, is_open=state == OPEN)
        if not cells.is_good or lines is None:
            run.leave_out("requisitions")
            continue
        values |= {"site_id": site.id, "cost_centre_id": cost_centre.id}
        yield _requisition(run, cells, state, values, lines)


def _values(run: Import, cells: Reading) -> dict[str, Any]:
    requester = run.people.get(cells.needed("requester"))
    if requester is None:
        cells.error("requester", "UNKNOWN_PERSON", "Expected a person of this extract, but nobody is called so")
    if cells.text("currency") not in MINOR_UNITS:
        cells.error("currency", "UNKNOWN_CURRENCY", "Expected an ISO 4217 currency, but found another text")
    return {
        "number": cells.needed("number", limit=40),
        "requester_id": requester,
        "currency": cells.text("currency"),
        "title": cells.text("title", limit=200),
        "need_by": cells.day("need_by"),
    }


def _converted(run: Import) -> dict[str, Decimal]:
    """Return by native requisition line what the ERP turned into order lines."""
    found: dict[str, Decimal] = {}
    for row in run.sheet("requests").rows:
        cells = run.reading("requests", row)
        quantity = cells.decimal("quantity", scale=6)
        if cells.text("order_line") and quantity:
            line = cells.text("requisition_line")
            found[line] = found.get(line, Decimal(0)) + quantity
    return found


def _lines(
    run: Import,
    head: Reading,
    family: Family,
    converted: Mapping[str, Decimal],
    *,
    cost_centre: CostCentre,
    is_open: bool,
) -> list[Line] | None:
    """Return the lines, or None when one of them cannot be read."""
    lines: list[Line] = []
    is_good = True
    for row in family.children(run.mapping["requisitions.lines"].column("id")):
        cells = run.reading("requisitions.lines", row)
        values = _line_values(run, cells, cost_centre)
        wanted = converted.get(cells.text("id"), Decimal(0))
        values["converted_quantity"] = min(wanted, values["quantity"] or wanted)
        if wanted > (values["quantity"] or wanted):
            cells.warn("quantity", "MORE_ORDERED", f"The ERP ordered {wanted:f} of it, more than was asked for")
        if is_open and values["estimated_price"] is None:
            cells.warn("estimated_price", "NO_PRICE", "An open requisition has a line without a price")
        if is_open and not (values["part_revision_id"] or values["service_code"]):
            cells.warn("product", "NO_PRODUCT", "An open requisition has a line without a part or a service")
        doubt_revision(run, cells, is_open=is_open)
        doubt_amount(cells, values["quantity"], values["estimated_price"], currency=head.text("currency"))
        if values["estimated_price"] is not None:
            run.line_prices[cells.text("id")] = (values["estimated_price"], head.text("currency"))
        is_good = is_good and cells.is_good
        lines.append(Line(cells.text("id"), values))
    if not lines and is_open:
        head.error("number", "NO_LINES", "Expected lines on an open requisition, but there is none")
    return lines if is_good else None


def _line_values(run: Import, cells: Reading, cost_centre: CostCentre) -> dict[str, Any]:
    quantity = cells.decimal("quantity", scale=6, above=Decimal(0))
    if quantity is None and cells.is_good:
        cells.error("quantity", "MISSING_VALUE", "Expected a quantity, but the cell is empty")
    price = cells.decimal("estimated_price", scale=4)
    if price is not None and price < 0:
        cells.error("estimated_price", "BAD_NUMBER", "Expected a price of at least 0, but found a negative one")
    supplier = cells.text("supplier")
    supplier_id = run.id_of("party", supplier) if supplier else None
    if supplier and supplier_id is None:
        cells.error("supplier", "UNKNOWN_SUPPLIER", "Expected a supplier of this extract, but it was not brought in")
    goods = goods_of(run, cells)
    if not cells.text("description") and goods == NOTHING:
        cells.error("description", "NO_PRODUCT", "Expected a product or a description, but there is neither")
    return {
        **goods,
        "description": cells.text("description"),
        "quantity": quantity,
        "uom": unit_of(run, cells),
        "estimated_price": price,
        "supplier_id": supplier_id,
        "cost_object": f"CC:{cost_centre.code}",
    }


NOTHING: dict[str, Any] = {"part_revision_id": None, "service_code": None, "process_code": None}


def goods_of(run: Import, cells: Reading) -> dict[str, Any]:
    """Return what a line is about: a part revision, or a service with its process, or nothing when it is free text."""
    native = cells.text("product")
    if not native:
        return dict(NOTHING)
    known = run.known.get(("product", native))
    if known is None:
        cells.error("product", "UNKNOWN_PRODUCT", "Expected a product of this extract, but it was not brought in")
        return dict(NOTHING)
    if known.record_type == "part_revision":
        return NOTHING | {"part_revision_id": known.record_id}
    code = run.services.get(native)
    if code is None:
        cells.error("product", "UNKNOWN_PRODUCT", "Expected a service that can be read, but its row cannot")
        return dict(NOTHING)
    return NOTHING | {
        "service_code": code,
        "process_code": run.mapping.choose("processes", code).get("code"),
    }


def unit_of(run: Import, cells: Reading) -> str:
    """Return our unit for the ERP's; a free-text line without one is counted in pieces."""
    name = cells.text("uom")
    if name and name not in run.mapping.words["units"]:
        cells.error("uom", "UNKNOWN_UNIT", "Expected a unit that the mapping file knows, but found another")
    return run.mapping.words["units"].get(name, "EA")


def _requisition(run: Import, cells: Reading, state: str, values: Mapping[str, Any], lines: list[Line]) -> Item:
    status = RequisitionStatus.DRAFT if state == OPEN else _mirrored(state, lines)

    def insert(act: Act) -> Requisition:
        requisition = Requisition(**values, status=status, origin=Origin.ERP, **_closing(status, lines))
        requisition.lines = [_made(requisition, position, line) for position, line in enumerate(lines, start=1)]
        act.session.add(requisition)
        act.session.flush()
        _remember_lines(run, act, requisition, lines)
        if state == OPEN:
            _set_going(run, act, requisition)
        return requisition

    def update(act: Act, requisition: Requisition) -> Outcome:
        if requisition.status is not RequisitionStatus.DRAFT:
            return _differ(run, act, requisition, values, state, lines)
        assign(requisition, {name: value for name, value in values.items() if name not in ("number", "site_id")})
        requisition.lines.clear()
        act.session.flush()
        requisition.lines = [_made(requisition, position, line) for position, line in enumerate(lines, start=1)]
        act.session.flush()
        _remember_lines(run, act, requisition, lines)
        if state == OPEN:
            _set_going(run, act, requisition)
        elif (moved := _mirrored(state, lines)) is RequisitionStatus.CANCELLED:
            move(act, requisition, moved, reason="cancelled in the ERP")
        elif moved is not RequisitionStatus.DRAFT:
            return _differ(run, act, requisition, values, state, lines)
        return Outcome.CHANGED

    content = {
        "state": state,
        **{name: canonical(value) for name, value in values.items()},
        "lines": [
            {"id": line.native_id, **{name: canonical(value) for name, value in line.values.items()}} for line in lines
        ],
    }
    native_id = cells.text("id")
    return Item(Requisition, "requisition", native_id, values["number"], cells.row, content, insert, update)


def _mirrored(state: str, lines: list[Line]) -> RequisitionStatus:
    """Return our status for a mirror. APPROVED and CONVERTED follow from what is on orders."""
    status = RequisitionStatus(state)
    if status is RequisitionStatus.CONVERTED and not any(line.values["converted_quantity"] for line in lines):
        return RequisitionStatus.APPROVED
    return status


def _closing(status: RequisitionStatus, lines: list[Line]) -> dict[str, str]:
    is_short = any(line.values["converted_quantity"] < line.values["quantity"] for line in lines)
    return {"short_closed_reason": "Closed in the ERP"} if status is RequisitionStatus.CLOSED and is_short else {}


def _made(requisition: Requisition, position: int, line: Line) -> RequisitionLine:
    return RequisitionLine(requisition_id=requisition.id, line_no=position, **line.values)


def _remember_lines(run: Import, act: Act, requisition: Requisition, lines: list[Line]) -> None:
    for made, line in zip(requisition.lines, lines, strict=True):
        run.remember(act, LINE, line.native_id, made)


def _set_going(run: Import, act: Act, requisition: Requisition) -> None:
    """Submit an open requisition and start its flow, if the caller gave one."""
    if run.start is None:
        move(act, requisition, RequisitionStatus.SUBMITTED)
        return
    run.start(act, requisition)
    run.report.started += 1


def line_ids(run: Import, act: Act) -> dict[str, str]:
    """Return our requisition lines by native id."""
    wanted = select(ExternalRef.native_id, ExternalRef.record_id).where(
        ExternalRef.system == run.mapping.system, ExternalRef.native_type == LINE
    )
    return dict(act.session.execute(wanted).all())


COMPARED = ("quantity", "uom", "estimated_price")
SCALES = {"quantity": 6, "estimated_price": 4}
HEADER = ("currency", "need_by", "requester_id")


def _differ(
    run: Import, act: Act, requisition: Requisition, values: Mapping[str, Any], state: str, lines: list[Line]
) -> Outcome:
    """Note what the ERP says otherwise. While it is open there, its status here is ours to decide."""
    held = [{name: getattr(line, name) for name in (*COMPARED, "supplier_id", *NOTHING)} for line in requisition.lines]
    ours = _flat(act, {name: getattr(requisition, name) for name in HEADER}, held)
    theirs = _flat(act, values, [line.values for line in lines])
    if state != OPEN:
        ours["status"], theirs["status"] = requisition.status.value, _mirrored(state, lines).value
    return differ(act, requisition, ours, theirs, system=run.mapping.system)


def _flat(act: Act, header: Mapping[str, Any], lines: Iterable[Mapping[str, Any]]) -> dict[str, str | None]:
    found = {name.removesuffix("_id"): canonical(header[name]) for name in HEADER}
    for position, values in enumerate(lines, start=1):
        found[f"lines.{position}.item"] = item_text(act, values)
        found[f"lines.{position}.supplier"] = supplier_text(act, values["supplier_id"])
        found |= {f"lines.{position}.{name}": canonical(values[name], scale=SCALES.get(name)) for name in COMPARED}
    return found


def item_text(act: Act, values: Mapping[str, Any]) -> str:
    """Return what a line is about in words: part and revision, or the service."""
    revision = act.session.get(PartRevision, values["part_revision_id"]) if values["part_revision_id"] else None
    return revision.number if revision else values["service_code"] or "free text"


def supplier_text(act: Act, supplier_id: str | None) -> str | None:
    """Return the number of a supplier."""
    supplier = act.session.get(Supplier, supplier_id) if supplier_id else None
    return supplier.number if supplier else None
