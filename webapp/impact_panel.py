"""What the tab Impact of a change order shows: the grid by kind of pieces, what is missing, who says what, and the tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import request
from sqlalchemy.orm import Session

from engine.canonical import is_whole
from engine.database import is_id
from processes import change_tasks, impact
from processes.impact_grid import UNDECIDED, Sums, Wanted, owners_of, page_of, sums_by_kind, together
from processes.impact_parents import uses_of
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
from webapp import change_page, formats, wording
from webapp.dossiers import record_url
from webapp.visit import now, visitor

PAGE = 100
"""Rows on one page of the grid."""

MOST_AT_ONCE = 1000
"""Rows that one word may decide at once; more are narrowed by kind, owner or words first."""

DECIDES = ("CHANGE_SPECIALIST", "ENG_AUTH", "QA_ENG", "PLANNER", "BUYER", "PUR_LEAD", "PUR_MGR")
"""Roles that may say what becomes of pieces, beside a row's own owner."""

FILTER = ("only", "kind", "of", "words")
"""Names in an address that say which rows are shown."""

STATES = (("open", "Not decided"), ("DISPOSED", "Decided"), ("DONE", "Carried out"), ("RETURNED", "To decide again"))

WORDS = {
    ImpactTarget.STOCK_LOT: "In stock", ImpactTarget.PO_LINE: "On order", ImpactTarget.AT_SUPPLIER: "At suppliers",
    ImpactTarget.WO: "Work orders, not begun", ImpactTarget.WO_OP: "Work orders, begun",
    ImpactTarget.PLANNED_ORDER: "Planned", ImpactTarget.SHIPPED: "At customers",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Group:
    """Rows of one kind on this page. sums: of all that fit, on whichever page; choices: dispositions that are legal for it."""

    target: ImpactTarget
    words: str
    rows: Sequence[AffectedOrder]
    sums: Sums
    choices: Sequence[tuple[str, str]]

    @property
    def size(self) -> int:
        """How many rows of it are on this page."""
        return len(self.rows)


def panel(session: Session, order: ChangeOrder) -> Mapping[str, Any]:
    """Return what the grid shows, filtered and paged as the address (or the form that was refused) asks."""
    snapshot = newest_snapshot(session, order)
    if snapshot is None:
        return {"snapshot": None, "may": may_decide(), "is_open": order.is_free}
    wanted, start = wanted_rows(request.values), start_of(request.values)
    page = page_of(session, snapshot, wanted, start=start, size=PAGE)
    fitting = sums_by_kind(session, snapshot, wanted)
    whole = together(fitting if wanted.is_everything else sums_by_kind(session, snapshot, Wanted()))
    said = {each.area: each for each in assessments_of(session, order)}
    owners = owners_of(session, snapshot)
    return {
        "snapshot": snapshot, "groups": groups_of(page.rows, fitting), "whole": whole, "count": page.count, "wanted": wanted,
        "filter": filter_of(request.values), "start": start, "more": page.next, "cost": impact.cost_of(session, order),
        "currency": order.site.currency, "most": MOST_AT_ONCE,
        "problems": impact.problems_of(session, order, now=now()) if order.is_free else [], "is_open": order.is_free,
        "lanes": [(area, role, said.get(area)) for area, role in impact.lanes_of(session, order)],
        "may": may_decide() or any(may_answer_for(owner) for owner in owners),
        "answers": [(each.value, formats.words(each.value)) for each in AssessmentAnswer],
        "every": [(each.value, formats.words(each.value)) for each in Disposition], "url": row_url,
        "kinds": [(each.value, WORDS[each]) for each in ImpactTarget], "states": STATES,
        "owners": [(each, wording.principal_words(each)) for each in owners],
        "divide": _divided(session, snapshot), "legal_for": choices_for,
        "uses": uses_of(session, order),
    }  # fmt: skip


def wanted_rows(given: Mapping[str, str]) -> Wanted:
    """Return which rows an address asks for; what it does not know leaves nothing out."""
    kind, state = given.get("kind", ""), given.get("only", "")
    status = UNDECIDED if state == "open" else (RowStatus(state),) if state in set(RowStatus) else ()
    return Wanted(
        ImpactTarget(kind) if kind in set(ImpactTarget) else None, status, given.get("of", "")[:60].strip(),
        given.get("words", "")[:100].strip(),
    )  # fmt: skip


def filter_of(given: Mapping[str, str]) -> dict[str, str]:
    """Return the part of an address that says which rows are shown."""
    return {name: given[name] for name in FILTER if given.get(name)}


def start_of(given: Mapping[str, str]) -> int:
    """Return the position after which a page begins."""
    text = given.get("from", "")
    return int(text) if is_whole(text, digits=7) else 0


def tasks_panel(session: Session, order: ChangeOrder) -> Mapping[str, Any]:
    """Return the tasks of a change and the marks that wait for it."""
    return {
        "tasks": tasks_of(session, order),
        "holds": change_tasks.standing_holds(session, order),
        "may": may_answer_for,
    }


def groups_of(rows: Sequence[AffectedOrder], sums: Mapping[ImpactTarget, Sums]) -> list[Group]:
    """Return the rows of a page by kind, in the order of the kinds."""
    found = []
    for target in ImpactTarget:
        mine = [row for row in rows if row.target is target]
        if mine:
            found.append(Group(target, WORDS[target], mine, sums.get(target, Sums()), choices_for(target)))
    return found


def choices_for(target: ImpactTarget) -> list[tuple[str, str]]:
    """Return what may become of pieces of a kind, with its words."""
    return [(each.value, formats.words(each.value)) for each in legal_for(target)]


def may_decide() -> bool:
    """Whether the visitor may say what becomes of pieces."""
    return visitor().holds(*DECIDES)


def row_url(row: AffectedOrder) -> str | None:
    """Return the page of a row's document."""
    return record_url(row.document_type, row.document_id)


def may_answer_for(owner: str) -> bool:
    """Whether the visitor is who a row or a task belongs to: the person, or somebody of the role."""
    kind, _, name = owner.partition(":")
    return (
        visitor().user_id == name
        if kind == "user"
        else name in visitor().roles or visitor().holds(name.partition("@")[0])
    )


def count_open(session: Session, order: ChangeOrder) -> int:
    """Return how many rows nobody decided about yet, for the tab."""
    snapshot = newest_snapshot(session, order)
    if snapshot is None or not order.is_free:
        return 0
    whole = together(sums_by_kind(session, snapshot, Wanted()))
    return whole.rows - whole.decided


def _divided(session: Session, snapshot: ImpactSnapshot) -> AffectedOrder | None:
    row_id = request.args.get("divide", "")
    row = session.get(AffectedOrder, row_id) if is_id(row_id) else None
    return row if row is not None and row.snapshot_id == snapshot.id else None


change_page.PANELS["impact"] = change_page.Panel("changes/impact.html", panel, count_open)
change_page.PANELS["tasks"] = change_page.Panel("changes/tasks.html", tasks_panel)
