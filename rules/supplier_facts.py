"""What is known of a supplier beyond its approvals, for one line at a point of use: SUP-05, SUP-08, SUP-10, SUP-11, SUP-13, SUP-14.

Each rule gathers facts with a sentence; what a fact means at which point is the table ``supplier_facts.dmn``, and how old a fact may
be the table ``supplier_limits.dmn``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.answers import of_each, once
from engine.errors import Effect, Finding
from records.outside import LinkStatus, OutsideLink
from records.part import Criticality, OutsideProcess, Part, process_called, process_words
from records.purchase_order import PurchaseOrderLine
from records.supplier import ApprovalBasis, Supplier, SupplierApproval, SupplierSite
from records.supplier_knowledge import (
    ApprovalRecheck,
    ArticleScope,
    Grade,
    RecheckStatus,
    ScreeningResult,
    SubTier,
    SubTierStatus,
    SupplierScore,
    SupplierScreening,
)
from records.work_order import WorkOrder, WorkOrderOperation, WorkOrderType
from rules.first_article import decision_for, needs_article
from rules.measuring_ranges import Range, outside_of, ranges_in
from rules.policy import table_called
from rules.supplier_lines import Line, part_of, process_of

WAYS_OUT = {
    "SUP-05": "Supplier quality looks the certificate up and writes down what it says, on the supplier's page.",
    "SUP-08": "Supplier quality approves the sub-tier with a signature, or the supplier stops using it.",
    "SUP-10": "Supplier quality makes the supplier conditional, or says why not; the purchasing manager signs its orders.",
    "SUP-11": "Quality or engineering decides about a first article on the supplier's page.",
    "SUP-13": "Screen the supplier and write the result down on its page.",
    "SUP-14": "Supplier quality records the laboratory's ISO/IEC 17025 scope, or another laboratory is chosen.",
}


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that is known, or missing. kind: as the table names it; sentence: what was expected, but found."""

    kind: str
    sentence: str
    critical: bool = False
    imported: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """What the facts are asked about. approval: the row that decides; promise: the day on which it is to be done."""

    supplier: Supplier
    line: Line
    approval: SupplierApproval | None
    on: dt.date
    promise: dt.date
    site: SupplierSite | None


def judge_facts(
    session: Session,
    supplier: Supplier,
    line: Line,
    approval: SupplierApproval | None,
    *,
    point: str,
    on: dt.date,
    promise: dt.date,
    site: SupplierSite | None,
) -> list[Finding]:
    """Return what the table says of everything that is known of a supplier for a line. approval: the row that covers it, if any."""
    asked = Asked(supplier, line, approval, on, promise, site)
    document = line.order if isinstance(line, PurchaseOrderLine) else line.requisition
    found = []
    for fact in _facts(session, asked):
        judgement = table_called("supplier_facts").judge(
            point=str(point), fact=fact.kind, critical=fact.critical, imported=fact.imported
        )
        found += [
            Finding(
                str(row.outputs["rule"]), Effect(row.outputs["effect"]), fact.sentence, document.record_type, document.id,
                field=f"lines.{line.line_no}", new=supplier.supplier_no, owner=str(row.outputs["owner"]),
                way_out=WAYS_OUT[str(row.outputs["rule"])], judged_by=judgement.hash, row=row.number,
            )
            for row in judgement.rows
        ]  # fmt: skip
    return found


def limits_for(part: Part | None) -> dict[str, Any]:
    """Return the limits for a part or service, as the table of limits says by its commodity."""
    commodity = part.commodity if part is not None else ""
    return dict(table_called("supplier_limits").judge(commodity=commodity).row.outputs)


def latest_screening(session: Session, supplier: Supplier) -> SupplierScreening | None:
    """Return the newest screening of a supplier."""

    def ask() -> SupplierScreening | None:
        wanted = select(SupplierScreening).where(SupplierScreening.supplier_id == supplier.id)
        newest = wanted.order_by(SupplierScreening.screened_on.desc(), SupplierScreening.id.desc())
        return session.scalars(newest.limit(1)).first()

    return once(session, ("latest_screening", supplier.id), ask)


