"""From a submitted requisition to approved awards (A01 to A12) and its end; what happens to an award is in its own modules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from engine.act import Act
from engine.canonical import content_hash
from engine.errors import Invalid
from engine.instances import Instance, link_record
from engine.instances import start as start_instance
from engine.registry import Registry, Work
from processes.approval_plan import plan_for, seats_from
from processes.approval_standing import sent_back, still_asked
from processes.documents import (
    company_amount,
    plain,
    requisition_of,
    requisition_variable,
    sentences,
    title_of,
)
from processes.facts import requisition_facts
from processes.notices import tell
from processes.planned_order import requisition_from
from processes.submission import problems_of
from processes.suspicions import acknowledge_all, suspicions_of
from records.cost_centre import encumber, release
from records.money import convert
from records.requisition import (
    Requisition,
    RequisitionLine,
    RequisitionStatus,
    move,
    requisition_content,
    requisition_hash,
)
from records.signing import supersede
from records.sourcing import rate_on
from rules.budget import judge_budget

PROCESS = "requisition_to_po"

registry = Registry()


def start(act: Act, requisition: Requisition) -> Instance:
    """Submit a requisition and start its way to purchase orders.

    Raises: Invalid without lines or without an exchange rate; Conflict ILLEGAL_TRANSITION when it is under way already.
    """
    if not requisition.lines:
        raise Invalid(f"Expected at least one line on {requisition.number}, but there is none", {"lines": "none"})
    if requisition.status is not RequisitionStatus.SUBMITTED:
        move(act, requisition, RequisitionStatus.SUBMITTED)
    act.session.flush()
    return start_instance(
        act,
        PROCESS,
        business_key=requisition.number,
        variables={"requisition": requisition_variable(act, requisition)},
        records=[(requisition.record_type, requisition.id)],
    )


@registry.step("draft_requisition")
def draft_requisition(act: Act, work: Work) -> Mapping[str, Any]:
    """A01b: make a requisition of an ERP's planned order."""
    requisition = requisition_from(act, work)
    move(act, requisition, RequisitionStatus.SUBMITTED)
    act.session.flush()
    if work.instance is not None:
        link_record(act, work.instance.id, requisition.record_type, requisition.id)
    return {"requisition": requisition_variable(act, requisition)}


@registry.step("validate_requisition")
def validate_requisition(act: Act, work: Work) -> Mapping[str, Any]:
    """A02: list what is wrong; a corrected requisition is submitted anew."""
    requisition = requisition_of(act, work)
    if requisition.status is RequisitionStatus.RETURNED:
        move(act, requisition, RequisitionStatus.DRAFT)
        act.session.flush()
    if requisition.status is RequisitionStatus.DRAFT and requisition.lines:
        move(act, requisition, RequisitionStatus.SUBMITTED)
    act.session.flush()
    problems = problems_of(act, requisition)
    variable = work["requisition"] if problems else requisition_variable(act, requisition)
    return {"requisition": variable, "problems": sentences(problems)}


@registry.step("return_requisition")
def return_requisition(act: Act, work: Work) -> Mapping[str, Any]:
    """A10: give it back to the requester; what was signed on this content counts again only if its wording alone is mended."""
    requisition = requisition_of(act, work)
    reason = _reason(work, "See what has to be corrected.")
    returned = sent_back(requisition_content(requisition), since=work.get("returned"))
    supersede(act, requisition.record_type, requisition.id)
    act.session.flush()
    if requisition.status is not RequisitionStatus.DRAFT:
        move(act, requisition, RequisitionStatus.RETURNED, reason=reason)
    _tell_requester(act, requisition, f"{requisition.number} came back to you", body=reason, event=f"returned:{act.id}")
    return {"return_reason": reason, "decision": None, "correction": _correctors(requisition), "returned": returned}


