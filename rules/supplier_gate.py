"""The supplier gate: may this supplier deliver this line, at this point of use, on this day? SUP-01 to SUP-08 and SUP-10 to SUP-14.

What its approvals say is gathered here, and what each of them means at which point is the table ``supplier_gate.dmn``; what else is
known of a supplier is gathered in ``supplier_facts`` and weighed by the table of that name.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engine.answers import of_each, once
from engine.errors import Effect, Finding
from records.part import Criticality, process_called, process_words
from records.purchase_order import OrderStatus, PurchaseOrder, PurchaseOrderLine
from records.requisition import Requisition
from records.supplier import (
    ApprovalBasis,
    ApprovalStatus,
    ApprovalSubject,
    Supplier,
    SupplierApproval,
    SupplierSite,
)
from rules.amounts import on_day
from rules.flow_mode import lenient
from rules.policy import Judgement, table_called
from rules.supplier_facts import judge_facts
from rules.supplier_lines import Line, covers, part_of, process_of, subjects_of
from rules.waiver import soften

__all__ = [
    "GateJudgement", "Line", "Point", "covers", "flow_at", "judge", "judge_order", "judge_requisition", "part_of", "process_of",
    "subjects_of", "suppliers_for", "suspended_scope",
]  # fmt: skip

GIVEN = frozenset({ApprovalStatus.APPROVED, ApprovalStatus.CONDITIONAL})
ONE_TIME = dt.timedelta(days=30)
"""A one-time approval is used within so many days of its first one (SUP-12)."""


class Point(StrEnum):
    """Where in its life a purchase asks the gate."""

    SUBMIT = "submit"
    GATE = "gate"
    BUILD = "build"
    ISSUE = "issue"
    SHIP = "ship"


@dataclass(frozen=True, slots=True)
class GateJudgement:
    """What the gate says. findings: strongest first within a line, in the order of the lines.

    until: the day on which every hold ends by itself, when waiting is all it takes. limits: approvals whose limits bind the order.
    """

    findings: tuple[Finding, ...]
    until: dt.date | None
    limits: tuple[SupplierApproval, ...]

    @property
    def stops(self) -> tuple[Finding, ...]:
        """The findings that hold or refuse."""
        return tuple(finding for finding in self.findings if finding.effect is not Effect.WARN)


@dataclass(frozen=True, slots=True)
class Scope:
    """How far a supplier's approvals cover one subject. state: as the table names it; row: the approval that decides."""

    state: str
    row: SupplierApproval | None = None


def judge(
    session: Session,
    supplier: Supplier,
    lines: Sequence[Line],
    *,
    point: Point,
    on: dt.date,
    site: SupplierSite | None = None,
) -> GateJudgement:
    """Judge a supplier for lines at a point of use.

    on: the site-local day of use. site: of the supplier, where one is named; approvals for another site do not count then.
    """
    findings: list[Finding] = []
    days: list[dt.date | None] = []
    limits: list[SupplierApproval] = []
    for line in lines:
        part, process = _scopes(session, supplier, line, on=on, site=site)
        facts = _facts(session, supplier, line, part, process, on=on) | {"point": str(point)}
        found = list(_findings(session, supplier, line, facts, part, process, on=on))
        decides = process.row if process.state != "NOT_NEEDED" else part.row
        found += judge_facts(
            session, supplier, line, decides, point=point, on=on, promise=_promise(line, on), site=site
        )
        days += [_opens(finding, part, process) for finding in found if finding.effect is not Effect.WARN]
        findings += [finding for finding in found if finding not in findings]
        limits += [row for row in (part.row, process.row) if row is not None and _is_limited(row) and row not in limits]
    until = max((day for day in days if day is not None), default=None) if None not in days else None
    weighed = lenient(session, soften(session, findings, on=on), flow_at(point))
    return GateJudgement(tuple(weighed), until, tuple(limits))


def flow_at(point: Point) -> str:
    """Return the flow whose mode counts at a point of use."""
    return "outside_processing" if point is Point.SHIP else "requisition_to_po"


def judge_order(session: Session, order: PurchaseOrder, *, point: Point, on: dt.date) -> GateJudgement:
    """Judge an order's supplier for its lines."""
    return judge(session, order.supplier, order.lines, point=point, on=on, site=order.supplier_site)


def judge_requisition(session: Session, requisition: Requisition, *, point: Point, on: dt.date) -> GateJudgement:
    """Judge the suppliers that a requisition's lines name; a line that names none is not judged."""
    parts = [
        judge(session, line.supplier, [line], point=point, on=on)
        for line in requisition.lines
        if line.supplier is not None
    ]
    findings = tuple(dict.fromkeys(finding for part in parts for finding in part.findings))
    return GateJudgement(findings, None, tuple(row for part in parts for row in part.limits))