def latest_score(session: Session, supplier: Supplier) -> SupplierScore | None:
    """Return the newest score of a supplier."""

    def ask() -> SupplierScore | None:
        wanted = select(SupplierScore).where(SupplierScore.supplier_id == supplier.id)
        newest = wanted.order_by(SupplierScore.scored_on.desc(), SupplierScore.id.desc())
        return session.scalars(newest.limit(1)).first()

    return once(session, ("latest_score", supplier.id), ask)


def has_low_score(session: Session, supplier: Supplier) -> bool:
    """Whether a supplier's newest score is below the limit."""
    found = latest_score(session, supplier)
    return found is not None and found.grade is Grade.LOW


def sub_tiers_for(session: Session, supplier: Supplier, line: Line) -> list[SubTier]:
    """Return the sub-tiers that perform the process of a line for a supplier, those it uses no more left out."""
    process = process_of(line)
    wanted = select(SubTier).where(
        SubTier.supplier_id == supplier.id, SubTier.process_code == process, SubTier.status != SubTierStatus.ENDED
    )
    asked = ("sub_tiers_for", supplier.id, process)
    return [
        found
        for found in once(session, asked, lambda: session.scalars(wanted.order_by(SubTier.name)).all())
        if found.spec in (None, line.spec) and found.order_line_id in (None, line.id)
    ]


def _facts(session: Session, asked: Asked) -> Iterator[Fact]:
    process = _process(session, asked.line)
    yield from _screening(session, asked)
    yield from _score(session, asked)
    if process is not None and process.is_special:
        yield from _sub_tiers(session, asked)
    if process is not None and process.nadcap_commodity and asked.approval is not None:
        yield from _nadcap(session, asked)
    if asked.approval is not None:
        yield from _article(session, asked, is_special=process is not None and process.is_special)
    if is_calibration(session, asked.line):
        yield from _laboratory(session, asked)


def _process(session: Session, line: Line) -> OutsideProcess | None:
    return process_called(session, process_of(line))


def _screening(session: Session, asked: Asked) -> Iterator[Fact]:
    """SUP-13: screened, lately enough, and nothing found."""
    who, part = asked.supplier.name, part_of(asked.line)
    is_controlled = part is not None and part.export_class is not None
    found, days = latest_screening(session, asked.supplier), int(limits_for(part)["screening_days"])
    if found is None:
        sentence = f"Expected {who} to be screened against sanctions and export lists, but it never was."
        yield Fact("SCREENING_MISSING", sentence, critical=is_controlled)
        return
    if found.result is not ScreeningResult.CLEAR:
        hit = "is on a list" if found.result is ScreeningResult.MATCH else "has a name alike on a list"
        sentence = f"Expected the screening of {who} to be clear, but it {hit} ({found.source}, {found.screened_on}): {found.note}"
        yield Fact(f"SCREENING_{found.result.value}", sentence[:1000], critical=is_controlled)
    elif (age := (asked.on - found.screened_on).days) > days:
        sentence = f"Expected a screening of {who} at most {days} days old, but the last one is of {found.screened_on}, {age} days ago."
        yield Fact("SCREENING_OLD", sentence, critical=is_controlled)


def _score(session: Session, asked: Asked) -> Iterator[Fact]:
    """SUP-10: how it delivered lately."""
    found = latest_score(session, asked.supplier)
    if found is not None and found.grade is Grade.LOW:
        yield Fact("SCORE_LOW", low_score(found))


def low_score(score: SupplierScore) -> str:
    """Return the sentence about a low score, with the numbers that it was made of."""
    return (
        f"Expected {score.supplier.name} to deliver good pieces on time, but {score.pieces_rejected.normalize():f} of"
        f" {score.pieces_received.normalize():f} pieces were rejected ({_figure(score.ppm)} ppm) and {score.late} of {score.deliveries}"
        f" deliveries were late, {score.early} early ({_figure(score.on_time_percent)} % on time) from {score.window_from} to"
        f" {score.window_to}."
    )


def _figure(value: Any) -> str:
    return "no" if value is None else f"{value:,.0f}"


