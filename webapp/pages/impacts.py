"""The impact of a change order: compute, freeze, decide row by row or for many, divide, assess, carry out, download."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from flask import Blueprint, flash, redirect, request, url_for
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as Answer

from engine.act import Act
from engine.database import is_id
from engine.errors import Forbidden, Invalid, NotFound, Refused
from processes import change_tasks, impact
from processes.change_waking import wake_others
from processes.impact import Share
from processes.impact_grid import rows_that_fit
from records.change_order import ChangeOrder
from records.change_task import ChangeTask, TaskStatus
from records.impact import AffectedOrder, newest_snapshot, rows_of
from webapp import formats, impact_panel, typed, wording
from webapp.pages import changes, orders
from webapp.refusals import status_of
from webapp.sheet import Sheet, offered
from webapp.visit import acting, read_anew, reading, visitor

pages = Blueprint("impacts", __name__)

Page = str | tuple[str, int] | Answer
COLUMNS = (
    "pieces", "document", "item", "state", "place", "quantity", "uom", "disposition", "disposed_quantity", "owner", "due", "cost",
    "currency", "status", "reason", "evidence",
)  # fmt: skip
SHARES = 4
"""Parts that the form of a divided row offers."""


@pages.post("/changes/<record_id>/impact/compute")
def compute(record_id: str) -> Page:
    """Ask every source again."""

    def ask(act: Act, order: ChangeOrder, _form: Mapping[str, str]) -> str:
        snapshot = impact.compute(act, order)
        return f"{snapshot.number}: {formats.plural(snapshot.rows_count, 'row')} found."

    return _write(record_id, ask)


@pages.post("/changes/<record_id>/impact/freeze")
def freeze(record_id: str) -> Page:
    """Freeze the set, with the instant of its query."""
    return _write(record_id, lambda act, order, _form: f"{impact.freeze(act, order).number} is frozen.")


@pages.post("/changes/<record_id>/impact/rows")
def dispose(record_id: str) -> Page:
    """Decide: the same for the rows that are ticked, or what each row's own fields say."""

    def decide(act: Act, order: ChangeOrder, _form: Mapping[str, str]) -> str:
        form = request.form
        if form.get("what") in ("chosen", "fitting"):
            return _decide_chosen(act, order, form)
        named = [name.partition(".")[2] for name in form if name.startswith("disposition.") and form[name]]
        rows = [find_row(act.session, order, row_id) for row_id in named]
        changed = [row for row in rows if _decide_one(act, row, form)]
        return f"{formats.plural(len(changed), 'row')} decided." if changed else "Nothing was changed."

    return _write(record_id, decide, anybody=True)


@pages.post("/changes/<record_id>/impact/rows/<row_id>/divide")
def divide(record_id: str, row_id: str) -> Page:
    """Divide the pieces of one row among dispositions that add up."""

    def share(act: Act, order: ChangeOrder, form: Mapping[str, str]) -> str:
        row = find_row(act.session, order, row_id)
        need_rows([row])
        shares = [
            Share(
                form[f"disposition.{turn}"], _number(form, f"quantity.{turn}"), _owner(form.get(f"owner.{turn}", "")),
                _day(form, f"due.{turn}"), _money(form, f"cost.{turn}"), form.get(f"reason.{turn}", ""),
            )
            for turn in range(1, SHARES + 1)
            if form.get(f"disposition.{turn}", "").strip()
        ]  # fmt: skip
        impact.divide(act, row, shares)
        return f"{row.native_ref} is divided into {formats.plural(len(shares), 'part')}."

    return _write(record_id, share, anybody=True)


@pages.post("/changes/<record_id>/impact/assess")
def assess(record_id: str) -> Page:
    """Say what the change means to an area, as whoever holds its role."""

    def say(act: Act, order: ChangeOrder, form: Mapping[str, str]) -> str:
        area = form.get("area", "")
        need_area(act.session, order, area)
        impact.assess(act, order, area, answer=form.get("answer", ""), text=form.get("text", ""))
        return f"{formats.words(area)}: noted."

    return _write(record_id, say, anybody=True)


