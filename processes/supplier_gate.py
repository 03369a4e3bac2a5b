"""The supplier gate (A16): what the approved supplier list says about every line of an award, judged by its table."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from engine.act import Act
from processes.documents import sentences
from processes.facts import part_of
from processes.tables import ask
from records.part import Criticality, OutsideProcess, Part
from records.purchase_order import PurchaseOrderLine
from records.requisition import Requisition, RequisitionLine
from records.supplier import ApprovalStatus, ApprovalSubject, Supplier, SupplierApproval, SupplierStatus

VALID = frozenset({ApprovalStatus.APPROVED, ApprovalStatus.CONDITIONAL})
CRITICAL = frozenset({Criticality.FLIGHT_SAFETY, Criticality.IMPLANT})
Line = RequisitionLine | PurchaseOrderLine


@dataclass(frozen=True, slots=True)
class GateFinding:
    """What one rule says about one line. until: the day from which it no longer does, when that is known."""

    rule: str
    effect: str
    sentence: str
    until: dt.date | None = None


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the list says about one subject. state: as the table's columns name it; row: the one that decided."""

    state: str
    row: SupplierApproval | None = None


def gate_of(
    act: Act, supplier: Supplier, lines: Sequence[RequisitionLine], *, requisition: Requisition
) -> dict[str, Any]:
    """Return the variable ``gate``: ok, conditional or blocked, with sentences and who else has the scope."""
    today = requisition.site.local_day(act.now)
    found = findings_for(act, supplier, lines, point="gate", today=today)
    stops = [finding for finding in found if finding.effect in ("HOLD", "BLOCK")]
    bound = [limit for line in lines for limit in _limits_in_force(supplier, line, today)]
    result = "blocked" if stops else "ok"
    return {
        "result": result,
        "findings": sentences(f"{finding.rule}: {finding.sentence}" for finding in (stops or found)),
        "warnings": sentences(f"{finding.rule}: {finding.sentence}" for finding in found),
        "limits": [
            {"max_quantity": limit.max_quantity, "max_value": limit.max_value, "conditions": limit.conditions}
            for limit in bound
        ],
        "alternatives": _alternatives(act, supplier, lines, today) if stops else [],
    }


def findings_for(
    act: Act, supplier: Supplier, lines: Iterable[Line], *, point: str, today: dt.date
) -> list[GateFinding]:
    """Judge a supplier for lines at a point of use. point: submit, gate, build, issue or ship. today: site-local."""
    found: list[GateFinding] = []
    for line in lines:
        for finding in _of_line(act, supplier, line, point=point, today=today):
            if finding not in found:
                found.append(finding)
    return found


def _of_line(act: Act, supplier: Supplier, line: Line, *, point: str, today: dt.date) -> list[GateFinding]:
    part = part_of(line)
    process = _process(act, line)
    part_scope = _part_coverage(supplier, part, today)
    process_scope = _process_coverage(supplier, line, today)
    deciding = process_scope.row or part_scope.row
    promise = _promise(line, today)
    facts = {
        "point": point,
        "standing": _standing(supplier),
        "part_scope": part_scope.state,
        "process_scope": process_scope.state,
        "days_left": Decimal((deciding.valid_to - promise).days) if deciding is not None else None,
        "nadcap": _nadcap(process, process_scope),
        "directed_source": "NOT_NEEDED" if not line.customer_reference else "USED",
        "change_notice": _change_notice(supplier, part),
        "limits": _limits(deciding, line),
    }
    return [
        GateFinding(
            str(row["rule"]), str(row["effect"]), _sentence(str(row["rule"]), supplier, line, facts, deciding),
            until=deciding.valid_from if deciding is not None and "FUTURE" in (part_scope.state, process_scope.state) else None,
        )
        for row in ask("supplier_gate", facts) or []
    ]  # fmt: skip


def _promise(line: Line, today: dt.date) -> dt.date:
    promised = getattr(line, "promised_on", None) or line.need_by
    if promised is None and isinstance(line, RequisitionLine):
        promised = line.requisition.need_by
    return promised or today


def _standing(supplier: Supplier) -> str:
    if supplier.status in (SupplierStatus.APPROVED, SupplierStatus.CONDITIONAL) and not supplier.approvals:
        return "UNLISTED"
    return supplier.status.value


def _part_coverage(supplier: Supplier, part: Part | None, today: dt.date) -> Coverage:
    if part is None or part.process_code is not None:
        return Coverage("NOT_NEEDED")
    rows = [
        row
        for row in supplier.approvals
        if (row.subject is ApprovalSubject.PART and row.subject_code == part.part_no)
        or (row.subject is ApprovalSubject.COMMODITY and row.subject_code == part.commodity)
    ]
    return _coverage(rows, today)


