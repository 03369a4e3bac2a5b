"""What a requisition must have before anybody is asked to approve it (A02)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from engine.act import Act
from engine.errors import Effect, Invalid
from processes.documents import spoken
from records.requisition import Requisition, RequisitionLine
from records.sourcing import rate_on
from records.units import check_quantity
from rules.validation import judge_submission


def problems_of(act: Act, requisition: Requisition) -> list[str]:
    """Return a sentence for everything that has to be corrected, in the order of the lines."""
    today = requisition.site.local_day(act.now)
    problems = list(_header(act, requisition, today))
    for line in requisition.lines:
        problems += [f"Line {line.line_no}: {problem}" for problem in _line(line)]
    judged = judge_submission(act.session, requisition, now=act.now) if not problems else []
    return problems + [spoken(finding) for finding in judged if finding.effect is Effect.BLOCK]


def _header(act: Act, requisition: Requisition, today: dt.date) -> Iterator[str]:
    if not requisition.lines:
        yield "Expected at least one line, but there is none."
    if not requisition.cost_centre.is_active:
        yield f"Expected an active cost centre, but {requisition.cost_centre.code} is closed."
    for wanted in {requisition.site.currency, requisition.cost_centre.currency}:
        try:
            rate_on(act.session, requisition.currency, company_currency=wanted, on=today)
        except Invalid as refusal:
            yield f"{refusal.message}."


def _line(line: RequisitionLine) -> Iterator[str]:
    try:
        check_quantity(line.quantity, line.uom)
    except Invalid as refusal:
        yield f"{refusal.message}."
    if line.estimated_price is None:
        yield "Expected an estimated price, but there is none."
    if line.part_revision is not None:
        if not line.part_revision.part.is_active:
            yield f"Expected an active part, but {line.part_revision.part.part_no} is not."
    elif line.service is not None:
        if not line.service.is_active:
            yield f"Expected an active service, but {line.service.part_no} is not."
        if not (line.cost_object or line.work_order_op):
            yield "Expected a work order operation or a cost object for the service, but there is neither (BLUR-P5)."
    if line.supplier is not None and not line.supplier.is_active:
        yield f"Expected an active supplier, but {line.supplier.name} is not."
