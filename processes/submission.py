"""What a requisition must have before anybody is asked to approve it (A02)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from engine.act import Act
from engine.errors import Invalid
from records.part import PartRevision, RevisionStatus
from records.requisition import Requisition, RequisitionLine
from records.sourcing import rate_on
from records.units import check_quantity


def problems_of(act: Act, requisition: Requisition) -> list[str]:
    """Return a sentence for everything that has to be corrected, in the order of the lines."""
    today = requisition.site.local_day(act.now)
    problems = list(_header(act, requisition, today))
    for line in requisition.lines:
        problems += [f"Line {line.line_no}: {problem}" for problem in _line(line, today)]
    return problems


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


def _line(line: RequisitionLine, today: dt.date) -> Iterator[str]:
    try:
        check_quantity(line.quantity, line.uom)
    except Invalid as refusal:
        yield f"{refusal.message}."
    if line.estimated_price is None:
        yield "Expected an estimated price, but there is none."
    if line.part_revision is not None:
        yield from _revision(line.part_revision, line.need_by or line.requisition.need_by or today)
    elif line.service is not None:
        if not line.service.is_active:
            yield f"Expected an active service, but {line.service.part_no} is not."
        if not (line.cost_object or line.work_order_op):
            yield "Expected a work order operation or a cost object for the service, but there is neither (BLUR-P5)."
    if line.supplier is not None and not line.supplier.is_active:
        yield f"Expected an active supplier, but {line.supplier.name} is not."


def _revision(revision: PartRevision, need_by: dt.date) -> Iterator[str]:
    if not revision.part.is_active:
        yield f"Expected an active part, but {revision.part.part_no} is not."
    if revision.status is not RevisionStatus.RELEASED:
        yield f"Expected a released revision, but {revision.number} is {revision.status} (CON-07)."
    elif not revision.is_effective_on(need_by):
        yield f"Expected a revision effective on {need_by}, but {revision.number} is not (CON-07)."
