"""A trace and its reports as rows: what tables show and files hold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from processes.genealogy_reports import Performed, Provenance
from processes.genealogy_trace import Node, NodeKind, Step, Trace
from records.lot import Lot
from records.work_order import WorkOrder


@dataclass(frozen=True, slots=True)
class Report:
    """A report by its columns: name to heading."""

    columns: dict[str, str]


REPORTS: Mapping[str, Report] = {
    "trace": Report(
        {
            "depth": "Depth", "kind": "Kind", "number": "Number", "part_revision": "Part revision", "heat": "Heat",
            "status": "State", "carries": "Carries it", "from": "Out of", "quantity": "Quantity", "uom": "Unit", "operations": "Operations",
            "first_at": "First on", "events": "Events",
        }
    ),
    "provenance": Report(
        {
            "lot": "Lot", "part_revision": "Part revision", "heat": "Heat", "source": "Source", "receipt": "Receipt",
            "received_on": "Received on", "quantity": "Quantity", "uom": "Unit", "order_line": "Order line",
            "order_revision": "Order revision", "supplier": "Supplier", "approval": "Approval on that day",
            "was_approved": "Approved then", "certificates": "Certificates",
        }
    ),
    "transformation": Report(
        {
            "work_order": "Work order", "operation": "Op", "description": "What", "status": "State", "instruction": "Instruction",
            "specification": "Specification", "people": "People", "equipment": "Equipment", "started_at": "Started",
            "completed_at": "Completed", "measured": "Measured",
        }
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One node of a trace with the steps that link it to what is nearer to the lot asked for."""

    node: Node
    links: tuple[tuple[Step, Node], ...]


def rows_of(found: Trace) -> list[Row]:
    """Return every node from the furthest behind to the furthest ahead, with how it is linked."""
    links: dict[str, list[tuple[Step, Node]]] = defaultdict(list)
    for step in found.steps:
        source, target = found.by_id[step.source], found.by_id[step.target]
        if target.depth > 0:
            links[target.id].append((step, source))
        else:
            links[source.id].append((step, target))
    ordered = sorted(found.nodes, key=lambda node: (node.depth, node.kind, node.number))
    return [Row(node, tuple(links[node.id])) for node in ordered]


def plain_rows(found: Trace) -> list[dict[str, Any]]:
    """Return a trace as plain values: a row for each link, and one for the lot asked for."""
    rows = []
    for row in rows_of(found):
        for step, other in row.links or ((None, None),):
            rows.append(_plain_row(found, row.node, step, other))
    return rows


def _plain_row(found: Trace, node: Node, step: Step | None, other: Node | None) -> dict[str, Any]:
    lot = node.record if isinstance(node.record, Lot) else None
    numbers = (
        sorted(found.operations[each].number for each in step.operations if each in found.operations) if step else []
    )
    return {
        "depth": node.depth,
        "kind": "SERIAL" if lot is not None and lot.is_serial else node.kind.value,
        "number": node.number,
        "part_revision": lot.part_revision.number if lot is not None else "",
        "heat": lot.heat if lot is not None else "",
        "status": node.record.status.value if node.record is not None else "",
        "carries": certainty(node),
        "from": other.number if other is not None else "",
        "quantity": plain(step.quantity) if step else plain(lot.quantity) if lot is not None else "",
        "uom": step.uom if step else lot.uom if lot is not None else "",
        "operations": ", ".join(numbers),
        "first_at": step.first_at.isoformat() if step and step.first_at else "",
        "events": step.events if step else 0,
    }


def bought_row(row: Provenance) -> dict[str, Any]:
    """Return one line of the provenance as plain values."""
    receipt, lot = row.receipt, row.lot
    approvals = [
        f"{then.approval.subject.value} {then.approval.subject_code}: {then.status.value} {then.valid_from} to {then.valid_to}"
        for then in row.approvals
    ]
    return {
        "lot": lot.number,
        "part_revision": lot.part_revision.number,
        "heat": lot.heat,
        "source": "GAP" if row.is_gap else "RECEIPT" if receipt else lot.source_note,
        "receipt": receipt.number if receipt else "",
        "received_on": receipt.received_on.isoformat() if receipt else "",
        "quantity": plain(receipt.quantity) if receipt else plain(lot.quantity),
        "uom": receipt.uom if receipt else lot.uom,
        "order_line": receipt.order_line.number if receipt else "",
        "order_revision": row.order_revision if row.order_revision is not None else "",
        "supplier": f"{row.supplier.supplier_no} {row.supplier.name}" if row.supplier else "",
        "approval": "; ".join(approvals) or (f"none for {row.uncovered}" if row.uncovered else ""),
        "was_approved": "yes" if row.was_approved else "no",
        "certificates": ", ".join(f"{one.number} {one.type.value} {one.status.value}" for one in row.certificates),
    }


def performed_row(row: Performed) -> dict[str, Any]:
    """Return one operation of the transformation as plain values."""
    operation = row.operation
    measured = [
        f"{each.name} {each.value} {each.unit}".strip()
        + (f" ({each.limits})" if each.limits else "")
        + (" OUT OF LIMITS" if each.is_in_limits is False else "")
        for each in row.measured
    ]
    return {
        "work_order": row.order.number,
        "operation": operation.op_no,
        "description": operation.description,
        "status": operation.status.value,
        "instruction": with_rev(operation.instruction, operation.instruction_rev),
        "specification": with_rev(operation.spec, operation.spec_rev),
        "people": "; ".join(row.people),
        "equipment": "; ".join(row.equipment),
        "started_at": row.started_at.isoformat() if row.started_at else "",
        "completed_at": row.completed_at.isoformat() if row.completed_at else "",
        "measured": "; ".join(measured),
    }


def certainty(node: Node) -> str:
    """Return how sure it is that a node carries the lot that was asked for, or is in it, in words."""
    if node.depth == 0:
        return ""
    verb = ("carries it", "may carry it") if node.depth > 0 else ("is in it", "may be in it")
    if node.unnumbered > 0:
        return f"{plain(node.unnumbered)} pieces without a number may carry it"
    if isinstance(node.record, WorkOrder):
        return (
            "was issued it"
            if node.depth > 0 and node.is_certain
            else "made it"
            if node.is_certain
            else "may have had it"
        )
    return verb[0] if node.is_certain else verb[1]


def node_word(node: Node) -> str:
    """Return what a node is, in one word or two."""
    if isinstance(node.record, Lot):
        return "Serial" if node.record.is_serial else "Lot"
    return "Work order" if isinstance(node.record, WorkOrder) or node.kind is NodeKind.WORK_ORDER else "Gap"


def with_rev(name: str | None, rev: str | None) -> str:
    """Return a document with its revision."""
    return " rev. ".join(filter(None, [name, rev]))


def plain(quantity: Decimal) -> str:
    """Return a quantity without the zeros that nobody wrote."""
    return f"{quantity.normalize():f}"