def _process_coverage(supplier: Supplier, line: Line, today: dt.date) -> Coverage:
    if line.process_code is None:
        return Coverage("NOT_NEEDED")
    rows = [
        row
        for row in supplier.approvals
        if row.subject is ApprovalSubject.PROCESS
        and row.subject_code == line.process_code
        and (not row.specs or line.spec is None or line.spec in row.specs)
    ]
    return _coverage(rows, today)


def _coverage(rows: list[SupplierApproval], today: dt.date) -> Coverage:
    now = [row for row in rows if row.is_valid_on(today)]
    if now:
        return Coverage("VALID", max(now, key=lambda row: row.valid_to))
    coming = [row for row in rows if row.status in VALID and row.valid_from > today]
    if coming:
        return Coverage("FUTURE", min(coming, key=lambda row: row.valid_from))
    if any(row.status is ApprovalStatus.SUSPENDED for row in rows):
        return Coverage("SUSPENDED")
    return Coverage("EXPIRED" if rows else "MISSING")


def _process(act: Act, line: Line) -> OutsideProcess | None:
    if line.process_code is None:
        return None
    return act.session.scalar(select(OutsideProcess).where(OutsideProcess.code == line.process_code))


def _nadcap(process: OutsideProcess | None, scope: Coverage) -> str:
    if process is None or not process.nadcap_commodity:
        return "NOT_NEEDED"
    return "VALID" if scope.row is not None and scope.row.nadcap_certificate_no else "MISSING"


def _change_notice(supplier: Supplier, part: Part | None) -> str:
    if part is None or part.criticality not in CRITICAL:
        return "NOT_NEEDED"
    return "AGREED" if supplier.has_change_agreement else "MISSING"


def _limits(row: SupplierApproval | None, line: Line) -> str:
    if row is None or (row.max_quantity is None and row.max_value is None):
        return "NONE"
    over = (row.max_quantity is not None and line.quantity > row.max_quantity) or (
        row.max_value is not None and line.amount > row.max_value
    )
    return "EXCEEDED" if over else "WITHIN"


def _limits_in_force(supplier: Supplier, line: Line, today: dt.date) -> list[SupplierApproval]:
    rows = (_process_coverage(supplier, line, today).row, _part_coverage(supplier, part_of(line), today).row)
    return [row for row in rows if row is not None and row.status is ApprovalStatus.CONDITIONAL]


def _sentence(rule: str, supplier: Supplier, line: Line, facts: dict[str, Any], row: SupplierApproval | None) -> str:
    who, what = supplier.name, line.process_code or line.item
    state = facts["process_scope"] if line.process_code else facts["part_scope"]
    from_day = f" from {row.valid_from} on" if row is not None and state == "FUTURE" else ""
    return {
        "SUP-01": f"Expected an approved supplier, but {who} is {_spoken(facts['standing'])}.",
        "SUP-02": f"Expected {who} to be approved for {what}, but the scope is {state.lower()}{from_day}.",
        "SUP-03": f"Expected {who} to be approved for the process {what}, but the scope is {state.lower()}{from_day}.",
        "SUP-04": f"Expected the approval of {who} to last beyond delivery, but it ends on {row.valid_to if row else 'no day'}.",
        "SUP-05": f"Expected a Nadcap certificate of {who} for {what}, but there is none.",
        "SUP-06": f"Expected the source that the customer named, but found {who}.",
        "SUP-07": f"Expected a change notification agreement with {who}, but there is none.",
        "SUP-12": f"Expected {what} to stay within the limits of the approval of {who}, but it goes beyond.",
    }.get(rule, f"{rule} on {who}.")


def _spoken(standing: str) -> str:
    return {"UNLISTED": "not on the approved supplier list"}.get(standing, standing.lower())


def _alternatives(
    act: Act, supplier: Supplier, lines: Sequence[RequisitionLine], today: dt.date
) -> list[dict[str, str]]:
    """Return who else has every scope that is needed."""
    wanted = select(Supplier).where(Supplier.is_active, Supplier.id != supplier.id).order_by(Supplier.name)
    able = [
        other
        for other in act.session.scalars(wanted.join(SupplierApproval).distinct())
        if not any(
            finding.effect in ("HOLD", "BLOCK")
            for finding in findings_for(act, other, lines, point="gate", today=today)
        )
    ]
    return [{"supplier_no": other.supplier_no, "name": other.name} for other in able[:10]]
