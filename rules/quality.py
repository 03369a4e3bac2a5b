"""Quality clauses and certificates that a line must carry; the buyer may add to them, not take away (AS9100 8.4.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.answers import of_each
from engine.errors import Effect, Finding
from records.part import process_called
from records.purchase_order import OrderStatus, PurchaseOrder, PurchaseOrderLine
from records.supplier import Supplier
from rules.policy import table_called
from rules.supplier_gate import Line, part_of, process_of


@dataclass(frozen=True, slots=True)
class WantedClause:
    """A clause that the table asks for. certificate: the type that must come with the goods, or empty; row: of the table."""

    code: str
    is_mandatory: bool
    certificate: str
    row: int


def wanted_clauses(session: Session, line: Line, *, supplier: Supplier) -> list[WantedClause]:
    """Return what the table asks of a line from a supplier, by code; a clause is mandatory when any row says so."""
    part, process = part_of(line), process_of(line)
    judgement = table_called("quality_clauses").judge(
        line_kind="PART" if line.part_revision is not None else "SERVICE",
        criticality=part.criticality.value if part is not None else "STD",
        special_process=is_special(session, process),
        process_code=process,
        commodity=part.commodity if part is not None else None,
        customer=line.customer_reference,
        first_delivery=_is_first_delivery(session, line, supplier),
    )
    found: dict[tuple[str, str], WantedClause] = {}
    for row in judgement.rows:
        code, certificate = str(row.outputs["clause"]), str(row.outputs["certificate"] or "")
        known = found.get((code, certificate))
        mandatory = bool(row.outputs["mandatory"]) or (known is not None and known.is_mandatory)
        found[code, certificate] = WantedClause(code, mandatory, certificate, row.number)
    return [found[key] for key in sorted(found)]


def judge_clauses(session: Session, order: PurchaseOrder) -> list[Finding]:
    """Return Q-CLAUSE for each mandatory clause or certificate that a line lacks."""
    table = table_called("quality_clauses")
    found = []
    for line in order.lines:
        present = {clause.partition("@")[0] for clause in line.quality_clauses}
        for wanted in wanted_clauses(session, line, supplier=order.supplier):
            missing = [] if wanted.code in present else [f"clause {wanted.code}"]
            missing += (
                [f"certificate {wanted.certificate}"]
                if wanted.certificate and wanted.certificate not in line.certificates
                else []
            )
            if wanted.is_mandatory and missing:
                found.append(_missing(order, line, missing, wanted, table.hash))
    return found


def is_special(session: Session, process: str | None) -> bool:
    """Whether a process is special: its result cannot be verified on every piece afterwards."""
    if process is None:
        return False
    found = process_called(session, process)
    return found is not None and found.is_special


def _is_first_delivery(session: Session, line: Line, supplier: Supplier) -> bool:
    if line.part_revision_id is None:
        return False
    asked = ("first_deliveries", supplier.id)
    return of_each(session, line, asked, lambda lines: _first_deliveries(session, lines, supplier), otherwise=False)


def _first_deliveries(session: Session, lines: Sequence[Line], supplier: Supplier) -> dict[str, bool]:
    """Return the lines whose part revision a supplier has not delivered yet."""
    revisions = {line.id: line.part_revision_id for line in lines if line.part_revision_id is not None}
    delivered = (
        select(PurchaseOrderLine.part_revision_id)
        .join(PurchaseOrder)
        .where(
            PurchaseOrder.supplier_id == supplier.id,
            PurchaseOrderLine.part_revision_id.in_(sorted(set(revisions.values()))),
        )
        .where(PurchaseOrder.status.in_([OrderStatus.PARTIALLY_RECEIVED, OrderStatus.RECEIVED, OrderStatus.CLOSED]))
    )
    known = set(session.scalars(delivered.distinct()))
    return {line_id: revision not in known for line_id, revision in revisions.items()}


def _missing(
    order: PurchaseOrder, line: PurchaseOrderLine, missing: list[str], wanted: WantedClause, table: str
) -> Finding:
    return Finding(
        "Q-CLAUSE",
        Effect.BLOCK,
        f"Expected {' and '.join(missing)} on line {line.line_no} of {order.number}, but it was left out.",
        order.record_type,
        order.id,
        field=f"lines.{line.line_no}.quality_clauses",
        owner="role:SQ",
        way_out="Add it again; mandatory clauses stay.",
        judged_by=table,
        row=wanted.row,
    )
