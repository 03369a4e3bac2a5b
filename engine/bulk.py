"""Rows that nobody changes again, such as history and candidates: queued in the act, written in one statement a table."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from engine.database import Base
from engine.prepared import Prepared

if TYPE_CHECKING:
    from engine.act import Act

_QUEUE = "bulk"


def add(act: Act, mapped: type[Base], rows: Iterable[dict[str, Any]]) -> None:
    """Queue rows to be inserted after the next flush, so that the rows they refer to are there."""
    queue: dict[type[Base], list[dict[str, Any]]] = act.session.info.setdefault(_QUEUE, {})
    queue.setdefault(mapped, []).extend(rows)


def write(session: Session) -> None:
    """Insert what is queued, table by table in the order in which they were first named."""
    queue: dict[type[Base], list[dict[str, Any]]] = session.info.pop(_QUEUE, {})
    for mapped, rows in queue.items():
        insert_now(session, mapped, rows)


def insert_now(session: Session, mapped: type[Base], rows: list[dict[str, Any]]) -> None:
    """Insert rows at once, for tables that the same act may look into or delete from. What they refer to must be there."""
    if rows:
        _insert_into(mapped).run(session, rows)


@cache
def _insert_into(mapped: type[Base]) -> Prepared:
    """Return the statement for a table; every row names every column."""
    return Prepared(insert(mapped), columns=[column.key for column in mapped.__table__.columns])


def waiting(session: Session) -> dict[type[Base], list[dict[str, Any]]]:
    """Return a copy of what is queued, to be put back when a savepoint is rolled back."""
    queue: dict[type[Base], list[dict[str, Any]]] = session.info.get(_QUEUE, {})
    return {mapped: list(rows) for mapped, rows in queue.items()}
