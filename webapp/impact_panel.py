"""What the tab Impact of a change order shows: the grid by kind of pieces, what is missing, who says what, and the tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from flask import request
from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from processes import change_tasks, impact
from records.change_order import ChangeOrder
from records.change_task import tasks_of
from records.impact import (
    AffectedOrder,
    AssessmentAnswer,
    Disposition,
    ImpactSnapshot,
    ImpactTarget,
    RowStatus,
    assessments_of,
    newest_snapshot,
)
from rules.impact_rules import legal_for
from webapp import change_page, formats
from webapp.dossiers import record_url
from webapp.visit import now, visitor

PAGE = 200
"""Rows on one page of the grid; a person decides about no more at a sitting."""

DECIDES = ("CHANGE_SPECIALIST", "ENG_AUTH", "QA_ENG", "PLANNER", "BUYER", "PUR_LEAD", "PUR_MGR")
"""Roles that may say what becomes of pieces, beside a row's own owner."""

WORDS = {
    ImpactTarget.STOCK_LOT: "In stock", ImpactTarget.PO_LINE: "On order", ImpactTarget.AT_SUPPLIER: "At suppliers",
    ImpactTarget.WO: "Work orders, not begun", ImpactTarget.WO_OP: "Work orders, begun",
    ImpactTarget.PLANNED_ORDER: "Planned", ImpactTarget.SHIPPED: "At customers",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Group:
    """Rows of one kind. totals: quantity by unit; choices: dispositions that are legal for it."""

    target: ImpactTarget
    words: str
    rows: Sequence[AffectedOrder]
    totals: Sequence[tuple[str, Decimal]]
    cost: Decimal
    choices: Sequence[tuple[str, str]]


def panel(session: Session, order: ChangeOrder) -> Mapping[str, Any]:
    """Return what the grid shows, filtered and paged as the address asks."""
    snapshot = newest_snapshot(session, order)
    if snapshot is None:
        return {"snapshot": None, "may": may_decide(), "is_open": order.is_free}
    rows = all_rows(session, snapshot)
    only_open = request.args.get("only") == "open"
    start = _start(len(rows))
    shown = [row for row in rows if not only_open or not row.is_disposed][start : start + PAGE]
    said = {each.area: each for each in assessments_of(session, order)}
    cost = impact.cost_of(session, order)
    return {
        "snapshot": snapshot, "groups": groups_of(shown), "only_open": only_open, "rows_count": len(rows),
        "totals": totals_of(rows), "decided": sum(row.is_disposed for row in rows), "cost": cost, "currency": order.site.currency,
        "problems": impact.problems_of(session, order, now=now()) if order.is_free else [], "is_open": order.is_free,
        "lanes": [(area, role, said.get(area)) for area, role in impact.lanes_of(session, order)], "may": may_decide(),
        "answers": [(each.value, formats.words(each.value)) for each in AssessmentAnswer],
        "every": [(each.value, formats.words(each.value)) for each in Disposition], "url": row_url, "start": start,
        "more": start + PAGE if len(rows) > start + PAGE and not only_open else None, "divide": _divided(rows),
    }  # fmt: skip


def tasks_panel(session: Session, order: ChangeOrder) -> Mapping[str, Any]:
    """Return the tasks of a change and the marks that wait for it."""
    return {"tasks": tasks_of(session, order), "holds": change_tasks.standing_holds(session, order)}


def all_rows(session: Session, snapshot: ImpactSnapshot) -> list[AffectedOrder]:
    """Return the rows of a set with their dispositions, in two statements."""
    wanted = select(AffectedOrder).where(AffectedOrder.snapshot_id == snapshot.id).order_by(AffectedOrder.position)
    return list(session.scalars(wanted.options(selectinload(AffectedOrder.dispositions))))


def groups_of(rows: Sequence[AffectedOrder]) -> list[Group]:
    """Return rows by kind, in the order of the kinds."""
    found = []
    for target in ImpactTarget:
        mine = [row for row in rows if row.target is target]
        if mine:
            choices = [(each.value, formats.words(each.value)) for each in legal_for(target)]
            cost = sum((row.cost for row in mine), Decimal(0))
            found.append(Group(target, WORDS[target], mine, totals_of(mine), cost, choices))
    return found


def totals_of(rows: Sequence[AffectedOrder]) -> list[tuple[str, Decimal]]:
    """Return the quantities of rows by unit; pieces that stand in two rows count once."""
    found: dict[str, Decimal] = {}
    for row in rows:
        if row.is_counted:
            found[row.uom] = found.get(row.uom, Decimal(0)) + row.quantity
    return sorted(found.items())


def may_decide() -> bool:
    """Whether the visitor may say what becomes of pieces."""
    return visitor().holds(*DECIDES)


def row_url(row: AffectedOrder) -> str | None:
    """Return the page of a row's document."""
    return record_url(row.document_type, row.document_id)


def count_open(session: Session, order: ChangeOrder) -> int:
    """Return how many rows nobody decided about yet, for the tab."""
    snapshot = newest_snapshot(session, order)
    if snapshot is None or not order.is_free:
        return 0
    return sum(row.status in (RowStatus.OPEN, RowStatus.RETURNED) for row in all_rows(session, snapshot))


def _start(count: int) -> int:
    given = request.args.get("from", "")
    return min(int(given), max(count - 1, 0)) if given.isascii() and given.isdecimal() and len(given) < 8 else 0


def _divided(rows: Sequence[AffectedOrder]) -> AffectedOrder | None:
    return next((row for row in rows if row.id == request.args.get("divide")), None)


change_page.PANELS["impact"] = change_page.Panel("changes/impact.html", panel, count_open)
change_page.PANELS["tasks"] = change_page.Panel("changes/tasks.html", tasks_panel)