@registry.step("cancel_requisition")
def cancel_requisition(act: Act, work: Work) -> None:
    """A03: end it, withdrawn, merged into another one, or left alone for too long; no signature on it counts any more."""
    requisition = requisition_of(act, work)
    verdict = (work.get("decision") or {}).get("verdict")
    reasons = {
        "withdraw": "Its requester withdrew it",
        "merge": f"Merged into {work.get('merged_into') or 'another one'}",
    }
    reason = reasons.get(str(verdict), "Nobody corrected it in time")
    if (withdrawal := work.get("withdrawal")) is not None:
        reason = f"Withdrawn by {withdrawal['name']}: {withdrawal['reason']}"
    supersede(act, requisition.record_type, requisition.id)
    release(act, document=(requisition.record_type, requisition.id))
    move(act, requisition, RequisitionStatus.CANCELLED, reason=reason)
    _tell_requester(act, requisition, f"{requisition.number} was cancelled", body=reason, event="cancelled")


@registry.step("find_suspicions")
def find_suspicions(act: Act, work: Work) -> Mapping[str, Any]:
    """A04: look for a split below a limit and for roles that are blurred."""
    found, groups = suspicions_of(act, requisition_of(act, work))
    return {"suspicions": sentences(found), "clearance": {"groups": groups}}


@registry.step("acknowledge_suspicions")
def acknowledge_suspicions(act: Act, work: Work) -> None:
    """A05: whoever cleared it has seen every finding and said why the work goes on."""
    reason = _reason(work, "Cleared")
    acknowledge_all(act, requisition_of(act, work), reason=reason)


@registry.step("check_budget")
def check_budget(act: Act, work: Work) -> Mapping[str, Any]:
    """A05b: compare with what the cost centre has left this year, in its currency."""
    requisition = requisition_of(act, work)
    judged = judge_budget(act.session, requisition, now=act.now)
    figures: dict[str, Any] = {
        "budget": judged.left.budget,
        "committed": judged.left.committed,
        "actual": judged.left.actual,
        "amount": judged.amount,
        "over": judged.excess,
        "over_percent": judged.percent,
        "over_percent_exact": judged.exact_percent,
    }
    digest = content_hash({name: str(value) for name, value in figures.items()} | {"of": requisition_hash(requisition)})
    year = Decimal(requisition.site.local_day(act.now).year)
    return {"budget": {"currency": requisition.cost_centre.currency, "fiscal_year": year, "hash": digest, **figures}}


@registry.step("gather_facts")
def gather_facts(act: Act, work: Work) -> Mapping[str, Any]:
    """A08: what the approval matrix asks."""
    requisition = requisition_of(act, work)
    return {"facts": requisition_facts(act, requisition), "requisition": requisition_variable(act, requisition)}


@registry.step("build_plan")
def build_plan(act: Act, work: Work) -> Mapping[str, Any]:
    """A08: seats and stages for this content; with none, the buyer's issue is the authorisation (B0)."""
    requisition = requisition_of(act, work)
    record = (requisition.record_type, requisition.id, requisition_hash(requisition))
    seats, standing = still_asked(
        act, record, seats_from(work["approvals"], work["approvalsRows"]), before=work.get("returned"),
        content=requisition_content(requisition),
    )  # fmt: skip
    barred = {requisition.requester_id}
    plan = plan_for(act, record, seats, cost_centre=requisition.cost_centre.code, barred=barred)
    if seats:
        move(act, requisition, RequisitionStatus.IN_APPROVAL)
    return {"plan": plan, "approval_record": _approval_record(requisition, standing), "returned": None}


@registry.step("commit_budget")
def commit_budget(act: Act, work: Work) -> Mapping[str, Any]:
    """A12: approved; the budget is encumbered once."""
    requisition = requisition_of(act, work)
    move(act, requisition, RequisitionStatus.APPROVED)
    amount, year = _budget_amount(act, requisition), requisition.site.local_day(act.now).year
    if amount > 0:
        document = (requisition.record_type, requisition.id)
        encumber(act, requisition.cost_centre, amount, fiscal_year=year, document=document)
    _tell_requester(act, requisition, f"{requisition.number} is approved", body=title_of(requisition), event="approved")
    return {"requisition": requisition_variable(act, requisition)}


@registry.step("reject_requisition")
def reject_requisition(act: Act, work: Work) -> None:
    """A30: rejected or expired; nothing stays committed."""
    requisition = requisition_of(act, work)
    reason = "Nobody decided in time" if work.get("verdict") == "expired" else _reason(work, "It was rejected")
    release(act, document=(requisition.record_type, requisition.id))
    move(act, requisition, RequisitionStatus.REJECTED, reason=reason)
    _tell_requester(act, requisition, f"{requisition.number} was rejected", body=reason, event="rejected")


