"""An order as an amendment would make it, for everything that judges an order: content, total, facts, laws. Nothing is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.record import Operation
from records.money import line_amount
from records.part import Part, PartRevision
from records.purchase_order import LineStatus, PurchaseOrder, PurchaseOrderLine
from records.supplier import SupplierSite
from records.units import check_quantity
from rules.amending import Asked


class Overlay:
    """A record with some of its values replaced. Whoever reads it cannot tell; whoever writes it fails."""

    def __init__(self, record: Any, values: Mapping[str, Any]) -> None:
        self.__dict__.update(values)
        self.__dict__["_record"] = record

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_record"], name)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"Expected a projection to be read only, but {name} was set")


def projected(session: Session, order: PurchaseOrder, asked: Sequence[Asked]) -> PurchaseOrder:
    """Return the order as these changes would make it.

    Raises: Invalid when a quantity does not fit its unit.
    """
    header = {one.column: one.value for one in asked if one.record is order}
    if header.get("supplier_site_id"):
        header["supplier_site"] = session.get(SupplierSite, header["supplier_site_id"])
    lines = [
        _line(order, line, _with_what_is_named(session, {one.column: one.value for one in asked if one.record is line}))
        for line in order.lines
    ]
    added: dict[str, dict[str, Any]] = {}
    for one in asked:
        if one.operation is Operation.INSERT:
            added.setdefault(one.row_id, {"id": one.row_id})[one.column] = one.value
    for values in added.values():
        named = _with_what_is_named(session, {"part_revision_id": None, "service_code": None} | values)
        lines.append(_line(order, PurchaseOrderLine(), {"requisition_line": None} | named))
    whole = Overlay(order, header | {"lines": lines})
    total = sum((line.amount for line in lines if line.status is not LineStatus.CANCELLED), Decimal(0))
    whole.__dict__["total"] = total
    return cast("PurchaseOrder", whole)


def _line(order: PurchaseOrder, line: PurchaseOrderLine, values: Mapping[str, Any]) -> Any:
    if not values:
        return line
    quantity, price = values.get("quantity", line.quantity), values.get("unit_price", line.unit_price)
    check_quantity(quantity, values.get("uom", line.uom), field=f"lines.{values.get('line_no', line.line_no)}.quantity")
    revision = values.get("part_revision", line.part_revision)
    number = values.get("line_no", line.line_no)
    # A law that finds no order line in hand asks for the requisition of what it takes for a requisition's line: the order stands in.
    return Overlay(
        line,
        dict(values)
        | {
            "order": order, "order_id": order.id, "requisition": Overlay(order, {"need_by": None}),
            "requisition_id": order.id, "part_revision": revision,
            "amount": line_amount(quantity, price, currency=order.currency),
            "item": revision.number if revision else values.get("service_code", line.service_code)
            or str(values.get("description", line.description))[:60],
            "number": f"{order.number}/{number}", "open_quantity": quantity - (line.quantity_received or 0),
        },
    )  # fmt: skip


def _with_what_is_named(session: Session, values: dict[str, Any]) -> dict[str, Any]:
    """Return values with the revision and the service that they name, where they name one."""
    named: dict[str, Any] = dict(values)
    if "part_revision_id" in values:
        named["part_revision"] = _found(session, values["part_revision_id"])
    if "service_code" in values:
        named["service"] = _part_called(session, values["service_code"])
    return named


def _found(session: Session, revision_id: str | None) -> PartRevision | None:
    return session.get(PartRevision, revision_id) if revision_id else None


def _part_called(session: Session, part_no: str | None) -> Part | None:
    return session.scalar(select(Part).where(Part.part_no == part_no)) if part_no else None
