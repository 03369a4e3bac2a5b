"""CON-07: what is bought has a released revision that is effective when it counts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sqlalchemy.orm import object_session

from engine.errors import Effect, Finding
from records.part import RevisionStatus
from records.purchase_order import PurchaseOrderLine
from records.requisition import RequisitionLine
from rules.waiting_change import waits_for, way_out

Line = RequisitionLine | PurchaseOrderLine


def judge_revisions(lines: Sequence[Line], *, on: dt.date, effect: Effect = Effect.BLOCK) -> list[Finding]:
    """Return CON-07 for each line whose revision is not released, or not effective on the site-local day on which it counts."""
    return [finding for line in lines if (finding := _judge(line, on=needed_on(line, on), effect=effect)) is not None]


def needed_on(line: Line, today: dt.date) -> dt.date:
    """Return the day on which the revision of a line must be effective: when it is needed, today at the earliest.

    What is ordered today comes when the next revision may count already, or may be ordered because it counts by then.
    """
    document = line.order if isinstance(line, PurchaseOrderLine) else line.requisition
    return max(today, line.need_by or getattr(document, "need_by", None) or today)


def _judge(line: Line, *, on: dt.date, effect: Effect) -> Finding | None:
    revision = line.part_revision
    if revision is None:
        return None
    if revision.status is not RevisionStatus.RELEASED:
        trouble = f"it is {revision.status}"
    elif not revision.is_effective_on(on):
        trouble = f"it is effective from {revision.effective_from or 'its release'} to {revision.effective_to or 'open'}, not on {on}"
    else:
        return None
    document = line.order if isinstance(line, PurchaseOrderLine) else line.requisition
    change = waits_for(object_session(revision), revision)
    return Finding(
        "CON-07",
        effect,
        f"Expected a released, effective revision on line {line.line_no}, but {revision.number}: {trouble}{change}.",
        document.record_type,
        document.id,
        field=f"lines.{line.line_no}.part_revision",
        new=revision.number,
        owner="role:ENG_AUTH",
        way_out=way_out(revision, "order another revision"),
    )