@pages.post("/changes/<record_id>/tasks/<task_id>/carry-out")
def carry_out(record_id: str, task_id: str) -> Page:
    """Carry one task out: ours by Lockstep, a person's with evidence."""

    def work(act: Act, order: ChangeOrder, form: Mapping[str, str]) -> str:
        task = find_task(act.session, order, task_id)
        carry_out_as_visitor(act, task, evidence=form.get("evidence", ""))
        return f"{task.number}: {formats.words(task.status).lower()}."

    return _write(record_id, work, tab="summary", anybody=True)


@offered(pages, "/changes/<record_id>/impact")
def download(record_id: str) -> Sheet:
    """Hand out the grid."""
    order = changes.find(reading(), record_id)
    snapshot = newest_snapshot(reading(), order)
    rows = rows_of(reading(), snapshot) if snapshot is not None else []
    return Sheet(f"{order.number}-impact", COLUMNS, [line for row in rows for line in _lines(row)])


def find_row(session: Session, order: ChangeOrder, row_id: str) -> AffectedOrder:
    """Return a row of a change order. Raises: NotFound."""
    row = session.get(AffectedOrder, row_id) if is_id(row_id) else None
    if row is None or row.change_order_id != order.id:
        raise NotFound(f"Expected a row of {order.number}, but there is none with this id.")
    return row


def need_area(session: Session, order: ChangeOrder, area: str) -> None:
    """Refuse a visitor who does not hold the role that answers for an area. Raises: Forbidden."""
    role = next((role for name, role in impact.lanes_of(session, order) if name == area), "")
    if role and not visitor().holds(role.removeprefix("role:")):
        raise Forbidden(
            f"Expected {wording.principal_words(role)} to answer for {formats.words(area).lower()}, but you are not."
        )


def find_task(session: Session, order: ChangeOrder, task_id: str) -> ChangeTask:
    """Return a task of a change order. Raises: NotFound."""
    task = session.get(ChangeTask, task_id) if is_id(task_id) else None
    if task is None or task.change_order_id != order.id:
        raise NotFound(f"Expected a task of {order.number}, but there is none with this id.")
    return task


def need_rows(rows: Sequence[AffectedOrder]) -> None:
    """Refuse a visitor who neither decides about a change nor owns every one of these rows. Raises: Forbidden."""
    if impact_panel.may_decide():
        return
    for row in rows:
        if not impact_panel.may_answer_for(row.owner):
            raise Forbidden(
                f"Expected {wording.principal_words(row.owner)} to decide about {row.native_ref}, but you are not, and you hold no "
                "role that decides about changes."
            )


def carry_out_as_visitor(act: Act, task: ChangeTask, *, evidence: str) -> ChangeTask:
    """Carry a task out as its owner, and let those that wait for it go on. Raises: Forbidden; as ``change_tasks.carry_out``."""
    if not impact_panel.may_answer_for(task.owner):
        raise Forbidden(
            f"Expected {wording.principal_words(task.owner)} to carry {task.number} out, but you are not. It is their turn."
        )
    change_tasks.carry_out(act, task, evidence=evidence)
    if task.status is TaskStatus.DONE:
        wake_others(act, task)
    return task


def _lines(row: AffectedOrder) -> list[tuple[object, ...]]:
    head = (row.target, row.native_ref, row.item, row.state, row.place, row.quantity.normalize(), row.uom)
    if not row.dispositions:
        return [(*head, "", "", row.owner, "", "", row.currency, row.status, "", "")]
    return [
        (*head, each.disposition, each.quantity.normalize(), each.owner, each.due_on, each.cost, each.currency, each.status,
         each.reason, each.evidence)
        for each in row.dispositions
    ]  # fmt: skip


