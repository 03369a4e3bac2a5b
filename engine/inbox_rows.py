"""The rows of an inbox in the wanted order, found without reading those that are not on the page.

Every principal somebody may act under has its own run in the index of the wanted order; a page takes the first rows
of each, merges them and looks up the tasks. So the cost depends on the page and on the number of principals, not on
how many tasks are open. The principals are one parameter: the statement is the same for three of them and for three hundred.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import (
    ColumnElement,
    Select,
    String,
    bindparam,
    exists,
    func,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from engine import inbox_order
from engine.inbox_order import ROWS, Order
from engine.inbox_query import Search
from engine.ports import Mandate
from engine.stored.task import Task

if TYPE_CHECKING:
    from engine.inbox import Narrowing

MOST_SORTED = 5_000
"""Rows up to which sorting what an index finds is quicker than reading each principal's run in the wanted order."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a list of open tasks is asked for."""

    box: str
    search: Search
    order: Order
    after: str | None
    narrowed: Narrowing


def candidates(
    session: Session, user_id: str, mandates: Mapping[str, Sequence[Mandate]], asked: Asked, *, limit: int
) -> list[Any]:
    """Return rows of task id and sort values, one more than the limit if there are more."""
    if not mandates or asked.narrowed.only == [] or asked.search.few == set():
        return []
    conditions = [*asked.narrowed.conditions(), *asked.search.on_rows]
    if asked.box not in ("mine", "snoozed"):
        conditions.append(_not_also_mine(user_id))
    if asked.after is not None:
        conditions.append(asked.order.beyond(asked.after))
    if asked.search.few is not None or _is_soon_sorted(session, mandates, asked):
        return _sorted(session, mandates, conditions, asked, limit=limit)
    conditions += _within_reach(session, mandates, conditions, asked, limit=limit)
    return _first_rows(session, mandates, conditions, asked, limit=limit)


def _within_reach(
    session: Session,
    mandates: Mapping[str, Sequence[Mandate]],
    conditions: Sequence[ColumnElement[bool]],
    asked: Asked,
    *,
    limit: int,
) -> list[ColumnElement[bool]]:
    """Return how far an order has to look that no index follows: one by two fields, or one that turns a field round.

    By its first field alone an index tells the last value on the page; what comes after that value need not be sorted.
    """
    if asked.order.follows_an_index:
        return []
    first = asked.order.keys[0]
    leading = replace(asked, order=inbox_order.by_one(first))
    rows = _first_rows(session, mandates, conditions, leading, limit=limit)
    if len(rows) <= limit:
        return []
    last = rows[-1][1]
    return [first.column >= last if first.descends else first.column <= last]


def _first_rows(
    session: Session,
    mandates: Mapping[str, Sequence[Mandate]],
    conditions: Sequence[ColumnElement[bool]],
    asked: Asked,
    *,
    limit: int,
) -> list[Any]:
    """Return the first rows of all the principals' runs together, one more than the limit if there are more."""
    branches = [
        _runs(session, principals, flows, conditions, asked, limit=limit)
        for flows, principals in _by_limit(mandates).items()
    ]
    merged = union_all(*branches).subquery()
    values = [merged.c[f"value_{place}"] for place in range(len(asked.order.keys))]
    query: Select[Any] = select(merged.c.task_id, *values).distinct()
    return list(session.execute(query.order_by(*asked.order.by(values, merged.c.task_id)).limit(limit + 1)))


def _is_soon_sorted(session: Session, mandates: Mapping[str, Sequence[Mandate]], asked: Asked) -> bool:
    """Whether an index finds so few rows that sorting them takes less than reading another order until enough of them came by."""
    if not asked.search.narrow:
        return False
    fitting = select(ROWS.c.task_id).where(ROWS.c.principal.in_(list(mandates)), *asked.search.narrow)
    found = session.scalar(select(func.count()).select_from(fitting.limit(MOST_SORTED + 1).subquery())) or 0
    return found <= MOST_SORTED