def suppliers_for(session: Session, line: Line, *, on: dt.date) -> list[Supplier]:
    """Return the active suppliers whose approvals cover a line on a day, by name."""
    none: Sequence[SupplierApproval] = ()
    rows = of_each(session, line, "approved_for", lambda lines: _approved_for(session, lines), otherwise=none)
    able = {row.supplier for row in rows if covers(row, line) and row.is_valid_on(on)}
    return sorted(able, key=lambda supplier: (supplier.name, supplier.supplier_no))


def _approved_for(session: Session, lines: Sequence[Line]) -> dict[str, Sequence[SupplierApproval]]:
    """Return the approvals of active suppliers that are about each line."""
    subjects = {line.id: subjects_of(line) for line in lines}
    every: set[tuple[ApprovalSubject, str]] = set().union(*subjects.values())
    wanted = (
        select(SupplierApproval)
        .join(Supplier)
        .where(
            Supplier.is_active, Supplier.status.in_([ApprovalStatus.APPROVED.value, ApprovalStatus.CONDITIONAL.value])
        )
        .where(SupplierApproval.subject.in_(sorted({subject for subject, _ in every})))
        .where(SupplierApproval.subject_code.in_(sorted({code for _, code in every})))
    )
    found: dict[tuple[ApprovalSubject, str], list[SupplierApproval]] = defaultdict(list)
    for row in session.scalars(wanted) if every else ():
        found[row.subject, row.subject_code].append(row)
    return {line_id: [row for one in sorted(mine) for row in found[one]] for line_id, mine in subjects.items()}


def suspended_scope(session: Session, supplier: Supplier, line: Line) -> str | None:
    """Return the part, commodity or process for which a supplier is suspended where a line needs it (SUP-09), or None.

    Where another approval that covers the line stands, nothing is suspended for it.
    """
    subjects = subjects_of(line)
    rows = [
        row
        for row in _approvals(session, supplier)
        if (row.subject, row.subject_code) in subjects and covers(row, line)
    ]
    suspended = [row for row in rows if row.status is ApprovalStatus.SUSPENDED]
    return suspended[0].subject_words if suspended and not any(row.status in GIVEN for row in rows) else None


def _scopes(
    session: Session, supplier: Supplier, line: Line, *, on: dt.date, site: SupplierSite | None
) -> tuple[Scope, Scope]:
    """Return the scopes (part, process): whoever treats our part is approved for the process, whoever makes one for the part."""
    subjects = subjects_of(line)
    if not subjects:
        return Scope("NOT_NEEDED"), Scope("NOT_NEEDED")
    rows = [
        row
        for row in _approvals(session, supplier)
        if (row.subject, row.subject_code) in subjects
        and covers(row, line)
        and (site is None or row.supplier_site_id in (None, site.id))
    ]
    scope = _scope(rows, on)
    return (Scope("NOT_NEEDED"), scope) if process_of(line) is not None else (scope, Scope("NOT_NEEDED"))


def _approvals(session: Session, supplier: Supplier) -> list[SupplierApproval]:
    def ask() -> list[SupplierApproval]:
        return list(session.scalars(select(SupplierApproval).where(SupplierApproval.supplier_id == supplier.id)))

    return once(session, ("approvals", supplier.id), ask)


def _scope(rows: list[SupplierApproval], on: dt.date) -> Scope:
    valid = [row for row in rows if row.is_valid_on(on)]
    if valid:
        return Scope("VALID", max(valid, key=lambda row: (row.status is ApprovalStatus.APPROVED, row.valid_to)))
    future = [row for row in rows if row.status in GIVEN and row.valid_from > on]
    if future:
        return Scope("FUTURE", min(future, key=lambda row: row.valid_from))
    if any(row.status is ApprovalStatus.SUSPENDED for row in rows):
        return Scope("SUSPENDED")
    past = [row for row in rows if row.status is ApprovalStatus.EXPIRED or (row.status in GIVEN and row.valid_to < on)]
    return Scope("EXPIRED", max(past, key=lambda row: row.valid_to)) if past else Scope("MISSING")


