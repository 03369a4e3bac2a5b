"""Checks that look at several requisitions together: split below a limit, ordered twice (domain.md A02, A04)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.errors import Effect, Finding
from records.part import process_words
from records.requisition import Requisition, RequisitionLine, RequisitionStatus
from rules.amounts import in_company_currency
from rules.policy import Judgement, table_called
from rules.supplier_gate import part_of

LIVE = (
    RequisitionStatus.SUBMITTED,
    RequisitionStatus.IN_APPROVAL,
    RequisitionStatus.APPROVED,
    RequisitionStatus.CONVERTED,
    RequisitionStatus.CLOSED,
)
Basket = tuple[str, str]


def judge_split(session: Session, requisition: Requisition, *, now: dt.datetime) -> list[Finding]:
    """Return SPLIT_SUSPECT when requests of one person together need signatures that none of them needs alone.

    Together means: the same requester, supplier and commodity, within the window of the table before this one. It names the
    documents and their sum. now: the instant of this submission.
    """
    judgement = table_called("document_checks").judge(check="SPLIT_SUSPECT")
    window = dt.timedelta(days=int(judgement.row.outputs["window_days"]))
    today = requisition.site.local_day(now)
    earlier = [
        other
        for other in _earlier(session, requisition)
        if today - other.site.local_day(other.submitted_at or now) <= window
    ]
    findings = []
    for basket, own in _baskets(session, requisition, now).items():
        others = [(other, amount) for other in earlier if (amount := _baskets(session, other, now).get(basket))]
        documents = [*others, (requisition, own)]
        if others and _needs_more(session, [amount for _, amount in documents]):
            findings.append(_split(requisition, documents, basket, judgement))
    return findings


def judge_duplicates(session: Session, requisition: Requisition, *, now: dt.datetime) -> list[Finding]:
    """Return DUPLICATE for each line whose part the same person asked for, for the same day, within the table's window."""
    judgement = table_called("document_checks").judge(check="DUPLICATE")
    since = now - dt.timedelta(days=int(judgement.row.outputs["window_days"]))
    earlier = [other for other in _earlier(session, requisition) if (other.submitted_at or now) >= since]
    return [
        _duplicate(requisition, line, same, judgement)
        for line in requisition.lines
        if line.part_revision is not None
        for same in _same(line, earlier)
    ]


def _earlier(session: Session, requisition: Requisition) -> list[Requisition]:
    wanted = select(Requisition).where(
        Requisition.requester_id == requisition.requester_id,
        Requisition.id != requisition.id,
        Requisition.status.in_(LIVE),
    )
    return list(session.scalars(wanted.order_by(Requisition.submitted_at, Requisition.number)))


def _baskets(session: Session, requisition: Requisition, now: dt.datetime) -> dict[Basket, Decimal]:
    """Return what a requisition asks of each (supplier, commodity), in company currency."""
    found: dict[Basket, Decimal] = {}
    for line in requisition.lines:
        part = part_of(line)
        if line.supplier is None or part is None:
            continue
        key = (line.supplier.name, part.commodity)
        amount = in_company_currency(session, requisition, line.amount, on=now)
        found[key] = found.get(key, Decimal(0)) + amount
    return found


def _needs_more(session: Session, amounts: list[Decimal]) -> bool:
    alone = set[str]().union(*(_signers(amount) for amount in amounts))
    return not _signers(sum(amounts, Decimal(0))) <= alone


def _signers(amount: Decimal) -> set[str]:
    return {str(row.outputs["role"]) for row in table_called("approval_matrix").judge(amount=amount).rows}


def _split(
    requisition: Requisition, documents: list[tuple[Requisition, Decimal]], basket: Basket, judgement: Judgement
) -> Finding:
    named = ", ".join(f"{document.number} {amount:,.2f}" for document, amount in documents)
    whole = sum((amount for _, amount in documents), Decimal(0))
    return Finding(
        "SPLIT_SUSPECT",
        Effect(judgement.row.outputs["effect"]),
        f"Expected one request for what is bought together, but {named} add up to {whole:,.2f} "
        f"for {process_words(basket[1]) or 'one commodity'} from {basket[0]}, which needs signatures that none of them needs alone.",
        requisition.record_type,
        requisition.id,
        new=f"{whole:.2f}",
        owner=str(judgement.row.outputs["owner"]),
        way_out="The purchasing manager clears it with a reason, or the requests are merged.",
        judged_by=judgement.hash,
        row=judgement.row.number,
    )


def _same(line: RequisitionLine, earlier: list[Requisition]) -> Iterator[RequisitionLine]:
    day = line.need_by or line.requisition.need_by
    for other in earlier:
        for each in other.lines:
            if each.part_revision is None or line.part_revision is None:
                continue
            if each.part_revision.part_id == line.part_revision.part_id and (each.need_by or other.need_by) == day:
                yield each


def _duplicate(requisition: Requisition, line: RequisitionLine, same: RequisitionLine, judgement: Judgement) -> Finding:
    return Finding(
        "DUPLICATE",
        Effect(judgement.row.outputs["effect"]),
        f"Expected {line.item} to be asked for once for {line.need_by or requisition.need_by}, but {same.number} asks for it, too.",
        requisition.record_type,
        requisition.id,
        field=f"lines.{line.line_no}",
        owner=f"user:{requisition.requester_id}",
        way_out="Withdraw one of them, or go on if both are meant.",
        judged_by=judgement.hash,
        row=judgement.row.number,
    )