def _sorted(
    session: Session,
    mandates: Mapping[str, Sequence[Mandate]],
    conditions: Sequence[ColumnElement[bool]],
    asked: Asked,
    *,
    limit: int,
) -> list[Any]:
    """Return the first of rows that are few enough to be sorted, one more than the limit if there are more."""
    columns = [key.column for key in asked.order.keys]
    values = [column.label(f"value_{place}") for place, column in enumerate(columns)]
    # Where the tasks are known by their ids, no index of principals is to be read: they may take far more.
    whose = ROWS.c.principal if asked.search.few is None else ROWS.c.principal.concat("")
    held = [
        whose.in_(principals) if flows is None else whose.in_(principals) & ROWS.c.flow.in_(flows)
        for flows, principals in _by_limit(mandates).items()
    ]
    query = select(ROWS.c.task_id, *values).where(or_(*held), *conditions).distinct()
    if asked.search.on_tasks:
        query = query.join(Task, Task.id == ROWS.c.task_id).where(*asked.search.on_tasks)
    return list(session.execute(query.order_by(*asked.order.by(columns, ROWS.c.task_id)).limit(limit + 1)))


def _by_limit(mandates: Mapping[str, Sequence[Mandate]]) -> dict[tuple[str, ...] | None, list[str]]:
    """Return the principals by the flows that they are limited to, None for those that hold in all."""
    found: dict[tuple[str, ...] | None, list[str]] = {}
    for principal, held in mandates.items():
        flows = flows_of(held)
        found.setdefault(None if flows is None else tuple(flows), []).append(principal)
    return found


def flows_of(held: Sequence[Mandate]) -> list[str] | None:
    """Return the flows in which a principal is held, None when it is held in all."""
    if not all(mandate.flows for mandate in held):
        return None
    return sorted({flow for mandate in held for flow in mandate.flows})


def _runs(
    session: Session,
    principals: Sequence[str],
    flows: Sequence[str] | None,
    conditions: Sequence[ColumnElement[bool]],
    asked: Asked,
    *,
    limit: int,
) -> Select[Any]:
    """Return the first rows of each principal's run in the index: a lateral join, or on SQLite what comes to the same."""
    is_server = session.get_bind().dialect.name == "postgresql"
    if is_server:
        listed = func.unnest(bindparam(None, list(principals), ARRAY(String)))
        held = listed.table_valued("principal", name="held").render_derived()
    else:
        held = func.json_each(orjson.dumps(principals).decode()).table_valued("value", name="held")
    columns = [key.column for key in asked.order.keys]
    values = [column.label(f"value_{place}") for place, column in enumerate(columns)]
    run = select(ROWS.c.task_id, *values).where(ROWS.c.principal == next(iter(held.c)), *conditions)
    if asked.search.on_tasks:
        run = run.join(Task, Task.id == ROWS.c.task_id).where(*asked.search.on_tasks)
    if flows is not None:
        run = run.where(ROWS.c.flow.in_(flows))
    first = run.order_by(*asked.order.by(columns, ROWS.c.task_id)).limit(limit + 1)
    if is_server:
        lateral = first.lateral()
        shown = [lateral.c[one.name] for one in values]
        return select(lateral.c.task_id, *shown).select_from(held).join(lateral, true())
    # What the index holds is handed on as one value for each principal: looking the rows up again would take far longer.
    taken = first.correlate(held).subquery()
    packed = func.json_group_array(func.json_array(*taken.c))
    unpacked = func.json_each(select(packed).scalar_subquery()).table_valued("value", name="taken")
    named = [
        func.json_extract(unpacked.c.value, f"$[{place}]", type_=column.type).label(column.name)
        for place, column in enumerate(taken.c)
    ]
    return select(*named).select_from(held).join(unpacked, true())


def _not_also_mine(user_id: str) -> ColumnElement[bool]:
    own = ROWS.alias("own")
    mine = exists().where(own.c.principal == f"user:{user_id}", own.c.task_id == ROWS.c.task_id).correlate(ROWS)
    return ~mine
