"""What an amendment would be: each value with its class, the order afterwards, who approves, what speaks against it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from sqlalchemy.orm import Session

from engine.errors import Effect, Finding, Invalid
from engine.record import Operation
from processes.agreements import shortfalls
from processes.amendment_plan import Weight, weigh, with_planner
from processes.amendment_projection import projected
from processes.approval_plan import Seat
from processes.documents import plain
from processes.facts import Asking
from records.amendment import PurchaseOrderAmendment
from records.change_order import ChangeOrder
from records.money import convert
from records.purchase_order import LineStatus, PurchaseOrder, PurchaseOrderLine
from rules.amending import (
    TECHNICAL,
    Asked,
    Classified,
    Edits,
    asked_of,
    classify,
    deepest,
    links_of,
    operation_of,
    restoring,
)
from rules.amendment_counterpart import proposals
from rules.amendment_cover import covered
from rules.blurred_roles import judge_text
from rules.change_item import ChangeClass
from rules.order_limits import judge_limits
from rules.quality import wanted_clauses
from rules.revisions import judge_revisions
from rules.supplier_gate import Point, judge
from rules.validation import stops


@dataclass(frozen=True, slots=True)
class Examination:
    """What an amendment would be: each value with its class, the order afterwards, who approves, what speaks against it.

    amounts: path, old and new amount of each line whose amount moves. change_order: under which technical values are made, or None.
    """

    classified: Sequence[Classified]
    after: PurchaseOrder
    weight: Weight
    seats: Sequence[Seat]
    findings: Sequence[Finding]
    amounts: Sequence[tuple[str, str, Decimal | None, Decimal | None]]
    change_order: ChangeOrder | None = None

    @property
    def change_class(self) -> ChangeClass:
        """The deepest class."""
        return deepest(self.classified)


def examine(
    asking: Asking,
    order: PurchaseOrder,
    edits: Edits,
    *,
    change_order: ChangeOrder | None = None,
    reverts: PurchaseOrderAmendment | None = None,
) -> Examination:
    """Judge what edits would do to an order; nothing is written.

    change_order: under which the technical ones are to be made, else whichever covers them. reverts: the refused amendment whose
    values come back: what was approved before may come back as it was, whatever the rules say of it today.
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
    if reverts is not None:
        return _restoring(asking, order, asked, after, reverts=reverts, is_linked=is_linked)
    is_technical = any(one.change_class in TECHNICAL for one in classify(session, order, asked, is_within=True))
    weight = weigh(asking, order, after, is_linked=is_linked, is_technical=is_technical)
    judged = classify(session, order, asked, is_within=weight.plan.value != "FULL")
    classified, under = covered(session, order, judged, change_order=change_order)
    seats = with_planner(weight, deepest(classified), is_linked=is_linked)
    findings = _findings(asking, order, after, asked, under=under)
    if under is None and change_order is not None and change_order.is_in_force:
        under = change_order  # What it names belongs to it (a line that it cancels) even where nothing of it needs its cover.
    return Examination(classified, after, weight, seats, findings, _amounts(order, after), under)


def _restoring(
    asking: Asking,
    order: PurchaseOrder,
    asked: list[Asked],
    after: PurchaseOrder,
    *,
    reverts: PurchaseOrderAmendment,
    is_linked: bool,
) -> Examination:
    """Return the examination of values that come back: their money is weighed, nothing else."""
    weight = weigh(asking, order, after, is_linked=is_linked)
    judged = classify(asking.session, order, asked, is_within=weight.plan.value != "FULL")
    change_order = asking.session.get(ChangeOrder, reverts.change_order_id) if reverts.change_order_id else None
    number = change_order.number if change_order is not None else ""
    classified = [replace(one, cover=number) for one in restoring(order, judged)]
    seats = with_planner(weight, deepest(classified), is_linked=is_linked)
    return Examination(classified, after, weight, seats, (), _amounts(order, after), change_order)


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
    if found.change_order is not None:
        said.insert(0, f"Made under {found.change_order.number}: {found.change_order.title}.")
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


def _findings(
    asking: Asking, order: PurchaseOrder, after: PurchaseOrder, asked: Sequence[Asked], *, under: ChangeOrder | None
) -> list[Finding]:
    """Return what the laws say against the lines that an amendment adds or enlarges, and against new texts."""
    session, today = asking.session, order.site.local_day(asking.now)
    texts = {one.row_id for one in asked if one.column == "description"}
    grown = {
        one.row_id
        for one in asked
        if one.operation is Operation.INSERT
        or one.column in ("part_revision_id", "service_code", "process_code", "spec", "spec_rev")
        or (isinstance(one.record, PurchaseOrderLine) and one.column == "quantity" and one.value > one.record.quantity)
    }
    added = {one.row_id for one in asked if one.operation is Operation.INSERT}
    found: list[Finding] = [*shortfalls(session, order, after, on=today), *judge_limits(session, after)]
    for line in after.lines:
        if line.id in grown:
            gate = judge(session, order.supplier, [line], point=Point.ISSUE, on=today, site=order.supplier_site)
            found += [*judge_revisions([line], on=_counts_on(line, under, today)), *gate.findings]
        if line.id in added:
            found += _lacking(session, order, line)
        if line.id in texts:
            before = {kept.rule for kept in _judged_text(session, order, line.line_no)}
            found += [finding for finding in judge_text(session, line) if finding.rule not in before]
    return stops(found)


def _counts_on(line: PurchaseOrderLine, under: ChangeOrder | None, today: dt.date) -> dt.date:
    """Return the day on which a line's revision must be effective: orders are amended before the change that releases it takes effect."""
    revision = line.part_revision
    if under is None or revision is None or revision.change_order_id != under.id or revision.effective_from is None:
        return today
    return max(today, revision.effective_from)


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
