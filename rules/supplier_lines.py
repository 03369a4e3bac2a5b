"""What a line of a requisition or an order buys, as an approval of its supplier must be about it."""

from __future__ import annotations

from records.part import Part
from records.purchase_order import PurchaseOrderLine
from records.requisition import RequisitionLine
from records.supplier import ApprovalSubject, SupplierApproval

Line = RequisitionLine | PurchaseOrderLine


def part_of(line: Line) -> Part | None:
    """Return the part or service a line is about, or None for free text."""
    if line.part_revision is not None:
        return line.part_revision.part
    return line.service if line.service_code is not None else None


def process_of(line: Line) -> str | None:
    """Return the outside process a line buys: its own, or that of its service."""
    part = part_of(line)
    return line.process_code or (part.process_code if part is not None else None)


def subjects_of(line: Line) -> set[tuple[ApprovalSubject, str]]:
    """Return what an approval must be about to cover a line: its process, or else its part or the part's commodity."""
    process, part = process_of(line), part_of(line)
    if process is not None:
        return {(ApprovalSubject.PROCESS, process)}
    if part is None:
        return set()
    return {(ApprovalSubject.PART, part.part_no), (ApprovalSubject.COMMODITY, part.commodity)}


def covers(row: SupplierApproval, line: Line) -> bool:
    """Whether an approval's specifications, if it has any, include the line's."""
    named = {line.spec, f"{line.spec} {line.spec_rev}"}
    return row.subject is not ApprovalSubject.PROCESS or not row.specs or bool(named & set(row.specs))
