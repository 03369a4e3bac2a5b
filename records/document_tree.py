"""Business documents as trees of rows, now and as they were: what a redline compares.

The present comes from the rows, the past from the audit chain: every edit since an instant is taken back. So any two states of a
document can be compared, and none has to be stored twice.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import inspect, select
from sqlalchemy.orm import Session

from engine.audit import AuditEvent
from engine.canonical import canonical
from engine.database import Scaled
from engine.record import Operation, Record
from engine.redline import Field, Row, Shape
from records.cost_centre import CostCentre
from records.part import OutsideProcess, PartRevision, ProductDefinitionRef
from records.person import User
from records.purchase_order import PurchaseOrder, PurchaseOrderLine
from records.requisition import Requisition, RequisitionLine
from records.resource import WorkCentre
from records.supplier import Supplier, SupplierSite
from records.work_order import WorkOrder, WorkOrderOperation

NUMBER, MONEY, TEXT, DAY, TRUTH, CODE = Shape.NUMBER, Shape.MONEY, Shape.TEXT, Shape.DAY, Shape.TRUTH, Shape.CODE


@dataclass(frozen=True, slots=True)
class Column:
    """How a column is told. unit: the column that holds its unit; of the document when it starts with ``^``. names: whose id it is."""

    label: str
    shape: Shape = CODE
    unit: str = ""
    is_clerical: bool = False
    names: type[Any] | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """A kind of document. line: the kind of row it holds, with the column that points to it and the one that numbers it."""

    record: type[Record]
    header: Mapping[str, Column]
    line: type[Record]
    parent: str
    number: str
    word: str
    columns: Mapping[str, Column]
    lines: str = "lines"


_PART = {
    "part_revision_id": Column("part revision", names=PartRevision),
    "service_code": Column("service"),
    "description": Column("description", TEXT),
}
_TERMS = {
    "process_code": Column("process"), "spec": Column("specification"), "spec_rev": Column("specification revision"),
    "cost_object": Column("cost object"), "ship_to": Column("ship-to", TEXT), "customer_reference": Column("customer reference"),
    "work_order_op": Column("work-order operation"),
}  # fmt: skip

REQUISITION = Layout(
    Requisition,
    {
        "title": Column("title", TEXT, is_clerical=True), "justification": Column("justification", TEXT),
        "need_by": Column("need-by date", DAY), "currency": Column("currency"), "priority": Column("priority"),
        "project": Column("project"), "capex_no": Column("capex number"),
        "advance_payment": Column("advance payment", MONEY, "currency"), "ship_to": Column("ship-to", TEXT),
        "cost_centre_id": Column("cost centre", names=CostCentre),
    },
    RequisitionLine, "requisition_id", "line_no", "Line",
    _PART
    | {
        "quantity": Column("quantity", NUMBER, "uom"), "estimated_price": Column("estimated price", MONEY, "^currency"),
        "need_by": Column("need-by date", DAY), "supplier_id": Column("supplier", names=Supplier),
        "is_single_source": Column("single source", TRUTH),
    }
    | _TERMS,
)  # fmt: skip
ORDER = Layout(
    PurchaseOrder,
    {
        "supplier_id": Column("supplier", names=Supplier), "supplier_site_id": Column("supplier site", names=SupplierSite),
        "buyer_id": Column("buyer", names=User, is_clerical=True), "currency": Column("currency"),
        "incoterm": Column("Incoterm"), "incoterm_place": Column("Incoterm place"), "incoterm_edition": Column("Incoterm edition"),
        "payment_term": Column("payment term"), "advance_payment": Column("advance payment", MONEY, "currency"),
        "ship_to": Column("ship-to", TEXT), "bill_to": Column("bill-to", TEXT), "terms_doc": Column("terms"),
        "terms_rev": Column("terms revision"), "comment": Column("comment", TEXT, is_clerical=True),
    },
    PurchaseOrderLine, "order_id", "line_no", "Line",
    _PART
    | {
        "quantity": Column("quantity", NUMBER, "uom"), "unit_price": Column("price", MONEY, "^currency"),
        "need_by": Column("need-by date", DAY), "quality_clauses": Column("quality clauses"),
        "certificates": Column("certificates"), "is_inspection_required": Column("inspection", TRUTH),
        "tax_code": Column("tax code"), "tolerance_profile": Column("tolerance profile"), "match_level": Column("match level"),
    }
    | _TERMS,
)  # fmt: skip
WORK = Layout(
    WorkOrder,
    {
        "part_revision_id": Column("part revision", names=PartRevision), "serial": Column("serial"),
        "quantity": Column("quantity", NUMBER, "uom"), "planned_start": Column("planned start", DAY),
        "planned_finish": Column("planned finish", DAY), "priority": Column("priority"), "project": Column("project"),
        "description": Column("description", TEXT),
    },
    WorkOrderOperation, "work_order_id", "op_no", "Operation",
    {
        "description": Column("description", TEXT), "kind": Column("kind"), "work_centre_id": Column("work centre", names=WorkCentre),
        "supplier_id": Column("supplier", names=Supplier), "process_code": Column("process"),
        "is_special": Column("special process", TRUTH),
        "spec": Column("specification"), "spec_rev": Column("specification revision"), "instruction": Column("instruction"),
        "instruction_rev": Column("instruction revision"), "setup_minutes": Column("set-up minutes", NUMBER),
        "run_minutes": Column("run minutes", NUMBER), "is_certificate_required": Column("certificate", TRUTH),
        "is_inspected_after": Column("inspection after it", TRUTH),
    },
    lines="operations",
)  # fmt: skip
REVISION = Layout(
    PartRevision,
    {
        "drawing_doc": Column("drawing"), "drawing_rev": Column("drawing revision"), "effectivity": Column("effectivity"),
        "effective_from": Column("effective from", DAY), "effective_to": Column("effective to", DAY),
        "effective_first": Column("effective from number"), "effective_last": Column("effective to number"),
    },
    ProductDefinitionRef, "part_revision_id", "native_id", "",
    {"native_rev": Column("revision"), "content_hash": Column("content"), "system": Column("system")},
    lines="definitions",
)  # fmt: skip
LAYOUTS: Mapping[str, Layout] = {layout.record.record_type: layout for layout in (REQUISITION, ORDER, WORK, REVISION)}


def layout_of(record: Any) -> Layout | None:
    """Return how a document is laid out, or None for a kind that no redline knows."""
    return LAYOUTS.get(record.record_type)


def tree_of(session: Session, record: Any) -> Row:
    """Return a document as it is now."""
    return _tree(session, record, _texts(record), [(line.id, _texts(line)) for line in _lines(record)])


def tree_at(session: Session, record: Any, moment: dt.datetime) -> Row:
    """Return a document as it was at an instant: every edit after it is taken back."""
    layout = LAYOUTS[record.record_type]
    present = {line.id: _texts(line) for line in _lines(record)}
    header = _taken_back(_texts(record), _events(session, record.record_type, [record.id], moment).get(record.id, ()))
    deleted = _deleted(session, layout, record.id, moment)
    events = _events(session, layout.line.record_type, [*present, *deleted], moment)
    lines = [
        (line_id, past)
        for line_id in (*present, *deleted)
        if (past := _taken_back(present.get(line_id, {}), events.get(line_id, ()))) is not None
    ]
    return _tree(session, record, header or {}, lines)


def _lines(record: Any) -> Sequence[Any]:
    return list(getattr(record, LAYOUTS[record.record_type].lines))


def _texts(record: Record) -> dict[str, str | None]:
    """Return the canonical text of every column."""
    columns = inspect(type(record)).columns
    return {
        key: canonical(getattr(record, key), scale=kind.scale if isinstance(kind, Scaled) else None)
        for key, kind in ((column.key, column.type) for column in columns)
    }


def _events(session: Session, record_type: str, ids: Sequence[str], moment: dt.datetime) -> dict[str, list[AuditEvent]]:
    wanted = select(AuditEvent).where(
        AuditEvent.record_type == record_type, AuditEvent.record_id.in_(list(ids)), AuditEvent.at > moment
    )
    found: dict[str, list[AuditEvent]] = {}
    for event in session.scalars(wanted.order_by(AuditEvent.record_id, AuditEvent.seq)):
        found.setdefault(event.record_id, []).append(event)
    return found


def _taken_back(now: Mapping[str, str | None], events: Iterable[AuditEvent]) -> dict[str, str | None] | None:
    """Return the values before some events, oldest first; None for a row that came with them."""
    past = dict(now)
    known: set[str] = set()
    for event in events:
        if event.action == Operation.INSERT:
            return None
        if event.action in (Operation.UPDATE, Operation.DELETE) and event.field and event.field not in known:
            known.add(event.field)
            past[event.field] = event.old
    return past


def _deleted(session: Session, layout: Layout, record_id: str, moment: dt.datetime) -> list[str]:
    wanted = select(AuditEvent.record_id).where(
        AuditEvent.record_type == layout.line.record_type, AuditEvent.action == Operation.DELETE,
        AuditEvent.field == layout.parent, AuditEvent.old == record_id, AuditEvent.at > moment,
    )  # fmt: skip
    return list(session.scalars(wanted))


def _tree(
    session: Session,
    record: Any,
    header: Mapping[str, str | None],
    lines: Sequence[tuple[str, Mapping[str, str | None]]],
) -> Row:
    layout = LAYOUTS[record.record_type]
    rows = [
        Row(
            _key(layout, texts), layout.word or (texts.get("kind") or "").replace("_", " ").capitalize(),
            _fields(session, layout.columns, texts, header), identity=_identity(layout, line_id, texts), is_ordered=False,
        )
        for line_id, texts in lines
    ]  # fmt: skip
    # People count lines by their number: a line that got another one is renamed, and nothing has moved.
    rows.sort(key=lambda row: (len(row.key), row.key))
    specs = json.loads(header.get("specs") or "[]") if layout is REVISION else []
    rows += [Row(spec, "Specification", identity=f"spec {spec}") for spec in specs]
    return Row(record.number, "", _fields(session, layout.header, header, header), tuple(rows), is_ordered=False)


def _identity(layout: Layout, line_id: str, texts: Mapping[str, str | None]) -> str:
    """Return what stays the same: a row's id; a document's own id for what defines a part, which each revision names anew."""
    if layout is not REVISION:
        return line_id
    return " ".join(texts.get(name) or "" for name in ("kind", "system", "native_id"))


def _key(layout: Layout, texts: Mapping[str, str | None]) -> str:
    return texts.get(layout.number) or "?"


def _fields(
    session: Session, columns: Mapping[str, Column], texts: Mapping[str, str | None], header: Mapping[str, str | None]
) -> dict[str, Field]:
    found: dict[str, Field] = {}
    for name, column in columns.items():
        source = header if column.unit.startswith("^") else texts
        text = called(session, column.names, texts.get(name)) if column.names else texts.get(name)
        if column.shape is TRUTH and text == "false":
            text = None
        found[name] = Field(
            column.label, _listed(text), column.shape, source.get(column.unit.lstrip("^")) or "", column.is_clerical
        )
    return found


def _listed(text: str | None) -> str | None:
    """Write a set of codes as people do: ``Q01, Q05``."""
    return ", ".join(json.loads(text)) or None if text and text.startswith("[") else text


def called(session: Session, kind: type[Any], record_id: str | None) -> str | None:
    """Return the number or name of what an id stands for; the id itself when it is no more."""
    found = session.get(kind, record_id) if record_id else None
    if found is None:
        return record_id
    return str(found.name if kind in (User, OutsideProcess) else found.number)


def moments_of(session: Session, record: Any, statuses: Sequence[str]) -> list[dt.datetime]:
    """Return when a document came into one of some statuses, oldest first."""
    wanted = select(AuditEvent.at).where(
        AuditEvent.record_type == record.record_type, AuditEvent.record_id == record.id, AuditEvent.field == "status",
        AuditEvent.new.in_(list(statuses)), AuditEvent.action.in_((Operation.UPDATE, Operation.INSERT)),
    )  # fmt: skip
    return list(session.scalars(wanted.order_by(AuditEvent.seq)))


def requested_tree(session: Session, order: PurchaseOrder) -> tuple[Row, Row]:
    """Return what was requested and what is ordered, line by line of the order; what nobody requested has no counterpart."""
    asked_rows: list[Row] = []
    rows: list[Row] = []
    for line in order.lines:
        asked = line.requisition_line
        rows.append(_compared(session, line, _texts(line) | {"price": _texts(line)["unit_price"]}, order.currency))
        if asked is not None:
            texts = _texts(asked)
            wanted = asked.need_by or asked.requisition.need_by
            texts |= {"price": texts["estimated_price"], "need_by": wanted.isoformat() if wanted else None}
            asked_rows.append(_compared(session, line, texts, asked.requisition.currency))
    before, after = (Row(order.number, rows=tuple(found), is_ordered=False) for found in (asked_rows, rows))
    return before, after


_ASKED = {
    "part_revision_id": Column("part revision", names=PartRevision), "service_code": Column("service"),
    "quantity": Column("quantity", NUMBER, "uom"), "price": Column("price", MONEY, "^currency"),
    "spec": Column("specification"), "spec_rev": Column("specification revision"), "need_by": Column("need-by date", DAY),
}  # fmt: skip


def _compared(session: Session, line: PurchaseOrderLine, texts: Mapping[str, str | None], currency: str) -> Row:
    return Row(str(line.line_no), "Line", _fields(session, _ASKED, texts, {"currency": currency}), identity=line.id)
