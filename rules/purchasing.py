"""The laws of purchasing, judged at flush for every door: what flows ask before, these hold against whoever did not ask."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sqlalchemy.orm import Session

from engine.clock import now_of
from engine.errors import Effect, Finding
from engine.record import Edit, Operation
from records.amendment import AmendmentKind, AmendmentStatus, open_amendment_of
from records.origin import Origin
from records.part import PartRevision, RevisionStatus
from records.purchase_order import PurchaseOrder, PurchaseOrderLine
from records.requisition import Requisition
from rules.law import becomes, block, law, session_of
from rules.quality import wanted_clauses
from rules.validation import judge_built, judge_issue, judge_submission, judge_suspicions
from rules.waiting_change import waits_for, way_out


@law("SUBMISSION", on=Requisition)
def a_submitted_requisition_shows_what_is_wrong(edit: Edit) -> Iterator[Finding]:
    """SUP, CON-07, SPLIT_SUSPECT, DUPLICATE and BLUR on submission: kept as holds and warnings, for purchasing to clear."""
    if edit.operation is not Operation.UPDATE or not becomes(edit, "SUBMITTED"):
        return
    session = session_of(edit)
    now = now_of(session)
    for judge in (judge_submission, judge_suspicions):
        for finding in judge(session, edit.record, now=now):
            yield replace(finding, effect=Effect.HOLD) if finding.effect is Effect.BLOCK else finding


@law("CON-07", on=PurchaseOrderLine)
def a_line_orders_a_released_revision(edit: Edit) -> Iterator[Finding]:
    """No order line is raised against a revision that is not released; one that was superseded comes back by a reversal alone."""
    line = edit.record
    if edit.operation is Operation.DELETE or "part_revision_id" not in edit.changes or line.part_revision_id is None:
        return
    session = session_of(edit)
    order = line.order or session.get(PurchaseOrder, line.order_id)
    revision = session.get(PartRevision, line.part_revision_id)
    if revision is None or revision.status is RevisionStatus.RELEASED or order is None or order.origin is Origin.ERP:
        return
    if revision.status is RevisionStatus.SUPERSEDED and _comes_back(session, order):
        return
    change = waits_for(session, revision)
    yield block(
        "CON-07",
        f"Expected a released revision on line {line.line_no} of {order.number}, but {revision.number} is {revision.status}{change}.",
        (order.record_type, order.id),
        field=f"lines.{line.line_no}.part_revision",
        new=revision.number,
        owner="role:ENG_AUTH",
        way_out=way_out(revision, "order another revision"),
    )


def _comes_back(session: Session, order: PurchaseOrder) -> bool:
    """Whether an approved reversal restores what the supplier refused to leave; the guard asks for its signed item anyway."""
    amendment = open_amendment_of(session, order)
    return (
        amendment is not None
        and amendment.kind is AmendmentKind.REVERSAL
        and amendment.status is AmendmentStatus.APPROVED
    )


@law("Q-CLAUSE", on=PurchaseOrderLine)
def mandatory_clauses_stay(edit: Edit) -> Iterator[Finding]:
    """The buyer adds clauses and certificates, but does not take mandatory ones away (AS9100 8.4.3, ISO 13485 7.4.2)."""
    line = edit.record
    if edit.operation is not Operation.UPDATE or not {"quality_clauses", "certificates"} & edit.changes.keys():
        return
    session = session_of(edit)
    wanted = [each for each in wanted_clauses(session, line, supplier=line.order.supplier) if each.is_mandatory]
    gone = {f"clause {code}" for code in _removed(edit, "quality_clauses") & {each.code for each in wanted}}
    gone |= {f"certificate {code}" for code in _removed(edit, "certificates") & {each.certificate for each in wanted}}
    if gone:
        yield block(
            "Q-CLAUSE",
            f"Expected {' and '.join(sorted(gone))} to stay on line {line.line_no} of {line.order.number}, but it was taken away.",
            (line.order.record_type, line.order.id),
            field=f"lines.{line.line_no}.quality_clauses",
            owner="role:SQ",
            way_out="Mandatory clauses stay; others may be added.",
        )


@law("BUILD", on=PurchaseOrder)
def an_order_is_built_by_the_rules(edit: Edit) -> Iterator[Finding]:
    """CON-07, SUP, PRICE-EST, Q-CLAUSE and BLUR before an order is shown to its approvers."""
    if (
        edit.record.origin is Origin.ERP
        or edit.operation is not Operation.UPDATE
        or not becomes(edit, "PENDING_APPROVAL")
    ):
        return
    session = session_of(edit)
    for finding in judge_built(session, edit.record, now=now_of(session)):
        yield replace(finding, effect=Effect.HOLD) if finding.rule == "Q-CLAUSE" else finding


@law("ISSUE", on=PurchaseOrder)
def an_order_is_issued_clean(edit: Edit) -> Iterator[Finding]:
    """Whatever holds an order at its issue refuses the issue."""
    if edit.record.origin is Origin.ERP or not becomes(edit, "APPROVED_NOT_TRANSMITTED"):
        return
    if edit.changes["status"][0] not in (None, "APPROVED"):
        return
    session = session_of(edit)
    for finding in judge_issue(session, edit.record, now=now_of(session)):
        yield replace(finding, effect=Effect.BLOCK) if finding.effect is Effect.HOLD else finding


def _removed(edit: Edit, field: str) -> set[str]:
    old, new = edit.changes.get(field, ((), ()))
    return {code.partition("@")[0] for code in old or ()} - {code.partition("@")[0] for code in new or ()}


LAWS = (
    a_submitted_requisition_shows_what_is_wrong,
    a_line_orders_a_released_revision,
    mandatory_clauses_stay,
    an_order_is_built_by_the_rules,
    an_order_is_issued_clean,
)