def _sub_tiers(session: Session, asked: Asked) -> Iterator[Fact]:
    """SUP-08: whoever performs the process for the supplier is approved, and the line binds it."""
    for found in sub_tiers_for(session, asked.supplier, asked.line):
        if not found.is_approved_on(asked.on):
            ended = found.status is SubTierStatus.APPROVED
            state = f"its approval ended on {found.valid_to}" if ended else f"it is {found.status.lower()}"
            sentence = (
                f"Expected an approved sub-tier for {process_words(found.process_code)} of {asked.supplier.name}, but {found.name} does"
                f" it and {state}."
            )
            yield Fact("SUB_TIER_UNAPPROVED", sentence)
            continue
        clause = str(limits_for(part_of(asked.line))["flow_down_clause"])
        line = asked.line
        if isinstance(line, PurchaseOrderLine) and clause not in {
            one.partition("@")[0] for one in line.quality_clauses
        }:
            sentence = (
                f"Expected clause {clause} on line {line.line_no} of {line.order.number}, since {found.name} does"
                f" {process_words(found.process_code)} for {asked.supplier.name}, but it is not there."
            )
            yield Fact("SUB_TIER_CLAUSE", sentence)


def _nadcap(session: Session, asked: Asked) -> Iterator[Fact]:
    """SUP-05: the certificate has a number, is of the place that works, outlasts the promise and was looked up again."""
    row, who = asked.approval, asked.supplier.name
    if row is None or row.basis is not ApprovalBasis.NADCAP:
        return
    if not (row.nadcap_certificate_no or "").strip():
        yield Fact("NADCAP_NUMBER", f"Expected the number of the Nadcap certificate of {who}, but there is none.")
    if row.supplier_site_id is None and len(asked.supplier.sites) > 1:
        places = ", ".join(site.code for site in asked.supplier.sites)
        sentence = f"Expected the Nadcap certificate {row.nadcap_certificate_no} of {who} to name its site, but {who} works at {places}."
        yield Fact("NADCAP_SITE", sentence)
    elif row.supplier_site_id is not None and asked.site is not None and row.supplier_site_id != asked.site.id:
        place = row.supplier_site.address if row.supplier_site is not None else ""
        sentence = f"Expected the Nadcap certificate {row.nadcap_certificate_no} to be of {asked.site.address}, but it is of {place}."
        yield Fact("NADCAP_SITE", sentence)
    if row.certificate_expires_on is not None and row.certificate_expires_on < asked.promise:
        sentence = (
            f"Expected the Nadcap certificate {row.nadcap_certificate_no} of {who} to be valid on {asked.promise}, but it ends on"
            f" {row.certificate_expires_on}."
        )
        yield Fact("NADCAP_EXPIRED", sentence)
    yield from _rechecks(session, row, asked)


def _rechecks(session: Session, row: SupplierApproval, asked: Asked) -> Iterator[Fact]:
    wanted = select(ApprovalRecheck).where(ApprovalRecheck.approval_id == row.id)
    newest = wanted.order_by(ApprovalRecheck.due_on.desc()).limit(1)
    last = once(session, ("latest_recheck", row.id), lambda: session.scalars(newest).first())
    if last is None:
        return
    if last.status is RecheckStatus.REFUTED:
        sentence = f"Expected the certificate {row.nadcap_certificate_no} to be confirmed, but on {last.done_on} it was not: {last.note}"
        yield Fact("RECHECK_REFUTED", sentence[:1000])
    elif last.status is RecheckStatus.DUE and last.due_on < asked.on:
        sentence = f"Expected the certificate {row.nadcap_certificate_no} to be looked up again by {last.due_on}, but nobody did."
        yield Fact("RECHECK_OVERDUE", sentence)


def _article(session: Session, asked: Asked, *, is_special: bool) -> Iterator[Fact]:
    """SUP-11: a new source or site, two years without a delivery or a changed process is decided about first."""
    line, part = asked.line, part_of(asked.line)
    need = needs_article(
        session, asked.supplier, line, on=asked.on, site=asked.site, gap_days=int(limits_for(part)["gap_days"])
    )
    is_order = isinstance(line, PurchaseOrderLine)
    has_report = isinstance(line, PurchaseOrderLine) and "FAI" in line.certificates
    if need is None or has_report:
        return
    decision = decision_for(session, asked.supplier, line, need, site=asked.site)
    if decision is None:
        critical = is_special or (part is not None and part.criticality is not Criticality.STD)
        imported = need.is_new and asked.approval is not None and asked.approval.origin == "ERP"
        sentence = (
            f"Expected a decision about a first article of {need.subject} from {asked.supplier.name}, but {need.words}."
        )
        yield Fact("ARTICLE_UNDECIDED", sentence, critical=critical, imported=imported)
    elif is_order and decision.scope is not ArticleScope.NONE:
        sentence = (
            f"Expected line {line.line_no} to ask for the {decision.scope.lower()} first article report that {decision.decided_by} decided"
            f" on {decision.decided_on}, but FAI is not among its certificates."
        )
        yield Fact("ARTICLE_CERTIFICATE", sentence)