def _facts(
    session: Session, supplier: Supplier, line: Line, part: Scope, process: Scope, *, on: dt.date
) -> dict[str, Any]:
    row = process.row if process.state != "NOT_NEEDED" else part.row
    stands = row is not None and "EXPIRED" not in (part.state, process.state)
    return {
        "standing": _standing(session, supplier),
        "part_scope": part.state,
        "process_scope": process.state,
        "days_left": (row.valid_to - _promise(line, on)).days if row is not None and stands else None,
        "nadcap": _nadcap(session, line, process),
        "directed_source": _directed(session, supplier, line, on),
        "change_notice": _change_notice(supplier, line),
        "limits": _limits(session, supplier, line, row, on=on) if row is not None else "NONE",
    }


def _standing(session: Session, supplier: Supplier) -> str:
    if not supplier.is_active:
        return "DISQUALIFIED"
    listed = any(
        row.status not in (ApprovalStatus.PENDING, ApprovalStatus.WITHDRAWN) for row in _approvals(session, supplier)
    )
    return supplier.status.value if listed or supplier.status not in ("APPROVED", "CONDITIONAL") else "UNLISTED"


def _promise(line: Line, on: dt.date) -> dt.date:
    """Return the day on which the supplier is to have done it."""
    if isinstance(line, PurchaseOrderLine):
        return max(line.promised_on or line.need_by or on, on)
    return max(line.need_by or line.requisition.need_by or on, on)


def _nadcap(session: Session, line: Line, process: Scope) -> str:
    if process.row is None or process.state not in ("VALID", "FUTURE"):
        return "NOT_NEEDED"
    bought = process_called(session, process_of(line))
    commodity = bought.nadcap_commodity if bought is not None else None
    if not commodity:
        return "NOT_NEEDED"
    held = process.row.basis is ApprovalBasis.NADCAP and process.row.nadcap_certificate_no
    named = (process.row.nadcap_commodity or commodity).casefold() == commodity.casefold()
    return "VALID" if held and named else "MISSING"


def _directed(session: Session, supplier: Supplier, line: Line, on: dt.date) -> str:
    """Say whether the source is the one that the customer, named on the line, designated."""
    if not line.customer_reference:
        return "NOT_NEEDED"
    wanted = (
        select(SupplierApproval)
        .where(SupplierApproval.basis == ApprovalBasis.CUSTOMER_DIRECTED)
        .where(SupplierApproval.customer_reference == line.customer_reference)
    )
    rows = once(session, ("directed_by", line.customer_reference), lambda: session.scalars(wanted).all())
    designated = {
        row.supplier_id for row in rows if (row.subject, row.subject_code) in subjects_of(line) and row.is_valid_on(on)
    }
    if not designated:
        return "NOT_NEEDED"
    return "USED" if supplier.id in designated else "OTHER"


def _change_notice(supplier: Supplier, line: Line) -> str:
    part = part_of(line)
    if part is None or part.criticality is Criticality.STD:
        return "NOT_NEEDED"
    return "AGREED" if supplier.has_change_agreement else "MISSING"


def _is_limited(row: SupplierApproval) -> bool:
    return row.is_one_time or (
        row.status is ApprovalStatus.CONDITIONAL and (row.max_quantity is not None or row.max_value is not None)
    )


def _limits(session: Session, supplier: Supplier, line: Line, row: SupplierApproval, *, on: dt.date) -> str:
    if not _is_limited(row):
        return "NONE"
    document = line.order if isinstance(line, PurchaseOrderLine) else line.requisition
    value = on_day(session, document, line.amount, day=on)
    over = (
        (row.max_quantity is not None and line.quantity > row.max_quantity)
        or (row.max_value is not None and value > row.max_value)
        or (row.is_one_time and (on - row.valid_from > ONE_TIME or _other_orders(session, supplier, line, row) > 0))
    )
    return "EXCEEDED" if over else "WITHIN"


def _other_orders(session: Session, supplier: Supplier, line: Line, row: SupplierApproval) -> int:
    """Count the orders that a one-time approval was used for already."""
    column = (
        PurchaseOrderLine.process_code if row.subject is ApprovalSubject.PROCESS else PurchaseOrderLine.part_revision_id
    )
    same = line.process_code if row.subject is ApprovalSubject.PROCESS else line.part_revision_id
    wanted = (
        select(func.count(PurchaseOrder.id.distinct()))
        .join(PurchaseOrderLine)
        .where(PurchaseOrder.supplier_id == supplier.id, column == same, PurchaseOrder.created_at >= row.created_at)
        .where(PurchaseOrder.status.not_in([OrderStatus.DRAFT, OrderStatus.CANCELLED, OrderStatus.REJECTED]))
    )
    if isinstance(line, PurchaseOrderLine):
        wanted = wanted.where(PurchaseOrder.id != line.order_id)
    return session.scalar(wanted) or 0


