"""Put an approved amendment into its order, and say what would take it back again."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from engine.act import Act
from engine.errors import Conflict
from engine.record import Operation
from processes.documents import plain
from records.amendment import (
    AmendmentChange,
    AmendmentKind,
    PurchaseOrderAmendment,
)
from records.purchase_order import (
    LineStatus,
    OrderStatus,
    PurchaseOrder,
    PurchaseOrderLine,
)
from rules.amending import Edits, LineEdit, refuse_status, value_of
from rules.amendment_cover import why_not_covered
from rules.amendment_words import said
from rules.change_item import ChangeClass
from rules.controlled import current_policy


def overtaken(act: Act, amendment: PurchaseOrderAmendment, order: PurchaseOrder) -> str | None:
    """Return why an approved amendment no longer fits its order, or None."""
    try:
        refuse_status(order)
    except Conflict as refusal:
        return refusal.message
    if (order.approved_hash, order.revision + 1) != (amendment.hash_before, amendment.revision):
        return f"{order.number} is at revision {order.revision} meanwhile"
    if (uncovered := why_not_covered(act.session, amendment)) is not None:
        return uncovered
    policy, lines = current_policy(), {line.id: line for line in order.lines}
    for change in amendment.changes:
        if not change.column_name:
            continue
        column = "order_id" if change.operation is Operation.INSERT else change.column_name
        control = policy.of(change.table_name, column, order.status.value)
        if control is not None and ChangeClass(change.change_class.value) not in control.change_class.sufficient:
            return f"{order.number} is {order.status} meanwhile, so the {said(change.path)} needs change class {control.change_class}"
        line = lines.get(change.row_id)
        if (
            change.column_name == "quantity"
            and line is not None
            and Decimal(change.new_text or 0) < line.quantity_received
        ):
            return f"{plain(line.quantity_received)} {line.uom} of line {line.line_no} are received meanwhile"
    if amendment.kind is AmendmentKind.CANCELLATION and order.status is OrderStatus.RECEIVED:
        return f"{order.number} is delivered whole meanwhile"
    return None


def change_lines(act: Act, order: PurchaseOrder, amendment: PurchaseOrderAmendment) -> None:
    """Write what an approved amendment says of an order's lines, and append those that it adds."""
    lines = {line.id: line for line in order.lines}
    added: dict[str, dict[str, Any]] = {}
    with act.session.no_autoflush:
        for change in amendment.changes:
            if not change.column_name or change.row_id == order.id:
                continue
            value = value_of(PurchaseOrderLine, change.column_name, change.new_text)
            if change.operation is Operation.INSERT:
                added.setdefault(change.row_id, {})[change.column_name] = value
            else:
                setattr(lines[change.row_id], change.column_name, value)
        for line in lines.values():
            _count_again(line)
        for row_id, values in added.items():
            act.session.add(PurchaseOrderLine(id=row_id, **values))
    act.session.flush()
    act.session.expire(order, ["lines"])
    for line in order.lines:
        act.session.expire(line, ["part_revision", "service"])


def _count_again(line: PurchaseOrderLine) -> None:
    """Let a line's status follow from its quantities: all there after less was ordered, something to come after more was."""
    if line.status is LineStatus.PART_RCVD and line.quantity_received == line.quantity:
        line.status = LineStatus.RCVD
    elif line.status is LineStatus.RCVD and line.quantity_received < line.quantity:
        line.status = LineStatus.PART_RCVD


def restored(amendment: PurchaseOrderAmendment) -> Edits:
    """Return the edits that bring every value back that an amendment changed; lines that it added are cancelled."""
    header: dict[str, Any] = {}
    lines: dict[str, dict[str, Any]] = {}
    added: set[str] = set()
    for change in amendment.changes:
        if not change.column_name:
            continue
        if change.operation is Operation.INSERT:
            added.add(change.row_id)
        elif change.row_id == amendment.order_id:
            header[change.column_name] = value_of(PurchaseOrder, change.column_name, change.old_text)
        else:
            lines.setdefault(change.row_id, {})[change.column_name] = _old(change)
    numbers = {line.id: line.line_no for line in amendment.order.lines}
    return Edits(
        header,
        [
            *(LineEdit(numbers[row_id], values) for row_id, values in lines.items()),
            *(LineEdit(numbers[row_id], is_cancelled=True) for row_id in sorted(added)),
        ],
    )


def _old(change: AmendmentChange) -> Any:
    return value_of(PurchaseOrderLine, change.column_name, change.old_text)