def first_article_report(
    session: Session, line: Line, supplier: Supplier, *, on: dt.date, site: SupplierSite | None
) -> set[str]:
    """Return the certificate that a new line asks for because a first article of it was decided, or nothing."""
    gap_days = int(limits_for(part_of(line))["gap_days"])
    need = needs_article(session, supplier, line, on=on, site=site, gap_days=gap_days)
    decision = decision_for(session, supplier, line, need, site=site) if need is not None else None
    return {"FAI"} if decision is not None and decision.scope is not ArticleScope.NONE else set()


def is_calibration(session: Session, line: Line) -> bool:
    """Whether a line has gauges calibrated: by its commodity, or since a calibration work order is linked with it or named."""
    if limits_for(part_of(line))["laboratory"]:
        return True
    return of_each(session, line, "is_calibration", lambda lines: _calibrations(session, lines), otherwise=False)


def _calibrations(session: Session, lines: Sequence[Line]) -> dict[str, bool]:
    """Return the lines for which a calibration work order is linked or named."""
    kinds = select(WorkOrder.number).where(WorkOrder.type == WorkOrderType.CALIBRATION)
    numbered = {line.id: str(line.work_order_op or "").rpartition("/")[0] for line in lines}
    names = sorted({name for name in numbered.values() if name})
    known = set(session.scalars(kinds.where(WorkOrder.number.in_(names)))) if names else set()
    linked = (
        select(OutsideLink.order_line_id)
        .join(WorkOrderOperation, OutsideLink.operation_id == WorkOrderOperation.id)
        .join(WorkOrder, WorkOrderOperation.work_order_id == WorkOrder.id)
        .where(WorkOrder.type == WorkOrderType.CALIBRATION, OutsideLink.status != LinkStatus.CANCELLED)
    )
    ordered = [line.id for line in lines if isinstance(line, PurchaseOrderLine)]
    found = set(session.scalars(linked.where(OutsideLink.order_line_id.in_(ordered)))) if ordered else set()
    return {line_id: True for line_id, name in numbered.items() if name in known or line_id in found}


def _to_calibrate(session: Session, line: Line) -> list[Range]:
    """Return the measuring ranges that a line asks for: in its own text, its item's name, or the name of the gauge it is for."""
    numbered = str(line.work_order_op or "").rpartition("/")[0]
    orders = session.scalars(select(WorkOrder).where(WorkOrder.number == numbered)).all() if numbered else ()
    gauges = [order.resource.name for order in orders if order.resource is not None]
    part = part_of(line)
    return ranges_in("; ".join(filter(None, (line.description, part.name if part is not None else "", *gauges))))


def _laboratory(session: Session, asked: Asked) -> Iterator[Fact]:
    """SUP-14: a laboratory shows what it may calibrate, over a range that holds what is asked for, and until when."""
    who = asked.supplier.name
    row = asked.approval
    if row is None or not row.accreditation_no:
        yield Fact("LABORATORY_MISSING", f"Expected an ISO/IEC 17025 scope of {who}, but there is none.")
        return
    if not (row.discipline and row.measuring_range):
        lacks = "discipline" if not row.discipline else "measuring range"
        yield Fact(
            "LABORATORY_INCOMPLETE",
            f"Expected the {lacks} of the scope {row.accreditation_no} of {who}, but there is none.",
        )
    covered = ranges_in(row.measuring_range or "")
    for wanted in outside_of(_to_calibrate(session, asked.line), covered):
        has = f"{row.discipline}, {row.measuring_range}"
        sentence = f"Expected the scope {row.accreditation_no} of {who} to cover {wanted.text}, but it is {has}."
        yield Fact("LABORATORY_RANGE", sentence)
    ends = row.certificate_expires_on
    if ends is None or ends < asked.promise:
        until = f"it ends on {ends}" if ends else "its end is not known"
        sentence = (
            f"Expected the accreditation {row.accreditation_no} of {who} to be valid on {asked.promise}, but {until}."
        )
        yield Fact("LABORATORY_EXPIRED", sentence)