@registry.step("propose_awards")
def propose_awards(act: Act, work: Work) -> Mapping[str, Any]:
    """A13: one award for each supplier, currency and place of delivery."""
    requisition = requisition_of(act, work)
    groups: dict[tuple[str, str], list[RequisitionLine]] = {}
    for line in requisition.lines:
        groups.setdefault((line.supplier_id or "", line.ship_to or requisition.ship_to or ""), []).append(line)
    return {"awards": [_award(act, requisition, lines) for _, lines in sorted(groups.items())]}


@registry.step("close_requisition")
def close_requisition(act: Act, work: Work) -> Mapping[str, Any]:
    """Close it: everything is on orders, or the rest was given up."""
    requisition = requisition_of(act, work)
    ordered = [line for line in requisition.lines if line.converted_quantity]
    if not ordered:
        release(act, document=(requisition.record_type, requisition.id))
        if requisition.status is RequisitionStatus.APPROVED:
            move(act, requisition, RequisitionStatus.CANCELLED, reason="Nothing could be ordered")
        else:
            requisition.short_closed_reason = "Nothing could be ordered"
            move(act, requisition, RequisitionStatus.CLOSED)
    else:
        rest = [line.line_no for line in requisition.lines if line.open_quantity]
        if rest:
            requisition.short_closed_reason = f"Given up: line {', '.join(map(str, rest))}"
        move(act, requisition, RequisitionStatus.CLOSED)
    return {"ordered_count": Decimal(len(ordered))}


def _correctors(requisition: Requisition) -> dict[str, list[str]]:
    """Return whose the correction is: the requester's, or the buyers' when an ERP named somebody who cannot sign in."""
    requester = requisition.requester
    if requester.can_sign_in and requester.is_active:
        return {"users": [requester.id], "groups": []}
    return {"users": [], "groups": ["BUYER"]}


def _award(act: Act, requisition: Requisition, lines: list[RequisitionLine]) -> dict[str, Any]:
    first = lines[0]
    return {
        "supplier_id": first.supplier_id,
        "supplier_name": first.supplier.name if first.supplier else None,
        "currency": requisition.currency,
        "ship_to": first.ship_to or requisition.ship_to,
        "line_ids": [line.id for line in lines],
        "total": sum((line.amount for line in lines), Decimal(0)),
        "total_company": company_amount(act, requisition, lines),
        "attempt": Decimal(0),
        "sourcing_ref_id": None,
        "quotation_id": None,
        "order_currency": None,
        "single_source": any(line.is_single_source for line in lines),
    }


def _approval_record(requisition: Requisition, standing: Sequence[str]) -> dict[str, Any]:
    things = [f"{plain(line.quantity)} {line.uom} {line.item}" for line in requisition.lines]
    return {
        "type": requisition.record_type,
        "id": requisition.id,
        "number": requisition.number,
        "hash": requisition_hash(requisition),
        "title": title_of(requisition),
        "digest": " ".join(
            [
                f"{', '.join(things)} for cost centre {requisition.cost_centre.code}. {requisition.justification}",
                *standing,
            ]
        ),
        "amount": requisition.total,
        "currency": requisition.currency,
        "party": ", ".join(sorted({line.supplier.name for line in requisition.lines if line.supplier})) or None,
        "project": requisition.project,
        "requester": requisition.requester_id,
        "answer_by": _correctors(requisition),
    }


def _budget_amount(act: Act, requisition: Requisition) -> Decimal:
    currency, day = requisition.cost_centre.currency, requisition.site.local_day(act.now)
    rate = rate_on(act.session, requisition.currency, company_currency=currency, on=day)
    return convert(requisition.total, rate, currency=currency)


def _reason(work: Work, otherwise: str) -> str:
    return str((work.get("decision") or {}).get("reason") or otherwise)


def _tell_requester(act: Act, requisition: Requisition, subject: str, *, body: str, event: str) -> None:
    record = (requisition.record_type, requisition.id)
    key = f"{requisition.number}:{event}"
    tell(act, [requisition.requester_id], subject, key=key, body=body, record=record)