def _decide_chosen(act: Act, order: ChangeOrder, form: MultiDict[str, str]) -> str:
    if not form.get("disposition"):
        raise Invalid("Expected what becomes of the chosen rows, but nothing is chosen", {"disposition": "Choose one"})
    if form["what"] == "fitting":
        rows = _fitting(act.session, order, form)
    else:
        rows = [find_row(act.session, order, row_id) for row_id in dict.fromkeys(form.getlist("row"))]
    need_rows(rows)
    impact.dispose_all(
        act, order, rows, form["disposition"], owner=_owner(form.get("owner", "")), due=_day(form, "due"),
        reason=form.get("reason", ""),
    )  # fmt: skip
    return f"{formats.plural(len(rows), 'row')}: {formats.words(form['disposition']).lower()}."


def _decide_one(act: Act, row: AffectedOrder, form: Mapping[str, str]) -> bool:
    """Decide as the row's own fields say, where they say something new; a divided row has no such fields."""
    word = form.get(f"disposition.{row.id}", "")
    if not word or len(row.dispositions) > 1:
        return False
    owner, due, cost = (
        _owner(form.get(f"owner.{row.id}", "")),
        _day(form, f"due.{row.id}"),
        _money(form, f"cost.{row.id}"),
    )
    present = row.dispositions[0] if row.dispositions else None
    if present is not None and row.is_disposed:
        same_cost = cost is None or cost == present.cost
        if (present.disposition.value, present.owner, present.due_on) == (
            word,
            owner or row.default_owner,
            due,
        ) and same_cost:
            return False
        if present.disposition.value != word and cost == present.cost:
            cost = None
    need_rows([row])
    impact.dispose(
        act, row, word, owner=owner, due=due, cost=cost, reason=present.reason if present is not None else "",
        evidence=present.evidence if present is not None else "",
    )  # fmt: skip
    return True


def _fitting(session: Session, order: ChangeOrder, form: Mapping[str, str]) -> list[AffectedOrder]:
    """Return every row that the filter of the page lets through, on whichever page."""
    snapshot, wanted = newest_snapshot(session, order), impact_panel.wanted_rows(form)
    if snapshot is None:
        return []
    return rows_that_fit(session, snapshot, wanted, most=impact_panel.MOST_AT_ONCE)


def _owner(given: str) -> str:
    """Return a principal: a role by its code in capitals, a person by the login."""
    name = given.strip()
    if not name or ":" in name:
        return name
    return f"role:{name}" if name.isupper() else f"user:{name}"


def _number(form: Mapping[str, str], name: str) -> Decimal | None:
    return _read(form, name, 6)


def _money(form: Mapping[str, str], name: str) -> Decimal | None:
    return _read(form, name, 2)


def _read(form: Mapping[str, str], name: str, decimals: int) -> Decimal | None:
    if not form.get(name, "").strip():
        return None
    try:
        return typed.decimal(form[name], visitor().how, decimals=decimals)
    except typed.Unreadable as error:
        raise Invalid(str(error), {name.partition(".")[0]: str(error), name: str(error)}) from error


def _day(form: Mapping[str, str], name: str) -> dt.date | None:
    if not form.get(name, "").strip():
        return None
    try:
        return typed.day(form[name])
    except typed.Unreadable as error:
        raise Invalid(str(error), {name.partition(".")[0]: str(error), name: str(error)}) from error


def _write(
    record_id: str,
    do: Callable[[Act, ChangeOrder, Mapping[str, str]], str],
    *,
    tab: str = "impact",
    anybody: bool = False,
) -> Page:
    if not anybody:
        orders.need(*impact_panel.DECIDES)
    try:
        with acting() as act:
            said = do(act, changes.find(act.session, record_id), request.form)
    except Refused as refusal:
        return changes.show_again(changes.find(read_anew(), record_id), refusal, tab=tab), status_of(refusal)
    flash(said, "good")
    query: dict[str, Any] = impact_panel.filter_of(request.form)
    if start := impact_panel.start_of(request.form):
        query["from"] = start
    return redirect(url_for("changes.show", record_id=record_id, tab=tab, **query), 303)
