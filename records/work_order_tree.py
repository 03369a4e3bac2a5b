"""A work order's frozen snapshot as a tree of rows, and the snapshots that were kept."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.audit import AuditEvent
from engine.redline import Field, Row, Shape
from records.document_tree import WORK
from records.work_order import WorkOrder

HEADER = {
    "part_revision": "part revision", "resource": "resource", "serial": "serial", "nonconformance": "nonconformance",
    "deviation": "deviation",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot that a work order had. number: of the work order it belongs to; at: when it was frozen."""

    number: str
    at: dt.datetime
    content: Mapping[str, Any]


def snapshots_of(session: Session, order: WorkOrder) -> list[Snapshot]:
    """Return every snapshot a work order had, oldest first; before them that of the one it was split from."""
    parent = snapshots_of(session, order.parent)[-1:] if order.parent is not None else []
    wanted = select(AuditEvent).where(
        AuditEvent.record_type == order.record_type, AuditEvent.record_id == order.id, AuditEvent.field == "snapshot",
        AuditEvent.new.is_not(None),
    )  # fmt: skip
    own = [
        Snapshot(order.number, event.at, json.loads(event.new or "{}"))
        for event in session.scalars(wanted.order_by(AuditEvent.seq))
    ]
    return [*parent, *own]


def snapshot_tree(content: Mapping[str, Any]) -> Row:
    """Return a snapshot as a tree: its header, definitions, operations in their order, and the standard."""
    fields = {name: Field(label, content.get(name)) for name, label in HEADER.items()}
    fields["quantity"] = Field("quantity", content.get("quantity"), Shape.NUMBER, content.get("uom") or "")
    fields["standard_cost"] = Field("standard cost", content.get("standard_cost"), Shape.MONEY)
    rows = [
        *(_definition(one) for one in content.get("definitions", ())),
        *(_operation(one) for one in content.get("operations", ())),
        *(_standard(one) for one in content.get("standards", ())),
    ]
    return Row(content.get("number") or "", "", fields, tuple(rows), is_ordered=False)


def _definition(one: Mapping[str, Any]) -> Row:
    fields = {"rev": Field("revision", one.get("rev")), "hash": Field("content", one.get("hash"))}
    key = f"{one.get('kind')} {one.get('id')}"
    return Row(key, "Definition", fields, identity=f"{key} {one.get('system')}")


def _operation(one: Mapping[str, Any]) -> Row:
    names = {column.removesuffix("_id"): told for column, told in WORK.columns.items()}
    fields = {}
    for name, told in names.items():
        value = one.get(name)
        text = None if value is None or value is False else "true" if value is True else str(value)
        fields[name] = Field(told.label, text, told.shape)
    return Row(str(one.get("op_no")), "Operation", fields, identity=f"operation {one.get('op_no')}")


def _standard(one: Mapping[str, Any]) -> Row:
    fields = {
        "quantity": Field("quantity", one.get("quantity"), Shape.NUMBER),
        "unit_cost": Field("unit cost", one.get("unit_cost"), Shape.MONEY),
    }
    key = f"{str(one.get('kind')).lower()} {one.get('item')}"
    return Row(key, "Standard", fields, identity=f"standard {key}")