def _findings(
    session: Session, supplier: Supplier, line: Line, facts: dict[str, Any], part: Scope, process: Scope, *, on: dt.date
) -> Iterator[Finding]:
    judgement = table_called("supplier_gate").judge(**facts)
    order = {Effect.BLOCK: 0, Effect.HOLD: 1, Effect.WARN: 2}
    strongest: dict[str, Finding] = {}
    for number, outputs in ((row.number, row.outputs) for row in judgement.rows):
        rule, effect = str(outputs["rule"]), Effect(outputs["effect"])
        if rule in strongest and order[strongest[rule].effect] <= order[effect]:
            continue
        strongest[rule] = _finding(
            session, supplier, line, (rule, effect, number, judgement), facts, part, process, on=on
        )
    yield from sorted(strongest.values(), key=lambda finding: (finding.rule, order[finding.effect]))


def _finding(
    session: Session,
    supplier: Supplier,
    line: Line,
    row: tuple[str, Effect, int, Judgement],
    facts: dict[str, Any],
    part: Scope,
    process: Scope,
    *,
    on: dt.date,
) -> Finding:
    rule, effect, number, judgement = row
    document = line.order if isinstance(line, PurchaseOrderLine) else line.requisition
    others = [other.name for other in suppliers_for(session, line, on=on) if other.id != supplier.id]
    scope = process if process.state != "NOT_NEEDED" else part
    return Finding(
        rule,
        effect,
        _sentence(rule, supplier, line, facts, scope, others=others),
        document.record_type,
        document.id,
        field=f"lines.{line.line_no}",
        new=supplier.supplier_no,
        owner="role:SQ",
        way_out=_way_out(rule, scope, others),
        judged_by=judgement.hash,
        row=number,
    )


def _sentence(
    rule: str, supplier: Supplier, line: Line, facts: dict[str, Any], scope: Scope, *, others: Iterable[str]
) -> str:
    who, what = supplier.name, _what(line)
    have = f" Approved for it: {', '.join(others)}." if others else " No other supplier is approved for it."
    ends = scope.row.valid_to if scope.row is not None else None
    return {
        "SUP-01": f"Expected an approved supplier, but {who} is {_standing_words(facts['standing'])}.{have}",
        "SUP-02": f"Expected {who} to be approved for {what}, but its scope {_scope_words(scope)}.{have}",
        "SUP-03": f"Expected {who} to be approved for {what}, but its scope {_scope_words(scope)}.{have}",
        "SUP-04": f"Expected the approval of {who} for {what} to outlast the promised date by more than 30 days, but it ends on {ends}.",
        "SUP-05": f"Expected a Nadcap accreditation of {who} for {what} with certificate number and commodity, but there is none.",
        "SUP-06": f"Expected the source that the customer designated ({line.customer_reference}), but {who} is another one.",
        "SUP-07": f"Expected {who} to have agreed to notify changes of critical parts, but it has not.",
        "SUP-12": f"Expected {what} to stay within the limits of the approval of {who}, but it goes beyond them.",
    }[rule]


def _what(line: Line) -> str:
    process, part = process_of(line), part_of(line)
    if process is not None:
        spec = f" to {line.spec}{f' rev {line.spec_rev}' if line.spec_rev else ''}" if line.spec else ""
        return f"{process_words(process)}{spec}"
    return f"{part.part_no} or {process_words(part.commodity)}" if part is not None else line.item


def _standing_words(standing: str) -> str:
    return "not on the approved supplier list" if standing == "UNLISTED" else standing.lower()


def _scope_words(scope: Scope) -> str:
    if scope.state == "FUTURE" and scope.row is not None:
        return f"begins on {scope.row.valid_from}"
    if scope.state == "EXPIRED" and scope.row is not None:
        return f"ended on {scope.row.valid_to}"
    return {"MISSING": "is missing", "SUSPENDED": "is suspended"}.get(scope.state, f"is {scope.state.lower()}")


def _way_out(rule: str, scope: Scope, others: Sequence[str]) -> str:
    if scope.state == "FUTURE" and scope.row is not None and rule in ("SUP-02", "SUP-03"):
        return f"Wait until {scope.row.valid_from}."
    choice = f"choose {' or '.join(others[:2])}, " if others else ""
    return f"Supplier quality approves the supplier, {choice}or a one-time approval."


def _opens(finding: Finding, part: Scope, process: Scope) -> dt.date | None:
    """Return the day on which a hold ends by itself, or None when waiting does not help."""
    scope = {"SUP-02": part, "SUP-03": process}.get(finding.rule)
    return scope.row.valid_from if scope is not None and scope.state == "FUTURE" and scope.row is not None else None
