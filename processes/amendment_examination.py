"""What an amendment would be: each value with its class, the order afterwards, who approves, what speaks against it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy.orm import Session

from engine.errors import Effect, Finding, Invalid
from engine.record import Operation
from processes.amendment_plan import Weight, weigh, with_planner
from processes.amendment_projection import projected
from processes.approval_plan import Seat
from processes.documents import plain
from processes.facts import Asking
from records.money import convert
from records.purchase_order import LineStatus, PurchaseOrder, PurchaseOrderLine
from rules.amending import Asked, Classified, Edits, asked_of, classify, deepest, links_of, operation_of
from rules.amendment_counterpart import proposals
from rules.blurred_roles import judge_text
from rules.change_item import ChangeClass
from rules.quality import wanted_clauses
from rules.revisions import judge_revisions
from rules.supplier_gate import Point, judge
from rules.validation import stops


@dataclass(frozen=True, slots=True)
class Examination:
    """What an amendment would be: each value with its class, the order afterwards, who approves, what speaks against it.

    amounts: path, old and new amount of each line whose amount moves.
    """

    classified: Sequence[Classified]
    after: PurchaseOrder
    weight: Weight
    seats: Sequence[Seat]
    findings: Sequence[Finding]
    amounts: Sequence[tuple[str, str, Decimal | None, Decimal | None]]

    @property
    def change_class(self) -> ChangeClass:
        """The deepest class."""
        return deepest(self.classified)


def examine(asking: Asking, order: PurchaseOrder, edits: Edits) -> Examination:
    """Judge what edits would do to an order; nothing is written.

    Raises: Invalid when a value does not fit or nothing changes; Conflict when the order takes no amendment.
    """
    session = asking.session
    asked = asked_of(order, edits)
    if not asked:
        raise Invalid(
            f"Expected something to change on {order.number}, but everything is as it was", {"changes": "none"}
        )
    after = projected(session, order, asked)
    is_linked = _is_linked(session, order, asked)
    weight = weigh(asking, order, after, is_linked=is_linked)
    is_within = weight.plan.value != "FULL"
    classified = classify(session, order, asked, is_within=is_within)
    seats = with_planner(weight, deepest(classified), is_linked=is_linked)
    return Examination(classified, after, weight, seats, _findings(asking, order, after, asked), _amounts(order, after))


def impact_of(asking: Asking, order: PurchaseOrder, found: Examination) -> list[str]:
    """Return what the amendment touches beside the order, one sentence each."""
    touched = {one.asked.row_id for one in found.classified}
    lines = [line for line in order.lines if line.id in touched] or list(order.lines)
    said = [
        f"Line {line.line_no}: {plain(line.quantity_received)} of {plain(line.quantity)} {line.uom} are received."
        for line in lines
        if line.quantity_received
    ]
    linked = [(line, operation) for line in lines if (operation := operation_of(asking.session, line)) is not None]
    said += [
        f"Line {line.line_no} is for {operation.number}, {operation.description}: {operation.status.value}."
        for line, operation in linked
    ]
    said += [
        f"{link.number}: {plain(link.shipped)} {link.uom} were shipped, {plain(link.at_supplier)} are at the supplier."
        for line in lines
        for link in links_of(asking.session, line)
        if link.shipped
    ]
    said += proposals(asking.session, order, [one.asked for one in found.classified], is_cancelled=not found.classified)
    rate = order.fx_rate or Decimal(1)
    delta = convert(found.weight.total_after - found.weight.total_before, rate, currency=order.site.currency)
    if delta:
        said.append(f"Budget: {'+' if delta > 0 else ''}{plain(delta)} {order.site.currency}.")
    return said


def _amounts(order: PurchaseOrder, after: PurchaseOrder) -> list[tuple[str, str, Decimal | None, Decimal | None]]:
    before = {line.line_no: line for line in order.lines}
    found = []
    for line in after.lines:
        old = before.get(line.line_no)
        was = old.amount if old is not None and old.status is not LineStatus.CANCELLED else None
        now = line.amount if line.status is not LineStatus.CANCELLED else None
        if was != now:
            found.append((f"lines.{line.line_no}.amount", line.id, was, now))
    return found


def _findings(asking: Asking, order: PurchaseOrder, after: PurchaseOrder, asked: Sequence[Asked]) -> list[Finding]:
    """Return what the laws say against the lines that an amendment adds or enlarges, and against new texts."""
    session, today = asking.session, order.site.local_day(asking.now)
    texts = {one.row_id for one in asked if one.column == "description"}
    grown = {
        one.row_id
        for one in asked
        if one.operation is Operation.INSERT
        or (isinstance(one.record, PurchaseOrderLine) and one.column == "quantity" and one.value > one.record.quantity)
    }
    added = {one.row_id for one in asked if one.operation is Operation.INSERT}
    found: list[Finding] = []
    for line in after.lines:
        if line.id in grown:
            gate = judge(session, order.supplier, [line], point=Point.ISSUE, on=today, site=order.supplier_site)
            found += [*judge_revisions([line], on=today), *gate.findings]
        if line.id in added:
            found += _lacking(session, order, line)
        if line.id in texts:
            before = {kept.rule for kept in _judged_text(session, order, line.line_no)}
            found += [finding for finding in judge_text(session, line) if finding.rule not in before]
    return stops(found)


def _judged_text(session: Session, order: PurchaseOrder, line_no: int) -> list[Finding]:
    old = next((line for line in order.lines if line.line_no == line_no), None)
    return judge_text(session, old) if old is not None else []


def _lacking(session: Session, order: PurchaseOrder, line: PurchaseOrderLine) -> list[Finding]:
    present = {clause.partition("@")[0] for clause in line.quality_clauses}
    wanted = [one for one in wanted_clauses(session, line, supplier=order.supplier) if one.is_mandatory and one.code]
    return [
        Finding(
            "Q-CLAUSE", Effect.BLOCK,
            f"Expected quality clause {one.code} on line {line.line_no} of {order.number}, but it is not there.",
            order.record_type, order.id, field=f"lines.{line.line_no}.quality_clauses", owner="role:BUYER", way_out="Add the clause.",
        )
        for one in wanted
        if one.code not in present
    ]  # fmt: skip


def _is_linked(session: Session, order: PurchaseOrder, asked: Sequence[Asked]) -> bool:
    touched = {one.row_id for one in asked if one.table_name == PurchaseOrderLine.__tablename__}
    whole = any(one.record is order for one in asked)
    return any(operation_of(session, line) is not None for line in order.lines if whole or line.id in touched)
